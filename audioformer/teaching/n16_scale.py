"""Exercises and quiz of notebook 16, beyond the laptop.

Shapes: n clips.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from audioformer.data.prepare import _Run
from audioformer.metrics import average_precision
from audioformer.teaching.answers import Check, Question
from audioformer.teaching.n01_codes import _small_codec


def _code_bytes(duration_s: float, n_codebooks: int) -> int:
    """Of codes kept in 16 bits, as a corpus keeps them."""
    codec = _small_codec(n_codebooks, 4)
    return 2 * codec.encode(torch.zeros(round(duration_s * codec.sample_rate)), codec.sample_rate).numel()


def _shard(n_clips: int, n_shards: int, index: int) -> Tensor:
    """The library's own cut: first clip and the one after the last."""
    run = SimpleNamespace(dataset=range(n_clips), info=SimpleNamespace(n_shards=n_shards))
    clips = _Run._clips_of(run, index)
    return torch.tensor([clips.start, clips.stop])


def _precision(targets: Tensor, scores: Tensor) -> float:
    return float(average_precision(targets.numpy()[:, None], scores.numpy()[:, None])[0])


CHECKS = {
    "scale.code_bytes": Check(
        lambda: [(10.0, 4), (5.0, 8), (0.02, 1)],
        _code_bytes,
        "75 frames a second, a partial frame counts as one: math.ceil(75 * duration_s). Times the rows, times 2 bytes.",
        "Seconds become frames, frames become codes, codes become bytes.",
    ),
    "scale.shard": Check(
        lambda: [(10, 2, 0), (10, 2, 1), (10, 3, 1), (1_932_574, 4000, 17)],
        _shard,
        "Shard i begins at n * i // s and ends where shard i + 1 begins. // rounds down.",
        "Where would shard i begin if it could cut a clip in two? Now round.",
    ),
    "scale.precision": Check(
        lambda: [
            (torch.tensor([1, 0, 1, 0]), torch.tensor([0.9, 0.8, 0.7, 0.1])),
            (torch.tensor([0, 0, 1, 1, 0]), torch.tensor([0.5, 0.4, 0.3, 0.2, 0.1])),
            (torch.tensor([0, 1, 0, 1, 1]), torch.tensor([0.1, 0.9, 0.2, 0.8, 0.7])),
        ],
        _precision,
        "Sort by falling score. At the place of each right clip: how many right so far, "
        "divided by the place (from 1). Mean over these.",
        "Read the list from the highest score on, and note how pure it is at every right one.",
    ),
}
QUIZ = {
    "scale.killed": Question(
        "c",
        "finished shards are kept and skipped; the one at work is done again. That is why a corpus is cut into "
        "shards at all.",
        {
            "a": "the lock ends with the process that held it",
            "b": "whole shards are kept and skipped",
            "d": "it looks which shards are there",
        },
    ),
    "scale.processes": Question(
        "c",
        "the step is the same; the means of the parts, each with its weight, make the mean of the whole. Only the "
        "time differs.",
        {
            "a": "the parts are weighted, so the mean is that of the whole batch",
            "b": "all processes take the same step together",
            "d": "the step is the same, and so is its size",
        },
    ),
    "scale.claim": Question(
        "a",
        "one headline number says what was reported. Which data, chosen on what, and done again by whom, says what "
        "it is worth.",
        {
            "b": "the cost comes after the question whether it is true",
            "c": "size explains a score only when the rest is known",
            "d": "it may matter; first ask whether the number is one",
        },
    ),
}
