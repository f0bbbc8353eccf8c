"""One ruler for all features: frozen vectors, the same probes and folds, on every data set.

    audioformer bench probe --esc10 ESC-10 --digits FSDD --scenes SCENES -o runs/probe

    OUT/vectors/      one file for each model and data set
    OUT/cells/        one JSON file for each (data, features, probe, fold, seed), written when it is done

Every fold of a data set is held out in turn: ESC-10's as published, FSDD's by speaker. Where there are no folds, the
split "test" is held out; where there is none either, five parts of whole sources. All choices are made inside the
training folds (probe.py). The DASB benchmark found continuous features ahead of codes: compare `codec:` with `codes:`.

Shapes: n clips, F features, C classes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from audioformer.checkpoint import bundled_names
from audioformer.data.datasets import AudioDataset, open_dataset
from audioformer.errors import AudioformerError, check_names
from audioformer.evaluation.benches import machine, markdown_table, number, row
from audioformer.evaluation.benches.cells import remembered, spread
from audioformer.evaluation.benches.vectors import STATISTICS, ClipVectors, dataset_vectors, speeds
from audioformer.evaluation.probe import GRIDS, probe, score
from audioformer.metrics import chance

DATA = {
    "esc10": ("esc50", {}),
    "digits": ("fsdd", {"fold": "speaker"}),
    "scenes": ("esc50", {}),
    "folder": ("folder", {}),
}
FEATURES = (
    STATISTICS,
    "log-mel",
    "codec:compact",
    "codes:compact:rows=1",
    "codes:compact:rows=1-3",
    "codes:compact",
    "pretrained",
)
FEATURES += tuple(name for name in ("encodecmae-tiny",) if name in bundled_names())
PROBES = tuple(name for name in GRIDS if name != "mlp")  # the mlp takes hours on two cores: by name
PEER = (STATISTICS, "svm")
N_PARTS = 5  # where a data set brings no folds
Say = Callable[[str], None]


@dataclass(frozen=True)
class ProbeData:
    """A data set as probes need it.

    Attributes:
        name: "esc10", "digits", ...
        dataset: its clips.
        targets: (n, C) zeros and ones.
        groups: n sources or speakers.
        folds: (name, training clips, test clips), clips by number.
    """

    name: str
    dataset: AudioDataset
    targets: np.ndarray
    groups: list[str]
    folds: list[tuple[str, np.ndarray, np.ndarray]]

    @classmethod
    def open(cls, name: str, root: str | Path, only: Sequence[int] | None = None) -> ProbeData:
        """Read a data set of DATA; `only` keeps these folds.

        Raises:
            AudioformerError: not there, or no such fold.
        """
        layout, options = DATA[name]
        dataset = open_dataset(layout, root, **options)
        targets = np.zeros((len(dataset), len(dataset.label_names)), np.int64)
        for target, clip in zip(targets, dataset, strict=True):
            target[dataset.label_indices(clip)] = 1
        groups = [clip.group or clip.id for clip in dataset]
        folds = [fold for fold in folds_of(dataset, groups) if only is None or fold[0] in map(str, only)]
        if not folds:
            raise AudioformerError(f"{root}: has no fold among {list(only)}; leave --folds out to hold out each")
        return cls(name, dataset, targets, groups, folds)

    @property
    def metric(self) -> str:
        """The score: "mAP" where clips may have several labels, else "accuracy"."""
        return "mAP" if (self.targets.sum(1) != 1).any() else "accuracy"

    def chance(self) -> float:
        """What knowing nothing gives, mean over folds."""
        truths = [self.targets[test] for _, _, test in self.folds]
        return float(np.mean([chance(self.metric, t if self.metric == "mAP" else t.argmax(1)) for t in truths]))


def folds_of(dataset: AudioDataset, groups: Sequence[str]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, training clips, test clips) of every fold; where there are folds, an official test set stays untouched."""
    numbers, splits = [clip.fold for clip in dataset], np.array([clip.split == "test" for clip in dataset])
    known = sorted({number for number in numbers if number is not None})
    if len(known) >= 2:
        usable = np.array([number is not None for number in numbers]) & ~splits
        held = [(str(fold), usable & np.array([number == fold for number in numbers])) for fold in known]
    elif splits.any() and not splits.all():
        usable, held = np.ones(len(dataset), bool), [("test", splits)]
    else:
        names = sorted(set(groups), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        place = {name: i % N_PARTS for i, name in enumerate(names)}
        part = np.array([place[group] for group in groups])
        usable, held = np.ones(len(dataset), bool), [(str(i + 1), part == i) for i in range(min(N_PARTS, len(names)))]
    return [(name, np.flatnonzero(usable & ~test), np.flatnonzero(test)) for name, test in held]


def run_cells(
    data: ProbeData,
    models: Sequence[ClipVectors],
    probes: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    say: Say,
    device: str = "cpu",
) -> Iterator[dict]:
    """Measure what is not there yet; yields every record as soon as it is on disk.

    Args:
        data: what to learn.
        models: frozen.
        probes: names of `probe.GRIDS`.
        seeds: of validation parts and starts.
        folder: OUT.
        say: called with what is going on.
        device: where probes compute.
    """
    for model in models:
        vectors = dataset_vectors(
            model, data.dataset, folder / "vectors", lambda done, n, m=model: say(f"{m.name}: {done} of {n} clips")
        )
        identity = hashlib.sha256(
            vectors.tobytes() + data.targets.tobytes() + "\0".join(data.groups).encode()
        ).hexdigest()
        for name in probes:
            for fold, train, test in data.folds:
                for seed in seeds:
                    about = {"data": data.name, "features": model.name, "probe": name, "fold": fold, "seed": seed}
                    decides = json.dumps([about, identity, GRIDS[name], train.tolist(), test.tolist()])
                    path = folder / "cells" / f"{hashlib.sha256(decides.encode()).hexdigest()[:24]}.json"
                    say(f"{data.name}: {model.name}, {name}, fold {fold}, seed {seed}")
                    yield remembered(path, partial(_measure, about, data, vectors, train, test, device))


def _measure(
    about: dict, data: ProbeData, vectors: np.ndarray, train: np.ndarray, test: np.ndarray, device: str
) -> dict:
    answer = probe(about["probe"], vectors, data.targets, data.groups, train, test, about["seed"], device)
    value = score(torch.from_numpy(answer.scores), torch.from_numpy(data.targets[test]), data.metric == "mAP")
    sizes = {"n": len(test), "n_features": vectors.shape[-1], "probe_parameters": answer.n_parameters}
    return {**about, "score": value, **sizes, "setting": list(answer.setting), "layer": answer.layer}


def probe_table(
    records: Sequence[dict], data: Sequence[ProbeData], models: Sequence[ClipVectors], fast: Sequence[float] | None
) -> dict:
    """The benchmark's document.

    Args:
        records: of `run_cells`.
        data: the data sets.
        models: the frozen models.
        fast: of `vectors.speeds`, a number for each model and the log-mel bands' at the end; None: not measured.

    Returns:
        {"name", "machine", "rows"}. In a row "ours" is the mean score over folds and seeds; "peer" that of the log-mel
        statistics with a support vector machine on the same folds; "seed_std" the deviation over seeds of the mean over
        folds, "fold_std" that over folds of the mean over seeds; "speed" seconds of sound a second, "speed_ratio" that
        beside log-mel bands in the same run; "layer" the one chosen most often;
        "n_parameters" and "probe_parameters" the learned numbers.
    """
    table = []
    for own in data:
        mine = [record for record in records if record["data"] == own.name]
        peer = _cells(mine, *PEER)
        for i, model in enumerate(models):
            speed = (
                {"speed": fast[i], "speed_ratio": fast[i] / fast[-1]} if fast else {"speed": None, "speed_ratio": None}
            )
            for name in dict.fromkeys(record["probe"] for record in mine):
                cells = _cells(mine, model.name, name)
                if cells:
                    theirs = [r for r in mine if (r["features"], r["probe"]) == (model.name, name)]
                    sizes = {key: theirs[-1][key] for key in ("n_features", "probe_parameters")} | {
                        "n_parameters": model.n_parameters,
                        "layer": _usual([r.get("layer") for r in theirs]),
                    }
                    about = {"data": own.name, "features": model.name, "probe": name, "chance": own.chance()}
                    table.append(_line(about, cells, peer, own.metric) | sizes | speed)
    return {"name": "probe", "machine": machine(), "rows": table}


def _usual(layers: list[int | None]) -> int | None:
    """The layer chosen most often."""
    return max(layers, key=layers.count)


def _cells(records: Sequence[dict], features: str, name: str) -> dict[tuple[str, int], float]:
    """Score by (fold, seed)."""
    return {(r["fold"], r["seed"]): r["score"] for r in records if (r["features"], r["probe"]) == (features, name)}


def _line(about: dict, cells: dict, peer: dict, metric: str) -> dict:
    theirs = float(np.mean(list(peer.values()))) if peer else None
    case = f"{about['data']}: {about['features']}, {about['probe']}"
    return row(case, float(np.mean(list(cells.values()))), metric, theirs, **about, **spread(cells))


def as_markdown(document: dict) -> str:
    """The table for README and notebooks: features down, probes across, one table a data set."""
    parts = ["# Frozen features, one ruler"]
    for data in dict.fromkeys(line["data"] for line in document["rows"]):
        mine = [line for line in document["rows"] if line["data"] == data]
        probes = list(dict.fromkeys(line["probe"] for line in mine))
        first = mine[0]
        parts.append(
            f"## {data}: {first['unit']}, {first['n_folds']} folds, {first['n_seeds']} seeds, "
            f"chance {first['chance']:.3f}"
        )
        rows = []
        for name in dict.fromkeys(line["features"] for line in mine):
            own = {line["probe"]: line for line in mine if line["features"] == name}
            one = next(iter(own.values()))
            ratio = "-" if one["speed_ratio"] is None else f"{one['speed_ratio']:.3g}"
            scores = [f"{number(own[p]['ours'])} ± {number(own[p]['seed_std'])}" if p in own else "-" for p in probes]
            rows.append([f"`{name}`", str(one["n_features"]), f"{one['n_parameters']:,}", ratio, *scores])
        parts.append(markdown_table(["features", "size", "parameters", "speed / log-mel", *probes], rows))
    parts.append("Mean over folds; ± deviation over seeds (which clips choose the settings, and the mlp's start).")
    return "\n\n".join(parts) + "\n"


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Measure what is missing; the table of everything."""
    probes, folder = arguments.probes or PROBES, Path(arguments.output)
    check_names(probes, list(GRIDS), "the list of probes")
    data = [ProbeData.open(name, root, arguments.folds) for name in DATA if (root := getattr(arguments, name))]
    if not data:
        raise AudioformerError("nothing to measure on; give --esc10 DIR, --digits DIR, --scenes DIR or --folder DIR")
    names = dict.fromkeys([*(arguments.features or FEATURES), *(arguments.checkpoint or ())])
    models, records = [ClipVectors(name, arguments.device) for name in names], []
    for own in data:
        records += run_cells(own, models, probes, range(arguments.seeds), folder, show, arguments.device)
    speed = None
    if not arguments.no_speed:
        show("speed")
        speed = speeds([*models, ClipVectors("log-mel", arguments.device)], data[0].dataset.clips)
    return probe_table(records, data, models, speed)


COLUMNS = {
    **{name: name for name in ("data", "features", "probe")},
    "score": "ours",
    "± seeds": "seed_std",
    "± folds": "fold_std",
    "chance": "chance",
    "layer": "layer",
    "size": "n_features",
    "parameters": "n_parameters",
    "speed / log-mel": "speed_ratio",
}
