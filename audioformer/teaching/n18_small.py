"""Exercises and quiz of notebook 18, the whole method in some 300 lines.

Shapes: T frames, K codebooks, V entries, S positions, d head width, B clips, D width, M positions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.attention import rotary_table, rotate
from audioformer.losses import masked_code_loss
from audioformer.rvq import quantise
from audioformer.teaching.answers import Check, Question
from audioformer.tokens import collate


def _numbers(*shape: int, seed: int = 17) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _batch(rows: list[Tensor], codebook_size: int) -> Tensor:
    return collate([row[None] for row in rows], codebook_size).tokens[:, 0]


def _attend(q: Tensor, k: Tensor, v: Tensor, padding: Tensor) -> Tensor:
    table = rotary_table(q.shape[1], q.shape[2]).to(q)
    q, k = (torch.stack([rotate(one, table) for one in part]) for part in (q, k))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=~padding[:, None])


def _attend_cases() -> list[tuple]:
    none = torch.zeros(2, 5, dtype=torch.bool)
    some = none.clone()
    some[1, 3:] = True
    q, k, v = _numbers(3, 2, 5, 4)
    return [(q, k, v, none), (q, k, v, some)]


def _hide(tokens: Tensor, hidden: Tensor, mask: int) -> Tensor:
    return torch.where(hidden, mask, tokens)


def _pooled(vectors: Tensor, padding: Tensor) -> Tensor:
    return (vectors * ~padding[..., None]).sum(1) / (~padding).sum(1, keepdim=True)


CHECKS = {
    "small.codes": Check(
        lambda: [(_numbers(7, 3), _numbers(2, 5, 3, seed=1)), (_numbers(4, 2), _numbers(3, 4, 2, seed=2))],
        lambda latents, books: quantise(latents[None], books)[0],
        "As in 01: torch.cdist(rest, book).argmin(1) for each book, then rest = rest - book[codes]; stack the rows.",
        "The nearest entry of each table, for what the tables before it left over.",
    ),
    "small.batch": Check(
        lambda: [([torch.tensor([3, 1, 2]), torch.tensor([0])], 4), ([torch.tensor([7, 7])], 8)],
        _batch,
        "PAD is V, BOA V + 1, EOA V + 2. torch.full((B, longest + 2), V) first; then write each clip into its line.",
        "A table that is full of PAD, and in each line one clip between its two marks.",
    ),
    "small.attend": Check(
        _attend_cases,
        _attend,
        "Turn q and k by their positions: rotate(q, table). Scores: q @ k.transpose(1, 2) / d**0.5, "
        "masked_fill(padding[:, None], -torch.inf) before the softmax; then @ v.",
        "04 once more, for a batch: turn, compare, leave PAD out, share, mix.",
    ),
    "small.hide": Check(
        lambda: [
            (torch.tensor([[5, 1, 2, 6]]), torch.tensor([[False, True, False, False]]), 7),
            (torch.tensor([[5, 0], [3, 6]]), torch.tensor([[False, True], [True, False]]), 9),
        ],
        _hide,
        "torch.where(hidden, mask, tokens), or a clone with clone[hidden] = mask. The argument itself stays as it is.",
        "MASK where it is hidden; everywhere else nothing changes.",
    ),
    "small.loss": Check(
        lambda: [
            (_numbers(6, 9), torch.tensor([1, 8, 0, 3, 3, 5]), torch.tensor([1, 0, 1, 1, 0, 0]).bool()),
            (_numbers(2, 4), torch.tensor([2, 2]), torch.tensor([True, True])),
        ],
        masked_code_loss,
        "F.cross_entropy(logits[hidden], targets[hidden]) is the mean surprise; 06 has it by hand.",
        "How surprising is the truth, on average, where it was hidden?",
    ),
    "small.pooled": Check(
        lambda: [
            (_numbers(2, 4, 3), torch.tensor([[False] * 4, [False, False, True, True]])),
            (_numbers(1, 2, 2), torch.tensor([[False, False]])),
        ],
        _pooled,
        "real = ~padding as (B, S, 1); (vectors * real).sum(1) / real.sum(1).",
        "One vector for each clip: the mean of its own positions.",
    ),
}
QUIZ = {
    "small.parts": Question(
        "b",
        "codes are what is hidden and guessed; the encoder never sees the latents again.",
        {
            "a": "labels come only after pre-training",
            "c": "the model reads no latents: it would have nothing to guess by name",
            "d": "the sum of entries is what the decoder of a codec needs, not the transformer",
        },
    ),
    "small.broken": Question(
        "d",
        "at log V the model knows nothing at all: look at what goes in and at what is held against it.",
        {
            "a": "a smaller rate makes a slow model slower",
            "b": "a loss of knowing nothing is not a matter of time",
            "c": "more blocks do not help when the input or the target is wrong",
        },
    ),
    "small.claim": Question(
        "a",
        "the seeds say how far luck reaches; one run says nothing about it.",
        {
            "b": "then the test has chosen, and the score is too high",
            "c": "training clips are known by heart",
            "d": "a smaller loss in pre-training may or may not help with labels",
        },
    ),
}
