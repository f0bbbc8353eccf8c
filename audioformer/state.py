"""The state of a training run on disk: `state.pt`, from which it goes on. Opened as tensors and plain values only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import torch

from audioformer.audio import atomic_path
from audioformer.errors import AudioformerError


def writable_folder(folder: str | os.PathLike) -> Path:
    """Make a folder and see that files can be written there, before an hour of work depends on it.

    Raises:
        AudioformerError: it cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise AudioformerError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def save_state(folder: str | os.PathLike, state: dict) -> None:
    """Write the resumable training state (tensors, numbers, strings) as `state.pt`, whole or not at all."""
    with atomic_path(Path(folder) / "state.pt") as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # torch's name for a disk that is full
            reason = str(error).splitlines()[0]
            raise AudioformerError(f"{folder}: cannot be written ({reason}); free space or choose another folder") from error


def load_state(folder: str | os.PathLike) -> dict | None:
    """Read `state.pt`, tensors only; None if there is none.

    Raises:
        AudioformerError: damaged.
    """
    path = Path(folder) / "state.pt"
    if not path.is_file():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for a damaged file
        raise AudioformerError(f"{path}: damaged training state ({type(error).__name__}); delete it to start again") from error
