"""Everyday objects: impacts, modelled as a blow that rings a few damped modes, in the rhythm of what makes them."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    add_at,
    attack_decay,
    band,
    count,
    fade,
    log_uniform,
    ring,
    shaped_noise,
    sparse,
    unit_peak,
    unit_rms,
)


def _tick(rng: Rng, sample_rate: int, low_hz: float, ring_s: float, n_modes: int, parts: int) -> np.ndarray:
    """One clock beat: `parts` tiny impacts within 10-100 ms, each exciting the same modes of the case."""
    n = count(0.13 + 6 * ring_s, sample_rate)
    blow, spacing_s = np.zeros(n), log_uniform(rng, 0.005, 0.035)
    for part in range(parts):
        n_hit = count(0.004, sample_rate)
        hit = rng.standard_normal(n_hit) * attack_decay(n_hit, sample_rate, 0.0002, log_uniform(rng, 0.0002, 0.001))
        add_at(blow, hit * rng.uniform(0.2, 1.0), count(part * rng.uniform(0.003, spacing_s), sample_rate))
    hz = [log_uniform(rng, low_hz, 9000) for _ in range(n_modes)]
    body = ring(
        blow,
        sample_rate,
        hz,
        ring_s * rng.uniform(0.3, 1.2, n_modes),
        rng.uniform(0.2, 1, n_modes) * (1000 / np.array(hz)) ** 0.3,
    )
    if rng.random() < 0.35:  # a loud clock in a hard case: a short rattle instead of clean modes
        rattle = band(
            rng.standard_normal(n) * attack_decay(n, sample_rate, 0.001, log_uniform(rng, 0.008, 0.04)),
            sample_rate,
            low_hz,
        )
        body = body + rng.uniform(0.2, 1.5) * np.abs(body).max() * unit_peak(rattle)
    return unit_peak(body + rng.uniform(0.1, 1.5) * blow)


def clock_tick(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Escapement: exact ticks 1-6 times a second, alternating tick and tock; each is a few clicks ringing the case."""
    n = count(duration_s, sample_rate)
    out = np.zeros(n)
    rate = float(rng.choice([1.0, 1.0, 2.0, log_uniform(rng, 1.5, 3), log_uniform(rng, 3, 5.5)]))
    low_hz, ring_s = log_uniform(rng, 200, 2500), log_uniform(rng, 0.0015, 0.022)
    n_modes, parts = int(rng.integers(2, 8)), int(rng.integers(1, 5))
    tick = _tick(rng, sample_rate, low_hz, ring_s, n_modes, parts)
    same = rng.random() < 0.4
    tock = (
        tick
        if same
        else _tick(rng, sample_rate, low_hz * rng.uniform(0.7, 1.2), ring_s, n_modes, parts) * rng.uniform(0.4, 1.0)
    )
    lag = 0.0 if same else rng.uniform(-0.12, 0.12)
    start = rng.uniform(0, 1 / rate)
    uneven = rng.uniform(0.0, 0.4)
    for index in range(int(duration_s * rate) + 1):
        at = start + (index + lag * (index % 2)) / rate
        add_at(out, (tick, tock)[index % 2] * rng.uniform(1 - uneven, 1.0), int(at * sample_rate))
    return out


def footsteps(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Walking, 1.4-3 steps a second.

    Heel then toe, a thud of the floor and the scuff of its surface (hard to gravel).
    """
    out = np.zeros(count(duration_s, sample_rate))
    period_s, gravel, floor_hz = 1 / rng.uniform(1.4, 3.0), rng.uniform(0, 1) ** 2, log_uniform(rng, 70, 250)
    n = count(0.25, sample_rate)
    bright = log_uniform(rng, 1500, 7000)
    at = rng.uniform(0, 0.15)
    while at < duration_s:
        for delay, level in ((0.0, 1.0), (rng.uniform(0.05, 0.13), rng.uniform(0.2, 0.6))):
            blow = rng.standard_normal(n) * attack_decay(n, sample_rate, 0.001, rng.uniform(0.002, 0.008))
            thud = unit_peak(
                ring(blow, sample_rate, [floor_hz, 2.4 * floor_hz, 5 * floor_hz], [0.03, 0.02, 0.01], [1, 0.5, 0.3])
            )
            scuff = band(rng.standard_normal(n) * attack_decay(n, sample_rate, 0.01, 0.05), sample_rate, 700, bright)
            crunch = (
                unit_peak(scuff * (0.3 + np.abs(sparse(rng, n, sample_rate, 300))))
                if gravel > 0.2
                else unit_peak(scuff)
            )
            step = level * (
                (1 - 0.7 * gravel) * thud + 0.3 * band(unit_peak(blow), sample_rate, 400, bright) + gravel * crunch
            )
            add_at(out, step * rng.uniform(0.6, 1), int((at + delay) * sample_rate))
        at += period_s * rng.uniform(0.93, 1.07)
    return fade(out, sample_rate)


def hand_claps(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Applause: one to fifty people, each clap a 5-20 ms noise burst tuned by the hollow of the hands, 2-5 a second."""
    out = np.zeros(count(duration_s, sample_rate))
    for _ in range(int(rng.choice([1, 1, 2, 6, 20, 50]))):
        hollow, rate, level = log_uniform(rng, 700, 2500), rng.uniform(2, 5), log_uniform(rng, 0.3, 1)
        n = count(0.06, sample_rate)
        clap = band(
            rng.standard_normal(n) * attack_decay(n, sample_rate, 0.001, rng.uniform(0.003, 0.012)),
            sample_rate,
            0.5 * hollow,
            4 * hollow,
        )
        at = rng.uniform(0, 1 / rate)
        while at < duration_s:
            add_at(out, level * unit_peak(clap) * rng.uniform(0.6, 1), int(at * sample_rate))
            at += rng.uniform(0.9, 1.1) / rate
    return fade(out, sample_rate)


def door_knock(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Knuckles on wood: groups of two to six knocks; each rings the panel at 100-900 Hz for some 30 ms."""
    out = np.zeros(count(duration_s, sample_rate))
    n = count(0.25, sample_rate)
    modes = [log_uniform(rng, 90, 250), log_uniform(rng, 250, 600), log_uniform(rng, 600, 1400)]
    at = 0.0
    for _ in range(int(rng.integers(1, 4))):
        period_s = rng.uniform(0.12, 0.35)
        for _ in range(int(rng.integers(2, 7))):
            blow = rng.standard_normal(n) * attack_decay(n, sample_rate, 0.0008, 0.0025)
            knock = ring(blow, sample_rate, modes, [0.035, 0.025, 0.012], [1, 0.7, 0.4])
            add_at(out, unit_peak(knock) * rng.uniform(0.5, 1), int(at * sample_rate))
            at += period_s * rng.uniform(0.9, 1.1)
        at += rng.uniform(0.4, 1.5)
    end = min(len(out), max(int((at - 0.2) * sample_rate), n))
    return fade(out[:end], sample_rate)


def glass_breaking(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Shatter: one hard blow, then dozens of splinters, each a bright bell of 2-11 kHz, gone within a second."""
    n = count(min(duration_s, rng.uniform(0.7, 2.2)), sample_rate)
    out = np.zeros(n)
    blow_n = count(0.15, sample_rate)
    blow = shaped_noise(rng, blow_n, sample_rate, [(200, -8), (3000, 0), (11000, -3)]) * attack_decay(
        blow_n, sample_rate, 0.001, rng.uniform(0.01, 0.04)
    )
    add_at(out, 1.5 * unit_peak(blow), 0)
    for _ in range(16):
        n_ring = count(0.2, sample_rate)
        hit = np.zeros(n_ring)
        hit[0] = 1.0
        hz = log_uniform(rng, 2000, 0.45 * sample_rate) * np.array([1.0, 1.47, 2.09])
        splinter = unit_peak(ring(hit, sample_rate, hz, np.full(3, log_uniform(rng, 0.004, 0.04)), [1, 0.6, 0.4]))
        for _ in range(int(rng.integers(1, 6))):
            add_at(out, splinter * log_uniform(rng, 0.05, 0.7), count(rng.exponential(0.25), sample_rate))
    return fade(out, sample_rate, 0.002)


def coughing(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Cough: an explosive burst, a breathy middle and a voiced end, 0.2-0.4 s, usually two or three in a row."""
    out = np.zeros(count(duration_s, sample_rate))
    size, at = log_uniform(rng, 0.9, 1.4), 0.0
    period_s = rng.uniform(0.3, 0.6)
    for _ in range(int(rng.integers(1, 7))):
        n = count(rng.uniform(0.2, 0.4), sample_rate)
        air = shaped_noise(
            rng, n, sample_rate, [(80, -12), (500 * size, 2), (1400 * size, 0), (3500, -6), (11000, -22)]
        )
        burst = air * attack_decay(n, sample_rate, 0.005, rng.uniform(0.04, 0.09))
        glottis = np.zeros(n)
        glottis[(np.arange(0.05, n / sample_rate, 1 / rng.uniform(110, 280)) * sample_rate).astype(int)] = 1.0
        voiced = unit_rms(
            ring(glottis, sample_rate, [600 * size, 1200 * size, 2600], [0.004, 0.003, 0.002], [1, 0.5, 0.2])
        )
        add_at(
            out, burst + rng.uniform(0, 0.35) * voiced * attack_decay(n, sample_rate, 0.08, 0.1), int(at * sample_rate)
        )
        at += period_s * rng.uniform(0.85, 1.3)
        if rng.random() < 0.2:
            at += rng.uniform(0.3, 0.9)
    end = min(len(out), count(at, sample_rate))
    return fade(out[:end], sample_rate, 0.01)
