"""Frames of numbers beside the codes of a sound: the codec's latents, or 256 log-mel bands on the codec's frame grid.

Methods that read numbers instead of codes take these; a corpus can hold them (`audioformer prepare --frames`).

Shapes: B clips, N samples, F numbers in a frame, T frames.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.audio import to_batch
from audioformer.codec import Codec
from audioformer.errors import AudioformerError, check_names

STORED = ("latents", "mel256")  # what a corpus can hold beside the codes
N_MELS, LOWEST_HZ, PREEMPHASIS = 256, 20.0, 0.97
FLOOR = float(np.finfo(np.float32).eps)  # of the band energies


@torch.no_grad()
def sound_frames(kind: str, codec: Codec, waveform, sample_rate: int | None = None) -> Tensor:
    """The frames of a sound that go with its codes, column by column.

    Args:
        kind: "latents" or "mel256".
        codec: for the latents, and for its frame grid; the mel bands need one that works at 24 kHz.
        waveform: Waveform, array or tensor, as `codec.encode` takes.
        sample_rate: Hz, for bare samples.

    Returns:
        (B, F, T) float32.

    Raises:
        AudioformerError: unknown kind, unusable waveform, or a codec of another rate.
    """
    check_names([kind], STORED, "the list of frames")
    if kind == "latents":
        return codec.latents(waveform, sample_rate).float()
    if codec.sample_rate != 24_000 or codec.channels != 1:
        raise AudioformerError(
            f"mel256 is defined at 24000 Hz, mono; {codec.name} works at {codec.sample_rate} Hz; use frames latents"
        )
    return kaldi_log_mel(to_batch(waveform, sample_rate, codec.sample_rate)[:, 0], codec.sample_rate, codec.hop_length)


def kaldi_log_mel(samples: Tensor, sample_rate: int, hop_length: int) -> Tensor:
    """Log-mel energies as Kaldi computes them, on the codec's frame grid.

    Of each frame the mean is taken away, every sample loses 0.97 of the one before, a Hann window of two hops follows,
    the power spectrum is summed in 256 triangles that are even on the scale 1127 ln(1 + f / 700), and the logarithm is
    taken. The source steps 318 samples (13.28 ms cut to whole samples) and use a window of 637; we step the codec's 320
    with a window of 640, so that frame and code stay together however long the clip is, and centre each on its code.

    Args:
        samples: (B, N) float32.
        sample_rate: Hz.
        hop_length: samples a frame.

    Returns:
        (B, 256, T), T = ceil(N / hop_length); not standardised.
    """
    size, n_frames = 2 * hop_length, -(-samples.shape[-1] // hop_length)
    left = hop_length // 2
    padded = F.pad(samples, (left, n_frames * hop_length + hop_length - samples.shape[-1]))
    frames = padded.unfold(-1, size, hop_length)[:, :n_frames]
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames - PREEMPHASIS * torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(size, periodic=False, device=samples.device)
    n_fft = 1 << (size - 1).bit_length()
    power = torch.fft.rfft(frames * window, n=n_fft).abs().square()
    return (power @ kaldi_filters(sample_rate, n_fft).to(samples.device).T).clamp_min(FLOOR).log().transpose(1, 2)


@lru_cache(maxsize=4)
def kaldi_filters(sample_rate: int, n_fft: int) -> Tensor:
    """(256, n_fft // 2 + 1) triangles of height 1, straight on Kaldi's mel scale, from 20 Hz to half the rate."""

    def mel(hz):
        return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)

    edges = np.linspace(mel(LOWEST_HZ), mel(sample_rate / 2), N_MELS + 2)
    bins = mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))
