"""Checkpoint files in EnCodec's published format, with seeded weights: what the tests load instead of a download."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import warnings
from pathlib import Path

import torch

from audioformer.codecs import load_codec
from audioformer.codecs.encodec_files import RELEASES, import_encodec


def seeded_model(name: str):
    """The package's own model with random weights, its codebooks spread like its latents so that all codes occur."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(24)
        model = getattr(import_encodec().EncodecModel, RELEASES[name].factory)(pretrained=False)
        spread = model.encoder(tone(model, 0.3)).std()
        for row, layer in enumerate(model.quantizer.vq.layers):
            layer.codebook.copy_(torch.randn_like(layer.codebook) * spread * 0.9**row)
    return model


def tone(model, duration_s: float, clips: int = 1) -> torch.Tensor:
    """(clips, channels, N): a rising tone in noise, each clip and channel another."""
    time_s = torch.arange(math.ceil(duration_s * model.sample_rate)) / model.sample_rate
    pitch_hz = 220.0 * (1 + torch.arange(clips * model.channels).view(clips, model.channels, 1))
    noise = torch.randn(clips, model.channels, len(time_s), generator=torch.Generator().manual_seed(7))
    return 0.3 * torch.sin(2 * torch.pi * pitch_hz * (1 + time_s) * time_s) + 0.05 * noise


def publish(state: object, name: str, folder: Path) -> Path:
    """Save as the release does, the SHA-256 prefix in the file's name; RELEASES then names this file."""
    temporary = folder / "checkpoint"
    torch.save(state, temporary)
    prefix = hashlib.sha256(temporary.read_bytes()).hexdigest()[:8]
    path = temporary.rename(folder / f"{name}-{prefix}.th")
    RELEASES[name] = dataclasses.replace(RELEASES[name], filename=path.name)
    return path


@contextlib.contextmanager
def published(name: str, folder: Path):
    """(codec loaded from such a file, the package's model with the same weights)."""
    original, model = dict(RELEASES), seeded_model(name)
    path = publish(model.state_dict(), name, folder)
    yield load_codec(name, weights=folder), model
    path.unlink()  # 90 MB
    RELEASES.update(original)
