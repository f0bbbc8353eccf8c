"""Hide part of a clip so that the model has something to guess.

Between tokens and the encoder in the data path. AudioFormer's authors hide 25 % of the codes of each row, each
on its own, always behind MASK. Our options: hidden runs (spans), BERT's mask/random/keep mix, and the same frames in
every row.

Shapes: B clips, K codebook rows, T frames, S = T + 2 positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.tokens import TokenBatch, special_ids


def mask_tokens(
    batch: TokenBatch,
    config: MaskConfig,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    same_frames: bool = False,
) -> tuple[Tensor, Tensor]:
    """Hide a fixed share of each clip's codes, chosen at random.

    Every clip (and row) of T frames has exactly max(1, round(mask_ratio * T)) codes hidden, whatever the span. BOA,
    EOA and PAD are never hidden.

    Args:
        batch: what to hide from.
        config: how much and in what shape.
        generator: source of randomness; None uses PyTorch's global one. B of them, one for each clip: what is hidden of
            a clip then depends on no neighbour and no padding.
        same_frames: hide the same frames in all rows, as rows="summed" needs: else another row of the same frame would
            give the hidden code away.

    Returns:
        masked tokens (B, K, S) int64 for the model to see, target_mask (B, K, S) bool, True = predict here.

    Raises:
        AudioformerError: never for a TokenBatch from `wrap` or `collate` and a checked MaskConfig.

    Example:
        >>> from audioformer.tokens import wrap
        >>> masked, target_mask = mask_tokens(wrap(torch.zeros(1, 2, 8, dtype=torch.long)), MaskConfig())
        >>> target_mask.sum(-1)
        tensor([[2, 2]])
    """
    if isinstance(generator, Sequence):
        return _mask_each(batch, config, generator, same_frames)
    n_clips, n_rows, n_positions = batch.tokens.shape
    shape = (n_clips, 1 if same_frames else n_rows, n_positions)
    order = _span_priorities(shape, config.span, generator, batch.tokens.device)
    order = order.masked_fill(~batch.code_positions[:, None], -1.0)
    # The rank of a position is its place when sorted from most to least urgent; equal urgency (one span) keeps order.
    ranks = order.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    n_hidden = (batch.lengths * config.mask_ratio).round().long().clamp_min(1)
    target_mask = ranks < n_hidden[:, None, None]
    masked = _replace(batch, target_mask, config, generator)
    return masked, target_mask.expand_as(batch.tokens).clone()


def _mask_each(
    batch: TokenBatch, config: MaskConfig, generators: Sequence[torch.Generator], same_frames: bool
) -> tuple[Tensor, Tensor]:
    """`mask_tokens` clip by clip."""
    masked, target_mask = batch.tokens.clone(), torch.zeros_like(batch.tokens, dtype=torch.bool)
    for i, (n, generator) in enumerate(zip((~batch.padding).sum(1).tolist(), generators, strict=True)):
        own = TokenBatch(batch.tokens[i : i + 1, :, :n], batch.padding[i : i + 1, :n], batch.codebook_size)
        masked[i : i + 1, :, :n], target_mask[i : i + 1, :, :n] = mask_tokens(own, config, generator, same_frames)
    return masked, target_mask


def drop_rows(batch: TokenBatch, share: float, generators: Sequence[torch.Generator]) -> Tensor:
    """Ours: take the finer codebook rows from some clips, as if they had been coded at a lower bit rate.

    Args:
        batch: B clips of K rows.
        share: of the clips that keep only their first k rows, k drawn evenly from 1 .. K - 1.
        generators: B of them, one for each clip.

    Returns:
        tokens (B, K, S) int64, MASK at the codes taken away.

    Example:
        >>> from audioformer.tokens import wrap
        >>> batch, generators = wrap(torch.zeros(1, 2, 3, dtype=torch.long)), [torch.Generator().manual_seed(0)]
        >>> drop_rows(batch, 1.0, generators)[0, 1].tolist()
        [1025, 1027, 1027, 1027, 1026]
    """
    tokens, n_rows, mask = batch.tokens.clone(), batch.tokens.shape[1], special_ids(batch.codebook_size).mask
    for row_tokens, is_code, generator in zip(tokens, batch.code_positions, generators, strict=True):
        chance, level = torch.rand(2, generator=generator).tolist()
        if chance < share and n_rows > 1:
            row_tokens[1 + int(level * (n_rows - 1)) :, is_code] = mask
    return tokens


def mask_positions(batch: TokenBatch, target_mask) -> tuple[Tensor, Tensor]:
    """Hide codes that somebody picked by hand, all behind MASK.

    Args:
        batch: what to hide from.
        target_mask: bool (K, T) or (B, K, T), True = hide; T = S - 2, frame 0 is the first code. A single row (1, T)
            hides the same frames in all rows. What falls on padding is left out.

    Returns:
        masked tokens (B, K, S) int64, target_mask (B, K, S) bool.

    Raises:
        AudioformerError: the shape does not fit, or nothing is hidden.
    """
    target_mask = torch.as_tensor(target_mask, device=batch.tokens.device).bool()
    n_clips, n_rows, n_positions = batch.tokens.shape
    shape = (n_clips, n_rows, n_positions - 2)
    try:
        frames = target_mask.expand(shape)
    except RuntimeError:
        message = f"target_mask {tuple(target_mask.shape)} must fit (clips, rows, frames) = {shape}"
        raise AudioformerError(message) from None
    target_mask = F.pad(frames, (1, 1)) & batch.code_positions[:, None]
    if not target_mask.any():
        raise AudioformerError("nothing is hidden: pick at least one code for the model to guess")
    return batch.tokens.masked_fill(target_mask, special_ids(batch.codebook_size).mask), target_mask


def positions_of(mask: Tensor) -> Tensor:
    """(..., S) bool to (..., W) int64: positions that are True, in order; W is the largest count of all, at least 1.

    Where fewer are True, positions that are False fill the end.

    Example:
        >>> positions_of(torch.tensor([[False, True, True], [False, False, True]])).tolist()
        [[1, 2], [2, 0]]
    """
    n_most = max(1, int(mask.sum(-1).max()))
    return mask.to(torch.int8).sort(dim=-1, descending=True, stable=True).indices[..., :n_most]


def _span_priorities(shape: tuple, span: int, generator, device) -> Tensor:
    """How urgently each position wants to be hidden, (B, K, S) float in [0, 1).

    Every possible run of `span` frames, those hanging over an edge too, draws a number; a frame takes the highest of
    the runs that cover it. Taking frames from the top then fills whole runs, and no frame is more likely than another.
    """
    n_clips, n_rows, n_positions = shape
    draws = _uniform((n_clips, n_rows, n_positions + span - 1), generator, device)
    return draws if span == 1 else F.max_pool1d(draws, span, stride=1)


def _replace(batch: TokenBatch, target_mask: Tensor, config: MaskConfig, generator) -> Tensor:
    """What the model sees: MASK, a random code or the code itself at hidden positions, the rest untouched."""
    ids = special_ids(batch.codebook_size)
    if config.replace_mask == 1:
        return batch.tokens.masked_fill(target_mask, ids.mask)
    draws = _uniform(target_mask.shape, generator, batch.tokens.device)
    masked = batch.tokens.masked_fill(target_mask & (draws < config.replace_mask), ids.mask)
    swap = target_mask & (draws >= config.replace_mask) & (draws < config.replace_mask + config.replace_random)
    codes = (_uniform(batch.tokens.shape, generator, batch.tokens.device) * batch.codebook_size).long()
    return torch.where(swap, codes, masked)


def _uniform(shape, generator, device) -> Tensor:
    """Random numbers in [0, 1), drawn where the generator lives."""
    home = generator.device if generator is not None else device
    return torch.rand(shape, generator=generator, device=home).to(device)
