"""Measured scores in a checkpoint's config.json and model card, each with the command that gives it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from audioformer.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from audioformer.errors import AudioformerError
from audioformer.evaluation.held_out import sharpen_held_out
from audioformer.files import atomic_path
from audioformer.finetune import classifier_card


def add_score(checkpoint: str | os.PathLike, data: str, report: dict) -> dict:
    """Write one measured score down; an older one on the same data and metric is replaced.

    Args:
        checkpoint: folder or bundled name of a classifier.
        data: what it was measured on, in words.
        report: of `evaluate`, with "command"; "low" and "high" (95 % interval) become the spread.

    Returns:
        The entry: data, metric, value, spread, chance, n, command.

    Raises:
        AudioformerError: no classifier, or its folder cannot be written.
    """
    folder, config = _open(checkpoint)
    spread = f"{report['low']:.3f}-{report['high']:.3f} (95 %)" if "low" in report else ""
    entry = {
        "data": data,
        "metric": report["metric_name"],
        "value": report["metric"],
        "spread": spread,
        "chance": report["chance"],
        "n": report["n"],
        "command": report["command"],
    }
    others = [s for s in config.get("scores", []) if (s["data"], s["metric"]) != (data, entry["metric"])]
    config["scores"] = [*others, entry]
    _write(folder, config)
    return entry


def add_thresholds(checkpoint: str | os.PathLike, thresholds: dict[str, float], command: str) -> None:
    """Keep from which probability each class counts as heard in a segment, and how that was chosen.

    Args:
        checkpoint: folder or bundled name of a classifier.
        thresholds: of `evaluate.choose_thresholds`.
        command: that chose them.

    Raises:
        AudioformerError: no classifier, or its folder cannot be written.
    """
    folder, config = _open(checkpoint)
    config |= {
        "frame_thresholds": {name: round(value, 6) for name, value in thresholds.items()},
        "frame_thresholds_from": command,
    }
    _write(folder, config)


def add_calibration(checkpoint: str | os.PathLike, temperature: float, found: dict, command: str) -> None:
    """Divide the last layer by a temperature, `held_out.json` with it, and keep how that was found; twice multiplies.

    Args:
        checkpoint: folder or bundled name of a classifier.
        temperature: of `evaluate.calibrate`.
        found: further figures for config.json and the card.
        command: that found it.

    Raises:
        AudioformerError: no classifier, or its folder cannot be written.
    """
    folder, config = _open(checkpoint)
    state = load_checkpoint(folder)[0]
    for name in state:
        if name.startswith(("head.", "head_of_bins.")):
            state[name] = state[name] / temperature
    before = config.get("calibration", {}).get("temperature", 1.0)
    config["calibration"] = {"temperature": before * temperature, **found, "command": command}
    save_checkpoint(folder, state, config, classifier_card(config))
    sharpen_held_out(folder, temperature)


def add_familiarity(checkpoint: str | os.PathLike, found: dict, command: str) -> None:
    """Keep how well foreign sounds are told from those of the classes, in config.json and the card.

    Args:
        checkpoint: folder or bundled name of a classifier.
        found: figures of `familiarity.fit_familiarity`.
        command: that found them.

    Raises:
        AudioformerError: no classifier, or its folder cannot be written.
    """
    folder, config = _open(checkpoint)
    config["familiarity"] = {**found, "command": command}
    _write(folder, config)


def _open(checkpoint: str | os.PathLike) -> tuple[Path, dict]:
    """Folder and config.json of a classifier."""
    folder = find_checkpoint(checkpoint)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AudioformerError(f"{folder}: damaged checkpoint ({error}); copy or train it again") from error
    if config.get("kind") != "classifier":
        raise AudioformerError(f"{folder}: is {config.get('kind')!r}; scores belong to classifiers")
    return folder, config


def _write(folder: Path, config: dict) -> None:
    with atomic_path(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(classifier_card(config), encoding="utf-8")
