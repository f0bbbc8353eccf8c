"""Dropout: in training, each number is set to 0 with probability p and the others are divided by 1 - p.

Part of the encoder. The same as PyTorch's in effect; on a CPU it draws 16 random bits a number, four numbers from one
draw, which makes it several times faster there: p is rounded to a multiple of 1 / 65536.
Source: Srivastava et al., JMLR 15 (2014) 1929.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 1 << 16  # of 16 random bits


class Dropout(nn.Module):
    """Noise for training; does nothing in evaluation mode.

    Args:
        p: probability that a number is set to 0, in [0, 1].
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same; randomness from PyTorch's global generator."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu" or self.p > 0.99:
            return F.dropout(x, self.p)
        threshold = round(self.p * LEVELS)
        return x * kept(x.shape, threshold).to(x.dtype).div_(1 - threshold / LEVELS)

    def extra_repr(self) -> str:
        """For print(model)."""
        return f"p={self.p}"


def kept(shape: torch.Size, threshold: int) -> Tensor:
    """Which numbers stay: bool of a shape, each False with probability threshold / 65536."""
    n = shape.numel()
    draws = torch.randint(-(1 << 63), (1 << 63) - 1, (-(-n // 4),), dtype=torch.int64)  # 4 x 16 bits each
    return (draws.view(torch.int16)[:n] >= threshold - LEVELS // 2).view(shape)
