"""EnCodec's encoder, one stretch after the other: what its causal layers remember is carried from each to the next.

A causal convolution of kernel k and stride s needs the k - s inputs before a stretch, an LSTM its two states.
The first stretch is mirrored at the clip's beginning and the last one at its end, as the package `encodec` does it
(SConv1d and pad1d in its modules/conv.py; Défossez et al. 2022, arXiv 2210.13438).

The sums are the package's, with less memory traffic: the package walks over each activation four times a layer (ELU, a
copy with padding, a change of layout into the convolution and one out of it). Here the ELU writes straight into the
padded place, channels stand last throughout, and the weights are normalised once. Sums in another order differ in the
last bits, so a code may differ where two entries are equally near.

Shapes: B clips, C channels, N positions (samples at first, frames at last).
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Memory = dict[nn.Module, object]
PIECE_SAMPLES = (
    75 * 320
)  # of a clip pass through the convolutions at a time in `encode_together`: small enough for caches
AT_ONCE = 1 << 18  # numbers of an activation that stay in a core's cache while ELU walks over them

_weights: WeakKeyDictionary[nn.Module, tuple[tuple, Tensor]] = WeakKeyDictionary()  # their source's version, and they


@torch.no_grad()
def run_stretch(layers: nn.Sequential, x: Tensor, before: Memory | None, after: Memory) -> Tensor:
    """Pass one stretch of a clip through layers.

    Args:
        layers: of the package's SEANet encoder for 24 kHz, one after the other: all of them, or some.
        x: (B, C, N). N is a multiple of the strides, except at the end of the clip.
        before: what the layers remember; None at the clip's beginning.
        after: filled with what they will remember for the next stretch.

    Returns:
        (B, C', N'): these positions of what the whole clip would give.
    """
    x, activate = x[:, :, None].contiguous(memory_format=torch.channels_last), False
    for layer in layers:
        kind = type(layer).__name__
        if kind == "ELU":
            activate = True  # done by the convolution that follows
        elif kind == "SEANetResnetBlock":
            first, second = layer.block[1], layer.block[3]
            inner = _convolve(second, _convolve(first, x, True, before, after), True, before, after)
            x = _convolve(layer.shortcut, x, False, before, after).add_(inner)
        elif kind == "SLSTM":
            steps = x[:, :, 0].permute(2, 0, 1)
            hidden, after[layer] = layer.lstm(steps, None if before is None else before[layer])
            x = (hidden + steps).permute(1, 2, 0)[:, :, None].contiguous(memory_format=torch.channels_last)
        else:
            x, activate = _convolve(layer, x, activate, before, after), False
    return x[:, :, 0]


def _convolve(layer: nn.Module, x: Tensor, activate: bool, before: Memory | None, after: Memory) -> Tensor:
    """(B, C, 1, N) through perhaps an ELU and a convolution.

    What is remembered stands before the stretch, or its mirror image if nothing is.
    """
    conv, n = layer.conv.conv, x.shape[-1]
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    past, fill = kernel - stride, -n % stride  # fill: 0 but for the end of a clip
    if past + fill:
        padded = torch.empty((*x.shape[:3], past + n + fill), device=x.device, memory_format=torch.channels_last)
        inside = padded[..., past : past + n]
        _elu(x, inside) if activate else inside.copy_(x)
        if before is not None:
            padded[..., :past] = before[layer]
        if n <= max(past, fill):  # too short to be mirrored; the package fills up with zeros first
            pad1d = sys.modules[type(layer).__module__].pad1d
            sides = (0 if before else past, fill)
            padded[..., past - sides[0] :] = pad1d(inside[:, :, 0], sides, layer.pad_mode)[:, :, None]
        else:
            if before is None:
                padded[..., :past] = inside[..., 1 : past + 1].flip(-1)
            padded[..., past + n :] = inside[..., n - 1 - fill : n - 1].flip(-1)
        after[layer] = padded[..., n : n + past].clone()
        x = padded
    elif activate:
        x = _elu(x, torch.empty_like(x))
    return F.conv2d(x, _weight(conv), conv.bias, stride=(1, stride))


def _elu(x: Tensor, out: Tensor) -> Tensor:
    """max(x, exp(min(x, 0)) - 1), stretch by stretch; faster than `F.elu`, whose expm1 has more exact digits near 0."""
    size = max(1, AT_ONCE // (x.shape[0] * x.shape[1]))
    for part, place in zip(x.split(size, -1), out.split(size, -1), strict=True):
        torch.maximum(part, part.clamp_max(0).exp_().sub_(1), out=place)
    return out


def _weight(conv: nn.Conv1d) -> Tensor:
    """(C', C, 1, k), normalised as the package does it (Salimans and Kingma, arXiv 1602.07868), again if it changed."""
    direction, size = conv.weight_v, conv.weight_g
    version = (direction.device, direction._version, size._version, id(direction))
    if _weights.get(conv, (None,))[0] != version:
        weight = torch._weight_norm(direction, size, 0).detach()[:, :, None]
        _weights[conv] = version, weight.contiguous(memory_format=torch.channels_last)
    return _weights[conv][1]


def lstm_index(layers: nn.Sequential) -> int:
    """Where the LSTM is. It remembers the whole clip, so everything but it and its neighbours can run in pieces."""
    return next(index for index, layer in enumerate(layers) if type(layer).__name__ == "SLSTM")


@torch.no_grad()
def encode_together(layers: nn.Sequential, clips: Tensor) -> Tensor:
    """Clips of one length to latents, faster than one by one on a CPU: for benchmarks.

    Each core takes a clip of its own through the convolutions, as their activations then stay in its caches and no core
    waits for another; all clips go through the LSTM at once, so that its weights are read once for all.

    Args:
        layers: of the package's SEANet encoder for 24 kHz.
        clips: (B, C, N).

    Returns:
        (B, D, T) as `run_stretch` gives clip by clip, but for the last bits.
    """
    lstm, n_threads = lstm_index(layers), torch.get_num_threads()

    @torch.no_grad()
    def convolved(clip: Tensor) -> Tensor:
        parts, before = [], None
        for stretch in clip.split(PIECE_SAMPLES, -1):
            after: Memory = {}
            parts.append(run_stretch(layers[:lstm], stretch, before, after))
            before = after
        return torch.cat(parts, -1)

    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as cores:
            done = list(cores.map(convolved, clips.split(1)))
    finally:
        torch.set_num_threads(n_threads)  # for threads that begin later: they take what was set last
    return run_stretch(layers[lstm:], torch.cat(done), None, {})
