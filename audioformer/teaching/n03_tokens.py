"""Exercises and quiz of notebook 03, from codes to tokens.

Shapes: B clips, K codebook rows, T frames, V codebook size, S = T + 2 positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.teaching.answers import Check
from audioformer.tokens import code_positions, wrap


def _padding(lengths: list[int]) -> Tensor:
    """Padding of clips with so many frames, from the library's own wrapping."""
    return wrap(torch.zeros(len(lengths), 1, max(lengths), dtype=torch.long), lengths, 4).padding


CHECKS = {
    "tokens.wrap": Check(
        lambda: [([7, 9], 10), ([0], 4), ([5, 5, 1023], 1024)],
        lambda codes, size: wrap(torch.tensor([[codes]]), codebook_size=size).tokens[0, 0],
        "BOA is V + 1 and goes in front, EOA is V + 2 and goes behind. [a, *codes, b] puts them together.",
    ),
    "tokens.padding": Check(
        lambda: [([2, 4, 1],), ([3],), ([1, 1],)],
        _padding,
        "S is the longest clip plus 2. Position s of clip b is PAD when s > lengths[b] + 1. torch.arange(S) helps.",
    ),
    "tokens.code_positions": Check(
        lambda: [(_padding([2, 4, 1]),), (_padding([3]),)],
        code_positions,
        "n = (~padding).sum(1) - 2 frames in each clip; codes stand at positions 1 to n. "
        "Compare torch.arange(S) with n[:, None].",
    ),
}
QUIZ = {
    "tokens.shifted": (
        "a",
        "with the codes first, token 417 is entry 417 of the codebook in every picture, table and error message.",
    ),
    "tokens.flattened": (
        "a",
        "attention compares every position with every other: four times as long is sixteen times the comparisons; four "
        "separate sequences are only four times the work.",
    ),
    "tokens.eoa": (
        "b",
        "EOA closes the clip itself, the PAD after it is an artefact of the batch; the same clip in another batch has "
        "another number of PADs and must give the same answer.",
    ),
}
