"""The transformer of EnCodecMAE: two residual streams side by side ("ResiDual"), positions as sines.

Post-norm keeps the layers apart but weakens the gradient of the early ones; pre-norm does the opposite. ResiDual runs
both at once: one stream is normalised after every sub-layer and feeds the next, the other only collects the outputs,
and at the end both are added, the second after a LayerNorm.

    y = f(p);   p <- norm(p + y);   s <- s + y            for attention, then for the feed-forward layer
    out = p + norm(s)

Source: ResiDual (arXiv 2304.14802) as used in EnCodecMAE's published code: no biases in attention, ReLU, no dropout.
Shapes: B clips, S positions, D width, H heads, d = D // H width of a head, L layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from audioformer.attention import attend
from audioformer.encodecmae.config import EncodecMAEConfig


def sinusoids(n_positions: int, width: int) -> Tensor:
    """(S, D) position m as sin(m / 10000^(2i / D)) in column 2i the cosine in column 2i + 1 (arXiv 1706.03762, 3.5).

    Example:
        >>> sinusoids(2, 2)[0]
        tensor([0., 1.])
    """
    rates = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(n_positions, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


class Positions(nn.Module):
    """Adds where a frame is, times a learned scale.

    Args:
        n_positions: longest sequence.
        width: D.
    """

    def __init__(self, n_positions: int, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("table", sinusoids(n_positions, width), persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        return vectors + self.scale * self.table[: vectors.shape[1]]


class PlainAttention(nn.Module):
    """Multi-head self-attention without biases and without positions of its own.

    Args:
        config: d_model, n_heads; heads are d_model // n_heads wide, so together they may be narrower than D.
    """

    def __init__(self, config: EncodecMAEConfig):
        super().__init__()
        self.n_heads, self.head_dim = config.n_heads, config.head_dim
        inner = config.n_heads * config.head_dim
        self.qkv = nn.Linear(config.d_model, 3 * inner, bias=False)
        self.out = nn.Linear(inner, config.d_model, bias=False)

    def forward(self, hidden: Tensor, padding: Tensor | None, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """(B, S, D) to (B, S, D), and the weights (B, H, S, S) if asked for; padding (B, S) is looked at by nobody."""
        q, k, v = self.qkv(hidden).unflatten(-1, (3, self.n_heads, self.head_dim)).permute(2, 0, 3, 1, 4)
        mixed, weights = attend(q, k, v, padding, need_weights)
        return self.out(mixed.transpose(1, 2).flatten(2)), weights


class DualBlock(nn.Module):
    """Attention and a feed-forward layer on two streams.

    Args:
        config: sizes.
        feed_forward: one layer's own, or the one that all layers share.
    """

    def __init__(self, config: EncodecMAEConfig, feed_forward: nn.Module):
        super().__init__()
        self.attention = PlainAttention(config)
        self.feed_forward = feed_forward
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(config.d_model), nn.LayerNorm(config.d_model)

    def forward(self, post: Tensor, sums: Tensor, padding: Tensor | None, need_weights: bool = False):
        """Both streams (B, S, D) to both streams, and the attention weights if asked for."""
        mixed, weights = self.attention(post, padding, need_weights)
        post, sums = self.attention_norm(post + mixed), sums + mixed
        changed = self.feed_forward(post)
        return self.feed_forward_norm(post + changed), sums + changed, weights


class DualTransformer(nn.Module):
    """L layers; no positions, those are added before.

    Args:
        config: sizes; with `shared_ff` one feed-forward layer serves all layers.
        n_layers: L.
    """

    def __init__(self, config: EncodecMAEConfig, n_layers: int):
        super().__init__()

        def feed_forward() -> nn.Module:
            return nn.Sequential(
                nn.Linear(config.d_model, config.d_ff), nn.ReLU(), nn.Linear(config.d_ff, config.d_model)
            )

        shared = feed_forward() if config.shared_ff else None
        self.blocks = nn.ModuleList(DualBlock(config, shared or feed_forward()) for _ in range(n_layers))
        self.final_norm = nn.LayerNorm(config.d_model)
        # in training, compute each block again on the way back: a third more time, far less memory
        self.checkpointing = False

    def forward(
        self, hidden: Tensor, padding: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, list, list]:
        """Run all layers.

        Args:
            hidden: (B, S, D), positions included.
            padding: (B, S) bool, True = nothing there; None = none.
            need_weights: compute attention weights step by step and return them.

        Returns:
            (B, S, D) both streams added; L + 1 of (B, S, D), the input and the post-norm stream after each layer; L
            of (B, H, S, S) attention weights, or None each.
        """
        post = sums = hidden
        streams, attention = [hidden], []
        for block in self.blocks:
            inputs = (post, sums, padding, need_weights)
            if self.checkpointing and self.training and torch.is_grad_enabled():
                post, sums, weights = checkpoint(block, *inputs, use_reentrant=False)
            else:
                post, sums, weights = block(*inputs)
            streams.append(post)
            attention.append(weights)
        return post + self.final_norm(sums), streams, attention


def xavier(module: nn.Module) -> None:
    """The authors' start: Xavier-uniform matrices, zero biases."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
