"""Exercises and quiz of notebook 06, masked prediction.

Shapes: T frames, V codebook size, M positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.config import MaskConfig
from audioformer.losses import masked_code_loss
from audioformer.masking import mask_tokens
from audioformer.teaching.answers import Check
from audioformer.tokens import wrap


def _n_hidden(n_frames: int, mask_ratio: float) -> Tensor:
    batch = wrap(torch.zeros(1, 1, n_frames, dtype=torch.long), codebook_size=4)
    return mask_tokens(batch, MaskConfig(mask_ratio=mask_ratio))[1].sum()


def _loss_cases() -> list[tuple]:
    made = torch.Generator().manual_seed(6)
    simple = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25]]).log()
    drawn = torch.randn(6, 9, generator=made)
    return [
        (simple, torch.tensor([1, 3]), torch.tensor([True, False])),
        (simple, torch.tensor([1, 3]), torch.tensor([True, True])),
        (drawn, torch.randint(9, (6,), generator=made), torch.tensor([True, False, True, True, False, False])),
    ]


def _copied(codes: Tensor, hidden: Tensor) -> Tensor:
    """Each hidden code becomes the last one shown before it."""
    places = torch.where(hidden, 0, torch.arange(len(codes)))
    return codes[places.cummax(0).values]


CHECKS = {
    "masking.n_hidden": Check(
        lambda: [(8, 0.25), (7, 0.25), (100, 0.25), (10, 0.33), (1, 0.25), (2, 0.1)],
        _n_hidden,
        "round(...) gives a whole number; max(1, ...) makes sure that there is something to learn from.",
    ),
    "masking.loss": Check(
        _loss_cases,
        masked_code_loss,
        "Keep the hidden positions: logits[target_mask], targets[target_mask]. "
        "log_softmax(-1) gives log-probabilities; take the one of the true code at each position, then minus the mean.",
    ),
    "masking.copied": Check(
        lambda: [
            (torch.tensor([3, 1, 4, 1, 5, 9]), torch.tensor([False, True, True, False, True, False])),
            (torch.tensor([7, 8, 9]), torch.tensor([False, False, True])),
        ],
        _copied,
        "A loop from the first to the last frame will do: where hidden[t], set filled[t] = filled[t - 1].",
    ),
}
QUIZ = {
    "masking.where": (
        "c",
        "at positions that are shown the answer is in the input: copying would be rewarded, and nothing learnt.",
    ),
    "masking.chance": (
        "b",
        "exp(loss) is the number of codes it is as uncertain about as a fair die of that many sides; "
        "exp(3.47) is about 32.",
    ),
    "masking.longer": (
        "b",
        "in the middle of a long gap the neighbours are far away, and neighbours in time are the best hint there is.",
    ),
}
