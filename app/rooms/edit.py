"""Edit: change codes and hear it; how much each codebook adds.

Shapes: K codebooks, T frames.
"""

from __future__ import annotations

import numpy as np
import torch

from audioformer.codecs.spectra import log_mel
from audioformer.errors import AudioformerError
from audioformer.explain import edit as editing
from audioformer.widgets import lanes
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.drawn import drawn
from audioformer_app.rooms.sent import one_of, whole_number

MOST_EDITS = 60


def change(analysis: Analysis, data: dict, models: Models) -> dict:
    """The clip with its codes changed.

    Args:
        analysis: the clip.
        data: `edits`, a list of {action, row (0 = all), frame, frames, to, seed}; the whole history, so that an undo is
            a shorter list.
        models: open models.

    Returns:
        dict with `lanes` (`mel`, and `codes` with changed places marked), `wav`, `changed` (share), and what the
        checkpoint says now.

    Raises:
        AudioformerError: values out of range, or too many edits.
    """
    codec = models.codec(analysis.codec)
    codes = torch.from_numpy(analysis.codes.astype(np.int64))
    changed = editing.apply(codes, _edits(data.get("edits"), tuple(codes.shape)), codec)
    marks = (changed != codes).numpy()
    sound = codec.decode(changed, n_samples=len(analysis.samples))[0].mean(0).numpy()
    ranks, marked = models.ranks(analysis.codec), marks * lanes.CHANGED
    pictures = {
        "mel": {**lanes.mel(sound, analysis.sample_rate), "id": None},
        "codes": lanes.codes(changed.numpy(), analysis.frame_rate, ranks, marks=marked, id=None),
    }
    answer = {"token": analysis.token, "lanes": pictures, "changed": float(marks.mean()), "n_edits": len(data["edits"])}
    return {**answer, "wav": wav_base64(sound, analysis.sample_rate), "label": label_of(analysis, changed, models)}


def curve(analysis: Analysis, data: dict, models: Models) -> dict:  # noqa: ARG001 - every answer takes the same three
    """How far the sound of the first 1, 2, ... K codebooks is from the original, as a figure.

    Returns:
        dict with a plotly `figure`, the template `dark` of its dark look, and `config`.
    """
    from audioformer import plots

    differences = differences_db(analysis, models)
    figure = plots.codes.error_by_codebooks(differences, np.arange(1, len(differences) + 1), label="log-mel difference")
    figure.layout.height = None
    return {"token": analysis.token, **drawn(figure)}


def differences_db(analysis: Analysis, models: Models) -> np.ndarray:
    """(K,) mean difference of the log-mel pictures of original and decoded sound, dB, for 1 to K codebooks."""
    codec = models.codec(analysis.codec)
    codes = torch.from_numpy(analysis.codes.astype(np.int64))
    original = log_mel(
        torch.from_numpy(analysis.samples), analysis.sample_rate, lanes.N_FFT, lanes.MEL_HOP, lanes.N_MELS
    )
    found = []
    for kept in range(1, len(codes) + 1):
        sound = codec.decode(codes[:kept], n_samples=len(analysis.samples))[0].mean(0)
        decoded = log_mel(sound, analysis.sample_rate, lanes.N_FFT, lanes.MEL_HOP, lanes.N_MELS)
        found.append(float((original - decoded).abs().mean()) * lanes.DB_PER_NEPER)
    return np.array(found)


ANSWERS = {"change": change, "curve": curve}


def _edits(sent, shape: tuple[int, int]) -> list[editing.Edit]:
    """What the browser sent as edits, checked."""
    if not isinstance(sent, list) or len(sent) > MOST_EDITS or not all(isinstance(one, dict) for one in sent):
        raise AudioformerError(f"edits must be a list of at most {MOST_EDITS}; reset the codes to start again")
    rows, frames = shape
    return [
        editing.Edit(
            one_of(one.get("action"), editing.ACTIONS, "action"),
            frame=whole_number(one.get("frame"), 0, frames - 1, "frame"),
            frames=whole_number(one.get("frames"), 1, frames, "frames"),
            row=whole_number(one.get("row"), 0, rows, "row"),
            to=whole_number(one.get("to", 0), 0, frames - 1, "to"),
            seed=whole_number(one.get("seed", 0), 0, 2**31 - 1, "seed"),
        )
        for one in sent
    ]


def label_of(analysis: Analysis, changed: torch.Tensor, models: Models) -> dict | None:
    """The label of the changed codes; None where the checkpoint reads another codec's."""
    if analysis.verdict is None:
        return None
    clf = models.classifier(analysis.verdict.checkpoint)
    if clf.codec.fingerprint != models.codec(analysis.codec).fingerprint:
        return None
    found = clf.classify_codes(changed).probabilities
    top = int(found.argmax())
    return {"label": clf.label_names[top].replace("_", " "), "probability": float(found[top])}
