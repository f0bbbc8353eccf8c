"""Exercises and quiz of notebook 08, pre-train one.

Shapes: V codebook size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.optim import schedule_factor
from audioformer.teaching.answers import Check


def _entropy(counts: Tensor) -> Tensor:
    return torch.distributions.Categorical(probs=counts / counts.sum()).entropy()


CHECKS = {
    "pretrain.rate": Check(
        lambda: [(0, 100, 0.1), (9, 100, 0.1), (10, 100, 0.1), (55, 100, 0.1), (99, 100, 0.1)],
        schedule_factor,
        "Rising: (step + 1) / warm_up. Falling: progress = (step - warm_up) / (n_steps - warm_up) runs from 0 to 1, "
        "and the share is 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2.",
    ),
    "pretrain.frequencies": Check(
        lambda: [(torch.tensor(counts, dtype=torch.float64),) for counts in ([5, 5, 5, 5], [8, 0, 0, 0], [1, 1, 2, 0])],
        _entropy,
        "Shares p = counts / counts.sum(), without the zeros; the mean surprise of somebody who knows them is -(p * "
        "p.log()).sum().",
    ),
}
QUIZ = {
    "pretrain.plateau": (
        "c",
        "that is the surprise of knowing which codes are frequent and nothing else. "
        "Falling below it takes looking at the context.",
    ),
    "pretrain.resume": (
        "c",
        "weights, optimiser and history are in the state, and the randomness of a step follows from seed and step "
        "alone.",
    ),
    "pretrain.held_out": (
        "b",
        "the model learns these few clips by heart. More clips help; so does stopping; a bigger model does not.",
    ),
}
