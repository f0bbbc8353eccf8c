"""What the page asks for, as pure functions: text for the browser out of an Analysis; no Gradio, no global state.

`clip_view` is the whole view of one clip, `keep` the sound of its first codebooks, `hear` the sound of one code.
Shapes: N samples, K codebooks, T frames, M mel bands.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from audioformer.audio import Waveform
from audioformer.codecs.spectra import log_mel
from audioformer.explain.codebook import HOLD_S, held_code
from audioformer.explain.moments import silent_frames
from audioformer.widgets import lanes
from audioformer.widgets.lanes import DB_PER_NEPER, MEL_HOP, N_FFT, N_MELS
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis, classify
from audioformer_app.answers import words
from audioformer_app.models import Models
from audioformer_app.rooms.sent import whole_number


def timeline(analysis: Analysis, models: Models) -> list[dict]:
    """Lanes of a clip: waveform, log-mel, codes, scores, and the events of a bundled scene."""
    shown = [
        lanes.wave(analysis.samples),
        lanes.mel(analysis.samples, analysis.sample_rate),
        lanes.codes(analysis.codes, analysis.frame_rate, models.ranks(analysis.codec)),
    ]
    verdict = analysis.verdict
    if verdict is not None:
        scores, rate = verdict.frame_scores, verdict.frame_rate
        silent = silent_frames(analysis.samples, analysis.sample_rate, rate, len(scores))
        shown.append(lanes.scores(scores, rate, verdict.label_names, verdict.labels, silent))
    return [*shown, lanes.events(analysis.clip.events)] if analysis.clip.events else shown


def clip_view(analysis: Analysis, models: Models) -> str:
    """What the browser needs to draw, play and step through a clip, as JSON.

    Returns:
        A view of widgets/timeline.js with `n_codebooks`; the sound of the codes comes when it is asked for, by `keep`.
    """
    return json.dumps(
        {
            "token": analysis.token,
            "lanes": timeline(analysis, models),
            "sounds": {"original": wav_base64(analysis.samples, analysis.sample_rate)},
            "hear": [{"name": "original", "label": "A · original"}, {"name": "kept", "label": "B · codes"}],
            "n_codebooks": len(analysis.codes),
            "frame_rate": analysis.frame_rate,
            "duration_s": analysis.duration_s,
            "kbps_per_codebook": analysis.kbps_per_codebook,
            "hold_s": HOLD_S,
        }
    )


def keep(analysis: Analysis, n_codebooks: int, models: Models, ask: bool = False) -> dict:
    """The clip decoded from its first codebooks, as loud as the original: what sounds worse is not only quieter.

    Args:
        analysis: of the clip.
        n_codebooks: 1 to K.
        models: open codecs.
        ask: whether the checkpoint is asked what it hears then.

    Returns:
        dict with `wav`, `lanes` (its spectrogram `mel`, and `codes`, those that are not kept marked), `label` of the
        sound or None, and `difference_db`, the mean difference of the log-mel pictures before it is made as loud.

    Raises:
        AudioformerError: n_codebooks out of range.
    """
    whole_number(n_codebooks, 1, len(analysis.codes), "codebooks")
    codec = models.codec(analysis.codec)
    codes = torch.from_numpy(analysis.codes[:n_codebooks].astype(np.int64))
    decoded = codec.decode(codes, n_samples=len(analysis.samples))[0].mean(0)
    pictures = [
        log_mel(sound, analysis.sample_rate, N_FFT, MEL_HOP, N_MELS)
        for sound in (torch.from_numpy(analysis.samples[: len(decoded)]), decoded)
    ]
    difference_db = float((pictures[0] - pictures[1]).abs().mean()) * DB_PER_NEPER
    sound = as_loud(decoded.numpy(), analysis.samples)
    dropped = np.zeros(analysis.codes.shape, dtype=np.uint8)
    dropped[n_codebooks:] = lanes.HIDDEN
    return {
        "token": analysis.token,
        "n_codebooks": n_codebooks,
        "difference_db": difference_db,
        "lanes": {
            "mel": {**lanes.mel(sound, analysis.sample_rate), "id": None},
            "codes": lanes.codes(
                analysis.codes, analysis.frame_rate, models.ranks(analysis.codec), marks=dropped, id=None
            ),
        },
        "label": heard_as(sound, analysis, models) if ask else None,
        "wav": wav_base64(sound, analysis.sample_rate),
    }


def as_loud(sound: np.ndarray, original: np.ndarray) -> np.ndarray:
    """A sound with the root mean square of another, by at most 12 dB, and never beyond full scale."""
    levels = [float(np.sqrt(np.mean(np.square(one, dtype=np.float64)))) for one in (original, sound)]
    if min(levels) < 1e-5:
        return sound
    gain = float(np.clip(levels[0] / levels[1], 0.25, 4.0))
    peak = float(np.abs(sound).max())
    return (sound * min(gain, max(1.0, 1.0 / peak))).astype(np.float32)


def heard_as(sound: np.ndarray, analysis: Analysis, models: Models) -> dict | None:
    """The label of another sound by the page's checkpoint; None without one."""
    if analysis.verdict is None:
        return None
    waveform = Waveform(torch.from_numpy(sound)[None], analysis.sample_rate)
    verdict = classify(waveform, analysis.verdict.checkpoint, models, {})
    return {"label": words(verdict.labels[0]), "probability": verdict.probabilities[0]}


def hear(analysis: Analysis, row: int, frame: int, models: Models) -> dict:
    """One code held for a moment, together with the codes above it in its column.

    A code of row k corrects what rows 1 to k-1 left over, so alone it is not a sound; with them it is.

    Args:
        analysis: of the clip.
        row: 1 to K.
        frame: 0 to T-1.
        models: open codecs.

    Returns:
        dict with `wav`, `row`, `frame`, `code`.

    Raises:
        AudioformerError: row or frame outside the grid.
    """
    whole_number(row, 1, analysis.codes.shape[0], "row")
    whole_number(frame, 0, analysis.codes.shape[1] - 1, "frame")
    column = analysis.codes[:row, frame]
    sound = held_code(column, models.codec(analysis.codec))
    return {
        "token": analysis.token,
        "row": row,
        "frame": frame,
        "code": int(column[-1]),
        "wav": wav_base64(sound, analysis.sample_rate),
    }


def _keep(analysis: Analysis, data: dict, models: Models) -> dict:
    return keep(analysis, data.get("n_codebooks"), models, ask=data.get("ask") is True)


def _hear(analysis: Analysis, data: dict, models: Models) -> dict:
    return hear(analysis, data.get("row"), data.get("frame"), models)


ANSWERS = {"keep": _keep, "hear": _hear}
