"""A microphone in the browser, a listener here: what passes between them, in notebooks and in the app alike.

The browser sends portions of its recording and what it has of the answers; it gets what is new since. Portions may come
twice (when an answer was late) or with a gap (when the browser had to let go of sound): nothing is taken twice, and
what is missing becomes silence and is counted, so that times stay right.

In a notebook:

    from audioformer.widgets import live
    view = live(af.load("esc10"))
    view                          # last line of a cell: a button to listen, pictures, labels
    view.listener.history         # afterwards, in Python

Shapes: N samples, K codebooks, T frames, M mel bands.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from audioformer.classify import AudioClassifier
from audioformer.codec import Codec
from audioformer.codecs.spectra import log_mel
from audioformer.errors import AudioformerError
from audioformer.live import Heard, LiveListener
from audioformer.widgets.lanes import DB_PER_NEPER, MEL_HOP, N_FFT, N_MELS, mel_bands, packed
from audioformer.widgets.modules import view_class

LONGEST_PORTION_S = 12.0
LOWEST_HZ, HIGHEST_HZ = 8_000, 192_000
LOW_DB, HIGH_DB = -70.0, 10.0  # of the picture: what comes is not known yet, so the scale cannot follow it


class Line:
    """One recording on its way from a browser to a listener.

    Args:
        listener: who takes it.

    Attributes:
        received: samples taken, counted as the browser counts them.
        lost: of these, samples that never came.
    """

    def __init__(self, listener: LiveListener):
        self.listener, self.received, self.lost = listener, 0, 0
        self.lock = Lock()  # a portion sent again may come while the first is being worked on

    def take(self, data: dict, ranks: np.ndarray | None = None) -> dict:
        """A portion of the recording, and all that is new since the browser's last answer.

        Args:
            data: `pcm` (16 bit, base64), `rate` (Hz), `first` (number of its first sample), `frames` and `columns` (how
                many of codes and picture the browser has), `window_s` (of the label; None: the classifier's).
                Unchecked.
            ranks: (K, V) colour ranks of the codec's entries.

        Returns:
            dict with `received`, `lost`, `time_s`, `kept_s`, `codes`, `mel`, `heard` (None without a label),
            `checkpoint`, `trained_s` (its window), `work_ms`.

        Raises:
            AudioformerError: not a portion of a recording.
        """
        began = time.perf_counter()
        samples, rate = portion(data)
        first = _whole(data.get("first"), 0, 2**53, "first")
        frames, columns = (_whole(data.get(name), 0, 2**53, name) for name in ("frames", "columns"))
        window_s = data.get("window_s")
        if window_s is not None:
            window_s = float(_whole(window_s, 1, 60, "window_s"))
        with self.lock:
            self._push(samples, first, rate)
            heard = self.listener.label(window_s)
            answer = {
                "received": self.received,
                "lost": self.lost,
                "time_s": self.listener.duration_s,
                "kept_s": self.listener.kept_s,
                "codes": _codes(self.listener, frames, ranks),
                "mel": mel_columns(self.listener, columns),
                "heard": _as_json(heard),
                **_who(self.listener.classifier),
            }
        return {**answer, "work_ms": round(1000 * (time.perf_counter() - began), 1)}

    def _push(self, samples: np.ndarray, first: int, rate: int) -> None:
        """Cut off what is there already; silence, at most as much as is kept, for what never came."""
        gap = first - self.received
        if gap > 0:
            most = round(self.listener.keep_frames / self.listener.codec.frame_rate * rate)
            self.listener.push(np.zeros(min(gap, most), np.int16), rate)
            self.lost += gap
            self.received += gap
        new = samples[max(0, -gap) :]
        self.listener.push(new, rate)
        self.received += len(new)


def mel_columns(listener: LiveListener, first: int) -> dict:
    """Columns of the log-mel picture that are known, from a number on; on a fixed scale, LOW_DB to HIGH_DB.

    Args:
        listener: whose sound.
        first: number of the first column; column c is the moment c * step_s.

    Returns:
        dict with `first`, `rows` (M), `columns`, `step_s`, `ticks` and `data`, bytes in base64, row 0 the lowest band.
    """
    rate, kept = listener.codec.sample_rate, listener.first_frame * listener.codec.hop_length
    margin = -(-N_FFT // 2 // MEL_HOP)  # columns whose windows reach over the edge of what is computed
    end = max(0, (listener.n_samples - N_FFT // 2) // MEL_HOP + 1)
    first = min(max(first, -(-kept // MEL_HOP)), end)
    about = {
        "first": first,
        "rows": N_MELS,
        "columns": end - first,
        "step_s": MEL_HOP / rate,
        "ticks": mel_bands(rate)[1],
    }
    if first == end:
        return {**about, "data": ""}
    start = max(first - margin, -(-kept // MEL_HOP))
    values = log_mel(listener.samples[start * MEL_HOP - kept :], rate, N_FFT, MEL_HOP, N_MELS).numpy() * DB_PER_NEPER
    levels = (values[:, first - start : end - start] - LOW_DB) / (HIGH_DB - LOW_DB) * 255
    return {**about, "data": packed(levels.clip(0, 255).round())}


def _codes(listener: LiveListener, first: int, ranks: np.ndarray | None) -> dict:
    """Codes from a frame on, as far as they are kept, and the shades to draw them in."""
    first = min(max(first, listener.first_frame), listener.n_frames)
    codes = listener.codes[:, first - listener.first_frame :].numpy()
    if ranks is None:
        shades = codes * 97 % 256
    else:
        shades = np.take_along_axis(np.asarray(ranks)[: len(codes)], codes, 1) * (255 / max(1, np.shape(ranks)[1] - 1))
    about = {"first": first, "rows": len(codes), "columns": codes.shape[1], "step_s": 1 / listener.codec.frame_rate}
    return {**about, "shades": packed(np.round(shades)), "latest": codes[:, -1].tolist() if codes.shape[1] else []}


def _as_json(heard: Heard | None) -> dict | None:
    if heard is None:
        return None
    labels = [
        {"label": label.replace("_", " "), "p": round(p, 4)}
        for label, p in zip(heard.labels, heard.probabilities, strict=True)
    ]
    said = {"level_db": round(heard.level_db, 1), "said": heard.answer.replace("_", " ")}
    return {"start_s": heard.start_s, "end_s": heard.end_s, **said, "labels": labels}


def _who(classifier: AudioClassifier | None) -> dict:
    if classifier is None:
        return {"checkpoint": "", "trained_s": 0}
    return {"checkpoint": Path(classifier.name).name, "trained_s": classifier.window_s}


def _whole(value, low: int, high: int, what: str) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or value != value
        or not low <= value <= high
        or int(value) != value
    ):
        raise AudioformerError(f"{what}={str(value)[:40]!r} must be a whole number from {low} to {high}")
    return int(value)


def portion(data: dict) -> tuple[np.ndarray, int]:
    """Sound that a browser sent.

    Args:
        data: `pcm` (16 bit, base64) and `rate` (Hz). Unchecked.

    Returns:
        (N,) int16, N >= 0, and the rate.

    Raises:
        AudioformerError: no such sound, more than 12 s of it, or a rate out of range.
    """
    pcm, rate = data.get("pcm"), _whole(data.get("rate"), LOWEST_HZ, HIGHEST_HZ, "rate")
    longest = round(LONGEST_PORTION_S * rate)
    if not isinstance(pcm, str) or len(pcm) > 4 * (2 * longest + 2) // 3 + 4:
        raise AudioformerError(f"a portion of a recording has at most {longest} samples of 16 bit in base64")
    try:
        raw = base64.b64decode(pcm, validate=True)
    except (binascii.Error, ValueError):
        raw = b"?"
    if len(raw) % 2:
        raise AudioformerError("a portion of a recording must be 16-bit samples in base64")
    return np.frombuffer(raw, "<i2").astype(np.int16), rate


def live(classifier: AudioClassifier | None = None, codec: Codec | None = None, keep_s: float = 30.0):
    """Listen through the microphone of the browser that shows the notebook.

    Args:
        classifier: gives the labels; None: codes only.
        codec: for the codes where there is no classifier.
        keep_s: how much is kept, seconds.

    Returns:
        An anywidget; its `listener` is the `LiveListener` of the latest recording. Show it as the last line of a cell.

    Raises:
        AudioformerError: nothing to listen with, or anywidget is not installed.
    """
    return _widget_class()(make=lambda: LiveListener(classifier, codec, keep_s))


@cache
def _widget_class() -> type:
    """The widget; made when first needed, because anywidget comes with the extra `notebooks`."""
    from audioformer.plots.codes import colour_ranks

    class LiveWidget(view_class("live.js")):
        """See `live`."""

        def __init__(self, make, **traits):
            super().__init__(**traits)
            self._make, self._take = make, None
            self.listener = make()
            self._ranks = colour_ranks(self.listener.codec.codebooks().cpu())
            self._line = Line(self.listener)

        def answer(self, event: dict) -> None:
            """A portion from the browser; another `take` is another recording."""
            if event.get("name") != "push":
                return
            if event.get("take") != self._take:
                self._take, self.listener = event.get("take"), self._make()
                self._line = Line(self.listener)
            reply = {"to": "push", "take": self._take, "answer": event.get("number")}
            try:
                self.reply = json.dumps({**reply, **self._line.take(event, self._ranks)})
            except AudioformerError as error:
                self.reply = json.dumps({**reply, "failed": str(error)})

    return LiveWidget
