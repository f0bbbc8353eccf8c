"""EnCodecMAE's second stage: clusters of a trained model's own activations become what is guessed next.

Codes say how a frame sounds; a cluster of activations says what a model that has heard the whole clip makes of it. The
teacher sees everything, the student half.

Source: EnCodecMAE (arXiv 2309.07391): the last encoder layer without the final norm, k-means with 1024 clusters on
10,000 frames. The authors run full k-means; mini-batches (Sculley 2010) find nearly the same and need no memory.
Shapes: B clips, T frames, D width, V clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.encodecmae.model import EncodecMAE
from audioformer.errors import AudioformerError

N_FRAMES = 10_000  # sampled for k-means; the authors'
CLIPS_AT_ONCE = 16


@torch.no_grad()
def activations(teacher: EncodecMAE, frames: Tensor, padding: Tensor | None = None) -> Tensor:
    """(B, T, D) what is clustered: the post-norm stream of the encoder's last layer, nothing hidden."""
    return teacher(frames, padding, need_hidden=True).all_hidden[-1][:, 0].float()


def nearest_cluster(vectors: Tensor, clusters: Tensor) -> Tensor:
    """(..., D) vectors to (...) int64 numbers of the closest of (V, D) clusters, by Euclidean distance."""
    flat = vectors.reshape(-1, vectors.shape[-1]).float()
    return (clusters.square().sum(1) - 2 * flat @ clusters.T).argmin(1).reshape(vectors.shape[:-1])


def sample_activations(
    teacher: EncodecMAE, clips: Sequence, window: int, n_frames: int = N_FRAMES, seed: int = 0
) -> Tensor:
    """Activations of randomly chosen frames of randomly chosen stretches.

    Args:
        teacher: in evaluation mode.
        clips: items of a corpus.
        window: longest stretch of a clip, frames.
        n_frames: wanted; fewer if the clips have no more.
        seed: of the choice.

    Returns:
        (n, D) float32 on the CPU.
    """
    rng = np.random.default_rng([seed, 31])
    chosen = rng.permutation(len(clips))[:n_frames]  # at most one stretch of a clip
    per_clip = -(-n_frames // len(chosen))
    device, found = next(teacher.parameters()).device, []
    for first in range(0, len(chosen), CLIPS_AT_ONCE):
        pieces = []
        for index in chosen[first : first + CLIPS_AT_ONCE]:
            whole = teacher.inputs(clips[int(index)])
            start = int(rng.integers(0, max(1, whole.shape[1] - window + 1)))
            pieces.append(whole[:, start : start + window])
        batch = teacher.collate(pieces).to(device)
        for vectors, length in zip(
            activations(teacher, batch.tokens, batch.padding), batch.lengths.tolist(), strict=True
        ):
            found.append(vectors[np.sort(rng.permutation(length)[:per_clip])].cpu())
    return torch.cat(found)[:n_frames]


def fit_clusters(vectors: Tensor, n_clusters: int, seed: int = 0) -> Tensor:
    """Find clusters.

    Args:
        vectors: (n, D), n at least n_clusters.
        n_clusters: V.
        seed: of the start.

    Returns:
        (V, D) float32, their centres.

    Raises:
        AudioformerError: fewer vectors than clusters.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(vectors) < n_clusters:
        raise AudioformerError(
            f"{len(vectors)} frames cannot make {n_clusters} clusters; "
            f"give more clips or set model.n_clusters={max(1, len(vectors) // 4)}"
        )
    found = MiniBatchKMeans(n_clusters, batch_size=max(1024, n_clusters), n_init=1, random_state=seed).fit(
        vectors.numpy()
    )
    return torch.from_numpy(found.cluster_centers_).float()
