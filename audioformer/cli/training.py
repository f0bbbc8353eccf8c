"""What `pretrain` and `finetune` share: run the loop, show how it goes, save on Ctrl-C."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioformer.cli.console import Progress, clock, note, stoppable

if TYPE_CHECKING:
    from audioformer.train import StepRecord, Task

N_MEASUREMENTS = 10


def measured(config: Any, held_out) -> Any:
    """The recipe with validation switched on where clips are held out and nothing was said about when."""
    if not len(held_out) and config.train.patience:
        note(
            "the recipe stops when held-out clips get no better, and none are held out: it runs to the end; see "
            "--held-out-split val"
        )
    if not len(held_out) or config.train.validate_every:
        return config
    return replace(config, train=replace(config.train, validate_every=max(1, config.train.n_steps // N_MEASUREMENTS)))


def run_training(task: Task, config: Any, folder: str | Path, title: str = "") -> dict:
    """Train to the end of the schedule.

    Args:
        task: model and data.
        config: recipe with `.train`.
        folder: of the run.
        title: put before every progress line.

    Returns:
        config.json of the finished checkpoint.

    Raises:
        Stopped: Ctrl-C; the state is saved.
    """
    from audioformer.train import train

    records = train(task, config.train, folder)
    with stoppable(folder), contextlib.closing(records), Progress() as progress:
        for record in _timed(records):
            progress.show(title + step_line(*record, config.train.n_steps))
    return json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))


def _timed(records: Iterable[StepRecord]) -> Iterator[tuple[StepRecord, float, dict | None]]:
    """Each record with the seconds a step takes in this run, and the last validation."""
    first, validation = None, None
    for record in records:
        first = first or record
        validation = record.validation or validation
        steps = record.step - first.step
        per_step = (
            (record.seconds - first.seconds) / steps if steps else record.seconds / record.step
        )  # a resumed run has steps behind it
        yield record, per_step, validation


def step_line(record: StepRecord, seconds_per_step: float, validation: dict | None, n_steps: int) -> str:
    """One line about a step: losses beside their chance levels, speed, time left."""
    losses = [_loss(name, value, record.chance) for name, value in record.losses.items() if name != "total"]
    shown = [*losses[:3], f"{seconds_per_step:.2f} s/step", f"{clock(seconds_per_step * (n_steps - record.step))} left"]
    if validation:
        names = [name for name in ("mAP", "mlm", "accuracy") if name in validation][:1]
        shown += [f"held out: {name} {validation[name]:.3f}" for name in names]
    return f"step {record.step}/{n_steps}  " + "  ".join(shown)


def _loss(name: str, value: float, chance: dict) -> str:
    return f"{name} {value:.3f}" + (f" (chance {chance[name]:.3f})" if name in chance else "")


def summary(folder: str | Path, config: dict, **more) -> dict:
    """The final record of a training run, for `--json`."""
    names = ("kind", "steps", "seconds", "losses", "chance", "validation", "n_clips", "codec", "label_names")
    return {"checkpoint": str(folder), **{name: config[name] for name in names if name in config}, **more}


def summary_text(document: dict) -> str:
    """The same for people."""
    lines = [f"{document['checkpoint']}: {document['kind']}, {document['steps']} steps in {clock(document['seconds'])}"]
    for name, value in (document.get("losses") or {}).items():
        if value is not None and name != "total":
            lines.append("  training " + _loss(name, value, document.get("chance") or {}))
    validation = document.get("validation") or {}
    for name, value in validation.items():
        if name not in ("score", "low", "high", "n", "chance"):
            lines.append(
                f"  held out {name} {value:.3f}" + (_beside(validation) if value == validation.get("score") else "")
            )
    return "\n".join(lines)


def _beside(validation: dict) -> str:
    """What a score has to be read with."""
    parts = [f"chance {validation['chance']:.3f}"] if "chance" in validation else []
    parts += [f"95 % interval {validation['low']:.3f} to {validation['high']:.3f}"] if "low" in validation else []
    parts += [f"{validation['n']:g} clips"] if "n" in validation else []
    return f" ({', '.join(parts)})" if parts else ""
