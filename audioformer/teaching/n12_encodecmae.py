"""Exercises and quiz of notebook 12, EnCodecMAE.

Shapes: T frames, S visible frames, D width, R guessed rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.data.frame_batch import gap_mask
from audioformer.encodecmae.config import mae_preset
from audioformer.encodecmae.masking import unpack_visible
from audioformer.encodecmae.model import EncodecMAE, mean_where
from audioformer.teaching.answers import Check, Question


def _vectors(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(12))


def _unpacked(packed: Tensor, visible: Tensor) -> Tensor:
    return unpack_visible(packed[None], visible[None])[0]


def _unpack_cases() -> list[tuple]:
    few, many = (
        torch.tensor([True, False, False, True]),
        gap_mask(torch.tensor([12]), gap=3, generator=torch.Generator().manual_seed(1))[0],
    )
    return [(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), few), (_vectors(int((~many).sum()), 3), ~many)]


def _loss_cases() -> list[tuple]:
    hidden = torch.tensor([True, True, False, False, False])
    return [(torch.tensor([3.0, 5.0, 1.0, 1.0, 1.0]), hidden, 0.9), (_vectors(5).abs(), hidden, 0.5)]


def _loss(surprise: Tensor, hidden: Tensor, masked_share: float) -> Tensor:
    return masked_share * mean_where(surprise, hidden) + (1 - masked_share) * mean_where(surprise, ~hidden)


def _chance(row_weights: tuple[float, ...], codebook_size: int) -> float:
    """Of a model that knows nothing: all its heads at zero, which makes all codes equally likely."""
    n_codebooks = len(row_weights)
    model = EncodecMAE(mae_preset("test", n_codebooks=n_codebooks, codebook_size=codebook_size, frame_width=4)).eval()
    for head in model.heads:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    frames, codes = torch.zeros(1, 4, 6), torch.zeros(1, n_codebooks, 6, dtype=torch.long)
    with torch.no_grad():
        return model.mae_loss(frames, codes, torch.tensor([[True, False] * 3])).loss.item()


CHECKS = {
    "autoencoder.unpack": Check(
        _unpack_cases,
        _unpacked,
        "Make zeros of shape (T, D), then write the packed vectors to the visible places: found[visible] = packed.",
        "Where a frame was visible, its vector goes back; elsewhere there is nothing yet.",
    ),
    "autoencoder.loss": Check(
        _loss_cases,
        _loss,
        "The mean over hidden frames is surprise[hidden].mean(); the other is surprise[~hidden].mean(). "
        "The share weighs the first.",
        "Two means, one over the hidden frames and one over the visible; then weigh the two.",
    ),
    "autoencoder.chance": Check(
        lambda: [(mae_preset("test", n_codebooks=n).row_weights, size) for n, size in ((1, 1024), (2, 1024), (8, 16))],
        _chance,
        "Each row's chance is math.log(codebook_size). Weigh and add. What do the weights of all rows sum to?",
        "What is the surprise in one row if nothing is known? And the weighted sum of equal numbers?",
    ),
}
QUIZ = {
    "autoencoder.cost": Question(
        "c",
        "attention compares all pairs: half the positions are a quarter of the pairs. AudioFormer's MASK is a "
        "position like all others.",
        {
            "a": "it has one in each block, as the other",
            "b": "both have the same width inside",
            "d": "the same size was the assumption",
        },
    ),
    "autoencoder.leak": Question(
        "b",
        "each latent is made of a stretch of sound wider than its frame. A short gap can be read off from its edges; "
        "a long one cannot.",
        {
            "a": "possible in one clip, not nearly everywhere",
            "c": "ask for gaps of 15 frames before you believe in understanding",
            "d": "a high rate makes a loss jump, not fall",
        },
    ),
    "autoencoder.kept": Question(
        "b",
        "decoder and heads are there to make the encoder learn; what is used afterwards is the encoder, on whole "
        "clips.",
        {
            "a": "the heads name codes, and a classifier names sounds",
            "c": "the decoder is there to make the encoder learn",
            "d": "then there had been no reason to pre-train",
        },
    ),
}
