"""Signal blocks that every synthetic source is made of.

Sits at the very start of the data path: numpy in, numpy out, no torch. All randomness comes through a passed
`numpy.random.Generator`, so that the same seed gives the same samples. Legend: N samples, M modes, F frames, Q bins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

Rng = np.random.Generator
Points = Sequence[tuple[float, float]]


def count(duration_s: float, sample_rate: int) -> int:
    """Number of samples in `duration_s` seconds, at least 1."""
    return max(1, int(round(duration_s * sample_rate)))


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """One draw between `low` and `high`, uniform in octaves: the fair choice for rates and frequencies."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def breakpoints(points: Points, n: int) -> np.ndarray:
    """Piecewise linear curve of `n` samples through `(position 0..1, value)` points, shape (N,)."""
    positions, values = zip(*points, strict=True)
    return np.interp(np.linspace(0.0, 1.0, n), positions, values)


def smooth_random(rng: Rng, n: int, sample_rate: int, rate_hz: float) -> np.ndarray:
    """Random curve (N,), zero mean and unit variance at its knots, that changes about `rate_hz` times a second."""
    n_knots = max(2, int(np.ceil(n * rate_hz / sample_rate)) + 2)
    knots = rng.standard_normal(n_knots)
    start = rng.uniform(0.0, 1.0)
    position = start + np.arange(n) * (rate_hz / sample_rate)
    left = np.minimum(position.astype(int), n_knots - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * np.minimum(position - left, 1.0))  # cosine ease: no corners to hear
    return knots[left] * (1.0 - blend) + knots[left + 1] * blend


def attack_decay(n: int, sample_rate: int, attack_s: float, decay_s: float) -> np.ndarray:
    """Envelope (N,): linear rise over `attack_s`, then exponential fall by 1/e every `decay_s`."""
    time_s = np.arange(n) / sample_rate
    return np.minimum(time_s / max(attack_s, 1e-5), 1.0) * np.exp(-np.maximum(time_s - attack_s, 0.0) / decay_s)


def fade(samples: np.ndarray, sample_rate: int, fade_s: float = 0.005) -> np.ndarray:
    """Copy of `samples` (N,) whose two ends rise from and fall to zero, so that no edge clicks."""
    n = min(len(samples) // 2, count(fade_s, sample_rate))
    faded = samples.copy()
    if n > 0:
        ramp = np.linspace(0.0, 1.0, n)
        faded[:n] *= ramp
        faded[-n:] *= ramp[::-1]
    return faded


def add_at(target: np.ndarray, samples: np.ndarray, start: int) -> None:
    """Mix `samples` into `target` from index `start`, in place; what does not fit is left out."""
    first, last = max(start, 0), min(start + len(samples), len(target))
    if last > first:
        target[first:last] += samples[first - start : last - start]


def gain_curve(frequencies_hz: np.ndarray, points_db: Points) -> np.ndarray:
    """Amplitude gain (Q,) interpolated in dB over log frequency through `(hz, db)` points."""
    hz, db = zip(*points_db, strict=True)
    return 10.0 ** (np.interp(np.log(np.maximum(frequencies_hz, 1.0)), np.log(hz), db) / 20.0)


def shaped_noise(rng: Rng, n: int, sample_rate: int, points_db: Points) -> np.ndarray:
    """Stationary Gaussian noise (N,), unit RMS, whose spectrum follows `(hz, db)` points."""
    size = next_fast_len(n, real=True)
    gain = gain_curve(np.arange(size // 2 + 1) * sample_rate / size, points_db)
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    spectrum[0] = 0.0
    samples = irfft(spectrum, size)[:n]
    return samples / (np.sqrt(np.mean(samples**2)) + 1e-12)


def equalise(samples: np.ndarray, sample_rate: int, points_db: Points) -> np.ndarray:
    """Filter `samples` (N,) by a smooth zero-phase gain given as `(hz, db)` points."""
    size = next_fast_len(len(samples) + count(0.05, sample_rate), real=True)
    gain = gain_curve(np.arange(size // 2 + 1) * sample_rate / size, points_db)
    return irfft(rfft(samples, size) * gain, size)[: len(samples)]


def band(
    samples: np.ndarray, sample_rate: int, low_hz: float = 0.0, high_hz: float = 1e9, order: int = 2
) -> np.ndarray:
    """Butterworth band-limit of `samples` (N,); an edge at 0 or above 0.45 sample_rate is left open."""
    if low_hz > 0:
        samples = sosfilt(_edge(order, min(low_hz, 0.4 * sample_rate), "highpass", sample_rate), samples)
    if high_hz < 0.45 * sample_rate:
        samples = sosfilt(_edge(order, high_hz, "lowpass", sample_rate), samples)
    return samples


def _edge(order: int, hz: float, kind: str, sample_rate: int) -> np.ndarray:
    return butter(order, hz, kind, fs=sample_rate, output="sos")


def pulses(
    rng: Rng, f0_hz: np.ndarray, sample_rate: int, tilt_db: float = 9.0, jitter: float = 0.01, uneven_db: float = 0.0
) -> np.ndarray:
    """Periodic source (N,) at the changing pitch `f0_hz` (N,): a glottal or engine pulse read from a wavetable.

    Harmonic k has amplitude `-tilt_db * log2(k)` dB; `jitter` (relative, per-cycle scale) makes the pitch uneven,
    `uneven_db` (standard deviation) the harmonics, as resonances of an engine block do.
    """
    n = len(f0_hz)
    rough = smooth_random(rng, n, sample_rate, float(np.clip(f0_hz.mean() / 2, 20, 200)))
    phase = np.cumsum(f0_hz * (1.0 + jitter * rough)) / sample_rate
    n_harmonics = int(np.clip(0.47 * sample_rate / np.percentile(f0_hz, 80), 1, 250))
    spectrum = np.zeros(1025, complex)
    k = np.arange(1, n_harmonics + 1)
    level = k ** (-tilt_db / 6.02) * 10.0 ** (uneven_db * rng.standard_normal(n_harmonics) / 20.0)
    spectrum[k] = level * np.exp(1j * 0.3 * rng.standard_normal(n_harmonics))
    table = irfft(spectrum, 2048)
    table = np.append(table, table[0])
    return np.interp((phase % 1.0) * 2048, np.arange(2049), table / np.sqrt(np.mean(table**2)))


def formant_gain(frequencies_hz: np.ndarray, formants: np.ndarray, floor: float = 0.01) -> np.ndarray:
    """Amplitude response (F, Q) of resonances in parallel, a vocal tract seen frame by frame.

    Args:
        frequencies_hz: (Q,) bin centres.
        formants: (F, R, 3) per frame and resonance: centre Hz, bandwidth Hz, amplitude.
        floor: added everywhere, so that the valleys between formants are not empty.

    Returns:
        (F, Q) gains >= floor.
    """
    response = np.full((len(formants), len(frequencies_hz)), floor)
    for r in range(formants.shape[1]):
        centre, width, amplitude = (formants[:, r, i, None] for i in range(3))
        response += amplitude / (1.0 + ((frequencies_hz - centre) / (0.5 * width)) ** 2) ** 0.75
    return response


def filter_frames(
    samples: np.ndarray,
    sample_rate: int,
    gains: Callable[[np.ndarray, np.ndarray], np.ndarray],
    window_s: float = 0.024,
) -> np.ndarray:
    """Filter whose response changes with time: overlap-add of windowed spectra times `gains(position, hz)`.

    Args:
        samples: (N,) input.
        sample_rate: Hz.
        gains: called with frame positions (F,) in 0..1 and bin centres (Q,) Hz, returns (F, Q) amplitudes.
        window_s: seconds, length of the sine window; the hop is half of it.

    Returns:
        (N,) filtered samples.
    """
    hop = max(8, count(window_s / 2, sample_rate))
    n_frames = -(-len(samples) // hop) + 1
    padded = np.zeros((n_frames + 1) * hop)
    padded[hop : hop + len(samples)] = samples
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    blocks = padded.reshape(-1, hop)
    frames = np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window
    size = next_fast_len(3 * hop, real=True)
    hz = np.arange(size // 2 + 1) * sample_rate / size
    shaped = irfft(rfft(frames, size) * gains(np.linspace(0, 1, n_frames), hz), size)[:, : 2 * hop] * window
    out = np.zeros((n_frames + 1, hop))
    out[:-1] += shaped[:, :hop]
    out[1:] += shaped[:, hop:]
    return out.reshape(-1)[hop : hop + len(samples)]


def drifting(rng: Rng, samples: np.ndarray, sample_rate: int, depth_db: float, rate_hz: float) -> np.ndarray:
    """Tone colour that wanders: twelve bands of `samples` (N,) rise and fall by `depth_db`, `rate_hz` times a second.

    Moving sources and moving air do this to every outdoor sound: reflections from the ground comb it, gusts bend it.
    """
    edges_hz = np.geomspace(60, 11000, 12)
    n_knots = max(2, int(np.ceil(len(samples) / sample_rate * rate_hz)) + 1)
    field_db = depth_db * rng.standard_normal((n_knots, len(edges_hz)))

    def gains(position: np.ndarray, hz: np.ndarray) -> np.ndarray:
        in_time = np.stack([np.interp(position, np.linspace(0, 1, n_knots), knots) for knots in field_db.T], axis=1)
        place = np.interp(np.log(np.maximum(hz, 1)), np.log(edges_hz), np.arange(len(edges_hz)))
        hats = np.maximum(0, 1 - np.abs(place[None, :] - np.arange(len(edges_hz))[:, None]))
        return 10.0 ** (in_time @ hats / 20.0)

    return filter_frames(samples, sample_rate, gains, 0.03)


def ring(
    excitation: np.ndarray, sample_rate: int, hz: Sequence[float], decay_s: Sequence[float], amplitude: Sequence[float]
) -> np.ndarray:
    """Bank of M damped resonators driven by `excitation` (N,): modal synthesis of struck objects.

    A mode rings at `hz`, falls by 1/e every `decay_s` and peaks at about `amplitude` for a unit impulse.
    """
    out = np.zeros(len(excitation))
    for frequency, decay, level in zip(hz, decay_s, amplitude, strict=True):
        if 15 < frequency < 0.47 * sample_rate:
            angle, radius = 2 * np.pi * frequency / sample_rate, np.exp(-1.0 / (decay * sample_rate))
            out += level * lfilter([0.0, np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], excitation)
    return out


def impulse(n: int) -> np.ndarray:
    """Unit impulse at sample 0, shape (N,)."""
    samples = np.zeros(n)
    samples[0] = 1.0
    return samples


def sparse(rng: Rng, n: int, sample_rate: int, rate_hz: float, spread_db: float = 8.0) -> np.ndarray:
    """Poisson train (N,) of impulses, `rate_hz` a second on average, with log-normal heights and random signs."""
    train = np.zeros(n)
    n_events = rng.poisson(max(rate_hz, 0.0) * n / sample_rate)
    heights = 10.0 ** (spread_db * rng.standard_normal(n_events) / 20.0) * rng.choice([-1.0, 1.0], n_events)
    np.add.at(train, rng.integers(0, n, n_events), heights)
    return train


def spread(train: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Put a copy of `kernel` at every impulse of `train`; same length as `train`."""
    return oaconvolve(train, kernel)[: len(train)]


def unit_rms(samples: np.ndarray) -> np.ndarray:
    """`samples` scaled to RMS 1 (all zeros stay zeros)."""
    return samples / (np.sqrt(np.mean(samples**2)) + 1e-12)


def unit_peak(samples: np.ndarray) -> np.ndarray:
    """`samples` scaled to a largest absolute value of 1 (all zeros stay zeros)."""
    return samples / (np.max(np.abs(samples), initial=0.0) + 1e-12)


def repeat(
    rng: Rng,
    sample_rate: int,
    duration_s: float,
    one: Callable[[int], np.ndarray],
    n_times: int,
    gap_s: tuple[float, float],
) -> np.ndarray:
    """Up to `n_times` renderings of `one(index)`, random gaps between them, cut to at most `duration_s`."""
    out = np.zeros(count(duration_s, sample_rate))
    position = end = 0
    for index in range(n_times):
        piece = one(index)
        if index > 0 and position + len(piece) > len(out):
            break
        add_at(out, piece, position)
        end = min(position + len(piece), len(out))
        position += len(piece) + count(log_uniform(rng, *gap_s), sample_rate)
    return fade(out[:end], sample_rate, 0.003)
