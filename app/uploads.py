"""Files that a browser has sent: only those of this app's own folder are opened."""

from __future__ import annotations

from pathlib import Path

from gradio.utils import get_upload_folder

from audioformer.errors import AudioformerError


def uploaded(path) -> Path:
    """The file of an upload, where it lies: in a folder of its own in Gradio's folder of uploads.

    Raises:
        AudioformerError: a path that no upload of this app has.
    """
    folder, wanted = Path(get_upload_folder()).resolve(), Path(str(path)[:1000])
    if "\0" in str(path) or wanted.resolve().parent.parent != folder or not wanted.is_file():
        raise AudioformerError("this file was not uploaded here; drop it again")
    return wanted
