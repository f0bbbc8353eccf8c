"""The list of sound classes: which function makes each, its number, and how recordings of it usually look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioformer.data.synth import alarms, animals, everyday, instruments, machines, voices, weather, wildlife
from audioformer.data.synth.dsp import Rng

Make = Callable[[Rng, int, float], np.ndarray]


@dataclass(frozen=True)
class Source:
    """One class of sound.

    Args:
        make: `(rng, sample_rate, duration_s) -> (n,)` dry sound, at most `duration_s` long.
        target: class number; ESC-50's own for the ten of ESC-10, from 100 on for the rest.
        texture: True if it lasts as long as there is room, False if it is an event with an end.
        padded: how often a clip holds a shorter recording inside digital silence, as ESC-50 clips do.
        peak: range of the largest absolute sample value of a clip.
        snr_db: range of the level of the sound over the background noise.
        wetness: 0 to 1, how much of a room is heard.
    """

    make: Make
    target: int
    texture: bool = False
    padded: float = 0.4
    peak: tuple[float, float] = (0.4, 1.0)
    snr_db: tuple[float, float] = (8.0, 60.0)
    wetness: float = 0.6


def _texture(make: Make, target: int, **options: object) -> Source:
    defaults = {"texture": True, "padded": 0.04, "snr_db": (14.0, 60.0), "wetness": 0.3}
    return Source(make, target, **{**defaults, **options})


SOURCES: dict[str, Source] = {
    "dog": Source(animals.dog, 0, padded=0.45, snr_db=(14, 80)),
    "rooster": Source(animals.rooster, 1, padded=0.95, snr_db=(16, 75), wetness=0.9),
    "rain": _texture(weather.rain, 10, padded=0.0, wetness=0.15),
    "sea_waves": _texture(weather.sea_waves, 11, snr_db=(20, 60), wetness=0.1),
    "crackling_fire": _texture(weather.crackling_fire, 12, snr_db=(6, 45), wetness=0.15),
    "crying_baby": Source(voices.crying_baby, 20, padded=0.2, snr_db=(20, 75)),
    "sneezing": Source(voices.sneezing, 21, padded=0.95, snr_db=(28, 85), wetness=0.4),
    "clock_tick": _texture(everyday.clock_tick, 38, padded=0.06, peak=(0.1, 0.6), snr_db=(-2, 60), wetness=0.9),
    "helicopter": _texture(machines.helicopter, 40, snr_db=(20, 60), wetness=0.15),
    "chainsaw": _texture(machines.chainsaw, 41, snr_db=(16, 50), wetness=0.6),
    "speech_vowels": Source(voices.speech_vowels, 100),
    "whisper": Source(voices.whisper, 101),
    "laughter": Source(voices.laughter, 102),
    "coughing": Source(everyday.coughing, 103, padded=0.6),
    "footsteps": _texture(everyday.footsteps, 104, padded=0.2, snr_db=(6, 45)),
    "hand_claps": _texture(everyday.hand_claps, 105, padded=0.2, wetness=0.8),
    "door_knock": Source(everyday.door_knock, 106, padded=0.6),
    "glass_breaking": Source(everyday.glass_breaking, 107, padded=0.8),
    "keyboard_typing": _texture(machines.keyboard_typing, 108, padded=0.1, snr_db=(4, 40)),
    "piano": _texture(instruments.piano, 110, wetness=0.8),
    "plucked_string": _texture(instruments.plucked_string, 111, wetness=0.8),
    "flute": _texture(instruments.flute, 112, wetness=0.8),
    "violin": _texture(instruments.violin, 113, wetness=0.8),
    "organ": _texture(instruments.organ, 114, wetness=1.0),
    "bell": _texture(instruments.bell, 115, padded=0.2),
    "drum_kit": _texture(instruments.drum_kit, 116),
    "siren": _texture(alarms.siren, 120),
    "alarm_clock": Source(alarms.alarm_clock, 121),
    "telephone_ring": Source(alarms.telephone_ring, 122),
    "car_horn": Source(alarms.car_horn, 123, padded=0.5),
    "train_horn": Source(alarms.train_horn, 124, padded=0.3, wetness=0.9),
    "engine": _texture(machines.engine, 130),
    "drill": Source(machines.drill, 131, padded=0.3),
    "vacuum_cleaner": _texture(machines.vacuum_cleaner, 132),
    "washing_machine": _texture(machines.washing_machine, 133),
    "fan": _texture(machines.fan, 134),
    "wind": _texture(weather.wind, 140),
    "thunder": Source(weather.thunder, 141, padded=0.2),
    "stream": _texture(weather.stream, 142),
    "water_drops": _texture(weather.water_drops, 143, padded=0.1),
    "pouring_water": Source(weather.pouring_water, 144),
    "boiling": _texture(weather.boiling, 145),
    "cat_meow": Source(animals.cat_meow, 150),
    "cow": Source(animals.cow, 151),
    "sheep": Source(animals.sheep, 152),
    "crow": Source(animals.crow, 153),
    "bird_song": Source(wildlife.bird_song, 154, padded=0.1),
    "cricket": _texture(wildlife.cricket, 155, snr_db=(2, 45)),
    "frog": Source(wildlife.frog, 156, padded=0.1),
    "insect_buzz": _texture(wildlife.insect_buzz, 157),
    "woodpecker": Source(wildlife.woodpecker, 158),
}
CLASSES: tuple[str, ...] = tuple(SOURCES)
ESC10_CLASSES: tuple[str, ...] = CLASSES[:10]
