"""Which map of importance to believe: take away what it calls important, and see whether the label goes.

Deletion and insertion: Petsiuk, Das and Saenko, arXiv 1806.07421, section 4.1. A faithful map makes the deletion curve
fall early and the insertion curve rise early. What counts is the distance to a random order of the very same blocks:
hiding anything hides something. Where the times of the events are known, a map can also be held against them (the
pointing game, Zhang et al., arXiv 1608.00507, section 4.1): but a model may listen elsewhere, and then a faithful map
points elsewhere.

Whole blocks of frames are hidden, since a single hidden frame is known from its neighbours.
Shapes: K codebook rows, T frames, N blocks, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer.explain.edit import silent_column
from audioformer.explain.occlusion import class_number, hidden_probabilities, model_codes


@dataclass(frozen=True)
class Curves:
    """Probability of a label as blocks are hidden or shown, the first of an order first.

    Attributes:
        share: (P,) of the blocks touched, 0 to 1.
        deletion: (P,) probability with that share hidden.
        insertion: (P,) probability with only that share shown.
    """

    share: Tensor
    deletion: Tensor
    insertion: Tensor

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve, 0 to 1: small is faithful."""
        return float(torch.trapezoid(self.deletion, self.share))

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve, 0 to 1: large is faithful."""
        return float(torch.trapezoid(self.insertion, self.share))

    @property
    def gain(self) -> float:
        """Insertion area less deletion area: near 0 for a random order, negative for a reversed one."""
        return self.insertion_area - self.deletion_area


def block_order(importance: Tensor, block: int) -> list[int]:
    """Blocks of frames, the most important first.

    Args:
        importance: (T,) finite, larger = more important.
        block: frames in a block; the last one may be shorter.

    Returns:
        Numbers of all N blocks.

    Raises:
        AudioformerError: no frames, numbers that are not finite, or block < 1.

    Example:
        >>> block_order(torch.tensor([0.0, 0.0, 5.0, 1.0, 2.0]), 2)
        [1, 2, 0]
    """
    importance = torch.as_tensor(importance).float()
    if importance.ndim != 1 or not len(importance) or not importance.isfinite().all() or block < 1:
        raise AudioformerError(
            f"importance {tuple(importance.shape)} must be finite numbers (frames,), and block={block} at least 1"
        )
    means = torch.stack([part.mean() for part in importance.split(block)])
    return means.argsort(descending=True, stable=True).tolist()


def random_order(n_frames: int, block: int, seed: int) -> list[int]:
    """The same blocks in an order that knows nothing."""
    return torch.randperm(-(-n_frames // block), generator=torch.Generator().manual_seed(seed)).tolist()


def frames_of(order: Sequence[int], share: float, block: int, n_frames: int) -> Tensor:
    """(T,) bool, True in the first blocks of an order.

    Args:
        order: numbers of blocks.
        share: of the blocks, 0 to 1, rounded to whole blocks.
        block: frames in a block.
        n_frames: T.

    Example:
        >>> frames_of([1, 2, 0], 1 / 3, 2, 5).tolist()
        [False, False, True, True, False]
    """
    taken = torch.zeros(-(-n_frames // block), dtype=torch.bool)
    taken[list(order[: round(share * len(order))])] = True
    return taken.repeat_interleave(block)[:n_frames]


def curves(
    clf: AudioClassifier, codes: Tensor, order: Sequence[int], label: int, block: int = 15, n_points: int = 11
) -> Curves:
    """Deletion and insertion curves of one order of blocks.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec.
        order: numbers of all N blocks, from `block_order` or `random_order`.
        label: number of the class.
        block: frames in a block.
        n_points: P, at least 2.

    Returns:
        Curves.

    Raises:
        AudioformerError: not an order of these blocks, no such label, or fewer than 2 points.
    """
    codes, label = model_codes(clf, codes), class_number(clf, label)
    n_frames = codes.shape[1]
    if block < 1 or sorted(order) != list(range(-(-n_frames // block))) or n_points < 2:
        raise AudioformerError(
            f"order must name each block of {block} in {n_frames} frames once; n_points={n_points} must be 2 or more"
        )
    taken = [frames_of(order, part, block, n_frames) for part in torch.linspace(0, 1, n_points).tolist()]
    masks = [where.expand(codes.shape) for one in taken for where in (one, ~one)]
    p = hidden_probabilities(clf, codes, masks)[:, label].view(n_points, 2)
    share = torch.tensor([round(part * len(order)) / len(order) for part in torch.linspace(0, 1, n_points).tolist()])
    return Curves(share, p[:, 0], p[:, 1])


def silenced(codes: Tensor, shown: Tensor, codec: Codec) -> Tensor:
    """Only some frames of a clip, so that they can be heard: all others become the codes of silence.

    Args:
        codes: (K, T).
        shown: (T,) bool, True in the frames that are heard.
        codec: that made the codes.

    Returns:
        (K, T) int64.
    """
    codes = torch.as_tensor(codes).long()
    return torch.where(torch.as_tensor(shown), codes, silent_column(codec, len(codes)).to(codes)[:, None])


def sounding(events: Iterable[tuple[str, float, float]], label: str, n_frames: int, frame_rate: float) -> Tensor:
    """(T,) bool, True in frames whose middle lies within an event of this label (start and end in seconds)."""
    middle_s = (torch.arange(n_frames) + 0.5) / frame_rate
    inside = torch.zeros(n_frames, dtype=torch.bool)
    for name, start, end in events:
        inside |= (middle_s >= start) & (middle_s < end) if name == label else False
    return inside


def held_against(importance: Tensor, truth: Tensor) -> dict[str, float]:
    """A map against frames in which something is known to sound.

    Args:
        importance: (T,) finite.
        truth: (T,) bool, True somewhere.

    Returns:
        "hit", 1 if the most important frame is a true one (the pointing game); "precision", the average precision of
        all frames; and "chance", what both are on average for a map that knows nothing.

    Raises:
        AudioformerError: lengths disagree, or nothing sounds.

    Example:
        >>> held_against(torch.tensor([0.1, 0.9, 0.2, 0.0]), torch.tensor([False, True, False, False]))
        {'hit': 1.0, 'precision': 1.0, 'chance': 0.25}
    """
    from audioformer.metrics import average_precision

    importance, truth = (np.asarray(torch.as_tensor(one)) for one in (importance, truth))
    if importance.shape != truth.shape or importance.ndim != 1 or not truth.any():
        raise AudioformerError(
            f"importance {importance.shape} and truth {truth.shape} must both be (frames,), with something that sounds"
        )
    precision = float(average_precision(truth[:, None], importance[:, None])[0])
    return {"hit": float(truth[importance.argmax()]), "precision": precision, "chance": float(truth.mean())}
