"""What happens after an event: the handlers' results, or a message and nothing else, as Gradio updates by name.

An answer is a dict of updates: `message`, `state` (the Analysis), `verdict`, `view`, `picker`, `note`, `codec`,
`checkpoint`, and of some events `audio` (the box for files) or `top` (the header); what is not named stays as it is. A
failed event never
changes what is shown: the old result stays, under its own name, and the choices go back to the ones it was made with.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import gradio as gr

from audioformer.errors import AudioformerError
from audioformer_app import analysis, cards, handlers
from audioformer_app.analysis import Analysis, Clip
from audioformer_app.answers import SURE
from audioformer_app.asked import SURE_ROOMS, Asked
from audioformer_app.models import ENCODEC, Models
from audioformer_app.rooms import attention, codebook, edit, files, flow, mask, results, sight, stability, switches, why
from audioformer_app.rooms import map as sound_map
from audioformer_app.rooms.sent import number, whole_number
from audioformer_app.samples import Sample
from audioformer_app.turns import Turns

OUR_FAULT = (
    "Something went wrong inside the app, not with your sound. The terminal that runs it says what; please report it."
)

MOST_SAID = 1000  # characters of each part of a traceback: its message may hold what a browser sent


def explain(error: Exception, path: str = "", name: str = "") -> str:
    """The sentence a user reads, without this computer's folders; what is our fault goes in full to the terminal.

    Args:
        error: what went wrong.
        path: of the file that it is about.
        name: what the user calls that file; "": its own name.
    """
    if isinstance(error, AudioformerError):
        own = Path(path).name
        return str(error).replace(path, own).replace(own, name or own) if own else str(error)
    print("".join(line[:MOST_SAID] for line in traceback.format_exception(error)), file=sys.stderr, flush=True)
    return OUR_FAULT


def codec_note(name: str, models: Models) -> str:
    """Rates and licence of a codec, and how to have EnCodec where it is missing."""
    codec = models.codec(name)
    rows = codec.n_codebooks
    note = cards.codec_note(name, codec.licence, rows, codec.bandwidth_kbps(rows), codec.frame_rate)
    return note if ENCODEC in models.codecs else note + cards.NO_ENCODEC


ROOMS = {
    "listen": {**handlers.ANSWERS, **edit.ANSWERS, **codebook.ANSWERS, **stability.ANSWERS},
    "mask": mask.ANSWERS,
    "attention": attention.ANSWERS,
    "flow": flow.ANSWERS,
    "strip": flow.STRIP,
    "switches": switches.ANSWERS,
    "why": why.ANSWERS,
    "map": sound_map.ANSWERS,
    "results": results.ANSWERS,
    "files": files.ANSWERS,
    "sight": sight.ANSWERS,
}
LISTENERS = ("codec", "checkpoint")


class Page:
    """Answers to the events of one page; what a page shows is Gradio's to keep, and `Turns` knows it as long.

    Args:
        models: open codecs and classifiers.
        samples: the bundled clips.
    """

    def __init__(self, models: Models, samples: list[Sample]):
        self.models, self.samples, self.turns, self.asked = models, samples, Turns(), Asked()

    def analyse(self, clip: Clip, sample: int, codec: str, checkpoint: str | None) -> Analysis:
        """`analysis.analyse`, of a bundled clip once for all pages."""
        make = partial(analysis.analyse, clip, sample, codec, checkpoint, self.models)
        return self.asked.analysis(sample, codec, checkpoint, make)

    def view(self, shown: Analysis) -> str:
        """`handlers.clip_view`, of a bundled clip once for all pages."""
        return self.asked.text(shown, ("view",), lambda one: handlers.clip_view(one, self.models))

    def pick(
        self,
        now: Analysis | None,
        codec: str,
        checkpoint: str | None,
        event: gr.EventData,
        request: gr.Request | None = None,
    ) -> dict:
        """A bundled clip was chosen."""

        def clip(_) -> tuple[Clip, int]:
            return self._sample(whole_number(sent(event, "index"), 0, len(self.samples) - 1, "index"))

        answer = self.show(now, codec, checkpoint, clip, request)
        answer["picker"]["answer"] = uuid4().hex
        return answer

    def open(
        self,
        now: Analysis | None,
        codec: str,
        checkpoint: str | None,
        event: gr.EventData,
        request: gr.Request | None = None,
    ) -> dict:
        """An address was opened that names sample, codec, checkpoint; what it does not name stays."""
        before = {"codec": codec, "checkpoint": checkpoint}
        own = [name for name in LISTENERS if sent(event, name) is not None]
        codec, checkpoint = named(event, "codec", codec), named(event, "checkpoint", checkpoint)

        def clip(now: Analysis | None) -> tuple[Clip, int]:
            name = named(event, "sample", None)
            if name is None and now is not None:
                return now.clip, now.sample
            index = next((index for index, sample in enumerate(self.samples) if sample.path.name == name), None)
            if index is None:
                raise AudioformerError(
                    f"the address names the sample {str(name)[:80]!r}, which is not here; choose one of the tiles"
                )
            return self._sample(index)

        answer = self.show(now, codec, checkpoint, clip, request, own)
        if answer["message"] and now is None:
            answer |= before
        return {**answer, "top": gr.update(answer=uuid4().hex)}

    def _sample(self, index: int) -> tuple[Clip, int]:
        sample = self.samples[index]
        return analysis.open_clip(sample.path, sample.label, sample.events), index

    def drop(
        self,
        now: Analysis | None,
        path: str | None,
        codec: str,
        checkpoint: str | None,
        request: gr.Request | None = None,
    ) -> dict:
        """A file was dropped or a recording made, and the box is emptied.

        None: it was emptied, which changes nothing.
        """
        if path is None:
            return {"audio": None}
        answer = self.show(now, codec, checkpoint, lambda _: (analysis.open_clip(path), -1), request, path=path)
        return {**answer, "audio": None}

    def choose(self, name: str) -> Callable:
        """The answer to another "codec" or "checkpoint" for the clip on the page."""

        def answer(now: Analysis | None, codec: str, checkpoint: str | None, request: gr.Request | None = None) -> dict:
            return self.show(now, codec, checkpoint, lambda now: now and (now.clip, now.sample), request, [name])

        return answer

    def threshold(self, now: Analysis | None, sure: float, request: gr.Request | None = None) -> dict:
        """From another probability on, a label is given without reserve: the same clip, another verdict."""
        page = request.session_hash if request else uuid4().hex
        with self.turns.turn(page):
            now = self.turns.shown.get(page) or now
            if now is None:
                return {}
            try:
                made = replace(now, sure=number(sure, 0.0, 1.0, "threshold"))
            except AudioformerError as error:
                return {"message": cards.message_card(explain(error), now)}
            self.turns.shown[page] = made
        return {"message": "", "state": made, "verdict": cards.verdict_card(made)}

    def sure(self, page: str) -> float:
        """The probability that a page has chosen."""
        shown = self.turns.shown.get(page)
        return SURE if shown is None else shown.sure

    def ask(self, room: str) -> Callable:
        """The answer of a room to whatever its view asks: `what` names the question."""

        def answer(now: Analysis | None, event: gr.EventData) -> dict:
            what = str(sent(event, "what"))[:40]

            def make(shown: Analysis) -> dict:
                return ROOMS[room][what](shown, event._data, self.models)

            def run(shown: Analysis) -> dict:
                if what not in ROOMS[room]:
                    raise AudioformerError(f"the room {room} knows no question {what!r}")
                if room in SURE_ROOMS:
                    return json.loads(self.asked.text(shown, (room, event._data), lambda one: json.dumps(make(one))))
                return make(shown)

            return self._reply(what, now, run)

        return answer

    def show(
        self,
        now: Analysis | None,
        codec: str,
        checkpoint: str | None,
        source: Callable[[Analysis | None], tuple[Clip, int] | None],
        request: gr.Request | None = None,
        own: Sequence[str] = (),
        path: str = "",
    ) -> dict:
        """What an event makes of what the page shows, once the page's earlier events are done.

        Args:
            now: shown when the event began.
            codec: chosen when it was sent.
            checkpoint: the same.
            source: gives another clip and its index, or None for no change, from what is shown by now.
            request: of the page.
            own: which of LISTENERS the event is about; the others stay as they are by now.
            path: of the file that the clip is read from.

        Returns:
            message, state, verdict, view, picker, note, codec, checkpoint.
        """
        page = request.session_hash if request else uuid4().hex
        with self.turns.turn(page):
            if (latest := self.turns.shown.get(page)) is not None:
                now, listen = latest, listeners(latest)
                codec = codec if "codec" in own else listen["codec"]
                checkpoint = checkpoint if "checkpoint" in own else listen["checkpoint"]
            chosen = {"codec": codec, "checkpoint": checkpoint}
            try:
                clip = source(now)
                if clip is None:
                    return chosen
                made = self.analyse(*clip, codec, checkpoint)
                made = made if now is None else replace(made, sure=now.sure)
                view, note = self.view(made), codec_note(codec, self.models)
            except Exception as error:  # shown as a message whatever it is: a page never shows a traceback
                back = chosen if now is None else listeners(now)
                picker = gr.update(selected=-1 if now is None else now.sample)
                return {"message": cards.message_card(explain(error, path), now), "picker": picker, **back}
            self.turns.shown[page] = made
        answer = {"message": "", "state": made, "verdict": cards.verdict_card(made), "view": view, "note": note}
        return {**answer, "picker": gr.update(selected=made.sample), **chosen}

    def _reply(self, to: str, now: Analysis | None, run: Callable[[Analysis], dict]) -> dict:
        """The reply of a view, and a message if it failed."""
        return replied(to, "view", lambda: run(required(now)), lambda error: explain(error), now)


def replied(
    to: str, view: str, run: Callable[[], dict], said: Callable[[Exception], str], now: Analysis | None = None, **more
) -> dict:
    """What a view asked for, or a message and `failed` where it cannot be had.

    Args:
        to: the question.
        view: name of the output that asked.
        run: makes the reply.
        said: what a user reads of an error.
        now: what the page still shows.
        more: what else the reply holds.

    Returns:
        The view's update, with an `answer` that is new each time, so that the browser notices even an equal reply.
    """
    answer = {"to": to, "answer": uuid4().hex, **more}
    try:
        return {view: gr.update(reply=json.dumps({**answer, **run()}))}
    except Exception as error:  # shown as a message whatever it is: a page never shows a traceback
        text = said(error)
        return {
            "message": gr.update(value=cards.message_card(text, now)),
            view: gr.update(reply=json.dumps({**answer, "failed": text})),
        }


def required(now: Analysis | None) -> Analysis:
    """What the page shows.

    Raises:
        AudioformerError: nothing.
    """
    if now is None:
        raise AudioformerError("the sound of this page is gone; choose one again")
    return now


def listeners(shown: Analysis) -> dict[str, str | None]:
    """Codec and checkpoint that something was made with."""
    return {"codec": shown.codec, "checkpoint": shown.verdict.checkpoint if shown.verdict else None}


def sent(event: gr.EventData, name: str):
    """What the browser sent under a name, whatever it is; None if nothing."""
    return event._data.get(name) if isinstance(event._data, dict) else None


def named(event: gr.EventData, name: str, otherwise: str | None) -> str | None:
    """A word that the browser sent under a name, or what holds without it."""
    value = sent(event, name)
    return otherwise if value is None else str(value)[:200]
