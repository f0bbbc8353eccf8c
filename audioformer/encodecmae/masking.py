"""Take the hidden frames of a clip away, and put what was made of the rest back in its place: EnCodecMAE's masking.

AudioFormer shows MASK where a code is hidden (masking.py). Here hidden frames are left out: the encoder sees a shorter
sequence, in which nothing but the positions, added before, tells that something is missing.

Which frames are hidden, `gap_mask` (data/frame_batch.py) draws. Source: EnCodecMAE (arXiv 2309.07391).
Shapes: B clips, T frames, S the most visible frames of a clip in the batch, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pack_visible(vectors: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the visible frames of each clip, close together and in order.

    Args:
        vectors: (B, T, D).
        visible: (B, T) bool, True = keep: neither hidden nor padding.

    Returns:
        (B, S, D), zeros behind each clip's last visible frame, and (B, S) bool, True = such padding.
    """
    counts = visible.sum(1)
    longest = max(1, int(counts.max()))
    order = (~visible).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]  # visible frames first, in their order
    padding = torch.arange(longest, device=visible.device) >= counts[:, None]
    packed = vectors.gather(1, order[..., None].expand(-1, -1, vectors.shape[2]))
    return packed.masked_fill(padding[..., None], 0.0), padding


def unpack_visible(packed: Tensor, visible: Tensor) -> Tensor:
    """Put packed frames back where they came from, zeros everywhere else: the inverse of `pack_visible`.

    Args:
        packed: (B, S, D).
        visible: (B, T) bool, as given to `pack_visible`.

    Returns:
        (B, T, D).
    """
    place = (visible.cumsum(1) - 1).clamp_min(0)
    found = packed.gather(1, place[..., None].expand(-1, -1, packed.shape[2]))
    return found * visible[..., None].to(packed.dtype)
