"""The sounds of the map that come with the kit: 300 computed clips of twelve kinds, kept as codes and heard decoded.

    python -m audioformer_app.islands data_samples        writes them again, and the vectors of the first screen

Vectors and maps of the two models of the first screen are made ahead; they are used while the models' weights are the
very same. Shapes: n clips, K codebooks, T frames, D width of a vector, C classes.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from audioformer.audio import Waveform
from audioformer.checkpoint import find_checkpoint
from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import RANDOM
from audioformer.files import atomic_path, samples_folder

LABELS = (
    "dog",
    "rooster",
    "crying_baby",
    "rain",
    "vacuum_cleaner",
    "speech_vowels",
    "hand_claps",
    "thunder",
    "flute",
    "bell",
    "bird_song",
    "piano",
)
EACH, LENGTH_S, RATE_HZ, SEED = 25, 3.0, 24_000, 990_000
PAUSE_S = (0.15, 0.6)  # between two sounds of a clip, shortest and longest
CODEC, SOUNDS, AHEAD = "compact", "map.npz", "map_ahead.npz"
FIRST_SCREEN = ("random:pretrained", "scenes")


@dataclass(frozen=True)
class CodedClip(Clip):
    """A clip that is kept as codes.

    Attributes:
        codes: (K, T) int64.
        codec: that wrote them.
    """

    codes: torch.Tensor | None = None
    codec: Codec | None = None

    def load(self, sample_rate: int | None = None, mono: bool = False) -> Waveform:  # noqa: ARG002 - one channel
        """Decode it, at the codec's rate; (1, N)."""
        n_samples = round((self.duration_s or LENGTH_S) * self.codec.sample_rate)
        return Waveform(self.codec.decode(self.codes, n_samples=n_samples)[0], self.codec.sample_rate)


def open_islands() -> AudioDataset | None:
    """The clips; None where this installation lacks them, or its codec is another one by now."""
    try:
        path, codec = samples_folder() / SOUNDS, load_codec(CODEC)
        with np.load(path) as kept:
            codes, labels = kept["codes"], kept["labels"].astype(str).tolist()
            if str(kept["fingerprint"]) != codec.fingerprint:
                return None
    except (AudioformerError, OSError, ValueError, KeyError):
        return None
    clips = [
        CodedClip(
            id=f"{label}-{i}",
            path=Path(f"computed {label.replace('_', ' ')} {i % EACH + 1}"),
            labels=(label,),
            duration_s=LENGTH_S,
            codes=torch.from_numpy(codes[i].astype(np.int64)),
            codec=codec,
        )
        for i, label in enumerate(labels)
    ]
    return AudioDataset("computed", path.parent, tuple(clips), tuple(dict.fromkeys(labels)))


def made_ahead(name: str) -> dict | None:
    """What is known of a bundled model of the first screen without asking it.

    Args:
        name: shown on the map.

    Returns:
        `vectors` (n, D), `probabilities` (n, C) or None, and the `umap` (n, 2); None if nothing is, or if the weights
        are others by now.
    """
    try:
        with np.load(samples_folder() / AHEAD) as kept:
            if str(kept[f"{name} weights"]) != weights(name.removeprefix(RANDOM)):
                return None
            found = {what: kept[f"{name} {what}"].astype(np.float64) for what in ("vectors", "umap")}
            scores = f"{name} probabilities"
            return {**found, "probabilities": kept[scores].astype(np.float64) if scores in kept else None}
    except (AudioformerError, OSError, ValueError, KeyError):
        return None


def weights(checkpoint: str) -> str:
    """Fingerprint of a checkpoint's weights."""
    folder, digest = find_checkpoint(checkpoint), hashlib.sha256()
    digest.update((folder / "model.safetensors").read_bytes())
    return digest.hexdigest()[:16]


def compute(label: str, number: int) -> np.ndarray:
    """(N,) float32: sounds of one kind, one after the other, with pauses and a little noise."""
    from audioformer.data.synth import SOURCES, synth_event

    rng = np.random.default_rng([SEED + number, SOURCES[label].target])
    n, at = round(LENGTH_S * RATE_HZ), 0
    sound = np.zeros(n)
    while at < n:
        event = synth_event(label, rng, RATE_HZ, LENGTH_S)[: n - at]
        sound[at : at + len(event)] = event
        at += len(event) + round(RATE_HZ * rng.uniform(*PAUSE_S))
    sound += 1e-3 * rng.standard_normal(n)
    return (sound / np.abs(sound).max() * rng.uniform(0.3, 0.9)).astype(np.float32)


def write_sounds(folder: Path) -> None:
    """Compute the clips and keep their codes."""
    codec = load_codec(CODEC)
    labels = [label for label in LABELS for _ in range(EACH)]
    sounds = [compute(label, i % EACH) for i, label in enumerate(labels)]
    codes = [codec.encode(Waveform(torch.from_numpy(one)[None], RATE_HZ))[0].numpy() for one in sounds]
    _write(folder / SOUNDS, codes=np.stack(codes).astype(np.int16), labels=labels, fingerprint=codec.fingerprint)


def write_ahead(folder: Path) -> None:
    """Ask the models of the first screen, and keep what they say."""
    from audioformer.evaluation.embedding_map import describer, project

    kept = {}
    for name in FIRST_SCREEN:
        describe = describer(name)
        found = [describe(clip.load()) for clip in open_islands()]
        vectors = np.stack([one.vector for one in found]).astype(np.float16)
        kept[f"{name} weights"], kept[f"{name} vectors"] = weights(name.removeprefix(RANDOM)), vectors
        kept[f"{name} umap"] = project(vectors, "umap", 0)[0].astype(np.float32)
        if found[0].probabilities is not None:
            kept[f"{name} probabilities"] = np.stack([one.probabilities for one in found]).astype(np.float16)
    _write(folder / AHEAD, **kept)


def _write(path: Path, **arrays) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    if "--ahead" not in sys.argv:
        write_sounds(Path(sys.argv[1]))
    write_ahead(Path(sys.argv[1]))
