"""Your own sounds: one sub-folder a class, or a CSV that names each file's labels.

    ROOT/dog/*.wav, ROOT/rain/*.ogg ...           the folder's name is the label (sub-folders of it count too)
    ROOT/train/dog/*.wav, ROOT/test/dog/*.wav     folders called train, val or test (and the like) are splits
    ROOT/fold1/dog/*.wav, ROOT/fold2/dog/*.wav    and those called fold1, fold2 are folds; both below classes, too
    ROOT/*.csv                                    filename, label[, fold][, split][, group]; several labels: dog;rain

The columns fold (from 1), split (train, val, test) and group (speaker, recording) keep related clips together.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from audioformer.data.datasets.base import (
    AudioDataset,
    Clip,
    left_out,
    one_level_down,
    path_inside,
    read_csv,
    require_files,
    require_folder,
    whole_number,
)
from audioformer.errors import AudioformerError
from audioformer.reading.files import has_sound, other_files, said_of_others, sound_files

LAYOUT = "one sub-folder a class, or a CSV with the columns filename,label"
SPLITS = ("train", "val", "test")
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
SPLIT_FOLDERS |= dict.fromkeys(("val", "valid", "validation", "dev"), "val")


def open_folder(root: str | os.PathLike, csv: str | None = None, allow_missing: bool = False) -> AudioDataset:
    """Read a folder of labelled sounds.

    Args:
        root: the folder. A CSV directly in it is used; without one the sub-folders are the classes.
        csv: name of the CSV, where there are several.
        allow_missing: continue without the files that the CSV lists but the disk lacks.

    Returns:
        AudioDataset; label_names sorted; multi-label if any line of the CSV has several labels (or none).

    Raises:
        AudioformerError: no such folder, no sounds, several CSV files, a column or file missing, an unknown split.
    """
    root = require_folder(root, "a data set", LAYOUT)
    if csv is not None:
        return _from_csv(root, path_inside(root, csv, root), allow_missing)
    tables = sorted(path for path in root.glob("*.csv") if not path.name.startswith("."))
    if len(tables) > 1:
        raise AudioformerError(f"{root}: holds {len(tables)} CSV files; choose one, e.g. csv={tables[0].name!r}")
    return _from_csv(root, tables[0], allow_missing) if tables else _from_sub_folders(root)


def _from_sub_folders(root: Path) -> AudioDataset:
    """Classes are folders; in folders that are called like splits or folds, if there are several, as well."""
    root = one_level_down(root, lambda folder: len(_folders(folder)) > 1)
    folders, clips = _folders(root), []
    named = [(folder, *place) for folder in folders if (place := _split_or_fold(folder.name))]
    parts = [part for part in named if _folders(part[0])] if len(named) > 1 else []
    if named and not parts and len(named) == len(folders) > 1:
        raise AudioformerError(
            f"{root}: {named[0][0].name} and {named[1][0].name} are called like parts of a data set, and nothing gives "
            f"the classes; expected {LAYOUT}"
        )
    parts = parts or [(root, None, None)]
    for place, split, fold in parts:
        for own in folders if place == root else _folders(place):
            for path in sound_files(own):
                name = path.relative_to(root).as_posix()
                label = unicodedata.normalize("NFC", own.name.strip())
                clips.append(Clip(name, path, (label,), fold, split, group=name))
    below = [_split_or_fold(clip.path.relative_to(root).parts[1]) for clip in clips] if parts[0][0] == root else [None]
    if all(below):  # dog/train/*.wav
        clips = [replace(clip, split=part[0], fold=part[1]) for clip, part in zip(clips, below, strict=True)]
    if not clips:
        others = said_of_others(other_files(root))
        raise AudioformerError(
            f"{root}: no sound files in its sub-folders; expected {LAYOUT}{'; ' + others if others else ''}"
        )
    names = tuple(sorted({clip.labels[0] for clip in clips}))
    notes = (*left_out(root, [clip.path for clip in clips]), *_strange(names))
    return AudioDataset("folder", root, tuple(clips), names, notes=notes)


def _split_or_fold(name: str) -> tuple[str | None, int | None] | None:
    """(split, fold) that a folder's name means; None: it is a class."""
    if name.lower() in SPLIT_FOLDERS:
        return SPLIT_FOLDERS[name.lower()], None
    fold = re.fullmatch(r"fold[ _-]?([1-9]\d?)", name.lower())
    return (None, int(fold[1])) if fold else None


def _strange(names: tuple[str, ...]) -> tuple[str, ...]:
    """What is to be said of classes: their names differ in capital letters only, or are perhaps several in one."""
    alike = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    several = (" and ".join(map(repr, same)) for same in alike.values() if len(same) > 1)
    notes = [f"the classes {same} differ in capitals only: spell them alike if they are one" for same in several]
    if odd := [name for name in names if re.search(r"[,|\[\]]", name)]:
        notes.append(f"{odd[0]!r} is taken for the name of one class; separate several with ;")
    if empty := [name for name in names if name.lower() in ("nan", "#n/a", "null")]:
        notes.append(f"{empty[0]!r} is taken for the name of a class; is it an empty cell?")
    return tuple(notes)


def _folders(root: Path) -> list[Path]:
    """Folders with sounds in them or below, by name."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [folder for folder in folders if has_sound(folder)]


def _from_csv(root: Path, table: Path, allow_missing: bool) -> AudioDataset:
    clips = []
    rows = read_csv(table, ("filename", "label"), "a data set")
    sounds = one_level_down(
        root, lambda folder: any(path_inside(folder, row["filename"], table).is_file() for row in rows[:9])
    )
    for row in rows:
        split = row.get("split") or None
        split = SPLIT_FOLDERS.get((split or "").lower(), split)
        if split is not None and split not in SPLITS:
            raise AudioformerError(
                f"{table}: {row['filename']} has split={split!r}; expected one of {', '.join(SPLITS)}"
            )
        fold = whole_number(row["fold"], "fold", table) if row.get("fold") else None
        written = unicodedata.normalize("NFC", row["label"]).split(";")
        labels = tuple(dict.fromkeys(label.strip() for label in written if label.strip()))
        path = path_inside(sounds, row["filename"], table)
        clips.append(Clip(row["filename"], path, labels, fold, split, row.get("group") or row["filename"]))
    clips, missing = require_files(clips, table, allow_missing)
    names = tuple(sorted({label for clip in clips for label in clip.labels}))
    if not names:
        raise AudioformerError(f"{table}: no clip has a label; fill the label column")
    several = any(len(clip.labels) != 1 for clip in clips)
    notes = (*left_out(root, [clip.path for clip in clips], table), *_strange(names))
    return AudioDataset("folder", root, tuple(clips), names, several, missing, notes)
