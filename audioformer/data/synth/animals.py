"""Animals with a larynx: pulse train and tract, as in `voices`, with their own pitch, length and rhythm."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    attack_decay,
    band,
    breakpoints,
    count,
    log_uniform,
    pulses,
    repeat,
    shaped_noise,
    smooth_random,
    unit_rms,
)
from audioformer.data.synth.voices import breath, tract


def dog(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Barks: bursts of 0.08-0.3 s, pitch jumps up and falls, one broad resonance of the muzzle, rough and noisy."""
    body = log_uniform(rng, 0.6, 1.7)  # small dogs: high pitch, high resonance
    pitch = 460.0 * body**0.8 * log_uniform(rng, 0.75, 1.35)
    muzzle = log_uniform(rng, 560, 1050) * body**0.6
    length_s = log_uniform(rng, 0.08, 0.3) * rng.choice([1.0, 1.0, 1.0, 2.2]) / body**0.3
    rough = log_uniform(rng, 0.05, 0.9)
    falloff = rng.uniform(5, 13)
    puff = log_uniform(rng, 0.003, 0.1)  # air that moves the microphone
    in_pairs = rng.random() < 0.25

    def bark(_: int) -> np.ndarray:
        n = count(length_s * rng.uniform(0.7, 1.4), sample_rate)
        f0 = pitch * breakpoints([(0, 0.6), (0.2, rng.uniform(1.0, 1.2)), (0.5, 1.0), (1, rng.uniform(0.5, 0.75))], n)
        source = pulses(rng, f0, sample_rate, rng.uniform(5, 9), 0.04) + rough * breath(rng, n, sample_rate)
        jaw = muzzle * rng.uniform(0.92, 1.08)
        path = [
            (0, [0.7 * jaw, 1.7 * jaw, 3000.0]),
            (0.35, [1.1 * jaw, 2.2 * jaw, 3300.0]),
            (1, [0.7 * jaw, 1.6 * jaw, 2900.0]),
        ]
        voice = unit_rms(tract(source, sample_rate, path, 0.28, falloff, 0.006))
        voice = band(voice, sample_rate, 0.75 * pitch)  # a small mouth radiates little bass
        voice += puff * shaped_noise(rng, n, sample_rate, [(30, 0), (150, -3), (400, -20), (4000, -26), (11000, -30)])
        voice *= attack_decay(n, sample_rate, rng.uniform(0.008, 0.03), 0.45 * n / sample_rate)
        voice *= breakpoints([(0, 1), (0.75, 1), (1, 0)], n) * rng.uniform(0.6, 1.0)
        if in_pairs:
            return np.concatenate(
                [voice, np.zeros(count(rng.uniform(0.04, 0.12), sample_rate)), voice * rng.uniform(0.5, 1)]
            )
        return voice

    gap = log_uniform(rng, 0.1, 1.0)
    n_times = int(rng.choice([1, 2, 3, 5, 9, 16], p=[0.22, 0.14, 0.1, 0.16, 0.2, 0.18]))
    return repeat(rng, sample_rate, duration_s, bark, n_times, (0.7 * gap, 1.5 * gap))


def rooster(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Cock-a-doodle-doo: three or four short arching notes, then one long note that sags.

    Near-pure strong harmonics.
    """
    pitch = log_uniform(rng, 460, 980)
    gape = log_uniform(rng, 1200, 2300)
    tilt, rough, falloff = rng.uniform(1, 9), log_uniform(rng, 0.005, 0.3), rng.uniform(6, 16)
    stretch = log_uniform(rng, 0.8, 1.3)

    def note(length_s: float, height: float, sag: float, level: float) -> np.ndarray:
        n = count(length_s * stretch * rng.uniform(0.85, 1.15), sample_rate)
        f0 = (
            pitch
            * height
            * breakpoints([(0, 0.75), (0.15, 1), (0.5, rng.uniform(0.98, 1.06)), (0.8, 1 - 0.4 * sag), (1, 1 - sag)], n)
        )
        f0 *= 1 + 0.008 * smooth_random(rng, n, sample_rate, 20)
        source = pulses(rng, f0, sample_rate, tilt, 0.01) + rough * breath(rng, n, sample_rate)
        path = [
            (0, [0.75 * gape, 2.0 * gape, 4200.0]),
            (0.4, [gape, 2.1 * gape, 4400.0]),
            (1, [0.8 * gape, 1.9 * gape, 4000.0]),
        ]
        voice = unit_rms(tract(source, sample_rate, path, 0.3, falloff, 0.006))
        edge, hold = (0.03, 0.75) if length_s < 0.4 else (0.08, rng.uniform(0.6, 0.95))
        return level * voice * breakpoints([(0, 0), (edge, 1), (hold, 0.9), (1, 0)], n)

    def crow(_: int) -> np.ndarray:
        notes = [
            note(rng.uniform(0.1, 0.2), rng.uniform(0.65, 0.9), 0.1, rng.uniform(0.3, 0.8))
            for _ in range(rng.integers(0, 4))
        ]
        notes.append(note(rng.uniform(0.18, 0.4), rng.uniform(0.95, 1.15), 0.12, 1.0))
        notes.append(
            note(log_uniform(rng, 0.5, 1.7), rng.uniform(0.95, 1.1), rng.uniform(0.02, 0.35), rng.uniform(0.8, 1.0))
        )
        gap = np.zeros(count(rng.uniform(0.0, 0.07) ** rng.uniform(1, 2), sample_rate))
        return np.concatenate([part for item in notes for part in (item, gap)])

    n_times = 1 if rng.random() < 0.85 else 2
    return repeat(rng, sample_rate, duration_s, crow, n_times, (0.4, 1.5))


def _call(
    rng: Rng,
    sample_rate: int,
    length_s: float,
    melody: list,
    path: list,
    tilt_db: float,
    air: float,
    width: float = 0.15,
    jitter: float = 0.015,
    falloff_db: float = 5.0,
) -> np.ndarray:
    n = count(length_s, sample_rate)
    source = pulses(rng, breakpoints(melody, n), sample_rate, tilt_db, jitter) + air * breath(rng, n, sample_rate)
    voice = unit_rms(tract(source, sample_rate, path, width, falloff_db))
    return voice * breakpoints([(0, 0), (0.12, 1), (0.7, 0.8), (1, 0)], n)


def cat_meow(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Meow: a gliding pitch of 400-900 Hz while the mouth opens and closes, i - a - u, which sweeps the formants."""
    pitch, size = log_uniform(rng, 380, 850), log_uniform(rng, 0.85, 1.25)

    def meow(_: int) -> np.ndarray:
        p = pitch * rng.uniform(0.9, 1.1)
        melody = [(0, 0.8 * p), (0.3, 1.15 * p), (0.6, 1.1 * p), (1, rng.uniform(0.6, 0.9) * p)]
        path = [
            (0, [500 * size, 2600 * size, 4500.0]),
            (0.45, [1300 * size, 2400 * size, 4800.0]),
            (1, [600 * size, 1300 * size, 4000.0]),
        ]
        return _call(rng, sample_rate, log_uniform(rng, 0.35, 1.2), melody, path, rng.uniform(4, 8), 0.08)

    return repeat(rng, sample_rate, duration_s, meow, int(rng.integers(1, 6)), (0.2, 1.2))


def cow(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Moo: 1-2.5 s at 80-200 Hz, from a closed hum to an open low vowel."""
    pitch, size = log_uniform(rng, 80, 190), log_uniform(rng, 0.7, 1.0)

    def moo(_: int) -> np.ndarray:
        p = pitch * rng.uniform(0.92, 1.08)
        melody = [(0, 0.85 * p), (0.3, 1.1 * p), (0.7, rng.uniform(1.0, 1.3) * p), (1, 0.8 * p)]
        path = [
            (0, [250 * size, 700 * size, 2000.0]),
            (0.4, [450 * size, 900 * size, 2100.0]),
            (1, [550 * size, 1000 * size, 2200.0]),
        ]
        return _call(rng, sample_rate, rng.uniform(0.9, 2.5), melody, path, rng.uniform(6, 10), 0.06, 0.2)

    return repeat(rng, sample_rate, duration_s, moo, int(rng.integers(1, 4)), (0.3, 1.5))


def crow(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Caw: harsh 0.2-0.45 s calls.

    A 400-600 Hz pulse train with strong jitter under one broad resonance near 1.5 kHz.
    """
    pitch, beak, length_s = log_uniform(rng, 350, 600), log_uniform(rng, 1200, 1900), rng.uniform(0.18, 0.45)

    def caw(_: int) -> np.ndarray:
        p = pitch * rng.uniform(0.95, 1.05)
        melody = [(0, 0.85 * p), (0.25, p), (1, 0.8 * p)]
        path = [(0, [0.85 * beak, 2.0 * beak]), (0.3, [beak, 2.1 * beak]), (1, [0.85 * beak, 1.9 * beak])]
        return _call(rng, sample_rate, length_s * rng.uniform(0.85, 1.15), melody, path, 3.0, 0.7, 0.5, 0.12, 8.0)

    return repeat(rng, sample_rate, duration_s, caw, int(rng.integers(1, 8)), (0.15, 0.9))


def sheep(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Baa: a nasal vowel whose loudness and pitch tremble 6-12 times a second."""
    pitch, tremble, size = log_uniform(rng, 130, 420), rng.uniform(6, 12), log_uniform(rng, 0.9, 1.3)

    def baa(_: int) -> np.ndarray:
        n = count(rng.uniform(0.5, 1.4), sample_rate)
        wave = np.sin(2 * np.pi * tremble * np.arange(n) / sample_rate)
        f0 = pitch * breakpoints([(0, 0.95), (0.3, 1.05), (1, 0.85)], n) * (1 + 0.04 * wave)
        source = pulses(rng, f0, sample_rate, 4.0, 0.02) + 0.15 * breath(rng, n, sample_rate)
        path = [
            (0, [500 * size, 1500 * size, 2600.0]),
            (0.2, [750 * size, 1700 * size, 2700.0]),
            (1, [700 * size, 1600 * size, 2600.0]),
        ]
        voice = unit_rms(tract(source, sample_rate, path, 0.12, 4.0)) * (1 + 0.5 * wave)
        return voice * breakpoints([(0, 0), (0.1, 1), (0.7, 0.8), (1, 0)], n)

    return repeat(rng, sample_rate, duration_s, baa, int(rng.integers(1, 5)), (0.3, 1.4))
