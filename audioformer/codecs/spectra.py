"""The linear path through the compact codec: a log-mel frame to a few cepstra, and back to a log spectrum.

Cepstra are the cosine transform of a log-mel frame (Davis and Mermelstein 1980), the classic short description of a
sound's colour. `CompactCodec` starts its training with this pair of matrices, so that its codes carry every frame's
spectrum from the first step on, and learns the rest: pitch, phase, and what happens within a frame.

Shapes: M mel bands, C cepstra, F frequency bins.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_transform(n_cepstra: int, n_mels: int) -> Tensor:
    """The first rows of the orthonormal cosine transform (DCT-II).

        D[c, m] = sqrt(2 / M) cos(pi c (m + 1/2) / M),   row 0 divided by sqrt(2)

    Args:
        n_cepstra: C, at most M.
        n_mels: M.

    Returns:
        (C, M) float32 with D D^T = 1: its transpose undoes it, but for what the rows left out held.

    Example:
        >>> cosine_transform(1, 4)
        tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    rows, bands = torch.arange(n_cepstra)[:, None], torch.arange(n_mels) + 0.5
    transform = torch.cos(torch.pi / n_mels * rows * bands) * (2 / n_mels) ** 0.5
    transform[:1] /= 2**0.5
    return transform


def mel_to_bins(filters: Tensor) -> tuple[Tensor, Tensor]:
    """From a log-mel frame to the log magnitudes of a spectrum that would give it, as far as bands can tell.

    Between the centres of two bands the log magnitude is interpolated. Where a spectrum is flat, its log-mel value is
    the log magnitude plus the log of the filter's area; that log is subtracted.

    Args:
        filters: (M, F) mel filters. Bands so narrow that no bin falls into them are left out.

    Returns:
        weight (F, M) and bias (F,), so that log |X| = weight @ log_mel + bias.
    """
    heard = filters.sum(1) > 0
    if not heard.any():
        return torch.zeros(filters.T.shape), torch.zeros(filters.shape[1])
    areas = filters[heard].sum(1)
    bins = np.arange(filters.shape[1])
    centres = (filters[heard] @ torch.from_numpy(bins).to(filters.dtype) / areas).numpy()
    weight = torch.zeros(filters.T.shape)
    weight[:, heard] = torch.from_numpy(
        np.stack([np.interp(bins, centres, one) for one in np.eye(len(centres))], 1)
    ).float()
    return weight, -(weight[:, heard] @ areas.log())


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
