"""Answers to the events of the room Live.

The session of the page, a listener in it, and a frozen moment as the clip of all rooms.
"""

from __future__ import annotations

from dataclasses import asdict

import gradio as gr

from audioformer.live import LiveListener
from audioformer_app.analysis import Analysis
from audioformer_app.answers import answer
from audioformer_app.events import Page, explain, replied, sent
from audioformer_app.rooms import live
from audioformer_app.taught import plain


class Listening:
    """Answers to the events of the room Live.

    Args:
        page: the other events of the page; its models are shared.
    """

    def __init__(self, page: Page):
        self.page, self.models, self.sessions = page, page.models, live.Sessions()

    def push(self, codec: str, checkpoint: str | None, event: gr.EventData, request: gr.Request) -> dict:
        """A portion of sound from the browser."""

        def run() -> dict:
            clf = self.models.classifier(checkpoint) if checkpoint else None
            session = self.sessions.session(
                request.session_hash, sent(event, "take"), lambda: LiveListener(clf, self.models.codec(codec))
            )
            listener = session.line.listener
            if clf is not None and listener.classifier is not clf:
                listener.use(clf)
            reply = session.line.take(event._data, self._ranks(listener.codec))
            return {
                **reply,
                "checkpoint": plain(reply["checkpoint"]),
                "heard": self._said(reply["heard"], clf, request.session_hash),
            }

        return self._reply("push", event, run)

    def _said(self, heard: dict | None, clf, page: str) -> dict | None:
        """A label of the last seconds with what is said of it, by the rule of all rooms."""
        if heard is None or clf is None:
            return heard
        labels, shares = zip(*((one["label"], one["p"]) for one in heard["labels"]), strict=True)
        known = labels, shares, clf.label_names, clf.multi_label, heard["level_db"]
        return {**heard, "answer": asdict(answer(*known, sure=self.page.sure(page)))}

    def freeze(self, event: gr.EventData, request: gr.Request) -> dict:
        """What is kept, as a time line."""

        def run() -> dict:
            session = self.sessions.known(request.session_hash)
            return {"view": live.frozen_view(live.freeze(session), self._ranks(session.line.listener.codec))}

        return self._reply("freeze", event, run)

    def use(
        self, now: Analysis | None, codec: str, checkpoint: str | None, event: gr.EventData, request: gr.Request
    ) -> dict:
        """A stretch of what is frozen becomes the clip on the page, like a file that was dropped."""

        def source(_) -> tuple:
            frozen = self.sessions.known(request.session_hash).frozen
            return live.clip_of(frozen, sent(event, "start_s"), sent(event, "end_s")), -1

        return self.page.show(now, codec, checkpoint, source, request)

    def close(self, request: gr.Request) -> None:
        """The page was closed."""
        self.sessions.drop(request.session_hash)

    def _ranks(self, codec):
        """Colour ranks of a codec's entries; None for one that is not offered by itself."""
        name = next(
            (name for name in self.models.codecs if self.models.codec(name).fingerprint == codec.fingerprint), None
        )
        return None if name is None else self.models.ranks(name)

    def _reply(self, to: str, event: gr.EventData, run) -> dict:
        """The room's reply; what went wrong is said in the room and on the page."""
        take = sent(event, "take")
        return replied(to, "room", run, explain, take=take if isinstance(take, str) else "")
