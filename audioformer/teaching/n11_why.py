"""Exercises and quiz of notebook 11, why this label.

Shapes: T frames, N blocks, P points of a curve, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.explain.faithfulness import Curves, held_against
from audioformer.explain.occlusion import Occlusion
from audioformer.teaching.answers import Check, Question


def _smoothed(falls: Tensor, span: int, step: int, n_frames: int) -> Tensor:
    """What `Occlusion.frames` makes of falls of stretches that start every `step` frames."""
    starts = torch.arange(len(falls)) * step
    spans = torch.stack([starts, (starts + span).clamp_max(n_frames)], 1)
    return Occlusion(0, 1.0, 0.0, spans, falls, torch.zeros(1), n_frames).frames


def _integral(slope, start: Tensor, end: Tensor, n_steps: int) -> Tensor:
    """Mean slope on the straight line, at the middles of its steps, times the way."""
    points = (torch.arange(n_steps) + 0.5) / n_steps
    return torch.stack([slope(start + point * (end - start)) for point in points]).mean(0) * (end - start)


def _gain(share: Tensor, deletion: Tensor, insertion: Tensor) -> float:
    return Curves(share, deletion, insertion).gain


_SHARE = torch.linspace(0, 1, 5)
CHECKS = {
    "why.frames": Check(
        lambda: [(torch.tensor([0.4, 0.0]), 2, 2, 4), (torch.tensor([0.3, 0.1, 0.5]), 4, 2, 8)],
        _smoothed,
        "Two tensors of zeros, total and count. Stretch i covers frames i * step to i * step + span: "
        "add its fall to the one, 1 to the other; total / count.",
        "Collect, for every frame, the falls of the stretches that cover it; then their mean.",
    ),
    "why.integral": Check(
        lambda: [
            (lambda x: 2 * x, torch.zeros(2), torch.tensor([3.0, 1.0]), 10),
            (lambda x: x.flip(0), torch.tensor([1.0, 0.0]), torch.tensor([2.0, 2.0]), 4),
            (lambda x: 3 * x**2, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0]), 5),
        ],
        _integral,
        "The points are (i + 0.5) / n_steps for i from 0. Take slope(start + point * (end - start)) at each, "
        "the mean of all, times (end - start).",
        "Walk from start to end, look at the slope in the middle of each step, average, times the way.",
    ),
    "why.gain": Check(
        lambda: [
            (_SHARE, torch.tensor([0.9, 0.2, 0.1, 0.1, 0.1]), torch.tensor([0.1, 0.8, 0.9, 0.9, 0.9])),
            (_SHARE, torch.tensor([0.9, 0.9, 0.9, 0.9, 0.1]), torch.tensor([0.1, 0.1, 0.1, 0.1, 0.9])),
        ],
        _gain,
        "torch.trapezoid(values, share) is the area under a curve. Insertion less deletion.",
        "A good map lets one curve rise early and the other fall early. What lies between them?",
    ),
    "why.precision": Check(
        lambda: [
            (torch.tensor([0.1, 0.9, 0.2, 0.0]), torch.tensor([False, True, False, True])),
            (torch.tensor([3.0, 1.0, 2.0]), torch.tensor([False, True, True])),
        ],
        lambda importance, truth: held_against(importance, truth)["precision"],
        "Sort the truth by importance, largest first. At each true frame: how many true ones so far, "
        "by how many frames so far. Mean of these.",
        "Read the list from the most important frame on, and note how pure it is at every true one.",
    ),
}
QUIZ = {
    "why.redundant": Question(
        "d",
        "the two barks cover for each other: hide both, and the label may well go. Occlusion asks about one place at "
        "a time.",
        {
            "a": "that would show when that one is hidden",
            "b": "it may use both, each covering for the other",
            "c": "the label was given; the question is from what",
        },
    ),
    "why.complete": Question(
        "d",
        "completeness holds for any function, wrong or right, and for any start: it says that nothing was lost, not "
        "that it is useful.",
        {
            "a": "wrong explanations add up as well",
            "b": "it adds up for unsure models too",
            "c": "the sum says nothing about the truth of the label",
        },
    ),
    "why.elsewhere": Question(
        "a",
        "the map is about the model. If hiding the hiss takes the label away, the model listens to the hiss, and "
        "that is worth knowing.",
        {
            "b": "it would be wrong about the dog, but it is about the model",
            "c": "hiding the hiss confirms it without any gradient",
            "d": "it shows what the model listens to: that is its use",
        },
    ),
}
