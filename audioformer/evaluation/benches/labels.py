"""What pre-training is worth, by number of labels: the same model fine-tuned, trained from scratch, or frozen.

    audioformer bench labels --esc10 ESC-10 --digits FSDD --from pretrained -o runs/labels --labels 1,5,20,all

    OUT/corpora/      codes of the recordings, several codings each (`prepare`)
    OUT/vectors/      frozen vectors (`bench probe`)
    OUT/cells/        one JSON file for each (data, way, labels, fold, seed), written when it is done

| way | what learns |
|---|---|
| finetuned | the pre-trained model, all of it |
| scratch | a fresh model of its shape, embeddings as the pre-trained one's began; the same recipe, the same rates tried
|
| linear | a linear layer on a vector for each clip of the frozen model's best layer (`features.summarise`) |
| svm | a support vector machine on log-mel statistics (baseline.py): no model at all |

Every fold is held out in turn (ESC-10's as published, of digits each speaker). The seed draws which clips keep their
labels, the same for all ways. Rates, layers and penalties are chosen on a fifth of those (whole sources); with fewer
than FEW labels a class nothing can be held out for a rate, and the middle one is taken.

Shapes: n clips, F features, C classes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from audioformer.checkpoint import weights_hash
from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.data.corpus import Corpus, prepare
from audioformer.errors import AudioformerError, check_names
from audioformer.evaluation.benches import machine, row
from audioformer.evaluation.benches.adapt import RATES
from audioformer.evaluation.benches.cells import remembered, spread
from audioformer.evaluation.benches.probe import ProbeData, Say
from audioformer.evaluation.benches.vectors import BEST, STATISTICS, ClipVectors, dataset_vectors
from audioformer.evaluation.probe import probe, score, split_groups
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.recipes import FinetuneConfig, finetune_preset
from audioformer.start import init_from_codebooks, load_pretrained
from audioformer.train import train

WAYS = ("finetuned", "scratch", "linear", "svm")
RECIPES = {"esc10": ("recordings", "strong-mixup"), "digits": ("digits", "voices")}  # fine-tuning preset, augmentation
FEW = 5  # labels a class
ALL = "all"


@dataclass(frozen=True)
class LabelsBench:
    """One data set, with what the ways learn from.

    Attributes:
        data: clips and folds.
        name: of the pre-trained model.
        codec: that it was trained with.
        config: fine-tuning recipe, the same for finetuned and scratch.
        codings: of each clip.
        folder: OUT.
        say: called with what is going on.
    """

    data: ProbeData
    name: str
    codec: Codec
    config: FinetuneConfig
    codings: int
    folder: Path
    say: Say

    @cached_property
    def model(self) -> AudioFormer:
        """The pre-trained one."""
        return load_pretrained(self.name)[0]

    @cached_property
    def start(self) -> str:
        """Hash of its weights."""
        return weights_hash(self.model.state_dict())

    @cached_property
    def corpus(self) -> Corpus:
        """Codes of all clips, each several times."""
        folder, augment = self.folder / "corpora" / self.data.name, RECIPES[self.data.name][1]
        for record in prepare(
            self.data.dataset, self.codec, folder, variants=self.codings, augment=augment if self.codings > 1 else None
        ):
            self.say(f"{self.data.name}: {record.done} of {record.total} clips coded")
        return Corpus.open(folder)

    def vectors(self, name: str) -> np.ndarray:
        """(n, F) or (n, J, F) of a frozen model."""
        told = f"{self.data.name}: {name}"
        return dataset_vectors(
            ClipVectors(name), self.data.dataset, self.folder / "vectors", lambda i, n: self.say(f"{told}, {i} of {n}")
        )

    def sources(self, own: np.ndarray) -> list[str]:
        """The source or speaker of every clip; clip by clip where all that have labels are of one."""
        groups = self.data.groups
        return groups if len({groups[i] for i in own}) > 1 else [clip.id for clip in self.data.dataset]

    def labelled(self, train: np.ndarray, n_labels: int | None, seed: int) -> np.ndarray:
        """At most n_labels clips of each class, drawn by the seed; numbers of clips."""
        if n_labels is None:
            return train
        order = np.random.default_rng(seed).permutation(train)
        classes = self.data.targets[order].argmax(1)
        return np.sort(np.concatenate([order[classes == label][:n_labels] for label in np.unique(classes)]))

    def measure(self, about: dict, train: np.ndarray, test: np.ndarray) -> dict:
        """One cell: {"data", "way", "labels", "fold", "seed"} and its score on clips that chose nothing."""
        seed, n_labels = about["seed"], None if about["labels"] == ALL else int(about["labels"])
        own = self.labelled(train, n_labels, seed)
        if about["way"] in ("finetuned", "scratch"):
            return {**about, "n_train": len(own), **self._trained(about["way"], own, test, n_labels, seed)}
        learner, features = ("linear", self.name + BEST) if about["way"] == "linear" else ("svm", STATISTICS)
        data = self.data
        answer = probe(learner, self.vectors(features), data.targets, self.sources(own), own, test, seed)
        value = score(torch.from_numpy(answer.scores), torch.from_numpy(data.targets[test]), data.metric == "mAP")
        return {**about, "n_train": len(own), "score": value, "setting": list(answer.setting), "layer": answer.layer}

    def _trained(self, way: str, own: np.ndarray, test: np.ndarray, n_labels: int | None, seed: int) -> dict:
        rates, tried = RATES["full"], {}
        if n_labels is None or n_labels >= FEW:
            inner, validation = split_groups([self.sources(own)[i] for i in own], seed)
            tried = {rate: self._learn(way, rate, own[inner], own[validation], seed) for rate in rates}
        rate = max(tried, key=tried.get) if tried else rates[len(rates) // 2]
        found = self._learn(way, rate, own, test, seed)
        return {"score": found, "rate": rate, "tried": [[rate, value] for rate, value in tried.items()]}

    def _learn(self, way: str, rate: float, own: np.ndarray, test: np.ndarray, seed: int) -> float:
        ids = [clip.id for clip in self.data.dataset]
        learnt = self.corpus.select(ids=[ids[i] for i in own])
        recipe = replace(self.config.train, learning_rate=rate, seed=seed, validate_every=0, patience=0)
        model = self.model if way == "finetuned" else self._fresh(seed)
        info = self.corpus
        task = FineTuning(
            replace(self.config, train=recipe), model, learnt, info.label_names, info.multi_label, info.codec
        )
        for _ in train(task, recipe):
            pass
        return task.measure(self.corpus.select(ids=[ids[i] for i in test], variants=[0]))["score"]

    def _fresh(self, seed: int) -> AudioFormer:
        """A model that has learned nothing, in the pre-trained one's shape."""
        torch.manual_seed(seed)
        model = AudioFormer(self.model.config, mlm=False)
        if load_pretrained(self.name)[1].get("recipe", {}).get("init_from_codebooks"):
            init_from_codebooks(model, self.codec.codebooks())
        return model

    def decides(self, about: dict, train: np.ndarray, test: np.ndarray) -> str:
        """All that a cell hangs on, as text."""
        data = [self.start, self.codec.fingerprint, self.codings, self.config.to_dict(), RATES["full"]]
        targets = hashlib.sha256(self.data.targets.tobytes() + "\0".join(self.data.groups).encode()).hexdigest()
        return json.dumps([about, data, targets, train.tolist(), test.tolist()])


def run_cells(bench: LabelsBench, ways: Sequence[str], labels: Sequence[str], seeds: Sequence[int]) -> Iterator[dict]:
    """Measure what is not there yet; yields every record as soon as it is on disk."""
    for seed in seeds:
        for fold, train_clips, test_clips in bench.data.folds:
            for n_labels in labels:
                for way in ways:
                    about = {"data": bench.data.name, "way": way, "labels": n_labels, "fold": fold, "seed": seed}
                    decides = bench.decides(about, train_clips, test_clips)
                    path = bench.folder / "cells" / f"{hashlib.sha256(decides.encode()).hexdigest()[:24]}.json"
                    bench.say(f"{bench.data.name}: {way}, {n_labels} labels a class, fold {fold}, seed {seed}")
                    yield remembered(path, partial(bench.measure, about, train_clips, test_clips))


def labels_table(records: Sequence[dict], data: Sequence[ProbeData], **about) -> dict:
    """The benchmark's document.

    Returns:
        {"name", "machine", "rows", ...}; in a row "ours" is the mean score over folds and seeds, "peer" that of
        training from scratch with as many labels, "interval" 1.96 standard errors of the mean over folds.
    """
    rows = []
    for own in data:
        mine = [record for record in records if record["data"] == own.name]
        for n_labels in dict.fromkeys(record["labels"] for record in mine):
            cells: dict[str, dict[tuple, float]] = {}
            for record in mine:
                if record["labels"] == n_labels:
                    cells.setdefault(record["way"], {})[record["fold"], record["seed"]] = record["score"]
            peer = float(np.mean(list(cells["scratch"].values()))) if "scratch" in cells else None
            for way, scores in cells.items():
                spreads = spread(scores)
                error = None if spreads["fold_std"] is None else 1.96 * spreads["fold_std"] / spreads["n_folds"] ** 0.5
                told = {"data": own.name, "way": way, "labels": n_labels, "chance": own.chance(), "interval": error}
                case = f"{own.name}: {way}, {n_labels}"
                rows.append(row(case, float(np.mean(list(scores.values()))), own.metric, peer, **told, **spreads))
    return {"name": "labels", **about, "machine": machine(), "rows": rows}


def as_markdown(document: dict) -> str:
    """The table for people who read files: labels down, ways across, one table a data set."""
    parts = ["# What pre-training is worth, by the number of labels"]
    for data in dict.fromkeys(line["data"] for line in document["rows"]):
        mine = [line for line in document["rows"] if line["data"] == data]
        ways, first = list(dict.fromkeys(line["way"] for line in mine)), mine[0]
        told = f"{first['unit']}, {first['n_folds']} folds, {first['n_seeds']} seeds, chance {first['chance']:.3f}"
        lines = [
            f"## {data}: {told}",
            "",
            "| labels a class | " + " | ".join(ways) + " |",
            "|---" * (len(ways) + 1) + "|",
        ]
        for n_labels in dict.fromkeys(line["labels"] for line in mine):
            found = {line["way"]: line for line in mine if line["labels"] == n_labels}
            lines.append(f"| {n_labels} | " + " | ".join(_score(found.get(way)) for way in ways) + " |")
        parts.append("\n".join(lines))
    parts.append("Mean over folds and seeds ± 1.96 standard errors of the mean over folds.")
    return "\n\n".join(parts) + "\n"


def _score(line: dict | None) -> str:
    if line is None:
        return "-"
    return f"{line['ours']:.3f}" + ("" if line["interval"] is None else f" ± {line['interval']:.3f}")


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Measure what is missing; the table of everything."""
    ways, folder = arguments.only or WAYS, Path(arguments.output)
    check_names(ways, list(WAYS), "the list of ways")
    wrong = [n for n in arguments.labels if n != ALL and not (n.isdigit() and int(n) > 0)]
    if wrong:
        raise AudioformerError(f"--labels {wrong[0]}: how many a class, a whole number above 0, or all")
    roots = {name: root for name in RECIPES if (root := getattr(arguments, name))}
    if not roots:
        raise AudioformerError("nothing to measure on; give --esc10 DIR or --digits DIR")
    codec, records, data = load_codec(load_pretrained(arguments.start)[1]["codec"]["name"]), [], []
    for name, root in roots.items():
        config = arguments.override(finetune_preset(RECIPES[name][0]), arguments.changes)
        data.append(ProbeData.open(name, root, arguments.folds))
        bench = LabelsBench(data[-1], arguments.start, codec, config, arguments.codings, folder, show)
        records += run_cells(bench, ways, arguments.labels, range(arguments.seeds))
    settings = {"start": arguments.start, "codings": arguments.codings, "config": asdict(config)}
    return labels_table(records, data, **settings)


COLUMNS = {
    **{name: name for name in ("data", "way", "labels")},
    "score": "ours",
    "± 95 %": "interval",
    "± seeds": "seed_std",
    "score / scratch": "ratio",
    "chance": "chance",
}
