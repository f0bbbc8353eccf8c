"""Weather, water and fire: filtered noise and Poisson trains of small events, with the right statistics."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    add_at,
    attack_decay,
    band,
    count,
    drifting,
    fade,
    filter_frames,
    gain_curve,
    log_uniform,
    ring,
    shaped_noise,
    smooth_random,
    sparse,
    spread,
    unit_peak,
    unit_rms,
)


def _click(rng: Rng, sample_rate: int, decay_s: float, low_hz: float, high_hz: float = 1e9) -> np.ndarray:
    n = count(max(8 * decay_s, 0.004), sample_rate)
    return unit_peak(
        band(rng.standard_normal(n) * attack_decay(n, sample_rate, 0.0002, decay_s), sample_rate, low_hz, high_hz)
    )


def rain(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Thousands of drops: a steady hiss of those far away, single splashes of those near, sometimes drops on a roof."""
    n = count(duration_s, sample_rate)
    low, mid, high = rng.uniform(-8, 14), rng.uniform(-4, 6), rng.uniform(-16, 2)
    hiss = shaped_noise(
        rng,
        n,
        sample_rate,
        [
            (40, low + rng.uniform(-8, 8)),
            (150, low),
            (500, mid + rng.uniform(-6, 4)),
            (1500, mid),
            (4000, rng.uniform(-3, 3)),
            (11000, high),
        ],
    )
    hiss *= np.exp(rng.uniform(0.02, 0.15) * smooth_random(rng, n, sample_rate, log_uniform(rng, 0.5, 8)))
    near = np.zeros(n)
    for _ in range(3):  # drop sizes: the larger, the fewer and the lower
        rate = log_uniform(rng, 6, 700)
        kernel = _click(rng, sample_rate, log_uniform(rng, 0.0006, 0.004), log_uniform(rng, 500, 4000))
        near += spread(sparse(rng, n, sample_rate, rate, 6.0), kernel)
    if rng.random() < 0.6:
        hiss = drifting(rng, hiss, sample_rate, log_uniform(rng, 0.3, 1.8), log_uniform(rng, 0.5, 8))
    out = hiss + log_uniform(rng, 0.03, 1.6) * unit_rms(near)
    if rng.random() < 0.2:  # heard through a window or from a cave of leaves
        out = band(out, sample_rate, 0, log_uniform(rng, 700, 4000), 1)
    if rng.random() < 0.4:  # roof, gutter or umbrella
        n_roof = count(0.05, sample_rate)
        modes = [log_uniform(rng, 120, 1800) for _ in range(3)]
        thud = ring(
            _padded(_click(rng, sample_rate, 0.001, 80), n_roof),
            sample_rate,
            modes,
            [0.008, 0.006, 0.004],
            [1, 0.7, 0.5],
        )
        out = out + log_uniform(rng, 0.1, 0.9) * unit_rms(
            spread(sparse(rng, n, sample_rate, log_uniform(rng, 4, 80), 5.0), thud)
        )
    return out


def _padded(samples: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros(n)
    add_at(out, samples, 0)
    return out


def sea_waves(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Surf: noise that swells every 3-10 s.

    At the crest it is louder and brighter (foam), then it draws back hissing.
    """
    n = count(duration_s, sample_rate)
    slope = rng.uniform(3.0, 6.5)
    knee = log_uniform(rng, 150, 700)
    noise = shaped_noise(
        rng, n, sample_rate, [(30, -6), (knee, 0), (knee * 16, -4 * slope), (11000, -4 * slope - rng.uniform(3, 14))]
    )
    time_s = np.arange(n) / sample_rate
    swell = np.zeros(n)
    period_s, start = rng.uniform(2.5, 9.0), rng.uniform(-4.0, 1.5)
    while start < duration_s:
        rise, fall = rng.uniform(0.3, 2.0), rng.uniform(0.8, 3.0)
        shape = np.where(
            time_s < start + rise,
            np.exp(-(((time_s - start - rise) / (0.6 * rise)) ** 2)),
            np.exp(-(time_s - start - rise) / fall),
        )
        swell = np.maximum(swell, shape * rng.uniform(0.5, 1.0))
        start += period_s * rng.uniform(0.6, 1.4)
    swell = np.maximum(swell + 0.06 * smooth_random(rng, n, sample_rate, 4), 0)
    depth_db, bright_db = rng.uniform(6, 30), rng.uniform(0, 14)

    def gains(position: np.ndarray, hz: np.ndarray) -> np.ndarray:
        crest = np.interp(position, np.linspace(0, 1, n), swell)[:, None]
        foam = np.clip(np.log2(np.maximum(hz, 1) / 800.0), -1.5, 3.5)[None, :] / 3.5
        return 10.0 ** ((depth_db * (crest - 1) + bright_db * (crest - 0.5) * foam) / 20.0)

    surf = filter_frames(noise, sample_rate, gains, 0.04)
    splash = spread(
        sparse(rng, n, sample_rate, log_uniform(rng, 5, 150), 6.0) * swell,
        _click(rng, sample_rate, log_uniform(rng, 0.004, 0.03), 300, 6000),
    )
    surf = drifting(rng, surf, sample_rate, log_uniform(rng, 0.3, 2.5), log_uniform(rng, 0.5, 6))
    return unit_rms(surf) + log_uniform(rng, 0.02, 0.5) * unit_rms(splash)


def crackling_fire(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Burning wood: soft low roar, and snaps of a millisecond from bursting pockets of steam, a few very loud."""
    n = count(duration_s, sample_rate)
    roar = shaped_noise(
        rng,
        n,
        sample_rate,
        [
            (30, 6),
            (120, rng.uniform(0, 6)),
            (600, -12 - rng.uniform(0, 10)),
            (3000, -18 - rng.uniform(0, 14)),
            (11000, -20 - rng.uniform(0, 14)),
        ],
    )
    roar *= np.maximum(1 + 0.35 * smooth_random(rng, n, sample_rate, 5), 0.1)
    bed = np.zeros(n)
    busy = np.exp(1.0 * smooth_random(rng, n, sample_rate, rng.uniform(1, 4)))  # crackles come in clusters
    for _ in range(3):
        train = sparse(rng, n, sample_rate, log_uniform(rng, 3, 70), rng.uniform(6, 10)) * busy
        bed += spread(
            train,
            _click(
                rng,
                sample_rate,
                log_uniform(rng, 0.0003, 0.003),
                log_uniform(rng, 250, 3500),
                log_uniform(rng, 5000, 20000),
            ),
        )
    bed = unit_rms(bed)
    out = bed + log_uniform(rng, 0.15, 5.0) * roar
    for _ in range(int(rng.poisson(2.0))):  # loud snaps, some with the tail of a splitting log
        decay = log_uniform(rng, 0.001, 0.03)
        snap = _click(rng, sample_rate, decay, log_uniform(rng, 150, 2000)) * log_uniform(rng, 5, 40)
        add_at(out, snap, int(rng.integers(0, n)))
    return out


def wind(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Gusts: low noise with a whistling resonance; loudness and whistle pitch follow the same slow gust."""
    n = count(duration_s, sample_rate)
    noise = shaped_noise(rng, n, sample_rate, [(30, 3), (150, 0), (600, -10), (3000, -28), (11000, -45)])
    gust = smooth_random(rng, n, sample_rate, rng.uniform(0.4, 1.2))
    whistle_hz, howl = log_uniform(rng, 250, 1100), rng.uniform(0.0, 2.5)

    def gains(position: np.ndarray, hz: np.ndarray) -> np.ndarray:
        force = np.interp(position, np.linspace(0, 1, n), gust)[:, None]
        centre = whistle_hz * 2.0 ** (0.35 * force)
        return 10.0 ** (5 * force / 20) * (1 + 5 * howl / (1 + ((hz[None, :] - centre) / (0.06 * centre)) ** 2))

    return filter_frames(noise, sample_rate, gains, 0.05)


def thunder(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """A crack when near, then seconds of rumble: many delayed, ever duller copies of the same discharge."""
    n = count(min(duration_s, rng.uniform(2.5, 6.0)), sample_rate)
    noise = shaped_noise(rng, n, sample_rate, [(20, 3), (60, 0), (250, -9), (1000, -24), (8000, -48)])
    rolls = np.exp(0.9 * smooth_random(rng, n, sample_rate, rng.uniform(2, 6)))
    rumble = noise * rolls * attack_decay(n, sample_rate, rng.uniform(0.02, 0.4), rng.uniform(0.6, 2.0))
    n_crack = count(0.6, sample_rate)
    crack = shaped_noise(rng, n_crack, sample_rate, [(50, 0), (1500, -4), (11000, -18)]) * attack_decay(
        n_crack, sample_rate, 0.004, rng.uniform(0.03, 0.15)
    )
    add_at(
        rumble,
        crack * np.exp(0.6 * smooth_random(rng, n_crack, sample_rate, 40)) * rng.uniform(0.0, 1.5),
        count(rng.uniform(0, 0.2), sample_rate),
    )
    return rumble


def _bubbles(rng: Rng, n: int, sample_rate: int, rate_hz: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Bubbles ring like bells whose pitch rises as they near the surface (Minnaert 1933); (N,) sum of many."""
    out = np.zeros(n)
    bank = []
    for _ in range(24):
        f0 = log_uniform(rng, low_hz, min(high_hz, 0.3 * sample_rate))
        n_bubble = count(min(60.0 / f0, 0.12), sample_rate)
        time_s = np.arange(n_bubble) / sample_rate
        rise = 1 + rng.uniform(0, 1.5) * time_s / max(time_s[-1], 1e-6) * 0.5
        bank.append(
            np.sin(2 * np.pi * np.cumsum(f0 * rise) / sample_rate) * np.exp(-time_s * f0 / 11.0) * (700.0 / f0) ** 0.5
        )
    for bubble in bank:
        out += spread(sparse(rng, n, sample_rate, rate_hz / len(bank), 6.0), bubble)
    return out


def stream(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Brook: a dense cloud of rising bubbles at 400-4000 Hz over a soft rush."""
    n = count(duration_s, sample_rate)
    rush = shaped_noise(rng, n, sample_rate, [(60, -12), (400, -3), (1500, 0), (11000, -rng.uniform(10, 26))])
    bubbles = unit_rms(_bubbles(rng, n, sample_rate, log_uniform(rng, 80, 600), 350, rng.uniform(2000, 5000)))
    return bubbles * (1 + 0.2 * smooth_random(rng, n, sample_rate, 3)) + log_uniform(rng, 0.1, 0.9) * rush


def boiling(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Pot on the stove: large bubbles at 150-900 Hz, many a second, with a hiss of steam."""
    n = count(duration_s, sample_rate)
    steam = shaped_noise(rng, n, sample_rate, [(60, -10), (300, 0), (3000, -6), (11000, -rng.uniform(6, 20))])
    bubbles = unit_rms(_bubbles(rng, n, sample_rate, log_uniform(rng, 30, 160), 130, 900))
    return bubbles + log_uniform(rng, 0.05, 0.5) * steam


def water_drops(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Dripping tap: each drop clicks on the surface, then its bubble sings with rising pitch; near-even rhythm."""
    n = count(duration_s, sample_rate)
    out = np.zeros(n)
    period_s, f0, wobble = log_uniform(rng, 0.15, 1.2), log_uniform(rng, 500, 2200), rng.uniform(0.01, 0.3)
    for start in np.arange(rng.uniform(0, 0.1), duration_s, period_s):
        drop = f0 * log_uniform(rng, 0.8, 1.25)
        n_drop = count(rng.uniform(0.05, 0.14), sample_rate)
        time_s = np.arange(n_drop) / sample_rate
        tone = np.sin(2 * np.pi * np.cumsum(drop * (1 + 4 * rng.uniform(0.3, 1.5) * time_s)) / sample_rate) * np.exp(
            -time_s / rng.uniform(0.012, 0.035)
        )
        click = _click(rng, sample_rate, 0.0008, 1500) * rng.uniform(0.1, 0.5)
        at = int((start + period_s * wobble * rng.uniform(-0.5, 0.5)) * sample_rate)
        add_at(out, click, max(at, 0))
        add_at(out, tone * rng.uniform(0.5, 1), max(at, 0) + count(0.012, sample_rate))
    return out


def pouring_water(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Filling a vessel: splash noise and bubbles under the air column's resonance, which rises as the vessel fills."""
    n = count(min(duration_s, rng.uniform(1.5, 6.0)), sample_rate)
    splash = shaped_noise(rng, n, sample_rate, [(80, -16), (600, 0), (5000, -4), (11000, -16)]) + unit_rms(
        _bubbles(rng, n, sample_rate, 150, 400, 3000)
    )
    start_hz, octaves = log_uniform(rng, 250, 600), rng.uniform(0.6, 1.8)

    def gains(position: np.ndarray, hz: np.ndarray) -> np.ndarray:
        centre = start_hz * 2.0 ** (octaves * position[:, None] ** 1.5)
        column = sum(4.0 / m / (1 + ((hz[None, :] - m * centre) / (0.07 * m * centre)) ** 2) for m in (1, 3, 5))
        return (0.25 + column) * gain_curve(hz, [(100, -6), (1000, 0), (11000, -6)])[None, :]

    return fade(filter_frames(splash, sample_rate, gains, 0.04), sample_rate, 0.05)
