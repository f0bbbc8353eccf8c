"""AudioSet: Google's lists of 10-second YouTube segments, and whatever part of the sound you have.

    ROOT/balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv
         three lines of comments, then: YTID, start_seconds, end_seconds, "mid,mid,..."
    ROOT/class_labels_indices.csv                 index, mid, display_name
    ROOT/**/{ytid}.wav, Y{ytid}.wav, {ytid}_{start}.flac, {ytid}_{start}_{end}.wav     in any sub-folders

Gemmeke et al. 2017. Videos vanish, so files that are missing are counted, not fatal. The file names are those of the
usual downloaders; {start} may be in seconds or milliseconds.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from pathlib import Path

from audioformer.data.datasets.base import (
    AudioDataset,
    Clip,
    left_out,
    one_level_down,
    read_csv,
    read_csv_rows,
    require_folder,
    seconds,
)
from audioformer.errors import AudioformerError
from audioformer.reading.files import sound_files

LISTED = "balanced_train_segments.csv and/or eval_segments.csv, class_labels_indices.csv"
LAYOUT = f"{LISTED}, and sound files named by YouTube id"
CLASSES = "class_labels_indices.csv"
TABLES = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "eval": "eval_segments.csv",
}


def open_audioset(
    root: str | os.PathLike,
    parts: tuple[str, ...] | None = None,
    validation_share: float = 0.05,
    full_videos: bool = False,
) -> AudioDataset:
    """Read AudioSet.

    Args:
        root: folder with the CSV files; the sound may lie in any folders below it.
        parts: of "balanced" (AS-20K), "unbalanced" (with balanced: AS-2M), "eval"; None takes every list present.
        validation_share: part of the training clips, 0 to 0.5, set aside as split "val", chosen by a checksum of the
            id. AudioSet has no validation set of its own, and choosing a model on "eval" would spoil its score.
        full_videos: True where files hold whole videos, so that a clip begins at its start time; False where they
            are cut to the segment already (as downloaders do).

    Returns:
        AudioDataset, multi-label, label_names by index; splits "train", "val", "test"; `missing` names the clips
        without a file. group is the video; of a video that is listed twice, the second clip is called {ytid}_{start}.

    Raises:
        AudioformerError: folder, list or class table missing or damaged; unknown class; not one file found.
    """
    root = require_folder(root, "AudioSet", LAYOUT)
    root = one_level_down(root, lambda folder: any((folder / name).is_file() for name in TABLES.values()))
    if not 0 <= validation_share <= 0.5:
        raise AudioformerError(f"validation_share={validation_share} must be 0 to 0.5; try 0.05")
    names = _class_names(root / CLASSES)
    files = _files_by_name(root)
    clips, missing, seen, times_seen = [], [], {}, Counter()
    for part in _parts(root, parts):
        table = root / TABLES[part]
        for ytid, start_s, end_s, mids in _segments(table):
            if seen.setdefault(ytid, part) != part:
                raise AudioformerError(
                    f"{table}: {ytid} is in {TABLES[seen[ytid]]} too; a clip may be in one list only"
                )
            windows = times_seen[ytid] = times_seen[ytid] + 1
            own = ytid if windows == 1 else f"{ytid}_{start_s:g}"
            path = _find(files, ytid, start_s, end_s, anywhere=full_videos or windows == 1)
            if path is None:
                missing.append(own)
                continue
            window = {"start_s": start_s, "duration_s": end_s - start_s} if full_videos else {}
            split = "test" if part == "eval" else _train_or_val(ytid, validation_share)
            clips.append(Clip(own, path, _labels(mids, names, table), None, split, ytid, **window))
    if not clips:
        raise AudioformerError(
            f"{root}: none of {len(missing)} listed clips has a sound file; expected names like {{ytid}}.wav below it"
        )
    notes = left_out(root, files.values(), *(root / name for name in (*TABLES.values(), CLASSES)))
    return AudioDataset("audioset", root, tuple(clips), tuple(names.values()), True, tuple(missing), notes)


def _parts(root: Path, parts: tuple[str, ...] | str | None) -> tuple[str, ...]:
    if parts is None:
        parts = tuple(part for part, name in TABLES.items() if (root / name).is_file())
    parts = (parts,) if isinstance(parts, str) else tuple(parts)
    if not parts or set(parts) - set(TABLES):
        raise AudioformerError(
            f"{root}: parts={parts}: AudioSet's lists are {', '.join(TABLES.values())}; put one there"
        )
    return parts


def _class_names(path: Path) -> dict[str, str]:
    """Display name by machine id, in the order of the index."""
    return {row["mid"]: row["display_name"] for row in read_csv(path, ("index", "mid", "display_name"), "AudioSet")}


def _segments(path: Path) -> list[tuple[str, float, float, str]]:
    """(ytid, start_s, end_s, machine ids) of every line that is not a comment; a line given twice counts once."""
    segments, seen = [], set()
    for row in read_csv_rows(path, "AudioSet"):
        if row[0].startswith("#"):
            continue
        if len(row) < 4:
            raise AudioformerError(f'{path}: {row!r} is not "YTID, start, end, labels"; download the list again')
        ytid, start_s, end_s = (
            row[0].strip(),
            seconds(row[1], "start_seconds", path),
            seconds(row[2], "end_seconds", path),
        )
        if end_s <= start_s:
            raise AudioformerError(f"{path}: {ytid} runs from {start_s} to {end_s} s; download the list again")
        if (ytid, start_s) not in seen:
            segments.append((ytid, start_s, end_s, row[3]))
            seen.add((ytid, start_s))
    if not segments:
        raise AudioformerError(f"{path}: lists no segments; download it again")
    return segments


def _labels(mids: str, names: dict[str, str], table: Path) -> tuple[str, ...]:
    wanted = [mid.strip() for mid in mids.split(",") if mid.strip()]
    unknown = [mid for mid in wanted if mid not in names]
    if unknown:
        raise AudioformerError(f"{table}: class {unknown[0]} is not in class_labels_indices.csv; download both again")
    return tuple(dict.fromkeys(names[mid] for mid in wanted))


def _files_by_name(root: Path) -> dict[str, Path]:
    """Sound files by name without ending; the first in path order wins."""
    files: dict[str, Path] = {}
    for path in sound_files(root):
        files.setdefault(path.stem, path)
    return files


def _find(files: dict[str, Path], ytid: str, start_s: float, end_s: float, anywhere: bool) -> Path | None:
    """The file of a segment under any of the usual names; one without a time may be any segment: only if `anywhere`."""
    for name in (ytid, "Y" + ytid):
        for scale in (1, 1000):
            start, end = start_s * scale, end_s * scale
            for form in ("{:.0f}", "{:.3f}", "{:.1f}"):
                for candidate in (f"{name}_{form.format(start)}_{form.format(end)}", f"{name}_{form.format(start)}"):
                    if candidate in files:
                        return files[candidate]
        if anywhere and name in files:
            return files[name]
    return None


def _train_or_val(ytid: str, share: float) -> str:
    return "val" if zlib.crc32(ytid.encode()) / 2**32 < share else "train"
