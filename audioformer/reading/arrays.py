"""Samples as callers hold them: arrays of any numbers, in any shape, brought to one kind; and channels to one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError
from audioformer.reading.sound import CANCELLED, MOST_MIXED

MOST_CHANNELS = 64  # of an array of samples; more are taken for samples, with channels last


def as_samples(waveform) -> Tensor:
    """(B, C, N) float32 of an array or tensor (N,), (C, N) or (B, C, N); integer types are scaled to +-1.

    Raises:
        AudioformerError: no numbers, wrong rank, or channels last.
    """
    samples = _as_tensor(waveform)
    if samples.is_complex() or not 1 <= samples.dim() <= 3:
        raise AudioformerError(
            f"waveform has shape {tuple(samples.shape)}; expected (N,), (C, N) or (B, C, N) real samples"
        )
    if not samples.is_floating_point():
        samples = _from_integers(samples)
    samples = samples.to(torch.float32)
    samples = samples.reshape(*(1,) * (3 - samples.dim()), *samples.shape)
    if samples.shape[2] and samples.shape[1] > max(MOST_CHANNELS, samples.shape[2]):
        raise AudioformerError(
            f"waveform has {samples.shape[1]} channels of {samples.shape[2]} samples; samples come last, (C, N): "
            "transpose what soundfile or scipy gave, samples.T"
        )
    return samples


def _as_tensor(waveform) -> Tensor:
    """Whatever holds numbers, in any order of bytes and memory."""
    if isinstance(waveform, Tensor):
        return waveform
    try:
        array = np.asarray(waveform)
        return torch.from_numpy(np.array(array, array.dtype.newbyteorder("=")))
    except (TypeError, ValueError) as error:
        raise AudioformerError(f"waveform is no array of numbers ({error}); give samples as int16 or float") from error


def _from_integers(samples: Tensor) -> Tensor:
    """Integer PCM to float in [-1, 1); in 64 bits, or 16-bit numbers in 32, the largest number tells the width."""
    if samples.dtype == torch.bool:
        raise AudioformerError("waveform holds True/False; expected samples as int16 or float")
    if samples.dtype == torch.uint8:
        return (samples.to(torch.float32) - 128) / 128
    if not samples.dtype.is_signed:
        raise AudioformerError(f"waveform holds {samples.dtype}; expected samples as int16 or float")
    if samples.dtype in (torch.int32, torch.int64) and samples.numel():
        peak, in_32 = int(samples.abs().max()), samples.dtype == torch.int32  # 24 bits stand in its upper bytes
        fits = [bits for bits in (15, 23, 31) if peak <= 2**bits and not (in_32 and not (samples % 256).any())]
        return samples.to(torch.float32) / 2.0 ** (31 if in_32 and fits[:1] != [15] else (*fits, 63)[0])
    return samples.to(torch.float32) / -float(torch.iinfo(samples.dtype).min)


def to_mono(samples: Tensor) -> Tensor:
    """The mean of the channels; (..., C, N) to (..., 1, N).

    Of two that cancel out, the second is turned over; of three to eight that do, the loudest is taken; of more, the
    array of microphones, the first.
    """
    if samples.shape[-2] > MOST_MIXED:
        return samples[..., :1, :]
    mean, power = samples.mean(-2, keepdim=True), samples.square().mean(-1, keepdim=True)
    cancelled = mean.square().mean(-1, keepdim=True) < CANCELLED * power.mean(-2, keepdim=True)
    if not cancelled.any():
        return mean
    if samples.shape[-2] == 2:
        rest = (samples[..., :1, :] - samples[..., 1:, :]) / 2
    else:
        rest = samples.take_along_dim(power.argmax(-2, keepdim=True), -2)
    return torch.where(cancelled.expand_as(mean), rest, mean)
