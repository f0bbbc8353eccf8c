"""Is a sound like those that a classifier learnt from? How far its vector lies from those of every class.

    tensors, found = fit_familiarity(audioformer.load("esc10"), dataset, "pretrained")    # clips of several folds
    open_familiarity("esc10").unlike(codes)                                               # "" or a sentence

A classifier that must choose one of ten calls a voice "dog", and can be sure of it: its probabilities compare its ten
classes with one another. The distance of Mahalanobis asks another question (Lee et al. 2018, arXiv 1807.03888, equation
2): how far a vector lies from the mean of the nearest class, in units of how much vectors vary within a class; all
classes share one covariance, shrunk as Ledoit and Wolf do (2004).

Two things are ours. The vectors are not the classifier's own but those of a frozen model that has learnt no labels
(`features.summarise`): so a clip that is left out of means and covariance is new to all that measures it. And what does
not make a sound another kind of sound does not count: means and covariance see each clip also quieter, with noise,
through a telephone and cut short (`versions`), and the bound depends on the length, since short sounds vary more.

Shapes: n clips, C classes, F features, K codebook rows, T frames, L lengths.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from audioformer.audio import resample
from audioformer.checkpoint import bundled_names, find_checkpoint
from audioformer.classify import AudioClassifier
from audioformer.data.datasets import AudioDataset
from audioformer.data.datasets.base import load_told
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.changes import PLAIN, changed
from audioformer.evaluation.calibration import roc_area
from audioformer.evaluation.features import TransformerFrames, open_encoder, summarise
from audioformer.files import open_tensors, write_tensors

FILE, ARRAYS = "familiarity.safetensors", ("centres", "scale", "precision", "lengths_s", "bounds")
LENGTHS_S = (0.5, 1.0, 2.0)  # to which clips are cut, around where they are loudest; whole clips come on top
KEPT = 0.95  # share of held-out clips, of every length, that are within the bound
TOO_LONG = 2.0  # times the whole clips: a longer recording holds more than one sound, nothing is said of it
ZERO = 1e-6  # a feature that varies less does not count


@dataclass(frozen=True)
class Familiarity:
    """What a classifier's classes look like to a frozen model.

    Attributes:
        encoder: the frozen model.
        centres: (C, F) mean of each class, of features that vary by 1 within a class.
        scale: (F,) by which features are divided.
        precision: (F, F) inverse of the covariance within a class.
        lengths_s: (L,) rising, seconds.
        bounds: (L,) distance that KEPT of the held-out clips of each length do not reach.
    """

    encoder: TransformerFrames
    centres: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    lengths_s: np.ndarray
    bounds: np.ndarray

    def distance(self, codes: Tensor) -> float:
        """To the nearest class; codes (K, T)."""
        return float(self.distances(clip_vector(self.encoder, codes)[None])[0])

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """(n, F) to (n,): to the nearest class of each."""
        apart = vectors[:, None] / self.scale - self.centres  # (n, C, F)
        return np.sqrt(np.einsum("ncf,fg,ncg->nc", apart, self.precision, apart, optimize=True).min(1))

    def bound(self, duration_s: float) -> float:
        """The distance that 95 of 100 clips of this length do not reach; between two lengths by their logarithm."""
        return float(np.interp(np.log(max(duration_s, 1e-3)), np.log(self.lengths_s), self.bounds))

    def unlike(self, codes: Tensor) -> str:
        """A sentence if a sound is farther from every class than 95 of 100 clips of its length, else "".

        Args:
            codes: (K, T) of the codec that the frozen model reads.
        """
        duration_s = codes.shape[-1] / self.encoder.frame_rate
        if duration_s > TOO_LONG * self.lengths_s[-1] or (times := self.distance(codes) / self.bound(duration_s)) <= 1:
            return ""
        return (
            f"unlike what this model learnt from: {times:.1f} times as far from its classes as 95 of 100 of its own "
            "sounds; perhaps it is none of them"
        )


def clip_vector(encoder: TransformerFrames, codes: Tensor) -> np.ndarray:
    """(K, T) codes to (F,) float32: `summarise` of the frozen model's vectors."""
    return summarise(encoder.of_codes(codes[None]))[0].cpu().numpy()


def versions(samples: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """(N,) as it is, changed without becoming another sound (`changes.changed`), and its loudest 0.5, 1 and 2 s."""
    every = changed(samples, sample_rate)
    for seconds in LENGTHS_S:
        n = round(seconds * sample_rate)
        if n < len(samples):
            power = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])
            start = int((power[n:] - power[:-n]).argmax())
            every[f"{seconds:g} s"] = samples[start : start + n]
    return every


def fit_familiarity(
    classifier: AudioClassifier,
    dataset: AudioDataset,
    model: str,
    foreign: AudioDataset | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Means, covariance and bounds of a classifier's classes, and how well foreign sounds are told from them.

    Args:
        classifier: one label a clip.
        dataset: clips of its classes in at least two folds; the bounds are those of every fold under the others.
        model: bundled frozen model, e.g. "pretrained", that reads the codes of the classifier's codec.
        foreign: clips of other kinds; None leaves their figures out.
        progress: called with (clips done, clips in all).

    Returns:
        Tensors for `save_familiarity`, and "n", "own unlike, VERSION" (shares), with foreign clips "n_foreign",
        "roc area" (of distance by bound, clips of all lengths; 0.5 is chance) and "foreign unlike"; all of clips that
        means and covariance have not seen.

    Raises:
        AudioformerError: no class in common, one fold, several labels a clip, another codec.
    """
    encoder = _encoder(model)
    if encoder.codec.fingerprint != classifier.codec.fingerprint:
        raise AudioformerError(f"{model} does not read the codes that {classifier.name} reads; name another model")
    clips = [clip for clip in dataset if len(clip.labels) == 1 and clip.labels[0] in classifier.label_names]
    if classifier.multi_label or len({clip.fold for clip in clips}) < 2:
        raise AudioformerError("familiarity needs one label a clip, and clips in two folds or more, each left out once")
    others = list(foreign) if foreign is not None else []
    own, strange = [], []
    for done, clip in enumerate([*clips, *others], 1):
        sound = load_told(clip)
        samples = resample(sound.samples, sound.sample_rate, encoder.sample_rate)[0].numpy()
        heard = versions(samples, encoder.sample_rate) if done <= len(clips) else {PLAIN: samples}
        for name, changed_samples in heard.items():
            vector = summarise(encoder(torch.from_numpy(changed_samples)[None]))[0].numpy()
            seen = _Seen(done - 1, name, len(changed_samples) / encoder.sample_rate, vector)
            (own if done <= len(clips) else strange).append(seen)
        if progress is not None:
            progress(done, len(clips) + len(others))
    classes = np.array([classifier.label_names.index(clips[seen.clip].labels[0]) for seen in own])
    folds = np.array([clips[seen.clip].fold for seen in own])
    return _fitted(encoder, own, strange, classes, folds)


@dataclass(frozen=True)
class _Seen:
    """One version of a clip: number of the clip, name of the version, seconds, (F,)."""

    clip: int
    version: str
    length_s: float
    vector: np.ndarray


def _fitted(encoder, own: list[_Seen], strange: list[_Seen], classes: np.ndarray, folds: np.ndarray) -> tuple:
    """Each fold measured with what the others give, then all folds together."""
    vectors, names = np.stack([seen.vector for seen in own]), np.array([seen.version for seen in own])
    held, foreign = np.zeros(len(own)), []
    for fold in np.unique(folds):
        rest = Familiarity(encoder, *_means(vectors[folds != fold], classes[folds != fold]), np.ones(1), np.ones(1))
        held[folds == fold] = rest.distances(vectors[folds == fold])
        foreign.append(rest.distances(np.stack([seen.vector for seen in strange])) if strange else np.zeros(0))
    whole_s = float(np.median([seen.length_s for seen in own if seen.version == PLAIN]))
    groups = {f"{seconds:g} s": seconds for seconds in LENGTHS_S if seconds < whole_s} | {PLAIN: whole_s}
    found = [(seconds, np.quantile(held[names == name], KEPT)) for name, seconds in groups.items() if name in names]
    lengths_s, bounds = np.array(found).T
    known = Familiarity(encoder, *_means(vectors, classes), lengths_s, bounds)
    ratios = held / [known.bound(seen.length_s) for seen in own]
    measures = {"n": len({seen.clip for seen in own})}
    measures |= {f"own unlike, {name}": float((ratios[names == name] > 1).mean()) for name in dict.fromkeys(names)}
    if strange:
        apart = np.mean(foreign, 0) / [known.bound(seen.length_s) for seen in strange]
        area = roc_area(-ratios[np.isin(names, list(groups))], -apart)
        measures |= {"n_foreign": len(strange), "roc area": area, "foreign unlike": float((apart > 1).mean())}
    arrays = {name: getattr(known, name) for name in ARRAYS}
    return {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}, measures


def _means(vectors: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(C, F) centres, (F,) scale and (F, F) precision of labelled vectors (n, F)."""
    from sklearn.covariance import ledoit_wolf

    centres = np.stack([vectors[classes == label].mean(0) for label in np.unique(classes)])
    within = vectors - centres[np.unique(classes, return_inverse=True)[1]]
    scale = np.maximum(within.std(0), ZERO)
    covariance, _ = ledoit_wolf(within / scale, assume_centered=True)
    return centres / scale, scale, np.linalg.inv(covariance)


def save_familiarity(checkpoint: str | os.PathLike, model: str, tensors: dict[str, Tensor]) -> None:
    """Write `familiarity.safetensors` into a checkpoint's folder.

    Raises:
        AudioformerError: no checkpoint, or its folder cannot be written.
    """
    write_tensors(find_checkpoint(checkpoint) / FILE, tensors, {"model": model})


@lru_cache(4)
def open_familiarity(checkpoint: str | os.PathLike) -> Familiarity | None:
    """What `fit_familiarity` found of a checkpoint; None where nobody has asked it.

    Args:
        checkpoint: folder or bundled name.

    Raises:
        AudioformerError: no checkpoint, or the file is damaged.
    """
    path = find_checkpoint(checkpoint) / FILE
    if not path.is_file():
        return None
    try:
        with open_tensors(path) as stored:
            encoder = _encoder((stored.metadata() or {})["model"])
            shapes = [tuple(stored.get_slice(name).get_shape()) for name in ARRAYS]
            n_features, n_classes, n_lengths = 3 * encoder.width, *(shape[0] if shape else 0 for shape in shapes[::3])
            due = [(n_classes, n_features), (n_features,), (n_features, n_features), (n_lengths,), (n_lengths,)]
            if shapes != due or not n_lengths:
                raise ValueError(f"shapes {shapes}, expected {due}")
            arrays = {name: stored.get_tensor(name).double().numpy() for name in ARRAYS}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("NaN or infinite numbers")
    except (KeyError, ValueError, OSError) as error:
        raise AudioformerError(f"{path}: damaged ({error}); measure it again with `audioformer evaluate`") from error
    return Familiarity(encoder, **arrays)


def _encoder(model: str) -> TransformerFrames:
    """The frozen model up to its layer; one that ships with the kit, so that a checkpoint can travel without it."""
    if model.partition(":")[0] not in bundled_names():
        raise AudioformerError(f"{model} is not bundled; choose one of {', '.join(bundled_names())}")
    encoder = open_encoder(model)
    if not isinstance(encoder, TransformerFrames) or not encoder.model.reads_codes:
        raise AudioformerError(f"{model} does not read codes; name another model")
    for transformer in encoder.model.encoders if encoder.layer is not None else ():
        if encoder.layer < len(transformer.blocks):  # what comes after the layer that is read is never computed
            del transformer.blocks[encoder.layer :]
            transformer.final_norm = nn.Identity()
    return encoder
