"""FSD50K as published on Zenodo: 51,197 Freesound clips, 200 classes, several labels a clip.

    ROOT/FSD50K.dev_audio/64760.wav ...           ROOT/FSD50K.eval_audio/37199.wav ...
    ROOT/FSD50K.ground_truth/dev.csv              fname, labels, mids, split (train or val)
    ROOT/FSD50K.ground_truth/eval.csv             fname, labels, mids
    ROOT/FSD50K.ground_truth/vocabulary.csv       index, label, mid (no header)
    ROOT/FSD50K.metadata/{dev,eval}_clips_info_FSD50K.json   optional: who uploaded a clip

Fonseca et al. 2020 (arXiv:2010.00475).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from audioformer.data.datasets.base import (
    AudioDataset,
    Clip,
    one_level_down,
    path_inside,
    plain_id,
    read_csv,
    read_csv_rows,
    require_files,
    require_folder,
)
from audioformer.errors import AudioformerError
from audioformer.reading.files import is_sound

LAYOUT = "FSD50K's layout: FSD50K.dev_audio/, FSD50K.eval_audio/ and FSD50K.ground_truth/"
SPLITS = {"train": "train", "val": "val", "": "train"}


def open_fsd50k(
    root: str | os.PathLike, parts: tuple[str, ...] = ("dev", "eval"), allow_missing: bool = False
) -> AudioDataset:
    """Read FSD50K.

    Args:
        root: folder holding the unpacked archives.
        parts: "dev" (splits "train" and "val") and/or "eval" (split "test").
        allow_missing: continue without the files that are not there.

    Returns:
        AudioDataset, multi-label, label_names in the order of vocabulary.csv; group is the uploader where the metadata
        archive is unpacked too, else the clip itself (the official split keeps uploaders apart in any case).

    Raises:
        AudioformerError: folder, CSV, column or file missing; a label that the vocabulary lacks; a clip in two splits.
    """
    root = require_folder(root, "FSD50K", LAYOUT)
    root = one_level_down(root, lambda folder: (folder / "FSD50K.ground_truth").is_dir())
    parts = (parts,) if isinstance(parts, str) else tuple(parts)
    if not parts or set(parts) - {"dev", "eval"}:
        raise AudioformerError(f"parts={parts}: FSD50K has 'dev' and 'eval'")
    truth = require_folder(root / "FSD50K.ground_truth", "FSD50K", LAYOUT)
    label_names = _vocabulary(truth / "vocabulary.csv")
    clips, missing = [], []
    for part in parts:
        found, absent = _part(root, truth, part, set(label_names), allow_missing)
        clips += found
        missing += absent
    require_files(clips, truth / "eval.csv", allow_missing)  # dev and eval must not share a clip
    return AudioDataset("fsd50k", root, tuple(clips), label_names, True, tuple(missing))


def _vocabulary(path: Path) -> tuple[str, ...]:
    rows = read_csv_rows(path, "FSD50K")
    if not rows or any(len(row) < 2 for row in rows):
        raise AudioformerError(f"{path}: expected lines of index,label,mid; download the ground truth again")
    return tuple(row[1].strip() for row in rows if row[0].strip().isdigit())


def _part(
    root: Path, truth: Path, part: str, known: set[str], allow_missing: bool
) -> tuple[list[Clip], tuple[str, ...]]:
    table = truth / f"{part}.csv"
    folder = require_folder(root / f"FSD50K.{part}_audio", "FSD50K", LAYOUT)
    uploader = _uploaders(root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json")
    clips = []
    for row in read_csv(table, ("fname", "labels", *(("split",) if part == "dev" else ())), "FSD50K"):
        labels = tuple(dict.fromkeys(label.strip() for label in row["labels"].split(",") if label.strip()))
        if unknown := set(labels) - known:
            raise AudioformerError(
                f"{table}: {row['fname']}: label {min(unknown)!r} is not in vocabulary.csv; download both again"
            )
        split = SPLITS.get(row["split"]) if part == "dev" else "test"
        if split is None:
            raise AudioformerError(f"{table}: {row['fname']} has split={row['split']!r}; expected train or val")
        own = plain_id(row["fname"])
        own = Path(own).stem if is_sound(own) else own
        name = own + ".wav"
        clips.append(Clip(own, path_inside(folder, name, table), labels, None, split, uploader.get(own, own)))
    return require_files(clips, table, allow_missing)


def _uploaders(path: Path) -> dict[str, str]:
    """Uploader by clip; empty where the metadata archive is not unpacked."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(info["uploader"]) for name, info in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AudioformerError(
            f"{path}: not FSD50K's clip metadata ({error!r}); download it again or remove it"
        ) from error
