"""What a prepared data set looks like on disk, shared by `prepare` (writes) and `corpus` (reads).

    CORPUS/corpus.json                            what it was made of and how: `CorpusInfo`
    CORPUS/shard-00000-of-00004.arrow ...         Hugging Face `datasets` Arrow streams, one row a coded clip
    CORPUS/shard-00000-of-00004.problems.json     only where clips of that shard could not be read
    CORPUS/shard-00000-of-00004.notes.json        only where something of a clip is missing, or was changed

K codebooks, T frames; codes are stored row by row, (K, T) flattened, as uint16. A corpus may hold frames of numbers
as well: F numbers a frame, (F, T) flattened, as float16.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.data.augment import AugmentConfig
from audioformer.data.frames import STORED
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, read_json

FORMAT_VERSION = 1
MOST_SHARDS, MOST_ROWS = 100_000, 64  # what a file says is not believed without a limit
INFO_NAME = "corpus.json"
NEVER_NULL = ("id", "variant", "labels", "weights", "group", "n_samples", "n_codebooks", "n_frames", "codes", "partner")
PARTNER = {"id": "partner", "group": "partner_group"}  # columns of a clip, and the same of the one mixed into it


@dataclass(frozen=True)
class CorpusInfo:
    """Everything that decides what is in a corpus; two runs that differ in it never share a folder.

    Attributes:
        dataset: name of the layout it was read from.
        clips_hash: checksum of all clip ids, labels, folds and splits, in order.
        n_clips: clips in the data set.
        label_names: classes, in the order of the label numbers.
        multi_label: whether a clip may have several labels.
        codec: name, fingerprint, sample_rate (Hz), frame_rate (Hz), codebook_size of the codec.
        n_codebooks: K, rows kept.
        variants: codings of each clip; number 0 is the clip as it is, the others are augmented.
        augment: settings of AugmentConfig, or None.
        clip_s: longest stretch coded, seconds; None codes whole clips.
        seed: of the augmentation.
        n_shards: files the corpus is cut into.
        version: of this format.
        frames: "latents" or "mel256", frames of numbers kept beside the codes (data/frames.py); None keeps codes only.
    """

    dataset: str
    clips_hash: str
    n_clips: int
    label_names: tuple[str, ...]
    multi_label: bool
    codec: dict
    n_codebooks: int
    variants: int
    augment: dict | None
    clip_s: float | None
    seed: int
    n_shards: int
    version: int = FORMAT_VERSION
    frames: str | None = None

    def differences(self, other: CorpusInfo) -> list[str]:
        """What another run asked for differently, in words."""
        mine, theirs = _plain(self), _plain(other)
        return [
            f"{name} {_short(mine[name])} there, {_short(theirs[name])} asked for"
            for name in mine
            if mine[name] != theirs[name]
        ]


def _plain(info: CorpusInfo) -> dict:
    return json.loads(json.dumps(asdict(info)))


def _short(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


@dataclass(frozen=True)
class Item:
    """One coded clip.

    Attributes:
        id: of the clip; its variants share it.
        codes: (K, T) int64.
        labels: class numbers.
        weights: one per label; below 1 only where clips were mixed.
        fold: or None.
        split: "train", "val", "test" or None.
        group: source recording or speaker.
        variant: 0 for the clip as it is.
        events: (class number, onset_s, offset_s).
        duration_s: length of the sound, seconds.
        n_samples: the same in samples at the codec's rate.
        frames: (F, T) float32, frames of numbers, if the corpus holds them.
    """

    id: str
    codes: Tensor
    labels: tuple[int, ...]
    weights: tuple[float, ...]
    fold: int | None
    split: str | None
    group: str
    variant: int
    events: tuple[tuple[int, float, float], ...]
    duration_s: float
    n_samples: int
    frames: Tensor | None = None


def write_info(folder: Path, info: CorpusInfo) -> None:
    """Write corpus.json, whole or not at all."""
    with atomic_path(folder / INFO_NAME) as temporary:
        temporary.write_text(json.dumps(asdict(info), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_info(folder: Path) -> CorpusInfo:
    """Read corpus.json.

    Raises:
        AudioformerError: no such folder or file, damaged, or of another format version.
    """
    path = folder / INFO_NAME
    if not path.is_file():
        raise AudioformerError(
            f"{folder}: is not a corpus (it has no {INFO_NAME}); make one with `audioformer prepare`"
        )
    try:
        content = read_json(path)
        if content["version"] != FORMAT_VERSION:
            raise AudioformerError(
                f"{path}: format {content['version']}, this audioformer reads {FORMAT_VERSION}; prepare it again"
            )
        info = CorpusInfo(
            **{f.name: content[f.name] for f in fields(CorpusInfo)} | {"label_names": tuple(content["label_names"])}
        )
        _check(info)
        return info
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AudioformerError(f"{path}: damaged ({error!r:.200}); prepare the corpus again in a new folder") from error


def _check(info: CorpusInfo) -> None:
    """KeyError or ValueError where a value cannot be used."""
    counts = {"n_shards": (info.n_shards, MOST_SHARDS), "n_codebooks": (info.n_codebooks, MOST_ROWS)}
    counts |= {"n_clips": (info.n_clips, None), "variants": (info.variants, None)}
    counts |= {name: (info.codec[name], None) for name in ("sample_rate", "codebook_size")}
    for name, (value, most) in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1 or (most and value > most):
            raise ValueError(f"{name} is {value!r:.40}, not a whole number from 1" + (f" to {most}" if most else ""))
    rate = info.codec["frame_rate"]
    if not isinstance(rate, int | float) or not 0 < rate < float("inf"):
        raise ValueError(f"frame_rate is {rate!r:.40}, not a number above 0")
    texts = (info.dataset, info.codec["name"], info.codec["fingerprint"], *info.label_names)
    if not all(isinstance(text, str) for text in texts) or not isinstance(info.multi_label, bool):
        raise ValueError("dataset, codec and label_names are text, multi_label is true or false")
    if info.frames not in (None, *STORED):
        raise ValueError(f"frames is {info.frames!r:.40}, not one of {', '.join(STORED)}")
    if info.augment is not None:
        AugmentConfig(**info.augment)


def shard_path(folder: Path, index: int, n_shards: int) -> Path:
    """File of one shard; index from 0."""
    return folder / f"shard-{index:05d}-of-{n_shards:05d}.arrow"


def problems_path(shard: Path) -> Path:
    """File that lists the clips of a shard that could not be read."""
    return shard.with_name(shard.stem + ".problems.json")


def notes_path(shard: Path) -> Path:
    """File that lists the clips of a shard of whose sound something is missing or was changed."""
    return shard.with_name(shard.stem + ".notes.json")


def require_datasets() -> None:
    """AudioformerError where Hugging Face `datasets` is not installed."""
    try:
        import datasets  # noqa: F401
    except ImportError as error:
        raise AudioformerError('a corpus needs the training extra; run `pip install "audioformer[train]"`') from error


def corpus_features(with_frames: bool = False):
    """Columns of a shard, as Hugging Face `datasets.Features`."""
    from datasets import Features, Value

    columns = {"frames": [Value("float16")]} if with_frames else {}  # (F, T) flattened
    return Features(
        {
            **columns,
            "id": Value("string"),
            "variant": Value("int32"),
            "labels": [Value("int32")],
            "weights": [Value("float32")],  # one per label; below 1 only where clips were mixed
            "fold": Value("int32"),
            "split": Value("string"),
            "group": Value("string"),
            "duration_s": Value("float32"),
            "n_samples": Value("int64"),  # at the codec's sample rate
            "n_codebooks": Value("int32"),
            "n_frames": Value("int32"),
            "codes": [Value("uint16")],  # (K, T) flattened
            "events": [{"label": Value("int32"), "onset_s": Value("float32"), "offset_s": Value("float32")}],
            "partner": Value("string"),  # id of the clip mixed in; "" for none
            "partner_group": Value("string"),
        }
    )


def read_shards(paths: list[Path]):
    """One Arrow table over all shards, memory-mapped by Hugging Face `datasets`.

    Raises:
        AudioformerError: a shard is damaged.
    """
    import pyarrow as pa
    from datasets import Dataset, concatenate_datasets
    from datasets.exceptions import DatasetsError

    parts = []
    for path in paths:
        try:
            part = Dataset.from_file(str(path))
            part.data.table.validate(full=True)  # a damaged offset would end the process
            parts.append(part)
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError, DatasetsError) as error:
            raise AudioformerError(f"{path}: damaged ({error}); delete it and run the same prepare again") from error
    return concatenate_datasets(parts).data.table


def check_rows(table, info: CorpusInfo, folder: Path) -> None:
    """Refuse rows that do not fit corpus.json, before any is used.

    Raises:
        AudioformerError: a column or a value is missing, codes do not fill their codebook rows, a label that is not
            there, or a weight that is none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        missing = [name for name in NEVER_NULL if table.column(name).null_count]
        events = pc.list_flatten(table.column("events"))
        used = [pc.list_flatten(table.column("labels")), pc.struct_field(events, "label")]
        limits = [pc.min_max(column).as_py() for column in used if len(column)]
        n_rows, n_frames = (table.column(name).to_numpy().astype(int) for name in ("n_codebooks", "n_frames"))
        sizes = pc.list_value_length(table.column("codes")).to_numpy()
        sizes_of_frames = pc.list_value_length(table.column("frames")).to_numpy() if info.frames else 0 * n_frames
        weights = pc.list_flatten(table.column("weights")).to_numpy()
    except (pa.ArrowException, KeyError) as error:
        raise AudioformerError(f"{folder}: damaged ({error}); prepare the corpus again in a new folder") from error
    n_labels = len(info.label_names)
    wrong = [f"labels {x['min']}..{x['max']} of {n_labels}" for x in limits if x["min"] < 0 or x["max"] >= n_labels]
    wrong += [f"clips without {name}" for name in missing]
    fits = (n_frames > 0) & (n_rows >= info.n_codebooks) & (sizes == n_rows * n_frames)
    if not fits.all() or (sizes_of_frames % np.maximum(n_frames, 1)).any():
        wrong.append("codes or frames of another size than their clips")
    if len(weights) != len(used[0]) or not ((weights >= 0) & (weights <= 1.0001)).all():
        wrong.append("weights of labels beyond 0 to 1")
    if wrong:
        raise AudioformerError(f"{folder}: holds {wrong[0]}; prepare the corpus again in a new folder")


def fits(table, name: str, values, is_in: bool = True) -> np.ndarray:
    """Which rows of an Arrow table have one of some values in a column, or have none of them.

    For "id" and "group" the clip mixed in must fit as well.

    Args:
        table: rows.
        name: of the column.
        values: one, or several.
        is_in: False for the rows that have none of the values.

    Returns:
        (n,) bool.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values = [values] if isinstance(values, str | int | np.integer) else list(values)

    def rows(column) -> np.ndarray:
        known = pa.array(values, type=table.schema.field(column).type)
        return pc.is_in(table.column(column), value_set=known).to_numpy() == is_in

    if name not in PARTNER:
        return rows(name)
    return rows(name) & (rows(PARTNER[name]) | (table.column("partner").to_numpy() == ""))


class ListColumn:
    """A column of lists, read row by row out of the file without copying.

    Args:
        column: Arrow chunked array of lists of numbers.
    """

    def __init__(self, column):
        self.chunks = [
            (chunk.offsets.to_numpy(), chunk.values.to_numpy(zero_copy_only=True)) for chunk in column.chunks
        ]
        self.ends = np.cumsum([len(chunk) for chunk in column.chunks])

    def __getitem__(self, row: int) -> np.ndarray:
        """All numbers of one row, flat."""
        chunk = int(np.searchsorted(self.ends, row, side="right"))
        offsets, values = self.chunks[chunk]
        place = row - (int(self.ends[chunk - 1]) if chunk else 0)
        return values[offsets[place] : offsets[place + 1]]
