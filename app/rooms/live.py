"""Live: a listener for each browser that has its microphone on, and what becomes of a moment that is frozen.

Nothing here outlives its use: a session that says nothing for a while is forgotten, there are only so many, and each
keeps half a minute.

Shapes: N samples, K codebooks, T frames. Times in seconds since the recording began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.live import Heard, LiveListener
from audioformer.widgets import lanes
from audioformer.widgets.live import Line
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Clip
from audioformer_app.kept import Kept
from audioformer_app.rooms.sent import number

MOST_SESSIONS, IDLE_S = 64, 90.0
SHOWN_LABELS = 5


@dataclass(frozen=True)
class Frozen:
    """What a listener knew at one moment.

    Attributes:
        token: names it.
        start_s: time of the first sample.
        samples: (N,) float32.
        sample_rate: Hz.
        codes: (K, T) int64.
        frame_rate: Hz.
        history: `Heard`, oldest first.
    """

    token: str
    start_s: float
    samples: np.ndarray
    sample_rate: int
    codes: np.ndarray
    frame_rate: float
    history: tuple[Heard, ...]


@dataclass
class Session:
    """One browser: its recording, and what it froze last."""

    take: str
    line: Line
    frozen: Frozen | None = None


class Sessions(Kept):
    """Who is listening, by the session of the page.

    Args:
        most: sessions at once.
        idle_s: a session that was not used for so long is forgotten.
    """

    def __init__(self, most: int = MOST_SESSIONS, idle_s: float = IDLE_S):
        super().__init__(most, idle_s)

    def session(self, key: str, take, make: Callable[[], LiveListener]) -> Session:
        """The session of a page; another `take` is another recording and forgets the one before.

        Raises:
            AudioformerError: `take` names nothing.
        """
        if not isinstance(take, str) or not 0 < len(take) <= 60:
            raise AudioformerError(f"take={str(take)[:40]!r} must be a name of at most 60 letters")
        session = self.get(key)
        return session if session is not None and session.take == take else self.put(key, Session(take, Line(make())))

    def known(self, key: str) -> Session:
        """The session of a page that has listened.

        Raises:
            AudioformerError: it has not, or too long ago.
        """
        session = self.get(key)
        if session is None:
            raise AudioformerError("no sound came from this page in the last minute and a half; press Listen first")
        return session


def freeze(session: Session) -> Frozen:
    """What the listener has now, kept until the next freeze.

    Raises:
        AudioformerError: not a single frame is known yet.
    """
    with session.line.lock:
        listener = session.line.listener
        if listener.codes.shape[1] == 0:
            raise AudioformerError("nothing to freeze yet: not a single frame of sound is known; listen for a moment")
        session.frozen = Frozen(
            uuid4().hex,
            listener.kept_s,
            listener.samples.numpy().copy(),
            listener.codec.sample_rate,
            listener.codes.numpy().copy(),
            listener.codec.frame_rate,
            tuple(listener.history),
        )
    return session.frozen


def frozen_view(frozen: Frozen, ranks: np.ndarray) -> dict:
    """A frozen stretch for a time line: waveform, log-mel, codes, and the labels that were heard.

    Args:
        frozen: from `freeze`.
        ranks: (K, V) colour ranks of the codec's entries.

    Returns:
        A view of widgets/timeline.js on a link of its own.
    """
    shown = [
        lanes.wave(frozen.samples),
        lanes.mel(frozen.samples, frozen.sample_rate),
        lanes.codes(frozen.codes, frozen.frame_rate, ranks),
    ]
    labels = label_stretches(frozen.history)
    if labels:
        moved = [
            (label, max(0.0, start - frozen.start_s), end - frozen.start_s)
            for label, start, end in labels
            if end > frozen.start_s
        ]
        lane = lanes.events(moved)
        shown.append(
            {
                **lane,
                "id": "heard",
                "name": "Label",
                "weight": min(0.4, 0.12 * len(lane["labels"])),
                "alt": _said(moved),
            }
        )
    return {
        "token": frozen.token,
        "link": "live",
        "lanes": shown,
        "frame_rate": frozen.frame_rate,
        "start_s": frozen.start_s,
        "duration_s": len(frozen.samples) / frozen.sample_rate,
        "hear": [{"name": "original", "label": "sound"}],
        "sounds": {"original": wav_base64(frozen.samples, frozen.sample_rate)},
    }


def label_stretches(history: tuple[Heard, ...]) -> list[tuple[str, float, float]]:
    """(answer, start, end) of the stretches over which it stayed the same; the commonest answers only.

    An answer is the first label, or that it was too quiet for one. It stands at the middle of the stretch that it is
    about, and holds from the one before it; the first one from where its stretch began.
    """
    stretches: list[tuple[str, float, float]] = []
    for heard in history:
        label = heard.answer
        start = stretches[-1][2] if stretches else heard.start_s
        if stretches and stretches[-1][0] == label:
            start = stretches.pop()[1]
        stretches.append((label, start, (heard.start_s + heard.end_s) / 2))
    length = {label: sum(end - start for name, start, end in stretches if name == label) for label, _, _ in stretches}
    common = sorted(length, key=length.get, reverse=True)[:SHOWN_LABELS]
    return [one for one in stretches if one[0] in common]


def clip_of(frozen: Frozen | None, start_s, end_s) -> Clip:
    """A stretch of what is frozen as a clip for all rooms.

    Args:
        frozen: from `freeze`.
        start_s: from its beginning, unchecked.
        end_s: likewise.

    Raises:
        AudioformerError: nothing is frozen, or the stretch is not in it.
    """
    if frozen is None:
        raise AudioformerError("nothing is frozen; press Freeze first")
    length_s = len(frozen.samples) / frozen.sample_rate
    start, end = (number(value, 0.0, length_s + 0.01, what) for value, what in ((start_s, "start_s"), (end_s, "end_s")))
    first, last = round(start * frozen.sample_rate), round(end * frozen.sample_rate)
    if first >= last:
        raise AudioformerError(f"the stretch {start:.2f}-{end:.2f} s holds no sound; drag over a longer one")
    name = f"live {frozen.start_s + start:.1f}-{frozen.start_s + end:.1f} s"
    return Clip(name, frozen.samples[first:last].copy(), frozen.sample_rate)


def _said(stretches: list[tuple[str, float, float]]) -> str:
    told = "; ".join(f"{label.replace('_', ' ')} {start:.1f}-{end:.1f} s" for label, start, end in stretches[:20])
    return f"Labels while listening: {told}."
