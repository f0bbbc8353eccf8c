"""Sound in as it comes, codes out as soon as they can be known: exactly the codes of the whole clip.

    stream = codec.stream()
    for chunk in microphone:                 # any number of samples
        codes = stream.push(chunk)           # (1, K, T_new), T_new often 0
    codes = stream.finish()                  # what the end of the sound makes known

The blocks are those of the whole clip (blocks.py): what a block does not know yet is zero, and only codes that do not
depend on it are given out.

Shapes: B clips, C channels, N samples, K codebooks, T frames, D width of a latent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from audioformer.audio import Waveform, to_batch
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.codecs.blocks import BlockCodec


class CodecStream:
    """Codes of one sound while it is still coming in; from `BlockCodec.stream`.

    The look-ahead is the codec's (`look_ahead_s`), and memory does not grow with the sound. Each push that makes a
    frame known computes the block it is in; where pushes are so short that this costs too much, `every_s` has the
    stream wait.

    Args:
        codec: at whose rate the sound comes.
        n_codebooks: K, rows to give.
        every_s: sound to collect between two answers, seconds; 0 gives every code as soon as it can be known.

    Attributes:
        n_frames: frames given out so far.
        scales: (1, S) levels divided out of the codes given out so far, as `encode_scaled` returns them.
        look_ahead_s: future sound that a frame depends on, seconds. EnCodec at 24 kHz mirrors the beginning of a clip:
            there the first 7 frames (93 ms) become known together.
    """

    def __init__(self, codec: BlockCodec, n_codebooks: int, every_s: float = 0.0):
        self.codec, self.n_codebooks, self.n_frames = codec, n_codebooks, 0
        self.look_ahead_s = codec.look_ahead_s
        self.scales = torch.ones(1, 0)
        self._every = every_s * codec.frame_rate
        self._finished = False
        self._samples = torch.zeros(1, codec.channels, codec.past_samples, device=codec.device)  # of the present block
        self._n_samples = 0  # samples of the sound so far
        self._start, self._memory = 0, None  # first frame of the present block; what was remembered before it

    @torch.no_grad()
    def push(self, samples) -> Tensor:
        """Add sound.

        Args:
            samples: (N,) for a mono codec, or (C, N), N >= 0: array, tensor or Waveform at the codec's rate.

        Returns:
            (1, K, T_new) int64: the codes known now that were not before; T_new is often 0.

        Raises:
            AudioformerError: the stream is finished, or samples of another rate, shape or not finite. Then nothing
                was added, and the stream continues.
        """
        self._check_open()
        samples = self._checked(samples)
        self._n_samples += samples.shape[-1]
        return self._joined(self._take(samples))

    @torch.no_grad()
    def finish(self) -> Tensor:
        """The sound is over.

        Returns:
            (1, K, T_new) int64: the codes that were still open; none if there was no sound at all.

        Raises:
            AudioformerError: finished before.
        """
        self._check_open()
        self._finished = True
        return self._joined(self._rest() if self._n_samples else [])

    def _take(self, samples: Tensor) -> list[Tensor]:
        """Codes of all blocks that are whole now, and if it is time those known of the present block."""
        codes = self._whole_blocks(samples)
        n_new = self.codec.known_frames(self._n_samples) - self.n_frames
        return codes + self._known(self._n_samples) if n_new >= max(1, self._every) else codes

    def _whole_blocks(self, samples: Tensor) -> list[Tensor]:
        codec, codes = self.codec, []
        self._samples = torch.cat([self._samples, samples], -1)
        while self._samples.shape[-1] >= (n_samples := codec.block_samples(self._start)):
            latents, self._memory = codec.encode_block(self._samples[..., :n_samples], self._memory)
            codes.append(self._new_codes(latents))
            self._samples = self._samples[..., codec.block_frames(self._start) * codec.hop_length :]
            self._start = self.n_frames
        self._samples = self._samples.clone()  # frees the whole blocks' samples
        return codes

    def _known(self, n_samples: int) -> list[Tensor]:
        """Codes of the present block that do not depend on sound after n_samples; the rest of it counts as silent."""
        known = self.codec.known_frames(n_samples)
        if known <= self.n_frames:
            return []
        missing = self.codec.block_samples(self._start) - self._samples.shape[-1]
        latents, _ = self.codec.encode_block(F.pad(self._samples, (0, missing)), self._memory)
        return [self._new_codes(latents, known)]

    def _rest(self) -> list[Tensor]:
        """Codes of all that is left, now that the sound is over: ceil(N / hop) frames in all."""
        codec, n_samples, codes = self.codec, self._n_samples, []
        n_frames = -(-n_samples // codec.hop_length)
        if codec.ends_in_silence:
            n_samples = n_frames * codec.hop_length + codec.future_samples
            codes += self._whole_blocks(self._samples.new_zeros(1, codec.channels, n_samples - self._n_samples))
        codes += self._known(n_samples)
        if self.n_frames < n_frames:  # frames that the encoder fills up in its own way
            codes.append(self._new_codes(codec.encode_block(self._samples, self._memory)[0]))
        return codes

    def _new_codes(self, latents: Tensor, stop: int | None = None) -> Tensor:
        """Codes of the present block that were not given out before, up to frame `stop`; they are given out now."""
        codes = self.codec.quantise(latents, self.n_codebooks)[..., : None if stop is None else stop - self._start]
        codes = codes[..., self.n_frames - self._start :]
        self.n_frames += codes.shape[-1]
        return codes

    def _joined(self, codes: list[Tensor]) -> Tensor:
        nothing = torch.zeros(1, self.n_codebooks, 0, dtype=torch.int64, device=self.codec.device)
        return torch.cat([nothing, *codes], -1)

    def _check_open(self) -> None:
        if self._finished:
            raise AudioformerError("the stream is finished and takes no more sound; start another with codec.stream()")

    def _checked(self, samples) -> Tensor:
        """(1, C, N) float32, or an error."""
        rate, channels = self.codec.sample_rate, self.codec.channels
        if isinstance(samples, Waveform):
            if samples.sample_rate != rate:
                raise AudioformerError(
                    f"chunk at {samples.sample_rate} Hz: this stream takes {rate} Hz; resample the whole sound first"
                )
            samples = samples.samples
        samples = torch.as_tensor(samples)
        dimensions = (1, 2) if channels == 1 else (2,)
        if samples.dim() not in dimensions or (samples.dim() == 2 and samples.shape[0] != channels):
            shapes = "(N,) or (1, N)" if channels == 1 else f"({channels}, N)"
            raise AudioformerError(f"chunk has shape {tuple(samples.shape)}; {self.codec.name} takes {shapes}, any N")
        if samples.shape[-1] == 0:
            return torch.zeros(1, channels, 0, device=self.codec.device)
        return to_batch(samples, rate, rate, channels).to(self.codec.device)


class SegmentStream(CodecStream):
    """The same for a codec that cuts clips into segments and codes each alone, once it is whole (EnCodec at 48 kHz).

    The codec has `segment_length` and `segment_stride` (samples) and `encode_segment`.
    """

    def _take(self, samples: Tensor) -> list[Tensor]:
        self._samples, codes = torch.cat([self._samples, samples], -1), []
        while self._samples.shape[-1] >= self.codec.segment_length:
            codes.append(self._segment())
        return codes

    def _rest(self) -> list[Tensor]:
        codes = []
        while self._samples.shape[-1]:
            codes.append(self._segment())
        return codes

    def _segment(self) -> Tensor:
        latents, level = self.codec.encode_segment(self._samples[..., : self.codec.segment_length])
        self._samples = self._samples[..., self.codec.segment_stride :].clone()
        self.scales = torch.cat([self.scales.to(level.device), level[:, 0]], -1)
        self._start = self.n_frames
        return self._new_codes(latents)
