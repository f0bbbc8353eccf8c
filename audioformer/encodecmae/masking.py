"""Take frames of a clip away in gaps, and put what was made of the rest back in its place: EnCodecMAE's masking.

AudioFormer shows MASK where a code is hidden (masking.py). Here hidden frames are left out: the encoder sees a shorter
sequence, in which nothing but the positions, added before, tells that something is missing.

Source: EnCodecMAE (arXiv 2309.07391) and its authors' published settings: half of the frames, in gaps of 15.
Shapes: B clips, T frames, S the most visible frames of a clip in the batch, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from audioformer.errors import AudioformerError

MASK_RATIO, GAP = 0.5, 15  # EnCodecMAE's; 15 frames are 0.2 s at 75 Hz


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
            f"mask_ratio={ratio} must lie between 0 and 1 and gap={gap} be at least 1; EnCodecMAE has 0.5 and 15"
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
