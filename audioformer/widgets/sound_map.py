"""A map of many sounds as a notebook widget: the marks of the app's room Map, each heard on a click.

    from audioformer.widgets import sound_map
    view = sound_map({"random": first, "esc10": last}, labels, files)
    view                      # last line of a cell: shows it
    view.selection            # numbers of the sounds inside the loop that was drawn

Shapes: n sounds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.audio import Waveform
from audioformer.classify import as_waveform
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import align
from audioformer.widgets.modules import view_class
from audioformer.widgets.sounds import wav_base64

PLAY_HZ = 24_000


def sound_map(
    maps: Mapping[str, Sequence] | Sequence,
    labels: Sequence[str],
    sounds: Sequence[str | os.PathLike | Waveform | np.ndarray | Tensor] | None = None,
    sample_rate: int | None = None,
    *,
    names: Sequence[str] | None = None,
):
    """Sounds in a plane, or in several planes that are stepped through: point, hear, draw a loop, walk with arrow keys.

    Args:
        maps: (n, 2) points, or several maps of the same sounds by name, for instance through training. Each is turned
            to lie like the last, which changes nothing between its points.
        labels: n names: colour and shape of the marks.
        sounds: n files, Waveforms or samples; None: nothing is heard.
        sample_rate: Hz, for bare samples.
        names: n names of the sounds; None: those of the files, or numbers.

    Returns:
        An anywidget with `selection`; show it as the last line of a cell.

    Raises:
        AudioformerError: numbers of points, labels, sounds or names that differ, or anywidget is not installed.

    Example:
        >>> sound_map([[0, 0], [1, 1]], ["dog", "cat"]).selection
        []
    """
    named = dict(maps) if isinstance(maps, Mapping) else {"": maps}
    points = {str(name): np.asarray(one, np.float64) for name, one in named.items()}
    names = _names(sounds, len(labels)) if names is None else [str(name) for name in names]
    lengths = [len(names), *([] if sounds is None else [len(sounds)])]
    shapes = [one.shape for one in points.values()]
    if (
        not shapes
        or any(shape != (len(labels), 2) for shape in shapes)
        or any(length != len(labels) for length in lengths)
    ):
        raise AudioformerError(
            f"{len(labels)} labels need as many points (n, 2), sounds and names, not {shapes} and {lengths}"
        )
    if not all(np.isfinite(one).all() for one in points.values()):
        raise AudioformerError("maps hold NaN or infinite numbers; check the model that gave them")
    last = list(points.values())[-1]
    shown = [
        {"name": name, "points": np.round(one if one is last else align(one, last), 4).tolist()}
        for name, one in points.items()
    ]
    alt = f"Map of {len(labels)} sounds, {len(set(labels))} labels. Arrow keys walk, Enter plays, space selects."
    said = [str(one).replace("_", " ") for one in labels]
    value = {"maps": shown, "labels": said, "names": names, "alt": alt, "sound": sounds is not None}
    return _widget_class()(value=json.dumps(value), sounds=sounds, sample_rate=sample_rate)


def _names(sounds, n: int) -> list[str]:
    if sounds is None or not all(isinstance(one, str | os.PathLike) for one in sounds):
        return [f"sound {i}" for i in range(n)]
    return [Path(one).name for one in sounds]


@cache
def _widget_class() -> type:
    """The widget; made when first needed, because anywidget comes with the extra `notebooks`."""
    View = view_class("sound_map.js")  # first, for it says what to install
    import traitlets

    class SoundMapWidget(View):
        """See `sound_map`."""

        selection = traitlets.List([], help="numbers of the sounds that are selected")

        def __init__(self, sounds=None, sample_rate=None, **traits):
            super().__init__(**traits)
            self._sounds, self._rate = sounds, sample_rate

        def answer(self, event: dict) -> None:
            """What the browser said: marks were selected, or one is to be heard; anything else is passed over."""
            if event.get("name") == "select":
                self.selection = [int(index) for index in event["indices"]]
            elif event.get("name") == "hear" and self._sounds is not None:
                index = int(event["index"])
                samples = as_waveform(self._sounds[index], self._rate, PLAY_HZ).samples[0].cpu().numpy()
                self.reply = json.dumps(
                    {"index": index, "number": event.get("number"), "wav": wav_base64(samples, PLAY_HZ)}
                )

    return SoundMapWidget
