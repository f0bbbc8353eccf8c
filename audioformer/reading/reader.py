"""A sound file read from one end to the other, and what was promised held against what came.

`audio.load_audio` reads through `SoundReader`. libsndfile decodes; it never jumps (soundfile jumps after every read,
which many decoders cannot, or pay for with an error or a gap), and its count of samples is a promise to check, not a
fact.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from audioformer.errors import AudioformerError
from audioformer.reading.files import has_pyav, media_format, refusal
from audioformer.reading.inspect import inspect, rebuilt
from audioformer.reading.media import MediaFile
from audioformer.reading.parts import Inspection, Part, PartFile

BLOCK, SMALL_BLOCK = 1 << 18, 256  # samples decoded at a time; after an error so few, to lose little of what is whole
LOOKED_AT = ("WAV", "WAVEX", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST", "W64")  # by reading
LEAST_BYTES = 1 / 16384  # a sample takes: a promise of more samples than that is none
ALL = 1 << 60
UNDECODED = "one of the sounds joined in it cannot be decoded and is left out; copy or download it again"
MP3_FRAME = 1152  # samples: its lengths, and those of FFmpeg, are those of whole packets


class _Forward(soundfile.SoundFile):
    """libsndfile without jumps: soundfile looks here for whether it may.

    Args:
        path: of the file.
        part: of it; None is the file itself.
    """

    def __init__(self, path: Path, part: Part | None):
        self._bytes = None if part is None else PartFile(path, part)
        try:
            super().__init__(str(path) if part is None else self._bytes)
        except BaseException:
            self.close()
            raise

    def seekable(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """Close the decoder and the part's own file."""
        if hasattr(self, "_file"):
            super().close()
        if self._bytes is not None:
            self._bytes.close()


class SoundReader:
    """An open sound file; use as a context.

    Args:
        path: of an existing file.

    Attributes:
        sample_rate: Hz.
        channels: C.
        frames: samples a channel that it should hold; None where no header says so.
        there: samples a channel that can come at most, whatever the header promises.
        is_float: whether its samples are stored as floating-point numbers, which may be on any scale.
        notes: sentences for the user; complete when all blocks were taken.

    Raises:
        AudioformerError: nothing that can be decoded; the message says what the file is and the way out.
    """

    def __init__(self, path: Path):
        self.path, self.seen, self.notes = path, inspect(path), []
        self._media, self._error, self._first, self.there = None, "", None, ALL
        try:
            self._first = self._open_plainly()
            first = self._first
            self.sample_rate, self.channels, self.format = first.samplerate, first.channels, first.format
            self.is_float = first.subtype in ("FLOAT", "DOUBLE")
            self.there = first.frames if len(self.seen.parts) < 2 else ALL
            self.frames = self._count(first)
        except (soundfile.LibsndfileError, RuntimeError, MemoryError, TypeError, OSError) as error:
            self._open_media(error)

    def _open_plainly(self) -> _Forward:
        try:
            return self._open(self.seen.parts[0] if self.seen.parts else None)
        except soundfile.LibsndfileError:
            if len(self.seen.parts) == 1:
                raise
            self.notes += [UNDECODED] if self.seen.parts else []
            self.seen = replace(self.seen, parts=self.seen.parts[1:]) if self.seen.parts else rebuilt(self.path)
            return self._open_plainly()

    def _open(self, part: Part | None) -> _Forward:
        return _Forward(self.path, part)

    def _open_media(self, error: Exception) -> None:
        """With PyAV, what libsndfile does not decode."""
        with open(self.path, "rb") as file:
            head = file.read(1024)
        media = media_format(head)
        if media is None or not has_pyav():
            raise refusal(self.path, head, error) from error
        import av

        try:
            self._media = MediaFile(self.path, media[1])
        except (av.FFmpegError, ValueError, OSError, AttributeError) as also:
            if isinstance(also, AudioformerError):
                raise
            raise refusal(self.path, head, getattr(also, "strerror", None) or error) from also
        self.sample_rate, self.channels, self.frames = self._media.samplerate, self._media.channels, self._media.frames
        self.format, self.is_float, self.there = media[1], False, ALL
        self.seen = Inspection(open_end=self.seen.open_end, notes=self._media.notes)

    def _count(self, first: _Forward) -> int | None:
        """Samples a channel of all parts, as far as headers say; None where they do not, or where it cannot be true."""
        if self.seen.promised is not None:
            count = self.seen.promised
        elif self.format not in LOOKED_AT:
            count = self._count_in_log(first)
        else:
            count = 0
            for number, part in enumerate(self.seen.parts or (None,)):
                with contextlib.suppress(soundfile.LibsndfileError):
                    with contextlib.nullcontext(first) if number == 0 else self._open(part) as sound:
                        count += sound.frames
            count = round(count / self.seen.share) if self.seen.share > 0 else count
        if 0 <= count * LEAST_BYTES <= self.path.stat().st_size + 1:
            return count
        if self.seen.promised is not None:
            self.notes.append(f"its header counts {count} samples, too many for its size; all that is there was read")
        return None

    def _count_in_log(self, first: _Forward) -> int:
        """Samples a channel that the header of a rare format promises: libsndfile writes down what it finds there."""
        log = first.extra_info
        if found := re.findall(r"(?:Frames|Cols|OneShotHiSamples|Sample Count|Data length) *:? *(\d+)", log):
            count = int(found[-1])
            if self.format.startswith("MAT"):  # other tables may stand behind the sound
                self.there = min(count, first.frames)
                return count
            if count < first.frames and self.format != "SDS":
                self.notes.append(f"its header counts {count} of {first.frames} samples; all that is there was read")
            return first.frames if self.format == "SDS" else max(count, first.frames)
        if "truncated" in log:
            self.notes.append("its end is missing, and how long that was cannot be known: the file was cut short")
        return first.frames

    def __enter__(self) -> SoundReader:
        return self

    def __exit__(self, *exc) -> None:
        for opened in (self._first, self._media):
            if opened is not None:
                opened.close()

    def blocks(self, first: int = 0, n: int = ALL) -> Iterator[np.ndarray]:
        """(m, C) float32, up to n samples from the first on; afterwards `notes` say what was not to be had."""
        came, n_there = 0, min(n, max(0, self.there - first))
        for block in self._media_blocks(first) if self._media else self._sound_blocks(first, n):
            block = block[: n_there - came]
            came += len(block)
            yield block
            if came >= n_there:
                break
        self._account(first, came, n)

    def _account(self, first: int, came: int, n: int) -> None:
        """Say what the end of the file owed."""
        promised = None if self.frames is None else min(max(0, self.frames - first), n)
        missing = 0 if promised is None else promised - came
        tolerated = self.sample_rate // 10 if self._media else MP3_FRAME if self.format == "MP3" else 0
        self.notes += self.seen.notes
        if missing > tolerated:
            seconds = missing / self.sample_rate
            cause = "FFmpeg could not decode them" if self._media else self.seen.cause
            least = "at least " if self.seen.open_end else ""
            self.notes.append(f"{least}{missing} of {promised} samples ({seconds:.2f} s) are missing: {cause}")
        elif self.seen.open_end and came < n:
            self.notes.append(self.seen.open_end)
        elif self._error:
            self.notes.append(f"its end is missing: it could not be decoded beyond {came / self.sample_rate:.2f} s")

    def _media_blocks(self, first: int) -> Iterator[np.ndarray]:
        passed = 0
        for block in self._media.blocks():
            passed += len(block)
            if passed > first:
                yield block[max(0, len(block) - (passed - first)) :]
        self._error = self._media.problem

    def _sound_blocks(self, first: int, n: int) -> Iterator[np.ndarray]:
        """All parts, one after the other; what does not go with the first one is named and left out."""
        for number, part in enumerate(self.seen.parts or (None,)):
            try:
                sound = self._first if number == 0 else self._open(part)
            except soundfile.LibsndfileError:
                self.notes.append(UNDECODED)
                continue
            try:
                if (sound.samplerate, sound.channels) != (self.sample_rate, self.channels):
                    self.notes.append(
                        f"part {number + 1} of {len(self.seen.parts)} that were joined in it is left out: it has "
                        f"{sound.channels} channels at {sound.samplerate} Hz, the first has {self.channels} at "
                        f"{self.sample_rate}; cut the file in two"
                    )
                    if self.frames is not None:
                        self.frames -= sound.frames
                    continue
                came = 0
                for block in self._decoded(sound, part, first, n):
                    came += len(block)
                    yield block
                n -= came
                first = 0 if came else max(0, first - sound.frames)
            finally:
                sound.close()
            if n <= 0:
                return

    def _decoded(
        self, sound: _Forward, part: Part | None, first: int, n: int, block: int = BLOCK
    ) -> Iterator[np.ndarray]:
        """One part from sample `first` on, to its end or to where nothing can be decoded any more."""
        at, end = 0, min(first + n, sound.frames)
        try:
            if block == BLOCK and self._can_jump(sound, first):
                at = sound.seek(first)
            while at < end:
                samples = sound.read(min(block, (first if at < first else end) - at), "float32", always_2d=True)
                if not len(samples):
                    return
                at += len(samples)
                if at > first:
                    yield samples
        except (soundfile.LibsndfileError, RuntimeError) as error:
            self._error = str(error)
        if at < end and block == BLOCK:  # the block may hold whole samples before the damage
            first, self._error = max(first, at), ""
            with self._open(part) as again:
                yield from self._decoded(again, part, first, end - first, SMALL_BLOCK)

    def _can_jump(self, sound: _Forward, first: int) -> bool:
        """Whether the decoder is as good after a jump: not that of MP3, which needs the frames before."""
        return 0 < first < sound.frames and self.format != "MP3" and soundfile.SoundFile.seekable(sound)
