"""What a prepared data set looks like on disk, shared by `prepare` (writes) and `corpus` (reads).

    CORPUS/corpus.json                            what it was made of and how: `CorpusInfo`
    CORPUS/shard-00000-of-00004.arrow ...         Hugging Face `datasets` Arrow streams, one row a coded clip
    CORPUS/shard-00000-of-00004.problems.json     only where clips of that shard could not be read

K codebooks, T frames; codes are stored row by row, (K, T) flattened, as uint16. A corpus may hold what EnCodecMAE reads
as well: F numbers a frame, (F, T) flattened, as float16.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.audio import atomic_path
from audioformer.errors import AudioformerError

FORMAT_VERSION = 1
INFO_NAME = "corpus.json"


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
        frames: "latents" or "mel256", kept beside the codes for EnCodecMAE; None keeps codes only.
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
        return [f"{name} {_short(mine[name])} there, {_short(theirs[name])} asked for" for name in mine if mine[name] != theirs[name]]


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
        frames: (F, T) float32, what an EnCodecMAE reads, if the corpus holds it.
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
        raise AudioformerError(f"{folder}: is no corpus (has no {INFO_NAME}); make one with `audioformer prepare`")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != FORMAT_VERSION:
            raise AudioformerError(f"{path}: format {content['version']}, this audioformer reads {FORMAT_VERSION}; prepare it again")
        content.setdefault("frames", None)  # corpora made before there were any
        known = {field.name: content[field.name] for field in fields(CorpusInfo)}
        info = CorpusInfo(**known | {"label_names": tuple(content["label_names"])})
        _check(info)
        return info
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, AudioformerError):
            raise
        raise AudioformerError(f"{path}: damaged ({error!r}); prepare the corpus again in a new folder") from error


def _check(info: CorpusInfo) -> None:
    """KeyError or ValueError where a value cannot be used."""
    for name in ("name", "fingerprint", "sample_rate", "frame_rate", "codebook_size"):
        info.codec[name]
    if not (info.n_shards >= 1 and info.n_codebooks >= 1 and info.codec["frame_rate"] > 0):
        raise ValueError("n_shards, n_codebooks and frame_rate must be positive")


def shard_path(folder: Path, index: int, n_shards: int) -> Path:
    """File of one shard; index from 0."""
    return folder / f"shard-{index:05d}-of-{n_shards:05d}.arrow"


def problems_path(shard: Path) -> Path:
    """File that lists the clips of a shard that could not be read."""
    return shard.with_name(shard.stem + ".problems.json")


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
        }
    )


def read_shards(paths: list[Path]):
    """One Arrow table over all shards, memory-mapped by Hugging Face `datasets`."""
    import pyarrow as pa
    from datasets import Dataset, concatenate_datasets
    from datasets.exceptions import DatasetsError

    parts = []
    for path in paths:
        try:
            parts.append(Dataset.from_file(str(path)))
        except (pa.ArrowException, OSError, ValueError, TypeError, DatasetsError) as error:
            raise AudioformerError(f"{path}: damaged ({error}); delete it and run the same prepare again") from error
    return concatenate_datasets(parts).data.table


class ListColumn:
    """A column of lists, read row by row out of the file without copying.

    Args:
        column: Arrow chunked array of lists of numbers.
    """

    def __init__(self, column):
        self.chunks = [(chunk.offsets.to_numpy(), chunk.values.to_numpy(zero_copy_only=True)) for chunk in column.chunks]
        self.ends = np.cumsum([len(chunk) for chunk in column.chunks])

    def __getitem__(self, row: int) -> np.ndarray:
        """All numbers of one row, flat."""
        chunk = int(np.searchsorted(self.ends, row, side="right"))
        offsets, values = self.chunks[chunk]
        place = row - (int(self.ends[chunk - 1]) if chunk else 0)
        return values[offsets[place] : offsets[place + 1]]


def relabelled(table, names: tuple[str, ...], new_names: tuple[str, ...]):
    """An Arrow table of rows with its class numbers, places in `names`, turned into places in `new_names`."""
    import pyarrow as pa

    if names == new_names:
        return table.replace_schema_metadata(None)
    place = [new_names.index(name) for name in names]
    labels = [[place[number] for number in row] for row in table.column("labels").to_pylist()]
    events = [[{**event, "label": place[event["label"]]} for event in row] for row in table.column("events").to_pylist()]
    for name, values in (("labels", labels), ("events", events)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, type=table.schema.field(at).type))
    return table.replace_schema_metadata(None)
