"""Exercises and quiz of notebook 07, multi-positive contrastive learning by hand.

Shapes: B clips, R rows, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.losses import mpc_chance, mpc_floor, multi_positive_contrastive_loss
from audioformer.teaching.answers import Check


def _vectors(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def _positives(n_clips: int, n_rows: int) -> Tensor:
    """Same clip, less the anchor itself: blocks of ones on the diagonal without their first column."""
    same_clip = torch.eye(n_clips).repeat_interleave(n_rows, 1).bool()
    same_clip[torch.arange(n_clips), n_rows * torch.arange(n_clips)] = False
    return same_clip


CHECKS = {
    "contrast.positives": Check(
        lambda: [(2, 3), (3, 3), (4, 2)],
        _positives,
        "Column c belongs to clip c // n_rows. Line b is the anchor (clip b, row 1), which is column b * n_rows: "
        "leave that one out.",
    ),
    "contrast.loss": Check(
        lambda: [(torch.eye(2)[:, None].expand(2, 3, 2), 1.0), (_vectors(3, 3, 4), 0.5), (_vectors(4, 2, 8), 0.05)],
        multi_positive_contrastive_loss,
        "unit = torch.nn.functional.normalize(embeddings, dim=-1); all = unit.flatten(0, 1); "
        "s = unit[:, 0] @ all.T / temperature. Set each anchor's own column to -torch.inf, take log_softmax(-1), "
        "then minus the mean over the positives.",
    ),
    "contrast.levels": Check(
        lambda: [(16, 3), (2, 2), (8, 5)],
        lambda n_clips, n_rows: torch.tensor([mpc_chance(n_clips, n_rows), mpc_floor(n_rows)]),
        "Chance: all candidates share equally, and there are B R - 1. Floor: the R - 1 positives share everything. "
        "math.log is the natural logarithm.",
    ),
}
QUIZ = {
    "contrast.plateau": (
        "a",
        "0.693 is log 2: two positives share what there is, each can have half at most. "
        "Print mpc_floor beside every curve.",
    ),
    "contrast.batch": (
        "a",
        "chance is log(B R - 1): with more clips there are more wrong candidates. "
        "Losses at different batch sizes do not compare.",
    ),
    "contrast.same_class": (
        "b",
        "to the contrast every other clip is a negative, whatever it sounds like. "
        "In FT2 the classification loss pulls the other way.",
    ),
}
