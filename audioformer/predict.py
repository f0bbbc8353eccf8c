"""From codes of any length to class probabilities: cut into windows, classify each, average.

Between classifier and whoever asks. Shapes: B clips, K rows, T frames, W windows, C classes, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.classifier import Classifier


@dataclass(frozen=True)
class CodesPrediction:
    """What a classifier says about one clip's codes.

    Attributes:
        probabilities: (C,) mean over windows, each weighted by its length.
        window_probabilities: (W, C).
        window_starts: (W,) int, first frame of each window.
        embedding: (D,) mean over windows, weighted alike.
        frames: (T, C) of each frame, mean where windows overlap, if asked for: from the frame head or, without one, the
            clip's.
    """

    probabilities: Tensor
    window_probabilities: Tensor
    window_starts: Tensor
    embedding: Tensor
    frames: Tensor | None = None


def window_starts(n_frames: int, window: int) -> list[int]:
    """First frames of windows that cover a clip: evenly spread, at most half a window apart, the last at its end.

    Example:
        >>> window_starts(100, 40)
        [0, 20, 40, 60]
        >>> window_starts(750, 375)
        [0, 188, 375]
        >>> window_starts(30, 40)
        [0]
    """
    last = max(0, n_frames - window)
    n_steps = -(-last // ((window + 1) // 2))
    return [round(i * last / max(1, n_steps)) for i in range(n_steps + 1)]


def predict_codes(
    classifier: Classifier,
    clips: Sequence[Tensor],
    window: int,
    multi_label: bool,
    batch_size: int = 16,
    target_masks: Sequence[Tensor] | None = None,
    need_frames: bool = False,
    map_batches: Callable = map,
) -> list[CodesPrediction]:
    """Classify coded clips.

    Args:
        classifier: in evaluation mode.
        clips: (K, T_i) codes each, or (F, T_i) frames where the model reads those.
        window: frames the classifier was trained on.
        multi_label: each class on its own (logistic) instead of exactly one (softmax).
        batch_size: windows at a time.
        target_masks: (K, T_i) bool for each clip, True = hidden from the model; None hides nothing.
        need_frames: also give the probabilities of each frame.
        map_batches: runs the batches: `map` one after the other, the `map` of a pool of threads several at once.

    Returns:
        One CodesPrediction a clip.
    """
    pieces = [(i, start) for i, codes in enumerate(clips) for start in window_starts(codes.shape[1], window)]
    windows: list[list[tuple]] = [[] for _ in clips]

    def probabilities(logits: Tensor) -> Tensor:
        return (logits.float().sigmoid() if multi_label else logits.float().softmax(-1)).cpu()

    @torch.no_grad()  # which holds for one thread: the one that runs this
    def answers(group: list[tuple[int, int]]) -> list[tuple]:
        def cut(of_clips) -> list[Tensor]:
            return [torch.as_tensor(of_clips[i])[:, start : start + window] for i, start in group]

        codes = cut(clips)
        batch = classifier.collate(codes).to(classifier.head.weight.device)
        if target_masks is not None:
            batch = batch.hide([mask[: classifier.config.n_codebooks] for mask in cut(target_masks)])
        out = classifier(batch.tokens, batch.padding, need_frames=need_frames)
        starts, lengths = [start for _, start in group], [part.shape[1] for part in codes]
        frames = [None] * len(group)
        if need_frames:
            frames = [part[:n] for part, n in zip(probabilities(out.frame_logits), lengths, strict=True)]
        return list(zip(starts, lengths, probabilities(out.logits), out.embedding.float().cpu(), frames, strict=True))

    groups = [pieces[first : first + batch_size] for first in range(0, len(pieces), batch_size)]
    for group, answer in zip(groups, map_batches(answers, groups), strict=True):
        for (i, _), of_window in zip(group, answer, strict=True):
            windows[i].append(of_window)
    return [_average(of_clip) for of_clip in windows]


def _average(windows: list[tuple]) -> CodesPrediction:
    """From (first frame, length, probabilities, embedding, frames or None) of each window."""
    starts, lengths, probabilities, embeddings, frames = zip(*windows, strict=True)
    weights = torch.tensor(lengths, dtype=torch.float32)[:, None] / sum(lengths)
    stacked, vectors = torch.stack(probabilities), torch.stack(embeddings)
    of_frames = None if frames[0] is None else join_windows(starts, frames)
    mean, vector = (stacked * weights).sum(0), (vectors * weights).sum(0)
    return CodesPrediction(mean, stacked, torch.tensor(starts), vector, of_frames)


def join_windows(starts: Sequence[int], windows: Sequence[Tensor]) -> Tensor:
    """(T, X): values of windows (T_i, X) that begin at these frames, averaged where windows overlap.

    Example:
        >>> join_windows([0, 1], [torch.tensor([[1.0], [2.0]]), torch.tensor([[4.0], [5.0]])]).flatten()
        tensor([1., 3., 5.])
    """
    n_frames = max(start + len(window) for start, window in zip(starts, windows, strict=True))
    total, count = torch.zeros(n_frames, windows[0].shape[1]), torch.zeros(n_frames, 1)
    for start, window in zip(starts, windows, strict=True):
        total[start : start + len(window)] += window
        count[start : start + len(window)] += 1
    return total / count
