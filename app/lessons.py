"""Answers to the events of the room Teach: the lesson of the page, its examples, and the classifier it ends in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gradio as gr

from audioformer.errors import AudioformerError
from audioformer_app import analysis
from audioformer_app.analysis import Analysis
from audioformer_app.events import Page, explain, replied, sent
from audioformer_app.kept import Kept
from audioformer_app.models import PLAIN
from audioformer_app.rooms import examples, teach
from audioformer_app.rooms.examples import Lesson
from audioformer_app.rooms.sent import number
from audioformer_app.uploads import uploaded

MOST_LESSONS, IDLE_S = 64, 3600.0


class Lessons:
    """Answers to the events of the room Teach.

    Args:
        page: the other events of the page; its models are shared.
    """

    def __init__(self, page: Page):
        self.page, self.models = page, page.models
        self.kept = Kept(MOST_LESSONS, IDLE_S)

    def ask(self, now: Analysis | None, event: gr.EventData, request: gr.Request) -> dict:
        """A question of the room: `what` is hello, add, others, forget or stop.

        Of add and others `task` comes back; add has of a file `path` and `name`, of all sounds `piece_s` and `take`.
        """
        what, path, task = str(sent(event, "what"))[:40], sent(event, "path"), sent(event, "task")
        name = str(sent(event, "name") or "")[:80]

        def run() -> dict:
            lesson = self.lesson(request.session_hash)
            if what == "hello":
                return teach.hello(self.models)
            if what == "add":
                cut = number(sent(event, "piece_s") or 0, 0.0, 30.0, "piece_s"), str(sent(event, "take") or "")[:40]
                return self._add(lesson, now, path, name, *cut)
            if what == "others":
                return examples.others(lesson, self.page.samples, teach.codec_of(self.models))
            if what == "forget":
                return examples.forget(lesson, sent(event, "ids"))
            if what == "stop":
                lesson.stop.set()
                return {}
            raise AudioformerError(f"the room teach knows no question {what!r}")

        task = task if isinstance(task, int) else None
        answer = replied(what, "room", run, lambda error: explain(error, str(path or ""), name), task=task)
        return {"message": "", **answer}

    def _add(self, lesson: Lesson, now: Analysis | None, path, name: str, piece_s: float, take: str) -> dict:
        """Take an upload, which is deleted then, or the sound on the page where none is sent."""
        codec = teach.codec_of(self.models)
        if path is None:
            if now is None:
                raise AudioformerError("there is no sound on the page; choose one first")
            return examples.add(lesson, now.clip, codec, piece_s)
        upload = uploaded(path)
        try:
            clip = analysis.open_clip(upload)
            return examples.add(lesson, replace(clip, name=name or clip.name), codec, piece_s, take)
        finally:
            upload.unlink(missing_ok=True)

    def open(self, event: gr.EventData, request: gr.Request) -> dict:
        """The classifier of a project: an upload, `path`, which is deleted then; it is chosen like one just taught."""
        path, own = sent(event, "path"), {}

        def run() -> dict:
            upload = uploaded(path)
            try:
                taught = teach.open_model(self.lesson(request.session_hash), upload, self.models)
            finally:
                upload.unlink(missing_ok=True)
            own["checkpoint"] = self._choice(taught.choice)
            return {"choice": list(taught.choice), "labels": list(taught.classifier.label_names)}

        return {"message": "", **replied("open", "room", run, lambda error: explain(error, str(path or ""))), **own}

    def _choice(self, own: tuple[str, str]) -> dict:
        """The page's choice of checkpoints with a classifier of its own, chosen."""
        return gr.update(
            choices=[*((PLAIN.get(name, name), name) for name in self.models.checkpoints), own],
            value=own[1],
            visible=True,
        )

    def train(self, event: gr.EventData, request: gr.Request) -> Iterator[dict]:
        """The room's replies, again and again; at last the choice of checkpoints, with the new classifier."""
        try:
            lesson = self.lesson(request.session_hash)
            for told in teach.teach(lesson, event._data if isinstance(event._data, dict) else {}, self.models):
                answer = replied("train", "room", lambda told=told: told, explain)
                if told["stage"] == "done":
                    answer["checkpoint"] = self._choice(tuple(told["choice"]))
                yield answer
        except Exception as error:  # shown as a message whatever it is: a page never shows a traceback

            def failed(error=error) -> dict:
                raise error

            yield replied("train", "room", failed, explain)

    def lesson(self, key: str) -> Lesson:
        """The lesson of a page."""
        return self.kept.get(key) or self.kept.put(key, Lesson())

    def close(self, request: gr.Request) -> None:
        """The page was closed."""
        self.forget(request.session_hash)

    def forget(self, key: str) -> None:
        """Examples and classifier of a page go."""
        lesson = self.kept.get(key)
        if lesson is not None:
            lesson.stop.set()
            self.models.taught.drop(lesson.taught)
        self.kept.drop(key)
