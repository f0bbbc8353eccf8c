"""A batch of clips for a model that reads frames of numbers; its fellow for codes is tokens.TokenBatch.

Shapes: B clips, K codebook rows, F numbers in a frame, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.encodecmae.masking import gap_mask
from audioformer.errors import AudioformerError
from audioformer.model import Backbone


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
