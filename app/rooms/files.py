"""Files: long recordings and folders, cut into moments that are named, found again and reviewed by ear.

The sounds go to the server one file at a time and come back in moments; the table, the review and the corrected data
set are the browser's. Shapes: K codebooks, T frames, C classes, D width.
"""

from __future__ import annotations

import base64

import numpy as np
import torch

from audioformer.audio import Waveform, load_audio, quiet_answer
from audioformer.errors import AudioformerError
from audioformer.predict import predict_codes
from audioformer.reading.sound import length_s
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.sent import number
from audioformer_app.uploads import uploaded

STRETCH_S, LONGEST_S = 30.0, 3600.0  # read at once; of one recording
LEAST_S = 0.1  # a shorter rest of a recording is no moment


def read(analysis: Analysis, data: dict, models: Models) -> dict:
    """The moments of one stretch of a recording; the upload is deleted with the last one.

    Args:
        analysis: of the clip on the page, whose checkpoint names the moments.
        data: `path` of an upload, `begin_s` of the stretch, `piece_s` of a moment (1 to 30 s), and `task`, which comes
            back.
        models: open classifiers.

    Returns:
        dict with `moments`, each with `start_s`, `end_s`, `label`, `p` (0 to 1), `quiet` ("silence", "too quiet" or
        ""), `vector` (D bytes: the direction of the clip's vector, 128 added) and `wav`; `labels`, all C; `checkpoint`;
        `next_s`, where the next stretch begins, None after the last; `total_s`.

    Raises:
        AudioformerError: no such upload, no checkpoint, not a readable sound, or a number out of range.
    """
    upload = uploaded(data.get("path"))
    begin_s, piece_s = (
        number(data.get("begin_s"), 0.0, LONGEST_S, "begin_s"),
        number(data.get("piece_s"), 1, 30, "piece_s"),
    )
    if analysis.verdict is None:
        raise AudioformerError(
            "no checkpoint is offered here that could name a sound; train one with `audioformer finetune`"
        )
    clf, next_s = models.classifier(analysis.verdict.checkpoint), None
    try:
        total_s = min(length_s(upload) or STRETCH_S, LONGEST_S)
        stretch_s = piece_s * max(1, int(STRETCH_S / piece_s))
        sound = load_audio(upload, clf.codec.sample_rate, mono=True, start_s=begin_s, duration_s=stretch_s)
        next_s = begin_s + stretch_s if begin_s + stretch_s < total_s - LEAST_S else None
        return {
            "token": analysis.token,
            "task": data.get("task"),
            "moments": _moments(sound, begin_s, piece_s, clf),
            "labels": clf.label_names,
            "checkpoint": clf.name,
            "next_s": next_s,
            "total_s": total_s,
        }
    finally:
        if next_s is None:
            upload.unlink(missing_ok=True)


def _moments(sound: Waveform, begin_s: float, piece_s: float, clf) -> list[dict]:
    """Each piece of a stretch: what it is called, how surely, and its vector."""
    size = round(piece_s * sound.sample_rate)
    least = min(round(LEAST_S * sound.sample_rate), sound.samples.shape[1])
    pieces = [piece for piece in sound.samples[0].split(size) if len(piece) >= least]
    read = [clf.codes(Waveform(piece[None], sound.sample_rate)) for piece in pieces]
    made = []
    answers = predict_codes(clf.classifier, read, clf.window, clf.multi_label, map_batches=clf.map_batches)
    for i, (piece, answer) in enumerate(zip(pieces, answers, strict=True)):
        best, start_s = int(answer.probabilities.argmax()), begin_s + i * piece_s
        made.append(
            {
                "start_s": round(start_s, 3),
                "end_s": round(start_s + len(piece) / sound.sample_rate, 3),
                "label": clf.label_names[best],
                "p": round(float(answer.probabilities[best]), 4),
                "quiet": quiet_answer(Waveform(piece[None], sound.sample_rate).level_db),
                "vector": _direction(answer.embedding),
                "wav": wav_base64(piece.numpy(), sound.sample_rate),
            }
        )
    return made


def _direction(vector: torch.Tensor) -> str:
    """A vector of length 127 as bytes, in base64: enough to tell what is near."""
    unit = vector.float() / vector.float().norm().clamp_min(1e-9)
    return base64.b64encode((128 + 127 * unit).round().numpy().astype(np.uint8).tobytes()).decode()


ANSWERS = {"read": read}
