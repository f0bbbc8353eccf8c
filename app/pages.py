"""The sessions of the page: how many there may be, and how many answers wait in each for a browser to fetch them.

A session is only a name that a browser sends, so anybody can invent thousands, and Gradio keeps the answers to each
until somebody fetches them. Here the session that was used longest ago is forgotten, with all that belongs to it.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audioformer.errors import AudioformerError

MOST_PAGES = 64  # a class of thirty, twice
MOST_ASKED = 12  # questions of one session that wait for an answer, or whose answer nobody has fetched
UNREAD_S = 10.0  # answers that nobody fetches for so long are thrown away
SIZE = "audioformer.size"  # where the size of a question stands in its request


class BusyError(AudioformerError):
    """Too much is waiting already."""


class Pages:
    """Who has the page open.

    Args:
        queue: Gradio's queue of events.
        states: Gradio's holder of session states.
        forget: called with a session that is forgotten.
    """

    def __init__(self, queue, states, forget: Callable[[str], None] = lambda _: None):
        self.queue, self.states, self._forget = queue, states, forget
        self.used: OrderedDict[str, float] = OrderedDict()  # session to when it was used last, longest ago first
        self.readers: Counter[str] = Counter()  # sessions whose answers a browser fetches right now

    async def ask(self, session: str, size: int, most: int) -> None:
        """Make room for a question.

        Args:
            session: who asks.
            size: bytes of the question.
            most: bytes of all questions that wait.

        Raises:
            BusyError: this session, or all together, have too many questions waiting.
        """
        for other in [other for other, asked in self.queue.pending_event_ids_session.items() if asked]:
            if not self.readers[other] and time.monotonic() - self.used.get(other, 0.0) > UNREAD_S:
                await self._throw_away(other)
        if len(self.queue.pending_event_ids_session.get(session, ())) >= MOST_ASKED:
            raise BusyError("this page asks too much at once; wait for its answers")
        waiting = sum(event.request.scope.get(SIZE, 0) for event in self.queue.event_ids_to_events.values())
        if waiting + size > most:
            raise BusyError("too many people ask at once; try again in a moment")
        self._use(session)
        while len(self.used) > MOST_PAGES:
            idle = (other for other in self.used if not self.readers[other])
            await self.forget(next(idle, next(iter(self.used))))

    @contextmanager
    def reading(self, session: str) -> Iterator[None]:
        """A browser fetches the answers of a session."""
        self.readers[session] += 1
        try:
            yield
        finally:
            self.readers[session] -= 1
            if not self.readers[session]:
                del self.readers[session]
            if session in self.used:
                self._use(session)

    async def forget(self, session: str) -> None:
        """All that is known of a session goes."""
        self.used.pop(session, None)
        await self._throw_away(session)
        self.states.session_data.pop(session, None)
        self.states.time_last_used.pop(session, None)
        self._forget(session)

    def _use(self, session: str) -> None:
        self.used[session] = time.monotonic()
        self.used.move_to_end(session)

    async def _throw_away(self, session: str) -> None:
        """Its questions and the answers that nobody has fetched."""
        await self.queue.clean_events(session_hash=session)
        self.queue.pending_messages_per_session.pop(session, None)
        self.queue.pending_event_ids_session.pop(session, None)
