"""Invented sessions: how many are remembered, and what each may hold."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from gradio.queueing import Queue

from audioformer_app.pages import MOST_ASKED, MOST_PAGES, SIZE, UNREAD_S, BusyError, Pages


def made():
    """Pages of an idle queue, and the sessions that they forgot."""
    queue = Queue(live_updates=True, concurrency_count=1, update_intervals=1, max_size=None, blocks=None)
    forgotten = []
    states = SimpleNamespace(session_data={}, time_last_used={})
    return Pages(queue, states, forgotten.append), forgotten


def asked(pages, session, size=0, number=0):
    """A question is asked and answered, and nobody fetches the answer."""
    asyncio.run(pages.ask(session, size, most=1000))
    pages.queue.pending_event_ids_session.setdefault(session, set()).add(f"{session}:{number}")
    pages.queue.pending_messages_per_session[session] = "a long answer"
    pages.states.session_data[session] = "a clip"


def test_the_session_that_was_used_longest_ago_makes_room():
    pages, forgotten = made()
    with pages.reading("reader"):
        asked(pages, "reader")
        for number in range(MOST_PAGES + 5):
            asked(pages, f"invented{number}")
            asked(pages, "busy", number=number % 3)
    assert forgotten == [f"invented{number}" for number in range(7)]  # nobody who reads or asks
    assert (
        len(pages.used) == len(pages.states.session_data) == len(pages.queue.pending_messages_per_session) == MOST_PAGES
    )


def test_answers_that_nobody_fetches_are_thrown_away(monkeypatch):
    pages, _ = made()
    asked(pages, "gone")
    with pages.reading("here"):
        asked(pages, "here")
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + UNREAD_S + 1)
        asked(pages, "new")
        assert set(pages.queue.pending_messages_per_session) == {"here", "new"}
        assert "gone" in pages.states.session_data  # what it shows is kept: the browser may come back


def test_one_session_and_all_together_have_only_so_many_questions_waiting():
    pages, _ = made()
    for number in range(MOST_ASKED):
        asked(pages, "eager", number=number)
    with pytest.raises(BusyError, match="this page asks too much at once"):
        asked(pages, "eager", number=99)
    waiting = SimpleNamespace(request=SimpleNamespace(scope={SIZE: 900}))
    pages.queue.event_ids_to_events["one"] = waiting
    with pytest.raises(BusyError, match="too many people ask at once"):
        asked(pages, "large", size=101)
    asked(pages, "small", size=99)
