"""Which part of the recipe helps, and by how much: every row of `ablation_rows.py` on every fold with every seed.

    audioformer bench ablation --esc10 ESC-10 --digits FSDD -o runs/ablation --preset laptop

    OUT/corpora/      codes of the recordings and of synthetic clips (`prepare`)
    OUT/pretrained/   a model for each (data, fold, seed, row, masking): shared by the rows of the table that need it
    OUT/cells/        one JSON file for each (data, row, fold, seed) and settings, written when it is done

Whatever is there is taken up again, so a kill loses one cell at most. The fold that a cell is measured on takes part in
nothing that is trained here: not in pre-training, not in mixtures, not in any choice. The bundled codec, which makes
the codes of all cells, was trained before on the sound of ESC-10's folds 1 to 3 and of all FSDD speakers but theo,
without labels.

Shapes: K rows, T frames.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch

from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.data.corpus import Corpus, Item, prepare
from audioformer.data.datasets import AudioDataset, open_dataset
from audioformer.data.join import join
from audioformer.errors import AudioformerError, check_names
from audioformer.evaluation.benches import ablation_table
from audioformer.evaluation.benches.ablation_rows import (
    SVM,
    VARIANTS,
    AblationConfig,
    DataSpec,
    Variant,
    ablation_preset,
    finetune_config,
)
from audioformer.evaluation.benches.cells import read_record, remembered
from audioformer.evaluation.frozen_head import FrozenHead
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import FinetuneConfig, PretrainConfig, finetune_preset
from audioformer.start import load_pretrained
from audioformer.train import train

Say = Callable[[str], None]
MOST_ROWS = 8  # codebook rows kept of a codec that has more


@dataclass(frozen=True)
class Cell:
    """One number of the table."""

    data: str
    row: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """As in the name of its file."""
        return f"{self.data}/{self.row}-fold{self.fold}-seed{self.seed}"


class RowView(Sequence):
    """Clips of which only one codebook row is left.

    Args:
        clips: items with `.codes` (K, T).
        row: counted from 0.
    """

    def __init__(self, clips: Sequence, row: int):
        self.clips, self.row = clips, row

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Item:
        item = self.clips[index]
        return replace(item, codes=item.codes[self.row : self.row + 1])


class Bench:
    """The data of one task, and the models trained on them.

    Args:
        spec: which task.
        config: sizes.
        root: folder of the data set.
        folder: OUT.
        codec: makes the codes.
        say: called with what is going on.
    """

    def __init__(self, spec: DataSpec, config: AblationConfig, root: Path, folder: Path, codec: Codec, say: Say):
        self.spec, self.config, self.folder, self.codec, self.say = spec, config, folder, codec, say
        self.dataset: AudioDataset = open_dataset(spec.layout, root, **spec.options)
        if any(clip.split == "test" for clip in self.dataset):
            self.dataset = self.dataset.select(splits=["train"])  # FSDD's official test takes stay untouched
        self.folds = sorted({clip.fold for clip in self.dataset if clip.fold is not None})
        if len(self.folds) < 2:
            raise AudioformerError(f"{root}: has folds {self.folds}; holding each out in turn takes at least two")

    @cached_property
    def corpus(self) -> Corpus:
        """Codes of the recordings, each several times."""
        augment = self.config.augment if self.spec.name == "esc10" else "light"
        return self._prepared(self.dataset, self.spec.name, self.config.codings, augment)

    @cached_property
    def synthetic(self) -> Corpus:
        """Codes of synthetic clips: of the ten classes for ESC-10, of everything for digits."""
        from audioformer.data.synth import CLASSES, ESC10_CLASSES
        from audioformer.data.synth.files import write_scenes

        name = f"synthetic-{self.spec.name}"
        classes, sounds = (
            ESC10_CLASSES if self.spec.name == "esc10" else CLASSES,
            self.folder / "corpora" / f"{name}-sounds",
        )
        n = self.config.n_synthetic
        write_scenes(
            sounds,
            n,
            11,
            5.0,
            "clips",
            classes=classes,
            progress=lambda done, _: self.say(f"{name}: {done} of {n} clips made"),
        )
        return self._prepared(open_dataset("esc50", sounds), name, 1, None)

    def _prepared(self, dataset: AudioDataset, name: str, codings: int, augment: str | None) -> Corpus:
        folder = self.folder / "corpora" / name
        rows = min(MOST_ROWS, self.codec.n_codebooks)
        options = {"n_codebooks": rows, "variants": codings, "augment": augment if codings > 1 else None}
        for record in prepare(dataset, self.codec, folder, **options):
            self.say(f"{name}: {record.done} of {record.total} clips coded")
        return Corpus.open(folder)

    @cached_property
    def features(self) -> dict:
        """Of every clip, for the support vector machine."""
        from audioformer.evaluation.baseline import dataset_features

        self.say(f"{self.spec.name}: features for the baseline")
        return dict(zip((clip.id for clip in self.dataset), dataset_features(self.dataset), strict=True))

    def path(self, cell: Cell) -> Path:
        """Where a cell's record is, by its name and a hash of everything that decides its number."""
        everything = (
            VARIANTS[cell.row],
            self.config.to_dict(),
            self.spec.name,
            len(self.dataset),
            self.codec.fingerprint,
        )
        everything += ("own codings do not repel",) if VARIANTS[cell.row].method == "ft2" else ()
        settings = hashlib.sha256(repr(everything).encode()).hexdigest()[:16]
        return self.folder / "cells" / f"{cell.name}-{settings}.json"

    def measure(self, cell: Cell) -> dict:
        """Train and test one cell; its record."""
        variant, started = VARIANTS[cell.row], time.perf_counter()
        result = self._svm(cell) if variant.method == SVM else self._finetuned(cell, variant)
        return {**asdict(cell), **result, "seconds": round(time.perf_counter() - started, 2)}

    def _svm(self, cell: Cell) -> dict:
        from audioformer.evaluation.baseline import accuracy, fit_svm

        parts = {True: [], False: []}
        for clip in self.dataset:
            parts[clip.fold == cell.fold].append((self.features[clip.id], clip.labels[0]))
        (test, truth), (known, labels) = (zip(*parts[held], strict=True) for held in (True, False))
        return {
            "accuracy": accuracy(fit_svm(known, labels), test, truth),
            "n": len(truth),
            "n_classes": len(self.corpus.label_names),
        }

    def _finetuned(self, cell: Cell, variant: Variant) -> dict:
        config, model = finetune_config(self.spec, variant, cell.seed), self._start(cell, variant)
        clips, test = self.corpus.select(not_folds=[cell.fold]), self.corpus.select(folds=[cell.fold], variants=[0])
        if model.config.n_codebooks == 1:
            clips, test = RowView(clips, variant.read_row), RowView(test, variant.read_row)
        names, codec = self.corpus.label_names, self.corpus.codec
        if config.method == "probe":
            task = FrozenHead(_probing(config), model, clips, names, codec)
            for done in task.listen():
                self.say(f"{cell.name}: {done} of {len(clips)} clips read")
        else:
            task = FineTuning(config, model, clips, names, False, codec, held_out=test)
        for record in train(task, task.config.train):
            self.say(f"{cell.name}: step {record.step} of {task.config.train.n_steps}")
        accuracy = (record.validation or task.measure(test))[
            "accuracy"
        ]  # the linear layer is measured at its end alone
        return {"accuracy": accuracy, "n": len(test), "n_classes": len(names)}

    def _start(self, cell: Cell, variant: Variant) -> AudioFormer:
        """The model that fine-tuning begins with."""
        one, size = variant.rows == "separate" and variant.method != "ft2", self.codec.codebook_size
        n_rows = 1 if one else min(variant.n_codebooks or self.config.model.n_codebooks, self.codec.n_codebooks)
        shape = replace(self.config.model, codebook_size=size, rows=variant.rows, n_codebooks=n_rows)
        torch.manual_seed(cell.seed)
        model = AudioFormer(shape)
        if not variant.pretrained:
            return model
        if variant.rows != "separate":
            model.load_state_dict(self._pretrained(cell, variant, shape, None).state_dict())
            return model
        for k, row in enumerate([variant.read_row] if one else range(shape.n_codebooks)):
            single = self._pretrained(cell, variant, replace(shape, n_codebooks=1), row)
            model.encoders[k].load_state_dict(single.encoders[0].state_dict())
            model.heads[k].load_state_dict(single.heads[0].state_dict())
        return model

    def _pretrained(self, cell: Cell, variant: Variant, shape, row: int | None) -> AudioFormer:
        """A masked language model that never heard the held-out fold; trained now unless it is there already."""
        train_config = replace(self.config.pretrain, seed=cell.seed)
        crop_s = self.config.pretrain_crop_s
        config = PretrainConfig(shape, variant.mask, train_config, crop_s, min(1.0, crop_s), variant.from_codebooks)
        about = repr(
            (config.to_dict(), variant.synthetic, self.codec.fingerprint, self.config.codings, self.config.n_synthetic)
        )
        key = f"{shape.rows}{'' if row is None else row + 1}-{hashlib.sha256(about.encode()).hexdigest()[:10]}"
        folder = self.folder / "pretrained" / self.spec.name / f"fold{cell.fold}-seed{cell.seed}" / key
        if not (folder / "config.json").is_file():
            clips = self.corpus.select(not_folds=[cell.fold])
            clips = join([clips, self.synthetic]) if variant.synthetic else clips
            clips = clips if row is None else RowView(clips, row)
            task = MaskedModelling(config, clips, self.corpus.codec, codebooks=self.codec.codebooks())
            for record in train(task, train_config, folder):
                self.say(f"{cell.name}: pre-training {key}, step {record.step} of {train_config.n_steps}")
            (folder / "state.pt").unlink()  # finished: nothing goes on from it
        return load_pretrained(folder, expect=self.corpus.codec)[0]


def _probing(config: FinetuneConfig) -> FinetuneConfig:
    """The recipe of a linear layer on frozen vectors.

    The other rows' windows, ten times their steps, each far cheaper.
    """
    probe = finetune_preset("probe")
    steps = replace(probe.train, n_steps=10 * config.train.n_steps, seed=config.train.seed)
    return replace(probe, train=steps, crop_s=config.crop_s, min_crop_s=config.crop_s)


def cells_of(bench: Bench, rows: Sequence[str], folds: Sequence[int] | None, seeds: Sequence[int]) -> Iterator[Cell]:
    """Every cell: fold by fold, so that each finished fold compares all rows. The SVM has no seed."""
    for seed in seeds:
        for fold in bench.folds if folds is None else [f for f in bench.folds if f in folds]:
            for row in rows:
                if row != SVM or seed == seeds[0]:
                    yield Cell(bench.spec.name, row, fold, 0 if row == SVM else seed)


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Measure what is missing; the table of all that is there, also after Ctrl-C ("stopped")."""
    config, folder = ablation_preset(arguments.preset), Path(arguments.output)
    rows = arguments.only or list(VARIANTS)
    check_names(rows, list(VARIANTS), "the list of rows")
    roots = {name: Path(root) for name in config.data() if (root := getattr(arguments, name))}
    if not roots:
        raise AudioformerError("nothing to measure on; give --esc10 DIR or --digits DIR or both")
    codec, stopped = load_codec(arguments.codec, weights=arguments.weights), False
    seeds = range(arguments.seeds or config.n_seeds)
    benches = [Bench(config.data()[name], config, root, folder, codec, show) for name, root in roots.items()]
    try:
        for bench in benches:
            for cell in cells_of(bench, rows, arguments.folds, seeds):
                record = remembered(bench.path(cell), partial(bench.measure, cell))
                show(f"{cell.name}: accuracy {record['accuracy']:.3f}")
    except KeyboardInterrupt:
        stopped = True
    every = [(bench, cell) for bench in benches for cell in cells_of(bench, list(VARIANTS), None, seeds)]
    records = {cell.name: read_record(bench.path(cell)) for bench, cell in every}
    missing = [name for name, record in records.items() if record is None]
    about = {"preset": arguments.preset, "codec": codec.name, "fingerprint": codec.fingerprint}
    if missing:
        show(f"{len(missing)} cells of the whole table are not measured yet")
    return ablation_table.ablation_table([r for r in records.values() if r], missing, **about) | (
        {"stopped": True} if stopped else {}
    )


as_markdown = ablation_table.as_markdown
COLUMNS = {
    "row": "case",
    "accuracy": "ours",
    "± seeds": "seed_std",
    "± folds": "fold_std",
    "gain": "gain",
    "± error": "gain_error",
    "cells": "n_cells",
}
