"""What a classifier's recipe says of sounds that it has not learnt from, clip by clip: `held_out.json`.

    audioformer evaluate ESC-10 --dataset esc50 --checkpoint esc10-fold1 --folds 1 --held-out esc10

adds the clips of fold 1 as the model saw them that was trained without that fold. Out of it follow the table of what is
taken for what, the curve of reliability, and what a threshold for "none of these" costs. Shapes: n clips, C classes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioformer.checkpoint import find_checkpoint
from audioformer.errors import AudioformerError
from audioformer.evaluation.calibration import sharpened
from audioformer.files import atomic_path

FILE = "held_out.json"
DIGITS = 4  # of a probability that count, be it ever so small
N_BINS = 10


@dataclass(frozen=True)
class HeldOut:
    """Clips that were held out.

    Attributes:
        label_names: C.
        probabilities: (n, C).
        truth: (n,) true classes.
        commands: that measured them.
        ids: n.
    """

    label_names: tuple[str, ...]
    probabilities: np.ndarray
    truth: np.ndarray
    commands: tuple[str, ...]
    ids: tuple[str, ...] = ()

    @property
    def right(self) -> np.ndarray:
        """(n,) bool: whether the most probable class is the true one."""
        return self.probabilities.argmax(1) == self.truth

    def confusion(self, sure: float = 0.0) -> np.ndarray:
        """(C, C + 1) counts: rows are true classes, columns what they are taken for, the last: none, below `sure`."""
        given = np.where(self.probabilities.max(1) >= sure, self.probabilities.argmax(1), len(self.label_names))
        counts = np.zeros((len(self.label_names), len(self.label_names) + 1), np.int64)
        np.add.at(counts, (self.truth, given), 1)
        return counts

    def reliability(self) -> list[tuple[float, float, int]]:
        """Mean confidence, share right and number of the clips in each of ten bins of confidence that holds any."""
        sure = self.probabilities.max(1)
        bins = np.minimum((sure * N_BINS).astype(int), N_BINS - 1)
        found = [(bins == b) for b in np.unique(bins)]
        return [(float(sure[own].mean()), float(self.right[own].mean()), int(own.sum())) for own in found]

    def answered(self, sure: float) -> tuple[float, float]:
        """Share of the clips that get a label from a probability of `sure` on, and share of these that are right.

        The second is nan where none gets one.
        """
        own = self.probabilities.max(1) >= sure
        return float(own.mean()), float(self.right[own].mean()) if own.any() else float("nan")


def read_held_out(checkpoint: str | os.PathLike) -> HeldOut | None:
    """The clips that were held out from a checkpoint's recipe; None where nobody has added any.

    Args:
        checkpoint: folder or bundled name.

    Raises:
        AudioformerError: no checkpoint, or the file is damaged.
    """
    path = find_checkpoint(checkpoint) / FILE
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        truth = np.array([clip["truth"] for clip in kept["clips"]])
        probabilities = np.array([clip["probabilities"] for clip in kept["clips"]], np.float64)
        names = tuple(map(str, kept["labels"]))
        if probabilities.shape != (len(truth), len(names)) or not set(truth.tolist()) <= set(range(len(names))):
            raise ValueError(f"{probabilities.shape} probabilities of {len(names)} classes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AudioformerError(f"{path}: damaged ({error}); measure it again, see `audioformer evaluate`") from error
    ids = tuple(str(clip["id"]) for clip in kept["clips"])
    return HeldOut(names, probabilities, truth, tuple(kept["commands"]), ids)


def add_held_out(checkpoint: str | os.PathLike, clips: list[dict], label_names, command: str) -> int:
    """Add clips to a checkpoint's file; those of the same id are replaced.

    Args:
        checkpoint: folder or bundled name, whose classes those of the clips must be.
        clips: {"id", "truth", "probabilities"} of each, from `evaluate`.
        label_names: C, in the order of the probabilities.
        command: that measured them.

    Returns:
        How many clips the file holds now.

    Raises:
        AudioformerError: other classes, or the folder cannot be written.
    """
    folder = find_checkpoint(checkpoint)
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if about.get("label_names") != list(label_names):
        raise AudioformerError(
            f"{folder.name} has the classes {about.get('label_names')}, not {list(label_names)}; "
            "name the checkpoint that the same recipe gave"
        )
    path = folder / FILE
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"clips": [], "commands": []}
    new = {clip["id"] for clip in clips}
    every = [clip for clip in kept["clips"] if clip["id"] not in new] + list(clips)
    _write(path, label_names, list(dict.fromkeys([*kept["commands"], command])), every)
    return len(every)


def sharpen_held_out(folder: Path, temperature: float) -> None:
    """Keep `held_out.json`, if there is one, in step with a last layer that was divided by a temperature."""
    held = read_held_out(folder)
    if held is not None:
        every = zip(held.ids, held.truth.tolist(), sharpened(held.probabilities, temperature), strict=True)
        clips = [{"id": name, "truth": truth, "probabilities": own} for name, truth, own in every]
        _write(folder / FILE, held.label_names, held.commands, clips)


def _write(path: Path, label_names, commands, clips: list[dict]) -> None:
    rounded = ({**clip, "probabilities": [float(f"{p:.{DIGITS}g}") for p in clip["probabilities"]]} for clip in clips)
    lines = ",\n  ".join(map(json.dumps, rounded))
    head = json.dumps({"labels": list(label_names), "commands": list(commands)})[:-1]
    with atomic_path(path) as temporary:
        temporary.write_text(f'{head}, "clips": [\n  {lines}\n]}}\n', encoding="utf-8")
