"""Maps of many sounds: a vector for each from any model, a plane to see them in, and who is next to whom.

    describe = describer("esc10")
    vectors = np.stack([describe(clip).vector for clip in clips])
    points, shares = project(vectors, "umap")
    space = Space.of(vectors)
    purity(space.neighbours(5), labels)

| name | the vector of a clip |
|---|---|
| `statistics` | 338 numbers of its log-mel picture, nothing learned (baseline.py) |
| a classifier | the vector that its decision is linear in |
| any other name of `features.open_encoder` | mean over its frames: `pretrained`, `codec:compact`, `log-mel` |
| `random:NAME` | the same transformer with fresh weights: what its shape alone gives |

Neighbours are found among standardised vectors, by cosine: features of any scale count alike, as in the probes.
Shapes: n clips, D width of a vector, C classes, k neighbours.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes

from audioformer.audio import Waveform, resample
from audioformer.checkpoint import load_checkpoint
from audioformer.classify import AudioClassifier, load
from audioformer.encoder import init_weights
from audioformer.errors import AudioformerError, check_names
from audioformer.evaluation.baseline import clip_features
from audioformer.evaluation.features import LOG_MEL, OPTION, FrameEncoder, open_encoder
from audioformer.explain.codebook import entry_map

STATISTICS, RANDOM = "statistics", "random:"
METHODS = ("umap", "pca")
LEAST = 4  # clips of a map
UMAP_NEIGHBOURS, UMAP_DISTANCE = 15, 0.1  # how wide each clip looks; how close points may lie


@dataclass(frozen=True)
class Described:
    """What a model makes of one clip.

    Attributes:
        vector: (D,) float32.
        probabilities: (C,) of its own classes; None if it has none.
    """

    vector: np.ndarray
    probabilities: np.ndarray | None = None


def describer(model: str | AudioClassifier | FrameEncoder, seed: int = 0) -> Callable[[Waveform], Described]:
    """A model as a function from clip to vector.

    Args:
        model: an open one, or a name, see the table at the top of this file.
        seed: of `random:NAME`'s weights.

    Returns:
        Function of a mono Waveform at any rate.

    Raises:
        AudioformerError: no such model, or nothing to draw weights for.

    Example:
        >>> describer("statistics")(Waveform(torch.rand(1, 24_000), 24_000)).vector.shape
        (338,)
    """
    if model == STATISTICS:
        return lambda clip: Described(clip_features(clip.samples[0], clip.sample_rate).astype(np.float32))
    if isinstance(model, str):
        model = _open(model, seed)
    if isinstance(model, AudioClassifier):
        return lambda clip: _classified(model, clip)
    return lambda clip: Described(_mean_frame(model, clip))


def fresh(encoder: FrameEncoder, seed: int = 0) -> FrameEncoder:
    """The same encoder with random weights, in place; returns it.

    Raises:
        AudioformerError: it is no transformer.
    """
    if not hasattr(encoder, "model"):
        raise AudioformerError(
            f"{type(encoder).__name__} has no weights to draw anew; random: takes a transformer, e.g. random:pretrained"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder.model.apply(init_weights)
    return encoder


def _open(name: str, seed: int) -> AudioClassifier | FrameEncoder:
    if name.startswith(RANDOM):
        return fresh(open_encoder(name.removeprefix(RANDOM)), seed)
    is_checkpoint = name != LOG_MEL and name.partition(":")[0] not in ("codec", "codes") and not OPTION.search(name)
    if is_checkpoint and load_checkpoint(name)[1]["kind"] == "classifier":
        return load(name)
    return open_encoder(name)


def _classified(model: AudioClassifier, clip: Waveform) -> Described:
    found = model.classify_codes(model.codes(clip))
    return Described(found.embedding.numpy(), found.probabilities.numpy())


def _mean_frame(encoder: FrameEncoder, clip: Waveform) -> np.ndarray:
    heard = resample(clip.samples[:1], clip.sample_rate, encoder.sample_rate).to(encoder.device)
    return encoder(heard)[0].float().mean(0).cpu().numpy()


@dataclass(frozen=True)
class Space:
    """Clips' vectors, standardised and brought to length 1: near means alike.

    Attributes:
        unit: (n, D) float64.
        mean: (D,) of the raw vectors.
        scale: (D,) their deviation, 1 where they do not differ.
    """

    unit: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, vectors) -> Space:
        """From raw vectors (n, D).

        Raises:
            AudioformerError: another shape, or not finite.
        """
        vectors = _checked(vectors)
        mean, deviation = vectors.mean(0), vectors.std(0)
        scale = np.where(deviation > 1e-8, deviation, 1.0)
        return cls(_unit((vectors - mean) / scale), mean, scale)

    def nearest(self, vector, k: int, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The clips most like a sound.

        Args:
            vector: (D,) raw.
            k: how many; fewer where there are fewer.
            without: a clip to pass over, for instance the sound itself.

        Returns:
            (k,) numbers of clips, nearest first, and (k,) cosines.
        """
        cosine = self.unit @ _unit((np.asarray(vector, np.float64)[None] - self.mean) / self.scale)[0]
        order = np.argsort(-cosine, kind="stable")
        order = order[order != without][:k]
        return order, cosine[order]

    def neighbours(self, k: int) -> np.ndarray:
        """(n, k) numbers of each clip's nearest other clips.

        Raises:
            AudioformerError: k is not 1 to n - 1.
        """
        if not 1 <= k < len(self.unit):
            raise AudioformerError(
                f"k={k}: {len(self.unit)} clips have 1 to {len(self.unit) - 1} neighbours each; choose one of those"
            )
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(n_neighbors=k, metric="cosine").fit(self.unit).kneighbors(return_distance=False)


def purity(neighbours: np.ndarray, labels: Sequence[str]) -> tuple[float, float, int]:
    """Mean share of a clip's neighbours that have its label, of the clips that are not the only one of theirs.

    Args:
        neighbours: (n, k) from `Space.neighbours`.
        labels: n names.

    Returns:
        The share, what random other clips would give, and how many clips were counted (0: both shares are 0).

    Example:
        >>> purity(np.array([[1], [0], [0]]), ["dog", "dog", "rain"])
        (1.0, 0.5, 2)
    """
    labels = np.asarray(labels)
    others = (labels[:, None] == labels).sum(1) - 1
    counted = others > 0
    if not counted.any():
        return 0.0, 0.0, 0
    same = (labels[neighbours] == labels[:, None]).mean(1)
    return float(same[counted].mean()), float(others[counted].mean() / (len(labels) - 1)), int(counted.sum())


def vote(neighbours: np.ndarray, labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """What each clip's neighbours would call it: their commonest label, of equally common ones the nearest's.

    Args:
        neighbours: (n, k), nearest first.
        labels: n names.

    Returns:
        n labels, and (n,) shares of the neighbours that say so.

    Example:
        >>> vote(np.array([[1, 2], [0, 2], [1, 0]]), ["dog", "dog", "rain"])[0]
        ['dog', 'dog', 'dog']
    """
    said, shares = [], []
    for near in neighbours:
        names = [labels[i] for i in near]
        best = max(dict.fromkeys(names), key=names.count)  # the first of equals
        said.append(best)
        shares.append(names.count(best) / len(names))
    return said, np.array(shares)


def project(vectors, method: str = "umap", seed: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    """Lay vectors into a plane.

    Args:
        vectors: (n, D) raw; standardised here.
        method: "pca", the plane in which they spread most, or "umap" (McInnes, Healy and Melville 2018, arXiv
            1802.03426), which bends the plane so that neighbours stay neighbours; distances between its islands mean
            nothing.
        seed: of umap; the same seed gives the same map.

    Returns:
        (n, 2) float64 points, finite, and for pca (2,) shares of the variance that the axes show, else None. Vectors
        that are all equal lie on one point.

    Raises:
        AudioformerError: unknown method, fewer than 4 clips, not finite, or umap-learn is missing.
    """
    check_names([method], METHODS, "the list of maps")
    vectors = _checked(vectors)
    if len(vectors) < LEAST:
        raise AudioformerError(f"{len(vectors)} clips are too few for a map; give at least {LEAST}")
    space = Space.of(vectors)
    if method == "pca":
        found = entry_map((vectors - space.mean) / space.scale)
        return found.points, found.shares
    umap = open_umap()
    start = entry_map(space.unit).points  # a start that depends on nothing but the vectors
    if not start.any():
        return start, None
    near = min(UMAP_NEIGHBOURS, len(vectors) - 1)
    start = 10 * start / np.abs(start).max()
    if np.ptp(start, axis=0).min() < 1e-6:  # all on one line: umap would divide by the width of the start, which is 0
        start += 1e-3 * np.random.default_rng(seed).standard_normal(start.shape)
    reducer = umap(n_neighbors=near, min_dist=UMAP_DISTANCE, init=start, random_state=seed, n_jobs=1)
    return reducer.fit_transform(space.unit).astype(np.float64), None


def open_umap() -> type:
    """The class UMAP. Numba, which compiles it, keeps the result in site-packages, or else below the home folder.

    Where neither can be written, it gets a folder of its own until Python ends.
    """
    try:
        try:
            from umap import UMAP
        except RuntimeError:  # of numba: no place for its cache
            folder = tempfile.mkdtemp(prefix="audioformer-numba-")
            atexit.register(shutil.rmtree, folder, True)
            os.environ["NUMBA_CACHE_DIR"] = folder
            import numba

            numba.config.reload_config()
            from umap import UMAP
    except ImportError as error:
        raise AudioformerError(
            'this map needs umap-learn: pip install "audioformer[app]"; or take method="pca"'
        ) from error
    return UMAP


def align(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """(n, 2) points turned, mirrored, moved and scaled to lie as near as they can to another map of the same clips.

    Orthogonal Procrustes (Schoenemann 1966): two maps can be compared by eye, and nothing between their points changes.
    """
    ours, theirs = points - points.mean(0), onto - onto.mean(0)
    turn, size = orthogonal_procrustes(ours, theirs)
    return ours @ turn * (size / max((ours**2).sum(), 1e-12)) + onto.mean(0)


def place(points: np.ndarray, nearest: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """(2,) where a new sound is drawn on a map: amid its neighbours, the more alike the nearer."""
    weights = np.maximum(cosines, 1e-6)
    return (points[nearest] * (weights / weights.sum())[:, None]).sum(0)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _checked(vectors) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise AudioformerError(
            f"vectors of shape {vectors.shape} must be finite (clips, features); check the model that gave them"
        )
    return vectors
