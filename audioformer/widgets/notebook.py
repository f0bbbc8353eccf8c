"""The time line as a notebook widget: the same module that the app uses, shown by anywidget.

    from audioformer.widgets import timeline
    view = timeline("dog.ogg", classifier=af.load("esc10"))
    view                      # last line of a cell: shows it
    view.selection            # (start, end) in seconds of the stretch that was dragged, or None
    view.code                 # (row, frame) under the cursor, or None

Shapes: K codebooks, T frames. Times in seconds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from uuid import uuid4

import numpy as np
from torch import Tensor

from audioformer.audio import Waveform, quietness
from audioformer.classify import AudioClassifier, as_waveform
from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.explain.codebook import held_code
from audioformer.explain.moments import moment_scores, silent_frames
from audioformer.widgets import lanes
from audioformer.widgets.modules import view_class
from audioformer.widgets.sounds import wav_base64


def timeline(
    sound: str | os.PathLike | Waveform | np.ndarray | Tensor,
    sample_rate: int | None = None,
    *,
    codec: Codec | None = None,
    classifier: AudioClassifier | None = None,
    events: Sequence[tuple[str, float, float]] = (),
    more: Sequence[dict] = (),
    link: str | None = None,
):
    """One sound on one time line: waveform, log-mel, codes, and what else is known; hear any part of it.

    Args:
        sound: file name, Waveform, or samples (N,) / (C, N) together with sample_rate.
        sample_rate: Hz, for bare samples.
        codec: whose codes are shown; None: the classifier's, or the bundled one.
        classifier: adds the scores of its first three labels over time.
        events: (label, start, end) of each known event.
        more: further lanes, made with `audioformer.widgets.lanes`.
        link: widgets of the same sound with the same word here share playhead, selection and cursor.

    Returns:
        An anywidget with `selection` and `code`; show it as the last line of a cell.

    Raises:
        AudioformerError: unusable sound, or anywidget is not installed.

    Example:
        >>> timeline(np.zeros(4800, np.float32), sample_rate=24_000).selection is None  # nothing is chosen yet
        True
    """
    codec = codec or (classifier.codec if classifier is not None else load_codec("compact"))
    waveform = as_waveform(sound, sample_rate, codec.sample_rate)
    samples, codes = waveform.samples[0].cpu().numpy(), codec.encode(waveform)[0].cpu().numpy()
    shown = [
        lanes.wave(samples),
        lanes.mel(samples, codec.sample_rate),
        lanes.codes(codes, codec.frame_rate, _ranks(codec)),
    ]
    if classifier is not None:
        read = classifier.codes(waveform)
        prediction = classifier.scan(read)
        values, rate = moment_scores(classifier, read, prediction), classifier.codec.frame_rate
        best = [classifier.label_names[i] for i in prediction.probabilities.argsort(descending=True, stable=True)]
        silent = silent_frames(samples, codec.sample_rate, rate, len(values))
        shown.append(lanes.scores(values, rate, classifier.label_names, best, silent))
    if events:
        shown.append(lanes.events(events))
    decoded = codec.decode(codes, n_samples=len(samples))[0].mean(0).cpu().numpy()
    token = uuid4().hex if link is None else f"{link}-{abs(hash(samples.tobytes()))}"
    view = {
        "token": token,
        "link": link or token,
        "duration_s": len(samples) / codec.sample_rate,
        "notes": [*waveform.notes, *filter(None, [quietness(waveform.level_db)])],
        "frame_rate": codec.frame_rate,
        "lanes": [*shown, *more],
        "hear": [{"name": "original", "label": "original"}, {"name": "kept", "label": "codes"}],
        "sounds": {"original": wav_base64(samples, codec.sample_rate), "kept": wav_base64(decoded, codec.sample_rate)},
    }
    return _widget_class()(value=json.dumps(view), can_hear=True, codes=codes, codec=codec)


def _ranks(codec: Codec) -> np.ndarray:
    from audioformer.plots.codes import colour_ranks

    return colour_ranks(codec.codebooks().cpu())


@cache
def _widget_class() -> type:
    """The widget; made when first needed, because anywidget comes with the extra `notebooks`."""
    View = view_class("timeline.js")  # first, for it says what to install
    import traitlets

    class TimelineWidget(View):
        """See `timeline`."""

        can_hear = traitlets.Bool(False).tag(sync=True)
        selection = traitlets.Any(None, help="(start, end) in seconds, or None")
        code = traitlets.Any(None, help="(row, frame), row from 1, or None")

        def __init__(self, codes=None, codec=None, **traits):
            super().__init__(**traits)
            self._codes, self._codec = codes, codec

        def answer(self, event: dict) -> None:
            """What the browser said: a stretch, a place, or a code to be heard; anything else is passed over."""
            if event.get("name") == "select":
                self.selection = tuple(event["selection"]) if event.get("selection") else None
            elif event.get("name") == "point":
                self.code = (event["cursor"]["row"], event["cursor"]["frame"]) if event.get("cursor") else None
            elif event.get("name") == "hear":
                row, frame = int(event["row"]), int(event["frame"])
                sound = held_code(self._codes[:row, frame], self._codec)
                place = {"row": row, "frame": frame, "code": int(self._codes[row - 1, frame])}
                wav = wav_base64(sound, self._codec.sample_rate)
                self.reply = json.dumps({**place, "number": event.get("number"), "wav": wav})

    return TimelineWidget
