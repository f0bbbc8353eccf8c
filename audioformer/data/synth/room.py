"""Recording conditions laid over dry sources: room, distance, microphone, background noise, level. N samples."""

from __future__ import annotations

import numpy as np
from scipy.signal import oaconvolve

from audioformer.data.synth.dsp import Rng, band, count, equalise, log_uniform, shaped_noise, smooth_random


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
    low_hz = log_uniform(rng, 12, 110)
    bass, treble = rng.normal(0, 3.0), rng.normal(0, 3.5)
    hz = (max(2.2 * low_hz, 150.0), 400.0, 800.0, 1500.0, 2600.0, 4200.0, 6500.0, 11500.0)
    ideal = np.interp(np.log(hz), np.log([150, 1000, 11500]), [bass, 0.0, treble])
    bumps = rng.uniform(0.5, 3.0) * rng.standard_normal(len(hz))
    points = [(0.25 * low_hz, bass - 20.0), (low_hz, bass - 2.0), *zip(hz, ideal + bumps, strict=True)]
    if rng.random() < 0.22:
        edge_hz = log_uniform(rng, 3500, 11000)
        kept = [point for point in points if point[0] < 0.9 * edge_hz]
        points = [*kept, (edge_hz, kept[-1][1]), (1.3 * edge_hz, kept[-1][1] - rng.uniform(10, 45))]
    return points


def background(rng: Rng, n: int, sample_rate: int) -> np.ndarray:
    """Room tone or outdoor hush (N,), unit RMS: falling noise, preamplifier hiss, at times mains hum."""
    bass, middle, hiss = rng.uniform(-6, 10), rng.uniform(-26, -6), rng.uniform(-40, -8)
    noise = shaped_noise(
        rng, n, sample_rate, [(20, bass), (100, 0), (1000, middle), (4000, hiss), (11000, hiss + rng.uniform(-6, 3))]
    )
    noise *= np.exp(rng.uniform(0.05, 0.7) * smooth_random(rng, n, sample_rate, log_uniform(rng, 0.3, 4)))
    if rng.random() < 0.3:  # wind on the microphone, handling, traffic far off
        gust = shaped_noise(rng, n, sample_rate, [(20, 3), (80, 0), (300, -20), (2000, -60)])
        noise += rng.uniform(0.3, 3) * gust * np.exp(1.2 * smooth_random(rng, n, sample_rate, 3) - 0.7)
    if rng.random() < 0.25:
        mains = float(rng.choice([50.0, 60.0]))
        phase = 2 * np.pi * mains * np.arange(n) / sample_rate
        noise += rng.uniform(0.1, 0.8) * (
            np.sin(phase) + rng.uniform(0, 1) * np.sin(2 * phase) + rng.uniform(0, 0.6) * np.sin(3 * phase)
        )
    return noise / np.sqrt(np.mean(noise**2))


def far_away(rng: Rng, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Distance: air and obstacles take the treble, up to 12 dB at 8 kHz."""
    loss = rng.uniform(0, 1) ** 2
    return equalise(samples, sample_rate, [(100, 0), (1000, -2 * loss), (8000, -12 * loss)])
