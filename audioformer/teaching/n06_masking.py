"""Exercises and quiz of notebook 06, masked prediction.

Shapes: T frames, V codebook size, M positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.config import MaskConfig
from audioformer.losses import masked_code_loss
from audioformer.masking import mask_tokens
from audioformer.teaching.answers import Check, Question
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
        "A share of the frames, as a whole number, and never none.",
    ),
    "masking.loss": Check(
        _loss_cases,
        masked_code_loss,
        "Keep the hidden positions: logits[target_mask], targets[target_mask]. "
        "log_softmax(-1) gives log-probabilities; take the one of the true code at each position, then minus the mean.",
        "Throw away what was shown; of the rest, how likely was the truth?",
    ),
    "masking.copied": Check(
        lambda: [
            (torch.tensor([3, 1, 4, 1, 5, 9]), torch.tensor([False, True, True, False, True, False])),
            (torch.tensor([7, 8, 9]), torch.tensor([False, False, True])),
        ],
        _copied,
        "A loop from the first to the last frame will do: where hidden[t], set filled[t] = filled[t - 1].",
        "Walk from left to right and remember the last code that you could see.",
    ),
}
QUIZ = {
    "masking.where": Question(
        "c",
        "at positions that are shown the answer is in the input: copying would be rewarded, and nothing learnt.",
        {
            "a": "the library would compute it; the model would learn to copy",
            "b": "it saves a little, but that is not why",
            "d": "it sees them: that is the problem",
        },
    ),
    "masking.chance": Question(
        "a",
        "exp(loss) is the number of codes it is as uncertain about as a fair die of that many sides; exp(3.47) is "
        "about 32.",
        {
            "b": "nats are logarithms: take the exponential",
            "c": "that is 1024 divided by 3.47, and nats are logarithms",
            "d": "exp(3.47) is about 32; 512 is half of 1024, as if nats were shares",
        },
    ),
    "masking.longer": Question(
        "c",
        "in the middle of a long gap the neighbours are far away, and neighbours in time are the best hint there is.",
        {
            "a": "the share is the same, the distance to the next shown code is not",
            "b": (
                "it would if silence were hidden: long silence is easy. Where something sounds the neighbours are "
                "missing"
            ),
            "d": "it would have to know the codes",
        },
    ),
}
