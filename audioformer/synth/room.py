"""Recording conditions laid over dry sources: room, distance, microphone, background noise, level. N samples."""

from __future__ import annotations

import numpy as np
from scipy.signal import oaconvolve

from audioformer.synth.dsp import Rng, band, count, equalise, log_uniform, shaped_noise, smooth_random


def impulse_response(rng: Rng, sample_rate: int, wetness: float = 1.0) -> np.ndarray:
    """Random room impulse response: direct sound, a few early echoes, an exponentially decaying diffuse tail.

    The tail falls by 60 dB in the reverberation time (Sabine 1900), 0.08 to 1.2 s, faster at high frequency;
    `wetness` scales its strength, 0 leaves the direct sound alone.

    Returns:
        (n,) response whose first sample, the direct sound, is 1.
    """
    rt60_s = log_uniform(rng, 0.08, 1.2)
    n = count(0.75 * rt60_s, sample_rate)
    time_s = np.arange(n) / sample_rate
    tail = rng.standard_normal(n) * np.exp(-6.91 * time_s / rt60_s)
    tail = band(tail, sample_rate, 60, log_uniform(rng, 2000, 9000), 1)
    tail[: count(rng.uniform(0.002, 0.02), sample_rate)] = 0.0
    response = wetness * log_uniform(rng, 0.05, 0.8) * tail / (np.sqrt(np.sum(tail**2)) + 1e-9)
    for _ in range(int(rng.integers(0, 5))):  # floor, walls, ceiling
        response[int(rng.uniform(0.001, 0.03) * sample_rate) % n] += wetness * rng.uniform(-0.4, 0.4)
    response[0] = 1.0
    return response


def reverberate(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """`samples` (N,) heard in the room: convolution, with the tail kept, shape (N + len(response) - 1,)."""
    return oaconvolve(samples, response)


def microphone(rng: Rng) -> list[tuple[float, float]]:
    """Random response of microphone, recorder and lossy file: low cut, gentle tone, a high edge anywhere from 3 kHz up.

    Returns:
        `(hz, db)` points for `dsp.equalise`.
    """
    low_hz = log_uniform(rng, 20, 160)
    bass, treble = rng.normal(0, 3.0), rng.normal(-1, 4.0)
    points = [(0.25 * low_hz, -24.0), (low_hz, 0.5 * bass - 2), (max(2.2 * low_hz, 250), bass), (1000, rng.normal(0, 1.5)),
              (2600, 0.5 * treble + rng.normal(0, 1.5)), (5500, treble)]
    if rng.random() < 0.35:
        edge_hz = log_uniform(rng, 3500, 11000)
        points = [point for point in points if point[0] < 0.9 * edge_hz] + [(edge_hz, treble), (1.25 * edge_hz, treble - 45)]
    else:
        points.append((11500, 1.3 * treble - rng.uniform(0, 8)))
    return points


def background(rng: Rng, n: int, sample_rate: int) -> np.ndarray:
    """Room tone or outdoor hush (N,), unit RMS: falling noise, preamplifier hiss, at times mains hum."""
    bass, hiss = rng.uniform(-6, 8), rng.uniform(-40, -14)
    noise = shaped_noise(rng, n, sample_rate, [(20, bass), (100, 0), (1000, -14 - rng.uniform(-6, 8)), (4000, hiss), (11000, hiss + rng.uniform(-6, 3))])
    noise *= 1 + 0.1 * smooth_random(rng, n, sample_rate, 2)
    if rng.random() < 0.25:
        mains = float(rng.choice([50.0, 60.0]))
        phase = 2 * np.pi * mains * np.arange(n) / sample_rate
        noise += rng.uniform(0.1, 0.8) * (np.sin(phase) + rng.uniform(0, 1) * np.sin(2 * phase) + rng.uniform(0, 0.6) * np.sin(3 * phase))
    return noise / np.sqrt(np.mean(noise**2))


def far_away(rng: Rng, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Distance: air and obstacles take the treble, up to 12 dB at 8 kHz."""
    loss = rng.uniform(0, 1) ** 2
    return equalise(samples, sample_rate, [(100, 0), (1000, -2 * loss), (8000, -12 * loss)])
