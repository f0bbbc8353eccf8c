"""Short-time Fourier transform on the codec's frame grid: one frame every hop, centred on its own hop.

Frame t sees the window of three hops around samples [t * hop, (t + 1) * hop): one hop of past, its own, one hop of
future. So T = ceil(N / hop) frames describe N samples, and the only look-ahead is one hop.
Three Hann windows, each three hops long and one hop apart, add up to a constant: the inverse is exact.

Shapes: B clips, N samples, T frames, F = window // 2 + 1 frequency bins. window = 3 * hop samples.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HOPS_PER_WINDOW = 3


def stft_frames(samples: Tensor, hop_length: int) -> Tensor:
    """Complex spectrum of every frame.

    Args:
        samples: (B, N) float32.
        hop_length: samples per frame.

    Returns:
        (B, T, F) complex64, T = ceil(N / hop_length), F = 3 * hop_length // 2 + 1.
    """
    window = torch.hann_window(HOPS_PER_WINDOW * hop_length, device=samples.device)
    n_frames = -(-samples.shape[-1] // hop_length)
    right = (n_frames + 1) * hop_length - samples.shape[-1]
    frames = F.pad(samples, (hop_length, right)).unfold(-1, window.numel(), hop_length)
    return torch.fft.rfft(frames * window)


def overlap_add(spectrum: Tensor, hop_length: int) -> Tensor:
    """Inverse of `stft_frames`: (B, T, F) complex to (B, T * hop_length) samples.

    Each frame is windowed once more and neighbours are added. The squared windows over one sample sum to 9/8:

        hann(n)^2 + hann(n + hop)^2 + hann(n + 2 hop)^2 = 9/8       (hann of length 3 * hop)

    except in the first and last hop, where one neighbour is missing; dividing by the true sum repairs those too.
    """
    size = HOPS_PER_WINDOW * hop_length
    window = torch.hann_window(size, device=spectrum.device)
    frames = torch.fft.irfft(spectrum, n=size) * window
    n_frames = frames.shape[1]
    total = (n_frames + 2) * hop_length
    fold = {"output_size": (1, total), "kernel_size": (1, size), "stride": (1, hop_length)}
    samples = F.fold(frames.transpose(1, 2), **fold)[:, 0, 0]
    weight = F.fold((window**2)[None, :, None].expand(1, size, n_frames), **fold)[:, 0, 0]
    return (samples / weight.clamp_min(1e-3))[:, hop_length:-hop_length]
