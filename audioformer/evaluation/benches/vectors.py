"""A vector for every clip of a data set from a frozen model, computed once and stored on disk; and how fast that is.

Part of `bench probe`. Shapes: n clips, N samples, T frames, D width of a frame, F features of a clip.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import resample
from audioformer.checkpoint import weights_hash
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.data.datasets.base import load_told
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import clip_features
from audioformer.evaluation.features import open_encoder, summarise
from audioformer.files import write_tensors

BEST = ":layer=best"
STATISTICS = "statistics"  # of log-mel bands and cepstra, baseline.py: 338 of them
TIMED_S, TIMES = 20.0, 2  # sound that speed is measured on, how often


class ClipVectors:
    """A frozen model as a function from clip to vector.

    Args:
        name: "statistics", or any name of `features.open_encoder`; a checkpoint's with ":layer=best" behind it gives
            the vectors of every layer, for a probe to choose from.
        device: torch device.

    Attributes:
        n_parameters: learned numbers it depends on.
        identity: 16 hex digits: another model, other digits.
    """

    def __init__(self, name: str, device: str = "cpu"):
        self.name, self.every = name, name.endswith(BEST)
        self.encoder = None if name == STATISTICS else open_encoder(name.removesuffix(BEST), device)
        if self.every and not hasattr(self.encoder, "every_layer"):
            raise AudioformerError(f"{name}: layers are chosen of a checkpoint, e.g. pretrained{BEST}")
        self.n_parameters = 0 if self.encoder is None else self.encoder.n_parameters
        self.identity = name if self.encoder is None else weights_hash(self.encoder.state_dict())

    def __call__(self, samples: Tensor, sample_rate: int) -> np.ndarray:
        """(N,) samples at any rate to (F,) float32: `summarise` of the frames' vectors, or the statistics.

        With ":layer=best" (J, F), a vector of every layer.
        """
        if self.encoder is None:
            return clip_features(samples, sample_rate).astype(np.float32)
        sound = resample(samples[None], sample_rate, self.encoder.sample_rate).to(self.encoder.device)
        if self.every:
            return summarise(self.encoder.every_layer(sound)[0]).cpu().numpy()
        return summarise(self.encoder(sound).float())[0].cpu().numpy()


def dataset_vectors(
    vectors: ClipVectors, dataset: AudioDataset, folder: Path, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Vectors of a whole data set, from disk if they are there.

    Args:
        vectors: the model.
        dataset: clips.
        folder: where they are stored, one safetensors file for each model and list of clips.
        progress: called with (clips done, clips in all).

    Returns:
        (n, F) float32, or (n, J, F).

    Raises:
        AudioformerError: a clip that cannot be read, or the folder cannot be written.
    """
    path = folder / f"{_key(vectors, dataset.clips)}.safetensors"
    if (stored := _read(path)) is not None:
        return stored
    summaries = []
    for done, clip in enumerate(dataset, 1):
        sound = load_told(clip)
        summaries.append(vectors(sound.samples[0], sound.sample_rate))
        if progress is not None:
            progress(done, len(dataset))
    stacked = np.stack(summaries)
    if not np.isfinite(stacked).all():
        raise AudioformerError(f"{vectors.name}: gives NaN or infinite vectors; the model has diverged")
    write_tensors(path, {"vectors": torch.from_numpy(stacked)}, {"model": vectors.name})
    return stacked


def _key(vectors: ClipVectors, clips: Sequence[Clip]) -> str:
    """Hash of the model and of every file as it is now."""
    files = [
        (clip.id, clip.start_s, clip.duration_s, clip.path.stat().st_size, clip.path.stat().st_mtime_ns)
        for clip in clips
    ]
    return hashlib.sha256(json.dumps([vectors.name, vectors.identity, files]).encode()).hexdigest()[:24]


def _read(path: Path) -> np.ndarray | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(str(path))["vectors"].numpy() if path.is_file() else None
    except (SafetensorError, KeyError, OSError):
        return None  # damaged: it is made again


def speeds(models: Sequence[ClipVectors], clips: Sequence[Clip]) -> list[float]:
    """Seconds of sound that each model takes in a second, all on the same clips, decoded before; the best of two runs.

    The models take turns, so that a machine that is busy for a while is busy for all.
    """
    sounds, total_s = [], 0.0
    for clip in clips:
        sounds.append(load_told(clip))
        total_s += sounds[-1].duration_s
        if total_s >= TIMED_S:
            break
    best = [float("inf")] * len(models)
    for model in models:
        model(sounds[0].samples[0], sounds[0].sample_rate)  # first calls are slow
    for _ in range(TIMES):
        for i, model in enumerate(models):
            started = time.perf_counter()
            for sound in sounds:
                model(sound.samples[0], sound.sample_rate)
            best[i] = min(best[i], time.perf_counter() - started)
    return [total_s / seconds for seconds in best]
