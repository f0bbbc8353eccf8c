"""Changes to the waveform before it is coded: many codings of one recording, so that little data goes further.

Codes cannot be made louder, faster or more distant afterwards, so all of this happens before the codec. Each function
takes and returns (N,) float32 at a sample rate in Hz; all randomness comes through a `numpy.random.Generator`, so the
same seed gives the same sound. Silence stays silent or finite throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from audioformer.data.effects import (
    add_noise,
    band_limit,
    change_speed,
    change_tempo,
    equalise,
    low_rate,
    reverb,
    shift,
    soft_clip,
)
from audioformer.errors import AudioformerError

Range = tuple[float, float]


@dataclass(frozen=True)
class AugmentConfig:
    """How often and how much; `*_chance` are probabilities 0 to 1, ranges are (least, most).

    Attributes:
        speed_chance: resample, which changes pitch and length together, by a factor in `speed` (2 = twice as fast).
        tempo_chance: change length alone (overlap-add) by a factor in `tempo`.
        shift_chance: move the clip by up to `shift` of its length, either way; `circular` wraps what leaves one end
            to the other, else silence moves in.
        crop_chance: keep a random stretch of a share in `crop`.
        pad_chance: silence before and after, each of a random length in `pad_s`, seconds.
        eq_chance: smooth random curve of up to `eq_db` either way.
        band_chance: cut below a frequency in `high_pass_hz` and above one in `low_pass_hz`.
        rate_chance: record at a lower rate in `rate_hz`: sharply cut above half of it, as a telephone does.
        reverb_chance: synthetic room that decays by 60 dB in `reverb_s` seconds, `reverb_wet_db` relative to the sound.
        noise_chance: white, pink or brown noise at a signal-to-noise ratio in `noise_snr_db`.
        clip_chance: drive a tanh by a gain in `drive_db`: soft clipping.
        gain_chance: level change in `gain_db`.
        flip_chance: change the sign.
        mixup_chance: add a second clip; the first keeps a share in `mixup_weight` of the level (used by `prepare`).
    """

    speed_chance: float = 0.0
    speed: Range = (0.85, 1.18)
    tempo_chance: float = 0.0
    tempo: Range = (0.85, 1.18)
    shift_chance: float = 0.0
    shift: float = 0.25
    circular: bool = False
    crop_chance: float = 0.0
    crop: Range = (0.7, 1.0)
    pad_chance: float = 0.0
    pad_s: Range = (0.0, 0.4)
    eq_chance: float = 0.0
    eq_db: float = 6.0
    band_chance: float = 0.0
    high_pass_hz: Range = (30.0, 300.0)
    low_pass_hz: Range = (3000.0, 11000.0)
    rate_chance: float = 0.0
    rate_hz: Range = (8000.0, 16000.0)
    reverb_chance: float = 0.0
    reverb_s: Range = (0.1, 0.6)
    reverb_wet_db: Range = (-20.0, -6.0)
    noise_chance: float = 0.0
    noise_snr_db: Range = (5.0, 35.0)
    clip_chance: float = 0.0
    drive_db: Range = (0.0, 12.0)
    gain_chance: float = 0.0
    gain_db: Range = (-12.0, 6.0)
    flip_chance: float = 0.0
    mixup_chance: float = 0.0
    mixup_weight: Range = (0.5, 0.9)

    def __post_init__(self):
        """Refuse what no step can do."""
        for name, value in ((field.name, getattr(self, field.name)) for field in fields(self)):
            if name.endswith("_chance") and not 0 <= value <= 1:
                raise AudioformerError(f"{name}={value} must be a probability between 0 and 1")
            if isinstance(value, tuple | list) and (len(value) != 2 or not value[0] <= value[1]):
                raise AudioformerError(f"{name}={value} must be (least, most)")
        for name in ("speed", "tempo"):
            if not 0.5 <= getattr(self, name)[0] <= getattr(self, name)[1] <= 2:
                raise AudioformerError(f"{name}={getattr(self, name)} must lie between 0.5 and 2")
        if not (0 <= self.shift <= 1 and 0 < self.crop[0] and self.crop[1] <= 1):
            raise AudioformerError(f"shift={self.shift} must be 0 to 1 and crop={self.crop} above 0 and up to 1")
        if not (0 <= self.pad_s[0] and self.pad_s[1] <= 60):
            raise AudioformerError(f"pad_s={self.pad_s} must lie between 0 and 60 seconds")


_LIGHT = AugmentConfig(
    speed_chance=0.5,
    speed=(0.92, 1.09),
    shift_chance=0.5,
    shift=0.1,
    eq_chance=0.5,
    eq_db=4.0,
    noise_chance=0.3,
    noise_snr_db=(15.0, 40.0),
    gain_chance=0.8,
    gain_db=(-6.0, 6.0),
    flip_chance=0.5,
)
_STRONG = AugmentConfig(
    speed_chance=0.7,
    tempo_chance=0.3,
    shift_chance=0.7,
    crop_chance=0.3,
    eq_chance=0.7,
    eq_db=8.0,
    band_chance=0.3,
    reverb_chance=0.3,
    noise_chance=0.5,
    clip_chance=0.15,
    gain_chance=0.9,
    flip_chance=0.5,
)
_VOICES = replace(  # words: other vocal tracts, other paces, pauses before and after; hardly a word is cut off
    _STRONG,
    speed_chance=0.9,
    speed=(0.75, 1.33),
    tempo_chance=0.5,
    tempo=(0.75, 1.33),
    crop_chance=0.2,
    crop=(0.85, 1.0),
    pad_chance=0.5,
    shift_chance=0.3,
    shift=0.1,
)
PRESETS = {
    "none": AugmentConfig(),
    "light": _LIGHT,
    "strong": _STRONG,
    "strong-mixup": replace(_STRONG, mixup_chance=0.5),
    "robust": replace(  # recordings of any level, from far away, through a telephone
        _STRONG,
        mixup_chance=0.5,
        band_chance=0.4,
        high_pass_hz=(30.0, 400.0),
        low_pass_hz=(2800.0, 11000.0),
        rate_chance=0.35,
        gain_db=(-40.0, 6.0),
    ),
    "voices": _VOICES,
}


def augment_preset(name: str) -> AugmentConfig:
    """The settings of "none", "light", "strong", "strong-mixup", "robust" or "voices".

    Raises:
        AudioformerError: another name.
    """
    if name not in PRESETS:
        raise AudioformerError(f"augmentation {name!r} is unknown; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def augment(samples: np.ndarray, sample_rate: int, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """One random variation of a clip.

    Args:
        samples: (N,) float32, N >= 1.
        sample_rate: Hz.
        rng: the only source of chance.
        config: how often and how much; the defaults change nothing.

    Returns:
        (N',) float32 within +-1, N' >= 1; N' differs from N where speed, tempo or crop do.

    Raises:
        AudioformerError: not one-dimensional, or empty.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> augment(np.ones(8, np.float32), 8000, rng, AugmentConfig(gain_chance=1, gain_db=(-6, -6))).round(2)[:2]
        array([0.5, 0.5], dtype=float32)
    """
    return augment_with_times(samples, sample_rate, rng, config)[0]


def augment_with_times(samples: np.ndarray, sample_rate: int, rng: np.random.Generator, config: AugmentConfig):
    """As `augment`, with what happened to time.

    Returns:
        ((N',) float32, TimeMap).
    """
    x = np.asarray(samples, dtype=np.float32)
    if x.ndim != 1 or not x.size:
        raise AudioformerError(
            f"samples have shape {x.shape}; augmentation takes one channel (N,) of at least one sample"
        )
    x, times = _move(x, sample_rate, rng, config)
    chances = (  # in the order in which sound meets a room, a microphone and a recorder
        (
            config.reverb_chance,
            lambda x: reverb(x, sample_rate, rng, _pick(rng, config.reverb_s), _pick(rng, config.reverb_wet_db)),
        ),
        (config.noise_chance, lambda x: add_noise(x, rng, _pick(rng, config.noise_snr_db))),
        (config.eq_chance, lambda x: equalise(x, sample_rate, rng, config.eq_db)),
        (
            config.band_chance,
            lambda x: band_limit(x, sample_rate, _pick(rng, config.high_pass_hz), _pick(rng, config.low_pass_hz)),
        ),
        (config.clip_chance, lambda x: soft_clip(x, _pick(rng, config.drive_db))),
        (config.gain_chance, lambda x: x * np.float32(10 ** (_pick(rng, config.gain_db) / 20))),
        (config.flip_chance, np.negative),
    )
    for chance, change in chances:
        if rng.random() < chance:
            x = change(x)
    if (
        config.rate_chance > 0 and rng.random() < config.rate_chance
    ):  # drawn only if asked for: old seeds keep their sounds
        x = low_rate(x, sample_rate, _pick_log(rng, config.rate_hz))
    return _within_full_scale(x), times


@dataclass(frozen=True)
class TimeMap:
    """Where a moment of the clip has gone: t becomes t / speed + offset_s, modulo duration_s if circular.

    Attributes:
        speed: factor by which the clip runs faster.
        offset_s: added after that, seconds.
        duration_s: length of the result, seconds.
        circular: what leaves one end comes in at the other.
    """

    speed: float
    offset_s: float
    duration_s: float
    circular: bool = False

    def event(self, onset_s: float, offset_s: float) -> list[tuple[float, float]]:
        """What is left of an event from onset_s to offset_s: none, one or (where it wraps round) two stretches."""
        start, stop = (t / self.speed + self.offset_s for t in (onset_s, offset_s))
        turns = (-self.duration_s, 0.0, self.duration_s) if self.circular else (0.0,)
        pieces = [(max(start + turn, 0.0), min(stop + turn, self.duration_s)) for turn in turns]
        return sorted(piece for piece in pieces if piece[1] > piece[0])


def _move(
    x: np.ndarray, sample_rate: int, rng: np.random.Generator, config: AugmentConfig
) -> tuple[np.ndarray, TimeMap]:
    """Speed, tempo, crop, padding, shift: the steps that move events."""
    n_before, offset = x.size, 0
    if rng.random() < config.speed_chance:
        x = change_speed(x, _pick_log(rng, config.speed))
    if rng.random() < config.tempo_chance:
        x = change_tempo(x, sample_rate, _pick_log(rng, config.tempo))
    speed = n_before / x.size
    if rng.random() < config.crop_chance:
        length = max(1, round(x.size * _pick(rng, config.crop)))
        first = int(rng.integers(0, x.size - length + 1))
        x, offset = x[first : first + length], -first
    padded = (
        config.pad_chance > 0 and rng.random() < config.pad_chance
    )  # drawn only if asked for: old seeds keep their sounds
    if padded:
        before, after = (round(_pick(rng, config.pad_s) * sample_rate) for _ in range(2))
        x, offset = np.pad(x, (before, after)), offset + before
    circular = False
    if rng.random() < config.shift_chance:
        by = round(x.size * rng.uniform(-config.shift, config.shift))
        circular = config.circular and offset == 0 and not padded  # after a crop the two ends were never neighbours
        x, offset = (np.roll(x, by) if circular else shift(x, by)), offset + by
    return x, TimeMap(speed, offset / sample_rate, x.size / sample_rate, circular)


def _pick(rng: np.random.Generator, limits: Range) -> float:
    return float(rng.uniform(*limits))


def _pick_log(rng: np.random.Generator, limits: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _within_full_scale(x: np.ndarray) -> np.ndarray:
    peak = float(np.abs(x).max())
    return (x / np.float32(peak) if peak > 1 else x).astype(np.float32)
