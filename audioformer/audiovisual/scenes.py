"""Scenes to go with sounds: coloured objects that move as their sounds do, drawn with NumPy. The truth is known.

Each kind of sound has a shape and a law of motion, which follows three curves of the sound itself: how loud it is,
where it sets in, how high it is (`motion_of`, from its log-mel bands). A knock makes a disc jump, the pitch of a siren
bends a line, drops land where they are heard, rain is a texture that thickens with the level. One object of a scene is
heard. The others move too, each to a sound of its own that is silent: mere motion gives nothing away, and where a
silent object is of the heard one's kind, only time tells them apart. Colour and place are random. Some pairs of kind
and colour are kept for testing.

Shapes: F frames (5 a second), S pixels a side, M bands, T frames of the bands (75 a second).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioformer.errors import AudioformerError

KINDS = {
    "door_knock": "a disc that jumps at each knock",
    "hand_claps": "two hands that close at each clap",
    "water_drops": "a drop that lands when it is heard",
    "clock_tick": "a pendulum that swings over at each tick",
    "dog": "a mouth that opens with the level",
    "bell": "a ring that spreads from each stroke",
    "siren": "a line whose waves follow the pitch",
    "bird_song": "a triangle that lifts off when it is heard and rises with the pitch",
    "rain": "a texture as dense as the sound is loud",
    "helicopter": "a rotor that turns faster when it is louder",
    "crying_baby": "a square that grows with the level",
    "engine": "a diamond that shakes with the level",
}
COLOURS = {
    "red": (0.90, 0.20, 0.20),
    "yellow": (0.95, 0.80, 0.15),
    "green": (0.20, 0.75, 0.30),
    "cyan": (0.20, 0.75, 0.85),
    "blue": (0.25, 0.40, 0.95),
    "magenta": (0.85, 0.30, 0.80),
}
N_FRAMES, FRAMES_PER_S = 15, 5  # 3 seconds
BANDS_PER_FRAME = 15  # frames of 75 Hz in a picture's fifth of a second
N_BAND_FRAMES = N_FRAMES * BANDS_PER_FRAME
SIZE, FINE_SIZE = 32, 50  # pixels a side: as the bundled model sees them, and as the paper's ladder has them, too
REACH = 0.18  # no object moves farther from its place than this, in sides of the picture
APART = 2 * REACH  # least distance of two places
NO_ENERGY = 1.2e-7  # what log-mel bands hold where there is no sound
AUDIBLE = 0.35  # an object is heard in the frames in which its loudness, 0 to 1, is above this
SAME_KIND = 0.3  # share of the silent objects that are of the heard one's kind


@dataclass(frozen=True)
class Motion:
    """The curves of a sound that move its object, each (F,) from 0 to 1: loudness, onset (a beginning here), height."""

    loudness: np.ndarray
    onset: np.ndarray
    height: np.ndarray

    @property
    def audible(self) -> np.ndarray:
        """(F,) bool: the sound is heard in this frame."""
        return self.loudness > AUDIBLE


def motion_of(bands: np.ndarray) -> Motion:
    """The curves of a sound.

    Loudness is the level in decibels, 0 at 40 dB below the loudest moment of the clip. Onset is how much it rises
    within 40 ms, beside the largest rise. Height is the band where the energy has its centre.

    Args:
        bands: (M, T) natural log of mel energies, 75 frames a second; what is missing of 3 seconds is silent.
    """
    bands = np.asarray(bands, np.float32)[:, :N_BAND_FRAMES]
    energy = np.maximum(np.exp(bands) - NO_ENERGY, 0)
    energy = np.pad(energy, ((0, 0), (0, N_BAND_FRAMES - bands.shape[1])))
    level = 10 * np.log10(energy.sum(0) + 1e-9)
    fine = np.clip(1 + (level - level.max()) / 40, 0, 1) * (level > -80)  # of a silent clip nothing is loud
    rise = np.maximum(fine[3:] - fine[:-3], 0)
    rise = np.pad(rise, (3, 0), constant_values=fine[0])
    centre = (energy * np.arange(len(energy))[:, None]).sum(0) / (energy.sum(0) + 1e-9) / (len(energy) - 1)
    parts = fine.reshape(N_FRAMES, BANDS_PER_FRAME)
    loudest = parts.argmax(1)
    onset = rise.reshape(N_FRAMES, BANDS_PER_FRAME).max(1)
    onset = np.where(onset > 0.15, onset / max(onset.max(), 1e-6), 0.0)
    return Motion(parts.max(1), onset, centre.reshape(N_FRAMES, BANDS_PER_FRAME)[np.arange(N_FRAMES), loudest])


@dataclass(frozen=True)
class Thing:
    """An object of a scene: kind and colour by name, its place in sides of the picture, and what moves it."""

    kind: str
    colour: str
    x: float
    y: float
    motion: Motion


@dataclass(frozen=True)
class Scene:
    """Things, the first of which is heard, on a ground of one colour."""

    things: tuple[Thing, ...]
    ground: tuple[float, float, float]

    def frames(self, size: int = SIZE) -> np.ndarray:
        """(F, 3, S, S) float32 from 0 to 1, soft edges."""
        picture = np.broadcast_to(np.array(self.ground, np.float32)[:, None, None], (N_FRAMES, 3, size, size)).copy()
        for thing in self.things:
            cover = drawn(thing, size)[:, None]
            picture += cover * (np.array(COLOURS[thing.colour], np.float32)[:, None, None] - picture)
        return picture

    def places(self, size: int = SIZE) -> np.ndarray:
        """(n, S, S) bool: the ground that each thing never leaves, a disc of radius REACH."""
        x, y = _grid(size)
        return np.stack([np.hypot(x - thing.x, y - thing.y) <= REACH for thing in self.things])


def is_held_out(kind: str, colour: str) -> bool:
    """Whether a kind is never seen in this colour in training: a sixth of all pairs."""
    return (list(KINDS).index(kind) + list(COLOURS).index(colour)) % len(COLOURS) == 0


def colours_of(kind: str, held_out: bool) -> list[str]:
    """Colours in which a kind is seen in training, or those kept for testing."""
    return [colour for colour in COLOURS if is_held_out(kind, colour) == held_out]


def make_scene(
    sounds: Sequence[tuple[str, Motion]], rng: np.random.Generator, held_out: bool = False, n_things: int = 0
) -> Scene:
    """A scene in which the first sound is heard.

    Args:
        sounds: (kind, motion) of each thing, one to three; the first is heard.
        rng: of places, colours, ground.
        held_out: colours that training never shows with these kinds.
        n_things: 0 = all of the sounds.

    Raises:
        AudioformerError: an unknown kind, or more than three things.
    """
    sounds = sounds[: n_things or None]
    if not 1 <= len(sounds) <= 3 or any(kind not in KINDS for kind, _ in sounds):
        raise AudioformerError(
            f"a scene has one to three things of the kinds {', '.join(KINDS)}; got {[kind for kind, _ in sounds]}"
        )
    places: list[np.ndarray] = []
    while len(places) < len(sounds):
        place = rng.uniform(REACH, 1 - REACH, 2)
        if all(np.hypot(*(place - other)) >= APART for other in places):
            places.append(place)
        elif rng.random() < 0.05:
            places.clear()  # two that leave no room for a third
    things = [
        Thing(kind, str(rng.choice(colours_of(kind, held_out))), *map(float, place), motion)
        for (kind, motion), place in zip(sounds, places, strict=True)
    ]
    grey = rng.uniform(0.02, 0.25)
    return Scene(tuple(things), tuple(float(v) for v in grey + rng.uniform(-0.02, 0.06, 3)))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle of each pixel, x and y, (S, S) each, in sides of the picture."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    return np.meshgrid(line, line)


def drawn(thing: Thing, size: int = SIZE) -> np.ndarray:
    """(F, S, S) float32: how much of each pixel a thing covers, 0 to 1."""
    x, y = _grid(size)
    distance = LAWS[thing.kind](x - thing.x, y - thing.y, thing.motion)
    return np.clip(0.5 - distance * size, 0, 1).astype(np.float32)


def _over_time(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def _since(onset: np.ndarray) -> np.ndarray:
    """(F,) frames since the last onset, 9 where there was none yet."""
    since, last = np.full(len(onset), 9.0), None
    for frame, value in enumerate(onset):
        last = frame if value > 0 else last
        since[frame] = 9 if last is None else frame - last
    return since


def _disc(x, y, radius):
    return np.hypot(x, y) - radius


def _box(x, y, width, height):
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def _turned(x, y, angle):
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _knock(x, y, motion):
    return _disc(x, y - 0.04 + 0.11 * _over_time(motion.onset), 0.09)


def _claps(x, y, motion):
    return _box(np.abs(x) - (0.12 - 0.085 * _over_time(motion.onset)), y, 0.03, 0.12)


def _drops(x, y, motion):
    until = _over_time(np.minimum(_since(motion.onset[::-1])[::-1], 3))  # frames until the next one lands
    landed = _over_time(motion.onset > 0)
    falling = _disc(x, y - 0.11 + 0.07 * until, 0.05)
    return np.where(landed > 0, _box(x, y - 0.11, 0.11, 0.03), falling)


def _pendulum(x, y, motion):
    side = 2 * (np.cumsum(motion.onset > 0) % 2) - 1
    along, across = _turned(x, y + 0.14, _over_time(0.55 * side))
    return np.minimum(_box(along, across - 0.11, 0.015, 0.11), _disc(along, across - 0.22, 0.045))


def _mouth(x, y, motion):
    angle = np.abs(np.arctan2(y, x))
    opening = 0.08 + 1.0 * _over_time(motion.loudness)
    return np.maximum(_disc(x, y, 0.13), np.where(angle < opening, 1.0, -1.0))


def _ring(x, y, motion):
    radius = 0.03 + 0.04 * np.minimum(_over_time(_since(motion.onset)), 3)
    return np.abs(np.hypot(x, y) - radius) - 0.022


def _wave(x, y, motion):
    waves = 10 + 60 * _over_time(motion.height)
    swing = 0.01 + 0.07 * _over_time(motion.loudness)
    slope = np.sqrt(1 + np.square(swing * waves * np.cos(waves * x)))
    return np.maximum((np.abs(y - swing * np.sin(waves * x)) - 0.03) / slope, np.abs(x) - 0.14)


def _rise(x, y, motion):
    heard = motion.height[motion.audible]
    middle = heard.mean() if heard.size else 0.5
    lift = np.where(motion.audible, np.clip(0.02 + 0.6 * (motion.height - middle), -0.04, 0.08), -0.08)
    y = y + _over_time(lift)
    return np.maximum(0.87 * np.abs(x) - 0.5 * y, y) - 0.05


def _texture(x, y, motion):
    dots = np.random.default_rng(0).random((N_FRAMES, 8, 8)) < 0.1 + 0.7 * _over_time(motion.loudness)
    row, column = (np.clip(((v + 0.12) / 0.24 * 8).astype(int), 0, 7) for v in (y, x))
    inside = _box(x, y, 0.12, 0.12)
    return np.where(dots[:, row, column], inside, 1.0)


def _rotor(x, y, motion):
    angle = _over_time(np.cumsum(0.15 + 0.6 * motion.loudness))
    along, across = _turned(x, y, angle)
    return np.minimum(_box(along, across, 0.15, 0.025), _box(along, across, 0.025, 0.15))


def _square(x, y, motion):
    half = 0.03 + 0.08 * _over_time(motion.loudness)
    return _box(x, y, half, half)


def _diamond(x, y, motion):
    way = np.where(np.arange(N_FRAMES) % 2, 1, -1) * 0.06 * motion.loudness
    return (np.abs(x - _over_time(way)) + np.abs(y) - 0.12) / 1.5


_BY_KIND = (_knock, _claps, _drops, _pendulum, _mouth, _ring, _wave, _rise, _texture, _rotor, _square, _diamond)
LAWS = dict(zip(KINDS, _BY_KIND, strict=True))


class ScenePairs:
    """Draws a scene for each sound: its own object is heard, those of other sounds of the collection are silent.

    Args:
        kinds: (n) the kind of each sound, by name.
        bands: gives (M, T) log-mel bands of the sound of that number.
        held_out: with colours that training does not show.
        size: pixels a side.

    Raises:
        AudioformerError: a sound of a kind that has no object.
    """

    def __init__(self, kinds: Sequence[str], bands, held_out: bool = False, size: int = SIZE):
        unknown = sorted(set(kinds) - set(KINDS))
        if unknown:
            raise AudioformerError(
                f"no object is drawn for the classes {', '.join(unknown)[:200]}; scenes need a corpus of "
                f"{', '.join(KINDS)}: audioformer synth --kind clips --duration 3 --classes {','.join(KINDS)}"
            )
        self.kinds, self.bands, self.held_out, self.size = list(kinds), bands, held_out, size
        self.of_kind = {kind: [i for i, own in enumerate(self.kinds) if own == kind] for kind in set(self.kinds)}
        self._motions: dict[int, Motion] = {}

    def motion(self, index: int) -> Motion:
        """The curves of a sound, computed once."""
        if index not in self._motions:
            self._motions[index] = motion_of(self.bands(index))
        return self._motions[index]

    def scene(self, index: int, rng: np.random.Generator) -> tuple[Scene, list[int]]:
        """A scene in which sound `index` is heard, and all its sounds by number; one or two are silent, or none."""
        numbers = [int(index)]
        for _ in range(rng.integers(1 if self.held_out else 0, 3)):
            pool = self.of_kind[self.kinds[index]] if rng.random() < SAME_KIND else range(len(self.kinds))
            numbers.append(int(pool[rng.integers(len(pool))]))
        sounds = [(self.kinds[number], self.motion(number)) for number in numbers]
        return make_scene(sounds, rng, self.held_out), numbers

    def draw(self, indices: Sequence[int], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """(B, F, 3, S, S): a new scene for each of these sounds."""
        pairs = zip(indices, rngs, strict=True)
        return np.stack([self.scene(int(index), rng)[0].frames(self.size) for index, rng in pairs])
