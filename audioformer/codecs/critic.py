"""A critic for training a codec: tells decoded sound from real sound, so that the decoder learns to sound real.

Mean distances (distances.py) are lowest for a blurred average of what might have been there; a critic notices the blur.
Several small convolutional networks look at complex spectrograms with different windows, and the decoder is rewarded
for fooling them and for causing the same inner activations as the original does (feature matching).

Source: EnCodec (arXiv 2210.13438), section 3.4: multi-scale STFT discriminator, hinge loss, relative feature matching.
The weights of both terms beside the mel distance (1/15 and 2/15) are those of DAC's published configuration
(arXiv 2306.06546: 15 for its mel distance, 1, 2); they were not tuned here.

Shapes: B crops, N samples, T frames, F frequency bins, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

WINDOWS = (2048, 1024, 512, 256, 128)  # samples, one network each; the hop is a quarter
DILATIONS = (1, 2, 4)  # along time, of the middle layers
SLOPE = 0.2  # of the leaky rectifier


class SpectrumCritic(nn.Module):
    """Looks at one complex spectrogram.

    Args:
        window: samples.
        width: C of the hidden layers.
    """

    def __init__(self, window: int, width: int):
        super().__init__()
        self.window = window
        layers = [nn.Conv2d(2, width, (3, 9), padding=(1, 4))]
        layers += [nn.Conv2d(width, width, (3, 9), stride=(1, 2), dilation=(d, 1), padding=(d, 4)) for d in DILATIONS]
        layers += [nn.Conv2d(width, width, 3, padding=1)]
        self.layers = nn.ModuleList(map(weight_norm, layers))
        self.verdict = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, N) samples to verdicts (B, 1, T, F'), above 0 for "real", and activations (B, C, T, F') of each layer."""
        taper = torch.hann_window(self.window, device=samples.device)
        spectrum = torch.stft(
            samples.float(), self.window, self.window // 4, window=taper, normalized=True, return_complex=True
        )
        x = torch.view_as_real(spectrum).permute(0, 3, 2, 1)  # (B, 2, T, F)
        activations = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            activations.append(x)
        return self.verdict(x), activations


class Discriminator(nn.Module):
    """One critic for each window.

    Args:
        width: C of their hidden layers.
        windows: samples.
    """

    def __init__(self, width: int = 32, windows: tuple[int, ...] = WINDOWS):
        super().__init__()
        self.critics = nn.ModuleList(SpectrumCritic(window, width) for window in windows)

    def forward(self, samples: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """(B, N) to each critic's verdict and activations; N at least half the longest window."""
        return [critic(samples) for critic in self.critics]

    def own_loss(self, original: Tensor, decoded: Tensor) -> Tensor:
        """What the critics minimise: mean of max(0, 1 - D(original)) + max(0, 1 + D(decoded)); 2 knows nothing, 0 all.

        Args:
            original: (B, N).
            decoded: (B, N); gradients do not pass to it.

        Returns:
            () no unit.
        """
        pairs = zip(self(original), self(decoded.detach()), strict=True)
        losses = [F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean() for (real, _), (fake, _) in pairs]
        return torch.stack(losses).mean()

    def decoder_losses(self, original: Tensor, decoded: Tensor) -> dict[str, Tensor]:
        """What the decoder minimises.

        Args:
            original: (B, N).
            decoded: (B, N).

        Returns:
            "adversarial": mean of max(0, 1 - D(decoded)); "features": mean |a - a'| of all layers' activations,
            relative to the mean |a| of the original, 0 for the same sound. Both () without unit.
        """
        with torch.no_grad():
            expected = [activations for _, activations in self(original)]
        fooled, features = [], []
        for (verdict, activations), originals in zip(self(decoded), expected, strict=True):
            fooled.append(F.relu(1 - verdict.float()).mean())
            features += [
                (a.float() - b.float()).abs().mean() / b.float().abs().mean().clamp_min(1e-6)
                for a, b in zip(activations, originals, strict=True)
            ]
        return {"adversarial": torch.stack(fooled).mean(), "features": torch.stack(features).mean()}


class Adversary(nn.Module):
    """A discriminator with its optimiser: one step of its own for each step of the codec.

    To others its weights are frozen, so that the codec's optimiser passes them by.

    Args:
        width: C.
        learning_rate: of AdamW, betas (0.8, 0.95) as the codec's.
    """

    def __init__(self, width: int, learning_rate: float):
        super().__init__()
        self.discriminator = Discriminator(width)
        self.optimizer = torch.optim.AdamW(self.discriminator.parameters(), learning_rate, betas=(0.8, 0.95))
        self.requires_grad_(False)

    def losses(self, original: Tensor, decoded: Tensor, learning_rate: float, bf16: bool = False) -> dict[str, Tensor]:
        """Improve the critics by a step, then ask them: "critic" (for the log, no gradient), "adversarial", "features".

        Args:
            original: (B, N).
            decoded: (B, N).
            learning_rate: of this step.
            bf16: matrix products in 16 bits.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        precision = {"device_type": original.device.type, "dtype": torch.bfloat16, "enabled": bf16}
        self.requires_grad_(True)
        with torch.autocast(**precision):
            own = self.discriminator.own_loss(original, decoded)
        own.backward()
        torch.nn.utils.clip_grad_norm_(self.discriminator.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.requires_grad_(False)
        with torch.autocast(**precision):
            return {"critic": own.detach(), **self.discriminator.decoder_losses(original, decoded)}
