"""Results that survive a kill: each a small JSON file, written when it is done; and how far they spread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.files import assets_folder, atomic_path
from audioformer.metrics import Spread


def read_record(path: Path) -> dict | None:
    """A finished record; None where there is none, or a damaged one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def remembered(path: Path, measure: Callable[[], dict]) -> dict:
    """A record from disk, or measured and written; a damaged file is measured again.

    Args:
        path: named after everything that decides the record.
        measure: makes it, JSON-ready.

    Raises:
        AudioformerError: the folder cannot be written.
    """
    if (record := read_record(path)) is not None:
        return record
    record = measure()
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return record


def shipped(name: str) -> dict:
    """Results that come with the kit: the document of a long benchmark, run on real recordings.

    Args:
        name: one of `shipped_names`.

    Returns:
        What `bench NAME` wrote to results.json; "command" is the line that gave it.

    Raises:
        AudioformerError: none of that name.
    """
    path = assets_folder() / "results" / f"{name}.json"
    if not path.is_file():
        known = ", ".join(shipped_names()) or "none"
        raise AudioformerError(f"no results of {name!r} come with this installation; there are: {known}")
    return json.loads(path.read_text(encoding="utf-8"))


def shipped_names() -> list[str]:
    """Benchmarks whose results come with the kit: "ablation", "adapt", "probe"."""
    return sorted(path.stem for path in (assets_folder() / "results").glob("*.json"))


def spread(cells: Mapping[tuple, float]) -> dict:
    """How far scores by (fold, seed) spread.

    Returns:
        {"n_folds", "n_seeds", "seed_std", "fold_std", "folds"}: deviation over the seeds that have all folds of the
        mean over folds, deviation over folds of the mean over seeds (None where there is only one), and that mean for
        each fold.

    Example:
        >>> spread({(1, 0): 0.5, (2, 0): 0.7})["folds"]
        {'1': 0.5, '2': 0.7}
    """
    folds, seeds = (sorted({key[i] for key in cells}) for i in (0, 1))
    whole = [seed for seed in seeds if all((fold, seed) in cells for fold in folds)]
    by_seed = [float(np.mean([cells[fold, seed] for fold in folds])) for seed in whole]
    by_fold = {str(fold): float(np.mean([value for (own, _), value in cells.items() if own == fold])) for fold in folds}
    deviations = {"seed_std": deviation(by_seed), "fold_std": deviation(list(by_fold.values()))}
    return {"n_folds": len(folds), "n_seeds": len(seeds), **deviations, "folds": by_fold}


def deviation(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample; None for fewer than two values."""
    return Spread.of(values).std if len(values) > 1 else None
