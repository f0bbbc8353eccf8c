"""Spectra: log-mel pictures, short-time transforms, and the compact codec's linear path from log-mel to a few cepstra.

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
    """From a log-mel frame to the log magnitudes of a spectrum that would give it, as far as bands allow.

    Between the centres of two bands the log magnitude is interpolated. Where a spectrum is flat, its log-mel value is
    the log magnitude plus the log of the filter's area; that log is subtracted.

    Args:
        filters: (M, F) mel filters. Bands so narrow that no bin falls into them are left out.

    Returns:
        weight (F, M) and bias (F,), so that log |X| = weight @ log_mel + bias.
    """
    used = filters.sum(1) > 0
    if not used.any():
        return torch.zeros(filters.T.shape), torch.zeros(filters.shape[1])
    areas = filters[used].sum(1)
    bins = np.arange(filters.shape[1])
    centres = (filters[used] @ torch.from_numpy(bins).to(filters.dtype) / areas).numpy()
    weight = torch.zeros(filters.T.shape)
    weight[:, used] = torch.from_numpy(
        np.stack([np.interp(bins, centres, one) for one in np.eye(len(centres))], 1)
    ).float()
    return weight, -(weight[:, used] @ areas.log())


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


def log_mel(
    samples: Tensor, sample_rate: int, n_fft: int = 1024, hop_length: int = 320, n_mels: int = 80, floor: float = 1e-5
) -> Tensor:
    """Magnitude mel spectrogram on a natural-log scale, for looking at and for measuring distances.

    Args:
        samples: (..., N) float32.
        sample_rate: Hz.
        n_fft: window, samples (Hann, centred, zero-padded ends).
        hop_length: step, samples.
        n_mels: bands between 0 Hz and sample_rate / 2 (Slaney's scale and area normalisation, as librosa's default).
        floor: smallest magnitude kept: log(1e-5) = -11.5.

    Returns:
        (..., n_mels, T), T = 1 + N // hop_length.
    """
    flat, window = samples.reshape(-1, samples.shape[-1]), torch.hann_window(n_fft, device=samples.device)
    spectrum = torch.stft(
        flat, n_fft, hop_length, window=window, center=True, pad_mode="constant", return_complex=True
    ).abs()
    mel = mel_filters(sample_rate, n_fft, n_mels).to(samples.device) @ spectrum
    return mel.clamp_min(floor).log().reshape(*samples.shape[:-1], n_mels, -1)


def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Tensor:
    """(n_mels, n_fft // 2 + 1) triangular filters on Slaney's mel scale, equal to those of `librosa.filters.mel`."""
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(sample_rate / 2), n_mels + 2))
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    area = 2.0 / (edges[2:] - edges[:-2])
    return torch.from_numpy((triangles * area[:, None]).astype(np.float32))


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + np.log(hz / 1000) * 27 / np.log(6.4)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
