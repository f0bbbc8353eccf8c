"""Exercises and quiz of notebook 04, attention by hand.

Shapes: S positions, d width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.attention import rotary_table, rotate
from audioformer.teaching.answers import Check, Question


def _vectors(n: int, *shape: int) -> list[Tensor]:
    made = torch.Generator().manual_seed(4)
    return [torch.randn(*shape, generator=made) for _ in range(n)]


def _attend(queries: Tensor, keys: Tensor, values: Tensor, padding: Tensor | None = None) -> Tensor:
    visible = None if padding is None else ~padding[None, None]
    return F.scaled_dot_product_attention(queries[None], keys[None], values[None], attn_mask=visible)[0]


def _padded_cases() -> list[tuple]:
    scores, other = _vectors(2, 4, 4)
    return [(scores, torch.tensor([False, False, False, True])), (other, torch.tensor([False, False, True, True]))]


def _padded_weights(scores: Tensor, padding: Tensor) -> Tensor:
    """Attention with the identity as queries and values shows its own weights."""
    n = len(scores)
    return _attend(torch.eye(n) * n**0.5, scores.T.contiguous(), torch.eye(n), padding)


CHECKS = {
    "attention.attend": Check(
        lambda: [tuple(_vectors(3, 5, 4)), tuple(_vectors(3, 2, 8))],
        _attend,
        "queries @ keys.T gives all scores at once. Divide by the root of the width, softmax(-1), then @ values.",
        "Three steps, as with the numbers in your head: scores, shares, mix.",
    ),
    "attention.rotate": Check(
        lambda: [(_vectors(1, 6, 4)[0], rotary_table(6, 4)), (_vectors(1, 3, 8)[0], rotary_table(3, 8))],
        rotate,
        "x = vectors[:, 0::2] and y = vectors[:, 1::2] are the pairs. Write x cos - y sin to the even places of "
        "torch.empty_like(vectors), y cos + x sin to the odd ones.",
        "Take each pair as a point in the plane and turn it by its own angle.",
    ),
    "attention.padded": Check(
        _padded_cases,
        _padded_weights,
        "A weight is 0 when its score is minus infinity: scores.masked_fill(padding, -torch.inf), "
        "then softmax over the last axis.",
        "Which score gets a share of exactly zero, and leaves the other shares to sum to 1?",
    ),
}
QUIZ = {
    "attention.double_query": Question(
        "b",
        "larger scores make the softmax sharper. Attention compares by dot product, not by cosine: length counts.",
        {
            "a": "that is cosine; a dot product grows with length",
            "c": "larger scores are further apart, and softmax then decides more",
            "d": "only keys and positions say where; the length says how sharply",
        },
    ),
    "attention.shuffled": Question(
        "b",
        "without positions, attention reads a bag, not a sentence. Only the rotation tells it what came first.",
        {
            "a": "heads do not know positions either",
            "c": "without positions there is nothing that could tell the two apart",
            "d": "length does not matter: each position sees the same set",
        },
    ),
    "attention.shifted": Question(
        "c",
        "both angles grow by the same amount, and the score depends on their difference alone.",
        {
            "a": "both vectors turn by the same angle, so the angle between them stays",
            "b": "the absolute time does not enter the score",
            "d": "only the distance of the two frames counts, and that is the same",
        },
    ),
}
