"""ESC-50, ESC-10 and everything laid out like them, the scenes of `audioformer synth` among them.

    ROOT/audio/1-100032-A-0.wav ...
    ROOT/meta/esc50.csv      filename, fold, target, category[, esc10, src_file, take]
    ROOT/meta/events.csv     optional: filename, label, onset_s, offset_s[, level_db]: makes the set multi-label

Piczak 2015, "ESC: Dataset for Environmental Sound Classification". Clips cut from one recording share a fold.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from audioformer.data.datasets.base import (
    AudioDataset,
    Clip,
    Event,
    left_out,
    one_level_down,
    path_inside,
    plain_id,
    read_csv,
    require_files,
    require_folder,
    seconds,
    whole_number,
)
from audioformer.errors import AudioformerError

LAYOUT = "ESC-50's layout: audio/ and meta/esc50.csv"


def open_esc(root: str | os.PathLike, esc10_only: bool = False, allow_missing: bool = False) -> AudioDataset:
    """Read an ESC-50 layout.

    Args:
        root: folder with `audio/` and `meta/esc50.csv`, or the one above it; the CSV may lie beside `audio/` too.
        esc10_only: keep the clips marked `esc10` alone (10 of 50 classes).
        allow_missing: continue without the files that are not there.

    Returns:
        AudioDataset; label_names are the categories present in the order of their targets. `group` is the source
        recording. With `meta/events.csv` a clip's labels are those of its events (its category where it has none).

    Raises:
        AudioformerError: folder, CSV, column or file missing; a file in two folds; no ESC-10 clip.
    """
    root = one_level_down(require_folder(root, "ESC-50", LAYOUT), lambda folder: _table(folder).is_file())
    table = _table(root)
    rows = listed = read_csv(table, ("filename", "fold", "target", "category"), "ESC-50")
    if esc10_only:
        rows = [row for row in listed if row.get("esc10", "").lower() == "true"]
        if not rows:
            raise AudioformerError(f"{table}: no clip is marked esc10=True; leave esc10_only out")
    events = _read_events(root / "meta" / "events.csv")
    clips = [_clip(root, table, row, events) for row in rows]
    clips, missing = require_files(clips, table, allow_missing)
    multi_label = events is not None or any(not clip.labels for clip in clips)
    names = _label_names(rows, table, clips)
    notes = left_out(root / "audio", [path_inside(root / "audio", row["filename"], table) for row in listed])
    return AudioDataset("esc50", root, tuple(clips), names, multi_label, missing, notes)


def _table(root: Path) -> Path:
    """Where the list of clips is: in meta/, or where people copy it."""
    copied = root / "esc50.csv"
    return copied if copied.is_file() and not (root / "meta" / "esc50.csv").is_file() else root / "meta" / "esc50.csv"


def _clip(root: Path, table: Path, row: dict[str, str], events: dict[str, list[Event]] | None) -> Clip:
    name = row["filename"]
    own = tuple(events.get(name, ())) if events is not None else ()
    labels = tuple(sorted({label for label, _, _ in own})) or ((row["category"],) if row["category"] else ())
    return Clip(
        id=Path(name).stem,
        path=path_inside(root / "audio", name, table),
        labels=labels,
        fold=whole_number(row["fold"], "fold", table),
        group=plain_id(row.get("src_file", "")) or Path(name).stem,
        events=own,
    )


def _label_names(rows: list[dict[str, str]], table: Path, clips: list[Clip]) -> tuple[str, ...]:
    """Names in use: those that have a target by target, then those known from events alone by name."""
    target: dict[str, int] = {}
    for row in rows:
        number = whole_number(row["target"], "target", table) if row["category"] else -1
        if row["category"] and target.setdefault(row["category"], number) != number:
            raise AudioformerError(
                f"{table}: category {row['category']!r} has targets {target[row['category']]} and {number}; keep one"
            )
    used = {label for clip in clips for label in clip.labels}
    if not used:
        raise AudioformerError(f"{table}: no clip has a label; fill the category column")
    return tuple(sorted(used, key=lambda label: (label not in target, target.get(label, 0), label)))


def _read_events(path: Path) -> dict[str, list[Event]] | None:
    """Events by file name, in order of onset; None where there is no such file."""
    if not path.is_file():
        return None
    events: dict[str, list[Event]] = defaultdict(list)
    for row in read_csv(path, ("filename", "label", "onset_s", "offset_s"), "a set with event times"):
        onset_s, offset_s = seconds(row["onset_s"], "onset_s", path), seconds(row["offset_s"], "offset_s", path)
        if offset_s <= onset_s:
            raise AudioformerError(
                f"{path}: {row['filename']} has an event from {onset_s} to {offset_s} s; the offset must be later"
            )
        events[row["filename"]].append((row["label"], onset_s, offset_s))
    return {name: sorted(own, key=lambda event: event[1:]) for name, own in events.items()}
