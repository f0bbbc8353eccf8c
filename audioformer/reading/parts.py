"""What was seen of a sound file from outside, and stretches of it as files of their own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

CUT_SHORT = "the file was cut short; copy or download it again"
UNKNOWN = 0xFFFFFFFF  # a size that a program which writes into a pipe cannot know


def several_tracks(n: int) -> tuple[str, ...]:
    """What is to be said of a file with more than one sound track: players play, and the kit reads, the first."""
    return (f"it holds {n} sound tracks; only the first was read: export the others as files of their own",) * (n > 1)


@dataclass(frozen=True)
class Part:
    """One sound within a file: `head`, then the file's bytes from start to stop, then `tail`."""

    start: int
    stop: int
    head: bytes = b""
    tail: bytes = b""


@dataclass(frozen=True)
class Inspection:
    """What was seen from outside.

    Attributes:
        parts: to read one after the other; empty: the file is read as it is.
        promised: samples a channel that header or frames promise; None: as many as libsndfile says.
        share: of the promised bytes that are there, where samples cannot be counted from outside; else 1.
        notes: sentences for the user.
        cause: why samples are missing, should any be.
        open_end: sentence for the case that more is missing than anybody can count; "" if all can be counted.
    """

    parts: tuple[Part, ...] = ()
    promised: int | None = None
    share: float = 1.0
    notes: tuple[str, ...] = ()
    cause: str = "the file is damaged; copy or download it again"
    open_end: str = ""


class PartFile(io.RawIOBase):
    """A part as a file of its own, for libsndfile to read.

    Args:
        path: of the file.
        part: of it.
    """

    def __init__(self, path: Path, part: Part):
        self._part, self._file, self._at = part, open(path, "rb", buffering=0), 0  # noqa: SIM115 (closed in close)
        self._size = len(part.head) + part.stop - part.start + len(part.tail)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, never beyond either end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = min(max(0, base + offset), self._size)
        return self._at

    def readinto(self, buffer) -> int:
        """Fill a buffer from head, file and tail."""
        view, part, done = memoryview(buffer), self._part, 0
        inside = len(part.head) + part.stop - part.start
        while done < len(view) and self._at < self._size:
            if self._at < len(part.head):
                piece = part.head[self._at : self._at + len(view) - done]
            elif self._at < inside:
                self._file.seek(part.start + self._at - len(part.head))
                piece = self._file.read(min(len(view) - done, inside - self._at))
            else:
                piece = part.tail[self._at - inside :][: len(view) - done]
            if not piece:
                break
            view[done : done + len(piece)] = piece
            done, self._at = done + len(piece), self._at + len(piece)
        return done

    def close(self) -> None:
        """Close the file behind it."""
        self._file.close()
        super().close()
