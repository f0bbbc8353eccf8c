"""Checking what the browser sent: anybody can send anything.

Shapes: K codebooks, T frames.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import Waveform
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models


def whole_number(value, low: int, high: int, what: str) -> int:
    """A whole number in range.

    Raises:
        AudioformerError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise AudioformerError(f"{what}={str(value)[:40]!r} must be a whole number from {low} to {high}")
    return value


def at_most(value, most: int, what: str) -> int:
    """A whole number from 0; one beyond what there is becomes the last: it may come from another clip or model.

    Raises:
        AudioformerError: it is no such number.
    """
    return min(whole_number(value, 0, 2**31 - 1, what), most)


def number(value, low: float, high: float, what: str) -> float:
    """A number in range.

    Raises:
        AudioformerError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise AudioformerError(f"{what}={str(value)[:40]!r} must be a number from {low:g} to {high:g}")
    return float(value)


def one_of(value, known, what: str) -> str:
    """A word out of some.

    Raises:
        AudioformerError: it is not.
    """
    if not isinstance(value, str) or value not in known:
        raise AudioformerError(f"{what}={str(value)[:40]!r} must be one of {', '.join(known)}")
    return value


def grid_bits(text, shape: tuple[int, int]) -> Tensor:
    """(K, T) bool from one bit a place, row by row, in base64.

    Raises:
        AudioformerError: not that many bits.
    """
    n_places = shape[0] * shape[1]
    try:
        raw = base64.b64decode(text if isinstance(text, str) and len(text) <= n_places + 8 else "", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != -(-n_places // 8):
        raise AudioformerError(
            f"the gap sent has {len(raw)} bytes; {shape[0]} rows of {shape[1]} frames need {-(-n_places // 8)}"
        )
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[:n_places]
    return torch.from_numpy(bits.astype(bool).reshape(shape))


def bits_of(grid: Tensor) -> str:
    """The other way round."""
    return base64.b64encode(np.packbits(grid.numpy().ravel(), bitorder="little").tobytes()).decode()


def codes_for(analysis: Analysis, codec: Codec, models: Models) -> Tensor:
    """(K, T) int64 codes of the clip by a model's own codec, whichever is shown."""
    if models.codec(analysis.codec).fingerprint == codec.fingerprint:
        return torch.from_numpy(analysis.codes.astype(np.int64))
    waveform = Waveform(torch.from_numpy(analysis.clip.samples)[None], analysis.clip.sample_rate)
    return codec.encode(waveform)[0].cpu()
