"""Change codes and hear what they did: copy, shuffle, silence a row or a stretch.

Every edit gives new codes and leaves the old ones alone. Shapes: K codebook rows, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.codec import Codec
from audioformer.errors import AudioformerError

ACTIONS = ("silence", "shuffle", "copy")


@dataclass(frozen=True)
class Edit:
    """One change.

    Attributes:
        action: "silence" (the codes that the codec writes for silence), "shuffle" (the same codes in another order), or
            "copy" (a stretch laid over another place).
        frame: first frame changed, or copied from.
        frames: how many.
        row: from 1; 0 = all rows.
        to: first frame copied to.
        seed: of the shuffle.
    """

    action: str
    frame: int
    frames: int
    row: int = 0
    to: int = 0
    seed: int = 0


def silent_column(codec: Codec, n_codebooks: int | None = None) -> Tensor:
    """(K,) the codes that a codec writes for silence, once it has settled."""
    return codec.encode(torch.zeros(codec.hop_length * 40), codec.sample_rate, n_codebooks)[0, :, 20]


def apply(codes: Tensor, edits: Sequence[Edit], codec: Codec) -> Tensor:
    """Codes after some edits, one after the other.

    Args:
        codes: (K, T) int64.
        edits: in order.
        codec: that made the codes.

    Returns:
        (K, T) int64.

    Raises:
        AudioformerError: an unknown action, or a row or frame outside the grid.
    """
    changed = torch.as_tensor(codes).long().clone()
    for edit in edits:
        _apply_one(changed, edit, codec)
    return changed


def _apply_one(codes: Tensor, edit: Edit, codec: Codec) -> None:
    n_rows, n_frames = codes.shape
    inside = 0 <= edit.frame < n_frames and 1 <= edit.frames <= n_frames - edit.frame and 0 <= edit.to < n_frames
    if edit.action not in ACTIONS or not inside or not 0 <= edit.row <= n_rows:
        raise AudioformerError(
            f"{edit} does not fit codes of {n_rows} rows and {n_frames} frames; actions are {', '.join(ACTIONS)}"
        )
    rows = slice(0, n_rows) if edit.row == 0 else slice(edit.row - 1, edit.row)
    frames = slice(edit.frame, edit.frame + edit.frames)
    if edit.action == "silence":
        codes[rows, frames] = silent_column(codec, n_rows).to(codes)[rows, None]
    elif edit.action == "shuffle":
        order = torch.randperm(edit.frames, generator=torch.Generator().manual_seed(edit.seed))
        codes[rows, frames] = codes[rows, frames][:, order]
    else:
        stretch = codes[rows, frames][:, : n_frames - edit.to].clone()
        codes[rows, edit.to : edit.to + stretch.shape[1]] = stretch
