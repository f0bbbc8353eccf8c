"""Folders of synthetic clips in the layout of ESC-50, and the bundled `data_samples`.

A folder holds `audio/{fold}-{index}-{take}-{target}.ogg`, `meta/esc50.csv` (filename, fold, target, category, esc10,
src_file, take), `meta/events.csv` (filename, label, onset_s, offset_s, level_db) for scenes, and `meta/clips.jsonl`,
one line per finished clip, from which an interrupted run continues.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from audioformer.audio import save_audio
from audioformer.data.synth.catalogue import CLASSES, ESC10_CLASSES, SOURCES
from audioformer.data.synth.scene import check_request, clip_seed, synth_clip, synth_scene
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, held, sweep, writing

ESC50_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
EVENT_COLUMNS = ("filename", "label", "onset_s", "offset_s", "level_db")
N_FOLDS = 5
KINDS = ("scenes", "clips")


@dataclass(frozen=True)
class Item:
    """One finished clip: file name, fold 1-5, main label, index and take, its seed, and events (scenes only)."""

    filename: str
    fold: int
    category: str
    src_file: str
    take: str
    seed: int
    events: list[dict]


def write_scenes(
    folder: str | os.PathLike,
    n_clips: int,
    seed: int = 0,
    duration_s: float | None = None,
    kind: str = "scenes",
    max_events: int = 4,
    classes: Sequence[str] = CLASSES,
    sample_rate: int = 24000,
    progress: Callable[[int, int], None] | None = None,
) -> list[Item]:
    """Write `n_clips` synthetic clips and their labels; an interrupted run continues where it stopped.

    Clip `index` depends only on the settings and `index`: asking again for more clips keeps the first ones.

    Args:
        folder: made if missing.
        n_clips: how many, >= 1.
        seed: 0 to 2**32 - 1.
        duration_s: seconds per clip; default 10 for scenes and 5 for clips.
        kind: "scenes" (mixtures with event times; `category` is the event with most energy) or "clips" (one label
            each).
        max_events: most events in a scene.
        classes: class names to draw from.
        sample_rate: Hz.
        progress: called with `(done, n_clips)` after every clip.

    Returns:
        One Item per clip, in order.

    Raises:
        AudioformerError: an argument is out of range, the folder holds clips of other settings, another process writes
            to it, or the disk refuses.

    Example:
        >>> items = write_scenes(getfixture("tmp_path"), 2, seed=1, duration_s=1.0, kind="clips", classes=["dog"])
        >>> [item.category for item in items]
        ['dog', 'dog']
    """
    folder, settings = Path(folder), _settings(kind, n_clips, seed, duration_s, max_events, classes, sample_rate)
    _claim(folder, settings)
    with held(folder / "meta"):
        for part in ("audio", "meta"):
            sweep(folder / part)
        finished, items = _finished(folder), []
        for index in range(n_clips):
            if index in finished and (folder / "audio" / finished[index].filename).is_file():
                items.append(finished[index])
            else:
                items.append(_write_one(folder, index, settings))
                _append(folder, index, items[-1])
            if progress is not None:
                progress(index + 1, n_clips)
        write_tables(folder, items)
    return items


def _settings(
    kind: str,
    n_clips: int,
    seed: int,
    duration_s: float | None,
    max_events: int,
    classes: Sequence[str],
    sample_rate: int,
) -> dict:
    """Checked settings of a folder, all that its clips depend on."""
    if kind not in KINDS:
        raise AudioformerError(f"kind={kind!r} must be one of {', '.join(KINDS)}")
    if isinstance(n_clips, bool) or not isinstance(n_clips, int) or n_clips < 1:
        raise AudioformerError(f"n_clips={n_clips!r} must be a whole number of at least 1; try 100")
    if duration_s is None:
        duration_s = 10.0 if kind == "scenes" else 5.0
    check_request(seed, duration_s, sample_rate, classes)
    if not 1 <= max_events <= 32:
        raise AudioformerError(f"max_events={max_events} must be between 1 and 32; try 4")
    return {
        "kind": kind,
        "seed": int(seed),
        "duration_s": float(duration_s),
        "sample_rate": int(sample_rate),
        "max_events": max_events if kind == "scenes" else None,
        "classes": list(classes),
    }


def _claim(folder: Path, settings: dict) -> None:
    """Note the settings in the folder, or refuse a folder made with other ones."""
    path = folder / "meta" / "synth.json"
    if folder.exists() and not folder.is_dir():
        raise AudioformerError(f"{folder} is a file, not a folder; choose another output folder")
    if path.is_file():
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            old = None
        if old != settings:
            raise AudioformerError(
                f"{folder} already holds clips made with other settings; choose an empty folder or repeat those "
                "settings"
            )
        return
    if (folder / "meta" / "esc50.csv").exists():
        raise AudioformerError(f"{folder} holds a data set that was not made by synth; choose an empty folder")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _finished(folder: Path) -> dict[int, Item]:
    """Clips already written, by index; a line cut short by a crash is skipped, so its clip is made again."""
    path = folder / "meta" / "clips.jsonl"
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
            index = int(row.pop("index"))
            done[index] = Item(**row)
        except (ValueError, TypeError, KeyError):
            continue
    return done


def _append(folder: Path, index: int, item: Item) -> None:
    path = folder / "meta" / "clips.jsonl"
    with writing(path), path.open("a", encoding="utf-8") as stream:
        if stream.tell() > 0:
            with path.open("rb") as existing:
                existing.seek(-1, os.SEEK_END)
                if existing.read() != b"\n":  # a crash left half a line
                    stream.write("\n")
        stream.write(json.dumps({"index": index, **asdict(item)}) + "\n")


def _write_one(folder: Path, index: int, settings: dict) -> Item:
    seed, rate = clip_seed(settings["seed"], index), settings["sample_rate"]
    if settings["kind"] == "clips":
        label = settings["classes"][index % len(settings["classes"])]
        # one fold per round over the classes, so that every fold has every class
        fold = 1 + index // len(settings["classes"]) % N_FOLDS
        return save_item(
            folder, synth_clip(label, seed, settings["duration_s"], rate), rate, label, fold, index, "A", seed, []
        )
    scene = synth_scene(seed, settings["duration_s"], settings["max_events"], settings["classes"], rate)
    events = [asdict(event) for event in scene.events]
    return save_item(folder, scene.samples, rate, scene.main_label, 1 + index % N_FOLDS, index, "A", seed, events)


def save_item(
    folder: Path,
    samples: np.ndarray,
    sample_rate: int,
    category: str,
    fold: int,
    index: int,
    take: str,
    seed: int,
    events: list[dict],
) -> Item:
    """Write one clip under its ESC-50-style name and describe it."""
    import torch  # here, so that synthesis itself needs numpy and scipy only

    filename = f"{fold}-{900000 + index}-{take}-{SOURCES[category].target}.ogg"
    save_audio(folder / "audio" / filename, torch.from_numpy(samples), sample_rate)
    return Item(filename, fold, category, str(900000 + index), take, seed, events)


def write_tables(folder: Path, items: list[Item]) -> None:
    """Write `meta/esc50.csv`, and `meta/events.csv` if any item has events."""
    rows = [
        (i.filename, i.fold, SOURCES[i.category].target, i.category, i.category in ESC10_CLASSES, i.src_file, i.take)
        for i in items
    ]
    _write_csv(folder / "meta" / "esc50.csv", ESC50_COLUMNS, rows)
    events = [(i.filename, *(event[name] for name in EVENT_COLUMNS[1:])) for i in items for event in i.events]
    if events:
        _write_csv(folder / "meta" / "events.csv", EVENT_COLUMNS, events)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
