"""Stability, in Listen: how many codes stay when the sound changes by very little, row by row; heard and seen.

Shapes: K codebooks, T frames, X changes.
"""

from __future__ import annotations

import numpy as np
import torch

from audioformer.explain.stability import CHANGES, Change, stability
from audioformer.widgets import lanes
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.handlers import as_loud
from audioformer_app.models import Models
from audioformer_app.rooms.edit import label_of
from audioformer_app.rooms.sent import whole_number


def look(analysis: Analysis, data: dict, models: Models) -> dict:  # noqa: ARG001 - every answer takes the same three
    """The share of codes that stay.

    Returns:
        dict with `changes`: `name` and `stay` (share of each row, None where all is silence) of each.
    """
    codec = models.codec(analysis.codec)
    found = stability(codec, torch.from_numpy(analysis.samples), analysis.sample_rate)
    rows = [
        {"name": named(change, codec), "stay": [None if share.isnan() else round(float(share), 4) for share in stay]}
        for change, stay in zip(found.changes, found.stay, strict=True)
    ]
    return {"token": analysis.token, "changes": rows, "counted": float(found.counted.float().mean())}


def hear(analysis: Analysis, data: dict, models: Models) -> dict:
    """The sound of the codes after one change, at the place of the original's and as loud.

    Args:
        analysis: the clip.
        data: `change`, its number.
        models: open models.

    Returns:
        dict with `wav`, `lanes` (`mel`; `codes`, those that changed marked), `name`, `stay`, and the `label` of these
        codes.

    Raises:
        AudioformerError: no such change.
    """
    number = whole_number(data.get("change"), 0, len(CHANGES) - 1, "change")
    codec, change = models.codec(analysis.codec), CHANGES[number]
    found = stability(codec, torch.from_numpy(analysis.samples), analysis.sample_rate, [change])
    changed = found.changed[0]
    codes = torch.where(changed < 0, found.codes, changed)
    marks = (codes != found.codes).numpy() * lanes.CHANGED
    sound = as_loud(codec.decode(codes, n_samples=len(analysis.samples))[0].mean(0).numpy(), analysis.samples)
    ranks = models.ranks(analysis.codec)
    pictures = {
        "mel": {**lanes.mel(sound, analysis.sample_rate), "id": None},
        "codes": lanes.codes(codes.numpy().astype(np.int64), analysis.frame_rate, ranks, marks=marks, id=None),
    }
    told = {"token": analysis.token, "change": number, "name": named(change, codec), "lanes": pictures}
    return {**told, "label": label_of(analysis, codes, models), "wav": wav_base64(sound, analysis.sample_rate)}


ANSWERS = {"stability": look, "varied": hear}


def named(change: Change, codec) -> str:
    """A change in words."""
    if change.kind == "louder":
        return f"{change.amount:g} dB louder"
    if change.kind == "noise":
        return f"noise, {change.amount:g} dB below it"
    n = int(change.amount)
    if n % codec.hop_length == 0 and n:
        frames = "one whole frame" if n == codec.hop_length else f"{n // codec.hop_length} whole frames"
        return f"{n} samples later: {frames}"
    return f"{n} {'sample' if n == 1 else 'samples'} later, {1000 * n / codec.sample_rate:.2g} ms"
