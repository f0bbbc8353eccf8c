"""Random crops of sound for training a codec: the first step of `train_codec`.

Shapes: B crops, N samples.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import Waveform, load_audio
from audioformer.data.augment import AugmentConfig, augment
from audioformer.errors import AudioformerError
from audioformer.reading.files import other_files, said_of_others, sound_files

VARIED = AugmentConfig(
    speed_chance=0.5, speed=(0.8, 1.25), eq_chance=0.5, band_chance=0.15, reverb_chance=0.2, flip_chance=0.5
)  # other voices, rooms and microphones, as far as the same recordings allow


class CropSampler:
    """Random crops from folders of sound, each folder equally often, held in memory.

    Args:
        folders: searched for sound files.
        sample_rate: Hz.
        exclude: patterns of file names that must never be trained on ("4-*.ogg").

    Attributes:
        notes: what is missing of which file, and which files are no sounds.

    Raises:
        AudioformerError: a folder is missing or holds no sound; a file cannot be read.
    """

    def __init__(self, folders: list[str | os.PathLike], sample_rate: int, exclude: tuple[str, ...] = ()):
        self.folders: list[list[Tensor]] = []
        self.sample_rate = sample_rate
        self.notes: list[str] = []
        for folder in folders:
            files = sound_files(folder, exclude=exclude)
            if not files:
                raise AudioformerError(
                    f"{folder}: holds no sound files after leaving out {list(exclude)}; give another folder"
                )
            waveforms = [self._load(path) for path in files]
            self.folders.append([waveform.samples[0] for waveform in waveforms])
            for path, waveform in zip(files, waveforms, strict=True):
                self.notes += [f"{path}: {note}" for note in waveform.notes]
            if others := said_of_others(other_files(folder)):
                self.notes.append(f"{folder}: {others}")
        self.weights = [
            np.array([len(s) for s in sounds], float) / sum(len(s) for s in sounds) for sounds in self.folders
        ]

    @property
    def hours(self) -> float:
        """Sound held, hours."""
        return sum(len(s) for sounds in self.folders for s in sounds) / self.sample_rate / 3600

    def batch(self, size: int, n_samples: int, rng: np.random.Generator, varied: float = 0.0) -> Tensor:
        """(size, n_samples) float32: random folder, file, place, level.

        One in six is two crops mixed; a share `varied` is VARIED.
        """
        draws = [self._varied if varied and rng.random() < varied else self._crop for _ in range(size)]
        crops = np.stack([draw(n_samples, rng) for draw in draws])
        mixed = rng.random(size) < 1 / 6
        crops[mixed] += crops[rng.permutation(size)][mixed]
        peak = np.abs(crops).max(1, keepdims=True) + 1e-9
        gain = np.minimum(10 ** (rng.uniform(-15, 9, (size, 1)) / 20), 0.98 / peak)
        return torch.from_numpy((crops * gain).astype(np.float32))

    def _load(self, path: Path) -> Waveform:
        try:
            return load_audio(path, self.sample_rate, mono=True)
        except AudioformerError as error:
            problem = str(error).removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
            raise AudioformerError(f"{path}: {problem}; or leave it out: --exclude {path.name!r}") from error

    def _varied(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        longer = self._crop(int(n_samples * VARIED.speed[1]) + 1, rng)
        return np.resize(augment(longer, self.sample_rate, rng, VARIED), n_samples)

    def _crop(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        which = rng.integers(len(self.folders))
        crop = np.zeros(n_samples, np.float32)
        for _ in range(3):  # recordings padded with digital silence: look again for sound, three times
            sound = self.folders[which][rng.choice(len(self.weights[which]), p=self.weights[which])].numpy()
            start = int(rng.integers(-n_samples // 2, max(1, len(sound) - n_samples // 2)))
            piece = sound[max(0, start) : start + n_samples]
            crop[:] = 0
            crop[max(0, -start) : max(0, -start) + len(piece)] = piece
            if np.mean(np.abs(crop) > 1e-4) > 0.3:
                break
        return crop
