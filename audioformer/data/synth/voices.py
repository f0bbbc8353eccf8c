"""Human voices: source-filter synthesis. N samples, F frames, R resonances.

A voice is a pulse train (the vocal folds) plus breath noise, filtered by resonances that move (the vocal tract;
Fant 1960). Every source here and in the sister modules is called as `source(rng, sample_rate, duration_s)` and
returns (n,) float64 with n <= duration_s * sample_rate: a texture fills the time, an event may end sooner.
"""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    attack_decay,
    band,
    breakpoints,
    count,
    fade,
    filter_frames,
    formant_gain,
    log_uniform,
    pulses,
    repeat,
    shaped_noise,
    smooth_random,
    unit_peak,
    unit_rms,
)

VOWELS_HZ = {  # first three formants of an adult male voice, rounded from Peterson & Barney 1952
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "ae": (660, 1720, 2410),
    "er": (490, 1350, 1690),
}


def tract(
    samples: np.ndarray,
    sample_rate: int,
    path: list[tuple[float, list[float]]],
    width: float = 0.1,
    falloff_db: float = 5.0,
    floor: float = 0.01,
) -> np.ndarray:
    """Filter (N,) samples by a vocal tract whose resonances follow a path.

    Args:
        samples: (N,) source.
        sample_rate: Hz.
        path: `(position 0..1, [formant Hz, ...])` with the same number of formants at every point.
        width: bandwidth as a fraction of the formant frequency (never under 60 Hz).
        falloff_db: each next formant is this much weaker.
        floor: response between the formants.

    Returns:
        (N,) filtered samples.
    """
    at = [position for position, _ in path]
    table = np.array([formants for _, formants in path])
    amplitude = 10.0 ** (-falloff_db * np.arange(table.shape[1]) / 20.0)

    def gains(position: np.ndarray, hz: np.ndarray) -> np.ndarray:
        centre = np.stack([np.interp(position, at, column) for column in table.T], axis=1)
        formants = np.stack(
            [centre, np.maximum(60.0, width * centre), np.broadcast_to(amplitude, centre.shape)], axis=2
        )
        return formant_gain(hz, formants, floor)

    return filter_frames(samples, sample_rate, gains)


def breath(rng: Rng, n: int, sample_rate: int) -> np.ndarray:
    """Turbulent air (N,), unit RMS, brighter than the voice."""
    return shaped_noise(rng, n, sample_rate, [(80, -30), (600, -4), (3000, 0), (12000, -9)])


def speech_vowels(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Babble of vowel syllables with fricatives: falling sentence melody, moving formants, pauses between phrases."""
    size = log_uniform(rng, 0.95, 1.35)  # tract length: men to children
    pitch = 115.0 * size**2.6 * log_uniform(rng, 0.8, 1.3)
    names = list(VOWELS_HZ)
    airy = rng.uniform(0.02, 0.15)

    def syllable(_: int) -> np.ndarray:
        n = count(rng.uniform(0.1, 0.32), sample_rate)
        melody = pitch * breakpoints(
            [(0, rng.uniform(0.9, 1.25)), (0.5, rng.uniform(0.9, 1.3)), (1, rng.uniform(0.75, 1))], n
        )
        source = pulses(rng, melody, sample_rate, 8.0) + airy * breath(rng, n, sample_rate)
        ends = [[size * f for f in VOWELS_HZ[names[rng.integers(len(names))]]] + [3500 * size] for _ in range(2)]
        voice = tract(source, sample_rate, [(0, ends[0]), (0.3, ends[0]), (1, ends[1])])
        voice = unit_rms(voice) * np.sin(np.pi * np.linspace(0, 1, n)) ** 0.5 * rng.uniform(0.5, 1)
        if rng.random() < 0.5:  # a fricative in front
            hiss = band(
                rng.standard_normal(count(rng.uniform(0.04, 0.12), sample_rate)), sample_rate, rng.uniform(1500, 5000)
            )
            voice = np.concatenate([fade(unit_rms(hiss) * rng.uniform(0.1, 0.4), sample_rate, 0.02), voice])
        return voice

    gap = (0.005, 0.12) if rng.random() < 0.7 else (0.01, 0.5)
    return repeat(rng, sample_rate, duration_s, syllable, int(rng.integers(4, 24)), gap)


def whisper(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Syllables without vocal folds: breath noise through vowel resonances."""
    size = log_uniform(rng, 1.0, 1.3)
    names = list(VOWELS_HZ)

    def syllable(_: int) -> np.ndarray:
        n = count(rng.uniform(0.09, 0.3), sample_rate)
        ends = [[size * f for f in VOWELS_HZ[names[rng.integers(len(names))]]] + [3600 * size] for _ in range(2)]
        voice = tract(breath(rng, n, sample_rate), sample_rate, [(0, ends[0]), (1, ends[1])], 0.16, 1.0, 0.08)
        return unit_rms(voice) * np.sin(np.pi * np.linspace(0, 1, n)) ** 0.7 * rng.uniform(0.3, 1)

    return repeat(rng, sample_rate, duration_s, syllable, int(rng.integers(4, 22)), (0.01, 0.2))


def laughter(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Ha-ha-ha: a breathy vowel chopped 3 to 7 times a second, pitch and loudness sinking through each bout."""
    size = log_uniform(rng, 0.95, 1.4)
    pitch = log_uniform(rng, 150, 420)
    period_s = rng.uniform(0.14, 0.3)
    formants = [size * f for f in VOWELS_HZ[("a", "ae", "e", "o")[rng.integers(4)]]] + [3500 * size]

    def bout(_: int) -> np.ndarray:
        n_calls = int(rng.integers(3, 11))

        def call(index: int) -> np.ndarray:
            n = count(period_s * rng.uniform(0.5, 0.75), sample_rate)
            sink = 1.0 - 0.35 * index / n_calls
            f0 = pitch * sink * breakpoints([(0, 1.1), (0.3, rng.uniform(1.1, 1.4)), (1, 0.85)], n)
            puff = breath(rng, n, sample_rate) * breakpoints([(0, 0.8), (0.35, 0.25), (1, 0.5)], n)
            voice = tract(pulses(rng, f0, sample_rate, 8.0, 0.02) + puff, sample_rate, [(0, formants), (1, formants)])
            return unit_rms(voice) * np.sin(np.pi * np.linspace(0, 1, n)) * sink

        return repeat(rng, sample_rate, 4.0, call, n_calls, (0.25 * period_s, 0.45 * period_s))

    return repeat(rng, sample_rate, duration_s, bout, int(rng.integers(1, 4)), (0.2, 0.8))


def crying_baby(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Wails on each out-breath: pitch arches at 300-600 Hz, strained rich harmonics, a gasp of air between them."""
    pitch = log_uniform(rng, 300, 560)
    open_hz = log_uniform(rng, 850, 1500)
    bright = rng.uniform(-4, 10)
    long_s = log_uniform(rng, 0.45, 1.3)
    harsh = rng.uniform(0.02, 0.3)
    gasps = rng.random() < 0.75

    def wail(_: int) -> np.ndarray:
        n = count(long_s * rng.uniform(0.6, 1.4), sample_rate)
        top = rng.uniform(1.02, 1.3)
        f0 = pitch * breakpoints(
            [(0, rng.uniform(0.75, 1)), (0.15, top), (0.6, top * rng.uniform(0.9, 1.02)), (1, 0.75)], n
        )
        f0 *= 1 + 0.03 * smooth_random(rng, n, sample_rate, 7)
        source = pulses(rng, f0, sample_rate, rng.uniform(3, 6), 0.02) + harsh * breath(rng, n, sample_rate)
        path = [
            (0, [0.7 * open_hz, 2300, 3600, 6000]),
            (0.2, [open_hz, 2700, 3900, 6300]),
            (1, [0.8 * open_hz, 2500, 3700, 6000]),
        ]
        voice = tract(source, sample_rate, path, 0.2, 5.0 - bright / 2, 0.06)
        voice = unit_rms(voice) * breakpoints([(0, 0), (0.08, 1), (0.7, 0.9), (1, 0)], n) ** 1.2
        voice *= 1 + 0.15 * smooth_random(rng, n, sample_rate, 12)
        if not gasps:
            return voice
        hush = np.zeros(count(rng.uniform(0.05, 0.2), sample_rate))
        n_in = count(rng.uniform(0.12, 0.35), sample_rate)
        gasp = tract(
            breath(rng, n_in, sample_rate), sample_rate, [(0, [1500, 3000, 5000]), (1, [1900, 3400, 5600])], 0.3, 0, 0.1
        )
        gasp = unit_rms(gasp) * np.sin(np.pi * np.linspace(0, 1, n_in)) * rng.uniform(0.03, 0.25)
        return np.concatenate([voice, hush, gasp])

    return repeat(rng, sample_rate, duration_s, wail, int(rng.integers(2, 9)), (0.05, 0.5))


def _sneeze(rng: Rng, sample_rate: int, size: float, voiced: float) -> np.ndarray:
    n_in, n_ah, n_out = (count(rng.uniform(*span), sample_rate) for span in ((0.2, 0.9), (0.06, 0.3), (0.12, 0.55)))
    inhale = tract(
        breath(rng, n_in, sample_rate),
        sample_rate,
        [(0, [900 * size, 1700, 3500]), (1, [1300 * size, 2300, 4200])],
        0.4,
        1,
        0.1,
    )
    inhale = unit_rms(inhale) * breakpoints([(0, 0), (0.8, 1), (1, 0)], n_in) * log_uniform(rng, 0.0005, 0.08)
    f0 = log_uniform(rng, 150, 450) * breakpoints([(0, 0.8), (1, rng.uniform(0.9, 1.6))], n_ah)
    vowel = tract(
        pulses(rng, f0, sample_rate, 8) + 0.3 * breath(rng, n_ah, sample_rate),
        sample_rate,
        [(0, [700 * size, 1200 * size, 2600]), (1, [600 * size, 1700 * size, 2700])],
        0.15,
    )
    if rng.random() < 0.4:  # a-a-ah: the breath in catches
        vowel = np.concatenate(
            [fade(part, sample_rate, 0.01) for part in np.array_split(np.tile(vowel, 2), int(rng.integers(2, 4)))]
        )
        n_ah = len(vowel)
    vowel = (
        unit_rms(vowel) * np.sin(np.pi * np.linspace(0, 1, n_ah)) * voiced * rng.choice([0.0, rng.uniform(0.05, 1.0)])
    )
    low, high = rng.uniform(800, 2500), rng.uniform(2500, 6000)
    jet = shaped_noise(
        rng,
        n_out,
        sample_rate,
        [(60, -24), (250, -rng.uniform(0, 18)), (low, 0), (high, 0), (12000, -rng.uniform(3, 22))],
    )
    jet *= attack_decay(n_out, sample_rate, rng.uniform(0.004, 0.03), log_uniform(rng, 0.03, 0.16))
    jet *= np.exp(rng.uniform(0, 0.6) * smooth_random(rng, n_out, sample_rate, 40))
    f0 = log_uniform(rng, 160, 600) * breakpoints(
        [(0, 1.3), (0.2, rng.uniform(1.0, 1.4)), (1, rng.uniform(0.4, 0.8))], n_out
    )
    shout = tract(
        pulses(rng, f0, sample_rate, 6, 0.04) + 0.4 * breath(rng, n_out, sample_rate),
        sample_rate,
        [(0, [500 * size, 1900 * size, 3000, 4200]), (1, [350 * size, 1000 * size, 2500, 3800])],
        0.15,
        3,
    )
    shout = unit_rms(shout) * attack_decay(n_out, sample_rate, 0.01, log_uniform(rng, 0.05, 0.2))
    pause = np.zeros(count(rng.choice([0.0, rng.uniform(0.0, 0.25)]), sample_rate))
    return np.concatenate([inhale, vowel, pause, jet + voiced * log_uniform(rng, 0.1, 4.0) * shout])


def sneezing(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Ah-choo: a slow breath in, sometimes a voiced ah, then one hissing jet of air that dies within 0.3 s."""
    size, voiced = log_uniform(rng, 0.9, 1.4), float(rng.random() < 0.75)
    n_times = 1 if rng.random() < 0.72 else 2
    return unit_peak(
        repeat(rng, sample_rate, duration_s, lambda _: _sneeze(rng, sample_rate, size, voiced), n_times, (0.1, 1.0))
    )
