"""`compact`: the codec that ships with the kit. Our own design, in EnCodec's mould, small enough for a laptop.

    samples -STFT-> spectrum -ConvNeXt blocks-> latents -RVQ-> codes -ConvNeXt blocks-> spectrum -ISTFT-> samples
                          `-log-mel, cosine transform-^            `-inverse transform, log magnitude-^

24 kHz mono, 75 frames/s, 8 codebooks of 1024 (6 kbit/s). Working on spectra instead of samples is the idea of Vocos
(arXiv 2306.00814): all layers run at 75 Hz, which makes it hundreds of times faster than real time on two cores.
Beside the networks runs a linear path (spectra.py), which starts as the classic cepstrum: the codes carry the spectrum
from the first training step on. The encoder looks one hop (13 ms) ahead and is otherwise causal; the decoder looks a
stated number of frames ahead.

Shapes: B clips, N samples, T frames, F frequency bins, D width of a latent, H width of a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audioformer.codecs import spectra
from audioformer.codecs.blocks import BlockCodec, pieces
from audioformer.errors import require, require_counts
from audioformer.reading.sound import MAX_RATE_HZ, MIN_RATE_HZ
from audioformer.rvq import ResidualVQ

LOWEST, POWER, QUIETEST = 1e-4, 0.3, 1e-5
FREE_LEVEL = 0.1  # root mean square of the free part of a latent; left free it grows and the codebooks cannot follow
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
    kernel: int = 7  # frames that a block reads
    decoder_look_ahead: int = 1  # future frames that a decoder block reads; the encoder's read none

    def __post_init__(self):
        """Refuse sizes that no codec has: a file may name any."""
        require_counts(self, "sample_rate", most=MAX_RATE_HZ)
        require_counts(self, "n_codebooks", "n_encoder_blocks", "n_decoder_blocks", "kernel", most=64)
        require_counts(self, "n_mels", most=512)
        require_counts(self, "hop_length", "d_latent", "d_encoder", "d_decoder", most=4096)
        require_counts(self, "codebook_size", most=1 << 16)
        ahead = self.decoder_look_ahead
        fits = isinstance(ahead, int) and 0 <= ahead < self.kernel
        require(fits, f"decoder_look_ahead={ahead!r:.40} must be 0 to kernel - 1")
        require(self.sample_rate >= MIN_RATE_HZ, f"sample_rate={self.sample_rate} must be at least {MIN_RATE_HZ} Hz")

    @property
    def n_cepstra(self) -> int:
        """C, how many of the D latent dimensions begin as cepstra: two thirds; the others are free."""
        return max(1, min(self.n_mels, 2 * self.d_latent // 3))


class FrameBlock(nn.Module):
    """ConvNeXt block (arXiv 2201.03545) along time: mix frames per channel, then channels per frame.

    Args:
        width: H.
        kernel: frames that the block reads.
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
        window = spectra.HOPS_PER_WINDOW * config.hop_length
        n_bins = window // 2 + 1
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
        self.register_buffer("filters", spectra.mel_filters(self.sample_rate, window, config.n_mels), persistent=False)
        cepstra, free = 3.0 / torch.arange(1, config.n_cepstra + 1), torch.zeros(config.d_latent - config.n_cepstra)
        self.register_buffer(
            "typical", torch.cat([cepstra, free]).clamp_min(FREE_LEVEL), persistent=False
        )  # sizes of latent dimensions
        self._start_from_cepstra()

    @torch.no_grad()
    def _start_from_cepstra(self) -> None:
        """Begin with the linear path alone in charge of the spectrum; the networks' own part begins small.

        Latents are divided by sqrt(M), so that their squared length is a mean over bands, in squared natural-log units.
        """
        c, scale = self.config, self.config.n_mels**0.5
        transform = spectra.cosine_transform(c.n_cepstra, c.n_mels)
        spread, bias = spectra.mel_to_bins(self.filters)
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
        spectrum = spectra.stft_frames(samples, self.hop_length)
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
        """(B, T, D) latents to (B, T * hop_length) samples: predict a spectrum, then overlap-add."""
        return spectra.overlap_add(self.spectrum(latents), self.hop_length)

    def spectrum(self, latents: Tensor) -> Tensor:
        """(B, T, D) latents to (B, T, F) complex: predict log magnitude and direction.

        The network gets all latent dimensions on one scale and corrects the log magnitude of the linear path.
        The direction is a point in the complex plane whose length is divided out: unlike an angle it never wraps.
        """
        hidden = self.leave(self.leave_norm(self.decoder(self.from_latent(latents / self.typical)))).float()
        log_magnitude, real, imag = hidden.chunk(3, -1)
        with torch.autocast(latents.device.type, enabled=False):
            log_magnitude = log_magnitude + self.latent_to_log(latents.float())
        length = log_magnitude.clamp_max(6.0).exp() * torch.rsqrt(real.square() + imag.square() + 1e-6)
        return torch.complex(length * real, length * imag)

    def codebooks(self) -> Tensor:
        """(K, V, D) float32."""
        return self.rvq.codebooks

    def block_frames(self, start: int) -> int:
        """32, 32, 64, then always 128 frames: cheap for short clips, fast for long ones."""
        return min(128, max(32, start))

    def encode_block(self, samples: Tensor, memory: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """See `BlockCodec`; the memory holds the frames that each block's convolution still needs."""
        # the outer two frames lack a neighbour
        features, log_mel = (frames[:, 1:-1] for frames in self.analyse(samples[:, 0]))
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
