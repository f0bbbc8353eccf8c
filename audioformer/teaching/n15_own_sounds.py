"""Exercises and quiz of notebook 15, your own sounds.

Shapes: n clips, C classes, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.metrics import balanced_accuracy, confusion_matrix
from audioformer.predict import window_starts
from audioformer.teaching.answers import Check, Question

TRUE, GIVEN = torch.tensor([0, 0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 0, 2, 2])


def _confusion(labels: Tensor, given: Tensor, n_classes: int) -> Tensor:
    return torch.from_numpy(confusion_matrix(labels.numpy(), given.numpy(), n_classes))


CHECKS = {
    "own.windows": Check(
        lambda: [(100, 40), (30, 40), (130, 40), (375, 150)],
        window_starts,
        "The last start is n_frames - window. Steps of half a window, rounded up to a whole number of steps, "
        "lead there: divide the way evenly by that number. A clip no longer than the window is one window: [0].",
        "The first and the last are fixed. How many steps of at most half a window lead from one to the other?",
    ),
    "own.confusion": Check(
        lambda: [(TRUE, GIVEN, 3), (TRUE, GIVEN, 4), (torch.tensor([1, 1]), torch.tensor([0, 1]), 2)],
        _confusion,
        "Zeros of shape (C, C); for each clip add 1 at [true class, given class].",
        "A table, and one stroke in it for each clip.",
    ),
    "own.balanced": Check(
        lambda: [(TRUE, GIVEN, 3), (torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0]), 2)],
        lambda labels, given, n_classes: balanced_accuracy(labels.numpy(), given.numpy(), n_classes),
        "For every class the share of its clips that are right; then the mean of these shares.",
        "Mark every class for itself first; only then take the mean.",
    ),
}
QUIZ = {
    "own.session": Question(
        "a",
        "then the test asks what you want to know: does it work tomorrow, in another room? With one session it may "
        "know the room.",
        {
            "b": "the same, in an orderly way",
            "c": "then both days are in training, and the room is known",
            "d": "forty can be enough; the interval says so",
        },
    ),
    "own.unknown": Question(
        "a",
        "softmax shares out 1 among the classes it has. Without a class of other sounds there is no way to say none "
        "of these.",
        {
            "b": "it is not confused about helicopters: it knows no such class",
            "c": "it says which of these four, not how much of it",
            "d": "codes go in as for every sound",
        },
    ),
    "own.more": Question(
        "a",
        "twenty more recordings at other places show it what varies. Variants of the same ones are a help, but a "
        "smaller one.",
        {
            "b": "variants vary what you thought of, not what the world does",
            "c": "the codes are good enough to hear what it is",
            "d": "it has learnt these by heart already",
        },
    ),
}
