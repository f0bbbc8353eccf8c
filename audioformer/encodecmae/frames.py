"""What a model reads of a clip: rows of codes (AudioFormer), or a frame of numbers 75 times a second (EnCodecMAE).

Between codec and models. Whatever it is, it has T columns, one for each column of codes, and becomes a batch with
`tokens` and `padding`: classifier, windows and training treat both alike.

Shapes: B clips, N samples, K codebook rows, F numbers in a frame, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.audio import Waveform, to_batch
from audioformer.codec import Codec
from audioformer.config import EncoderConfig, check_names
from audioformer.encodecmae.config import EncodecMAEConfig
from audioformer.errors import AudioformerError
from audioformer.tokens import TokenBatch, collate

STORED = ("latents", "mel256")  # what a corpus can hold beside the codes
N_MELS, LOWEST_HZ, PREEMPHASIS = 256, 20.0, 0.97
FLOOR = float(np.finfo(np.float32).eps)  # of the band energies


@dataclass
class FrameBatch:
    """A batch of clips for a model that reads frames; beside it, `TokenBatch` for one that reads codes.

    Attributes:
        tokens: (B, F, T) float32, or (B, K, T) int64 for frames="quantised".
        padding: (B, T) bool, True = nothing there.
    """

    tokens: Tensor
    padding: Tensor

    @property
    def lengths(self) -> Tensor:
        """(B,) int64: frames per clip."""
        return (~self.padding).sum(1)

    def without(self, hidden: Sequence[Tensor]) -> FrameBatch:
        """The batch with some frames taken away, (T',) bool a clip; what is needed stays: one frame of each clip."""
        padding = self.padding.clone()
        for row, piece in zip(padding, hidden, strict=True):
            taken = row[: len(piece)] | piece.to(row.device)
            row[: len(piece)] = taken if not (taken.all() and row[len(piece) :].all()) else row[: len(piece)]
        return FrameBatch(self.tokens, padding)

    def to(self, device) -> FrameBatch:
        """The same batch on another device."""
        return FrameBatch(self.tokens.to(device, non_blocking=True), self.padding.to(device, non_blocking=True))


def collate_frames(clips: Sequence) -> FrameBatch:
    """Clips of different lengths to one padded batch.

    Args:
        clips: B of (F, T_i) numbers, or of (K, T_i) codes.

    Raises:
        AudioformerError: no clips, an empty one, or differing F.
    """
    clips = [torch.as_tensor(clip) for clip in clips]
    if not clips or any(clip.ndim != 2 or 0 in clip.shape or len(clip) != len(clips[0]) for clip in clips):
        raise AudioformerError(
            f"clips must all be (numbers, frames), none empty, at least one: {[tuple(c.shape) for c in clips]}"
        )
    longest = max(clip.shape[1] for clip in clips)
    padding = torch.arange(longest) >= torch.tensor([[clip.shape[1]] for clip in clips])
    return FrameBatch(torch.stack([F.pad(clip, (0, longest - clip.shape[1])) for clip in clips]), padding)


def collate_inputs(config: EncoderConfig | EncodecMAEConfig, clips: Sequence) -> TokenBatch | FrameBatch:
    """Clips as `clip_inputs` or `sound_inputs` give them, to the batch that a model of this shape takes."""
    if isinstance(config, EncoderConfig):
        return collate([clip[: config.n_codebooks] for clip in clips], config.codebook_size)
    if config.frames == "quantised":
        return collate_frames([torch.as_tensor(clip)[: config.n_codebooks].long() for clip in clips])
    return collate_frames([torch.as_tensor(clip).float() for clip in clips])


def clip_inputs(config: EncoderConfig | EncodecMAEConfig, item) -> Tensor:
    """What a model reads of a clip of a corpus: (K, T) codes, or (F, T) frames.

    Raises:
        AudioformerError: the corpus holds no frames, or other ones.
    """
    if isinstance(config, EncoderConfig) or config.frames == "quantised":
        return torch.as_tensor(item.codes)
    frames = getattr(item, "frames", None)
    if frames is None or len(frames) != config.frame_width:
        there = "holds codes only" if frames is None else f"holds frames of {len(frames)} numbers"
        raise AudioformerError(
            f"the model reads {config.frames} ({config.frame_width} numbers a frame) and the corpus {there}; "
            f"prepare it with --frames {config.frames}, or pre-train with --set model.frames=quantised"
        )
    return torch.as_tensor(frames)


def sound_inputs(config: EncoderConfig | EncodecMAEConfig, codec: Codec, waveform: Waveform) -> Tensor:
    """What a model reads of a sound: (K, T) codes, or (F, T) frames.

    Args:
        config: of the model.
        codec: the one it was trained with.
        waveform: mono.

    Raises:
        AudioformerError: unusable waveform.
    """
    if isinstance(config, EncoderConfig) or config.frames == "quantised":
        return codec.encode(waveform, n_codebooks=config.n_codebooks)[0].cpu()
    return sound_frames(config.frames, codec, waveform)[0].cpu()


@torch.no_grad()
def sound_frames(kind: str, codec: Codec, waveform, sample_rate: int | None = None) -> Tensor:
    """The frames of a sound that go with its codes, column by column.

    Args:
        kind: "latents" or "mel256".
        codec: for the latents, and for its frame grid; the mel bands need one that works at 24 kHz.
        waveform: Waveform, array or tensor, as `codec.encode` takes.
        sample_rate: Hz, for bare samples.

    Returns:
        (B, F, T) float32.

    Raises:
        AudioformerError: unknown kind, unusable waveform, or a codec of another rate.
    """
    check_names([kind], STORED, "the list of frames")
    if kind == "latents":
        return codec.latents(waveform, sample_rate).float()
    if codec.sample_rate != 24_000 or codec.channels != 1:
        raise AudioformerError(
            f"mel256 is defined at 24000 Hz, mono; {codec.name} works at {codec.sample_rate} Hz; use frames latents"
        )
    return kaldi_log_mel(to_batch(waveform, sample_rate, codec.sample_rate)[:, 0], codec.sample_rate, codec.hop_length)


def kaldi_log_mel(samples: Tensor, sample_rate: int, hop_length: int) -> Tensor:
    """Log-mel energies as Kaldi computes them, on the codec's frame grid: EnCodecMAE's `mel256` input.

    Of each frame the mean is taken away, every sample loses 0.97 of the one before, a Hann window of two hops follows,
    the power spectrum is summed in 256 triangles that are even on the scale 1127 ln(1 + f / 700), and the logarithm is
    taken. The authors step 318 samples (13.28 ms cut to whole samples) and use a window of 637; we step the codec's 320
    with a window of 640, so that frame and code stay together however long the clip is, and centre each on its code.

    Args:
        samples: (B, N) float32.
        sample_rate: Hz.
        hop_length: samples a frame.

    Returns:
        (B, 256, T), T = ceil(N / hop_length); not standardised.
    """
    size, n_frames = 2 * hop_length, -(-samples.shape[-1] // hop_length)
    left = hop_length // 2
    padded = F.pad(samples, (left, n_frames * hop_length + hop_length - samples.shape[-1]))
    frames = padded.unfold(-1, size, hop_length)[:, :n_frames]
    frames = frames - frames.mean(-1, keepdim=True)
    frames = frames - PREEMPHASIS * torch.cat([frames[..., :1], frames[..., :-1]], -1)
    window = torch.hann_window(size, periodic=False, device=samples.device)
    n_fft = 1 << (size - 1).bit_length()
    power = torch.fft.rfft(frames * window, n=n_fft).abs().square()
    return (power @ kaldi_filters(sample_rate, n_fft).to(samples.device).T).clamp_min(FLOOR).log().transpose(1, 2)


@lru_cache(maxsize=4)
def kaldi_filters(sample_rate: int, n_fft: int) -> Tensor:
    """(256, n_fft // 2 + 1) triangles of height 1, straight on Kaldi's mel scale, from 20 Hz to half the rate."""

    def mel(hz):
        return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)

    edges = np.linspace(mel(LOWEST_HZ), mel(sample_rate / 2), N_MELS + 2)
    bins = mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))
