"""Whose turn it is: events that change what a page shows come one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from weakref import WeakValueDictionary

from audioformer_app.analysis import Analysis


class Turns:
    """Lines of waiting events, one a page.

    Gradio reads what a page shows when an event begins and writes it when it ends, and several events of a page can be
    under way at once. So whoever has its turn takes what is shown from here.

    Attributes:
        shown: by page, for as long as Gradio keeps it for that page.
    """

    def __init__(self):
        self.shown: WeakValueDictionary[str, Analysis] = WeakValueDictionary()
        self._lines: dict[str, deque] = {}
        self._moved = Condition()

    @contextmanager
    def turn(self, page: str) -> Iterator[None]:
        """Wait until all earlier events of this page are done; the next one waits for this."""
        ticket = object()
        with self._moved:
            line = self._lines.setdefault(page, deque())
            line.append(ticket)
            self._moved.wait_for(lambda: line[0] is ticket)
        try:
            yield
        finally:
            with self._moved:
                line.popleft()
                if not line:
                    del self._lines[page]
                self._moved.notify_all()
