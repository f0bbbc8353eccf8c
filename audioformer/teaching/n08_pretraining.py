"""Exercises and quiz of notebook 08, pre-train one.

Shapes: V codebook size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.optim import schedule_factor
from audioformer.teaching.answers import Check, Question


def _entropy(counts: Tensor) -> Tensor:
    return torch.distributions.Categorical(probs=counts / counts.sum()).entropy()


CHECKS = {
    "pretrain.rate": Check(
        lambda: [(0, 100, 0.1), (9, 100, 0.1), (10, 100, 0.1), (55, 100, 0.1), (99, 100, 0.1)],
        schedule_factor,
        "Rising: (step + 1) / warm_up. Falling: progress = (step - warm_up) / (n_steps - warm_up) runs from 0 to 1, "
        "and the share is 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2.",
        "Two pieces: a straight line up, then half a cosine down to a hundredth.",
    ),
    "pretrain.frequencies": Check(
        lambda: [(torch.tensor(counts, dtype=torch.float64),) for counts in ([5, 5, 5, 5], [8, 0, 0, 0], [1, 1, 2, 0])],
        _entropy,
        "Shares p = counts / counts.sum(), without the zeros; the mean surprise of somebody who knows them is -(p * "
        "p.log()).sum().",
        "Somebody knows only how often each code occurs. What is the mean surprise?",
    ),
}
QUIZ = {
    "pretrain.plateau": Question(
        "c",
        "that is the surprise of knowing which codes are frequent and nothing else. Falling below it takes looking "
        "at the context.",
        {
            "a": "the hidden codes are not in its input",
            "b": "that would take the loss below this level",
            "d": "it fell below chance: that is something",
        },
    ),
    "pretrain.resume": Question(
        "b",
        "weights, optimiser and history are in the state, and the randomness of a step follows from seed and step "
        "alone.",
        {
            "a": "the draw follows from seed and step, so it is the same draw",
            "c": "nothing is skipped; the state was saved whole",
            "d": "the step counter is saved with the weights",
        },
    ),
    "pretrain.held_out": Question(
        "b",
        "the model learns these few clips by heart. More clips help; so does stopping; a bigger model does not.",
        {
            "a": "a bigger one learns by heart still better",
            "c": "it moves faster to the same place",
            "d": "more of the same steps go on learning by heart",
        },
    ),
}
