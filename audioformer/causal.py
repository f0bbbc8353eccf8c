"""EnCodec's encoder, one stretch after the other: what its causal layers remember is carried from each to the next.

A causal convolution of kernel k, dilation d and stride s needs the (k - 1) d - (s - 1) inputs before a stretch, an
LSTM its hidden and cell state. The first stretch is mirrored at the clip's beginning and the last one at its end, as
the package `encodec` does it (SConv1d and pad1d in its modules/conv.py; Défossez et al. 2022, arXiv 2210.13438).

Shapes: B clips, C channels, N positions (samples at first, frames at last).
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

Memory = dict[nn.Module, object]


def run_stretch(layer: nn.Module, x: Tensor, before: Memory | None, after: Memory) -> Tensor:
    """Pass one stretch of a clip through a layer.

    Args:
        layer: of the package's SEANet encoder, or all of it.
        x: (B, C, N). N is a multiple of the strides, except at the end of the clip.
        before: what the layers remember; None at the clip's beginning.
        after: filled with what they will remember for the next stretch.

    Returns:
        (B, C', N'): these positions of what the whole clip would give.
    """
    kind = type(layer).__name__
    if kind == "SConv1d":
        return _convolve(layer, x, before, after)
    if kind == "SEANetResnetBlock":
        return run_stretch(layer.shortcut, x, before, after) + run_stretch(layer.block, x, before, after)
    if kind == "SLSTM":
        steps = x.permute(2, 0, 1)
        hidden, after[layer] = layer.lstm(steps, None if before is None else before[layer])
        return (hidden + steps).permute(1, 2, 0)
    if isinstance(layer, nn.Sequential):
        for part in layer:
            x = run_stretch(part, x, before, after)
        return x
    return layer(x)  # activations


def _convolve(layer: nn.Module, x: Tensor, before: Memory | None, after: Memory) -> Tensor:
    """A causal convolution: what is remembered stands before the stretch, or its mirror image if nothing is."""
    package = sys.modules[type(layer).__module__]
    inner = layer.conv.conv
    (kernel,), (stride,), (dilation,) = inner.kernel_size, inner.stride, inner.dilation
    past = (kernel - 1) * dilation - (stride - 1)
    fill = package.get_extra_padding_for_conv1d(x, kernel, stride, past)  # 0 but for the end of a clip
    if before is None:
        x = package.pad1d(x, (past, fill), layer.pad_mode)
    else:
        x = package.pad1d(torch.cat([before[layer], x], -1), (0, fill), layer.pad_mode)
    after[layer] = x[..., x.shape[-1] - past :]
    return layer.conv(x)
