"""The ablation's cells as one table: mean and spread of every row, and its distance from the row it varies.

Part of `bench ablation`; merges whatever is there and says what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from audioformer.evaluation.benches import machine, markdown_table, number, row
from audioformer.evaluation.benches.ablation_rows import REFERENCE, SVM, VARIANTS
from audioformer.evaluation.benches.cells import deviation, spread


def ablation_table(records: Sequence[dict], missing: Sequence[str] = (), **about) -> dict:
    """The benchmark's document.

    Args:
        records: of `ablation.run_cells`.
        missing: names of cells that are not measured yet.
        **about: further entries of the document.

    Returns:
        {"name", "machine", "missing", "rows", ...}. In a row "ours" is the mean accuracy over folds and seeds, "peer"
        the SVM's over the same folds, "seed_std" the standard deviation over seeds of the mean over folds, "fold_std"
        that over folds of the mean over seeds; "accuracies" holds one list for each fold with one number for each seed
        (None where it is missing; the SVM has one seed); "versus" names the row it varies, "gain" the mean difference
        from it over the "n_pairs" cells that both have, "gain_error" that mean's standard error (None where there are
        fewer than two).
    """
    table = []
    for data in dict.fromkeys(record["data"] for record in records):
        values = {name: _values(records, data, name) for name in VARIANTS}
        classes = next(record["n_classes"] for record in records if record["data"] == data)
        for name, cells in values.items():
            if cells:
                table.append(_line(data, name, cells, values, 1 / classes))
    return {"name": "ablation", **about, "machine": machine(), "missing": list(missing), "rows": table}


def _values(records: Sequence[dict], data: str, name: str) -> dict[tuple[int, int], float]:
    """Accuracy by (fold, seed)."""
    mine = [record for record in records if record["data"] == data and record["row"] == name]
    return {(record["fold"], record["seed"]): record["accuracy"] for record in mine}


def _line(data: str, name: str, cells: dict, values: dict, chance: float) -> dict:
    folds, seeds = sorted({fold for fold, _ in cells}), sorted({seed for _, seed in cells})
    svm = [values[SVM][fold, 0] for fold in folds if (fold, 0) in values[SVM]]
    peer = float(np.mean(svm)) if len(svm) == len(folds) and name != SVM else None
    title, accuracies = VARIANTS[name].title, [[cells.get((fold, seed)) for seed in seeds] for fold in folds]
    about = {"data": data, "row": name, "chance": chance, "n_cells": len(cells), "folds": folds, "seeds": seeds}
    about |= {"title": title, "accuracies": accuracies} | _gain(name, cells, values)
    deviations = {key: value for key, value in spread(cells).items() if key.endswith("_std")}
    return row(f"{data}: {title}", float(np.mean(list(cells.values()))), "accuracy", peer, **about, **deviations)


def _gain(name: str, cells: dict, values: dict) -> dict:
    """How far a row is from the one it varies, over the cells that both have."""
    versus = REFERENCE[name]
    both = sorted(cells.keys() & values[versus].keys()) if versus != name and name != SVM else []
    gains = [cells[key] - values[versus][key] for key in both]
    error = deviation(gains)
    return {
        "versus": versus if both else None,
        "gain": float(np.mean(gains)) if both else None,
        "gain_error": None if error is None else error / len(gains) ** 0.5,
        "n_pairs": len(gains),
    }


def reading(line: dict) -> str:
    """A row with a gain in words: a difference counts where 0 lies outside its 95 % interval.

    Student's t over the pairs of cells: the seeds of one fold are taken for new measurements; over folds alone, the
    interval is wider (notebook 20 counts both ways).

    Args:
        line: row of the document whose "gain" is not None.
    """
    title, versus, gain, error = line["title"], line["versus"].upper(), line["gain"], line["gain_error"]
    if error is None:
        return f"{title}: {100 * gain:+.1f} points against {versus}, measured once."
    n = line["n_pairs"]
    half = error * float(stdtrit(n - 1, 0.975))
    word = "no difference that shows" if abs(gain) <= half else "better" if gain > 0 else "worse"
    return f"{title}: {word}, {100 * gain:+.1f} ± {100 * half:.1f} points against {versus} over {n} cells."


def as_markdown(document: dict) -> str:
    """The table for people who read files."""
    lines = []
    for line in document["rows"]:
        gain = "" if line["gain"] is None else f"{line['gain']:+.3f} ± {number(line['gain_error'])} on {line['versus']}"
        numbers = [number(line[key]) for key in ("ours", "seed_std", "fold_std")]
        lines.append([line["data"], VARIANTS[line["row"]].title, *numbers, gain, str(line["n_cells"])])
    table = markdown_table(("data", "row", "accuracy", "± seeds", "± folds", "gain", "cells"), lines)
    chance = {line["data"]: line["chance"] for line in document["rows"]}
    legend = (
        f"Chance: {'; '.join(f'{data} {value:.2f}' for data, value in chance.items())}. Accuracy: mean over folds and "
        "seeds. ± seeds: deviation over seeds of the mean over folds. ± folds: deviation over folds. Gain: mean "
        "difference over the same folds and seeds, ± its standard error."
    )
    parts = ["# Ablation", table, legend]
    if document["missing"]:
        parts.append(f"Missing ({len(document['missing'])}): {', '.join(document['missing'])}.")
    return "\n\n".join(parts) + "\n"
