"""One interface to every neural codec: sound in, discrete codes out, and back.

A codec turns N samples into K rows of T codes. Row 1 is the coarse sketch, each further row corrects what the rows
before it left over (residual vector quantisation, rvq.py). The number of rows is always an argument, no hidden state.

    samples --encoder--> latents --quantiser--> codes --codebooks and decoder--> samples

The codecs themselves, and `load_codec`, are in the folder codecs/.

Shapes: B clips, C channels, N samples, K codebooks, T frames, V entries per codebook, D width of a codebook vector,
S scales (levels that were divided out before coding; S = 0 for most codecs).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from audioformer.audio import to_batch
from audioformer.errors import AudioformerError


class Codec(nn.Module):
    """What every codec here offers: checks and resampling stand here, once.

    Subclasses set the attributes and implement `codebooks`, `latent_blocks`, `quantise` and `_decode`.

    Attributes:
        name: "compact", "encodec_24khz", ...
        sample_rate: Hz the codec works at; anything else is resampled.
        channels: 1 mono, 2 stereo.
        hop_length: samples per frame.
        n_codebooks: rows it has at most.
        codebook_size: V; codes lie in [0, V).
        licence: of the weights, in words.
        look_ahead_s: how much future sound a frame depends on, seconds.
    """

    name: str
    sample_rate: int
    channels: int
    hop_length: int
    n_codebooks: int
    codebook_size: int
    licence: str
    look_ahead_s: float
    _fingerprint: tuple[tuple[int, int], str] = ((0, 0), "")  # which memory in which version was hashed, and the result

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
        vectors = self.codebooks().detach()
        version = vectors.data_ptr(), 0 if vectors.is_inference() else vectors._version
        if self._fingerprint[0] != version:
            content = vectors.cpu().float().contiguous().numpy().tobytes()
            self._fingerprint = version, hashlib.sha256(content).hexdigest()[:16]
        return self._fingerprint[1]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    @torch.no_grad()
    def encode(self, waveform, sample_rate: int | None = None, n_codebooks: int | None = None) -> Tensor:
        """Sound to codes.

        Args:
            waveform: Waveform, array or tensor: (N,), (C, N) or (B, C, N), any rate, int or float.
            sample_rate: Hz (a Waveform brings its own).
            n_codebooks: rows to give, 1 to `self.n_codebooks`; None gives all.

        Returns:
            (B, K, T) int64 in [0, V); T = ceil(N / hop_length) counted at the codec's own rate.

        Raises:
            AudioformerError: unusable waveform, or n_codebooks out of range.
        """
        n_codebooks = self.check_rows(n_codebooks)
        blocks = self.latent_blocks(self._samples(waveform, sample_rate))
        return torch.cat([self.quantise(latents, n_codebooks)[..., real] for latents, real in blocks], -1)

    @torch.no_grad()
    def encode_scaled(
        self, waveform, sample_rate: int | None = None, n_codebooks: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sound to codes, with the levels that were divided out before coding. Arguments and errors as `encode`.

        Returns:
            codes (B, K, T) int64, the same as `encode` gives, and scales (B, S) float32, no unit, for `decode`.
        """
        samples = self._samples(waveform, sample_rate)
        return self.encode(samples, self.sample_rate, n_codebooks), self.scales(samples)

    @torch.no_grad()
    def decode(self, codes: Tensor, n_samples: int | None = None, scales: Tensor | None = None) -> Tensor:
        """Codes to sound.

        Args:
            codes: (B, K, T) or (K, T) integers in [0, V); the first K codebooks are used.
            n_samples: cut the result to this length; None keeps all that was decoded.
            scales: (B, S) or (S,) from `encode_scaled`; None decodes at unit scale, so that a codec with S > 0 gives
                back the sound but not its level.

        Returns:
            (B, channels, N) float32.

        Raises:
            AudioformerError: wrong shape, too many rows, a code outside [0, V), or scales of another clip.
        """
        codes = self._check_codes(codes)
        return self._decode(codes, self._check_scales(scales, codes))[..., :n_samples]

    @torch.no_grad()
    def latents(self, waveform, sample_rate: int | None = None) -> Tensor:
        """Encoder output before quantising: (B, D, T) float32. Arguments and errors as `encode`."""
        blocks = self.latent_blocks(self._samples(waveform, sample_rate))
        return torch.cat([latents[..., real] for latents, real in blocks], -1)

    def codebooks(self) -> Tensor:
        """(K, V, D) float32: the vectors that the codes stand for."""
        raise NotImplementedError

    def latent_blocks(self, samples: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """The encoder, block by block, so that an hour of sound does not need the memory of an hour.

        Args:
            samples: (B, channels, N) at the codec's rate.

        Yields:
            latents (B, D, n) of the next block, and which of its n frames belong to the clip: the last block may be
            filled up. These frames together are T = ceil(N / hop_length).
        """
        raise NotImplementedError

    def quantise(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """(B, D, n) latents to (B, n_codebooks, n) codes."""
        raise NotImplementedError

    def _decode(self, codes: Tensor, scales: Tensor) -> Tensor:
        """(B, K, T) codes and (B, S) scales to (B, channels, N)."""
        raise NotImplementedError

    def scales(self, samples: Tensor) -> Tensor:
        """(B, S) levels that `encode` divides out of samples (B, channels, N); S = `n_scales(T)`."""
        return torch.ones(samples.shape[0], 0)

    def n_scales(self, n_frames: int) -> int:
        """S of a clip of n_frames."""
        del n_frames
        return 0

    def check_rows(self, n_codebooks: int | None) -> int:
        """A number of codebook rows that exists; None means all.

        Raises:
            AudioformerError: fewer than 1 or more than the codec has.
        """
        if n_codebooks is None:
            return self.n_codebooks
        if not 1 <= n_codebooks <= self.n_codebooks:
            raise AudioformerError(
                f"n_codebooks={n_codebooks}: {self.name} has 1 to {self.n_codebooks}; choose one of those"
            )
        return int(n_codebooks)

    def _samples(self, waveform, sample_rate: int | None) -> Tensor:
        """(B, channels, N) at the codec's rate, on its device."""
        return to_batch(waveform, sample_rate, self.sample_rate, self.channels).to(self.device)

    def _check_codes(self, codes: Tensor) -> Tensor:
        codes = torch.as_tensor(codes)
        codes = codes[None] if codes.dim() == 2 else codes
        if codes.dim() != 3 or codes.is_floating_point() or codes.is_complex() or codes.numel() == 0:
            given = f"shape {tuple(codes.shape)}, {codes.dtype}"
            raise AudioformerError(f"codes have {given}; expected integers (B, K, T), T >= 1")
        self.check_rows(codes.shape[1])
        codes = codes.to(torch.int64)
        if codes.min() < 0 or codes.max() >= self.codebook_size:
            given, known = f"{int(codes.min())}..{int(codes.max())}", f"0..{self.codebook_size - 1}"
            raise AudioformerError(f"codes range over {given}; {self.name} has entries {known}")
        return codes.to(self.device)

    def _check_scales(self, scales: Tensor | None, codes: Tensor) -> Tensor:
        shape = codes.shape[0], self.n_scales(codes.shape[-1])
        scales = torch.ones(shape) if scales is None else torch.atleast_2d(torch.as_tensor(scales, dtype=torch.float32))
        if scales.shape != shape:
            raise AudioformerError(
                f"scales have shape {tuple(scales.shape)}; these codes need {shape}: "
                "give the scales that encode_scaled returned with them"
            )
        return scales.to(self.device)


def require_fingerprint(codec: Codec, fingerprint: str, what: str) -> None:
    """Refuse to mix codes of one codec with a model or file of another.

    Raises:
        AudioformerError: naming both codecs.
    """
    if codec.fingerprint != fingerprint:
        raise AudioformerError(
            f"{what} belongs to a codec with fingerprint {fingerprint!a:.40}, but {codec.name} has {codec.fingerprint}"
            ": their codes mean different sounds; load the codec it was trained on or train again"
        )
