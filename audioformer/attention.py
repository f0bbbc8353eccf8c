"""Multi-head self-attention with rotary positions: every position looks at every other and takes what it needs.

    a = softmax(Q K^T / sqrt(d)),  output = a V        (Vaswani et al., arXiv 1706.03762, section 3.2)

Positions enter by turning queries and keys: the pair (2i, 2i + 1) of a head's vector at position m is turned by the
angle m / 10000^(2i / d), so that Q . K depends only on how far apart two positions are (RoFormer, arXiv 2104.09864,
section 3.2; neighbouring features form a pair, as in Hugging Face's RoFormer).

Part of the encoder. Shapes: B clips, S positions, D width, H heads, d = D / H width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.config import EncoderConfig

FUSED_BEYOND = 1 << 20  # looks (W x S) of one head beyond which 16 bits on a CPU take the fused kernel, for its memory


def rotary_table(n_positions: int, head_dim: int) -> Tensor:
    """Cosine and sine of every rotation angle.

    Args:
        n_positions: S.
        head_dim: d, even.

    Returns:
        (2, S, d / 2) float32: cosines, then sines, of m / 10000^(2i / d) for position m and pair i.

    Example:
        >>> rotary_table(3, 4)[0, 0]                       # position 0 is not turned: all cosines are 1
        tensor([1., 1.])
    """
    rates = 10000.0 ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.arange(n_positions, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.cos(), angles.sin()]).float()


def rotate(vectors: Tensor, table: Tensor) -> Tensor:
    """Turn each pair of features by the angle of its position.

    (x, y) becomes (x cos - y sin, y cos + x sin), which is the complex product (x + iy)(cos + i sin): written so, it
    runs several times faster on a CPU. Computed in float32, given back in the type it came in.

    Args:
        vectors: (..., S, d).
        table: (2, S, d / 2) from `rotary_table`, or anything that spreads to the vectors' shape.

    Returns:
        (..., S, d), every vector as long as before.
    """
    turns = torch.complex(*table.float())  # (S, d / 2)
    pairs = torch.view_as_complex(vectors.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2).to(vectors.dtype)


class SelfAttention(nn.Module):
    """Queries, keys and values from one linear layer, H heads side by side, one linear layer to mix them.

    Args:
        config: d_model, n_heads, attention_dropout, rotary_value.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.n_heads, self.head_dim = config.n_heads, config.head_dim
        self.dropout, self.rotary_value = config.attention_dropout, config.rotary_value
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(
        self,
        hidden: Tensor,
        table: Tensor,
        padding: Tensor | None = None,
        need_weights: bool = False,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Mix information between positions.

        Args:
            hidden: (B, S, D).
            table: (2, S, d / 2) rotation table.
            padding: (B, S) bool, True = PAD: looked at by nobody. None = no padding, which is faster.
            need_weights: compute the attention weights step by step and return them; the output is the same to
                rounding, the fused kernel is faster and never holds (S, S) in memory.
            positions: (B, W) int64, the positions that look; None = all, W = S.

        Returns:
            output (B, W, D), weights (B, H, W, S) or None; weights[b, h, i] says where position i looks and sums to 1
            (before dropout).
        """
        q, k, v = self._project(hidden, positions)
        q = rotate(q, table if positions is None else table[:, positions][:, :, None])
        k = rotate(k, table)
        if self.rotary_value:
            v = rotate(v, table)
        mixed, weights = attend(q, k, v, padding, need_weights, self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).flatten(2)), weights

    def _project(self, hidden: Tensor, positions: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, W, d), keys and values (B, H, S, d); queries only of the positions that look."""
        if positions is None:
            return self.qkv(hidden).unflatten(-1, (3, self.n_heads, self.head_dim)).permute(2, 0, 3, 1, 4).unbind()
        width = hidden.shape[-1]
        q = F.linear(pick(hidden, positions), self.qkv.weight[:width], self.qkv.bias[:width])
        kv = F.linear(hidden, self.qkv.weight[width:], self.qkv.bias[width:])
        k, v = kv.unflatten(-1, (2, self.n_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        return q.unflatten(-1, (self.n_heads, self.head_dim)).transpose(1, 2), k, v


def attend(
    q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None, need_weights: bool, dropout: float = 0.0
) -> tuple[Tensor, Tensor | None]:
    """softmax(Q K^T / sqrt(d)) V (arXiv 1706.03762, equation 1): fused, or step by step where that is faster.

    Args:
        q: (B, H, W, d).
        k: (B, H, S, d).
        v: (B, H, S, d).
        padding: (B, S) bool, True = looked at by nobody; None = no padding.
        need_weights: also return softmax(Q K^T / sqrt(d)).
        dropout: share of weights set to zero.

    Returns:
        (B, H, W, d), and the weights before dropout (B, H, W, S) or None.
    """
    visible = None if padding is None else ~padding[:, None, None, :]  # (B, 1, 1, S)
    if not need_weights and not _slow_fused(q, k):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout), None
    if need_weights:
        q, k = q.float(), k.float()
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    weights = scores.softmax(-1)
    return F.dropout(weights, dropout).to(v.dtype) @ v, weights if need_weights else None


def _slow_fused(q: Tensor, k: Tensor) -> bool:
    """Whether the plain products beat the fused kernel.

    16 bits on a CPU (twice as fast at 376 positions on one without matrix units).
    """
    return q.device.type == "cpu" and q.dtype == torch.bfloat16 and q.shape[-2] * k.shape[-2] <= FUSED_BEYOND


def pick(hidden: Tensor, positions: Tensor) -> Tensor:
    """(B, S, D) vectors and (B, W) positions to the (B, W, D) vectors at those positions."""
    return hidden.gather(1, positions[:, :, None].expand(-1, -1, hidden.shape[-1]))
