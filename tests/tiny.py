"""Small real things for tests: a seeded codec, coded clips, labelled folders of sound. Nothing here pretends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audioformer.audio import save_audio
from audioformer.codecs.compact import CompactCodec
from audioformer.codecs.train_compact import PRESETS

RATE = 24_000  # Hz


def tiny_codec(seed: int = 0, name: str = "tiny", **sizes) -> CompactCodec:
    """A compact codec of the test size (3 codebooks of 16), untrained, its codebooks placed by k-means on noise."""
    torch.manual_seed(seed)
    codec = CompactCodec(replace(PRESETS["test"].codec, **sizes), name=name).eval()
    with torch.no_grad():
        codec.rvq.start_from(codec.frame_latents(0.3 * torch.randn(8, RATE)).flatten(0, 1), n_rounds=3)
    return codec


@dataclass(frozen=True)
class CodedClip:
    """What training reads of a clip; K rows, T frames."""

    codes: torch.Tensor
    labels: tuple[int, ...] = (0,)
    weights: tuple[float, ...] = (1.0,)
    events: tuple = ()
    id: str = "clip"


def coded_clips(
    n: int = 8, n_rows: int = 3, n_frames: int = 75, size: int = 16, n_classes: int = 2, seed: int = 0
) -> list[CodedClip]:
    """Random codes whose class can be heard: each class uses its own half (third, ...) of the codebook."""
    rng, share, clips = np.random.default_rng(seed), size // n_classes, []
    for i in range(n):
        label = i % n_classes
        codes = rng.integers(share * label, share * (label + 1), (n_rows, n_frames))
        clips.append(CodedClip(torch.from_numpy(codes), (label,), id=f"clip {i}"))
    return clips


def codec_about(codec: CompactCodec | None = None) -> dict:
    """What a corpus says of its codec."""
    from audioformer.data.corpus import describe_codec

    return describe_codec(codec if codec is not None else tiny_codec())


def tone(hz: float, duration_s: float = 0.5, rate: int = RATE, seed: int = 0) -> torch.Tensor:
    """(1, N) a tone in a little noise."""
    t = np.arange(round(duration_s * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.01, t.size)
    return torch.from_numpy((0.4 * np.sin(2 * np.pi * hz * t) + noise).astype(np.float32))[None]


def tone_folder(root: Path, n: int = 6, duration_s: float = 0.5, folds: int = 2) -> Path:
    """A data set of the kind `folder`: low and high tones with folds in a CSV."""
    lines = ["filename,label,fold,group"]
    for i in range(n):
        label, hz = (("low", 220), ("high", 2200))[i % 2]
        save_audio(root / f"{label} {i}.wav", tone(hz * (1 + 0.05 * i), duration_s, seed=i), RATE)
        lines.append(f"{label} {i}.wav,{label},{1 + (i // 2) % folds},g{i}")
    (root / "clips.csv").write_text("\n".join(lines) + "\n")
    return root
