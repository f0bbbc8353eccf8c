"""EnCodecMAE: AudioFormer turned around. Continuous frames go in, half of them hidden; discrete codes come out.

    frames --linear--> + positions --hidden ones taken out--> encoder --linear--> zeros put in, + positions
    --> decoder --> a softmax for each codebook row, at every frame

The encoder, all that is kept afterwards, never sees a hidden frame; it works on short sequences and so costs less. In
AudioFormer codes are question and answer, here they are the answer only.

Source: EnCodecMAE (arXiv 2309.07391) and its authors' published code.
Shapes: B clips, F numbers in a frame, T frames, S visible frames, D width, R guessed rows, V possible codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.audio import Waveform
from audioformer.codec import Codec
from audioformer.data.frame_batch import FrameBatch, FrameReader, collate_frames
from audioformer.data.frames import sound_frames
from audioformer.encodecmae.config import EncodecMAEConfig
from audioformer.encodecmae.masking import pack_visible, unpack_visible
from audioformer.encodecmae.transformer import DualTransformer, Positions, xavier
from audioformer.encoder import EncoderOutput
from audioformer.errors import AudioformerError

MEL_MEAN, MEL_STD = -6.12, 4.82  # of the mel256 input, as the authors standardise it
MASKED_SHARE = 0.9  # of the loss that hidden frames make; the authors'
SMALLEST_STD = 1e-3


@dataclass
class MAEOutput:
    """How well codes were guessed.

    Attributes:
        loss: () masked_share * masked + (1 - masked_share) * visible, nats.
        masked: () mean over hidden frames of the rows' weighted losses.
        visible: () the same over visible frames.
        row_losses: (R,) of hidden frames, unweighted, no gradient.
        row_accuracy: (R,) share of hidden codes whose best guess was right.
    """

    loss: Tensor
    masked: Tensor
    visible: Tensor
    row_losses: Tensor
    row_accuracy: Tensor


class VisibleEncoder(nn.Module):
    """Standardise, project, add positions, transform: the part that is kept.

    `frame_mean` and `frame_std` are measured on the training clips (`measure`); the authors use fixed numbers for mel
    bands and feed latents as they are (0 and 1).

    Args:
        config: sizes.
    """

    def __init__(self, config: EncodecMAEConfig):
        super().__init__()
        self.config = config
        is_mel = config.frames == "mel256"
        self.register_buffer("frame_mean", torch.full((config.frame_width,), MEL_MEAN if is_mel else 0.0))
        self.register_buffer("frame_std", torch.full((config.frame_width,), MEL_STD if is_mel else 1.0))
        if config.frames == "quantised":
            self.register_buffer("codebooks", torch.zeros(config.n_codebooks, config.codebook_size, config.frame_width))
        self.project = nn.Linear(config.frame_width, config.d_model)
        self.positions = Positions(config.max_positions, config.d_model)
        self.transformer = DualTransformer(config, config.n_layers)

    def numbers(self, frames: Tensor) -> Tensor:
        """(B, F, T) frames, or (B, K, T) codes for frames="quantised", to (B, T, F) before standardising."""
        config = self.config
        if config.frames != "quantised":
            self._check(frames, config.frame_width, "numbers a frame")
            return frames.transpose(1, 2).float()
        self._check(frames[:, : config.n_codebooks], config.n_codebooks, "codebook rows")
        return sum(table[row] for table, row in zip(self.codebooks, frames.unbind(1), strict=False))

    @torch.no_grad()
    def measure(self, frames: Iterable[Tensor]) -> None:
        """Set mean and deviation of each number from clips (F, T) or, quantised, (K, T)."""
        numbers = torch.cat([self.numbers(clip[None])[0].double() for clip in frames])
        self.frame_mean.copy_(numbers.mean(0))
        self.frame_std.copy_(numbers.std(0, correction=0).clamp_min(SMALLEST_STD))

    def embed(self, frames: Tensor) -> Tensor:
        """Frames to (B, T, D) with positions."""
        return self.positions(self.project((self.numbers(frames) - self.frame_mean) / self.frame_std))

    def _check(self, frames: Tensor, n_rows: int, what: str) -> None:
        if frames.ndim != 3 or frames.shape[1] != n_rows:
            raise AudioformerError(f"frames of shape {tuple(frames.shape)} must be (clips, {n_rows} {what}, frames)")
        if frames.shape[2] > self.config.max_positions:
            raise AudioformerError(
                f"{frames.shape[2]} frames are more than max_positions={self.config.max_positions}; "
                "cut the clip into windows"
            )


class EncodecMAE(FrameReader):
    """Encoder of visible frames, decoder, one softmax per codebook row.

    Args:
        config: sizes.
        heads: False leaves decoder and heads out, as fine-tuned models do.
    """

    sub_layer_ends = ("attention.out", "feed_forward.2")

    def __init__(self, config: EncodecMAEConfig, heads: bool = True):
        super().__init__()
        self.config = config
        self.reads_codes = False
        self.frame_slice, self.max_frames = slice(None), config.max_positions
        self.encoders = nn.ModuleList([VisibleEncoder(config)])
        self.decoder = DualTransformer(config, config.n_decoder_layers) if heads else None
        if heads:
            self.to_decoder = nn.Linear(config.d_model, config.d_model)
            self.decoder_positions = Positions(config.max_positions, config.d_model)
            self.heads = nn.ModuleList(nn.Linear(config.d_model, size) for size in config.row_sizes)
        if heads and config.guesses_clusters:
            self.register_buffer("clusters", torch.zeros(config.n_clusters, config.cluster_width or config.d_model))
        self.apply(xavier)

    def forward(
        self,
        frames: Tensor,
        padding: Tensor | None = None,
        rows: Iterable[int] | None = None,
        need_weights: bool = False,
        need_hidden: bool = False,
    ) -> EncoderOutput:
        """Encode whole clips, nothing hidden: what classifiers, probes and the second stage use.

        Args:
            frames: (B, F, T), or (B, K, T) codes for frames="quantised".
            padding: (B, T) bool, True = looked at by nobody; None = none.
            rows: must be None, there are no separate rows.
            need_weights: return the attention weights.
            need_hidden: return every layer's output.

        Returns:
            EncoderOutput as AudioFormer's with one row: hidden (B, 1, T, D), both streams added; all_hidden L + 1 of
            (B, 1, T, D), the post-norm stream (so the last is not `hidden`); attention L of (B, 1, H, T, T).

        Raises:
            AudioformerError: wrong shape, too long, or rows given.
        """
        if rows is not None:
            raise AudioformerError(
                f"rows={rows!r}: EnCodecMAE reads frames, not codebook rows; leave the argument rows out"
            )
        if padding is not None and not padding.any():
            padding = None
        encoder = self.encoders[0]
        hidden, streams, attention = encoder.transformer(encoder.embed(frames), padding, need_weights)
        return EncoderOutput(
            hidden[:, None],
            [stream[:, None] for stream in streams] if need_hidden else None,
            [weights[:, None] for weights in attention] if need_weights else None,
        )

    def inputs(self, item) -> Tensor:
        """(F, T) frames of a clip of a corpus, or its (K, T) codes for frames="quantised".

        Raises:
            AudioformerError: the corpus holds no frames, or other ones.
        """
        if self.config.frames == "quantised":
            return torch.as_tensor(item.codes)
        frames, width = getattr(item, "frames", None), self.config.frame_width
        if frames is None or len(frames) != width:
            there = "holds codes only" if frames is None else f"holds frames of {len(frames)} numbers"
            raise AudioformerError(
                f"the model reads {self.config.frames} ({width} numbers a frame) and the corpus {there}; "
                "prepare it with "
                f"--frames {self.config.frames}, or pre-train with --set model.frames=quantised"
            )
        return torch.as_tensor(frames)

    def read(self, codec: Codec, waveform: Waveform | Tensor, sample_rate: int | None = None) -> Tensor:
        """(B, F, T) frames of a sound, or its (B, K, T) codes for frames="quantised"; as `Codec.encode` otherwise."""
        if self.config.frames == "quantised":
            return codec.encode(waveform, sample_rate, self.config.n_codebooks)
        return sound_frames(self.config.frames, codec, waveform, sample_rate)

    def collate(self, clips: Sequence) -> FrameBatch:
        """Clips as `inputs` or `read` give them, to one padded batch."""
        if self.config.frames == "quantised":
            return collate_frames([torch.as_tensor(clip)[: self.config.n_codebooks].long() for clip in clips])
        return collate_frames([torch.as_tensor(clip).float() for clip in clips])

    def decode(self, frames: Tensor, target_mask: Tensor, padding: Tensor | None = None) -> Tensor:
        """Encode what is visible, put zeros where something is hidden, decode.

        Args:
            frames: (B, F, T), or (B, K, T) codes for frames="quantised"; hidden frames are not used.
            target_mask: (B, T) bool, True = taken away.
            padding: (B, T) bool, True = nothing there; None = none.

        Returns:
            (B, T, D) vectors for the heads; at padding they mean nothing.

        Raises:
            AudioformerError: wrong shape, too long, or a model without decoder.
        """
        if self.decoder is None:
            raise AudioformerError("this model has no decoder (a fine-tuned one); load a pre-trained one")
        encoder = self.encoders[0]
        visible = ~target_mask if padding is None else ~(target_mask | padding)
        packed, packed_padding = pack_visible(encoder.embed(frames), visible)
        encoded, _, _ = encoder.transformer(packed, packed_padding if packed_padding.any() else None)
        unpacked = self.decoder_positions(unpack_visible(self.to_decoder(encoded), visible))
        return self.decoder(unpacked, padding if padding is not None and padding.any() else None)[0]

    def guess(self, frames: Tensor, target_mask: Tensor, padding: Tensor | None = None) -> list[Tensor]:
        """R of (B, T, V): scores of every possible answer, row by row; arguments and errors as `decode`."""
        decoded = self.decode(frames, target_mask, padding)
        return [head(decoded) for head in self.heads]

    def mae_loss(
        self,
        frames: Tensor,
        targets: Tensor,
        target_mask: Tensor,
        padding: Tensor | None = None,
        masked_share: float = MASKED_SHARE,
    ) -> MAEOutput:
        """Guess all frames; hidden ones count most. Logits are made row by row, to save memory.

        Args:
            frames: (B, F, T), or (B, K, T) codes for frames="quantised".
            targets: (B, R, T) int64, in the order of `config.row_names`.
            target_mask: (B, T) bool, True = hidden.
            padding: (B, T) bool or None.
            masked_share: weight of the hidden frames' mean; the rest is the visible frames'.

        Returns:
            MAEOutput.

        Raises:
            AudioformerError: shapes disagree, or any reason of `decode`.
        """
        names = self.config.row_names
        n_clips, n_frames = len(frames), frames.shape[2]
        if targets.shape != (n_clips, len(names), n_frames) or target_mask.shape != (n_clips, n_frames):
            raise AudioformerError(
                f"targets {tuple(targets.shape)} and target_mask {tuple(target_mask.shape)} must be "
                f"(clips, {len(names)}, frames) and (clips, frames) for frames {tuple(frames.shape)}"
            )
        real = torch.ones_like(target_mask) if padding is None else ~padding
        decoded = self.decode(frames, target_mask, padding)[real]  # (M, D)
        is_target = target_mask[real]
        masked, visible, losses, accuracy = 0.0, 0.0, [], []
        for row, (head, weight) in enumerate(zip(self.heads, self.config.row_weights, strict=True)):
            logits, codes = head(decoded).float(), targets[:, row][real]
            surprise = F.cross_entropy(logits, codes, reduction="none")
            masked, visible = (
                masked + weight * mean_where(surprise, is_target),
                visible + weight * mean_where(surprise, ~is_target),
            )
            losses.append(mean_where(surprise.detach(), is_target))
            accuracy.append(mean_where((logits.detach().argmax(-1) == codes).float(), is_target))
        loss = masked_share * masked + (1 - masked_share) * visible
        return MAEOutput(loss, masked, visible, torch.stack(losses), torch.stack(accuracy))


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """() mean of (M,) values where (M,) is True; 0 where nowhere."""
    return (values * where).sum() / where.sum().clamp_min(1)
