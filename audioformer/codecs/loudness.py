"""How different two sounds are to an ear: a listening proxy without trained weights, beside the distances of distances.py.

    samples --STFT--> power in ERB bands --loudness law--> specific loudness --modulation bands--> fluctuation pattern

Loudness per critical band is compared as in the Bark spectral distortion (Wang, Sekey & Gersho 1992, IEEE JSAC 10(5)),
and, as in PEMO-Q (Huber & Kollmeier 2006, IEEE TASLP 14(6)), through a bank of modulation filters one octave wide (Dau,
Kollmeier & Kohlrausch 1997, JASA 102(5)): steady level, rhythm, and roughness or buzz are each told apart, while a
shift of the waveform's phase, which no listener notices, costs nothing. It is a proxy, not a listening test.

Shapes: B clips, N samples, E bands, T frames, W stretches, P modulation bands.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError

FULL_SCALE_DB = 92.0  # sound pressure level assumed for a sine of full scale, as in ITU-R BS.1387
N_BANDS, WINDOW_S, HOP_S = 40, 0.0213, 0.005
STRETCH_FRAMES = 64  # 0.32 s, half of it the step
MODULATION_HZ = (0.0, 2.0, 6.0, 12.5, 25.0, 50.0)  # lower edges: steady, slow, then octaves up to 100 Hz
COMPRESSION = 0.23  # Zwicker's exponent from intensity to loudness


def loudness_distance(decoded: Tensor, original: Tensor, sample_rate: int) -> Tensor:
    """Share of the original's loudness pattern that the decoded sound gets wrong.

    Args:
        decoded: (..., N).
        original: (..., N).
        sample_rate: Hz, at least 8000.

    Returns:
        (...) no unit: sum |a - b| / sum b over bands, stretches and modulation bands; 0 for the same sound, 1 for
        silence. Two silences are 0.

    Raises:
        AudioformerError: shapes disagree.
    """
    if decoded.shape != original.shape:
        raise AudioformerError(
            f"decoded {tuple(decoded.shape)} and original {tuple(original.shape)} differ; cut both to one length"
        )
    a, b = (fluctuation(specific_loudness(x, sample_rate)) for x in (decoded, original))
    return (a - b).abs().sum((-3, -2, -1)) / b.sum((-3, -2, -1)).clamp_min(1e-6)


def specific_loudness(samples: Tensor, sample_rate: int) -> Tensor:
    """Loudness per band and moment: ((power / threshold in quiet + 1)^0.23 - 1), after Zwicker's power law.

    Args:
        samples: (..., N), full scale +-1.
        sample_rate: Hz.

    Returns:
        (..., E, T) >= 0, no unit; 0 below the threshold of hearing.
    """
    window, hop = 2 * round(WINDOW_S * sample_rate / 2), round(HOP_S * sample_rate)
    flat, taper = samples.reshape(-1, samples.shape[-1]).float(), torch.hann_window(window, device=samples.device)
    spectrum = torch.stft(flat, window, hop, window=taper, center=True, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square() / (taper.sum() / 2) ** 2  # a sine of full scale peaks at 1
    filters, threshold = (x.to(samples.device) for x in _ear(sample_rate, window))
    audible = (filters @ power) / threshold
    return ((audible + 1) ** COMPRESSION - 1).reshape(*samples.shape[:-1], N_BANDS, -1)


def fluctuation(loudness: Tensor) -> Tensor:
    """How much of each rate of fluctuation there is: (..., E, T) loudness to (..., E, W, P) amplitudes."""
    n_frames = loudness.shape[-1]
    short = max(0, STRETCH_FRAMES - n_frames) + (-n_frames) % (STRETCH_FRAMES // 2)
    padded = torch.nn.functional.pad(loudness, (0, short))
    taper = torch.hann_window(STRETCH_FRAMES, device=loudness.device)
    spectra = (
        torch.fft.rfft(padded.unfold(-1, STRETCH_FRAMES, STRETCH_FRAMES // 2) * taper).abs().square() / taper.sum() ** 2
    )
    rates = torch.fft.rfftfreq(STRETCH_FRAMES, HOP_S).to(loudness.device)
    upper = (*MODULATION_HZ[1:], torch.inf)
    power = [
        spectra[..., (rates >= low) & (rates < high)].sum(-1) for low, high in zip(MODULATION_HZ, upper, strict=True)
    ]
    return torch.stack(power, -1).sqrt()


@functools.lru_cache(maxsize=8)
def _ear(sample_rate: int, window: int) -> tuple[Tensor, Tensor]:
    """(E, F) triangular filters on the ERB-number scale (Glasberg & Moore 1990) and (E, 1) threshold in quiet, as power.

    The threshold is Terhardt's (1979), relative to a sine of full scale.
    """
    bins_hz = np.linspace(0, sample_rate / 2, window // 2 + 1)
    edges = np.linspace(_erb_number(50.0), _erb_number(min(16_000.0, sample_rate / 2)), N_BANDS + 2)
    width = np.maximum(edges[1] - edges[0], np.gradient(_erb_number(bins_hz)))  # never narrower than a bin
    filters = np.clip(1 - np.abs(_erb_number(bins_hz) - edges[1:-1, None]) / width, 0, None)
    khz = (10 ** (edges[1:-1] / 21.4) - 1) / 4.37
    quiet_db = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    threshold = 10 ** ((quiet_db - FULL_SCALE_DB) / 10)
    return torch.from_numpy(filters.astype(np.float32)), torch.from_numpy(threshold.astype(np.float32))[:, None]


def _erb_number(hz):
    return 21.4 * np.log10(1 + 0.00437 * hz)
