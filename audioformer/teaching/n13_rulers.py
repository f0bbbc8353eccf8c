"""Exercises and quiz of notebook 13, HEAR and fair comparison.

Shapes: n clips, T frames, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.evaluation.features import moments
from audioformer.evaluation.probe import Lesson, fit_knn
from audioformer.hear import load_model
from audioformer.teaching.answers import Check, Question


def _numbers(*shape: int, seed: int = 13) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _times_ms(n_frames: int) -> Tensor:
    """Of codec frames: HEAR's times of a model whose frames lie side by side, one after 320 samples at 24 kHz."""
    return load_model("codes:compact:rows=1").times_ms(n_frames, 48_000 * 60)


def _neighbour_cases() -> list[tuple]:
    asked = torch.tensor([[5.0, 1.0], [0.1, 0.3], [2.0, 1.9]])
    long_and_short = torch.tensor([[9.0, 9.0], [0.1, 0.0], [0.0, 0.2]])  # by product, the long one is nearest to all
    return [
        (torch.eye(2), torch.tensor([4, 2]), asked),
        (long_and_short, torch.tensor([0, 1, 2]), asked),
        (_numbers(7, 3), torch.arange(7) % 3, _numbers(4, 3, seed=14)),
    ]


def _nearest(vectors: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """The probe's own nearest neighbour."""
    wanted = F.one_hot(labels).double()
    return fit_knn(Lesson(vectors.double(), wanted, False, 0, "cpu"), 1).scores(asked.double()).argmax(1)


CHECKS = {
    "rulers.times": Check(
        lambda: [(1,), (3,), (75,)],
        _times_ms,
        "Frame k lasts from k / 75 to (k + 1) / 75 seconds; its middle is at (k + 0.5) / 75. HEAR wants milliseconds.",
        "Where is the middle of frame 0? And of frame 1?",
    ),
    "rulers.summary": Check(
        lambda: [(torch.tensor([[[1.0, 0.0], [3.0, 0.0]]]),), (_numbers(2, 5, 3),)],
        moments,
        "frames.mean(1) and frames.std(1, correction=0), put side by side with torch.cat([...], 1).",
        "Two numbers for each feature: where it lies on average, and how much it moves.",
    ),
    "rulers.nearest": Check(
        _neighbour_cases,
        _nearest,
        "Give all vectors length 1 (torch.nn.functional.normalize), multiply asked with the transpose of the known "
        "ones, argmax(1), and look up the labels.",
        "By direction, not by length: who points most nearly the same way?",
    ),
}
QUIZ = {
    "rulers.torn": Question(
        "b",
        "pieces of one recording share its room, its microphone and its dog. Whole recordings belong to one side.",
        {
            "a": "the same recording could be on both sides",
            "c": "then a neighbour of each test piece is in training",
            "d": "its other nine pieces know the room already",
        },
    ),
    "rulers.scale": Question(
        "d",
        "with the test clips' mean, something of the test has been used for learning. Little, often; but then nobody "
        "can say how little.",
        {
            "a": "labels are not all that can leak: the mean knows the test clips",
            "b": "it needs scaled features, not those of the test",
            "c": "with many clips it is harmless, and still not clean",
        },
    ),
    "rulers.heard": Question(
        "d",
        "it has learnt from the very clips it would be tested on. The ruler is not at fault; the claim would be.",
        {
            "a": "the ruler is right; the model has met the clips",
            "b": "a reader would take it for a result on unheard clips",
            "c": "it has heard them with every seed",
        },
    ),
}
