"""Clips and scenes: sources placed in time, heard through recording conditions. N samples.

First step of the data path: `synth_clip` gives one labelled clip, `synth_scene` a mixture with event times. Every
random draw comes from `numpy.random.default_rng` seeded with numbers only, so a seed always gives the same samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audioformer.data.synth.catalogue import CLASSES, SOURCES, Source
from audioformer.data.synth.dsp import Rng, add_at, count, equalise, fade, log_uniform, unit_peak, unit_rms
from audioformer.data.synth.room import background, far_away, impulse_response, microphone, reverberate
from audioformer.errors import AudioformerError

MAX_DURATION_S = 600.0
MAX_SEED = 2**32 - 1  # what fits a 32-bit word, the unit SeedSequence works in


@dataclass(frozen=True)
class Event:
    """One sound in a scene: `label`, when it starts and ends (s), its RMS level between the two (dB re full scale)."""

    label: str
    onset_s: float
    offset_s: float
    level_db: float


@dataclass(frozen=True)
class Scene:
    """A mixture: `samples` (N,) float32, `sample_rate` Hz, `events` in order of onset, and the `seed` that gives it."""

    samples: np.ndarray
    sample_rate: int
    events: list[Event]
    seed: int

    @property
    def labels(self) -> list[str]:
        """Distinct event labels, sorted: the targets of multi-label classification."""
        return sorted({event.label for event in self.events})

    @property
    def main_label(self) -> str:
        """Label of the event that carries most energy (mean square times length)."""
        return max(self.events, key=lambda e: 10 ** (e.level_db / 10) * (e.offset_s - e.onset_s)).label


def check_request(seed: int, duration_s: float, sample_rate: int, classes: Sequence[str] = CLASSES) -> None:
    """Refuse a request that cannot be met.

    Raises:
        AudioformerError: bad seed, duration, sample rate or class name.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= MAX_SEED:
        raise AudioformerError(f"seed={seed!r} must be a whole number from 0 to {MAX_SEED}; try seed=0")
    if not 0.1 <= duration_s <= MAX_DURATION_S:
        raise AudioformerError(f"duration_s={duration_s} must be between 0.1 and {MAX_DURATION_S:g} seconds; try 5")
    if not 8000 <= sample_rate <= 192000:
        raise AudioformerError(f"sample_rate={sample_rate} must be between 8000 and 192000 Hz; try 24000")
    if len(classes) == 0:
        raise AudioformerError("classes is empty: name at least one class, for example 'dog'")
    for label in classes:
        if label not in SOURCES:
            raise AudioformerError(f"there is no synthetic class {label!r}; choose from {', '.join(CLASSES)}")


def synth_event(label: str, rng: Rng, sample_rate: int = 24000, max_s: float = 5.0) -> np.ndarray:
    """One dry sound of a class, without room, noise or level: what the source itself radiates.

    Args:
        label: one of `CLASSES`.
        rng: numpy random generator; it is advanced.
        sample_rate: Hz, 8000 to 192000.
        max_s: longest event, seconds; textures choose a length up to it.

    Returns:
        (n,) float32, largest absolute value 1.

    Raises:
        AudioformerError: unknown label, or a length or sample rate out of range.

    Example:
        >>> bark = synth_event("dog", np.random.default_rng(0))
        >>> float(abs(bark).max())
        1.0
    """
    check_request(0, max_s, sample_rate, [label])
    source = SOURCES[label]
    length_s = max_s * rng.uniform(0.3, 1.0) if source.texture else max_s
    samples = _sounding(source, rng, sample_rate, length_s)
    return unit_peak(fade(samples, sample_rate, 0.02 if source.texture else 0.003)).astype(np.float32)


def _sounding(source: Source, rng: Rng, sample_rate: int, length_s: float) -> np.ndarray:
    """What the source makes in `length_s`; if that was a pause (a clock between ticks), its first sound after it."""
    samples = source.make(rng, sample_rate, length_s)
    if np.any(samples):
        return samples
    later = source.make(rng, sample_rate, length_s + 3.0)
    first = int(np.argmax(later != 0))
    return later[first : first + count(length_s, sample_rate)]


def _recording(label: str, rng: Rng, duration_s: float, sample_rate: int) -> np.ndarray:
    """A class as a microphone heard it: sound, room, tone, background noise; (N,) up to `duration_s`, any level."""
    source = SOURCES[label]
    dry = unit_peak(_sounding(source, rng, sample_rate, duration_s))
    if rng.random() < 0.8:
        dry = reverberate(dry, impulse_response(rng, sample_rate, source.wetness))
    n = count(duration_s, sample_rate)
    wet = np.zeros(n)
    slack = max(n - len(dry), 0)
    start = 0 if source.texture else int(slack * rng.choice([rng.uniform(0, 1), rng.uniform(0, 0.15)]))
    add_at(wet, dry, start)
    if rng.random() < 0.5:
        wet = far_away(rng, wet, sample_rate)
    heard = wet[start : start + len(dry)]
    level = np.sqrt(np.mean(heard**2) + 1e-12)
    noise = background(rng, n, sample_rate) * level * 10.0 ** (-rng.uniform(*source.snr_db) / 20.0)
    return equalise(wet + noise, sample_rate, microphone(rng))


def synth_clip(label: str, seed: int, duration_s: float = 5.0, sample_rate: int = 24000) -> np.ndarray:
    """One clip with one label, as in ESC-50: a recording, sometimes shorter than the clip and padded with zeros.

    Args:
        label: one of `CLASSES`.
        seed: 0 to 2**32 - 1; the same seed gives the same clip.
        duration_s: seconds, 0.1 to 600.
        sample_rate: Hz, 8000 to 192000.

    Returns:
        (N,) float32 in [-1, 1], N = round(duration_s * sample_rate).

    Raises:
        AudioformerError: an argument is out of range.

    Example:
        >>> synth_clip("rooster", seed=3).shape
        (120000,)
    """
    check_request(seed, duration_s, sample_rate, [label])
    source = SOURCES[label]
    rng = np.random.default_rng([int(seed), source.target])
    n = count(duration_s, sample_rate)
    padded = rng.random() < source.padded
    length_s = duration_s * rng.uniform(0.25, 0.85) if padded else duration_s
    recording = fade(_recording(label, rng, length_s, sample_rate), sample_rate, 0.01 if padded else 0.001)
    clip = np.zeros(n)
    start = int((n - len(recording)) * rng.uniform(0, 1)) if padded and rng.random() < 0.4 else 0
    add_at(clip, recording, start)
    return (unit_peak(clip) * log_uniform(rng, *source.peak)).astype(np.float32)


def _hear(label: str, rng: Rng, max_s: float, sample_rate: int, response: np.ndarray, tone: list) -> np.ndarray:
    """One event through the scene's room and microphone, cut to where it is within 40 dB of its loudest moment."""
    wet = reverberate(synth_event(label, rng, sample_rate, max_s).astype(float), response)
    wet = equalise(wet, sample_rate, tone)
    block = count(0.01, sample_rate)
    energy = np.add.reduceat(wet**2, np.arange(0, len(wet), block))
    loud = np.flatnonzero(energy > 1e-4 * energy.max())
    piece = wet[loud[0] * block : (loud[-1] + 1) * block][: count(max_s, sample_rate)]
    return unit_rms(fade(piece, sample_rate, 0.003))


def synth_scene(
    seed: int, duration_s: float = 10.0, max_events: int = 4, classes: Sequence[str] = CLASSES, sample_rate: int = 24000
) -> Scene:
    """A scene: one to `max_events` sounds, possibly overlapping, in one room with one microphone and background noise.

    Args:
        seed: 0 to 2**32 - 1; the same seed gives the same scene.
        duration_s: seconds, 0.1 to 600.
        max_events: largest number of events, 1 to 32.
        classes: class names to draw from.
        sample_rate: Hz, 8000 to 192000.

    Returns:
        Scene with (N,) float32 samples and exact event times.

    Raises:
        AudioformerError: an argument is out of range.

    Example:
        >>> scene = synth_scene(seed=1, classes=["dog", "rain"])
        >>> set(scene.labels) <= {"dog", "rain"}
        True
    """
    check_request(seed, duration_s, sample_rate, classes)
    if not 1 <= max_events <= 32:
        raise AudioformerError(f"max_events={max_events} must be between 1 and 32; try 4")
    rng = np.random.default_rng([int(seed), 7])
    n = count(duration_s, sample_rate)
    response, tone = impulse_response(rng, sample_rate, 0.5 * rng.random()), microphone(rng)
    mix, events = np.zeros(n), []
    for _ in range(int(rng.integers(1, max_events + 1))):
        label = str(classes[int(rng.integers(len(classes)))])
        piece = _hear(label, rng, min(5.0, duration_s), sample_rate, response, tone)[:n]
        start = int(rng.integers(0, n - len(piece) + 1))
        level_db = rng.uniform(-18.0, 0.0)
        add_at(mix, piece * 10.0 ** (level_db / 20.0), start)
        events.append((label, start / sample_rate, (start + len(piece)) / sample_rate, level_db))
    floor_db = rng.uniform(-60.0, -26.0)
    mix += background(rng, n, sample_rate) * 10.0 ** (floor_db / 20.0)
    gain = log_uniform(rng, 0.3, 0.98) / np.max(np.abs(mix))
    gain_db = 20.0 * np.log10(gain)
    listed = [Event(label, round(on, 4), round(off, 4), round(float(db + gain_db), 2)) for label, on, off, db in events]
    return Scene(
        (mix * gain).astype(np.float32), sample_rate, sorted(listed, key=lambda e: (e.onset_s, e.label)), int(seed)
    )


def iter_clips(
    n: int,
    seed: int,
    classes: Sequence[str] = CLASSES,
    duration_s: float = 5.0,
    sample_rate: int = 24000,
    start: int = 0,
) -> Iterator[tuple[np.ndarray, str]]:
    """Stream of labelled clips for training: class `index % len(classes)`, every clip with its own seed.

    Clip `index` depends only on `(seed, index)` and `classes`, so several workers can share one stream by `start`.

    Args:
        n: how many clips.
        seed: 0 to 2**32 - 1.
        classes: class names, used in turn.
        duration_s: seconds per clip.
        sample_rate: Hz.
        start: index of the first clip.

    Yields:
        `(samples (N,) float32, label)`.

    Raises:
        AudioformerError: an argument is out of range.

    Example:
        >>> [label for _, label in iter_clips(2, seed=0, classes=["dog", "cow"], duration_s=1.0)]
        ['dog', 'cow']
    """
    check_request(seed, duration_s, sample_rate, classes)
    if n < 0 or start < 0:
        raise AudioformerError(f"n={n} and start={start} must not be negative")
    for index in range(start, start + n):
        label = classes[index % len(classes)]
        yield synth_clip(label, clip_seed(seed, index), duration_s, sample_rate), label


def clip_seed(seed: int, index: int) -> int:
    """Seed of item `index` of a collection with its own `seed`: 32 well-mixed bits."""
    return int(np.random.SeedSequence([int(seed), int(index)]).generate_state(1)[0])
