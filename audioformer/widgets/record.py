"""Record a data set of one's own in a notebook: each press is one WAV file in the folder of its kind.

    from audioformer.widgets import record
    record("my sounds", ["dog", "door"])      # last line of a cell

The file's name begins with its day ("first" or "second"), so that a test can be made of another day or place than the
training.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from audioformer.errors import AudioformerError
from audioformer.files import atomic_path
from audioformer.widgets.live import portion
from audioformer.widgets.modules import view_class

DAYS = ("first", "second")
QUIET_DB = -45.0  # a loudest sample below this: probably the wrong microphone
FORBIDDEN = '<>:"/\\|?*'  # in a folder's name, on one system or another


def record(folder, kinds: Sequence[str], seconds: float = 3.0, days: Sequence[str] = DAYS):
    """A button that records through the browser's microphone and saves each recording as WAV.

    Args:
        folder: of the data set; `folder/kind/first day 1.wav` and so on are made in it when something is recorded.
        kinds: names of the classes; each gets a sub-folder.
        seconds: length of a recording, 0.5 to 10.
        days: occasions to choose from; a file's name begins with its day.

    Returns:
        An anywidget; show it as the last line of a cell.

    Raises:
        AudioformerError: a length out of range, a kind or day that cannot be a file name, or no anywidget.
    """
    if not 0.5 <= seconds <= 10:
        raise AudioformerError(f"seconds={seconds} must be from 0.5 to 10")
    for name in (*kinds, *days):
        if not name.strip(" .") or set(name) & set(FORBIDDEN) or name.startswith("."):
            raise AudioformerError(f"{name!r} cannot be the name of a folder or file: use letters, digits and spaces")
    if len(set(kinds)) < 2:
        raise AudioformerError(f"kinds={list(kinds)} must be at least two different names")
    return _widget_class()(Path(folder), list(kinds), float(seconds), list(days))


def counts(folder: Path, kinds: Sequence[str], days: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many recordings of each kind and day there are: {kind: {day: number}}."""
    found = Counter((path.parent.name, day) for path in folder.glob("*/*.wav") for day in days if _is_of(path, day))
    return {kind: {day: found[kind, day] for day in days} for kind in kinds}


def _is_of(path: Path, day: str) -> bool:
    return path.name.startswith(f"{day} day ")


def save_recording(folder: Path, kind: str, day: str, samples: np.ndarray, rate: int) -> Path:
    """Write one recording under the next free number.

    Args:
        folder: of the data set.
        kind: its class, the sub-folder.
        day: its occasion, the beginning of its name.
        samples: (N,) int16.
        rate: Hz.

    Returns:
        Path of the file: `folder/kind/DAY day NUMBER.wav`.

    Raises:
        AudioformerError: it cannot be written.
    """
    numbers = [path.stem.rpartition(" ")[2] for path in (folder / kind).glob(f"{day} day *.wav")]
    number = 1 + max((int(one) for one in numbers if one.isdigit()), default=0)
    path = folder / kind / f"{day} day {number}.wav"
    with atomic_path(path) as temporary:
        soundfile.write(temporary, samples, rate, subtype="PCM_16", format="WAV")
    return path


@cache
def _widget_class() -> type:
    """The widget; made when first needed, because anywidget comes with the extra `notebooks`."""

    class RecordWidget(view_class("record.js")):
        """See `record`."""

        def __init__(self, folder: Path, kinds: list[str], seconds: float, days: list[str]):
            self._folder, self._kinds, self._days, self._last = folder, kinds, days, None
            about = {"kinds": kinds, "days": days, "seconds": seconds, "counts": counts(folder, kinds, days)}
            super().__init__(value=json.dumps(about))

        def answer(self, event: dict) -> None:
            """A recording to save, or the wish to delete the last one."""
            sound = ""
            try:
                if event.get("name") == "save":
                    text, sound = self._save(event)
                elif event.get("name") == "delete":
                    text = self._delete()
                else:
                    return
            except (AudioformerError, OSError) as error:
                text = f"Not saved: {error}"
            told = {"text": text, "sound": sound, "last": self._last is not None, "number": event.get("number")}
            self.reply = json.dumps({**told, "counts": counts(self._folder, self._kinds, self._days)})

        def _save(self, event: dict) -> tuple[str, str]:
            kind, day = event.get("kind"), event.get("day")
            if kind not in self._kinds or day not in self._days:
                raise AudioformerError(f"{kind!r} on {day!r} is none of the kinds and days of this recorder")
            samples, rate = portion(event)
            if len(samples) < rate // 5:
                raise AudioformerError(f"{len(samples) / rate:.2f} s is too short; hold on for a fifth of a second")
            peak_db = 20 * np.log10(max(1, int(np.abs(samples.astype(np.int32)).max())) / 32768)
            self._last = save_recording(self._folder, kind, day, samples, rate)
            text = f"Saved {kind}/{self._last.name}, {len(samples) / rate:.1f} s, loudest {peak_db:.0f} dB."
            if peak_db < QUIET_DB:
                text += " Hardly anything was heard: is it the right microphone?"
            heard = io.BytesIO()
            soundfile.write(heard, samples, rate, subtype="PCM_16", format="WAV")
            return text, base64.b64encode(heard.getvalue()).decode()

        def _delete(self) -> str:
            if self._last is None:
                return "There is nothing to delete."
            gone, self._last = self._last, None
            gone.unlink(missing_ok=True)
            return f"Deleted {gone.parent.name}/{gone.name}."

    return RecordWidget
