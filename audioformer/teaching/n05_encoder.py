"""Exercises and quiz of notebook 05, the encoder.

Shapes: B clips, S positions, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.encoder import NORM_EPS, Block
from audioformer.model import mean_pool
from audioformer.recipes import preset
from audioformer.teaching.answers import Check, Question


def _hidden(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5)) * 3 + 1


def _block_parameters(d_model: int, d_ff: int) -> int:
    block = Block(preset("test", d_model=d_model, d_ff=d_ff))
    return sum(parameter.numel() for parameter in block.parameters())


def _pool_cases() -> list[tuple]:
    padding = torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    return [(_hidden(2, 5, 3), padding), (_hidden(2, 5, 3), torch.zeros_like(padding))]


CHECKS = {
    "encoder.layer_norm": Check(
        lambda: [(torch.tensor([[1.0, 2.0, 3.0]]),), (_hidden(4, 8),)],
        lambda vectors: F.layer_norm(vectors, vectors.shape[-1:], eps=NORM_EPS),
        "Subtract the mean over the last axis, divide by the root of the mean square of what remains. "
        "keepdim=True keeps shapes apart.",
        "Each vector on its own: move it to mean 0, then bring its spread to 1.",
    ),
    "encoder.block_parameters": Check(
        lambda: [(32, 64), (64, 64), (8, 4)],
        _block_parameters,
        "A linear layer from a to b has a * b weights and b biases. Attention: D to 3D, and D to D. "
        "Feed-forward: D to F, F to D. Two norms with 2 D each.",
        "Go through the block and count: each linear layer, then each norm.",
    ),
    "encoder.mean_pool": Check(
        _pool_cases,
        mean_pool,
        "real = ~padding as numbers of shape (B, S, 1). Sum hidden * real over the positions, "
        "divide by how many are real.",
        "PAD must count neither in the sum nor in the number to divide by.",
    ),
}
QUIZ = {
    "encoder.doubled": Question(
        "b",
        "the mean doubles, the spread doubles, and the quotient stays: a LayerNorm forgets how loud a vector was.",
        {
            "a": "zeros come out only if all numbers were equal",
            "c": "the doubling is divided out again by the deviation",
            "d": "there is nothing that halves: mean and deviation both double",
        },
    ),
    "encoder.wider": Question(
        "b",
        "its matrices are D x D and D x F: twice as many lines, and each twice as long.",
        {
            "a": "the matrices have width times width numbers: both sides double",
            "c": "eight would need three sides",
            "d": "the matrices grow with both of their sides",
        },
    ),
    "encoder.companion": Question(
        "d",
        "attention gives PAD no weight and the mean leaves it out. If an answer depends on the neighbours in the "
        "batch, look for a forgotten padding mask.",
        {
            "a": "dropout is off in evaluation",
            "b": "a clip's own answer must not depend on its neighbours in a batch",
            "c": "nothing is learnt while classifying",
        },
    ),
}
