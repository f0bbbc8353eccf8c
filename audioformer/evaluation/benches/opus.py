"""Opus as a peer: the codec of today's calls, through Debian's opus-tools. N samples."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from audioformer.audio import load_audio, save_audio

OPUS_KBPS = (6, 12, 24)


def opus_rates() -> tuple[int, ...]:
    """Bit rates to compare with, kbit/s; none where opus-tools are not installed."""
    return OPUS_KBPS if shutil.which("opusenc") and shutil.which("opusdec") else ()


def through_opus(clip: Tensor, sample_rate: int, kbps: int) -> Tensor:
    """A sound after libopus at a bit rate, same length: (N,) float32. Needs opusenc and opusdec (opus-tools)."""
    with tempfile.TemporaryDirectory() as folder:
        original, coded, back = (str(Path(folder) / name) for name in ("in.wav", "a.opus", "out.wav"))
        save_audio(original, clip, sample_rate)
        subprocess.run(["opusenc", "--quiet", "--bitrate", str(kbps), original, coded], check=True, capture_output=True)
        subprocess.run(["opusdec", "--quiet", "--rate", str(sample_rate), coded, back], check=True, capture_output=True)
        decoded = load_audio(back, mono=True).samples[0]
    short = max(0, len(clip) - len(decoded))
    return torch.nn.functional.pad(decoded, (0, short))[: len(clip)]
