"""Small animals: whistles, stridulation and croaks, made from tones with amplitude and frequency modulation."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    add_at,
    attack_decay,
    breakpoints,
    count,
    log_uniform,
    repeat,
    ring,
    smooth_random,
)


def _whistle(sample_rate: int, length_s: float, hz: list, second: float) -> np.ndarray:
    n = count(length_s, sample_rate)
    f0 = np.minimum(breakpoints(hz, n), 0.45 * sample_rate)
    phase = 2 * np.pi * np.cumsum(f0) / sample_rate
    tone = np.sin(phase) + second * np.sin(2 * phase) * (f0 < 0.22 * sample_rate)
    return tone * np.sin(np.pi * np.linspace(0, 1, n)) ** 0.6


def bird_song(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Syrinx whistles: short chirps at 2-8 kHz, each phrase repeats one frequency sweep, some with a trill."""
    centre, second = log_uniform(rng, 2000, 6000), rng.uniform(0.0, 0.3)

    def phrase(_: int) -> np.ndarray:
        base = centre * log_uniform(rng, 0.75, 1.3)
        shape = [(t, base * log_uniform(rng, 0.75, 1.35)) for t in (0.0, 0.35, 0.7, 1.0)]
        length_s = log_uniform(rng, 0.03, 0.25)
        trill = rng.random() < 0.3
        n_chirps = int(rng.integers(4, 16) if trill else rng.integers(1, 6))
        gap = (0.005, 0.02) if trill else (0.03, 0.15)
        return repeat(
            rng,
            sample_rate,
            2.0,
            lambda _: _whistle(sample_rate, length_s * (0.4 if trill else 1.0), shape, second) * rng.uniform(0.6, 1),
            n_chirps,
            gap,
        )

    return repeat(rng, sample_rate, duration_s, phrase, int(rng.integers(1, 10)), (0.08, 0.8))


def cricket(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Stridulation: a 3-6.5 kHz wing tone in pulses of about 15 ms, 2-5 pulses a chirp, chirps in an even rhythm."""
    n = count(duration_s, sample_rate)
    out = np.zeros(n)
    for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
        tone_hz, pulse_s = log_uniform(rng, 2800, 6500), rng.uniform(0.008, 0.022)
        n_pulses, chirp_s = int(rng.integers(2, 6)), rng.uniform(0.12, 0.8)
        n_pulse = count(pulse_s, sample_rate)
        pulse = np.sin(2 * np.pi * tone_hz * np.arange(n_pulse) / sample_rate) * np.sin(
            np.pi * np.linspace(0, 1, n_pulse)
        )
        level, start = rng.uniform(0.2, 1.0), rng.uniform(0, chirp_s)
        period_s = max(chirp_s, 1.3 * n_pulses * 1.4 * pulse_s)
        for chirp in np.arange(start if start < duration_s / 2 else 0.0, duration_s, period_s):
            for k in range(n_pulses):
                add_at(out, level * rng.uniform(0.8, 1) * pulse, int((chirp + 1.4 * k * pulse_s) * sample_rate))
    return out


def frog(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Croak: a train of 20-90 sound pulses a second that rings the vocal sac at 400-2500 Hz."""
    sac, rate, length_s = log_uniform(rng, 400, 2200), log_uniform(rng, 18, 90), log_uniform(rng, 0.12, 0.7)

    def croak(_: int) -> np.ndarray:
        n = count(length_s * rng.uniform(0.8, 1.2), sample_rate)
        train = np.zeros(n)
        steps = np.cumsum(sample_rate / (rate * np.linspace(0.9, 1.15, 200)) * (1 + 0.05 * rng.standard_normal(200)))
        train[steps[steps < n].astype(int)] = 1.0
        train[0] = 1.0
        shift = rng.uniform(0.95, 1.05)
        voice = ring(
            train, sample_rate, [sac * shift, 2.1 * sac * shift, 3.3 * sac], [0.012, 0.006, 0.004], [1, 0.4, 0.15]
        )
        return voice * breakpoints([(0, 0.3), (0.4, 1), (1, 0.5)], n)

    return repeat(rng, sample_rate, duration_s, croak, int(rng.integers(1, 10)), (0.1, 0.9))


def insect_buzz(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Wing beat of a fly or bee: a 100-450 Hz buzz rich in harmonics that nears and leaves as it flies about."""
    n = count(duration_s, sample_rate)
    f0 = log_uniform(rng, 100, 450) * (1 + 0.06 * smooth_random(rng, n, sample_rate, rng.uniform(1, 4)))
    phase = np.cumsum(f0) / sample_rate
    out = sum(
        np.sin(2 * np.pi * k * phase) / k ** rng.uniform(0.6, 1.3)
        for k in range(1, 13)
        if k * f0.max() < 0.45 * sample_rate
    )
    return out * np.exp(0.7 * smooth_random(rng, n, sample_rate, rng.uniform(0.4, 2)))


def woodpecker(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Drumming on a trunk: 8-20 knocks at 12-25 a second, each rings the wood for a few milliseconds."""
    rate = rng.uniform(12, 25)
    modes = [log_uniform(rng, 500, 1200), log_uniform(rng, 1200, 2600), log_uniform(rng, 2600, 5000)]
    n = count(0.06, sample_rate)
    knock = ring(
        attack_decay(n, sample_rate, 0.0005, 0.001) * rng.standard_normal(n),
        sample_rate,
        modes,
        [0.012, 0.008, 0.004],
        [1, 0.6, 0.4],
    )

    def roll(_: int) -> np.ndarray:
        n_knocks = int(rng.integers(8, 21))
        out = np.zeros(count((n_knocks + 1) / rate, sample_rate))
        for k in range(n_knocks):
            add_at(out, knock * rng.uniform(0.7, 1) * (1 - 0.5 * k / n_knocks), int(k / rate * sample_rate))
        return out

    return repeat(rng, sample_rate, duration_s, roll, int(rng.integers(1, 4)), (0.4, 1.5))
