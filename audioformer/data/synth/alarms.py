"""Alarms: tones switched or swept by simple electronics or struck by a clapper."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    breakpoints,
    count,
    equalise,
    fade,
    log_uniform,
    pulses,
    repeat,
    ring,
    smooth_random,
    unit_rms,
)


def siren(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Emergency siren: one strong tone that wails (slow sweep), yelps (fast sweep) or steps between two pitches."""
    n = count(duration_s, sample_rate)
    low = log_uniform(rng, 350, 800)
    high = low * rng.uniform(1.25, 2.6)
    kind = rng.integers(3)
    rate = (log_uniform(rng, 0.1, 0.5), log_uniform(rng, 2, 5), log_uniform(rng, 0.4, 1.5))[kind]
    phase = np.arange(n) / sample_rate * rate + rng.uniform(0, 1)
    sweep = (phase % 1.0 > 0.5).astype(float) if kind == 2 else 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    doppler = breakpoints([(0, rng.uniform(1.0, 1.05)), (rng.uniform(0.3, 0.7), 1), (1, rng.uniform(0.94, 1))], n)
    f0 = low * (high / low) ** sweep * doppler
    horn = equalise(
        pulses(rng, f0, sample_rate, rng.uniform(4, 9), 0.001),
        sample_rate,
        [(300, -10), (1000, 0), (3000, -4), (9000, -24)],
    )
    return horn * np.exp(0.4 * smooth_random(rng, n, sample_rate, 0.5))


def alarm_clock(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Electronic beeps: a square-like 1-4 kHz buzzer in groups of one to four beeps, exact rhythm."""
    hz, beep_s, tilt = log_uniform(rng, 900, 4000), log_uniform(rng, 0.04, 0.4), rng.uniform(3, 20)
    n_group, gap_s, rest_s = int(rng.integers(1, 5)), beep_s * rng.uniform(0.5, 1.2), rng.uniform(0.15, 0.7)
    n_beep = count(beep_s, sample_rate)
    beep = fade(pulses(rng, np.full(n_beep, hz), sample_rate, tilt, 0.0), sample_rate, 0.003)
    group = np.concatenate([part for _ in range(n_group) for part in (beep, np.zeros(count(gap_s, sample_rate)))])
    return repeat(rng, sample_rate, duration_s, lambda _: group, 100, (rest_s, 1.0001 * rest_s))


def telephone_ring(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Telephone: a clapper strikes two bells 20-30 times a second, or an electronic warble of two tones.

    On, off, on.
    """
    n = count(rng.uniform(0.4, 2.0), sample_rate)
    rate = rng.uniform(16, 30)
    if rng.random() < 0.6:
        blows = np.zeros(n)
        blows[(np.arange(0, n / sample_rate, 1 / rate) * sample_rate).astype(int)] = 1.0
        base = log_uniform(rng, 900, 1800)
        hz = base * np.array([1, 1.25, 2.3, 2.9, 4.1, 5.2])
        burst = ring(blows, sample_rate, hz, [0.25, 0.22, 0.15, 0.12, 0.08, 0.06], rng.uniform(0.3, 1, 6))
    else:
        low = log_uniform(rng, 600, 1800)
        f0 = np.where(np.arange(n) / sample_rate * rate % 1 < 0.5, low, low * rng.uniform(1.15, 1.5))
        burst = pulses(rng, f0, sample_rate, rng.uniform(5, 12), 0.0)
    gap = rng.uniform(0.2, 1.5)
    return repeat(rng, sample_rate, duration_s, lambda _: fade(burst, sample_rate, 0.01), 20, (gap, 1.001 * gap))


def car_horn(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Car horn: two reedy discs a third apart near 400-500 Hz, rich in harmonics; one long or several short blasts."""
    low = log_uniform(rng, 300, 520)
    high = low * rng.choice([1.19, 1.26, 1.33])
    short = rng.random() < 0.6
    tilt = rng.uniform(2, 5)

    def blast(_: int) -> np.ndarray:
        n = count(rng.uniform(0.12, 0.4) if short else rng.uniform(0.6, 2.5), sample_rate)
        discs = pulses(rng, np.full(n, low), sample_rate, tilt, 0.001) + pulses(
            rng, np.full(n, high), sample_rate, tilt, 0.001
        )
        horn = equalise(discs, sample_rate, [(200, -10), (500, 0), (2500, 3), (5000, -10), (11000, -30)])
        return fade(unit_rms(horn), sample_rate, 0.015)

    return repeat(
        rng, sample_rate, duration_s, blast, int(rng.integers(2, 8) if short else rng.integers(1, 3)), (0.06, 0.8)
    )


def train_horn(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Train horn: a chord of three to five air chimes, 250-700 Hz, with a soft start and a sagging end."""
    root = log_uniform(rng, 230, 380)
    chord = root * np.array([1, 1.19, 1.5, 1.68, 2.0])[: rng.integers(3, 6)]

    def blast(_: int) -> np.ndarray:
        n = count(rng.uniform(0.5, 2.5), sample_rate)
        bend = breakpoints([(0, 0.96), (0.08, 1), (0.9, 1), (1, 0.95)], n)
        chimes = sum(pulses(rng, hz * bend, sample_rate, rng.uniform(4, 8), 0.001) for hz in chord)
        return chimes * breakpoints([(0, 0), (0.1, 1), (0.85, 0.9), (1, 0)], n)

    return repeat(rng, sample_rate, duration_s, blast, int(rng.integers(1, 4)), (0.2, 1.0))
