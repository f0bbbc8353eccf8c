"""From codes of any length to class probabilities: cut into windows, classify each, average.

Between classifier and whoever asks. Shapes: B clips, K rows, T frames, W windows, C classes, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.classifier import Classifier
from audioformer.tokens import collate


@dataclass(frozen=True)
class CodesPrediction:
    """What a classifier says about one clip's codes.

    Attributes:
        probabilities: (C,) mean over windows, each weighted by its length.
        window_probabilities: (W, C).
        window_starts: (W,) int, first frame of each window.
        embedding: (D,) mean over windows, weighted alike.
    """

    probabilities: Tensor
    window_probabilities: Tensor
    window_starts: Tensor
    embedding: Tensor


def window_starts(n_frames: int, window: int) -> list[int]:
    """First frames of windows that cover a clip: half a window apart, the last one flush with the end.

    Example:
        >>> window_starts(100, 40)
        [0, 20, 40, 60]
        >>> window_starts(30, 40)
        [0]
    """
    if n_frames <= window:
        return [0]
    starts = list(range(0, n_frames - window, max(1, window // 2)))
    return [*starts, n_frames - window] if starts[-1] != n_frames - window else starts


@torch.no_grad()
def predict_codes(
    classifier: Classifier, clips: Sequence[Tensor], window: int, multi_label: bool, batch_size: int = 16
) -> list[CodesPrediction]:
    """Classify coded clips.

    Args:
        classifier: in evaluation mode.
        clips: (K, T_i) each.
        window: frames the classifier was trained on.
        multi_label: each class on its own (logistic) instead of exactly one (softmax).
        batch_size: windows at a time.

    Returns:
        One CodesPrediction a clip.
    """
    pieces = [(i, start) for i, codes in enumerate(clips) for start in window_starts(codes.shape[1], window)]
    size, n_rows = classifier.config.codebook_size, classifier.config.n_codebooks
    device = next(classifier.parameters()).device
    found: list[list[tuple[int, int, Tensor, Tensor]]] = [[] for _ in clips]
    for first in range(0, len(pieces), batch_size):
        group = pieces[first : first + batch_size]
        cut = [torch.as_tensor(clips[i])[:n_rows, start : start + window] for i, start in group]
        batch = collate(cut, size).to(device)
        out = classifier(batch.tokens, batch.padding)
        probabilities = (out.logits.float().sigmoid() if multi_label else out.logits.float().softmax(-1)).cpu()
        for (i, start), codes, p, e in zip(group, cut, probabilities, out.embedding.float().cpu(), strict=True):
            found[i].append((start, codes.shape[1], p, e))
    return [_average(windows) for windows in found]


def _average(windows: list[tuple[int, int, Tensor, Tensor]]) -> CodesPrediction:
    starts, lengths, probabilities, embeddings = zip(*windows, strict=True)
    weights = torch.tensor(lengths, dtype=torch.float32)[:, None] / sum(lengths)
    stacked, vectors = torch.stack(probabilities), torch.stack(embeddings)
    return CodesPrediction((stacked * weights).sum(0), stacked, torch.tensor(starts), (vectors * weights).sum(0))
