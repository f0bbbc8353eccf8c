"""A batch of clips for a model that reads frames of numbers, and which of its frames are hidden.

For codes, tokens.py and masking.py have the same. Source of the gaps: arXiv 2309.07391 and its authors' published
settings: half of the frames, in gaps of 15.

Shapes: B clips, K codebook rows, F numbers in a frame, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.errors import AudioformerError
from audioformer.model import Backbone

MASK_RATIO, GAP = 0.5, 15  # 15 frames are 0.2 s at 75 Hz


def gap_mask(
    lengths: Tensor,
    ratio: float = MASK_RATIO,
    gap: int = GAP,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> Tensor:
    """Choose which frames to hide.

    Gaps start anywhere they fit, each place as likely as any other, and may overlap, until the share is reached. What
    is too much is shown again from the start of the first gap on: the number of hidden frames is exact.

    Args:
        lengths: (B,) frames of each clip.
        ratio: share to hide, between 0 and 1. Rounded down, but one frame is always hidden and one always visible; a
            clip of a single frame stays visible.
        gap: frames hidden in one go.
        generator: source of chance, on the CPU; B of them make each clip's gaps its own, whatever stands beside it;
            None = PyTorch's global one.

    Returns:
        (B, T) bool on the CPU, True = hidden, T = max(lengths); False beyond a clip's end.

    Raises:
        AudioformerError: ratio or gap cannot work.

    Example:
        >>> gap_mask(torch.tensor([300, 60])).sum(1)
        tensor([150,  30])
    """
    if not 0 < ratio < 1 or gap < 1:
        raise AudioformerError(
            f"mask_ratio={ratio} must lie between 0 and 1 and gap={gap} be at least 1; the authors have 0.5 and 15"
        )
    hidden = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.bool)
    own = list(generator) if isinstance(generator, Sequence) else [generator] * len(lengths)
    for row, length, chance in zip(hidden, lengths.tolist(), own, strict=True):
        wanted = min(max(int(length * ratio), 1), length - 1)
        first = None
        while (n_hidden := int(row.sum())) < wanted:
            start = int(torch.randint(max(1, length - gap + 1), (), generator=chance))
            first = start if first is None else first
            row[start : min(start + gap, length)] = True
        if first is not None:
            row[first : first + n_hidden - wanted] = False
    return hidden


@dataclass
class FrameBatch:
    """A batch of clips for a model that reads frames; beside it, `TokenBatch` for one that reads codes.

    Attributes:
        tokens: (B, F, T) float32, or (B, K, T) int64 for frames="quantised".
        padding: (B, T) bool, True = nothing there.
    """

    tokens: Tensor
    padding: Tensor

    @property
    def lengths(self) -> Tensor:
        """(B,) int64: frames per clip."""
        return (~self.padding).sum(1)

    def hide(self, target_masks: Sequence[Tensor]) -> FrameBatch:
        """The batch without some frames: those in whose column anything is True, (T',) or (K, T') bool a clip.

        A clip of which nothing would be left stays whole.
        """
        padding = self.padding.clone()
        for row, target_mask in zip(padding, target_masks, strict=True):
            hidden = target_mask.any(0) if target_mask.ndim == 2 else target_mask
            taken = row[: len(hidden)] | hidden.to(row.device)
            row[: len(hidden)] = taken if not (taken.all() and row[len(hidden) :].all()) else row[: len(hidden)]
        return FrameBatch(self.tokens, padding)

    def to(self, device) -> FrameBatch:
        """The same batch on another device."""
        return FrameBatch(self.tokens.to(device, non_blocking=True), self.padding.to(device, non_blocking=True))


def collate_frames(clips: Sequence) -> FrameBatch:
    """Clips of different lengths to one padded batch.

    Args:
        clips: B of (F, T_i) numbers, or of (K, T_i) codes.

    Raises:
        AudioformerError: no clips, an empty one, or differing F.
    """
    clips = [torch.as_tensor(clip) for clip in clips]
    if not clips or any(clip.ndim != 2 or 0 in clip.shape or len(clip) != len(clips[0]) for clip in clips):
        raise AudioformerError(
            f"clips must all be (numbers, frames), none empty, at least one: {[tuple(c.shape) for c in clips]}"
        )
    longest = max(clip.shape[1] for clip in clips)
    padding = torch.arange(longest) >= torch.tensor([[clip.shape[1]] for clip in clips])
    return FrameBatch(torch.stack([F.pad(clip, (0, longest - clip.shape[1])) for clip in clips]), padding)


class FrameReader(Backbone):
    """What the models share that read frames of numbers, each frame a position: no BOA, no EOA, no rows."""

    def hide_some(
        self, batch: FrameBatch, share: float, span: int, row_share: float, generators: Sequence[torch.Generator]
    ) -> FrameBatch:
        """The batch without a share of its frames; there are no rows to leave out."""
        del row_share
        return batch.hide(gap_mask(batch.lengths, share, span, generators)) if share else batch

    def frame_padding(self, padding: Tensor) -> Tensor:
        """(B, T) bool, True = beyond the clip's end."""
        return padding
