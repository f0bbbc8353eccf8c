"""EnCodec's 24 kHz encoder arranged for a CPU: the same sums as the package's, with less memory traffic.

The package walks over each activation four times a layer: ELU, a copy with padding, a change of layout into the
convolution and one out of it. Here the ELU writes straight into the padded place, channels stand last throughout, as the
convolutions like it, and the weights are normalised once. The LSTM reads its weights once for all clips instead of
once for each. Sums in another order differ in the last bits, so a code may differ where two entries are equally near.

Used by `encode_many`. Shapes: B clips, N samples, C channels, T frames, D latent width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHORTEST = 3200  # samples; below, reflected padding meets itself
HOP, CONTEXT = 320, 1280  # samples a frame; past that an output may depend on, in whole frames


class FastEncoder:
    """The encoder of a package model, on the CPU.

    Args:
        model: `encodec.EncodecModel` for 24 kHz: causal, normalised weights.
        piece_s: how much of a clip passes through the convolutions at a time, seconds: small enough for the caches.
    """

    def __init__(self, model: nn.Module, piece_s: float = 1.0):
        layers = model.encoder.model
        lstm = next(index for index, layer in enumerate(layers) if type(layer).__name__ == "SLSTM")
        self.convolutions, self.rest = layers[:lstm], layers[lstm:]
        self.piece = max(1, round(piece_s * model.sample_rate / HOP)) * HOP
        with torch.no_grad():
            self.convolutions(torch.zeros(1, 1, SHORTEST))  # the package computes its normalised weights while running
            self.weights = {
                id(layer): layer.weight.detach()[:, :, None].contiguous(memory_format=torch.channels_last)
                for layer in self.convolutions.modules()
                if isinstance(layer, nn.Conv1d)
            }

    @torch.no_grad()
    def latents(self, samples: Tensor) -> Tensor:
        """(B, 1, N) samples, N >= 3200, to (B, D, T)."""
        return self.rest(torch.cat([self._one_clip(clip) for clip in samples.split(1)]))

    def _one_clip(self, clip: Tensor) -> Tensor:
        parts = []
        for start in range(0, clip.shape[-1], self.piece):
            lead = min(CONTEXT, start)
            if clip.shape[-1] - start + lead < SHORTEST:  # too short a rest: begin it earlier
                lead = min(start, math.ceil((SHORTEST - clip.shape[-1] + start) / HOP) * HOP)
            parts.append(self._run(clip[..., start - lead : start + self.piece])[..., lead // HOP :])
        return torch.cat(parts, -1)

    def _run(self, samples: Tensor) -> Tensor:
        """(1, 1, n) samples to (1, C, n / HOP), rounded up."""
        x, activate = samples[:, :, None], False
        for layer in self.convolutions:
            kind = type(layer).__name__
            if kind == "ELU":
                activate = True  # done by the convolution that follows
            elif kind == "SConv1d":
                x, activate = self._convolve(layer, x, activate), False
            else:  # a residual block: ELU, convolution, ELU, convolution, beside a shortcut
                inner = self._convolve(layer.block[3], self._convolve(layer.block[1], x, True), True)
                x = inner.add_(self._convolve(layer.shortcut, x, False))
        return x[:, :, 0]

    def _convolve(self, layer: nn.Module, x: Tensor, activate: bool) -> Tensor:
        """(1, C, 1, n) through perhaps an ELU, reflected padding and a causal convolution; channels stay last."""
        conv, n = layer.conv.conv, x.shape[-1]
        stride, dilation = conv.stride[0], conv.dilation[0]
        reach = (conv.kernel_size[0] - 1) * dilation + 1
        left = reach - stride
        right = (math.ceil((n - reach + left) / stride)) * stride + reach - left - n
        if left + right:
            padded = torch.empty((1, x.shape[1], 1, left + n + right), memory_format=torch.channels_last)
            inside = padded[..., left : left + n]
            if activate:
                torch.ops.aten.elu.out(x, 1.0, 1.0, 1.0, out=inside)
            else:
                inside.copy_(x)
            padded[..., :left] = inside[..., 1 : left + 1].flip(-1)
            padded[..., left + n :] = inside[..., n - 1 - right : n - 1].flip(-1)
            x = padded
        elif activate:
            x = F.elu(x)
        return F.conv2d(x, self.weights[id(conv)], conv.bias, stride=(1, stride), dilation=(1, dilation))
