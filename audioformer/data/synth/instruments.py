"""Instruments: Karplus-Strong strings, stretched partials for the piano, modes for bells and drums, jets for flutes."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from audioformer.data.synth.dsp import (
    Rng,
    add_at,
    attack_decay,
    band,
    breakpoints,
    count,
    equalise,
    fade,
    impulse,
    log_uniform,
    pulses,
    ring,
    shaped_noise,
    smooth_random,
    unit_peak,
    unit_rms,
)

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))  # semitones


def melody(
    rng: Rng, duration_s: float, low_hz: float, high_hz: float, chords: float = 0.3
) -> list[tuple[float, float, float]]:
    """Random tune as `(start_s, length_s, hz)` notes on one scale, with chords now and then."""
    scale = SCALES[rng.integers(len(SCALES))]
    root = log_uniform(rng, low_hz, 0.5 * high_hz)
    beat_s, at, step, notes = log_uniform(rng, 0.12, 0.5), 0.0, int(rng.integers(0, 7)), []
    while at < duration_s - 0.05:
        step = int(np.clip(step + rng.integers(-3, 4), 0, 9))
        length_s = beat_s * float(rng.choice([1, 1, 2, 3]))
        for offset in (0, 2, 4) if rng.random() < chords else (0,):
            degree = step + offset
            hz = root * 2.0 ** ((scale[degree % len(scale)] + 12 * (degree // len(scale))) / 12)
            notes.append((at, length_s, hz if hz < 1.3 * high_hz else hz / 2))
        at += length_s
    return notes


def _play(rng: Rng, sample_rate: int, duration_s: float, notes: list, tone) -> np.ndarray:  # noqa: ANN001
    """Mix `tone(hz, length_s)` for every note into (N,) samples."""
    out = np.zeros(count(duration_s, sample_rate))
    for start_s, length_s, hz in notes:
        add_at(out, tone(hz, length_s) * rng.uniform(0.5, 1.0), int(start_s * sample_rate))
    return fade(out, sample_rate, 0.02)


def piano(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Struck strings: partials k*f0*sqrt(1 + B k^2) that decay faster the higher they are, and a hammer thump."""
    bright, stiff = rng.uniform(0.6, 1.3), log_uniform(rng, 1e-4, 8e-4)

    def tone(hz: float, length_s: float) -> np.ndarray:
        n = count(min(max(2 * length_s, 0.6), 2.5), sample_rate)
        k = np.arange(1, 13)
        partials = hz * k * np.sqrt(1 + stiff * k**2)
        strike = impulse(n)
        strings = ring(
            strike,
            sample_rate,
            partials,
            1.2 * (220 / hz) ** 0.4 / k**0.7,
            np.sin(np.pi * k / 7.3) ** 2 / k**bright + 0.02 / k,
        )
        hammer = band(rng.standard_normal(n) * attack_decay(n, sample_rate, 0.001, 0.012), sample_rate, 80, 1500)
        return fade(strings + 0.05 * hammer, sample_rate, 0.003)

    return _play(rng, sample_rate, duration_s, melody(rng, duration_s, 90, 1200, 0.35), tone)


def plucked_string(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Guitar, harp or banjo: Karplus & Strong 1983, a noise burst round a delay loop that averages neighbours."""
    loss, dull = rng.uniform(0.985, 0.998), rng.uniform(0.1, 0.5)
    bite = log_uniform(rng, 1500, 9000)

    def tone(hz: float, length_s: float) -> np.ndarray:
        n = count(min(max(2.5 * length_s, 0.5), 2.0), sample_rate)
        delay = max(2, int(sample_rate / hz - dull))
        pluck = np.zeros(n)
        pluck[:delay] = band(rng.uniform(-1, 1, delay), sample_rate, 0, bite)[: min(delay, n)]
        loop = np.zeros(delay + 2)
        loop[0], loop[delay], loop[delay + 1] = 1.0, -loss * (1 - dull), -loss * dull
        return fade(unit_peak(lfilter([1.0], loop, pluck)), sample_rate, 0.002)

    return _play(rng, sample_rate, duration_s, melody(rng, duration_s, 90, 700, 0.25), tone)


def flute(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Air jet on a pipe: few harmonics, vibrato near 5 Hz, breath noise around the note, soft attacks."""
    vibrato, depth, air, tilt = (
        rng.uniform(4, 6.5),
        rng.uniform(0.002, 0.012),
        rng.uniform(0.02, 0.2),
        rng.uniform(9, 18),
    )

    def tone(hz: float, length_s: float) -> np.ndarray:
        n = count(length_s, sample_rate)
        time_s = np.arange(n) / sample_rate
        f0 = hz * (1 + depth * np.sin(2 * np.pi * vibrato * time_s) * np.minimum(time_s / 0.3, 1))
        noise = shaped_noise(rng, n, sample_rate, [(0.3 * hz, -20), (hz, 0), (2 * hz, -6), (min(8 * hz, 11000), -18)])
        return (pulses(rng, f0, sample_rate, tilt, 0.002) + air * noise) * breakpoints(
            [(0, 0), (0.15, 1), (0.85, 0.8), (1, 0)], n
        )

    return _play(rng, sample_rate, duration_s, melody(rng, duration_s, 260, 1600, 0.0), tone)


def violin(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Bowed string: the stick-slip sawtooth, wide vibrato, through fixed resonances of the wooden body."""
    vibrato, depth = rng.uniform(4.5, 7), rng.uniform(0.004, 0.018)
    body = [(120, -18), (280, 0), (450, 4), (700, -4), (1200, 0), (2600, 3), (4500, -8), (11000, -26)]

    def tone(hz: float, length_s: float) -> np.ndarray:
        n = count(1.3 * length_s, sample_rate)
        f0 = hz * (1 + depth * np.sin(2 * np.pi * vibrato * np.arange(n) / sample_rate))
        bowed = pulses(rng, f0, sample_rate, 6.0, 0.004) + 0.04 * rng.standard_normal(n)
        return unit_rms(equalise(bowed, sample_rate, body)) * breakpoints([(0, 0), (0.2, 1), (0.8, 0.9), (1, 0)], n)

    return _play(rng, sample_rate, duration_s, melody(rng, duration_s, 200, 1400, 0.1), tone)


def organ(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Pipe organ: steady chords, each stop adds whole harmonics; no decay, instant on and off."""
    stops = np.array([1, 2, 3, 4, 6, 8])
    levels = rng.uniform(0, 1, len(stops)) * np.array([1, 1, 0.5, 0.7, 0.3, 0.4]) + np.array([0.3, 0, 0, 0, 0, 0])

    def tone(hz: float, length_s: float) -> np.ndarray:
        n = count(length_s, sample_rate)
        phase = 2 * np.pi * hz * np.arange(n) / sample_rate
        voices = sum(
            a * np.sin(s * phase + s) for s, a in zip(stops, levels, strict=True) if s * hz < 0.45 * sample_rate
        )
        return fade(voices, sample_rate, 0.03)

    return _play(rng, sample_rate, duration_s, melody(rng, duration_s, 80, 800, 0.7), tone)


def bell(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Church or hand bell: modes at hum, prime, minor-third tierce, quint, nominal ...; each pair beats slowly."""
    prime, long_s = log_uniform(rng, 180, 1800), log_uniform(rng, 0.5, 2.5)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 2.66, 3.01, 4.1, 5.4]) * (1 + 0.01 * rng.standard_normal(10))
    decay = long_s * (0.5 / ratios) ** rng.uniform(0.5, 1.0)
    levels = rng.uniform(0.2, 1.0, 10) / ratios ** rng.uniform(0.2, 0.9)
    modes = np.concatenate([prime * ratios, prime * ratios[:5] * (1 + rng.uniform(5e-4, 3e-3, 5))])
    out = np.zeros(count(duration_s, sample_rate))
    period_s, at = log_uniform(rng, 0.4, 2.5), 0.0
    for _ in range(int(rng.integers(1, 9))):
        if at >= duration_s:
            break
        out[int(at * sample_rate)] += rng.uniform(0.6, 1.0)
        at += period_s * rng.uniform(0.97, 1.03)
    return fade(
        ring(out, sample_rate, modes, np.concatenate([decay, decay[:5]]), np.concatenate([levels, 0.6 * levels[:5]])),
        sample_rate,
        0.05,
    )


def _drums(rng: Rng, sample_rate: int) -> dict[str, np.ndarray]:
    n = count(0.35, sample_rate)
    time_s = np.arange(n) / sample_rate
    kick_hz = rng.uniform(45, 70)
    kick = np.sin(
        2 * np.pi * np.cumsum(kick_hz * (1 + rng.uniform(1.5, 4) * np.exp(-time_s / 0.02))) / sample_rate
    ) * np.exp(-time_s / rng.uniform(0.06, 0.15))
    noise = rng.standard_normal(n)
    skin = ring(impulse(n), sample_rate, [rng.uniform(160, 240), rng.uniform(280, 400)], [0.06, 0.04], [0.6, 0.4])
    snare = skin + 0.35 * band(noise, sample_rate, 900) * np.exp(-time_s / rng.uniform(0.04, 0.12))
    hat = 0.4 * band(rng.standard_normal(n), sample_rate, 6000) * np.exp(-time_s / rng.uniform(0.015, 0.05))
    cymbal = 0.4 * band(rng.standard_normal(n), sample_rate, 4000) * np.exp(-time_s / 0.2)
    return {"kick": kick, "snare": snare, "hat": hat, "cymbal": cymbal}


def drum_kit(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Drum pattern: kick (falling sine), snare (skin modes and wires), hi-hat (bright noise) on a 16-step grid."""
    drums = _drums(rng, sample_rate)
    out = np.zeros(count(duration_s, sample_rate))
    step_s = 60.0 / rng.uniform(80, 170) / 4
    kicks, snares, hats = rng.random(16) < 0.25, rng.random(16) < 0.08, rng.random(16) < rng.uniform(0.2, 0.7)
    kicks[[0, 8]], snares[[4, 12]], hats[::2] = True, True, True
    for index in range(int(duration_s / step_s) + 1):
        at, step = int((index * step_s + 0.004 * rng.uniform(-1, 1)) * sample_rate), index % 16
        for name, pattern in (("kick", kicks), ("snare", snares), ("hat", hats)):
            if pattern[step]:
                add_at(out, drums[name] * rng.uniform(0.7, 1.0), max(at, 0))
        if index % 64 == 0 and rng.random() < 0.5:
            add_at(out, drums["cymbal"], max(at, 0))
    return fade(out * (1 + 0.05 * smooth_random(rng, len(out), sample_rate, 2)), sample_rate)
