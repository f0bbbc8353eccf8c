"""A sound of one's own in a notebook: recorded in the browser that shows it, or a file of the computer it runs on.

    from audioformer.widgets import own_sound
    mine = own_sound()
    mine                          # last line of a cell: a button to record, a button for files
    clf.classify(mine.sound)      # afterwards, in another cell

What phones record (m4a, webm ...) is decoded by the browser, so nothing has to be installed for it.
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
from functools import cache
from pathlib import Path, PurePosixPath

from audioformer.audio import Waveform, load_audio, quietness
from audioformer.errors import AudioformerError
from audioformer.widgets.modules import view_class

MOST_LETTERS = 100 << 20  # of base64: 75 MB of sound


def own_sound():
    """Bring a sound of your own.

    Returns:
        An anywidget; its `sound` is the latest Waveform, None before there is one, and `file` what it is called. Show
        it as the last line of a cell.

    Raises:
        AudioformerError: anywidget is not installed.
    """
    return _widget_class()()


def read_sound(content: bytes, file: str) -> Waveform:
    """The sound of a file's bytes, read like any file.

    Args:
        content: of the file.
        file: its name, as somebody else's browser gives it.

    Raises:
        AudioformerError: as `load_audio`.
    """
    name = "".join(letter for letter in PurePosixPath(file.replace("\\", "/")).name if letter.isprintable())[-80:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (name.strip(". ") or "sound")
        path.write_bytes(content)
        return load_audio(path)


@cache
def _widget_class() -> type:
    """The widget; made when first needed, because anywidget comes with the extra `notebooks`."""

    class OwnSoundWidget(view_class("own_sound.js")):
        """See `own_sound`."""

        def __init__(self, **traits):
            super().__init__(**traits)
            self.sound: Waveform | None = None
            self.file, self._pieces = "", []

        def answer(self, event: dict) -> None:
            """A piece of a sound; the last one makes it the widget's `sound`."""
            if event.get("name") != "piece":
                return
            reply = {"take": event.get("take"), "number": event.get("number")}
            try:
                self.reply = json.dumps({**reply, **self._taken(event)})
            except AudioformerError as error:
                self._pieces = []
                self.reply = json.dumps({**reply, "failed": str(error)})

        def _taken(self, event: dict) -> dict:
            text, n_letters = str(event.get("text", "")), event.get("of")
            if event.get("at") == 0:
                self._pieces = []
            received = sum(map(len, self._pieces))
            if not isinstance(n_letters, int) or n_letters > MOST_LETTERS or received + len(text) > n_letters:
                raise AudioformerError(
                    f"a sound for a notebook has at most {MOST_LETTERS * 3 // 4 >> 20} MB; cut it first"
                )
            if event.get("at") != received:
                raise AudioformerError("a piece of the sound was lost on its way; bring it again")
            self._pieces.append(text)
            if received + len(text) < n_letters:
                return {"received": received + len(text)}
            try:
                content, self._pieces = base64.b64decode("".join(self._pieces), validate=True), []
            except binascii.Error as error:
                raise AudioformerError("the sound was damaged on its way; bring it again") from error
            self.file = str(event.get("file", ""))
            self.sound = sound = read_sound(content, self.file)
            notes = [*sound.notes, *filter(None, [quietness(sound.level_db)])]
            about = f"{self.file}: {sound.duration_s:.2f} s at {sound.sample_rate} Hz, now `sound` of this widget"
            return {"said": "; ".join([about, *notes])}

    return OwnSoundWidget
