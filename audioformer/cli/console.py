"""What the command line shows: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PIPE_INTERVAL_S, SCREEN_INTERVAL_S = 10.0, 1.0
STOPPED = 130  # exit status after Ctrl-C
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"  # of terminals, of lines, of the direction of writing


def printable(text: str, keep: str = "") -> str:
    r"""Text that changes nothing but its place on a terminal: control characters become their escapes.

    Args:
        text: may hold a label or a file name of somebody else.
        keep: control characters that stay.

    Example:
        >>> print(printable("dog" + chr(27) + "[2J"))
        dog\x1b[2J
    """
    return re.sub(f"[{CONTROL}]", lambda match: match[0] if match[0] in keep else repr(match[0])[1:-1], text)


def is_first_process() -> bool:
    """False in all but one of the processes that `torchrun` or `accelerate launch` start: those keep quiet."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Result:
    """What a verb found.

    Attributes:
        document: for `--json`.
        text: for people; "" prints nothing.
        status: exit status, 0 unless part of the work could not be done.
    """

    document: Any
    text: str = ""
    status: int = 0


class Stopped(Exception):
    """Ctrl-C, with what was saved and how to continue."""


@contextlib.contextmanager
def stoppable(folder: str | Path) -> Iterator[None]:
    """Turn Ctrl-C into a line that says how to continue."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped; the state is saved in {folder}: the same command continues from there") from None


def print_result(result: Result, as_json: bool) -> None:
    """Write a result to standard output, in one piece."""
    if not is_first_process():
        return
    if as_json:
        text = json.dumps(plain(result.document), indent=2, ensure_ascii=False, allow_nan=False)
        text = re.sub(f"[{CONTROL}]", _escaped_for_json, text)
    else:
        text = printable(result.text, keep="\n")
    if text:
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), flush=True)


def _escaped_for_json(match: re.Match) -> str:
    """json.dumps escapes the first 32 characters in texts; line ends between texts stay."""
    return match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}"


def plain(value: Any) -> Any:
    """Anything to strict JSON: numbers that are not finite become null, arrays lists, paths text."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def note(message: str) -> None:
    """A line on standard error."""
    if is_first_process():
        print(printable(message), file=sys.stderr, flush=True)


def note_all(file: str, notes: Sequence[str]) -> None:
    """What is to be said about a sound file, a line on standard error for each sentence."""
    for sentence in notes:
        note(f"{printable(str(file))}: {sentence}")


def complain(message: str) -> None:
    """One line on standard error: what was wrong, the rule, what to do."""
    print("audioformer: " + printable(" ".join(message.split())), file=sys.stderr, flush=True)


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of cells as aligned text; columns are two spaces apart."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows), default=0))]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    )


def clock(seconds: float) -> str:
    """A time span for people: "12 s", "3 min 05 s", "2 h 07 min"."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class Progress:
    """One line on standard error that is kept up to date: once a second on a screen, every ten seconds in a log file.

    Use as a context; the first line is always shown, and so is the last.
    """

    def __init__(self) -> None:
        self.on_screen = sys.stderr.isatty()
        self.interval_s = SCREEN_INTERVAL_S if self.on_screen else PIPE_INTERVAL_S
        self.shown_at, self.width, self.waiting = -math.inf, 0, ""
        self.started = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def show(self, text: str) -> None:
        """Show a line now, or keep it until it is time."""
        self.waiting = printable(text) if is_first_process() else ""
        if self.waiting and time.monotonic() - self.shown_at >= self.interval_s:
            self._write()

    def count(self, done: int, total: int, what: str = "clips") -> None:
        """Show how many are done, and how long the rest will take at this pace."""
        left_s = (time.monotonic() - self.started) / done * (total - done)
        self.show(f"{done} of {total} {what}, {clock(left_s)} left")

    def _write(self) -> None:
        if self.on_screen:
            sys.stderr.write("\r" + self.waiting.ljust(self.width))
            self.width = len(self.waiting)
        else:
            sys.stderr.write(self.waiting + "\n")
        sys.stderr.flush()
        self.shown_at, self.waiting = time.monotonic(), ""

    def __exit__(self, *exc) -> None:
        if self.waiting:
            self._write()
        if self.on_screen and self.width:
            sys.stderr.write("\n")
            sys.stderr.flush()
