"""Ctrl-C at a good moment: training stops between two steps, never in the middle of one.

Used by `train` and `train_codec`: weights, averages and counters of a step change together or not at all, so what is
saved after Ctrl-C is the state of a run that was never interrupted.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def finish_first() -> Iterator[None]:
    """Let the block end before Ctrl-C takes effect; a second Ctrl-C breaks it off at once.

    Outside the main thread, or where Ctrl-C is ignored anyway, it does nothing.

    Example:
        >>> with finish_first():
        ...     pass  # one training step
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main_thread else None
    if not callable(previous):  # None, SIG_IGN or SIG_DFL
        yield
        return
    waiting: list[int] = []

    def note(number: int, _frame) -> None:
        if waiting:
            raise KeyboardInterrupt
        waiting.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if waiting:
        signal.raise_signal(signal.SIGINT)
