"""Many sounds to codes, faster than one by one: clips of equal length are worked on together.

    codes = encode_many(codec, clips, 24_000)

Beside `Codec.encode` in the data path; for benchmarks, notebooks and the app. `prepare` codes clip by clip, so that a
clip's codes cannot depend on its neighbours even in the last bit.

Shapes: C channels, N samples, K codebooks, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from audioformer.audio import to_batch
from audioformer.codec import Codec
from audioformer.encodec_codec import EncodecCodec
from audioformer.encodec_fast import SHORTEST, FastEncoder

_FAST: WeakKeyDictionary[EncodecCodec, FastEncoder] = WeakKeyDictionary()  # by codec, as long as it lives


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
    """(B, C, N) at the codec's rate to (B, K, T); EnCodec 24 kHz on a CPU through its faster arrangement."""
    on_cpu = next(codec.parameters()).device.type == "cpu"
    if type(codec) is not EncodecCodec or not on_cpu or samples.shape[-1] < SHORTEST:
        return codec.encode(samples, codec.sample_rate, n_codebooks)
    n_codebooks = codec._check_rows(n_codebooks)
    if codec not in _FAST:
        _FAST[codec] = FastEncoder(codec.model)
    return codec.model.quantizer.vq.encode(_FAST[codec].latents(samples), n_q=n_codebooks).transpose(0, 1)
