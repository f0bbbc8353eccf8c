"""`compact`: the codec that ships with the kit. Our own design, in EnCodec's mould, small enough for a laptop.

    samples --STFT--> spectrum --ConvNeXt blocks--> latents --RVQ--> codes --ConvNeXt blocks--> spectrum --ISTFT--> samples
                          `---log-mel, cosine transform---^              `---inverse transform, log magnitude---^

24 kHz mono, 75 frames/s, 8 codebooks of 1024 (6 kbit/s). Working on spectra instead of samples is the idea of Vocos
(arXiv 2306.00814): all layers run at 75 Hz, which makes it hundreds of times faster than real time on two cores.
Beside the networks runs a linear path (cepstra.py), which starts as the classic cepstrum: the codes carry the spectrum
from the first training step on. The encoder looks one hop (13 ms) ahead and is otherwise causal; the decoder looks a
stated number of frames ahead.

Shapes: B clips, N samples, T frames, F frequency bins, D width of a latent, H width of a block.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audioformer.codecs.spectra import (
    HOPS_PER_WINDOW,
    cosine_transform,
    mel_filters,
    mel_to_bins,
    overlap_add,
    stft_frames,
)
from audioformer.codecs.stream import BlockCodec
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, bundled_names, bundled_or_folder, write_tensors
from audioformer.rvq import ResidualVQ

LOWEST, POWER, QUIETEST = 1e-4, 0.3, 1e-5
FREE_LEVEL = (
    0.1  # root mean square of the free part of a latent, fixed: left to itself it grows and the codebooks cannot follow
)
PIECE_FRAMES = 75 * 60  # a minute at a time


@dataclass(frozen=True)
class CompactConfig:
    """Sizes of a compact codec."""

    sample_rate: int = 24_000  # Hz
    hop_length: int = 320  # samples per frame
    n_codebooks: int = 8  # K
    codebook_size: int = 1024  # V
    d_latent: int = 48  # D
    n_mels: int = 64  # M, mel bands on the linear path
    d_encoder: int = 192  # H of the encoder
    n_encoder_blocks: int = 4
    d_decoder: int = 256  # H of the decoder
    n_decoder_blocks: int = 5
    kernel: int = 7  # frames a block sees
    decoder_look_ahead: int = 1  # future frames each decoder block sees; the encoder's see none

    @property
    def n_cepstra(self) -> int:
        """C, how many of the D latent dimensions begin as cepstra: two thirds; the others are free."""
        return max(1, min(self.n_mels, 2 * self.d_latent // 3))


class FrameBlock(nn.Module):
    """ConvNeXt block (arXiv 2201.03545) along time: mix frames per channel, then channels per frame.

    Args:
        width: H.
        kernel: frames seen.
        look_ahead: of those, frames after the present one.
        expansion: inner width of the channel mixing, as a multiple of H.
    """

    def __init__(self, width: int, kernel: int, look_ahead: int, expansion: int = 3):
        super().__init__()
        self.padding = (kernel - 1 - look_ahead, look_ahead)
        # a 1-row 2-D convolution: the same sums as Conv1d, several times faster on CPUs
        self.mix_time = nn.Conv2d(width, width, (1, kernel), groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        """(B, T, H) to (B, T, H). `past` (B, kernel - 1 - look_ahead, H) are the frames before; None is silence."""
        padded = F.pad(x.transpose(1, 2), self.padding)
        if past is not None:
            padded[..., : self.padding[0]] = past.transpose(1, 2)
        y = self.mix_time(padded[:, :, None])[:, :, 0].transpose(1, 2)
        return x + self.scale * self.narrow(F.gelu(self.widen(self.norm(y))))


class CompactCodec(BlockCodec):
    """The bundled codec; `load_codec("compact")` gives the trained one.

    Args:
        config: sizes.
        name: how it is called in messages and checkpoints.
    """

    channels = 1
    licence = "MIT (weights trained for this project; see the model card)"

    def __init__(self, config: CompactConfig | None = None, name: str = "compact"):
        super().__init__()
        config = config or CompactConfig()
        self.config, self.name = config, name
        self.sample_rate, self.hop_length = config.sample_rate, config.hop_length
        self.n_codebooks, self.codebook_size = config.n_codebooks, config.codebook_size
        self.look_ahead_s = config.hop_length / config.sample_rate
        self.past_samples = self.future_samples = config.hop_length  # of the window of three hops
        n_bins = HOPS_PER_WINDOW * config.hop_length // 2 + 1
        self.enter = nn.Linear(3 * n_bins, config.d_encoder)
        self.enter_norm = nn.LayerNorm(config.d_encoder)
        self.encoder = nn.Sequential(
            *(FrameBlock(config.d_encoder, config.kernel, 0) for _ in range(config.n_encoder_blocks))
        )
        self.to_latent = nn.Sequential(nn.LayerNorm(config.d_encoder), nn.Linear(config.d_encoder, config.d_latent))
        self.mel_to_latent = nn.Linear(config.n_mels, config.n_cepstra, bias=False)
        self.rvq = ResidualVQ(config.n_codebooks, config.codebook_size, config.d_latent)
        self.from_latent = nn.Linear(config.d_latent, config.d_decoder)
        self.decoder = nn.Sequential(
            *(
                FrameBlock(config.d_decoder, config.kernel, config.decoder_look_ahead)
                for _ in range(config.n_decoder_blocks)
            )
        )
        self.leave_norm = nn.LayerNorm(config.d_decoder)
        self.leave = nn.Linear(config.d_decoder, 3 * n_bins)
        self.latent_to_log = nn.Linear(config.d_latent, n_bins)
        filters = mel_filters(self.sample_rate, HOPS_PER_WINDOW * self.hop_length, config.n_mels)
        self.register_buffer("filters", filters, persistent=False)
        sizes = torch.cat(
            [3.0 / torch.arange(1, config.n_cepstra + 1), torch.zeros(config.d_latent - config.n_cepstra)]
        )
        self.register_buffer(
            "typical", sizes.clamp_min(FREE_LEVEL), persistent=False
        )  # size of each latent dimension, about
        self._start_from_cepstra()

    @torch.no_grad()
    def _start_from_cepstra(self) -> None:
        """Begin with the linear path alone in charge of the spectrum; the networks' own part begins small.

        Latents are divided by sqrt(M), so that their squared length is a mean over bands, in squared natural-log units.
        """
        c, scale = self.config, self.config.n_mels**0.5
        transform = cosine_transform(c.n_cepstra, c.n_mels)
        spread, bias = mel_to_bins(self.filters)
        self.mel_to_latent.weight.copy_(transform / scale)
        self.latent_to_log.weight.zero_()[:, : c.n_cepstra] = spread @ transform.T * scale
        self.latent_to_log.bias.copy_(bias)
        self.to_latent[1].weight[: c.n_cepstra] *= 0.05
        self.to_latent[1].bias.zero_()
        self.leave.weight[: len(bias)] *= 0.05
        self.leave.bias.zero_()

    def analyse(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Frames as the encoder gets them.

        Args:
            samples: (B, N).

        Returns:
            (B, T, 3F) features: log magnitude, and the complex value with |X|^0.3 for its magnitude, which keeps quiet
            and loud bins in one range while the phase stays readable; and (B, T, M) log-mel, natural log.
        """
        spectrum = stft_frames(samples, self.hop_length)
        magnitude = spectrum.abs().clamp_min(LOWEST)
        tamed = spectrum * magnitude ** (POWER - 1)
        log_mel = (spectrum.abs() @ self.filters.T).clamp_min(QUIETEST).log()
        return torch.cat([0.3 * magnitude.log(), tamed.real, tamed.imag], -1), log_mel

    def frame_latents(self, samples: Tensor) -> Tensor:
        """(B, N) samples to (B, T, D) latents before quantising: the linear path plus what the network adds."""
        features, log_mel = self.analyse(samples)
        return self.combine(self.encoder(self.enter_norm(self.enter(features))), log_mel)

    def combine(self, hidden: Tensor, log_mel: Tensor) -> Tensor:
        """(B, T, H) out of the encoder's blocks and (B, T, M) log-mel frames to (B, T, D) latents."""
        learned = self.to_latent(hidden).float()
        with torch.autocast(hidden.device.type, enabled=False):
            cepstra = self.mel_to_latent(log_mel)
        to_cepstra, free = learned.split([cepstra.shape[-1], learned.shape[-1] - cepstra.shape[-1]], -1)
        return torch.cat([cepstra + to_cepstra, FREE_LEVEL * F.rms_norm(free, free.shape[-1:])], -1)

    def synthesise(self, latents: Tensor) -> Tensor:
        """(B, T, D) latents to (B, T * hop_length) samples: predict log magnitude and direction, then overlap-add.

        The network gets all latent dimensions on one scale and corrects the log magnitude of the linear path.
        The direction is a point in the complex plane whose length is divided out: unlike an angle it never wraps.
        """
        hidden = self.leave(self.leave_norm(self.decoder(self.from_latent(latents / self.typical)))).float()
        log_magnitude, real, imag = hidden.chunk(3, -1)
        with torch.autocast(latents.device.type, enabled=False):
            log_magnitude = log_magnitude + self.latent_to_log(latents.float())
        length = log_magnitude.clamp_max(6.0).exp() * torch.rsqrt(real.square() + imag.square() + 1e-6)
        return overlap_add(torch.complex(length * real, length * imag), self.hop_length)

    def codebooks(self) -> Tensor:
        """(K, V, D) float32."""
        return self.rvq.codebooks

    def block_frames(self, start: int) -> int:
        """32, 32, 64, then always 128 frames: cheap for short clips, fast for long ones."""
        return min(128, max(32, start))

    def encode_block(self, samples: Tensor, memory: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """See `BlockCodec`; the memory holds the frames that each block's convolution still needs."""
        features, log_mel = (
            frames[:, 1:-1] for frames in self.analyse(samples[:, 0])
        )  # the outer two lack a neighbour
        hidden, remembered = self.enter_norm(self.enter(features)), []
        for block, past in zip(self.encoder, memory or [None] * len(self.encoder), strict=True):
            past = hidden.new_zeros(len(hidden), block.padding[0], hidden.shape[2]) if past is None else past
            remembered.append(torch.cat([past, hidden], 1)[:, hidden.shape[1] :])
            hidden = block(hidden, past)
        return self.combine(hidden, log_mel).transpose(1, 2), remembered

    def quantise(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """(B, D, n) latents to (B, n_codebooks, n) codes."""
        return self.rvq.quantise(latents.transpose(1, 2), n_codebooks)

    def _decode(self, codes: Tensor, scales: Tensor) -> Tensor:
        del scales
        c, hop = self.config, self.hop_length
        past = c.n_decoder_blocks * (c.kernel - 1 - c.decoder_look_ahead) + 1
        future = c.n_decoder_blocks * c.decoder_look_ahead + 1
        samples = [
            self.synthesise(self.rvq.dequantise(codes[:, :, read]))[:, keep.start * hop : keep.stop * hop]
            for read, keep in pieces(codes.shape[2], PIECE_FRAMES, past, future)
        ]
        return torch.cat(samples, 1)[:, None]


def pieces(n_frames: int, length: int, before: int, after: int) -> Iterator[tuple[slice, slice]]:
    """Cut T frames into stretches that are worked on with some frames of context.

    Args:
        n_frames: T.
        length: of a stretch, frames.
        before: context before it, frames.
        after: context after it, frames.

    Yields:
        (frames to read, which of those to keep); what is kept covers all T frames once, in order.

    Example:
        >>> list(pieces(5, 3, 1, 1))
        [(slice(0, 4, None), slice(0, 3, None)), (slice(2, 5, None), slice(1, 3, None))]
    """
    for start in range(0, n_frames, length):
        stop, first = min(start + length, n_frames), max(0, start - before)
        yield slice(first, min(stop + after, n_frames)), slice(start - first, stop - first)


def save_compact(codec: CompactCodec, folder: str | os.PathLike, extra: dict | None = None) -> None:
    """Write `config.json` and `model.safetensors` (16-bit floats) into a folder.

    The codebooks of `codec` itself are rounded to 16 bits too, so that its fingerprint is that of the file.

    Args:
        codec: to save.
        folder: made if missing.
        extra: anything else for config.json (training recipe, scores).

    Raises:
        AudioformerError: the folder cannot be written.
    """
    codec.rvq.codebooks.copy_(codec.rvq.codebooks.half())
    write_tensors(Path(folder) / "model.safetensors", {key: value.half() for key, value in codec.state_dict().items()})
    about = {
        "kind": "compact-codec",
        "name": codec.name,
        "fingerprint": codec.fingerprint,
        "config": asdict(codec.config),
        **(extra or {}),
    }
    with atomic_path(Path(folder) / "config.json") as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n")


def load_compact(name: str | os.PathLike = "compact", device: str = "cpu") -> CompactCodec:
    """Open a bundled compact codec by name, or one of your own by folder.

    Raises:
        AudioformerError: no such codec, or its files are missing, damaged or of another kind.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = bundled_or_folder(name, "codecs")
    if folder is None or not (folder / "config.json").is_file():
        known = [*bundled_names("codecs"), "encodec_24khz", "encodec_48khz"]
        raise AudioformerError(
            f"codec {str(name)!r} is not known; use one of {', '.join(known)}, or a folder written by "
            "`audioformer train-codec`"
        )
    try:
        about = json.loads((folder / "config.json").read_text())
        if about.get("kind") != "compact-codec":
            raise AudioformerError(
                f"{folder}: holds {about.get('kind')!r}, not a codec; give a folder of `audioformer train-codec`"
            )
        codec = CompactCodec(CompactConfig(**about["config"]), name=about["name"])
        codec.load_state_dict(load_file(str(folder / "model.safetensors")))
    except AudioformerError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError, SafetensorError, RuntimeError) as error:
        raise AudioformerError(
            f"{folder}: damaged codec ({str(error).splitlines()[0]}); copy or train it again"
        ) from error
    if codec.fingerprint != about["fingerprint"]:
        raise AudioformerError(
            f"{folder}: codebooks do not match the fingerprint in config.json; copy or train it again"
        )
    return codec.to(device).eval()
