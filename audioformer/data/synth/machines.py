"""Machines: engines are pulse trains through resonances, blades are amplitude modulation, motors are tones in noise."""

from __future__ import annotations

import numpy as np

from audioformer.data.synth.dsp import (
    Rng,
    add_at,
    attack_decay,
    band,
    breakpoints,
    count,
    drifting,
    equalise,
    fade,
    log_uniform,
    pulses,
    repeat,
    ring,
    shaped_noise,
    smooth_random,
    unit_rms,
)


def _blade_noise(rng: Rng, n: int, sample_rate: int, phase: np.ndarray, sharp: float) -> np.ndarray:
    """Air noise (N,) beaten by blades: louder once per blade passage; `sharp` narrows the beat."""
    beat = np.exp(sharp * (np.cos(2 * np.pi * phase) - 1))
    return beat * (1 + 0.2 * smooth_random(rng, n, sample_rate, 25))


def helicopter(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Main rotor thumps 9-32 times a second (slap harmonics, beaten air), tail rotor and turbine tones, steady roar."""
    n = count(duration_s, sample_rate)
    rate = (
        log_uniform(rng, 9, 32)
        * breakpoints([(0, 1), (1, rng.uniform(0.9, 1.1))], n)
        * (1 + 0.01 * smooth_random(rng, n, sample_rate, 0.5))
    )
    phase = np.cumsum(rate) / sample_rate
    dark = rng.uniform(-8, 34)  # far helicopters lose their treble
    slap = pulses(rng, rate, sample_rate, rng.uniform(1.5, 5), 0.002, 4.0)
    slap = unit_rms(
        equalise(slap, sample_rate, [(20, -4), (60, 0), (200, -4), (700, -16 - 0.3 * dark), (4000, -36 - dark)])
    )
    shape = [
        (30, rng.uniform(-3, 6)),
        (120, rng.uniform(-2, 5)),
        (300, rng.uniform(-3, 3)),
        (700, -6 + rng.normal(0, 3)),
        (1400, -9 + rng.normal(0, 4) - 0.3 * dark),
        (2800, -15 + rng.normal(0, 5) - 0.6 * dark),
        (11000, -28 - 1.1 * dark),
    ]
    chop = shaped_noise(rng, n, sample_rate, shape) * _blade_noise(
        rng, n, sample_rate, phase, log_uniform(rng, 0.1, 2.5)
    )
    steady = shaped_noise(rng, n, sample_rate, [(hz, db + rng.normal(0, 3)) for hz, db in shape])
    out = log_uniform(rng, 0.1, 1.5) * slap + unit_rms(chop) + log_uniform(rng, 0.2, 2.5) * steady
    for _ in range(int(rng.integers(0, 4))):  # tail rotor, gearbox, turbine: harmonic combs locked to the main rotor
        comb = pulses(rng, rate * rng.uniform(3, 22), sample_rate, rng.uniform(2, 6), 0.002, 6.0)
        comb = equalise(comb, sample_rate, [(60, 0), (800, -6), (4000, -22 - dark)])
        out += log_uniform(rng, 0.02, 0.6) * comb
    if rng.random() < 0.4 and dark < 15:
        whine_hz = log_uniform(rng, 2000, 9000)
        out += rng.uniform(0.01, 0.12) * np.sin(2 * np.pi * whine_hz * np.cumsum(rate / rate[0]) / sample_rate)
    out = drifting(rng, out, sample_rate, rng.uniform(0.5, 4.5), log_uniform(rng, 0.5, 10))
    distance = np.exp(rng.uniform(0, 0.6) * smooth_random(rng, n, sample_rate, 0.5))
    return out * distance * breakpoints([(0, rng.uniform(0.3, 1)), (1, rng.uniform(0.3, 1))], n)


def _revs(rng: Rng, n: int, sample_rate: int, idle_hz: float, top_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Throttle story: firing rate (N,) in Hz and load 0..1 (N,), stepping between idle and full with inertia."""
    points, level, at = [], float(rng.random() < 0.65), 0.0
    steady = rng.random() < 0.4
    while at < n:
        points.append((at, level * rng.uniform(0.8, 1.0)))
        stay = log_uniform(rng, 0.25, 2.5) * sample_rate
        points.append((at + stay, points[-1][1] * rng.uniform(0.85, 1.05)))
        at += stay + rng.uniform(0.1, 0.6) * sample_rate
        if not steady:
            level = 1.0 - level if rng.random() < 0.6 else rng.uniform(0.1, 1.0)
    load = np.clip(np.interp(np.arange(n), *zip(*points, strict=True)), 0, 1.05)
    return idle_hz + (top_hz - idle_hz) * load, load


def _throttle(rng: Rng, n: int, sample_rate: int) -> np.ndarray:
    """Engine speed 0..1 (N,): the trigger is pulled and let go; the crank follows fast upwards, coasts down slowly."""
    trigger, at = np.zeros(n), 0
    story = rng.choice(["cut", "blips", "mixed"], p=[0.35, 0.3, 0.35])
    pulled = story == "cut" or rng.random() < 0.5
    while at < n:
        longest = (
            {"cut": 6.0, "blips": 0.5, "mixed": 2.0}[story]
            if pulled
            else {"cut": 0.7, "blips": 1.0, "mixed": 1.5}[story]
        )
        end = at + count(log_uniform(rng, 0.12, longest), sample_rate)
        trigger[at:end] = rng.uniform(0.6, 1.0) if pulled else 0.0
        pulled, at = not pulled, end
    step = max(1, sample_rate // 200)  # the crank's inertia needs no more than 200 values a second
    up, down = (1 - np.exp(-0.005 / rng.uniform(*span)) for span in ((0.05, 0.25), (0.25, 0.9)))
    speed, level = [], float(trigger[0]) * rng.uniform(0.3, 1)
    for target in trigger[::step]:
        level += (target - level) * (up if target > level else down)
        speed.append(level)
    smooth = np.interp(np.arange(n), np.arange(0, n, step), speed)
    return np.clip(smooth * (1 + rng.uniform(0.01, 0.07) * smooth_random(rng, n, sample_rate, 3)), 0, 1.1)


def chainsaw(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Two-stroke engine: one firing pulse a turn, 40 Hz idling to 260 Hz flat out, raspy exhaust.

    Chain and chips hiss.
    """
    n = count(duration_s, sample_rate)
    load = _throttle(rng, n, sample_rate)
    idle_hz, top_hz = log_uniform(rng, 38, 75), log_uniform(rng, 110, 270)
    rate = idle_hz + (top_hz - idle_hz) * load
    engine = pulses(rng, rate, sample_rate, rng.uniform(3, 7), 0.004, 6.0)
    half = pulses(rng, rate / 2, sample_rate, 4.0, 0.006, 6.0) * rng.uniform(0, 0.6)  # uneven firing at half the rate
    exhaust = equalise(
        unit_rms(engine) + half,
        sample_rate,
        [
            (40, -14),
            (150, -3),
            *((hz, rng.normal(0, 5)) for hz in (300, 600, 1200, 2400)),
            (5000, rng.uniform(-10, 0)),
            (11000, rng.uniform(-16, -2)),
        ],
    )
    bumps = [
        (60, -16.0),
        (250, rng.normal(-6, 4)),
        *((hz, rng.normal(0, 4)) for hz in (500, 900, 1500, 2400, 3600, 5200)),
        (8000, rng.uniform(-12, 2)),
        (11500, rng.uniform(-18, 0)),
    ]
    hiss = shaped_noise(rng, n, sample_rate, bumps)
    firing = np.exp(rng.uniform(0, 1.5) * (np.cos(2 * np.pi * np.cumsum(rate) / sample_rate) - 1))
    rough = np.exp(rng.uniform(0.1, 0.4) * smooth_random(rng, n, sample_rate, log_uniform(rng, 2, 25)))
    chain = hiss * firing * rough * load ** rng.uniform(0.5, 1.5)
    out = unit_rms(exhaust) * (log_uniform(rng, 0.05, 0.6) + load) + log_uniform(rng, 0.25, 2.8) * chain
    if rng.random() < 0.4:  # sprocket whine, a high multiple of the engine speed
        out += rng.uniform(0.02, 0.2) * load * pulses(rng, rate * int(rng.integers(7, 18)), sample_rate, 8.0, 0.002)
    out = drifting(rng, out, sample_rate, rng.uniform(0.5, 5.0), log_uniform(rng, 0.5, 8))
    return out * np.exp(rng.uniform(0, 0.4) * smooth_random(rng, n, sample_rate, 1.0))


def engine(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Four-stroke car or tractor: 15-90 firings a second, cylinders slightly unequal, muffled by the exhaust pipe."""
    n = count(duration_s, sample_rate)
    rate, load = _revs(rng, n, sample_rate, log_uniform(rng, 14, 35), log_uniform(rng, 35, 110))
    n_cylinders = int(rng.choice([1, 2, 4]))
    source = pulses(rng, rate, sample_rate, 4.0, 0.01) + 0.5 * pulses(rng, rate / n_cylinders, sample_rate, 4.0, 0.01)
    knee = log_uniform(rng, 150, 700)
    muffled = equalise(source, sample_rate, [(25, -6), (60, 2), (knee, 0), (4 * knee, -16), (11000, -50)])
    noise = shaped_noise(rng, n, sample_rate, [(40, 0), (300, -8), (2000, -22), (11000, -40)])
    return (unit_rms(muffled) + log_uniform(rng, 0.1, 0.6) * noise) * (0.5 + 0.5 * load)


def vacuum_cleaner(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Universal motor and air: whine at 200-700 Hz with harmonics inside strong steady broadband noise.

    Spins up at times.
    """
    n = count(duration_s, sample_rate)
    spin = np.ones(n)
    if rng.random() < 0.3:
        spin = breakpoints([(0, 0.15), (0.15, 0.7), (0.3, 1), (1, 1)], n)
    f0 = log_uniform(rng, 180, 700) * spin * (1 + 0.006 * smooth_random(rng, n, sample_rate, 3))
    whine = equalise(
        pulses(rng, f0, sample_rate, rng.uniform(2, 6), 0.003), sample_rate, [(100, -6), (1000, 0), (6000, -10)]
    )
    air = shaped_noise(
        rng, n, sample_rate, [(50, -14), (300, -3), (1200, 0), (5000, -6), (11000, -rng.uniform(10, 24))]
    )
    return (air + log_uniform(rng, 0.1, 0.9) * unit_rms(whine)) * spin**1.5


def fan(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Blades in a room: smooth low noise, a faint blade tone at 20-120 Hz and its beat on the noise, mains hum."""
    n = count(duration_s, sample_rate)
    rate = np.full(n, log_uniform(rng, 20, 120))
    phase = np.cumsum(rate) / sample_rate
    air = shaped_noise(rng, n, sample_rate, [(40, 0), (200, 0), (1000, -10), (4000, -22), (11000, -40)])
    tone = equalise(pulses(rng, rate, sample_rate, 6.0, 0.002), sample_rate, [(30, 0), (400, -8), (3000, -30)])
    hum = np.sin(2 * np.pi * float(rng.choice([100, 120])) * np.arange(n) / sample_rate)
    return (
        air * (1 + rng.uniform(0.05, 0.5) * np.cos(2 * np.pi * phase))
        + rng.uniform(0.1, 0.6) * unit_rms(tone)
        + rng.uniform(0, 0.25) * hum
    )


def drill(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Power drill: gear whine that rises within 0.3 s to 300-900 Hz, sags under load and stops; bursts of 0.5-2.5 s."""
    top = log_uniform(rng, 300, 900)

    def burst(_: int) -> np.ndarray:
        n = count(rng.uniform(0.5, 2.5), sample_rate)
        f0 = top * breakpoints(
            [(0, 0.25), (0.15, 1), (0.35, rng.uniform(0.75, 1)), (0.85, rng.uniform(0.8, 1)), (1, 0.3)], n
        )
        whine = pulses(rng, f0, sample_rate, rng.uniform(2, 5), 0.01) + 0.5 * pulses(
            rng, f0 * 0.37, sample_rate, 3.0, 0.02
        )
        grit = shaped_noise(rng, n, sample_rate, [(200, -12), (2000, 0), (11000, -12)]) * np.exp(
            0.4 * smooth_random(rng, n, sample_rate, 30)
        )
        return (unit_rms(whine) + rng.uniform(0.1, 0.7) * grit) * breakpoints([(0, 0), (0.08, 1), (0.9, 1), (1, 0)], n)

    return repeat(rng, sample_rate, duration_s, burst, int(rng.integers(1, 5)), (0.15, 0.8))


def keyboard_typing(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Keys: each stroke is a click, a bottom thud and a quieter release, 3-10 strokes a second in uneven bursts."""
    n = count(duration_s, sample_rate)
    out = np.zeros(n)
    rate, plastic = rng.uniform(3, 10), log_uniform(rng, 1200, 4000)
    n_key = count(0.03, sample_rate)
    at = rng.uniform(0, 0.1)
    while at < duration_s:
        blow = rng.standard_normal(n_key) * attack_decay(n_key, sample_rate, 0.0004, rng.uniform(0.0008, 0.003))
        tap = ring(
            blow,
            sample_rate,
            [plastic * rng.uniform(0.8, 1.25), 2.3 * plastic, 300],
            [0.003, 0.002, 0.006],
            [0.2, 0.12, 0.08],
        )
        tap = tap + 0.6 * band(blow, sample_rate, 1000)
        level = rng.uniform(0.4, 1.0)
        add_at(out, tap * level, int(at * sample_rate))
        add_at(out, tap[::1] * level * rng.uniform(0.15, 0.5), int((at + rng.uniform(0.06, 0.12)) * sample_rate))
        at += rng.exponential(0.6 / rate) + 0.4 / rate + (rng.uniform(0.2, 0.9) if rng.random() < 0.08 else 0.0)
    return fade(out, sample_rate)


def washing_machine(rng: Rng, sample_rate: int, duration_s: float) -> np.ndarray:
    """Drum: laundry thumps 0.7-1.5 times a second inside motor hum and sloshing noise that follow the turning."""
    n = count(duration_s, sample_rate)
    turn_hz = rng.uniform(0.7, 1.5)
    phase = np.arange(n) / sample_rate * turn_hz + rng.uniform(0, 1)
    slosh = shaped_noise(rng, n, sample_rate, [(50, -3), (300, 0), (1500, -12), (11000, -34)]) * (
        1 + 0.7 * np.cos(2 * np.pi * phase)
    )
    hum = pulses(rng, np.full(n, float(rng.choice([50, 60]))), sample_rate, 8.0, 0.001) * rng.uniform(0.1, 0.5)
    motor = pulses(rng, log_uniform(rng, 120, 320) * (1 + 0.02 * np.cos(2 * np.pi * phase)), sample_rate, 6.0, 0.004)
    return slosh + hum + rng.uniform(0.1, 0.5) * equalise(motor, sample_rate, [(100, 0), (2500, -12), (11000, -30)])
