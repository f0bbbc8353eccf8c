"""Sound in as it comes, codes out as soon as they can be known: exactly the codes of the whole clip.

    stream = codec.stream()
    for chunk in microphone:                 # any number of samples
        codes = stream.push(chunk)           # (1, K, T_new), T_new often 0
    codes = stream.finish()                  # what the end of the sound makes known

A code is a decision between distances that may be nearly equal, and floats added in another order give another last
bit; which order, a library decides by the shape of the arrays. So a clip is always computed in the same blocks of the
same shapes, whether it comes whole or in portions: what a block does not know yet is zero, and only codes that do not
depend on it are given out. From block to block the codec hands on what its causal layers remember.

Shapes: B clips, C channels, N samples, K codebooks, T frames, D width of a latent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from audioformer.audio import Waveform, to_batch
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.codec import Codec


class Walk:
    """A clip on its way through an encoder, block by block: the one path of whole clips and of streams.

    Args:
        codec: says how long a block is (`block_frames`), what it reads around it (`past_samples`, `future_samples`),
            how many frames must be whole before the first is known (`first_frames`), and computes it (`encode_block`).
        answer: latents (B, D, n) of a block to what is wanted of them, (B, ..., n).
    """

    def __init__(self, codec: Codec, answer: Callable[[Tensor], Tensor]):
        self.codec, self.answer = codec, answer
        self.samples = None  # (B, C, .) from `past_samples` before the present block on
        self.memory = None  # what the causal layers remember of all before
        self.start = self.given = self.n_samples = 0  # first frame of the block; frames given out; samples taken

    def take(self, samples: Tensor) -> list[Tensor]:
        """Add samples (B, C, N); the answers of all blocks that are whole now."""
        if self.samples is None:
            self.samples = samples.new_zeros(*samples.shape[:2], self.codec.past_samples)
        self.samples, answers = torch.cat([self.samples, samples], -1), []
        self.n_samples += samples.shape[-1]
        while self.samples.shape[-1] >= self._window:
            n_frames = self.codec.block_frames(self.start)
            latents, self.memory = self.codec.encode_block(self.samples[..., : self._window], self.memory)
            answers.append(self.answer(latents)[..., self.given - self.start :])
            self.start = self.given = self.start + n_frames
            self.samples = self.samples[..., n_frames * self.codec.hop_length :]
        self.samples = self.samples.clone()  # lets go of the whole blocks' samples
        return answers

    def known(self) -> int:
        """How many frames do not depend on sound still to come."""
        frames = max(0, self.n_samples - self.codec.future_samples) // self.codec.hop_length
        return frames if frames >= self.codec.first_frames else 0

    def peek(self) -> list[Tensor]:
        """Answers of the present block that are known and not given out yet; the rest of it counts as silent."""
        known = self.known()
        if known <= self.given:
            return []
        window = F.pad(self.samples, (0, self._window - self.samples.shape[-1]))
        answer = self.answer(self.codec.encode_block(window, self.memory)[0])
        answer = answer[..., self.given - self.start : known - self.start]
        self.given = known
        return [answer]

    def finish(self) -> list[Tensor]:
        """Answers of all that is left, now that the clip is over: ceil(N / hop) frames in all."""
        n_frames, answers = -(-self.n_samples // self.codec.hop_length), []
        if self.codec.ends_in_silence:
            missing = n_frames * self.codec.hop_length - self.n_samples + self.codec.future_samples
            answers += self.take(self.samples.new_zeros(*self.samples.shape[:2], missing))
        answers += self.peek()
        if self.given < n_frames:  # frames that the encoder fills up in its own way
            latents, _ = self.codec.encode_block(self.samples, self.memory)
            answers.append(self.answer(latents)[..., self.given - self.start :])
            self.given = n_frames
        return answers

    @property
    def _window(self) -> int:
        """Samples that the present block reads."""
        frames = self.codec.block_frames(self.start)
        return self.codec.past_samples + frames * self.codec.hop_length + self.codec.future_samples


class SegmentWalk:
    """The same for a codec that cuts clips into segments and codes each alone, once it is whole (EnCodec at 48 kHz).

    Args:
        codec: whose `encode_block` gives latents and level of a segment.
        answer: latents (B, D, n) of a segment to what is wanted of them, (B, ..., n).
        length: of a segment, samples; the last ones of a clip are shorter.
        stride: from the beginning of one to that of the next, samples.

    Attributes:
        levels: (B, 1) of each segment answered so far: what it was divided by.
    """

    def __init__(self, codec: Codec, answer: Callable[[Tensor], Tensor], length: int, stride: int):
        self.codec, self.answer, self.length, self.stride = codec, answer, length, stride
        self.samples, self.levels, self.n_samples, self.given = None, [], 0, 0

    def take(self, samples: Tensor) -> list[Tensor]:
        """Add samples (B, C, N); the answers of all segments that are whole now."""
        self.samples = samples if self.samples is None else torch.cat([self.samples, samples], -1)
        self.n_samples += samples.shape[-1]
        answers = []
        while self.samples.shape[-1] >= self.length:
            answers.append(self._next())
        self.samples = self.samples.clone()
        return answers

    def known(self) -> int:
        """No frame of a segment is known before it is whole."""
        return self.given

    def finish(self) -> list[Tensor]:
        """Answers of the segments that are left, now that the clip is over."""
        answers = []
        while self.samples.shape[-1]:
            answers.append(self._next())
        return answers

    def _next(self) -> Tensor:
        latents, level = self.codec.encode_block(self.samples[..., : self.length], None)
        self.samples = self.samples[..., self.stride :]
        self.levels.append(level[:, 0])
        return self.answer(latents)


class CodecStream:
    """Codes of one sound while it is still coming in; made by `Codec.stream`.

    The look-ahead is the codec's (`look_ahead_s`), and memory does not grow with the sound. Each push that makes a
    frame known computes the block it is in; where pushes are so short that this costs too much, `every_s` has the
    stream wait.

    Args:
        codec: at whose rate the sound comes.
        n_codebooks: K, rows wanted.
        every_s: sound to collect between two answers, seconds; 0 gives every code as soon as it can be known.

    Attributes:
        n_frames: frames given out so far.
        look_ahead_s: future sound that a frame depends on, seconds. EnCodec at 24 kHz mirrors the beginning of a clip:
            there the first 7 frames (93 ms) become known together.
    """

    def __init__(self, codec: Codec, n_codebooks: int, every_s: float = 0.0):
        self.codec, self.n_codebooks, self.n_frames = codec, n_codebooks, 0
        self.look_ahead_s = codec.look_ahead_s
        self._every = every_s * codec.frame_rate
        self._walk = codec.walk(lambda latents: codec.quantise(latents, n_codebooks))
        self._finished = False

    @property
    def scales(self) -> Tensor | None:
        """(1, S) levels of the segments given out so far, as `encode_scaled` returns; None: nothing is divided out."""
        return torch.cat(self._walk.levels, -1) if getattr(self._walk, "levels", None) else None

    @torch.no_grad()
    def push(self, samples) -> Tensor:
        """Add sound.

        Args:
            samples: (N,) for a mono codec, or (C, N), N >= 0: array, tensor or Waveform at the codec's rate.

        Returns:
            (1, K, T_new) int64: the codes known now that were not before; T_new is often 0.

        Raises:
            AudioformerError: the stream is finished, or samples of another rate, shape or not finite. Then nothing
                was added, and the stream goes on.
        """
        self._check_open()
        samples = self._checked(samples)
        answers = self._walk.take(samples) if samples.shape[-1] else []
        if self._walk.known() - self._walk.given >= max(1, self._every):
            answers += self._walk.peek()
        return self._joined(answers)

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
        return self._joined(self._walk.finish() if self._walk.n_samples else [])

    def _joined(self, answers: list[Tensor]) -> Tensor:
        nothing = torch.zeros(1, self.n_codebooks, 0, dtype=torch.int64, device=self.codec.device)
        codes = torch.cat([nothing, *answers], -1)
        self.n_frames += codes.shape[-1]
        return codes

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
        wanted = (1, 2) if channels == 1 else (2,)
        if samples.dim() not in wanted or (samples.dim() == 2 and samples.shape[0] != channels):
            shapes = "(N,) or (1, N)" if channels == 1 else f"({channels}, N)"
            raise AudioformerError(f"chunk has shape {tuple(samples.shape)}; {self.codec.name} takes {shapes}, any N")
        if samples.shape[-1] == 0:
            return torch.zeros(1, channels, 0, device=self.codec.device)
        return to_batch(samples, rate, rate, channels).to(self.codec.device)
