"""How far a decoded sound is from its original: what training a codec minimises, and the measures of its quality.

Shapes: B clips, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from audioformer.codecs.spectra import cosine_transform, log_mel, stft_frames

MEL_WINDOWS = (256, 512, 1024, 2048)  # samples


def mel_distance(decoded: Tensor, original: Tensor, sample_rate: int, windows: tuple[int, ...] = MEL_WINDOWS) -> Tensor:
    """Multi-scale log-mel distance: mean |log mel(decoded) - log mel(original)|, averaged over windows.

    Hop a quarter of the window, min(80, window / 8) bands, magnitudes floored at 1e-5.

    Args:
        decoded: (B, N).
        original: (B, N).
        sample_rate: Hz.
        windows: samples.

    Returns:
        () natural-log units; 0 is perfect, 0.1 is about 0.9 dB.
    """
    return sum(F.l1_loss(a, b) for a, b in _log_mels(decoded, original, sample_rate, windows)) / len(windows)


def texture_distance(
    decoded: Tensor, original: Tensor, sample_rate: int, windows: tuple[int, ...] = MEL_WINDOWS
) -> Tensor:
    """How differently two sounds fluctuate: statistics over time of their log-mel bands and cepstra.

        |std_t A - std_t B| + |std_t dA - std_t dB|,   dA the difference of neighbouring frames, mean over bands,
        and the same of all cepstra (the bands' cosine transform), half of each

    A decoder that only minimises a distance gives the middle of all that is possible, which is smoother than any
    sound; textures are synthesised by matching such statistics (McDermott and Simoncelli 2011). The bands alone say
    how much each moves, the cepstra whether they move together, as in a swelling tone, or each for itself, as in
    breath and rain.

    Args:
        decoded: (B, N).
        original: (B, N), at least two hops of the longest window.
        sample_rate: Hz.
        windows: samples.

    Returns:
        () natural-log units; 0 where both fluctuate alike.
    """
    total = 0.0
    for a, b in _log_mels(decoded, original, sample_rate, windows):
        transform = cosine_transform(a.shape[-2], a.shape[-2]).to(a)
        for p, q in ((a, b), (transform @ a, transform @ b)):
            total = (
                total
                + (F.l1_loss(p.std(-1), q.std(-1)) + F.l1_loss(p.diff(dim=-1).std(-1), q.diff(dim=-1).std(-1))) / 2
            )
    return total / len(windows)


def colour_distance(
    decoded: Tensor, original: Tensor, sample_rate: int, windows: tuple[int, ...] = MEL_WINDOWS
) -> Tensor:
    """How differently two sounds are coloured: |mean_t A - mean_t B| of their log-mel bands, mean over bands.

    A mean absolute difference frame by frame is smallest at the median of what is possible, so a band of noise comes
    out too weak or too strong throughout; this term measures nothing but such a lasting bias.

    Args:
        decoded: (B, N).
        original: (B, N).
        sample_rate: Hz.
        windows: samples.

    Returns:
        () natural-log units; 0 where every band is as strong on average, 0.1 is about 0.9 dB.
    """
    return sum(F.l1_loss(a.mean(-1), b.mean(-1)) for a, b in _log_mels(decoded, original, sample_rate, windows)) / len(
        windows
    )


def complex_distance(decoded: Tensor, original: Tensor, hop_length: int) -> Tensor:
    """Distance of complex spectra relative to the original's size, |X - Y| / |X| per clip: the only term with phase.

    Args:
        decoded: (B, N).
        original: (B, N).
        hop_length: samples; the window is three hops.

    Returns:
        () no unit; 1 is what silence scores, so a decoder that makes its phases up does no better than 1.
    """
    x, y = stft_frames(original, hop_length), stft_frames(decoded, hop_length)
    error, size = (x - y).abs().square().sum((1, 2)), x.abs().square().sum((1, 2))
    return ((error + 1e-3).sqrt() / (size + 1e-1).sqrt()).mean()


def si_sdr_db(decoded: Tensor, original: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., arXiv 1811.02508), the waveform's own measure.

    10 log10(|a x|^2 / |a x - y|^2) with a = <x, y> / |x|^2, x the original and y the decoded sound.

    Args:
        decoded: (..., N).
        original: (..., N).

    Returns:
        (...) dB; higher is closer, far below 0 if the waveform is not followed at all.
    """
    scale = (decoded * original).sum(-1, keepdim=True) / (original.square().sum(-1, keepdim=True) + 1e-9)
    target = scale * original
    return 10 * ((target.square().sum(-1) + 1e-9) / ((target - decoded).square().sum(-1) + 1e-9)).log10()


def _log_mels(
    decoded: Tensor, original: Tensor, sample_rate: int, windows: tuple[int, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """(B, M, T) of both for each window of W samples: hop W / 4, M = min(80, W / 8) bands."""
    for window in windows:
        yield tuple(log_mel(x, sample_rate, window, window // 4, min(80, window // 8)) for x in (decoded, original))
