"""Hide a part of a clip and see how far the probability of a label falls.

Zeiler and Fergus, arXiv 1311.2901, section 4.2, on codes instead of pixels. What is hidden goes behind the MASK token,
which the model met in training, but in shorter runs: the longer the stretch, the less usual the question.

What occlusion does not show: two places that say the same cover for each other, and neither seems to matter.

Shapes: K codebook rows, T frames, N ways of hiding, W windows, P stretches, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.predict import predict_codes, window_starts

BATCH = 16  # windows at a time


@dataclass(frozen=True)
class Occlusion:
    """How much each part of a clip holds up a label.

    Attributes:
        label: number of the class.
        probability: of the label for the whole clip.
        nothing: of the label with every code hidden: what the model says before it has read anything.
        spans: (P, 2) int64, first frame of each hidden stretch and the one after its last.
        falls: (P,) how far the probability falls with that stretch hidden; negative: it rises.
        rows: (K,) fall with a whole row hidden; None if rows were not hidden.
        n_frames: T.
    """

    label: int
    probability: float
    nothing: float
    spans: Tensor
    falls: Tensor
    rows: Tensor | None
    n_frames: int

    @property
    def frames(self) -> Tensor:
        """(T,) mean fall over the stretches that cover a frame."""
        place = torch.arange(self.n_frames)
        covered = ((self.spans[:, :1] <= place) & (place < self.spans[:, 1:])).float()  # (P, T)
        return (covered * self.falls[:, None]).sum(0) / covered.sum(0)


def occlusion(
    clf: AudioClassifier,
    codes: Tensor,
    label: int | None = None,
    span: int = 15,
    step: int | None = None,
    rows: bool = True,
) -> Occlusion:
    """Hide one stretch after the other, in all rows; then one row after the other, all the time.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec.
        label: number of the class; None: the likeliest.
        span: frames hidden at a time.
        step: frames from one stretch to the next, at most span; None: the span.
        rows: whether to hide rows too; `row_falls` does that alone.

    Returns:
        Occlusion.

    Raises:
        AudioformerError: span or step out of range, no such label, or a model that does not read codes.
    """
    step = span if step is None else step
    if not 1 <= step <= span:
        raise AudioformerError(f"span={span} and step={step}: hide at least 1 frame, and step no further than that")
    codes = model_codes(clf, codes)
    n_rows, n_frames = codes.shape
    starts = range(0, max(1, n_frames - span + step), step)
    spans = torch.tensor([[start, min(start + span, n_frames)] for start in starts])
    masks = torch.zeros(len(spans) + 2, n_rows, n_frames, dtype=torch.bool)  # everything, nothing, stretches
    masks[0] = True
    for mask, (start, end) in zip(masks[2:], spans.tolist(), strict=True):
        mask[:, start:end] = True
    p = hidden_probabilities(clf, codes, torch.cat([masks, _each_row(codes)]) if rows else masks)
    label = int(p[1].argmax()) if label is None else class_number(clf, label)
    falls, n_spans = p[1, label] - p[2:, label], len(spans)
    return Occlusion(
        label,
        float(p[1, label]),
        float(p[0, label]),
        spans,
        falls[:n_spans],
        falls[n_spans:] if rows else None,
        n_frames,
    )


def row_falls(clf: AudioClassifier, codes: Tensor, label: int) -> Tensor:
    """How far the probability of a label falls with one whole row of codes hidden.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec.
        label: number of the class.

    Returns:
        (K,), as `Occlusion.rows`.

    Raises:
        AudioformerError: no such label, or a model that does not read codes.
    """
    codes, label = model_codes(clf, codes), class_number(clf, label)
    p = hidden_probabilities(clf, codes, [torch.zeros_like(codes, dtype=torch.bool), *_each_row(codes)])[:, label]
    return p[0] - p[1:]


def _each_row(codes: Tensor) -> Tensor:
    """(K, K, T) bool: the k-th hides row k."""
    return torch.eye(len(codes), dtype=torch.bool)[:, :, None].expand(-1, -1, codes.shape[1])


def hidden_probabilities(clf: AudioClassifier, codes: Tensor, target_masks: Sequence[Tensor] | Tensor) -> Tensor:
    """What the classifier says about a clip with parts of it hidden, as `clf.classify_codes` does for each.

    A window that looks the same in several of them is read once: most of a long clip, if only a little is hidden.

    Args:
        clf: classifier with its codec.
        codes: (K, T).
        target_masks: N of (K, T) bool, True = the model sees MASK there.

    Returns:
        (N, C) probabilities.

    Raises:
        AudioformerError: shapes disagree, or a model that does not read codes.
    """
    codes = model_codes(clf, codes)
    starts = window_starts(codes.shape[1], clf.window)
    different: dict[bytes, int] = {}
    pieces, which = [], []
    for mask in target_masks:
        if mask.shape != codes.shape:
            raise AudioformerError(
                f"a target_mask {tuple(mask.shape)} must have the shape of the codes that are read, "
                f"{tuple(codes.shape)}"
            )
        masked = torch.where(mask, -1, codes)
        for start in starts:
            piece = masked[:, start : start + clf.window]
            key = piece.numpy().tobytes()
            if key not in different:
                different[key] = len(pieces)
                pieces.append(piece)
            which.append(different[key])
    gaps = [piece < 0 for piece in pieces]
    visible = [piece.clamp_min(0) for piece in pieces]
    predictions = predict_codes(
        clf.classifier, visible, clf.window, clf.multi_label, BATCH, gaps, map_batches=clf.map_batches
    )
    p = torch.stack([one.probabilities for one in predictions])
    return p[torch.tensor(which)].view(len(target_masks), len(starts), -1).mean(1)  # all windows are equally long


def model_codes(clf: AudioClassifier, codes: Tensor) -> Tensor:
    """(K, T) int64, the rows that the model reads.

    Raises:
        AudioformerError: not codes, too few rows, or a model that reads frames of numbers instead.
    """
    config, codes = clf.classifier.config, torch.as_tensor(codes)
    if not clf.reads_codes:
        raise AudioformerError(f"{clf.name}: reads frames of numbers, no codes to hide; take an AudioFormer checkpoint")
    if codes.ndim != 2 or codes.is_floating_point() or len(codes) < config.n_codebooks or codes.shape[1] < 1:
        raise AudioformerError(
            f"codes {tuple(codes.shape)} must be whole numbers ({config.n_codebooks} or more rows, frames)"
        )
    return codes[: config.n_codebooks].long().cpu()


def class_number(clf: AudioClassifier, label: int) -> int:
    """The number of a class, checked.

    Raises:
        AudioformerError: the model has no such class.
    """
    if not 0 <= label < len(clf.label_names):
        raise AudioformerError(f"label={label} must be from 0 to {len(clf.label_names) - 1}, a class of {clf.name}")
    return int(label)
