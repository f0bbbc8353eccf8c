"""Questions that many ask: a class looks at the same samples, and each answer is computed once, for whoever asks first.

Of a sound of somebody's own nothing is kept here. Answers are text; so much of it is kept at most.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from threading import Lock
from uuid import uuid4
from weakref import WeakValueDictionary

from audioformer_app.analysis import Analysis
from audioformer_app.kept import Kept
from audioformer_app.taught import PREFIX

MOST_BYTES, MOST_CLIPS, IDLE_S = 48 << 20, 64, 3600.0
# rooms whose answers follow from clip and question alone; not those of uploads, of a map that grows, of chance
SURE_ROOMS = ("listen", "mask", "attention", "flow", "strip", "switches", "why")


@dataclass(eq=False)
class Turn:
    """Of those who ask the same at once: one computes, the others wait."""

    lock: Lock = field(default_factory=Lock)


class Asked:
    """What was made of the bundled samples.

    Args:
        most_bytes: of text; what was used longest ago makes room.
    """

    def __init__(self, most_bytes: int = MOST_BYTES):
        self.most_bytes, self.n_bytes = most_bytes, 0
        self._texts: OrderedDict[tuple, str] = OrderedDict()
        self._clips = Kept(MOST_CLIPS, IDLE_S)
        self._turns: WeakValueDictionary[tuple, Turn] = WeakValueDictionary()
        self._lock = Lock()

    def analysis(self, sample: int, codec: str, checkpoint: str | None, make: Callable[[], Analysis]) -> Analysis:
        """A clip as a codec and a checkpoint see it, under a token of its own.

        Args:
            sample: index of the bundled clip; -1 for any other sound, which is not kept.
            codec: its name.
            checkpoint: its name, or None.
            make: called for the first who asks.
        """
        if sample < 0 or (checkpoint or "").startswith(PREFIX):
            return make()
        key = ("clip", sample, codec, checkpoint)
        with self._turn(key):
            made = self._clips.get(str(key))
            if made is None:
                made = make()
                self._clips.put(str(key), made := replace(made, origin=made.token))
        return replace(made, token=uuid4().hex)

    def text(self, shown: Analysis, question: tuple, make: Callable[[Analysis], str]) -> str:
        """A text about a clip; where it holds the clip's token, that of this page stands.

        Args:
            shown: the clip.
            question: what is asked, plain values.
            make: makes the text of an analysis.
        """
        if shown.sample < 0 or not shown.origin:
            return make(shown)
        key = (shown.origin, sha256(json.dumps(question, sort_keys=True).encode()).hexdigest())
        with self._turn(key):
            found = self._known(key)
            if found is None:
                found = self._keep(key, make(replace(shown, token=shown.origin)))
        return found.replace(shown.origin, shown.token)

    @contextmanager
    def _turn(self, key: tuple) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(key, Turn())
        with turn.lock:
            yield

    def _known(self, key: tuple) -> str | None:
        with self._lock:
            if key in self._texts:
                self._texts.move_to_end(key)
            return self._texts.get(key)

    def _keep(self, key: tuple, text: str) -> str:
        with self._lock:
            self._texts[key] = text
            self.n_bytes += len(text)
            while self.n_bytes > self.most_bytes:
                self.n_bytes -= len(self._texts.popitem(last=False)[1])
        return text
