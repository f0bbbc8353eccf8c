"""What a data set is: a list of clips with labels, folds and sources. First step of every training run.

Nothing is decoded here; `Clip.load` does that when the sound is wanted. All readers in this package give their clips in
one fixed order, never follow a path out of the data set's folder, and explain what is missing and what to do about it.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from audioformer.audio import Waveform, load_audio
from audioformer.errors import AudioformerError
from audioformer.reading.files import SOUND_ENDINGS, other_files, said_of_others, sound_files
from audioformer.reading.sound import log_notes

Event = tuple[str, float, float]  # label, onset_s, offset_s


@dataclass(frozen=True)
class Clip:
    """One labelled stretch of sound.

    Attributes:
        id: unique within its data set.
        path: sound file.
        labels: none, one or several names.
        fold: cross-validation fold, from 1; None where the data set has none.
        split: "train", "val", "test" or None.
        group: source recording or speaker; clips of one group must not be split between training and test.
        start_s: where in the file the clip begins, seconds.
        duration_s: length, seconds; None for "to the end of the file".
        events: (label, onset_s, offset_s) counted from the start of the clip.
    """

    id: str
    path: Path
    labels: tuple[str, ...] = ()
    fold: int | None = None
    split: str | None = None
    group: str = ""
    start_s: float = 0.0
    duration_s: float | None = None
    events: tuple[Event, ...] = ()

    def load(self, sample_rate: int | None = None, mono: bool = False) -> Waveform:
        """Decode the clip.

        Args:
            sample_rate: Hz to resample to; None keeps the file's own.
            mono: average the channels.

        Returns:
            Waveform, samples (C, N).

        Raises:
            AudioformerError: as `load_audio`; also if the file ends before the clip starts.
        """
        return load_audio(self.path, sample_rate, mono, start_s=self.start_s, duration_s=self.duration_s)


def load_told(clip: Clip) -> Waveform:
    """A clip in one channel.

    What is missing of it goes to the log "audioformer": for measurements that return numbers.
    """
    return log_notes(clip.id, clip.load(mono=True))


@dataclass(frozen=True)
class AudioDataset:
    """Clips and what they may be called.

    Attributes:
        name: of the layout ("esc50", "fsdd", ...).
        root: folder it was read from.
        clips: in a fixed order.
        label_names: all classes, in the order of a classifier's outputs.
        multi_label: True where a clip may have several labels (or none).
        missing: ids that the CSV lists but the disk lacks (only where that is tolerated).
        notes: what is left out of the folder, and how a list was understood that is not as published.
        mix_within: fields of Clip that two clips must share to be mixed with each other, so that no test sound can
            leak into training by way of a mixture.
    """

    name: str
    root: Path
    clips: tuple[Clip, ...]
    label_names: tuple[str, ...]
    multi_label: bool = False
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mix_within: tuple[str, ...] = ("fold", "split")

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __getitem__(self, index: int) -> Clip:
        return self.clips[index]

    def label_indices(self, clip: Clip) -> list[int]:
        """Positions of a clip's labels in `label_names`."""
        return [self._label_index[label] for label in clip.labels]

    def label_index(self, label: str) -> int:
        """Position of one label in `label_names`."""
        return self._label_index[label]

    @property
    def _label_index(self) -> dict[str, int]:
        if "_index" not in self.__dict__:
            object.__setattr__(self, "_index", {label: i for i, label in enumerate(self.label_names)})
        return self.__dict__["_index"]

    def select(self, folds=None, splits=None) -> AudioDataset:
        """The same data set with fewer clips.

        Args:
            folds: fold numbers to keep; None keeps all.
            splits: names of splits to keep; None keeps all.

        Raises:
            AudioformerError: no clip is left.
        """
        clips = tuple(
            c for c in self.clips if (folds is None or c.fold in folds) and (splits is None or c.split in splits)
        )
        if not clips:
            have = f"folds {sorted({c.fold for c in self.clips if c.fold is not None})}"
            have += f", splits {sorted({c.split for c in self.clips if c.split is not None})}"
            raise AudioformerError(f"folds={folds}, splits={splits}: no clip of {self.name} is left; it has {have}")
        return replace(self, clips=clips)


def require_folder(path: str | os.PathLike, what: str, layout: str) -> Path:
    """An existing folder, or an error that describes the layout wanted."""
    path = Path(path)
    if path.is_file():
        unpack = "unpack it first; " if path.suffix.lower() in (".zip", ".gz", ".tgz", ".tar", ".7z") else ""
        raise AudioformerError(
            f"{path}: is a file, {what} is a folder; {unpack}{_said_of_windows(path)}expected {layout}"
        )
    if not path.is_dir():
        raise AudioformerError(f"{path}: no such folder for {what}; expected {layout}")
    return path


WINDOWS_OWN = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in "123456789")}


def _said_of_windows(path: Path) -> str:
    """Which folders and files of a zip Windows leaves out when it unpacks them, "" for none: clips would be lost."""
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        names = {part for name in archive.namelist() for part in PurePosixPath(name).parts}
    own = sorted(name for name in names if name.partition(".")[0].rstrip().casefold() in WINDOWS_OWN)
    if not own:
        return ""
    called = ", ".join(repr(name) for name in own[:5])
    return f"Windows cannot unpack what is called {called}: rename it in the archive first, or use another system; "


def one_level_down(root: Path, has: Callable[[Path], bool]) -> Path:
    """The folder itself or, if only one below it has what is looked for, that one.

    Unpacking an archive adds a level, and often two, of which the first holds nothing else.
    """
    where = root
    for _ in range(3):
        if has(where):
            return where
        below = [folder for folder in where.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        if len(found := [folder for folder in below if has(folder)]) == 1:
            return found[0]
        if found or len(below) != 1:
            break
        where = below[0]
    return root


SPELLINGS = {  # what else a column is called in people's own lists
    "filename": ("file_name", "file name", "file", "fname", "path", "filepath", "file_path", "audio", "wav"),
    "fname": ("filename", "file_name", "file"),
    "label": ("labels", "category", "class", "class_name", "classname"),
    "labels": ("label",),
    "category": ("label", "class", "class_name"),
}


def read_csv(path: Path, columns: tuple[str, ...], what: str) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, as dictionaries; values stripped.

    Args:
        path: the file, see `read_csv_rows`.
        columns: names that must be there, in any case of letters or one of `SPELLINGS`; others are passed on.
        what: data set it belongs to, for the message.

    Raises:
        AudioformerError: missing, not text, a column missing, a short row, or no rows at all.
    """
    lines = read_csv_rows(path, what)
    header = [name.strip() for name in lines[0]] if lines else []
    lower = [name.lower() for name in header]
    for column in columns:
        spelled = next((name for name in (column, *SPELLINGS.get(column, ())) if name in lower), None)
        if column not in header and spelled is not None:
            header[lower.index(spelled)] = column
    absent = [name for name in columns if name not in header]
    if absent:
        raise AudioformerError(
            f"{path}: column {', '.join(absent)} is missing (has {', '.join(header) or 'nothing'}); {what} needs it"
        )
    rows = []
    for number, values in enumerate(lines[1:], start=2):
        if len(values) < len(header):
            raise AudioformerError(
                f"{path} line {number}: {len(values)} values for {len(header)} columns; complete the line"
            )
        rows.append({name: value.strip() for name, value in zip(header, values, strict=False)})
    if not rows:
        raise AudioformerError(f"{path}: lists no clips; {what} needs at least one line below the header")
    return rows


def read_csv_rows(path: Path, what: str) -> list[list[str]]:
    """Lines of a CSV file without looking for a header; blank lines are left out.

    Spreadsheets save CSV with commas, semicolons or tabs, as UTF-8, UTF-16 or in Windows' own letters: all are read.
    """
    if not path.is_file():
        raise AudioformerError(f"{path}: no such file; {what} lists its clips there")
    try:
        text = _decoded(path.read_bytes())
        first, _, rest = text.partition("\n")
        if first.lower().startswith("sep="):  # Excel's
            first, text = first[4:5], rest
        header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        mark = first if len(first) == 1 else next((mark for mark in ",;\t" if mark in header), ",")
        lines = csv.reader(text.splitlines(keepends=True), delimiter=mark, skipinitialspace=True, strict=True)
        return [row for row in lines if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AudioformerError(
            f"{path}: not a readable CSV file ({error}); save it as UTF-8 text with commas"
        ) from error


def _decoded(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    if content[1:2] == b"\0":  # the same without its mark
        return content.decode("utf-16-le")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def path_inside(folder: Path, name: str, listed_in: Path) -> Path:
    """`folder / name` for a name that a CSV gives, never outside the folder.

    A name that is spelled with other Unicode code points on disk (composed or decomposed accents) is found as well, and
    one without or with another ending of sounds ("1.wav" as 1.flac).

    Raises:
        AudioformerError: empty, absolute, or climbing out with "..".
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not name or "\0" in name or ".." in parts or name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
        raise AudioformerError(
            f"{listed_in}: file name {name!r} leads out of {folder}; use names relative to that folder"
        )
    if "\\" in name and not (folder / name).exists():
        name = "/".join(parts)  # as Windows writes it
    for form in () if name.isascii() else ("NFC", "NFD"):
        spelled = folder / unicodedata.normalize(form, name)
        if spelled.exists() and not (folder / name).exists():
            return spelled
    if not (path := folder / name).exists():
        stem, ending = os.path.splitext(name)
        stem = stem if ending.lower() in SOUND_ENDINGS else name
        whole = name[:-2] if re.search(r"\d\.0$", name) else stem  # a spreadsheet's number
        others = (folder / (base + other) for base in dict.fromkeys((stem, whole)) for other in SOUND_ENDINGS)
        return next((other for other in others if other.is_file()), path)
    return path


def require_files(clips: list[Clip], listed_in: Path, allow_missing: bool) -> tuple[list[Clip], tuple[str, ...]]:
    """Split clips into those whose file exists and the ids of those whose file does not.

    Raises:
        AudioformerError: any is missing and that is not allowed, or all are; or two clips share an id.
    """
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            raise AudioformerError(f"{listed_in}: lists {clip.id!r} twice; keep one line for each clip")
        seen.add(clip.id)
    present = [clip for clip in clips if clip.path.is_file()]
    if len(present) == len(clips):
        return present, ()
    absent = [clip for clip in clips if not clip.path.is_file()]
    if not present or not allow_missing:
        raise AudioformerError(
            f"{absent[0].path}: listed in {listed_in.name} but not there ({len(absent)} of {len(clips)} clips "
            "missing); "
            "complete the download" + ("" if not present else ", or pass allow_missing=True to continue without them")
        )
    return present, tuple(clip.id for clip in absent)


def left_out(folder: Path, listed: Iterable[Path], *lists: Path) -> tuple[str, ...]:
    """Sentences about the files of a folder that are no clips.

    No sounds, or sounds that are not listed and have no class.
    """
    notes = []
    if others := said_of_others(other_files(folder, known=lists)):
        notes.append(others)
    listed = set(listed)
    if unlisted := [path for path in sound_files(folder) if path not in listed]:
        example = unlisted[0].relative_to(folder).as_posix()
        count = f"{len(unlisted)} sound {'file is' if len(unlisted) == 1 else 'files are'}"
        notes.append(f"{count} left out, for no list and no folder gives a class, e.g. {example}")
    return tuple(notes)


def whole_number(text: str, column: str, path: Path) -> int:
    """An integer out of a CSV cell; "1.0", as spreadsheets write it, is one."""
    try:
        number = float(text.replace(",", "."))
        if number.is_integer():
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise AudioformerError(f"{path}: {column}={text!r} is not a whole number; correct that line")


def plain_id(text: str) -> str:
    """An id out of a CSV cell: "100.0", as spreadsheets write a number, is "100"."""
    return text[:-2] if re.fullmatch(r"\d+\.0", text) else text


def seconds(text: str, column: str, path: Path) -> float:
    """A finite number of seconds, at least 0, out of a CSV cell; "1,5" is 1.5."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise AudioformerError(f"{path}: {column}={text!r} is not a time in seconds; correct that line")
    return value
