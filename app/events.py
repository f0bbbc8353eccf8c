"""What happens after an event: the handlers' results, or a message and nothing else, as Gradio updates.

A failed event never changes what is shown: the old result stays, under its own name, and the choices go back to the
ones it was made with.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import gradio as gr

from audioformer.errors import AudioformerError
from audioformer_app import analysis, cards, handlers
from audioformer_app.analysis import Analysis, Clip
from audioformer_app.models import ENCODEC, Models
from audioformer_app.rooms import attention, codebook, edit, mask, results, why
from audioformer_app.rooms import map as sound_map
from audioformer_app.rooms.sent import whole_number
from audioformer_app.samples import Sample

OUR_FAULT = (
    "Something went wrong inside the app, not with your sound. The terminal that runs it says what; please report it."
)


def explain(error: Exception, path: str = "") -> str:
    """The sentence a user reads, without this computer's folders; what is our fault goes in full to the terminal."""
    if isinstance(error, AudioformerError):
        return str(error).replace(path, Path(path).name) if path else str(error)
    traceback.print_exception(error, file=sys.stderr)
    return OUR_FAULT


def codec_note(name: str, models: Models) -> str:
    """Rates and licence of a codec, and how to have EnCodec where it is missing."""
    codec = models.codec(name)
    rows = codec.n_codebooks
    note = cards.codec_note(name, codec.licence, rows, codec.bandwidth_kbps(rows), codec.frame_rate)
    return note if ENCODEC in models.codecs else note + cards.NO_ENCODEC


ROOMS = {
    "listen": {**edit.ANSWERS, **codebook.ANSWERS}, "mask": mask.ANSWERS, "attention": attention.ANSWERS, "why": why.ANSWERS,
    "map": sound_map.ANSWERS, "results": results.ANSWERS,
}  # fmt: skip
N_SHOWN = 8  # outputs of the answers that show a clip


class Page:
    """Answers to the events of one page; holds no state of any user.

    Args:
        models: open codecs and classifiers.
        samples: the bundled clips.
    """

    def __init__(self, models: Models, samples: list[Sample]):
        self.models, self.samples = models, samples

    def pick(self, now: Analysis | None, codec: str, checkpoint: str | None, event: gr.EventData) -> list:
        """A bundled clip was chosen."""

        def clip() -> tuple[Clip, int]:
            return self._sample(whole_number(sent(event, "index"), 0, len(self.samples) - 1, "index"))

        return self.show(now, codec, checkpoint, clip)

    def open(self, now: Analysis | None, codec: str, checkpoint: str | None, event: gr.EventData) -> list:
        """An address was opened that names sample, codec, checkpoint; what it does not name stays. One more output: answered."""
        before = codec, checkpoint
        codec, checkpoint = named(event, "codec", codec), named(event, "checkpoint", checkpoint)

        def clip() -> tuple[Clip, int]:
            wanted = named(event, "sample", None)
            if wanted is None and now is not None:
                return now.clip, now.sample
            index = next((index for index, sample in enumerate(self.samples) if sample.path.name == wanted), None)
            if index is None:
                raise AudioformerError(f"the address names the sample {str(wanted)[:80]!r}, which is not here; choose one of the tiles")
            return self._sample(index)

        answer = self.show(now, codec, checkpoint, clip)
        if answer[0] and now is None:
            answer[-2:] = before
        return [*answer, gr.update(answer=uuid4().hex)]

    def _sample(self, index: int) -> tuple[Clip, int]:
        sample = self.samples[index]
        return analysis.open_clip(sample.path, sample.label, sample.events), index

    def drop(self, now: Analysis | None, path: str | None, codec: str, checkpoint: str | None) -> list:
        """A file was dropped or a recording made; None: the box was emptied, which changes nothing. One more output: the box, emptied."""
        if path is None:
            return [*unchanged(codec, checkpoint), None]
        return [*self.show(now, codec, checkpoint, lambda: (analysis.open_clip(path), -1), path), None]

    def choose(self, now: Analysis | None, codec: str, checkpoint: str | None) -> list:
        """Another codec or checkpoint for the clip on the page."""
        if now is None:
            return unchanged(codec, checkpoint)
        return self.show(now, codec, checkpoint, lambda: (now.clip, now.sample))

    def keep(self, now: Analysis | None, event: gr.EventData) -> list:
        """The sound of the first codebooks was asked for."""

        def first_codebooks(shown: Analysis) -> dict:
            return handlers.keep(shown, sent(event, "n_codebooks"), self.models)

        return self._reply("keep", now, first_codebooks)

    def hear(self, now: Analysis | None, event: gr.EventData) -> list:
        """The sound of one code was asked for."""

        def one_code(shown: Analysis) -> dict:
            return handlers.hear(shown, sent(event, "row"), sent(event, "frame"), self.models)

        return self._reply("hear", now, one_code)

    def ask(self, room: str) -> Callable:
        """The answer of a room to whatever its view asks: `what` names the question."""

        def answer(now: Analysis | None, event: gr.EventData) -> list:
            what = str(sent(event, "what"))[:40]

            def run(shown: Analysis) -> dict:
                if what not in ROOMS[room]:
                    raise AudioformerError(f"the room {room} knows no question {what!r}")
                return ROOMS[room][what](shown, event._data, self.models)

            return self._reply(what, now, run)

        return answer

    def show(
        self,
        now: Analysis | None,
        codec: str,
        checkpoint: str | None,
        source: Callable[[], tuple[Clip, int]],
        path: str = "",
    ) -> list:
        """Message, state, verdict, view, picker, codec note, codec, checkpoint."""
        try:
            clip, index = source()
            made = analysis.analyse(clip, index, codec, checkpoint, self.models)
            view, note = handlers.clip_view(made, self.models), codec_note(codec, self.models)
        except Exception as error:  # shown as a message whatever it is: a page never shows a traceback
            marked, back = -1, [codec, checkpoint]
            if now is not None:
                marked, back = now.sample, [now.codec, now.verdict.checkpoint if now.verdict else None]
            unmoved = [gr.skip(), gr.skip(), gr.skip(), gr.update(selected=marked, answer=uuid4().hex), gr.skip()]
            return [cards.message_card(explain(error, path), now), *unmoved, *back]
        picked = gr.update(selected=index, answer=uuid4().hex)
        return ["", made, cards.verdict_card(made), view, picked, note, codec, checkpoint]

    def _reply(self, to: str, now: Analysis | None, run: Callable[[Analysis], dict]) -> list:
        """A message if it failed, and the view; `answer` is new each time, so that the browser notices even an equal reply."""
        answer = {"to": to, "answer": uuid4().hex}
        try:
            if now is None:
                raise AudioformerError("this page has been idle for an hour and its sound is gone; choose one again")
            return [gr.skip(), gr.update(reply=json.dumps({**answer, **run(now)}))]
        except Exception as error:  # as above
            return [cards.message_card(explain(error), now), gr.update(reply=json.dumps({**answer, "failed": True}))]


def unchanged(codec: str, checkpoint: str | None) -> list:
    """The outputs of `Page.show` when nothing changes: the choices have values, not `gr.skip`, for a reason (app.py, `_on`)."""
    return [*[gr.skip()] * (N_SHOWN - 2), codec, checkpoint]


def sent(event: gr.EventData, name: str):
    """What the browser sent under a name, whatever it is; None if nothing."""
    return event._data.get(name) if isinstance(event._data, dict) else None


def named(event: gr.EventData, name: str, otherwise: str | None) -> str | None:
    """A word that the browser sent under a name, or what holds without it."""
    value = sent(event, name)
    return otherwise if value is None else str(value)[:200]
