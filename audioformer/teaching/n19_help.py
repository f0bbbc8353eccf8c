"""Exercises and quiz of notebook 19, when pre-training helps.

Shapes: n draws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.teaching.answers import Check, Question


def _interval(values) -> Tensor:
    values = torch.as_tensor(values, dtype=torch.float64)
    return torch.stack([values.mean(), 1.96 * values.std() / len(values) ** 0.5])


def _crossing(labels, first, second) -> int:
    behind = [n for n, a, b in zip(labels, first, second, strict=True) if b < a]
    after = [n for n in labels if not behind or n > behind[-1]]
    return after[0] if after else 0


CHECKS = {
    "help.interval": Check(
        lambda: [(torch.tensor([0.4, 0.6]),), (torch.tensor([0.5, 0.5, 0.8, 0.6, 0.6]),)],
        _interval,
        "values.mean() and 1.96 * values.std() / len(values) ** 0.5; torch's std divides by n - 1 already.",
        "A mean of more draws wavers less: how does its spread shrink with their number?",
    ),
    "help.crossing": Check(
        lambda: [
            ([1, 2, 5, 10], [0.5, 0.6, 0.7, 0.8], [0.3, 0.6, 0.65, 0.9]),
            ([1, 5, 20], [0.2, 0.3, 0.4], [0.3, 0.4, 0.5]),
            ([1, 5, 20], [0.2, 0.3, 0.4], [0.3, 0.4, 0.3]),
            ([2, 4], [0.5, 0.5], [0.4, 0.5]),
        ],
        _crossing,
        "For each place, all(b >= a for the rest of both lists)? The first place where that holds is the answer.",
        "It does not count to be ahead once; from where on is it ahead for good?",
    ),
}
QUIZ = {
    "help.claim": Question(
        "b",
        "the same model can be ten points ahead with one label and eight behind with fifty.",
        {
            "a": "it may matter, but the number of labels decides first",
            "c": "size explains little as long as the rival and the labels are unknown",
            "d": "they are 5 points at one place of a curve",
        },
    ),
    "help.many": Question(
        "c",
        "enough labels teach what the unlabelled sound taught: the head start is used up.",
        {
            "a": "a head start is worth less and less the longer the way",
            "b": "more labels rarely hurt",
            "d": "labels are sometimes wrong, and some sounds cannot be told apart",
        },
    ),
    "help.bats": Question(
        "d",
        "much unlabelled sound of the same kind and few labels: that is where pre-training should show, and the rival "
        "says whether it does.",
        {
            "a": "it has heard much, but nothing like bats",
            "b": "8 clips are learnt by heart, however many the steps",
            "c": "that changes how sounds are written, not what is known about them",
        },
    ),
}
