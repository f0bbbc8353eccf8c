"""One interface to every neural codec: sound in, discrete codes out, and back.

A codec turns N samples into K rows of T codes. Row 1 is the coarse sketch, each further row corrects what the rows
before it left over (residual vector quantisation). The number of rows is always an argument, never hidden state.

Shapes: B clips, C channels, N samples, K codebooks, T frames, V entries per codebook, D width of a codebook vector.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from audioformer.audio import to_batch
from audioformer.codecs.stream import CodecStream, Walk
from audioformer.errors import AudioformerError
from audioformer.files import write_tensors


class Codec(nn.Module):
    """What every codec here offers.

    Subclasses set the attributes and implement `encode_block`, `quantise`, `_decode` and `codebooks`; all checking,
    resampling and slicing lives here, once, and clips walk through the encoder block by block (stream.py).

    Attributes:
        name: "compact", "encodec_24khz", ...
        sample_rate: Hz the codec works at; anything else is resampled.
        channels: 1 mono, 2 stereo.
        hop_length: samples per frame.
        n_codebooks: rows it has at most.
        codebook_size: V; codes lie in [0, V).
        licence: of the weights, in words.
        look_ahead_s: how much future sound a frame depends on, seconds.
        past_samples: that a block of frames reads before its own; what reaches further back is in its memory.
        future_samples: that it reads after its own.
        first_frames: frames that must be whole before the first of a clip is known.
        ends_in_silence: what follows a clip counts as silence; else the encoder fills its last frame in its own way.
    """

    name: str
    sample_rate: int
    channels: int
    hop_length: int
    n_codebooks: int
    codebook_size: int
    licence: str
    look_ahead_s: float
    past_samples: int = 0
    future_samples: int = 0
    first_frames: int = 1
    ends_in_silence: bool = True

    @property
    def frame_rate(self) -> float:
        """Frames (columns of codes) per second, Hz."""
        return self.sample_rate / self.hop_length

    def bandwidth_kbps(self, n_codebooks: int) -> float:
        """Bit rate of the first n_codebooks rows, kbit/s."""
        return n_codebooks * (self.codebook_size - 1).bit_length() * self.frame_rate / 1000

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of all codebook vectors: two codecs whose codes mean the same share it."""
        return hashlib.sha256(self.codebooks().detach().cpu().float().contiguous().numpy().tobytes()).hexdigest()[:16]

    def codebooks(self) -> Tensor:
        """(K, V, D) float32: the vectors that the codes stand for."""
        raise NotImplementedError

    @torch.no_grad()
    def encode(self, waveform, sample_rate: int | None = None, n_codebooks: int | None = None) -> Tensor:
        """Sound to codes.

        Args:
            waveform: Waveform, array or tensor: (N,), (C, N) or (B, C, N), any rate, int or float.
            sample_rate: Hz (a Waveform brings its own).
            n_codebooks: rows wanted, 1 to `self.n_codebooks`; None gives all.

        Returns:
            (B, K, T) int64 in [0, V); T = ceil(N / hop_length) counted at the codec's own rate.

        Raises:
            AudioformerError: unusable waveform, or n_codebooks out of range.
        """
        n_codebooks = self._check_rows(n_codebooks)
        samples = to_batch(waveform, sample_rate, self.sample_rate, self.channels).to(self.device)
        return self._encode(samples, n_codebooks)

    @torch.no_grad()
    def decode(self, codes: Tensor, n_samples: int | None = None) -> Tensor:
        """Codes to sound.

        Args:
            codes: (B, K, T) or (K, T) integers in [0, V); the first K codebooks are used.
            n_samples: cut the result to this length; None keeps T * hop_length.

        Returns:
            (B, channels, N) float32.

        Raises:
            AudioformerError: wrong shape, too many rows, or a code outside [0, V).
        """
        codes = self._check_codes(codes)
        return self._decode(codes)[..., :n_samples]

    @torch.no_grad()
    def latents(self, waveform, sample_rate: int | None = None) -> Tensor:
        """Encoder output before quantising: (B, D, T) float32. Arguments and errors as `encode`."""
        samples = to_batch(waveform, sample_rate, self.sample_rate, self.channels).to(self.device)
        walk = self.walk(lambda latents: latents)
        return torch.cat(walk.take(samples) + walk.finish(), -1)

    def stream(self, n_codebooks: int | None = None, every_s: float = 0.0) -> CodecStream:
        """Sound to codes while it comes in, in chunks of any size; together they are exactly those of `encode`.

        Args:
            n_codebooks: rows wanted, 1 to `self.n_codebooks`; None gives all.
            every_s: sound to collect between two answers, seconds; 0 gives every code as soon as it can be known.

        Returns:
            CodecStream with `push(samples)` and `finish()`.

        Raises:
            AudioformerError: n_codebooks out of range, or a negative time.
        """
        if not 0 <= every_s < float("inf"):
            raise AudioformerError(f"every_s={every_s} is no time to wait; give 0 or more seconds")
        return CodecStream(self, self._check_rows(n_codebooks), every_s)

    def walk(self, answer: Callable[[Tensor], Tensor]) -> Walk:
        """A fresh way through the encoder; `answer` makes of each block's latents (B, D, n) what is wanted."""
        return Walk(self, answer)

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

    def quantise(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """(B, D, n) latents to (B, n_codebooks, n) codes."""
        raise NotImplementedError

    def _encode(self, samples: Tensor, n_codebooks: int) -> Tensor:
        """(B, channels, N) at the codec's rate to (B, K, T)."""
        walk = self.walk(lambda latents: self.quantise(latents, n_codebooks))
        return torch.cat(walk.take(samples) + walk.finish(), -1)

    def _decode(self, codes: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def _check_rows(self, n_codebooks: int | None) -> int:
        if n_codebooks is None:
            return self.n_codebooks
        if not 1 <= n_codebooks <= self.n_codebooks:
            raise AudioformerError(
                f"n_codebooks={n_codebooks}: {self.name} has 1 to {self.n_codebooks}; choose one of those"
            )
        return int(n_codebooks)

    def _check_codes(self, codes: Tensor) -> Tensor:
        codes = torch.as_tensor(codes)
        codes = codes[None] if codes.dim() == 2 else codes
        if codes.dim() != 3 or codes.is_floating_point() or codes.numel() == 0:
            raise AudioformerError(
                f"codes have shape {tuple(codes.shape)}, {codes.dtype}; expected integers (B, K, T), T >= 1"
            )
        self._check_rows(codes.shape[1])
        codes = codes.to(torch.int64)
        if codes.min() < 0 or codes.max() >= self.codebook_size:
            raise AudioformerError(
                f"codes range over {int(codes.min())}..{int(codes.max())}; {self.name} has entries 0..{self.codebook_size - 1}"
            )
        return codes.to(self.device)


def load_codec(
    name: str | os.PathLike = "compact", device: str = "cpu", weights: str | os.PathLike | None = None
) -> Codec:
    """Open a codec by name or folder.

    Args:
        name: "compact" (bundled), "encodec_24khz", "encodec_48khz", or a folder written by `audioformer train-codec`.
        device: torch device.
        weights: for EnCodec, the folder or file of its published checkpoint.

    Returns:
        Codec in evaluation mode.

    Raises:
        AudioformerError: unknown name, missing or damaged weights (the message says which file to put where).
    """
    if str(name).startswith("encodec_") and not Path(name).is_dir():
        from audioformer.codecs.encodec import load_encodec

        return load_encodec(str(name), device=device, weights=weights)
    from audioformer.codecs.compact import load_compact

    return load_compact(name, device=device)


@dataclass(frozen=True)
class CodesFile:
    """Codes read from a file, with what is needed to turn them back into sound.

    Attributes:
        codes: (B, K, T) int64.
        codec: name of the codec.
        fingerprint: of its codebooks.
        n_samples: length of the clip before coding, samples at the codec's rate.
    """

    codes: Tensor
    codec: str
    fingerprint: str
    n_samples: int


def save_codes(path: str | os.PathLike, codes: Tensor, codec: Codec, n_samples: int) -> None:
    """Write codes (B, K, T) as a safetensors file whose metadata names the codec.

    Raises:
        AudioformerError: the folder cannot be written.
    """
    metadata = {
        "codec": codec.name,
        "fingerprint": codec.fingerprint,
        "n_samples": str(n_samples),
        "format": "audioformer-codes-1",
    }
    write_tensors(path, {"codes": codes.cpu().to(torch.int32)}, metadata)


def load_codes(path: str | os.PathLike) -> CodesFile:
    """Read a file of `save_codes`.

    Raises:
        AudioformerError: missing, damaged, or not a file of codes.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise AudioformerError(f"{path}: no such file; give a .safetensors file made by `audioformer encode`")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            return CodesFile(
                file.get_tensor("codes").to(torch.int64),
                metadata["codec"],
                metadata["fingerprint"],
                int(metadata["n_samples"]),
            )
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise AudioformerError(
            f"{path.name}: not a file of codes ({error}); make one with `audioformer encode`"
        ) from error


def require_fingerprint(codec: Codec, fingerprint: str, what: str) -> None:
    """Refuse to mix codes of one codec with a model or file of another.

    Raises:
        AudioformerError: naming both codecs.
    """
    if codec.fingerprint != fingerprint:
        raise AudioformerError(
            f"{what} belongs to a codec with fingerprint {fingerprint}, but {codec.name} has {codec.fingerprint}: "
            "their codes mean different sounds; load the codec it was trained on or train again"
        )
