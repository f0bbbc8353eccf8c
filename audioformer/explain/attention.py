"""Where the heads look: maps, their reach and spread, and rollout through the layers.

What attention does not show: a weight says how much of a position's value is taken over, not how much that value
matters for the label; heads can look at places whose values they ignore (Jain and Wallace, arXiv 1902.10186), and the
feed-forward layers between do as much. Compare with occlusion before believing a map.

Shapes: L blocks, H heads, K rows, T frames, S = T + 2 positions (BOA, the frames, EOA).
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.predict import window_starts
from audioformer.tokens import wrap


@torch.no_grad()
def attention_maps(classifier: Classifier, codes: Tensor, row: int = 0) -> Tensor:
    """Attention weights of every head for one window of a clip.

    Args:
        classifier: in evaluation mode.
        codes: (K, T) of one window.
        row: which row's pass, from 0, for a model with rows="shared"; others have one pass only.

    Returns:
        (L, H, S, S) float32; [l, h, i] is where position i looks and sums to 1.

    Raises:
        AudioformerError: the window is longer than the model's positions, or has no such row.
    """
    config = classifier.config
    batch = wrap(torch.as_tensor(codes)[None, : config.n_codebooks], codebook_size=config.codebook_size)
    rows = None if config.rows == "summed" else [row if config.rows == "shared" else 0]
    output = classifier.backbone(batch.tokens.to(next(classifier.parameters()).device), rows=rows, need_weights=True)
    return torch.stack([weights[0, 0] for weights in output.attention]).float().cpu()


def mean_distance(maps: Tensor) -> Tensor:
    """How far each head looks: |i - j| weighted by attention, mean over the positions that look.

    Args:
        maps: (..., S, S).

    Returns:
        (...) positions; divide by the frame rate for seconds.

    Example:
        >>> mean_distance(torch.eye(4))
        tensor(0.)
    """
    place = torch.arange(maps.shape[-1], dtype=maps.dtype)
    return (maps * (place[:, None] - place).abs()).sum(-1).mean(-1)


def mean_entropy(maps: Tensor) -> Tensor:
    """How widely each head spreads its attention: entropy, mean over the positions that look.

    Args:
        maps: (..., S, S).

    Returns:
        (...) nats, 0 (one place) to log S (everywhere alike).

    Example:
        >>> mean_entropy(torch.full((4, 4), 0.25)).exp().round()
        tensor(4.)
    """
    return -(maps * maps.clamp_min(1e-12).log()).sum(-1).mean(-1)


def rollout(maps: Tensor) -> Tensor:
    """Attention followed through all layers: which inputs can have reached which outputs.

    Heads are averaged, half of each position is taken to stay where it is (the residual path), and the layers are
    multiplied. Source: Abnar and Zuidema, arXiv 2005.00928, section 3.

    Args:
        maps: (L, H, S, S).

    Returns:
        (S, S), rows sum to 1: [i, j] is the share of input j in output i.

    Raises:
        AudioformerError: not four axes.

    Example:
        >>> rollout(torch.eye(3).expand(2, 1, 3, 3)).equal(torch.eye(3))
        True
    """
    if maps.ndim != 4:
        raise AudioformerError(f"maps of shape {tuple(maps.shape)} must be (layers, heads, positions, positions)")
    total = torch.eye(maps.shape[-1])
    for layer in maps.mean(1):
        total = (0.5 * layer + 0.5 * torch.eye(maps.shape[-1])) @ total
    return total


def rollout_frames(clf: AudioClassifier, codes: Tensor) -> Tensor:
    """How much of each frame of a clip can have reached its vector, by `rollout`, averaged over positions and windows.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec, of any length.

    Returns:
        (T,) times an even share: 1 everywhere if all frames count alike.
    """
    total, count = torch.zeros(codes.shape[1]), torch.zeros(codes.shape[1])
    for start in window_starts(codes.shape[1], clf.window):
        read = slice(start, start + clf.window)
        maps = attention_maps(clf.classifier, codes[:, read])
        total[read] += rollout(maps).mean(0)[1:-1] * maps.shape[-1]
        count[read] += 1
    return total / count


def shrink(maps: Tensor, size: int) -> Tensor:
    """Maps made small for looking at: the mean of what falls together.

    Args:
        maps: (..., S, S).
        size: most rows and columns.

    Returns:
        (..., s, s), s = min(S, size).
    """
    side = min(maps.shape[-1], size)
    return torch.nn.functional.adaptive_avg_pool2d(maps.reshape(-1, 1, *maps.shape[-2:]), side).reshape(
        *maps.shape[:-2], side, side
    )
