"""Exercises and quiz of notebook 02, residual vector quantisation by hand.

Shapes: K codebooks, T frames, V entries per codebook, D width of a codebook vector, M vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.rvq import ResidualVQ
from audioformer.teaching.answers import Check, Question


def _numbers(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _one_round(latents: Tensor, codebook: Tensor) -> Tensor:
    """The library's own learning step, with a memory of nothing: entries jump to the mean of what they win."""
    quantiser = ResidualVQ(1, *codebook.shape, decay=0.0).train()
    quantiser.codebooks.copy_(codebook[None])
    quantiser(latents[None], torch.tensor([1]))
    return quantiser.codebooks[0]


def _round_cases() -> list[tuple]:
    line = torch.tensor([[1.0], [2.0], [9.0], [3.0], [11.0], [10.0]])
    return [
        (line, torch.tensor([[0.0], [5.0]])),
        (line, torch.tensor([[2.0], [10.0]])),
        (_numbers(40, 2), 0.1 * _numbers(3, 2, seed=3)),
    ]


def _dequantise(codes: Tensor, codebooks: Tensor) -> Tensor:
    quantiser = ResidualVQ(*codebooks.shape)
    quantiser.codebooks.copy_(codebooks)
    return quantiser.dequantise(codes[None])[0]


def _dequantise_cases() -> list[tuple]:
    codebooks = _numbers(3, 5, 2)
    codes = torch.tensor([[0, 4, 2, 2], [1, 1, 3, 0], [2, 0, 4, 4]])
    return [(codes[:k], codebooks[:k]) for k in (1, 2, 3)]


def _perplexity(codes: Tensor, codebook_size: int) -> Tensor:
    counts = torch.bincount(codes.flatten(), minlength=codebook_size)
    return torch.distributions.Categorical(probs=counts / counts.sum()).perplexity()


CHECKS = {
    "quantise.one_round": Check(
        _round_cases,
        _one_round,
        "First the codes: torch.cdist(latents, codebook).argmin(1). "
        "Then, for each entry v, latents[codes == v].mean(0).",
        "Two steps: who wins what, then each entry goes to the middle of what it won.",
    ),
    "quantise.dequantise": Check(
        _dequantise_cases,
        _dequantise,
        "codebooks[k][codes[k]] looks up one row: (T, D). The answer is the sum of that over all rows k.",
        "A code is a line number of its table. What the tables give is added up.",
    ),
    "quantise.perplexity": Check(
        lambda: [(torch.tensor(c), 4) for c in ([0, 1, 2, 3], [2, 2, 2, 2], [0, 0, 0, 1])],
        _perplexity,
        "torch.bincount counts each code. Shares p = counts / counts.sum(); leave out p = 0; "
        "then exp(-(p * p.log()).sum()).",
        "Count how often each entry occurs, make shares of the counts, put them into the formula.",
    ),
}
QUIZ = {
    "quantise.one_more": Question(
        "b",
        "tables are stored side by side, so their sizes add up; their entries combine freely, so the combinations "
        "multiply.",
        {
            "a": "a ninth table has to be stored somewhere",
            "c": "only the sums multiply; the table of 1024 vectors is put beside the others",
            "d": "a sum chooses one entry from each table: its number multiplies",
        },
    ),
    "quantise.order": Question(
        "b",
        "the fine table would be asked to describe whole vectors, which its small entries cannot reach; the coarse "
        "one then gets what is left, far off too.",
        {
            "a": "the sum of the same entries would; but greedy choosing in another order chooses other entries",
            "c": "something is always left over, and now more",
            "d": "the fine table cannot reach whole vectors, so the first step goes wrong",
        },
    ),
    "quantise.dead": Question(
        "c",
        "its number is reserved, so every code still costs log2 V bits; that is why the library moves unused entries "
        "onto vectors of the batch while training.",
        {
            "a": "the 10 bits stay 10 bits; one of 1024 numbers is wasted",
            "b": "it is never used, so it is never heard",
            "d": "its number is reserved all the same, and that costs",
        },
    ),
}
