"""EnCodec, 24 kHz mono and 48 kHz stereo: the published codec behind the same interface as our own.

Défossez et al. 2022 (arXiv 2210.13438), through their package `encodec` 0.1.1. In the data path it stands where
`compact` stands: sound in, codes (B, K, T) out. The package keeps the bit rate as hidden state; here the number of
codebooks is an argument, and the rows are the same ones that the package returns.

Shapes: B clips, C channels, N samples, K codebooks, T frames, V entries per codebook, D = 128 latent width,
S segments (48 kHz only).
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from audioformer.codecs.blocks import BlockCodec, pieces
from audioformer.codecs.encodec_fast import Memory, lstm_index, run_stretch
from audioformer.codecs.encodec_files import RELEASES, find_weights, import_encodec, read_weights
from audioformer.codecs.stream import SegmentStream
from audioformer.errors import AudioformerError
from audioformer.rvq import quantise

LICENCE = "CC BY-NC 4.0 (the PyPI release encodec 0.1.1, code and weights): not for commercial use"

# A long clip is decoded in pieces, so that an hour does not need the memory of an hour; a clip that fits is one piece,
# hence bit-equal to the package. 4 frames of left context cover the under 2 that a causal output depends on.
PIECE_FRAMES = 4500  # 60 s at 75 frames/s
CONTEXT_FRAMES = 4


class EncodecCodec(BlockCodec):
    """EnCodec as it was published for 24 kHz: mono, strictly causal, one pass over the whole clip.

    Args:
        model: an `encodec.EncodecModel` with its weights.
        name: "encodec_24khz".
    """

    look_ahead_s = 0.0
    first_frames = 7  # the last convolution mirrors the first 7 frames to before the clip
    ends_in_silence = False
    licence = LICENCE

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.name = name
        self.sample_rate = model.sample_rate
        self.channels = model.channels
        self.hop_length = math.prod(model.encoder.ratios)
        self.n_codebooks = model.quantizer.n_q
        self.codebook_size = model.quantizer.bins
        vectors = torch.stack([layer.codebook for layer in model.quantizer.vq.layers])
        self.register_buffer("_codebooks", vectors, persistent=False)
        self.eval()

    def codebooks(self) -> Tensor:
        """(K, V, D) float32."""
        return self._codebooks

    def block_frames(self, start: int) -> int:
        """16, 16, 32, then always 64 frames: cheap for short clips, fast for long ones."""
        return min(64, max(16, start))

    def encode_block(self, samples: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """See `BlockCodec`; the memory is that of the convolutions and of the LSTM."""
        remembered: Memory = {}
        return run_stretch(self.model.encoder.model, samples, memory, remembered), remembered

    def quantise(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """(B, D, n) latents to (B, n_codebooks, n) codes."""
        return quantise(latents.transpose(1, 2), self._codebooks[:n_codebooks])

    def _decode(self, codes: Tensor, scales: Tensor) -> Tensor:
        del scales
        layers, hop = self.model.decoder.model, self.hop_length
        lstm = lstm_index(layers)
        hidden = layers[: lstm + 1](self.model.quantizer.decode(codes.transpose(0, 1)))
        samples = [
            layers[lstm + 1 :](hidden[..., read])[..., real.start * hop :]
            for read, real in pieces(hidden.shape[-1], PIECE_FRAMES, CONTEXT_FRAMES, 0)
        ]
        return torch.cat(samples, -1)


class SegmentedEncodecCodec(EncodecCodec):
    """EnCodec as it was published for 48 kHz: stereo, not causal, in normalised segments of 1 s.

    A clip is cut into segments of 48000 samples that start every 47520 (1 % overlap); the last ones may be shorter.
    Each is divided by its own root mean square and coded alone. Codes and latents of all segments stand one after the
    other along T, so T is a little more than N / 320 (150 frames for each 0.99 s) and frame t of segment s begins at
    s * 0.99 s + t / 150 s. `segment_lengths` finds the borders again from T alone. The levels are not in the codes:
    `encode_scaled` returns them, and `decode` takes them.
    """

    look_ahead_s = 1.0

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__(model, name)
        self.segment_length, self.segment_stride = model.segment_length, model.segment_stride

    def segment_lengths(self, n_frames: int) -> list[int]:
        """Frames in each separately coded segment of a clip of n_frames; they add up to n_frames.

        Every segment has 150 frames, the last 1 to 149. A clip that ends less than half a frame into its last segment
        also ends before the last frame of the one before: then they have 149 and 1. So T = 150 (S - 1) + r tells S.

        Example:
            >>> load_encodec("encodec_48khz").segment_lengths(301)  # doctest: +SKIP
            [150, 150, 1]
        """
        full = self.segment_length // self.hop_length
        n_before, last = divmod(n_frames, full)
        if n_before and last == 0:
            return [full] * (n_before - 1) + [full - 1, 1]
        return [full] * n_before + [last]

    def n_scales(self, n_frames: int) -> int:
        """S, one for each segment."""
        return len(self.segment_lengths(n_frames))

    def scales(self, samples: Tensor) -> Tensor:
        """(B, S) root mean square of each segment of (B, C, N)."""
        return torch.cat([_level(segment) for segment in self._cut(samples)], dim=-1).squeeze(1)

    def latent_blocks(self, samples: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """See `Codec`: the blocks are the segments."""
        for segment in self._cut(samples):
            yield self.encode_segment(segment)[0], slice(None)

    def encode_segment(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, <= 48000) a segment to its latents (B, D, n) and its level (B, 1, 1)."""
        level = _level(samples)
        return self.model.encoder(samples / level), level

    def stream(self, n_codebooks: int | None = None, every_s: float = 0.0) -> SegmentStream:
        """As `BlockCodec.stream`; codes come by the segment, whatever `every_s` is."""
        return SegmentStream(self, self.check_rows(n_codebooks), every_s)

    def _cut(self, samples: Tensor) -> Iterator[Tensor]:
        """(B, C, N) into S overlapping segments (B, C, <= 48000)."""
        for start in range(0, samples.shape[-1], self.segment_stride):
            yield samples[..., start : start + self.segment_length]

    def _decode(self, codes: Tensor, scales: Tensor) -> Tensor:
        segments = codes.split(self.segment_lengths(codes.shape[-1]), dim=-1)
        return self.model.decode(list(zip(segments, scales.split(1, dim=1), strict=True)))


def load_encodec(name: str, weights: str | os.PathLike | None = None) -> EncodecCodec:
    """Open a published EnCodec. Its licence, CC BY-NC 4.0, forbids commercial use.

    Args:
        name: "encodec_24khz" or "encodec_48khz".
        weights: the checkpoint file or the folder that holds it; None looks in the folder of AUDIOFORMER_WEIGHTS and
            in torch's hub cache, then downloads.

    Returns:
        Codec in evaluation mode. Torch's global random state is as it was.

    Raises:
        AudioformerError: unknown name, package or weights missing (the message says which file to put where), a wrong
            hash, or anything but tensors in the file.

    Example:
        >>> codec = load_encodec("encodec_24khz", weights="weights/")  # doctest: +SKIP
        >>> codec.encode(torch.zeros(24000), 24000, n_codebooks=8).shape  # doctest: +SKIP
        torch.Size([1, 8, 75])
    """
    release = RELEASES.get(name)
    if release is None:
        raise AudioformerError(f"codec={name!r}: no such EnCodec; choose {' or '.join(RELEASES)}")
    package = import_encodec()
    path = find_weights(release, weights)
    state = read_weights(release, path)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's notice that weight_norm has a newer form
        model = getattr(package.EncodecModel, release.factory)(pretrained=False)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise AudioformerError(
            f"{path}: its tensors do not fit {name}; get {release.filename} from {release.url}"
        ) from error
    return (SegmentedEncodecCodec if model.segment else EncodecCodec)(model, name)


def _level(segment: Tensor) -> Tensor:
    """Root mean square of the mono mix, (B, 1, 1), kept above zero: what the package divides a segment by."""
    return segment.mean(1, keepdim=True).pow(2).mean(-1, keepdim=True).sqrt() + 1e-8
