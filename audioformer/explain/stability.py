"""How many codes stay when a sound changes in a way that hardly anybody hears: moved, louder, with faint noise.

A frame of a codec begins every hop (320 samples of `compact`). Moved by a whole hop, all codes move by one frame and
stay the same; moved by less, the frames cut the sound at other places, and the finer a row, the fewer of its codes
stay: a finer row codes what the rows above left over, and that is another remainder each time.

What this does not show: whether it sounds different. Decoded, the changed codes sound nearly alike.

Shapes: N samples, K codebook rows, T frames, X changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import to_batch
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer.explain.moments import silent_frames

KINDS = ("moved", "louder", "noise")


@dataclass(frozen=True)
class Change:
    """One small change of a sound.

    Attributes:
        kind: "moved" (later, by samples at the codec's rate), "louder" (by dB) or "noise" (white, so many dB below the
            sound).
        amount: samples or dB.
    """

    kind: str
    amount: float

    def __post_init__(self):
        whole = self.kind != "moved" or (self.amount >= 0 and float(self.amount).is_integer())
        if self.kind not in KINDS or not math.isfinite(self.amount) or not whole or abs(self.amount) > 1e6:
            raise AudioformerError(
                f"{self}: kinds are {', '.join(KINDS)}; moved takes a whole number of samples from 0"
            )


CHANGES = (*(Change("moved", n) for n in (1, 20, 80, 160, 240, 319, 320)), Change("louder", 3), Change("noise", 30))


@dataclass(frozen=True)
class Stability:
    """Which codes stay.

    Attributes:
        changes: X.
        codes: (K, T) of the sound as it was.
        changed: X of (K, T) codes of the changed sound, moved back by whole frames; -1 where there is none.
        counted: (T,) bool, frames that count: not silent, since silence has the same codes however it is changed.
        stay: (X, K) share of the counted codes that are the same.
    """

    changes: tuple[Change, ...]
    codes: Tensor
    changed: tuple[Tensor, ...]
    counted: Tensor
    stay: Tensor


def stability(
    codec: Codec,
    waveform,
    sample_rate: int | None = None,
    changes: Sequence[Change] = CHANGES,
    n_codebooks: int | None = None,
    seed: int = 0,
) -> Stability:
    """Change a sound a little in several ways, code it again, and count the codes that stay.

    Args:
        codec: any mono codec.
        waveform: Waveform or samples (N,), as `Codec.encode`.
        sample_rate: Hz, for bare samples.
        changes: what is tried.
        n_codebooks: rows; None: all.
        seed: of the noise.

    Returns:
        Stability. A sound that was moved by n samples is compared frame by frame after it was moved back by n / hop
        frames, rounded.

    Raises:
        AudioformerError: unusable sound, or no such change.

    Example:
        >>> import audioformer as af
        >>> tone = np.sin(np.arange(24_000) / 9) * np.linspace(0.1, 0.5, 24_000)
        >>> stability(af.load_codec("compact"), tone, 24_000, [Change("moved", 320)]).stay.min() > 0.9
        tensor(True)
    """
    samples = to_batch(waveform, sample_rate, codec.sample_rate, codec.channels)[:1]
    codes = codec.encode(samples, codec.sample_rate, n_codebooks)[0].cpu()
    mono = samples[0].mean(0).numpy()
    counted = ~torch.from_numpy(silent_frames(mono, codec.sample_rate, codec.frame_rate, codes.shape[1]))
    changed, stay = [], []
    for change in changes:
        other = codec.encode(changed_sound(samples, change, seed), codec.sample_rate, n_codebooks)[0].cpu()
        back = _aligned(other, codes.shape[1], _frames_moved(change, codec.hop_length))
        compared = counted & (back[0] >= 0)
        same = (back == codes)[:, compared].float()
        changed.append(back)
        stay.append(same.mean(1) if compared.any() else torch.full((len(codes),), torch.nan))
    return Stability(tuple(changes), codes, tuple(changed), counted, torch.stack(stay))


def changed_sound(samples: Tensor, change: Change, seed: int = 0) -> Tensor:
    """(..., N) samples after a change; moved ones are N + amount long, with zeros in front."""
    if change.kind == "moved":
        return torch.nn.functional.pad(samples, (int(change.amount), 0))
    if change.kind == "louder":
        return samples * 10 ** (change.amount / 20)
    level = samples.square().mean().sqrt() * 10 ** (-change.amount / 20)
    noise = np.random.default_rng(seed).standard_normal(samples.shape[-1]).astype(np.float32)
    return samples + level * torch.from_numpy(noise)


def _frames_moved(change: Change, hop_length: int) -> int:
    return math.floor(change.amount / hop_length + 0.5) if change.kind == "moved" else 0


def _aligned(codes: Tensor, n_frames: int, moved: int) -> Tensor:
    """(K, T') codes moved back by whole frames, to (K, T); -1 beyond their end."""
    back = codes[:, moved : moved + n_frames]
    return torch.nn.functional.pad(back, (0, n_frames - back.shape[1]), value=-1)
