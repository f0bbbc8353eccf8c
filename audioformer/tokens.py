"""Codes become token sequences: BOA, T codes, EOA, then PAD up to the longest clip of the batch.

Between the codec and masking in the data path. As AudioFormer's authors draw it, every codebook row is its own
sequence. The special tokens sit above the codes, so token 417 is entry 417 of the codebook everywhere:
PAD = V, BOA = V + 1, EOA = V + 2, MASK = V + 3.

Shapes: B clips, K codebook rows, T frames, V codebook size, S = T + 2 positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from audioformer.errors import AudioformerError


class SpecialIds(NamedTuple):
    """Ids of the four special tokens."""

    pad: int
    boa: int
    eoa: int
    mask: int


def special_ids(codebook_size: int) -> SpecialIds:
    """Where the special tokens are for a codebook of V entries.

    Args:
        codebook_size: V.

    Returns:
        SpecialIds: PAD = V, BOA = V + 1, EOA = V + 2, MASK = V + 3.

    Example:
        >>> special_ids(1024).mask
        1027
    """
    return SpecialIds(*range(codebook_size, codebook_size + 4))


@dataclass
class TokenBatch:
    """A batch of clips, ready for the model.

    Attributes:
        tokens: (B, K, S) int64; BOA, EOA and PAD stand in all rows alike.
        padding: (B, S) bool, True = PAD; the same for every row of a clip.
        codebook_size: V, which says where the special tokens are.
    """

    tokens: Tensor
    padding: Tensor
    codebook_size: int

    @property
    def code_positions(self) -> Tensor:
        """(B, S) bool: the positions that hold a code or MASK, whatever was joined before and after them."""
        first = self.tokens[:, 0]
        return (first < self.codebook_size) | (first == special_ids(self.codebook_size).mask)

    @property
    def lengths(self) -> Tensor:
        """(B,) int64: frames per clip, BOA and EOA not counted."""
        return self.code_positions.sum(1)

    def hide(self, target_masks: Sequence[Tensor]) -> TokenBatch:
        """The same clips with MASK where target_masks, (K, T_i) bool a clip, are True."""
        tokens, mask = self.tokens.clone(), special_ids(self.codebook_size).mask
        for row, target_mask in zip(tokens, target_masks, strict=True):
            frames = row[: len(target_mask), 1 : 1 + target_mask.shape[1]]
            frames.masked_fill_(target_mask.to(frames.device), mask)
        return TokenBatch(tokens, self.padding, self.codebook_size)

    def to(self, device) -> TokenBatch:
        """The same batch on another device."""
        return TokenBatch(
            self.tokens.to(device, non_blocking=True), self.padding.to(device, non_blocking=True), self.codebook_size
        )


def wrap(codes, lengths=None, codebook_size: int = 1024) -> TokenBatch:
    """Put BOA and EOA around each clip's codes and PAD after them.

    Args:
        codes: (B, K, T) integers, tensor or array.
        lengths: (B,) frames of each clip that are real, 1 to T; None = all T. What lies beyond is not read.
        codebook_size: V.

    Returns:
        TokenBatch with S = T + 2.

    Raises:
        AudioformerError: wrong shape, no frames, a length outside 1..T, or a code outside [0, V).

    Example:
        >>> wrap(torch.tensor([[[7, 9]]]), codebook_size=10).tokens
        tensor([[[11,  7,  9, 12]]])
    """
    codes = _as_integers(codes)
    if codes.ndim != 3 or 0 in codes.shape:
        raise AudioformerError(
            f"codes of shape {tuple(codes.shape)} must be (clips, rows, frames), none 0; for one clip give codes[None]"
        )
    n_clips, n_rows, n_frames = codes.shape
    if lengths is None:
        lengths = torch.full((n_clips,), n_frames, device=codes.device)
    lengths = _as_integers(lengths).to(codes.device)
    if lengths.shape != (n_clips,) or lengths.min() < 1 or lengths.max() > n_frames:
        raise AudioformerError(f"lengths {lengths.tolist()} must be {n_clips} numbers of frames from 1 to {n_frames}")
    ids = special_ids(codebook_size)
    real = torch.arange(n_frames, device=codes.device) < lengths[:, None]  # (B, T)
    codes = torch.where(real[:, None], codes, ids.pad)
    _check_range(codes[real[:, None].expand_as(codes)], codebook_size)
    tokens = torch.full((n_clips, n_rows, n_frames + 2), ids.pad, device=codes.device)
    tokens[:, :, 0] = ids.boa
    tokens[:, :, 1:-1] = codes
    tokens.scatter_(2, (lengths + 1)[:, None, None].expand(-1, n_rows, 1), ids.eoa)
    padding = torch.arange(n_frames + 2, device=codes.device) > lengths[:, None] + 1
    return TokenBatch(tokens, padding, codebook_size)


def collate(clips: Sequence, codebook_size: int = 1024) -> TokenBatch:
    """Clips of different lengths to one padded batch.

    Args:
        clips: B items of (K, T_i) integers, tensors or arrays, all with the same K.
        codebook_size: V.

    Returns:
        TokenBatch with S = max(T_i) + 2.

    Raises:
        AudioformerError: no clips, differing K, or any reason of `wrap`.
    """
    clips = [_as_integers(clip) for clip in clips]
    if not clips:
        raise AudioformerError("a batch needs at least one clip, got none")
    shapes = [tuple(clip.shape) for clip in clips]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] or 0 in shape for shape in shapes):
        raise AudioformerError(f"clips must all be (rows, frames) with the same rows and at least one frame: {shapes}")
    longest = max(shape[1] for shape in shapes)
    codes = torch.zeros(len(clips), shapes[0][0], longest, dtype=torch.long)
    for i, clip in enumerate(clips):
        codes[i, :, : clip.shape[1]] = clip
    return wrap(codes, [shape[1] for shape in shapes], codebook_size)


def unwrap(batch: TokenBatch) -> list[Tensor]:
    """Token batch back to codes: the inverse of `collate`; clips that were joined stay joined.

    Args:
        batch: B clips.

    Returns:
        B tensors of (K, T_i) int64.
    """
    return [tokens[:, held] for tokens, held in zip(batch.tokens, batch.code_positions, strict=True)]


def _as_integers(values) -> Tensor:
    """Anything array-like to an int64 tensor, refusing fractions."""
    values = torch.as_tensor(values)
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise AudioformerError(f"codes and lengths are whole numbers, not {values.dtype}; codec.encode gives int64")
    return values.long()


def _check_range(codes: Tensor, codebook_size: int) -> None:
    """Refuse codes that no entry of the codebook has."""
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise AudioformerError(
            f"codes from {low} to {high} must lie in [0, {codebook_size}); is codebook_size that of the codec?"
        )
