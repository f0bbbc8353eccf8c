"""Convolutional subsampling: a few frames become one position before the blocks, and are spread out again after them.

Part of the encoder, our option `subsampling`: 2 or 4 frames of 13 ms hold little more than one, attention costs 4 or 16 times
less, and the convolutions see how the sound changes from frame to frame, which attention hardly learns from few clips.
Source: the front end of Conformer, arXiv 2005.08100, section 2, here over the codes' vectors instead of mel bands.

Shapes: B clips, S positions, N = ceil(S / factor) groups, D width, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 4  # positions that a convolution sees; it gives one for every two


class Subsampling(nn.Module):
    """Convolutions of stride 2 with a GELU each, as many as halve the positions down to one in `factor`; then LayerNorm.

    Args:
        d_model: D.
        factor: 2 or 4.
        norm_eps: of the LayerNorm.
    """

    def __init__(self, d_model: int, factor: int, norm_eps: float):
        super().__init__()
        self.factor = factor
        n_convolutions = factor.bit_length() - 1
        self.convolutions = nn.ModuleList(nn.Conv1d(d_model, d_model, KERNEL, stride=2, padding=1) for _ in range(n_convolutions))
        self.norm = nn.LayerNorm(d_model, norm_eps)

    def forward(self, hidden: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Join positions; what lies beyond a clip's end never changes it.

        Args:
            hidden: (B, S, D).
            padding: (B, S) bool, True = PAD; None = none.

        Returns:
            (B, N, D), and (B, N) bool, True = a group of nothing but PAD, or None.
        """
        beyond = hidden.new_zeros(hidden.shape[:2], dtype=torch.bool) if padding is None else padding
        extra = -hidden.shape[1] % self.factor
        hidden, beyond = F.pad(hidden, (0, 0, 0, extra)), F.pad(beyond, (0, extra), value=True)
        for convolution in self.convolutions:
            hidden = hidden.masked_fill(beyond[..., None], 0)
            hidden, beyond = F.gelu(convolution(hidden.transpose(1, 2)).transpose(1, 2)), beyond[:, ::2]
        return self.norm(hidden), None if padding is None else beyond

    def spread(self, hidden: Tensor, n_positions: int) -> Tensor:
        """(B, N, D) vectors of groups to (B, S, D): every position has its group's."""
        return hidden.repeat_interleave(self.factor, 1)[:, :n_positions]

    def spread_weights(self, weights: Tensor, n_positions: int, padding: Tensor | None) -> Tensor:
        """(B, H, N, N) attention between groups to (B, H, S, S): a group's share goes to its real positions in equal parts."""
        real = weights.new_ones(1, n_positions) if padding is None else (~padding).to(weights.dtype)  # (B or 1, S)
        counts = F.pad(real, (0, -n_positions % self.factor)).unflatten(1, (-1, self.factor)).sum(2)
        of_group = torch.arange(n_positions, device=weights.device) // self.factor
        shares = real / counts.clamp_min(1)[:, of_group]
        return weights[:, :, of_group][..., of_group] * shares[:, None, None]
