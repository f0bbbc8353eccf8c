"""One sound file, whole or a stretch of it, as samples: what `audio.load_audio` reads, with the rules for files.

Too long is refused before reading; channels are mixed block by block, so that an hour needs no more memory than its
result; floats on another scale are brought to full scale. What the user must know of it comes back as notes.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.reading.files import FORMATS
from audioformer.reading.reader import ALL, BLOCK, SoundReader

if TYPE_CHECKING:
    from audioformer.audio import Waveform

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_000_000
MAX_SAMPLES = 1 << 30  # 4 GiB as float32
MOST_IN_A_BYTE = 64  # samples of all channels: of Opus at 6 kbit/s
MOST_MIXED = 8  # channels of a mixture; more are an array of microphones, whose mean is not what anybody heard
CANCELLED = 0.01  # of the power: what is left of it in the mean of channels that cancel out
LOUDEST = 2.0  # of a file of floats, times full scale; beyond, it was written on another scale


def read_sound(
    path: str | os.PathLike, mono: bool, max_s: float, start_s: float = 0.0, duration_s: float | None = None
) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """Read a sound file, or a stretch of it; arguments and errors as `audio.load_audio`.

    Returns:
        (C, N) float32, N >= 1, the file's own rate in Hz, and notes for the user.
    """
    path, stretch = _readable_file(path), (max_s, start_s, duration_s)
    with SoundReader(path) as sound:
        how = "all"
        if mono:
            how = "mean" if sound.channels <= MOST_MIXED and path.suffix.lower() != ".amb" else "first"
        samples, share, loudest = _collect(sound, MIXES[how], *stretch)
    notes = list(sound.notes)
    if share < CANCELLED:
        how = "difference" if sound.channels == 2 else "loudest"
        mix = MIXES.get(how, lambda block: block[:, loudest])
        with SoundReader(path) as again:
            samples, _, _ = _collect(again, mix, *stretch)
    notes += MIX_NOTES[how] if sound.channels > 2 or how == "difference" else ()
    if sound.is_float:
        samples, scaled = to_full_scale(samples)
        notes += scaled
    return samples, sound.sample_rate, tuple(notes)


def length_s(path: str | os.PathLike) -> float | None:
    """Seconds that a sound file should hold; None where its header does not say. Errors as `load_audio`."""
    with SoundReader(_readable_file(path)) as sound:
        return None if sound.frames is None else sound.frames / sound.sample_rate


def _readable_file(path: str | os.PathLike) -> Path:
    """Path of an existing, non-empty regular file, or a clear error."""
    try:
        path = Path(path)
        if path.is_dir():
            raise AudioformerError(f"{path}: is a folder; give one sound file ({FORMATS})")
        if re.match(r"(https?|s3|file):[/\\]", str(path)):
            raise AudioformerError(f"{path}: is an address, not a file name; download the sound first, give its name")
        if path.exists() and not path.is_file():
            raise AudioformerError(f"{path}: is a pipe or a device, not a file; save the sound in a file first")
        if path.is_symlink() and not path.exists():
            raise AudioformerError(f"{path}: is a link to what is not here; get the sound itself, e.g. `git annex get`")
        if not path.is_file():
            raise AudioformerError(f"{path}: no such file; check the name")
        if path.stat().st_size == 0:
            raise AudioformerError(f"{path.name}: the file is empty (0 bytes); give a {FORMATS} file")
        with open(path, "rb"):
            return path
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, AudioformerError):
            raise
        raise AudioformerError(f"{path!r}: cannot be opened ({error}); give the path of a {FORMATS} file") from error


def _collect(
    sound: SoundReader, mix: Callable, max_s: float, start_s: float, duration_s: float | None
) -> tuple[np.ndarray, float, int]:
    """(C, N) float32 of an open sound, the share of its channels' power that their mean keeps, the loudest channel.

    What is too long is refused before reading, or where its header does not say, as soon as it is.
    """
    name, rate, frames = sound.path.name, sound.sample_rate, sound.frames
    check_rate(rate, name)
    if (first := round(start_s * rate)) and frames is not None and first >= frames:
        raise AudioformerError(f"{name}: ends at {frames / rate:.2f} s, before the clip's start at {start_s:.2f} s")
    n = ALL if duration_s is None else max(1, round(duration_s * rate))
    expected = BLOCK if frames is None else min(frames - first, n)
    channels = sound.channels if mix is MIXES["all"] else 1
    limit = int(min(max_s * rate, MAX_SAMPLES / channels))
    likely = BLOCK + MOST_IN_A_BYTE * sound.path.stat().st_size // sound.channels  # headers may promise anything
    samples, end, power, stays = np.empty((channels, min(expected, limit, likely)), np.float32), 0, 0.0, 0.0
    _refuse_beyond(limit, 0 if frames is None else min(expected, sound.there - first), rate, name)
    for block in sound.blocks(first, n):
        start, end = end, end + len(block)
        if end > samples.shape[1]:  # the header did not say how long it is, or the file is hardly more than a header
            _refuse_beyond(limit, end, rate, name)
            samples = np.concatenate([samples[:, :start], np.empty((channels, min(2 * end, limit)), np.float32)], 1)
        samples[:, start:end] = mix(block)
        if mix is MIXES["mean"] and sound.channels > 1:
            mean = samples[0, start:end]
            power = power + np.array([np.vdot(channel, channel) for channel in block.T], np.float64)
            stays += float(np.vdot(mean, mean))
    if not end:
        reason = "; ".join(sound.notes) or "record or choose a clip of at least one sample"
        raise AudioformerError(f"{name}: holds 0 samples; {reason}")
    share = stays / np.mean(power) if np.any(power) else 1.0
    return samples[:, :end], share, int(np.argmax(power))


MIXES = {
    "all": lambda block: block.T,
    "mean": lambda block: sum(block.T) / block.shape[1],  # twenty times as fast as the mean over so short an axis
    "first": lambda block: block[:, 0],
    "difference": lambda block: (block[:, 0] - block[:, 1]) / 2,
}


MIX_NOTES = {
    "all": (),
    "loudest": ("its channels cancel out in their mean; only the loudest one is heard",),
    "mean": ("its channels were averaged to one",),
    "first": ("only the first of its channels is heard: so many microphones, or a sphere of sound, have no mean",),
    "difference": ("its two channels are each other's opposite and cancel out; the second was turned over",),
}


def _refuse_beyond(limit: int, n_samples: int, rate: int, name: str) -> None:
    if n_samples > limit:
        raise AudioformerError(
            f"{name}: {n_samples / rate:.0f} s is longer than the {limit / rate:.0f} s allowed; cut it first"
        )


def to_full_scale(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers far beyond +-1 brought to it, so that what is heard and what is coded are the same; and what was done."""
    peak = float(np.abs(samples).max())
    if not LOUDEST < peak < np.inf:
        return samples, ()
    if peak <= 2**31 and (samples == np.round(samples)).all():
        if 0 <= float(samples.min()) and peak <= 255:
            return (samples - 128) / 128, ("its numbers are 8-bit ones stored as floats; scaled to +-1",)
        bits = next(bits for bits in (16, 24, 32) if peak <= 2 ** (bits - 1))
        return samples / 2.0 ** (bits - 1), (f"its numbers are {bits}-bit ones stored as floats; scaled to +-1",)
    return samples / peak, (
        f"its samples reach {peak:.3g} times full scale; made {20 * np.log10(peak):.0f} dB quieter",
    )


def check_rate(sample_rate: int, name: str) -> None:
    """Refuse a rate outside 1 kHz to 1 MHz, or one that is not a whole number of Hz."""
    if not isinstance(sample_rate, int | np.integer) or not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
        raise AudioformerError(
            f"{name}: sample_rate={sample_rate!r} must be a whole number of Hz in {MIN_RATE_HZ}-{MAX_RATE_HZ}; if "
            "that is not the true rate, give the samples as an array with the true one"
        )


def log_notes(source: object, waveform: Waveform) -> Waveform:
    """Where what is returned of a file cannot hold a word: what is missing of it or was changed, to the log.

    Args:
        source: file or name; what is no name was open before, and its notes are in its owner's hands.
        waveform: what came of it; returned.
    """
    if isinstance(source, str | os.PathLike):
        for sentence in waveform.notes:
            logging.getLogger("audioformer").warning("%s: %s", source, sentence)
    return waveform
