"""The towers: sound to a vector a frame, picture to a vector for each place of each frame.

Small convolutions, sized for two cores; the authors' are ResNets. Their norms work at one position over its channels,
so that neither padding nor the other clips of a batch change a frame's vector.

Shapes: B clips, M bands, T frames of sound (75 a second), F frames of the picture (5 a second), C colours, S pixels a
side, P = (S / 4)^2 places, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.audiovisual.config import N_BANDS, AudioVisualConfig
from audioformer.errors import AudioformerError

STRIDE = 4  # frames of sound that one vector of the tower spans
CONTRAST = 4.0  # colours from 0 to 1 less their mean, made about as large as one
MEAN, STD = -6.12, 4.82  # of log-mel bands; EnCodecMAE's authors standardise theirs so


def pooled_bands(frames: Tensor) -> Tensor:
    """(..., 256, T) log-mel bands of a corpus to (..., 64, T): the mean of each four.

    Raises:
        AudioformerError: not 256 bands.
    """
    if frames.shape[-2] != 4 * N_BANDS:
        raise AudioformerError(f"frames of {frames.shape[-2]} numbers; the sound tower reads mel256: 256 of them")
    return frames.float().unflatten(-2, (N_BANDS, 4)).mean(-2)


class ChannelNorm(nn.Module):
    """Each position divided by the root mean square of its channels, times a learned gain.

    Args:
        n_channels: on axis 1.
    """

    def __init__(self, n_channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n_channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, H, W) to the same."""
        return x * (x.square().mean(1, keepdim=True) + 1e-5).rsqrt() * self.gain


def convolution(n_in: int, n_out: int, stride: int | tuple[int, int]) -> nn.Sequential:
    """3 x 3, then norm, then ReLU."""
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride, 1), ChannelNorm(n_out), nn.ReLU())


def plain_convolution(n_in: int, n_out: int, stride: int, size: int = 3) -> nn.Sequential:
    """Convolution, then ReLU; no norm, which would make the empty ground as strong as what stands on it."""
    convolve = nn.Conv2d(n_in, n_out, size, stride, size // 2)
    nn.init.kaiming_normal_(convolve.weight, nonlinearity="relu")
    nn.init.zeros_(convolve.bias)
    return nn.Sequential(convolve, nn.ReLU())


class ConvBlock(nn.Module):
    """Neighbours in time mixed, then the channels of each frame: x + out(relu(conv(norm(x)))).

    Args:
        width: D.
        dilation: steps between the three frames that are mixed.
    """

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Linear(width, width)

    def forward(self, hidden: Tensor, silent: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D); silent (B, T, 1) is 0 where the clip has ended."""
        mixed = self.mix((self.norm(hidden) * silent).transpose(1, 2)).transpose(1, 2)
        return (hidden + self.out(F.relu(mixed))) * silent


class SoundTower(nn.Module):
    """Log-mel bands to a vector for every fourth frame: convolutions over time and pitch, then over time.

    Args:
        config: channels, d_model, n_layers.
    """

    def __init__(self, config: AudioVisualConfig):
        super().__init__()
        c = config.channels
        sizes = [(1, c, (2, 2)), (c, 2 * c, (2, 2)), (2 * c, 4 * c, (2, 1)), (4 * c, 4 * c, (2, 1))]
        self.stem = nn.ModuleList(convolution(*size) for size in sizes)
        self.embed = nn.Linear(4 * c * N_BANDS // 16, config.d_model)
        self.blocks = nn.ModuleList(ConvBlock(config.d_model, 2**layer) for layer in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.d_model)

    def forward(self, bands: Tensor, padding: Tensor | None = None) -> list[Tensor]:
        """Run the tower.

        Args:
            bands: (B, 64, T) log-mel.
            padding: (B, T) bool, True = beyond the clip's end; None = none.

        Returns:
            n_layers + 1 of (B, T', D), T' = ceil(T / 4): the embeddings, then the output of each block, the last of
            them normalised.

        Raises:
            AudioformerError: another number of bands.
        """
        if bands.ndim != 3 or bands.shape[1] != N_BANDS:
            raise AudioformerError(f"sound of shape {tuple(bands.shape)} must be (clips, {N_BANDS} bands, frames)")
        if padding is None:
            padding = torch.zeros(bands.shape[0], bands.shape[2], dtype=torch.bool, device=bands.device)
        x = ((bands - MEAN) / STD * ~padding[:, None])[:, None]
        for step, convolve in zip((2, 4, 4, 4), self.stem, strict=True):
            x = convolve(x) * ~padding[:, None, None, ::step]
        hidden = self.embed(x.flatten(1, 2).transpose(1, 2))
        silent = (~padding[:, ::STRIDE, None]).float()
        layers = [hidden * silent]
        for block in self.blocks:
            layers.append(block(layers[-1], silent))
        layers[-1] = self.final_norm(layers[-1])
        return layers


class WaveTower(nn.Module):
    """Samples to a vector a frame: four convolutions, whose strides make the hop of the codec (320).

    The other view of an audio-only contrast, as Wang and van den Oord have it (2021, arXiv 2103.06508).

    Args:
        config: channels.
    """

    def __init__(self, config: AudioVisualConfig):
        super().__init__()
        c, layers = config.channels, []
        for n_in, n_out, stride in ((1, c, 5), (c, 2 * c, 4), (2 * c, 4 * c, 4), (4 * c, 8 * c, 4)):
            layers += [nn.Conv1d(n_in, n_out, 2 * stride, stride, stride // 2), nn.GroupNorm(1, n_out), nn.ReLU()]
        self.layers, self.width = nn.Sequential(*layers), 8 * c

    def forward(self, waves: Tensor) -> Tensor:
        """(B, N) samples to (B, about N / 320, 8 channels)."""
        return self.layers(waves[:, None]).transpose(1, 2)


class Standardise(nn.Module):
    """Each channel with mean 0 and deviation 1 over the batch; in use over what was seen in training.

    A batch norm without gains. Where two views meet it keeps both from shrinking to a point, which contrast alone, at
    the start of training, does not.

    Args:
        width: on the last axis.
    """

    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., n) to the same."""
        mean, variance = self.mean, self.variance
        if self.training:
            variance, mean = torch.var_mean(x.flatten(0, -2), 0, correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.05)
                self.variance.lerp_(variance, 0.05)
        return (x - mean) * (variance + 1e-5).rsqrt()


def shifted_in_time(x: Tensor) -> Tensor:
    """(B, F, n, H, W): an eighth of the channels a frame later, an eighth a frame earlier (TSM, arXiv 1811.08383)."""
    if x.shape[1] == 1:
        return x
    n = x.shape[2] // 8
    later = F.pad(x[:, :-1, :n], (0, 0, 0, 0, 0, 0, 1, 0))
    earlier = F.pad(x[:, 1:, n : 2 * n], (0, 0, 0, 0, 0, 0, 0, 1))
    return torch.cat([later, earlier, x[:, :, 2 * n :]], 2)


class PictureTower(nn.Module):
    """Frames of a picture to a vector for each place; neighbouring frames meet by shifted channels.

    Args:
        config: channels, n_colours.
    """

    def __init__(self, config: AudioVisualConfig):
        super().__init__()
        c = config.channels
        self.begin = nn.Sequential(plain_convolution(config.n_colours, c, 2), plain_convolution(c, 2 * c, 2))
        # a vector sees 15 pixels, about a thing's size: with more it may stand far from what it tells of
        self.middle, self.end = plain_convolution(2 * c, 4 * c, 1), plain_convolution(4 * c, 4 * c, 1, 1)
        self.width = 4 * c

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, F, C, S, S) from 0 to 1 to (B, F, P, 4 channels), places row by row."""
        n_clips, n_frames = pictures.shape[:2]
        ground = pictures.mean((1, 3, 4), keepdim=True).detach()
        x = self.begin(CONTRAST * (pictures - ground).flatten(0, 1))
        for convolve in (self.middle, self.end):
            x = convolve(shifted_in_time(x.unflatten(0, (n_clips, n_frames))).flatten(0, 1))
        return x.flatten(2).transpose(1, 2).unflatten(0, (n_clips, n_frames))
