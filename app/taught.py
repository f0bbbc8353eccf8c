"""Classifiers that were taught on the page: normal checkpoint folders, found again by a name that nobody can guess.

`Models.classifier(name)` opens them like any other checkpoint, so every room can use them.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from audioformer.checkpoint import HUB_FILES
from audioformer.classify import AudioClassifier, load
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer_app.kept import Kept

PREFIX = "yours-"
MOST_BYTES = 60 << 20  # of an unpacked classifier
MOST, IDLE_S = 40, 3600.0  # a class of thirty, and some who begin anew; about 13 MB each


@dataclass(frozen=True)
class Taught:
    """A classifier and the folder it was read from.

    Attributes:
        name: PREFIX and a secret.
        folder: config.json, model.safetensors, README.md.
        classifier: open.
    """

    name: str
    folder: Path
    classifier: AudioClassifier

    @property
    def choice(self) -> tuple[str, str]:
        """What the page calls it, and its name."""
        return f"yours: {', '.join(self.classifier.label_names)}", self.name

    def zip(self) -> bytes:
        """The folder as a zip file; unpacked, `audioformer classify --checkpoint FOLDER` takes it."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in HUB_FILES:
                archive.write(self.folder / name, f"taught/{name}")
        return out.getvalue()


def shelf() -> Kept:
    """A place for the classifiers of all pages."""
    return Kept(MOST, IDLE_S, lambda taught: shutil.rmtree(taught.folder.parent, ignore_errors=True))


def new_folder() -> Path:
    """An empty folder for a checkpoint, in the app's own temporary folder."""
    return Path(tempfile.mkdtemp(prefix="taught-", dir=os.environ.get("GRADIO_TEMP_DIR"))) / "taught"


def unpacked(file: str | Path) -> Path:
    """A new folder with the checkpoint of a zip file of `Taught.zip`; of a zip file nothing else is read.

    Raises:
        AudioformerError: not such a file, or one that is too large.
    """
    folder = new_folder()
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [archive.getinfo(f"taught/{name}") for name in HUB_FILES]
            if sum(part.file_size for part in parts) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES >> 20} MB")
            folder.mkdir(parents=True)
            for part, name in zip(parts, HUB_FILES, strict=True):
                with archive.open(part) as source:
                    (folder / name).write_bytes(source.read(MOST_BYTES))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise AudioformerError(
            f"{Path(file).name}: holds no classifier that this room has taught ({error}); save the project again"
        ) from error
    return folder


def open_taught(folder: Path, codec: Codec) -> Taught:
    """Read a checkpoint folder back as anybody would, sharing an open codec."""
    name = PREFIX + token_urlsafe(16)
    classifier = load(folder, codec=codec)
    classifier.name = name
    return Taught(name, folder, classifier)


def plain(name: str) -> str:
    """A checkpoint's name as the page shows it."""
    return "yours" if name.startswith(PREFIX) else name
