"""Five ways to adapt one pre-trained model, with the numbers each of them learns: for workshops with small data.

    audioformer bench adapt CORPUS --from pretrained -o runs/adapt --per-class 8

    OUT/cells/        one JSON file for each (way, fold, seed), written when it is done

Every fold of the corpus is held out in turn. The learning rate of each way is chosen on a validation part of the other
folds (whole sources, a fifth), then the way learns from all of them; the held-out fold decides nothing, and the split
"test" is not touched. A coding into which another clip is mixed is learned from where both clips may be.

Shapes: none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from audioformer.adapt import counts
from audioformer.checkpoint import weights_hash
from audioformer.data.corpus import Corpus
from audioformer.errors import AudioformerError, check_names
from audioformer.evaluation.benches import machine, markdown_table, number, row
from audioformer.evaluation.benches.cells import remembered, spread
from audioformer.evaluation.probe import split_groups
from audioformer.finetune import FineTuning
from audioformer.recipes import ADAPTATIONS, FinetuneConfig, finetune_preset
from audioformer.start import load_pretrained
from audioformer.train import train

RATES = {
    "linear": (3e-3, 1e-2, 3e-2),
    "bias": (1e-3, 3e-3, 1e-2),
    "adapter": (5e-4, 1.5e-3, 5e-3),
    "lora": (5e-4, 1.5e-3, 5e-3),
    "full": (2e-4, 5e-4, 1.5e-3),
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class AdaptBench:
    """What is compared.

    Attributes:
        corpus: labelled, with folds; codings beside the first are used for learning only, the split "test" for nothing.
        model: pre-trained.
        start: hash of its weights.
        config: recipe, the same for all but for rate and adaptation.
        per_class: at most so many clips of each class to learn from; None takes all.
    """

    corpus: Corpus
    model: object
    start: str
    config: FinetuneConfig
    per_class: int | None = None

    def __post_init__(self):
        """Leave the official test set out."""
        object.__setattr__(self, "corpus", self.corpus.select(not_split="test"))

    @cached_property
    def decisive(self) -> list:
        """All that a result hangs on but for way, fold and seed; plain values."""
        corpus = [asdict(self.corpus.info), len(self.corpus), self.corpus.column("partner").tolist()]
        return [*corpus, self.config.to_dict(), self.start, self.per_class]

    @property
    def folds(self) -> list[int]:
        """Of the corpus.

        Raises:
            AudioformerError: fewer than two.
        """
        found = sorted({int(fold) for fold in self.corpus.column("fold") if fold is not None and fold == fold})
        if len(found) < 2:
            raise AudioformerError(f"the corpus has folds {found}; holding each out in turn takes at least two")
        return found

    def measure(self, about: dict) -> dict:
        """Choose a rate, learn, test: the record of one cell, {"adaptation", "fold", "seed"}."""
        name, seed = about["adaptation"], about["seed"]
        rest = self._few(self.corpus.select(not_folds=[about["fold"]]), seed)
        test = self.corpus.select(folds=[about["fold"]], variants=[0])
        inner, validation = split_groups(rest.column("group").tolist(), seed)
        tried = {}
        if len(RATES[name]) > 1:
            chosen_on = rest.subset(validation).select(variants=[0])
            learnt = rest.subset(inner).select(
                not_groups=chosen_on.column("group").tolist()
            )  # no mixtures with them either
            tried = {rate: self._learn(name, rate, seed, learnt, chosen_on)["score"] for rate in RATES[name]}
        rate = max(RATES[name], key=lambda rate: tried.get(rate, 0.0))
        result = self._learn(name, rate, seed, rest, test)
        return {
            **about,
            **result,
            "rate": rate,
            "tried": [[rate, value] for rate, value in tried.items()],
            "n_train": len(rest),
        }

    def _few(self, clips: Corpus, seed: int) -> Corpus:
        """At most `per_class` clips of each class, with all their codings but mixtures with other clips."""
        if self.per_class is None:
            return clips
        own = clips.select(variants=[0])
        order, taken, ids = np.random.default_rng(seed).permutation(len(own)), {}, set()
        for i in order:
            label = own[int(i)].labels[:1]
            taken[label] = taken.get(label, 0) + 1
            ids |= {own[int(i)].id} if taken[label] <= self.per_class else set()
        return clips.select(ids=ids)

    def _learn(self, name: str, rate: float, seed: int, clips: Corpus, test: Corpus) -> dict:
        recipe = replace(self.config.train, learning_rate=rate, seed=seed, validate_every=0, patience=0)
        config = replace(self.config, train=recipe, adapt=replace(self.config.adapt, name=name))
        task = FineTuning(
            config, self.model, clips, self.corpus.label_names, self.corpus.multi_label, self.corpus.codec
        )
        seconds = 0.0
        for record in train(task, recipe):
            seconds = record.seconds
        found = task.measure(test)
        return {
            "score": found["score"],
            "chance": found["chance"],
            "n": len(test),
            "seconds": round(seconds, 2),
            **counts(task.classifier),
        }


def run_cells(
    bench: AdaptBench, names: Sequence[str], folds: Sequence[int], seeds: Sequence[int], folder: Path, say: Say
) -> Iterator[dict]:
    """Measure what is not there yet; yields every record as soon as it is on disk."""
    for seed in seeds:
        for fold in folds:
            for name in names:
                about = {"adaptation": name, "fold": fold, "seed": seed}
                decides = json.dumps([about, bench.decisive, RATES[name]])
                path = folder / "cells" / f"{hashlib.sha256(decides.encode()).hexdigest()[:24]}.json"
                say(f"{name}, fold {fold}, seed {seed}")
                yield remembered(path, partial(bench.measure, about))


def adapt_table(records: Sequence[dict], multi_label: bool, **about) -> dict:
    """The benchmark's document.

    Args:
        records: of `run_cells`.
        multi_label: whether scores are mAP rather than accuracy.
        **about: further entries of the document.

    Returns:
        {"name", "machine", "rows", ...}; in a row "ours" is the mean score over folds and seeds, "peer" that of full
        fine-tuning, "trainable" the learned numbers of "parameters", "seconds" the mean time of one training.
    """
    full = [record["score"] for record in records if record["adaptation"] == "full"]
    rows = []
    for name in ADAPTATIONS:
        mine = [record for record in records if record["adaptation"] == name]
        if mine:
            cells = {(record["fold"], record["seed"]): record["score"] for record in mine}
            means = {key: float(np.mean([record[key] for record in mine])) for key in ("seconds", "chance", "n_train")}
            sizes = {key: mine[-1][key] for key in ("trainable", "parameters")}
            rows.append(
                row(
                    name,
                    float(np.mean(list(cells.values()))),
                    "mAP" if multi_label else "accuracy",
                    float(np.mean(full)) if full else None,
                    **sizes,
                    **spread(cells),
                    **means,
                    rates=sorted({record["rate"] for record in mine}),
                )
            )
    return {"name": "adapt", **about, "machine": machine(), "rows": rows}


def as_markdown(document: dict) -> str:
    """The table for people who read files."""
    header = ("what learns", "learned numbers", "of all", "score", "± seeds", "± folds", "seconds")
    rows = []
    for line in document["rows"]:
        learned = [f"{line['trainable']:,}", f"{line['trainable'] / line['parameters']:.2%}"]
        scores = [number(line[key]) for key in ("ours", "seed_std", "fold_std")]
        rows.append([line["case"], *learned, *scores, f"{line['seconds']:.0f}"])
    first = document["rows"][0]
    about = (
        f"{first['unit']}, {first['n_folds']} folds, {first['n_seeds']} seeds, {first['n_train']:.0f} coded clips to "
        f"learn from, chance {first['chance']:.3f}"
    )
    return f"# Adapting a pre-trained model\n\n{about}\n\n{markdown_table(header, rows)}\n"


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Measure what is missing; the table of everything."""
    names, corpus = arguments.only or ADAPTATIONS, Corpus.open(arguments.corpus)
    check_names(names, list(ADAPTATIONS), "the list of adaptations")
    config = arguments.override(finetune_preset(arguments.preset), arguments.changes)
    model = load_pretrained(arguments.start, expect=corpus.codec)[0]
    bench = AdaptBench(corpus, model, weights_hash(model.state_dict()), config, arguments.per_class)
    folds = [fold for fold in bench.folds if arguments.folds is None or fold in arguments.folds]
    records = list(run_cells(bench, names, folds, range(arguments.seeds), Path(arguments.output), show))
    about = {"start": arguments.start, "preset": arguments.preset, "per_class": arguments.per_class}
    return adapt_table(records, corpus.multi_label, **about)


COLUMNS = {
    "what learns": "case",
    "learned numbers": "trainable",
    "score": "ours",
    "± seeds": "seed_std",
    "± folds": "fold_std",
    "score / full": "ratio",
    "seconds": "seconds",
}
