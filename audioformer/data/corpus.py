"""A prepared data set, opened: codes by clip, memory-mapped, with everything known about each.

    corpus = Corpus.open("runs/esc10-corpus")
    train, test = corpus.select(folds=[1, 2, 3]), corpus.select(folds=[4], variants=[0])
    train[0].codes                                # (K, T) int64

Between `prepare` and training in the data path. K codebooks, T frames, C classes, n rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.data.corpus_format import (
    CorpusInfo,
    Item,
    ListColumn,
    check_rows,
    fits,
    notes_path,
    problems_path,
    read_info,
    read_shards,
    require_datasets,
    shard_path,
)
from audioformer.data.prepare import PrepareRecord, describe_codec, prepare
from audioformer.errors import AudioformerError
from audioformer.files import read_json

__all__ = ["Corpus", "CorpusInfo", "Item", "PrepareRecord", "describe_codec", "prepare"]


class Corpus(Sequence):
    """Rows of a corpus, all or a selection; selections share the memory-mapped codes.

    Attributes:
        info: what the corpus was made of.
        table: Arrow table of all rows.
        indices: (n,) int64, the rows of `table` in this selection.
        problems: why a clip could not be read, by its id.
        notes: what of a clip is missing or was changed, by its id.
    """

    def __init__(
        self,
        info: CorpusInfo,
        table,
        indices: np.ndarray | None = None,
        problems: dict[str, str] | None = None,
        notes: dict[str, list[str]] | None = None,
    ):
        self.info, self.table, self.problems, self.notes = info, table, problems or {}, notes or {}
        self.indices = np.arange(table.num_rows) if indices is None else indices

    @classmethod
    def open(cls, folder: str | os.PathLike, allow_unfinished: bool = False) -> Corpus:
        """Open a folder written by `prepare`; reads the columns when needed and the codes never as a whole.

        Args:
            folder: with corpus.json and the shards.
            allow_unfinished: open what is there of a corpus still being prepared.

        Raises:
            AudioformerError: no corpus, shards missing or damaged, or no row in it.
        """
        require_datasets()
        folder = Path(folder)
        info = read_info(folder)
        paths = [shard_path(folder, index, info.n_shards) for index in range(info.n_shards)]
        absent = [path for path in paths if not path.is_file()]
        if absent and (not allow_unfinished or len(absent) == len(paths)):
            missing = f"{len(absent)} of {len(paths)} shards are missing, e.g. {absent[0].name}"
            raise AudioformerError(f"{folder}: {missing}; run the same prepare again to finish it")
        table = read_shards([path for path in paths if path.is_file()])
        if table.num_rows == 0:
            raise AudioformerError(f"{folder}: holds no clips; prepare it again from a data set that has some")
        check_rows(table, info, folder)
        problems, notes = (_reports([beside(path) for path in paths]) for beside in (problems_path, notes_path))
        return cls(info, table, problems=problems, notes=notes)

    @property
    def codec(self) -> dict:
        """Name, fingerprint, sample_rate, frame_rate and codebook_size of the codec."""
        return self.info.codec

    @property
    def label_names(self) -> tuple[str, ...]:
        """Classes in the order of their numbers."""
        return self.info.label_names

    @property
    def multi_label(self) -> bool:
        """Whether a clip may have several labels (or none)."""
        return self.info.multi_label

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Item]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Item:
        """The index-th row of this selection; codes are copied out of the file."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        row = int(self.indices[index])
        known = {name: self._columns[name][row].as_py() for name in _SMALL}
        return Item(
            id=known["id"],
            codes=self.codes(index),
            labels=tuple(known["labels"]),
            weights=tuple(known["weights"]),
            fold=known["fold"],
            split=known["split"],
            group=known["group"],
            variant=known["variant"],
            events=tuple((e["label"], e["onset_s"], e["offset_s"]) for e in known["events"]),
            duration_s=known["duration_s"],
            n_samples=known["n_samples"],
            frames=self.frames(index),
        )

    def codes(self, index: int) -> Tensor:
        """(K, T) int64 codes of one row, without the rest."""
        row = int(self.indices[index])
        codes = self._all_codes[row].astype(np.int64).reshape(self._n_rows_of_codes[row], -1)
        if codes.max(initial=0) >= self.codec["codebook_size"]:
            raise AudioformerError(
                f"{self.info.dataset}: codes of clip {self._columns['id'][row]} go up to {codes.max()}, beyond the "
                f"codec's {self.codec['codebook_size']} entries; prepare the corpus again"
            )
        return torch.from_numpy(codes[: self.info.n_codebooks])

    def frames(self, index: int) -> Tensor | None:
        """(F, T) float32 frames of one row, where the corpus holds them."""
        if self.info.frames is None:
            return None
        row = int(self.indices[index])
        return torch.from_numpy(
            self._all_frames[row].astype(np.float32).reshape(-1, self._columns["n_frames"][row].as_py())
        )

    @cached_property
    def _columns(self) -> dict:
        return {name: self.table.column(name) for name in self.table.column_names}

    @cached_property
    def _n_rows_of_codes(self) -> np.ndarray:
        return self._columns["n_codebooks"].to_numpy()

    @cached_property
    def _all_codes(self) -> ListColumn:
        return ListColumn(self._columns["codes"])

    @cached_property
    def _all_frames(self) -> ListColumn:
        return ListColumn(self._columns["frames"])

    def outlines(self) -> Iterator[tuple]:
        """(id, variant, labels, weights) of every row; codes are not read."""
        return zip(
            *(self._columns[name].take(self.indices).to_pylist() for name in ("id", "variant", "labels", "weights")),
            strict=True,
        )

    def column(self, name: str) -> np.ndarray:
        """(n,) values of a column of plain values ("id", "fold", "split", "group", "variant", "n_frames", ...)."""
        return self._columns[name].to_numpy()[self.indices]

    def select(
        self,
        folds: Iterable[int] | int | None = None,
        split: Iterable[str] | str | None = None,
        groups: Iterable[str] | str | None = None,
        variants: Iterable[int] | int | None = None,
        ids: Iterable[str] | str | None = None,
        not_folds: Iterable[int] | int | None = None,
        not_groups: Iterable[str] | str | None = None,
        not_split: Iterable[str] | str | None = None,
        not_ids: Iterable[str] | str | None = None,
    ) -> Corpus:
        """The rows for which all conditions hold; None asks for nothing. Codes are not read.

        Groups and ids are asked of a clip mixed into another one too; folds and splits are never mixed.

        Args:
            folds: fold numbers to keep.
            split: split names to keep.
            groups: sources or speakers to keep.
            variants: variant numbers to keep; 0 alone for testing.
            ids: clips to keep.
            not_folds: fold numbers to leave out (rows without a fold stay).
            not_groups: sources or speakers to leave out.
            not_split: split names to leave out (rows without a split stay).
            not_ids: clips to leave out.

        Raises:
            AudioformerError: no row is left.
        """
        wanted = {"fold": folds, "split": split, "group": groups, "variant": variants, "id": ids}
        wanted |= {"not fold": not_folds, "not group": not_groups, "not split": not_split, "not id": not_ids}
        asked = {name: values for name, values in wanted.items() if values is not None}
        keep = np.ones(len(self), bool)
        for name, values in asked.items():
            keep &= fits(self.table, name.removeprefix("not "), values, not name.startswith("not "))[self.indices]
        if not keep.any():
            raise AudioformerError(f"no clip of the corpus ({self.info.dataset}) has {asked}; {self._what_there_is()}")
        return self._with_indices(self.indices[keep])

    def subset(self, indices: Sequence[int]) -> Corpus:
        """Some rows of this selection, in the order given."""
        return self._with_indices(self.indices[np.asarray(indices, dtype=np.int64)])

    def _with_indices(self, indices: np.ndarray) -> Corpus:
        return Corpus(self.info, self.table, indices, self.problems, self.notes)

    def _what_there_is(self) -> str:
        parts = []
        for name, title in (("fold", "folds"), ("split", "splits"), ("variant", "variants")):
            values = sorted({v for v in self._columns[name].take(self.indices).unique().to_pylist() if v is not None})
            if values:
                parts.append(f"{title} {', '.join(map(str, values))}")
        return "it has " + "; ".join(parts)

    @cached_property
    def label_matrix(self) -> np.ndarray:
        """(n, C) float32: weight of each class in each row; 1 and 0 where nothing was mixed."""
        matrix = np.zeros((len(self), len(self.label_names)), np.float32)
        labels, weights = (self._columns[name].take(self.indices) for name in ("labels", "weights"))
        for row, (numbers, shares) in enumerate(zip(labels.to_pylist(), weights.to_pylist(), strict=True)):
            matrix[row, numbers] = shares
        return matrix

    @property
    def labels(self) -> np.ndarray:
        """(n,) int64 the class of each row, the heavier one where two were mixed; for sets with one label a clip."""
        if self.multi_label:
            raise AudioformerError(f"{self.info.dataset}: clips have several labels; use label_matrix")
        return self.label_matrix.argmax(1)

    def code_counts(self) -> np.ndarray:
        """(K, V) int64: how often each entry of each codebook is used; reads all codes once."""
        counts = np.zeros((self.info.n_codebooks, self.codec["codebook_size"]), np.int64)
        for index in range(len(self)):
            for k, row in enumerate(self.codes(index).numpy()):
                counts[k] += np.bincount(row, minlength=counts.shape[1])
        return counts

    def statistics(self) -> dict:
        """Plain numbers for `info` and tables: rows, clips, hours, and rows per class, fold and split."""
        import pyarrow.compute as pc

        numbers = pc.list_flatten(self._columns["labels"].take(self.indices)).to_numpy()
        per_label = np.bincount(numbers, minlength=len(self.label_names)).tolist()
        return {
            "dataset": self.info.dataset,
            "rows": len(self),
            "clips": len(set(self.column("id").tolist())),
            "hours": float(self.column("duration_s").sum(dtype=np.float64)) / 3600,
            "frames": int(self.column("n_frames").sum()),
            "codec": self.codec["name"],
            "n_codebooks": self.info.n_codebooks,
            "variants": self.info.variants,
            "per_label": dict(zip(self.label_names, per_label, strict=True)),
            "per_fold": _counts(self._columns["fold"].take(self.indices)),
            "per_split": _counts(self._columns["split"].take(self.indices)),
            "unreadable": len(self.problems),
            "with_notes": len(self.notes),
        }


_SMALL = ("id", "labels", "weights", "fold", "split", "group", "variant", "events", "duration_s", "n_samples")


def _reports(paths: Sequence[Path]) -> dict:
    """The entries of the JSON files that are there."""
    entries: dict = {}
    for path in paths:
        if path.is_file():
            try:
                entries |= read_json(path)
            except (OSError, ValueError, TypeError) as error:
                message = f"{path}: damaged ({error}); delete it, it only says what was left out or changed"
                raise AudioformerError(message) from error
    return entries


def _counts(column) -> dict[str, int]:
    found = {
        str(entry["values"]): entry["counts"]
        for entry in column.value_counts().to_pylist()
        if entry["values"] is not None
    }
    return dict(sorted(found.items()))
