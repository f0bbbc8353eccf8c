"""AudioFormer: encoders over codebook rows, and heads that guess hidden codes.

After the encoder in the data path, before the classifier. Source: AudioFormer (arXiv 2308.07221)
and the drawings of its authors.

Shapes: B clips, K codebook rows, R rows asked for, T frames, S = T + 2 positions, D width, V codebook size,
L blocks, H heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from audioformer.audio import Waveform
from audioformer.codec import Codec
from audioformer.config import Config, EncoderConfig, MaskConfig
from audioformer.encoder import Encoder, EncoderOutput, init_weights
from audioformer.errors import AudioformerError
from audioformer.heads import FrameDecoder, MLMHead
from audioformer.masking import drop_rows, mask_tokens
from audioformer.tokens import TokenBatch, collate


def mean_pool(hidden: Tensor, padding: Tensor | None = None) -> Tensor:
    """One vector per clip: the mean over its positions, in float32, without PAD; BOA and EOA count, as authors draw.

    Args:
        hidden: (B, S, D) or (B, R, S, D).
        padding: (B, S) bool, True = PAD; None = no padding.

    Returns:
        (B, D) or (B, R, D) float32.
    """
    if padding is None:
        return hidden.float().mean(-2)
    counted = ~padding.unsqueeze(-1)  # (B, S, 1)
    n_counted = counted.sum(-2)
    if hidden.ndim == 4:
        counted, n_counted = counted[:, None], n_counted[:, None]
    return (hidden.float() * counted).sum(-2) / n_counted


class Backbone(nn.Module):
    """What the model of every method offers to all that comes after pre-training: classifier, windows, probes, HEAR.

    `forward(tokens, padding, rows, need_weights, need_hidden)` gives an EncoderOutput with an axis of R rows, as
    AudioFormer's.

    Attributes:
        config: its shape, with `method`, `d_model`, `n_layers`, `n_codebooks`, `rows` and `reads`.
        encoders: the part that is kept after pre-training.
        frame_slice: which of the S positions are frames.
        max_frames: longest clip, frames.
        reads_codes: False if it reads frames of numbers, so that no code of its input can be hidden or changed.
        sub_layer_ends: names of the last matrix of each sub-layer of a block; adapters go behind them.
    """

    config: Config
    encoders: nn.ModuleList
    frame_slice: slice
    max_frames: int
    reads_codes: bool = True
    sub_layer_ends: tuple[str, ...] = ("attention.out", "contract")

    def inputs(self, item) -> Tensor:
        """What the model reads of a clip of a corpus: (K, T) codes, or (F, T) frames of numbers."""
        raise NotImplementedError

    def read(self, codec: Codec, waveform: Waveform | Tensor, sample_rate: int | None = None) -> Tensor:
        """What the model reads of a sound, (B, K, T) or (B, F, T); arguments and errors as `Codec.encode`."""
        raise NotImplementedError

    def collate(self, clips: Sequence):
        """Clips, as of `inputs` or `read`, to a batch with `tokens`, `padding`, `to(device)`, `hide(target_masks)`."""
        raise NotImplementedError

    def hide_some(self, batch, share: float, span: int, row_share: float, generators: Sequence[torch.Generator]):
        """Augmentation: the batch with a share of its codes or frames hidden, `span` frames together.

        Args:
            batch: from `collate`, B clips.
            share: of each clip's frames to hide; 0 hides none.
            span: frames hidden together.
            row_share: of the clips that keep only their first rows.
            generators: B of them.
        """
        raise NotImplementedError

    def frame_padding(self, padding: Tensor) -> Tensor:
        """(B, S) padding of positions to (B, T) padding of frames, True = beyond the clip's end."""
        raise NotImplementedError

    def keep_tables(self) -> None:
        """Freeze the token embeddings.

        Raises:
            AudioformerError: the model has none.
        """
        method = self.config.method
        raise AudioformerError(f"keep_tables: a model of the method {method} has no token embeddings; leave it out")


class AudioFormer(Backbone):
    """Encoder(s) over codebook rows, with heads that guess hidden codes.

    rows="separate" has K encoders and heads, "shared" one of each, "summed" one encoder and K heads. With subsampling a
    frame decoder for each encoder makes vectors of single frames again, for the heads.

    Args:
        config: shape.
        mlm: False leaves the prediction heads out, as fine-tuned models do.
    """

    def __init__(self, config: EncoderConfig, mlm: bool = True):
        super().__init__()
        self.config = config
        n_encoders = config.n_codebooks if config.rows == "separate" else 1
        n_heads = (1 if config.rows == "shared" else config.n_codebooks) if mlm else 0
        self.encoders = nn.ModuleList(Encoder(config) for _ in range(n_encoders))
        self.heads = nn.ModuleList(MLMHead(config) for _ in range(n_heads))
        n_decoders = n_encoders if mlm and config.subsampling > 1 else 0
        self.decoders = nn.ModuleList(FrameDecoder(config) for _ in range(n_decoders))
        self.decoders.apply(init_weights)
        self.frozen_rows: set[int] = set()
        self.frame_slice, self.max_frames = slice(1, -1), config.max_positions - 2  # all but BOA and EOA

    def forward(
        self,
        tokens: Tensor,
        padding: Tensor | None = None,
        rows: Iterable[int] | None = None,
        need_weights: bool = False,
        need_hidden: bool = False,
        positions: Tensor | None = None,
    ) -> EncoderOutput:
        """Encode clips, each wanted row on its own (or all summed).

        Args:
            tokens: (B, K, S) int64; rows beyond those the model uses are not read. Or their vectors (B, K, S, D).
            padding: (B, S) bool, True = PAD; None = none.
            rows: which rows, counted from 0; None = all. Must stay None for rows="summed".
            need_weights: return the attention weights.
            need_hidden: return every layer's output.
            positions: (B, R, W) int64, the only positions of each row whose vectors are of use, a saving in training;
                hidden is then (B, R, W, D).

        Returns:
            EncoderOutput with hidden (B, R, S, D), all_hidden L + 1 of (B, R, S, D), attention L of (B, R, H, S, S);
            R = 1 for rows="summed". Rows that are frozen carry no gradient.

        Raises:
            AudioformerError: a row the model or the tokens do not have, or a sequence that is too long.
        """
        if self.config.rows == "summed" and rows is not None:
            raise AudioformerError("rows='summed' reads all rows at once; leave the argument rows out")
        rows = self.check_rows(tokens, rows)
        options = (need_weights, need_hidden)
        if padding is not None and not padding.any():
            padding = None  # the fused attention kernels are fastest without a mask
        at = [None] * len(rows) if positions is None else positions.unbind(1)
        if self.config.rows == "summed":
            outputs = [self.encoders[0](tokens[:, : self.config.n_codebooks], padding, None, *options, at[0])]
        elif self.config.rows == "shared":
            row = torch.tensor(rows, device=tokens.device).repeat_interleave(len(tokens))  # row by row, all clips each
            folded = torch.cat([tokens[:, k] for k in rows])[:, None]  # (R * B, 1, S)
            folded_padding = None if padding is None else padding.repeat(len(rows), 1)
            folded_at = None if positions is None else torch.cat(at)
            output = self.encoders[0](folded, folded_padding, row, *options, folded_at)
            return output.each(lambda part: part.unflatten(0, (len(rows), -1)).transpose(0, 1))
        else:
            outputs = [self.encoders[k](tokens[:, [k]], padding, None, *options, at[r]) for r, k in enumerate(rows)]
        return _stack(outputs)

    def inputs(self, item) -> Tensor:
        """(K, T) codes of a clip of a corpus."""
        return torch.as_tensor(item.codes)

    def read(self, codec: Codec, waveform: Waveform | Tensor, sample_rate: int | None = None) -> Tensor:
        """(B, K, T) codes of a sound."""
        return codec.encode(waveform, sample_rate, self.config.n_codebooks)

    def collate(self, clips: Sequence) -> TokenBatch:
        """Clips (K, T_i) to one padded batch of the rows that the model reads."""
        return collate([clip[: self.config.n_codebooks] for clip in clips], self.config.codebook_size)

    def hide_some(
        self, batch: TokenBatch, share: float, span: int, row_share: float, generators: Sequence[torch.Generator]
    ) -> TokenBatch:
        """The batch with MASK at a share of its codes, and at all codes of the finer rows of some clips."""
        if share:
            masks = MaskConfig(mask_ratio=share, span=span)
            batch = replace(batch, tokens=mask_tokens(batch, masks, generators, self.config.rows == "summed")[0])
        return replace(batch, tokens=drop_rows(batch, row_share, generators)) if row_share else batch

    def frame_padding(self, padding: Tensor) -> Tensor:
        """(B, T) bool, True = beyond the clip's end.

        EOA, the position after the last frame, is the last that is real.
        """
        return padding[:, 2:]

    def keep_tables(self) -> None:
        """Freeze the token embeddings."""
        for encoder in self.encoders:
            encoder.embeddings.tables.requires_grad_(False)

    def guessing_vectors(
        self,
        tokens: Tensor,
        padding: Tensor | None = None,
        rows: Iterable[int] | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """What `mlm_logits` reads: `forward(...).hidden`, with subsampling made into vectors of single frames first.

        Args:
            tokens: (B, K, S) with MASK at hidden codes; this and the others as in `forward`.
            padding: (B, S) bool or None.
            rows: which rows.
            positions: (B, R, W) int64, the only positions of use.

        Returns:
            (B, R, S, D), or (B, R, W, D).
        """
        output = self(tokens, padding, rows, positions=None if self.decoders else positions)
        if not self.decoders:
            return output.hidden
        vectors = []
        for r, k in enumerate([0] if self.config.rows == "summed" else self.check_rows(tokens, rows)):
            decoder = self.decoders[k if self.config.rows == "separate" else 0]
            only_at = None if positions is None else positions[:, r]
            vectors.append(decoder(output.hidden[:, r], output.embedded[:, r], padding, only_at))
        return torch.stack(vectors, 1)

    def mlm_logits(self, hidden: Tensor, row: int = 0) -> Tensor:
        """Scores for every token from hidden vectors of one row.

        Args:
            hidden: (..., D) vectors of that row; for speed only those wanted, `output.hidden[:, r][target_mask[:, r]]`.
            row: which row's codes to guess.

        Returns:
            (..., V + 4) logits.

        Raises:
            AudioformerError: the model was made without heads.
        """
        if not self.heads:
            raise AudioformerError("this model has no prediction heads (a fine-tuned one); load a pre-trained one")
        encoder = self.encoders[row if self.config.rows == "separate" else 0]
        table = encoder.embeddings.tables[row if self.config.rows == "summed" else 0]
        return self.heads[0 if self.config.rows == "shared" else row](hidden, table.weight)

    def row_embeddings(
        self, tokens: Tensor, padding: Tensor | None = None, rows: Iterable[int] | None = None
    ) -> Tensor:
        """One vector per clip and row, (B, R, D): `mean_pool` of `forward`, whose arguments and errors these are."""
        return mean_pool(self(tokens, padding, rows).hidden, padding)

    def embedding(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """The clip's vector, (B, D): row 1 ("separate"), mean of the rows ("shared") or the summed rows' vector."""
        rows = [0] if self.config.rows == "separate" else None
        return self.row_embeddings(tokens, padding, rows).mean(1)

    def freeze_rows(self, rows: Iterable[int]) -> None:
        """Stop some rows' encoders from learning: no gradient, no dropout even in training mode (FT2's rows 2..K).

        Args:
            rows: counted from 0; replaces what was frozen before, so [] lets all rows learn.

        Raises:
            AudioformerError: rows is not "separate" (the rows share one encoder), or no such row.
        """
        rows = set(rows)
        if rows and (self.config.rows != "separate" or not rows <= set(range(self.config.n_codebooks))):
            raise AudioformerError(
                f"rows {sorted(rows)} cannot be frozen: needs rows='separate' (is {self.config.rows!r}) "
                f"and numbers from 0 to {self.config.n_codebooks - 1}"
            )
        self.frozen_rows = rows
        for k, encoder in enumerate(self.encoders):
            encoder.requires_grad_(k not in rows)
            if k < len(self.heads):
                self.heads[k].requires_grad_(k not in rows)
        self.train(self.training)

    def train(self, mode: bool = True) -> AudioFormer:
        """Training or evaluation mode; frozen rows stay in evaluation mode."""
        super().train(mode)
        for k in self.frozen_rows:
            self.encoders[k].eval()
        return self

    def check_rows(self, tokens: Tensor, rows: Iterable[int] | None) -> list[int]:
        """The rows to work on, checked against the model and the tokens."""
        n_rows = self.config.n_codebooks
        chosen = list(range(n_rows)) if rows is None else list(rows)
        if not chosen or min(chosen) < 0 or max(chosen) >= n_rows:
            raise AudioformerError(f"rows {chosen} must be among 0 to {n_rows - 1}, the rows of this model")
        needed = n_rows if self.config.rows == "summed" else max(chosen) + 1
        if tokens.ndim != 3 + tokens.is_floating_point() or tokens.shape[1] < needed:
            raise AudioformerError(
                f"tokens of shape {tuple(tokens.shape)} must be (clips, rows, positions) with at least {needed} rows; "
                f"encode with n_codebooks={n_rows}"
            )
        return chosen


def _stack(outputs: list[EncoderOutput]) -> EncoderOutput:
    """R outputs of (B, ...) to one of (B, R, ...)."""

    def stack(parts):
        if parts[0] is None or isinstance(parts[0], Tensor):
            return None if parts[0] is None else torch.stack(parts, 1)
        return [torch.stack(layer, 1) for layer in zip(*parts, strict=True)]

    fields = zip(*(vars(output).values() for output in outputs), strict=True)
    return EncoderOutput(*map(stack, fields))
