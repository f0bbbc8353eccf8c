"""Exercises and quiz of notebook 00, is this machine ready.

Shapes: N samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audioformer.audio import Waveform
from audioformer.teaching.answers import Check, Question


def _tone(frequency_hz: float, duration_s: float, sample_rate: int) -> Tensor:
    times_s = torch.arange(round(duration_s * sample_rate)) / sample_rate
    return 0.3 * torch.sin(2 * math.pi * frequency_hz * times_s)


CHECKS = {
    "ready.duration": Check(
        lambda: [(48_000, 24_000), (24_000, 24_000), (441, 44_100)],
        lambda n_samples, sample_rate: Waveform(torch.zeros(1, n_samples), sample_rate).duration_s,
        "So many samples, so many of them a second: divide.",
        "A minute holds 60 seconds; how many samples does a second hold?",
    ),
    "ready.tone": Check(
        lambda: [(100.0, 0.01, 8000), (440.0, 0.005, 24_000)],
        _tone,
        "times_s = torch.arange(round(duration_s * sample_rate)) / sample_rate; "
        "a tone is 0.3 * torch.sin(2 * torch.pi * f * times_s).",
        "First the moments at which it is measured, then the height of the wave at each.",
    ),
}
QUIZ = {
    "ready.seed": Question(
        "a",
        "random numbers come from a formula that starts at the seed. Every notebook prints its seed, so your numbers "
        "are ours.",
        {
            "b": "the day is in no formula: the numbers start from the seed that is printed",
            "c": "other programs may make it slower, not different",
            "d": "they would be, without a seed; this notebook sets one",
        },
    ),
    "ready.run_all": Question(
        "a",
        "a check says what is missing and goes on. Nothing you write into an exercise can break the cells below it.",
        {
            "b": "it would, if a check raised an error; a check prints instead",
            "c": "the answers are in the folder solutions; nothing fills them in",
            "d": "the kernel runs on: an open exercise is a function that gives back nothing",
        },
    ),
    "ready.predict": Question(
        "d",
        "a wrong guess shows where your picture of the thing is wrong; without a guess, every result looks obvious "
        "afterwards.",
        {
            "a": "nobody sees your guess but you, and a clever wrong one teaches more than a lucky right one",
            "b": "it costs time, and the computer as much as before",
            "c": "a check knows nothing of your guess",
        },
    ),
}
