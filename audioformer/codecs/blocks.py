"""Encoders that work through a clip in blocks of fixed shapes, so that an hour of sound needs little memory.

A code is a decision between distances that may be nearly equal, and floats added in another order give another last
bit; which order, a library decides by the shape of the arrays. So a clip is always computed in the same blocks of the
same shapes, whether it comes whole (here) or in portions (stream.py). From block to block the codec carries over what
its causal layers remember.

Shapes: B clips, C channels, N samples, T frames, D width of a latent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from audioformer.codec import Codec
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.codecs.stream import CodecStream


class BlockCodec(Codec):
    """A codec whose encoder is causal but for a short look-ahead: it works through a clip in blocks of fixed shapes.

    Subclasses implement `block_frames` and `encode_block`.

    Attributes:
        past_samples: that a block of frames reads before its own; what reaches further back is in its memory.
        future_samples: that it reads after its own.
        first_frames: frames that must be whole before the first of a clip is known.
        ends_in_silence: what follows a clip counts as silence; else the encoder fills its last frame in its own way.
    """

    past_samples: int = 0
    future_samples: int = 0
    first_frames: int = 1
    ends_in_silence: bool = True

    def block_frames(self, start: int) -> int:
        """Frames of the block that begins at frame `start`: short ones first, so that short clips cost little."""
        raise NotImplementedError

    def encode_block(self, samples: Tensor, memory) -> tuple[Tensor, object]:
        """Latents of the next block.

        Args:
            samples: (B, C, past_samples + n * hop_length + future_samples).
            memory: what the block before returned; None at the clip's beginning.

        Returns:
            latents (B, D, n) and the memory for the next block.
        """
        raise NotImplementedError

    def block_samples(self, start: int) -> int:
        """Samples that the block that begins at frame `start` reads."""
        return self.past_samples + self.block_frames(start) * self.hop_length + self.future_samples

    def known_frames(self, n_samples: int) -> int:
        """How many frames do not depend on sound after the first n_samples."""
        frames = max(0, n_samples - self.future_samples) // self.hop_length
        return frames if frames >= self.first_frames else 0

    def latent_blocks(self, samples: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """See `Codec`."""
        n_frames, start, memory = -(-samples.shape[-1] // self.hop_length), 0, None
        silence = n_frames * self.hop_length + self.future_samples - samples.shape[-1] if self.ends_in_silence else 0
        known = self.known_frames(samples.shape[-1] + silence)
        samples = F.pad(samples, (self.past_samples, silence))
        while (missing := start * self.hop_length + self.block_samples(start) - samples.shape[-1]) <= 0:
            block = samples[..., start * self.hop_length :][..., : self.block_samples(start)]
            latents, memory = self.encode_block(block, memory)
            yield latents, slice(None)
            start += self.block_frames(start)
        rest = samples[..., start * self.hop_length :]
        if known > start:  # frames that do not depend on what follows the clip
            yield self.encode_block(F.pad(rest, (0, missing)), memory)[0], slice(known - start)
        if known < n_frames:  # frames that the encoder fills up in its own way
            yield self.encode_block(rest, memory)[0], slice(max(0, known - start), None)

    def stream(self, n_codebooks: int | None = None, every_s: float = 0.0) -> CodecStream:
        """Sound to codes while it comes in, in chunks of any size; together they are exactly those of `encode`.

        Args:
            n_codebooks: rows to give, 1 to `self.n_codebooks`; None gives all.
            every_s: sound to collect between two answers, seconds; 0 gives every code as soon as it can be known.

        Returns:
            CodecStream with `push(samples)` and `finish()`.

        Raises:
            AudioformerError: n_codebooks out of range, or a negative time.
        """
        if not 0 <= every_s < float("inf"):
            raise AudioformerError(f"every_s={every_s} is no time to wait; give 0 or more seconds")
        from audioformer.codecs.stream import CodecStream

        return CodecStream(self, self.check_rows(n_codebooks), every_s)


def pieces(n_frames: int, length: int, before: int, after: int) -> Iterator[tuple[slice, slice]]:
    """Cut T frames into stretches that are worked on with some frames of context.

    Args:
        n_frames: T.
        length: of a stretch, frames.
        before: context before it, frames.
        after: context after it, frames.

    Yields:
        (frames to read, which of those to keep); the latter cover all T frames once, in order.

    Example:
        >>> list(pieces(5, 3, 1, 1))
        [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    for start in range(0, n_frames, length):
        stop, first = min(start + length, n_frames), max(0, start - before)
        yield slice(first, min(stop + after, n_frames)), slice(start - first, stop - first)
