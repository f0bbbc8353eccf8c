"""Exercises and quiz of notebook 03, from codes to tokens.

Shapes: B clips, K codebook rows, T frames, V codebook size, S = T + 2 positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.teaching.answers import Check, Question
from audioformer.tokens import wrap


def code_positions(padding: Tensor) -> Tensor:
    """(B, S) padding to (B, S) bool: all real positions but the first (BOA) and the last (EOA)."""
    codes = torch.zeros_like(padding)
    codes[:, 1:-1] = ~padding[:, 2:]
    return codes


def _padding(lengths: list[int]) -> Tensor:
    """Padding of clips with so many frames, from the library's own wrapping."""
    return wrap(torch.zeros(len(lengths), 1, max(lengths), dtype=torch.long), lengths, 4).padding


CHECKS = {
    "tokens.wrap": Check(
        lambda: [([7, 9], 10), ([0], 4), ([5, 5, 1023], 1024)],
        lambda codes, size: wrap(torch.tensor([[codes]]), codebook_size=size).tokens[0, 0],
        "BOA is V + 1 and goes in front, EOA is V + 2 and goes behind. [a, *codes, b] puts them together.",
        "Which number opens a clip, which one closes it? The codes between stay as they are.",
    ),
    "tokens.padding": Check(
        lambda: [([2, 4, 1],), ([3],), ([1, 1],)],
        _padding,
        "S is the longest clip plus 2. Position s of clip b is PAD when s > lengths[b] + 1. torch.arange(S) helps.",
        "A clip of n codes takes n + 2 positions. Everything after that is PAD.",
    ),
    "tokens.code_positions": Check(
        lambda: [(_padding([2, 4, 1]),), (_padding([3]),)],
        code_positions,
        "n = (~padding).sum(1) - 2 frames in each clip; codes stand at positions 1 to n. "
        "Compare torch.arange(S) with n[:, None].",
        "Of what is not PAD, the first position and the last of each clip hold no code.",
    ),
}
QUIZ = {
    "tokens.shifted": Question(
        "d",
        "with the codes first, token 417 is entry 417 of the codebook in every picture, table and error message.",
        {
            "a": "the table of vectors has as many lines either way",
            "b": "BERT has its special tokens among the first numbers",
            "c": "nothing asks for that; any number that is no code will do",
        },
    ),
    "tokens.flattened": Question(
        "a",
        "attention compares every position with every other: four times as long is sixteen times the comparisons; "
        "four separate sequences are only four times the work.",
        {
            "b": "one long sequence has pairs across the rows, the four have none",
            "c": "sixteen times those of one short sequence; the four together make four times as many already",
            "d": "more positions see each other, not fewer",
        },
    ),
    "tokens.eoa": Question(
        "a",
        "EOA closes the clip itself, the PAD after it is an artefact of the batch; the same clip in another batch "
        "has another number of PADs and must give the same answer.",
        {
            "b": "EOA is part of the clip itself and may count; nothing breaks",
            "c": "with many PADs it moves a great deal, and differently in each batch",
            "d": "PAD is there because of other clips in the batch: it would change the answer",
        },
    ),
}
