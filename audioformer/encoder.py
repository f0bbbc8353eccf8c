"""The encoder: tokens become hidden vectors, block after block (BERT's layout with rotary positions: RoFormer).

Between masking and the heads in the data path. Behaves like Hugging Face's RoFormer to rounding: embedding + LayerNorm
+ dropout, then blocks of self-attention and feed-forward, each followed by add and LayerNorm ("post"). Our option
"pre" puts the LayerNorm before each sub-layer and one at the very end; our option `subsampling` lets the blocks see
groups of positions.

Source: RoFormer, arXiv 2104.09864; BERT, arXiv 1810.04805.
Shapes: B clips, J rows added per frame (1, or K for rows="summed"), S positions, D width, H heads, L blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from audioformer.attention import SelfAttention, pick, rotary_table
from audioformer.config import EncoderConfig
from audioformer.errors import AudioformerError

NORM_EPS = 1e-12  # as in BERT and RoFormer
INIT_STD = 0.02  # standard deviation of fresh weights, as in BERT and RoFormer


@dataclass
class EncoderOutput:
    """What encoding gave. `AudioFormer` adds an axis of R rows after B: (B, R, S, D) and (B, R, H, S, S).

    Attributes:
        hidden: (B, S, D), one vector per position; at PAD positions it means nothing.
        all_hidden: L + 1 of (B, S, D) if asked for: the embeddings, then the output of each block.
        attention: L of (B, H, S, S) if asked for; [b, h, i] is where position i looks, with subsampling where its group
            does.
        embedded: (B, S, D) the embeddings of single positions, with subsampling only.
    """

    hidden: Tensor
    all_hidden: list[Tensor] | None = None
    attention: list[Tensor] | None = None
    embedded: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> EncoderOutput:
        """The same with every tensor changed."""
        lists = ([change(one) for one in some] if some else None for some in (self.all_hidden, self.attention))
        return EncoderOutput(change(self.hidden), *lists, None if self.embedded is None else change(self.embedded))


class Encoder(nn.Module):
    """Embeddings and L blocks.

    Args:
        config: the shape; `config.rows` decides what the embeddings look like.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.subsampling = Subsampling(config) if config.subsampling > 1 else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.d_model, NORM_EPS) if config.norm == "pre" else nn.Identity()
        # in training, compute each block again on the way back: a third more time, far less memory
        self.checkpointing = False
        self.register_buffer("rotary", rotary_table(config.max_positions, config.head_dim), persistent=False)
        self.apply(init_weights)

    def forward(
        self,
        tokens: Tensor,
        padding: Tensor | None = None,
        row: Tensor | None = None,
        need_weights: bool = False,
        need_hidden: bool = False,
        positions: Tensor | None = None,
    ) -> EncoderOutput:
        """Encode a batch of sequences.

        Args:
            tokens: (B, J, S) int64; J = K for rows="summed", else 1. Or their vectors (B, J, S, D), for gradients.
            padding: (B, S) bool, True = PAD; None = no padding anywhere (faster).
            row: (B,) int64, for rows="shared": which codebook row each sequence is, 0 .. K - 1.
            need_weights: also return the attention weights, and compute them step by step.
            need_hidden: also return the output of every layer.
            positions: (B, W) int64, the only positions whose vectors are of use, a saving in training: the last block
                computes no others, and hidden is (B, W, D). Without need_weights and need_hidden only.

        Returns:
            EncoderOutput.

        Raises:
            AudioformerError: the sequence is longer than max_positions, or has another number of rows than J.
        """
        self._check(tokens)
        hidden = self.embeddings(tokens, row)
        options = (need_weights, need_hidden)
        if self.subsampling is None:
            return self._through_blocks(hidden, padding, *options, positions)
        output = self._through_blocks(*self.subsampling(hidden, padding), *options, None)
        return self._spread(output, hidden, padding, positions)

    def _through_blocks(
        self, hidden: Tensor, padding: Tensor | None, need_weights: bool, need_hidden: bool, positions: Tensor | None
    ) -> EncoderOutput:
        """(B, S, D) to what the blocks make of it."""
        table = self.rotary[:, : hidden.shape[1]]
        all_hidden, attention = [hidden], []
        for block in self.blocks:
            inputs = (hidden, table, padding, need_weights, positions if block is self.blocks[-1] else None)
            if self.checkpointing and self.training and torch.is_grad_enabled():
                hidden, weights = checkpoint(block, *inputs, use_reentrant=False)
            else:
                hidden, weights = block(*inputs)
            if need_hidden:
                all_hidden.append(hidden)
            attention.append(weights)
        hidden = self.final_norm(hidden)
        all_hidden[-1] = hidden
        return EncoderOutput(hidden, all_hidden if need_hidden else None, attention if need_weights else None)

    def _spread(
        self, output: EncoderOutput, embedded: Tensor, padding: Tensor | None, positions: Tensor | None
    ) -> EncoderOutput:
        """What the blocks made of groups of positions, for every position again.

        `embedded` are their embeddings (B, S, D).
        """
        n_positions = embedded.shape[1]
        hidden = self.subsampling.spread(output.hidden, n_positions)
        layers, attention = output.all_hidden, output.attention
        return EncoderOutput(
            hidden if positions is None else pick(hidden, positions),
            layers and [self.subsampling.spread(layer, n_positions) for layer in layers],
            attention and [self.subsampling.spread_weights(weights, n_positions, padding) for weights in attention],
            embedded,
        )

    def _check(self, tokens: Tensor) -> None:
        """Refuse what the tables and positions were not made for."""
        n_tables = len(self.embeddings.tables)
        if tokens.ndim != 3 + tokens.is_floating_point() or tokens.shape[1] != n_tables:
            raise AudioformerError(f"tokens of shape {tuple(tokens.shape)} must be (clips, {n_tables}, positions)")
        if tokens.shape[2] > self.config.max_positions:
            most = f"max_positions={self.config.max_positions}"
            raise AudioformerError(f"{tokens.shape[2]} positions are more than {most}; cut the clip into windows")


class Embeddings(nn.Module):
    """A vector per token, plus a vector per row.

    `row_table` plays the part of BERT's token types: in rows="shared" it tells the rows apart, otherwise it has the one
    entry that RoFormer always adds.

    Args:
        config: codebook_size, n_codebooks, rows, d_model, dropout.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        n_tables = config.n_codebooks if config.rows == "summed" else 1
        n_rows = config.n_codebooks if config.rows == "shared" else 1
        self.tables = nn.ModuleList(nn.Embedding(config.vocabulary_size, config.d_model) for _ in range(n_tables))
        self.row_table = nn.Embedding(n_rows, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, NORM_EPS)
        self.dropout = Dropout(config.dropout)

    def forward(self, tokens: Tensor, row: Tensor | None = None) -> Tensor:
        """Look up and add.

        Args:
            tokens: (B, J, S) int64, J = number of tables; or their vectors (B, J, S, D), looked up already.
            row: (B,) int64, which row each sequence is; None = row 0.

        Returns:
            (B, S, D).
        """
        looked_up = tokens.is_floating_point()
        total = tokens.sum(1) if looked_up else sum(table(tokens[:, j]) for j, table in enumerate(self.tables))
        row_vector = self.row_table.weight[0] if row is None else self.row_table(row)[:, None]
        return self.dropout(self.norm(total + row_vector))


class Block(nn.Module):
    """Self-attention, then a feed-forward layer, each added to what came in.

    Args:
        config: d_model, n_heads, d_ff, dropout, norm.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.pre_norm = config.norm == "pre"
        self.attention = SelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.d_model, NORM_EPS)
        self.expand = nn.Linear(config.d_model, config.d_ff)
        self.contract = nn.Linear(config.d_ff, config.d_model)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, NORM_EPS)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, hidden: Tensor, table: Tensor, padding: Tensor | None, need_weights: bool, positions: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(B, S, D) to (B, W, D), and the attention weights (B, H, W, S) if asked for.

        W = S unless (B, W) positions are given.
        """
        stays = hidden if positions is None else pick(hidden, positions)
        if self.pre_norm:
            mixed, weights = self.attention(self.attention_norm(hidden), table, padding, need_weights, positions)
            hidden = stays + self.dropout(mixed)
            return hidden + self.dropout(self._feed_forward(self.feed_forward_norm(hidden))), weights
        mixed, weights = self.attention(hidden, table, padding, need_weights, positions)
        hidden = self.attention_norm(stays + self.dropout(mixed))
        return self.feed_forward_norm(hidden + self.dropout(self._feed_forward(hidden))), weights

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        return self.contract(F.gelu(self.expand(hidden)))


def init_weights(module: nn.Module) -> None:
    """BERT's start: normal weights of standard deviation 0.02, zero biases; LayerNorm keeps ones and zeros."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INIT_STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


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


KERNEL = 4  # positions that a convolution sees; it gives one for every two


class Subsampling(nn.Module):
    """Convolutions of stride 2 with a GELU each, down to one position in `factor`; then LayerNorm.

    Args:
        config: d_model, and subsampling, the factor: 2 or 4.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.factor, width = config.subsampling, config.d_model
        halvings = range(self.factor.bit_length() - 1)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, KERNEL, stride=2, padding=1) for _ in halvings)
        self.norm = nn.LayerNorm(width, NORM_EPS)

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
        """(B, H, N, N) attention between groups to (B, H, S, S).

        A group's share goes to its real positions in equal parts.
        """
        real = weights.new_ones(1, n_positions) if padding is None else (~padding).to(weights.dtype)  # (B or 1, S)
        counts = F.pad(real, (0, -n_positions % self.factor)).unflatten(1, (-1, self.factor)).sum(2)
        of_group = torch.arange(n_positions, device=weights.device) // self.factor
        shares = real / counts.clamp_min(1)[:, of_group]
        return weights[:, :, of_group][..., of_group] * shares[:, None, None]
