"""Many sounds to codes, faster than one by one: clips of equal length are worked on together.

    codes = encode_many(codec, clips, 24_000)

Beside `Codec.encode` in the data path; for benchmarks, notebooks and the app. `prepare` codes clip by clip, so that a
clip's codes cannot depend on its neighbours even in the last bit.

Shapes: C channels, N samples, K codebooks, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from audioformer.audio import to_batch
from audioformer.codec import Codec
from audioformer.codecs.encodec import EncodecCodec, lstm_index
from audioformer.codecs.encodec_fast import Memory, run_stretch

PIECE_FRAMES = 75  # of a clip pass through EnCodec's convolutions at a time: small enough for the caches


@torch.no_grad()
def encode_many(
    codec: Codec, clips: Sequence, sample_rate: int | None = None, n_codebooks: int | None = None, batch_size: int = 16
) -> list[Tensor]:
    """Code clips of any lengths.

    Args:
        codec: which.
        clips: waveforms as `Codec.encode` takes them, one sound each: (N,) or (C, N).
        sample_rate: Hz, of bare samples.
        n_codebooks: rows wanted; None gives all.
        batch_size: clips worked on together, at most.

    Returns:
        (K, T_i) int64 each, in order: what `encode` gives, but for ties that rounding decides.

    Raises:
        AudioformerError: an unusable waveform, or n_codebooks out of range.
    """
    ready = [to_batch(clip, sample_rate, codec.sample_rate, codec.channels)[:1] for clip in clips]
    by_length: dict[int, list[int]] = {}
    for index, samples in enumerate(ready):
        by_length.setdefault(samples.shape[-1], []).append(index)
    found: list[Tensor] = [torch.empty(0)] * len(ready)
    for indices in by_length.values():
        for start in range(0, len(indices), batch_size):
            group = indices[start : start + batch_size]
            codes = _together(codec, torch.cat([ready[i] for i in group]), n_codebooks)
            for index, own in zip(group, codes, strict=True):
                found[index] = own
    return found


def _together(codec: Codec, samples: Tensor, n_codebooks: int | None) -> Tensor:
    """(B, C, N) at the codec's rate to (B, K, T).

    EnCodec 24 kHz on a CPU: each core takes a clip of its own through the convolutions, as their activations then stay in
    its caches and no core waits for another; and all go through the LSTM at once, so that its weights are read once for all.
    """
    on_cpu = next(codec.parameters()).device.type == "cpu"
    if type(codec) is not EncodecCodec or not on_cpu:
        return codec.encode(samples, codec.sample_rate, n_codebooks)
    n_codebooks, layers = codec.check_rows(n_codebooks), codec.model.encoder.model
    lstm = lstm_index(layers)

    @torch.no_grad()
    def convolved(clip: Tensor) -> Tensor:
        return _in_stretches(layers[:lstm], clip, PIECE_FRAMES * codec.hop_length)

    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as cores:
            done = list(cores.map(convolved, samples.split(1)))
    finally:
        torch.set_num_threads(n_threads)  # for threads that begin later: they take what was set last
    return codec.quantise(run_stretch(layers[lstm:], torch.cat(done), None, {}), n_codebooks)


def _in_stretches(layers: nn.Sequential, clip: Tensor, size: int) -> Tensor:
    """(1, C, N) through convolutions, so many samples at a time."""
    parts, before = [], None
    for stretch in clip.split(size, -1):
        after: Memory = {}
        parts.append(run_stretch(layers, stretch, before, after))
        before = after
    return torch.cat(parts, -1)
