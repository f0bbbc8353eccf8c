"""Exercises and quiz of notebook 00, is this machine ready.

Shapes: N samples.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audioformer.audio import Waveform
from audioformer.teaching.answers import Check


def _tone(frequency_hz: float, duration_s: float, sample_rate: int) -> Tensor:
    times_s = torch.arange(round(duration_s * sample_rate)) / sample_rate
    return 0.3 * torch.sin(2 * math.pi * frequency_hz * times_s)


CHECKS = {
    "ready.duration": Check(
        lambda: [(48_000, 24_000), (24_000, 24_000), (441, 44_100)],
        lambda n_samples, sample_rate: Waveform(torch.zeros(1, n_samples), sample_rate).duration_s,
        "So many samples, so many of them a second: divide.",
    ),
    "ready.tone": Check(
        lambda: [(100.0, 0.01, 8000), (440.0, 0.005, 24_000)],
        _tone,
        "times_s = torch.arange(round(duration_s * sample_rate)) / sample_rate; "
        "a tone is 0.3 * torch.sin(2 * torch.pi * f * times_s).",
    ),
}
QUIZ = {
    "ready.seed": (
        "c",
        "random numbers come from a formula that starts at the seed. "
        "Every notebook prints its seed, so your numbers are ours.",
    ),
    "ready.run_all": (
        "c",
        "a check says what is missing and goes on. Nothing you write into an exercise can break the cells below it.",
    ),
    "ready.predict": (
        "a",
        "a wrong guess shows where your picture of the thing is wrong; "
        "without a guess, every result looks obvious afterwards.",
    ),
}
