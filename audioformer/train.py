"""The training loop: a generator of records, the same for the command line, notebooks, the app and tests.

    for record in train(task, config, folder):
        print(record.step, record.losses)

A task is an `nn.Module` that knows its data: `batch(step, rank, world)` picks the clips, `forward(batch)` gives losses.
All randomness of a step is derived from (seed, step), so a run that was stopped and resumed gives the numbers of one
that was not. `accelerate` carries the loop over devices, processes and number formats.
"""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audioformer.data.batches import clips_hash
from audioformer.errors import AudioformerError
from audioformer.files import append_lines, atomic_path, held, sweep, writable_folder, writing
from audioformer.optim import (
    BETAS,
    LOWEST_RATE,
    WeightAverage,
    make_optimizer,
    other_weights,
    schedule_factor,
    set_learning_rate,
)
from audioformer.recipes import TrainConfig

SAME_NUMBERS = ("gradient_checkpointing", "compile", "keep_every")  # settings that may differ when a run continues
LOG = "log.jsonl"  # a record a line
STEPS = "steps"  # sub-folder of checkpoints from under way


@dataclass(frozen=True)
class StepRecord:
    """What one optimiser step did.

    Attributes:
        step: steps done, from 1.
        losses: each term by name, nats; "total" is what was minimised.
        chance: for the terms where it means something, the value of knowing nothing.
        learning_rate: largest of all groups.
        grad_norm: before clipping.
        seconds: training time so far, resumed parts included.
        validation: metrics by name on held-out clips, on the steps that measured them.
    """

    step: int
    losses: dict[str, float]
    chance: dict[str, float]
    learning_rate: float
    grad_norm: float
    seconds: float
    validation: dict[str, float] | None = None


class Task(nn.Module):
    """What a model is trained to do, with its data. Subclasses: MaskedModelling, FrameModelling, FineTuning."""

    chance: dict[str, float]
    betas: tuple[float, float] = BETAS  # of AdamW
    lowest_rate: float = LOWEST_RATE  # where the cosine schedule ends, as a share of the peak

    def batch(self, step: int, micro_step: int, rank: int, world: int) -> Any:
        """Data of one micro-step for one of `world` processes; depends on nothing but the arguments and the seed."""
        raise NotImplementedError

    def forward(self, batch: Any) -> dict[str, Tensor]:
        """Losses by name, with "total"."""
        raise NotImplementedError

    def weigh(self, batch: Any) -> float:
        """How much this part's losses count beside those of the step's other parts and processes."""
        del batch
        return 1.0

    def validate(self) -> dict[str, float] | None:
        """Metrics on held-out clips, or None."""
        return None

    def identity(self) -> dict:
        """Everything, beside TrainConfig, that decides the numbers, ready for JSON.

        A run continues only under the same.
        """
        return {}

    def more_state(self) -> dict:
        """What a resumed run needs beside `state_dict`: tensors, numbers and text."""
        return {}

    def load_more_state(self, state: dict) -> None:
        """Take up what `more_state` gave."""
        del state

    @cached_property
    def clips_learned(self) -> dict:
        """For `identity`: which clips are trained on and which held out; needs `.sampler` and `.held_out`."""
        clips = self.sampler.clips
        return {"n_clips": len(clips), "clips": clips_hash(clips), "held_out_clips": clips_hash(self.held_out)}

    def progress(self, last: dict | None) -> dict:
        """What config.json says of the training; needs `.sampler` and `.chance`. `last` as in `export`."""
        last = last or {}
        return {
            "n_clips": len(self.sampler.clips),
            "steps": last.get("step", 0),
            "seconds": last.get("seconds", 0),
            "losses": last.get("losses", {}),
            "chance": self.chance,
            "validation": last.get("validation"),
        }

    def export(self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None) -> None:
        """Write the model as a checkpoint folder.

        Args:
            folder: of the checkpoint.
            last: record of the last step, for the card; None before the first.
            weights: the averaged ones, to write instead of the live ones; None writes those.
        """
        raise NotImplementedError


def train(task: Task, config: TrainConfig, folder: str | os.PathLike | None = None) -> Iterator[StepRecord]:
    """Train to the end of the schedule, yielding a record a step.

    With a folder, the state is saved every `config.save_every` steps, at the end, and when the loop is left early
    (Ctrl-C, a closed generator); a second call with the same folder continues there. `log.jsonl` holds the records.
    Ctrl-C waits for the step to end; a second one does not, and then the last saved state stays.

    Args:
        task: model and data.
        config: steps, rates, precision.
        folder: for state, log and the finished checkpoint; None keeps everything in memory.

    Yields:
        StepRecord.

    Raises:
        AudioformerError: the folder cannot be written, another process trains in it or it holds a run with other
            settings, or the loss stops being finite.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=not torch.cuda.is_available(), step_scheduler_with_optimizer=False)
    task.to(accelerator.device)
    alone = nullcontext()
    if folder is not None and accelerator.is_main_process:
        alone = held(writable_folder(folder))
    with alone:
        yield from _loop(_Run(task, config, accelerator, None if folder is None else Path(folder)))


def _loop(run: _Run) -> Iterator[StepRecord]:
    """Every step of a run that is left."""
    if run.writes:
        sweep(run.folder)
    run.resume()
    try:
        while run.step < run.config.n_steps and not run.stopped_early():
            with finish_first():
                record = run.one_step()
            yield record
        run.save(finished=True)
        run.accelerator.wait_for_everyone()  # what the first process writes, all may read
    except (KeyboardInterrupt, GeneratorExit):
        if run.between_steps:
            run.save(finished=False)
        raise


class _Run:
    """Everything that changes while training; what `state.pt` holds."""

    def __init__(self, task: Task, config: TrainConfig, accelerator, folder: Path | None):
        self.task, self.config, self.accelerator, self.folder = task, config, accelerator, folder
        self.writes = folder is not None and accelerator.is_main_process  # one process alone writes
        optimizer = make_optimizer(task, config.learning_rate, config.weight_decay, config.head_factor, task.betas)
        _speed_up(task, config)
        self.wrapped, self.optimizer = accelerator.prepare(task, optimizer)
        self.average = WeightAverage(task, config.average)
        self.step, self.seconds = 0, 0.0
        self.last: dict | None = None  # record of the last step
        self.unsaved: list[dict] = []  # records since the last save
        self.best: dict[str, Any] = {"score": -float("inf"), "step": 0}
        self.between_steps = True  # False while weights, averages and records do not belong together

    def one_step(self) -> StepRecord:
        """Rate, forward, backward, clip, step, validate: in that order."""
        c, started = self.config, time.perf_counter()
        self.between_steps = False
        self.task.train()
        self.optimizer.zero_grad(set_to_none=True)
        factor = schedule_factor(self.step, c.n_steps, c.warm_up_share, c.schedule, self.task.lowest_rate)
        rate = set_learning_rate(self.optimizer, factor)
        losses = self._accumulate()
        norm = float(self.accelerator.clip_grad_norm_(self.task.parameters(), c.clip_norm))
        if not all(map(math.isfinite, [norm, *losses.values()])):
            found = ", ".join(f"{name} {value:g}" for name, value in {**losses, "gradient norm": norm}.items())
            raise AudioformerError(
                f"step {self.step}: {found}: not finite; try a learning_rate below {c.learning_rate:g}"
            )
        self.optimizer.step()
        self.step += 1
        self.average.update(self.task, self.step)
        validation = self._validate()
        self.seconds += time.perf_counter() - started
        record = StepRecord(self.step, losses, dict(self.task.chance), rate, norm, round(self.seconds, 3), validation)
        self.last = asdict(record)
        self.unsaved.append(self.last)
        if c.patience and self.best["step"] == self.step:
            self.best["record"] = self.last
        self.between_steps = True
        if self.step % c.save_every == 0:
            self.save(finished=False)
        if self.writes and c.keep_every and self.step % c.keep_every == 0:
            self.task.eval()
            self.task.export(self.folder / STEPS / f"{self.step:06d}", self.last, self.average.state)
        return record

    def _accumulate(self) -> dict[str, float]:
        """Losses and gradients of a step as if its batch had been one: parts and processes count by `Task.weigh`."""
        c, accelerator = self.config, self.accelerator
        rank, world = accelerator.process_index, accelerator.num_processes
        batches = [self.task.batch(self.step, micro_step, rank, world) for micro_step in range(c.accumulate)]
        weights = torch.tensor([self.task.weigh(batch) for batch in batches], device=accelerator.device)
        weights = weights * world / accelerator.reduce(weights.sum(), reduction="sum")  # mean 1 / accumulate
        sums: dict[str, float] = {}
        for micro_step, batch in enumerate(batches):
            torch.manual_seed((c.seed * 1_000_003 + self.step) * 997 + micro_step * 31 + accelerator.process_index)
            last = micro_step == c.accumulate - 1
            with nullcontext() if last else accelerator.no_sync(self.wrapped):  # gradients meet once a step
                with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=c.bf16):
                    losses = self.wrapped(batch)
                accelerator.backward(losses["total"] * weights[micro_step])
            for name, value in losses.items():
                mean = accelerator.reduce(value.detach().float() * weights[micro_step], reduction="mean")
                sums[name] = sums.get(name, 0.0) + float(mean)
        return sums

    def _validate(self) -> dict[str, float] | None:
        c = self.config
        if not c.validate_every or (self.step % c.validate_every and self.step != c.n_steps):
            return None
        self.task.eval()
        with torch.no_grad(), other_weights(self.task, self.average.state):
            metrics = self.task.validate()
        metrics = metrics and {name: value for name, value in metrics.items() if math.isfinite(value)}
        if metrics and metrics.get("score", -float("inf")) > self.best["score"]:
            self.best = {"score": metrics["score"], "step": self.step}
            if c.patience:
                state = self.average.state or self.task.state_dict()
                self.best["state"] = {k: v.detach().clone() for k, v in state.items()}
        return metrics

    def stopped_early(self) -> bool:
        """True when validation has not improved for `patience` measurements."""
        c = self.config
        waited = self.step - self.best["step"]
        return 0 < c.patience * c.validate_every <= waited and self.best["step"] > 0

    def save(self, finished: bool) -> None:
        """Append to the log and write the state; when finished, the checkpoint too."""
        if not self.writes:
            return
        append_lines(self.folder / LOG, [json.dumps(record) for record in self.unsaved])
        self.unsaved = []
        state = {
            "recipe": self._identity(),
            "task": self.task.state_dict(),
            "more": self.task.more_state(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "last": self.last,
        }
        save_state(self.folder, state)
        if finished:
            self.task.eval()
            best = self.best.get("state")  # with what was measured when it was best
            self.task.export(self.folder, self.best["record"] if best else self.last, best or self.average.state)

    def resume(self) -> None:
        """Take up the state in the folder, if there is one."""
        if self.folder is None:
            return
        state = load_state(self.folder)
        if state is None:
            self._trim_log()
            return
        if differences := _differences(json.loads(state["recipe"]), json.loads(self._identity())):
            raise AudioformerError(
                f"{self.folder}: holds a run with other settings ({'; '.join(differences)}); "
                "choose another folder or delete it"
            )
        try:
            self.task.load_state_dict(state["task"])
            self.task.load_more_state(state["more"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise AudioformerError(
                f"{self.folder}: holds the state of another model; choose another folder or delete it"
            ) from error
        device = self.accelerator.device
        self.average.state, self.best = _to(state["average"], device), _to(state["best"], device)
        self.step, self.seconds, self.last = state["step"], state["seconds"], state["last"]
        self._trim_log()

    def _trim_log(self) -> None:
        """Take from the log what a run that was killed had written after its last state."""
        log = self.folder / LOG
        if not self.writes or not log.is_file():
            return
        lines = log.read_text(encoding="utf-8").splitlines()
        known = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= self.step]
        if len(known) < len(lines):
            with atomic_path(log) as temporary:
                temporary.write_text("".join(line + "\n" for line in known), encoding="utf-8")

    def _identity(self) -> str:
        same = SAME_NUMBERS if self.config.patience else (*SAME_NUMBERS, "validate_every")
        settings = {name: value for name, value in asdict(self.config).items() if name not in same}
        return json.dumps({"train": settings, **self.task.identity()}, sort_keys=True)


def _speed_up(task: Task, config: TrainConfig) -> None:
    """Switch on what trades memory or start-up time for speed; the numbers stay the same to rounding."""
    for module in task.modules():
        if hasattr(module, "checkpointing"):  # a transformer's blocks, of whichever method
            module.checkpointing = config.gradient_checkpointing
            if config.compile:
                for block in module.blocks:
                    block.compile(dynamic=True)


def _differences(there: dict, asked: dict, name: str = "") -> list[str]:
    """What two recipes say differently, in words."""
    if isinstance(there, dict) and isinstance(asked, dict):
        parts = (_differences(there.get(k), asked.get(k), f"{name}.{k}") for k in sorted(there.keys() | asked.keys()))
        return [difference for part in parts for difference in part]
    return [] if there == asked else [f"{name[1:]} is {there!r:.60} there, {asked!r:.60} here"]


def _to(state: Any, device) -> Any:
    """Tensors in a (nested) dict on another device."""
    if isinstance(state, dict):
        return {key: _to(value, device) for key, value in state.items()}
    return state.to(device) if isinstance(state, Tensor) else state


@contextmanager
def finish_first() -> Iterator[None]:
    """Let the block end before Ctrl-C takes effect; a second Ctrl-C breaks it off at once.

    Outside the main thread, or where Ctrl-C is ignored anyway, it does nothing.

    Example:
        >>> with finish_first():
        ...     pass  # one training step
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if in_main_thread else None
    if not callable(previous):  # None, SIG_IGN or SIG_DFL
        yield
        return
    waiting: list[int] = []

    def note(number: int, _frame) -> None:
        if waiting:
            raise KeyboardInterrupt
        waiting.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if waiting:
        signal.raise_signal(signal.SIGINT)


def save_state(folder: str | os.PathLike, state: dict) -> None:
    """Write the resumable training state (tensors, numbers, strings) as `state.pt`, whole or not at all."""
    path = Path(folder) / "state.pt"
    with atomic_path(path) as temporary, writing(path, RuntimeError):  # torch's name for a disk that is full
        torch.save(state, temporary)


def load_state(folder: str | os.PathLike) -> dict | None:
    """Read `state.pt`, tensors only; None if there is none.

    Raises:
        AudioformerError: damaged.
    """
    path = Path(folder) / "state.pt"
    if not path.is_file():
        return None
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for a damaged file
        raise AudioformerError(
            f"{path}: damaged training state ({type(error).__name__}); delete it to start again"
        ) from error
