"""Where the folders that come with audioformer are: in a clone beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path

from audioformer.errors import AudioformerError

PACKAGE = Path(__file__).resolve().parent


def samples_folder() -> Path:
    """Folder of the bundled sound clips.

    Raises:
        AudioformerError: this installation came without them.

    Example:
        >>> sorted(samples_folder().rglob("*.ogg"))[0].suffix
        '.ogg'
    """
    return _folder("data_samples")


def notebooks_folder() -> Path:
    """Folder of the notebooks.

    Raises:
        AudioformerError: this installation came without them.
    """
    return _folder("notebooks")


def assets_folder() -> Path:
    """Folder of the bundled weights: `codecs/NAME` and `checkpoints/NAME`. It may be missing in a half-made clone."""
    return PACKAGE / "assets"


def _folder(name: str) -> Path:
    for parent in (PACKAGE, PACKAGE.parent):  # wheel, clone
        if (parent / name).is_dir():
            return parent / name
    raise AudioformerError(f"{name}: not in {PACKAGE} nor beside it; install audioformer again or clone the repository")
