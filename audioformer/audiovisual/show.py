"""A scene to look at and to hear: its frames, the sound of each thing, and where each of these sounds points.

Used by the app's room Sight and by the notebook. Sounds are computed (`audioformer.data.synth`), nothing is read.
Shapes: n things, N samples, F frames, S pixels a side, M bands, T frames of the bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import resample
from audioformer.audiovisual.measure import points_inside
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.pretrain import padded_sounds
from audioformer.audiovisual.scenes import KINDS, N_BAND_FRAMES, SAME_KIND, Scene, make_scene, motion_of
from audioformer.audiovisual.towers import pooled_bands
from audioformer.audiovisual.where import where_from
from audioformer.data.frames import kaldi_log_mel
from audioformer.data.synth import synth_clip
from audioformer.start import load_pretrained

RATE, HOP, CLIP_S = 24_000, 320, 3.0  # Hz, samples, seconds
SOUND_SEED = 1 << 20  # sounds beyond those of training, which are drawn by other seeds


@dataclass(frozen=True)
class Shown:
    """A scene and what each of its sounds points at.

    Attributes:
        scene: the first thing is the heard one; all things are in colours that training never shows.
        frames: (F, 3, S, S) from 0 to 1.
        sounds: n of (N,) samples at 24 kHz, one for each thing.
        maps: (n, F, S, S) how much each pixel fits each sound, from 0 (where.py).
    """

    scene: Scene
    frames: np.ndarray
    sounds: list[np.ndarray]
    maps: np.ndarray

    def pointed(self, number: int) -> int | None:
        """The thing that a sound points at while it is heard: the peak lies in its place; None: at no thing."""
        return pointed_at(self.maps[number], self.scene, self.scene.things[number].motion.audible)


def open_scenes(name: str = "sight-scenes") -> AudioVisual:
    """The bundled model of scenes, or another by name or folder.

    Raises:
        AudioformerError: missing, damaged, or a model of something else.
    """
    model = load_pretrained(name)[0]
    if getattr(model.config, "picture", None) != "scenes":
        from audioformer.errors import AudioformerError

        raise AudioformerError(f"{name}: is no model of scenes; train one with --method audiovisual --preset scenes")
    return model


def bands_of(samples: np.ndarray, sample_rate: int = RATE) -> Tensor:
    """(N,) samples to (M, T) log-mel bands of the first three seconds, silence behind a shorter sound."""
    wave = torch.as_tensor(np.asarray(samples, np.float32))[None]
    wave = resample(wave, sample_rate, RATE)[:, : round(CLIP_S * RATE)]
    bands = pooled_bands(kaldi_log_mel(wave, RATE, HOP))[0, :, :N_BAND_FRAMES]
    return padded_sounds([bands], N_BAND_FRAMES, True).tokens[0]


def show_scene(model: AudioVisual, seed: int, n_things: int = 3) -> Shown:
    """A new scene: things of different kinds, now and then two of one, each with a sound of its own.

    Args:
        model: of scenes.
        seed: the same seed gives the same scene.
        n_things: one to three.
    """
    rng = np.random.default_rng([SOUND_SEED, seed])
    kinds = [str(kind) for kind in rng.permutation(list(KINDS))[:n_things]]
    if len(kinds) > 1 and rng.random() < SAME_KIND:
        kinds[1] = kinds[0]
    sounds = [synth_clip(kind, int(rng.integers(SOUND_SEED, 1 << 31)), CLIP_S, RATE) for kind in kinds]
    bands = [bands_of(sound) for sound in sounds]
    scene = make_scene([(kind, motion_of(one.numpy())) for kind, one in zip(kinds, bands, strict=True)], rng, True)
    frames = scene.frames()
    return Shown(scene, frames, sounds, maps_of(model, bands, frames))


def maps_of(model: AudioVisual, bands: list[Tensor], frames: np.ndarray) -> np.ndarray:
    """(n, F, S, S): where each of n sounds (M, T) points in one picture (F, 3, S, S)."""
    pictures = torch.from_numpy(frames)[None].expand(len(bands), -1, -1, -1, -1)
    return where_from(model, torch.stack(bands), pictures).numpy()


def pointed_at(maps: np.ndarray, scene: Scene, audible: np.ndarray) -> int | None:
    """Number of the thing in whose place (F, S, S), averaged over the audible frames, has its peak; None: no thing."""
    if not audible.any():
        return None
    where = maps[audible].mean(0)
    return next((i for i, place in enumerate(scene.places()) if points_inside(where, place)), None)
