"""Exercises and quiz of notebook 15, your own sounds.

Shapes: n clips, C classes, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.metrics import balanced_accuracy, confusion_matrix
from audioformer.predict import window_starts
from audioformer.teaching.answers import Check

TRUE, GIVEN = torch.tensor([0, 0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 1, 0, 2, 2])


def _confusion(labels: Tensor, given: Tensor, n_classes: int) -> Tensor:
    return torch.from_numpy(confusion_matrix(labels.numpy(), given.numpy(), n_classes))


CHECKS = {
    "own.windows": Check(
        lambda: [(100, 40), (30, 40), (130, 40), (375, 150)],
        window_starts,
        "The last start is n_frames - window. Steps of half a window, rounded up to a whole number of steps, "
        "lead there: divide the way evenly by that number. A clip no longer than the window is one window: [0].",
    ),
    "own.confusion": Check(
        lambda: [(TRUE, GIVEN, 3), (TRUE, GIVEN, 4), (torch.tensor([1, 1]), torch.tensor([0, 1]), 2)],
        _confusion,
        "Zeros of shape (C, C); for each clip add 1 at [true class, given class].",
    ),
    "own.balanced": Check(
        lambda: [(TRUE, GIVEN, 3), (torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0]), 2)],
        lambda labels, given, n_classes: balanced_accuracy(labels.numpy(), given.numpy(), n_classes),
        "For every class the share of its clips that are right; then the mean of these shares.",
    ),
}
QUIZ = {
    "own.session": (
        "b",
        "then the test asks what you want to know: does it work tomorrow, "
        "in another room? With one session it may know the room.",
    ),
    "own.unknown": (
        "b",
        "softmax shares out 1 among the classes it has. Without a class of other sounds there is no way to say none "
        "of these.",
    ),
    "own.more": (
        "c",
        "twenty more recordings at other places show it what varies. "
        "Variants of the same ones are a help, but a smaller one.",
    ),
}
