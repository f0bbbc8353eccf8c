"""Exercises and quiz of notebook 20, one idea at a time.

Shapes: n pairs of runs, P speakers, S seeds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.teaching.answers import Check, Question


def _gain(ours, theirs, t) -> Tensor:
    gains = torch.as_tensor(ours, dtype=torch.float64) - torch.as_tensor(theirs, dtype=torch.float64)
    return torch.stack([gains.mean(), t * gains.std() / len(gains) ** 0.5])


def _by_speaker(ours, theirs) -> Tensor:
    return (torch.as_tensor(ours, dtype=torch.float64) - torch.as_tensor(theirs, dtype=torch.float64)).mean(1)


def _runs(seed: int) -> Tensor:
    """(6, 3) accuracies; the speakers differ more than the seeds."""
    draw = torch.Generator().manual_seed(seed)
    return 0.5 + 0.1 * torch.randn(6, 1, generator=draw) + 0.02 * torch.randn(6, 3, generator=draw)


CHECKS = {
    "ablation.gain": Check(
        lambda: [
            (torch.tensor([0.5, 0.7, 0.9]), torch.tensor([0.4, 0.65, 0.8]), 2.0),
            (_runs(1)[:, 0], _runs(2)[:, 0], 2.57),
        ],
        _gain,
        "gains = ours - theirs, one for each pair; then gains.mean() and t * gains.std() / len(gains) ** 0.5. Torch's "
        "std divides by n - 1 already.",
        "Both runs of a pair had the same difficulty: subtract first, then average.",
    ),
    "ablation.by_speaker": Check(
        lambda: [
            (torch.tensor([[0.5, 0.7], [0.2, 0.2]]), torch.tensor([[0.4, 0.4], [0.2, 0.3]])),
            (_runs(3), _runs(4)),
        ],
        _by_speaker,
        "Subtract the two tables, then .mean(1): over the seeds, which lie along the second axis.",
        "The seeds of one speaker are one measurement of this speaker, made several times.",
    ),
}
QUIZ = {
    "ablation.two_changes": Question(
        "c",
        "with two changes in one row nobody knows which of them did it: take one back at a time.",
        {
            "a": "the other half may have cost something, too",
            "b": "a larger gain is no answer to the question which change it came from",
            "d": "more seeds make the sum of both surer, not the parts",
        },
    ),
    "ablation.three_seeds": Question(
        "a",
        "three runs on one voice say much about this voice: for new voices, only the number of voices counts.",
        {
            "b": "18 runs, but the three of a voice have the same voice in common",
            "c": "the seeds are not what shall be new next time",
            "d": "a mean of three runs is better than one run; it is one voice all the same",
        },
    ),
    "ablation.best_of_many": Question(
        "d",
        "the best of twenty was chosen for its luck as well as for its worth: only new data can tell the two apart.",
        {
            "a": "its interval was made for one row, not for the best of twenty",
            "b": "it may be good; that is what has to be found out",
            "c": "the same data would choose the same luck again",
        },
    ),
}
