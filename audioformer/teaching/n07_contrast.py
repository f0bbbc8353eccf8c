"""Exercises and quiz of notebook 07, multi-positive contrastive learning by hand.

Shapes: B clips, R rows, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.losses import mpc_chance, mpc_floor, multi_positive_contrastive_loss
from audioformer.teaching.answers import Check, Question


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
        "Number the columns clip by clip and row by row. Which of them are the anchor's own clip, but not the anchor?",
    ),
    "contrast.loss": Check(
        lambda: [(torch.eye(2)[:, None].expand(2, 3, 2), 1.0), (_vectors(3, 3, 4), 0.5), (_vectors(4, 2, 8), 0.05)],
        multi_positive_contrastive_loss,
        "unit = torch.nn.functional.normalize(embeddings, dim=-1); all = unit.flatten(0, 1); "
        "s = unit[:, 0] @ all.T / temperature. Set each anchor's own column to -torch.inf, take log_softmax(-1), "
        "then minus the mean over the positives.",
        "Unit vectors, similarities over temperature, softmax without the anchor itself, "
        "minus the log of the friends' shares.",
    ),
    "contrast.levels": Check(
        lambda: [(16, 3), (2, 2), (8, 5)],
        lambda n_clips, n_rows: torch.tensor([mpc_chance(n_clips, n_rows), mpc_floor(n_rows)]),
        "Chance: all candidates share equally, and there are B R - 1. Floor: the R - 1 positives share everything. "
        "math.log is the natural logarithm.",
        "Among how many is a share given if nothing is known? And if all is known?",
    ),
}
QUIZ = {
    "contrast.plateau": Question(
        "a",
        "0.693 is log 2: two positives share what there is, each can have half at most. Print mpc_floor beside every "
        "curve.",
        {
            "b": "a higher rate cannot go below a floor",
            "c": "then all similarities would be equal, and two positives would still share",
            "d": "nothing is masked in the contrast; and a bug seldom stops at exactly log 2",
        },
    ),
    "contrast.batch": Question(
        "a",
        "chance is log(B R - 1): with more clips there are more wrong candidates. Losses at different batch sizes do "
        "not compare.",
        {
            "b": "log 191 is 5.3: finite",
            "c": "the number of candidates is in the logarithm, so chance moves",
            "d": "more wrong candidates make it harder, not easier",
        },
    ),
    "contrast.same_class": Question(
        "b",
        "to the contrast every other clip is a negative, whatever it sounds like. In FT2 the classification loss "
        "pulls the other way.",
        {
            "a": "rows of other clips are negatives, the first row too",
            "c": "every clip of a batch is a candidate; none is left out",
            "d": "nobody told it that the two are one dog: labels are not in the contrast",
        },
    ),
}
