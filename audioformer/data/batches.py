"""Which clips make up which training step, decided by (seed, step) alone.

Between corpus and model in the data path. Shapes: B clips, K rows, T frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError

CROP_SEED, MASK_SEED = 7919, 104729
READ_CLIPS = 64  # clips whose codes `clips_hash` reads


@lru_cache(maxsize=4)
def epoch_order(n_clips: int, seed: int, epoch: int) -> np.ndarray:
    """(n_clips,) every clip once, in an order that depends on seed and epoch only.

    Read-only, drawn once for all steps.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n_clips)
    order.flags.writeable = False
    return order


def batch_indices(n_clips: int, batch_size: int, index: int, seed: int) -> np.ndarray:
    """Clips of the index-th batch of an endless stream of epochs, each clip once an epoch.

    Args:
        n_clips: clips there are.
        batch_size: clips in a batch.
        index: which batch, from 0.
        seed: of the order.

    Returns:
        (batch_size,) int.

    Example:
        >>> sorted(batch_indices(4, 4, 0, seed=1).tolist())
        [0, 1, 2, 3]
    """
    first = index * batch_size
    positions = np.arange(first, first + batch_size)
    epochs = positions // n_clips
    orders = {epoch: epoch_order(n_clips, seed, int(epoch)) for epoch in np.unique(epochs)}
    return np.array([orders[epoch][position % n_clips] for epoch, position in zip(epochs, positions, strict=True)])


def random_crop(n_frames: int, max_frames: int, min_frames: int, rng: np.random.Generator) -> slice:
    """A random stretch of a clip.

    Args:
        n_frames: T of the clip.
        max_frames: longest result.
        min_frames: shortest; half of all clips are cut to a random length between the two, so that a model learns
            from short sounds as well. Equal to max_frames: always as long as possible.
        rng: source of randomness.

    Returns:
        Frames to keep, at most max_frames.
    """
    length = min(n_frames, max_frames)
    if min_frames < length and rng.random() < 0.5:
        length = int(rng.integers(min_frames, length + 1))
    start = int(rng.integers(0, n_frames - length + 1))
    return slice(start, start + length)


def require_clips(clips: Sequence, n_codebooks: int, purpose: str) -> None:
    """Refuse clips that a model cannot be trained on.

    Args:
        clips: items with `.codes` (K, T).
        n_codebooks: rows the model reads.
        purpose: "pre-training" or "fine-tuning", for the message.

    Raises:
        AudioformerError: no clips, or fewer rows than the model reads.
    """
    if len(clips) == 0:
        raise AudioformerError(f"{purpose} needs at least one clip, got none; check folds, splits and the corpus")
    n_rows = len(clips[0].codes)
    if n_rows < n_codebooks:
        raise AudioformerError(
            f"the model reads {n_codebooks} codebooks and the corpus holds {n_rows}; prepare it with {n_codebooks} "
            f"or more, or set model.n_codebooks={n_rows}"
        )


def clips_hash(clips: Sequence) -> str:
    """Hash of which clips these are, in order: ids, numbers of codings and labels of all, and codes of 64 of them.

    Args:
        clips: items with `.codes` (K, T), or a Corpus.

    Returns:
        16 hexadecimal digits; a run continues only with the clips that it began with.
    """
    named = clips.outlines() if hasattr(clips, "outlines") else map(_outline, (clips[i] for i in range(len(clips))))
    digest = hashlib.sha256()
    for outline in named:
        digest.update(repr(outline).encode())
    for i in np.linspace(0, len(clips) - 1, min(len(clips), READ_CLIPS)).astype(int):
        digest.update(np.asarray(clips[int(i)].codes, np.int64).tobytes())
    return digest.hexdigest()[:16]


def clip_numbers(items: Sequence) -> Tensor:
    """(B,) int64: alike for codings of one clip, else different, in every process.

    Items without `.id` are clips of their own.
    """
    names = [getattr(item, "id", None) for item in items]
    hashes = [
        hashlib.blake2b(repr(name or id(item)).encode(), digest_size=8).digest()
        for name, item in zip(names, items, strict=True)
    ]
    return torch.tensor([int.from_bytes(digest, "big", signed=True) for digest in hashes])


def _outline(item) -> tuple:
    return tuple(getattr(item, name, None) for name in ("id", "variant", "labels", "weights"))


class CodeSampler:
    """Crops of prepared clips for a step; the same whatever happened before, so that runs can resume.

    Args:
        clips: items with `.codes` (K, T); read only when drawn.
        batch_size: clips a step over all processes and parts.
        accumulate: parts a step is split into.
        max_frames: longest crop.
        min_frames: shortest crop, see `random_crop`.
        seed: of order and crops.
    """

    def __init__(self, clips: Sequence, batch_size: int, accumulate: int, max_frames: int, min_frames: int, seed: int):
        self.clips, self.batch_size, self.accumulate = clips, batch_size, accumulate
        self.max_frames, self.min_frames, self.seed = max_frames, min_frames, seed

    def places(self, micro_step: int = 0, rank: int = 0, world: int = 1) -> np.ndarray:
        """(B,) which places of a step's whole batch are this part's and this process's; every process has as many.

        Raises:
            AudioformerError: the batch cannot be shared out evenly.
        """
        if self.batch_size % (self.accumulate * world):
            raise AudioformerError(
                f"batch_size={self.batch_size} must be a multiple of accumulate x processes = {self.accumulate} x "
                f"{world}: "
                "every process gets as many clips"
            )
        return np.arange(self.batch_size)[micro_step :: self.accumulate][rank::world]

    def generators(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> list[torch.Generator]:
        """Randomness for each of the clips of `draw`: the same wherever and beside whatever a clip is worked on."""
        seeds = [
            np.random.SeedSequence([self.seed, MASK_SEED, step, int(i)]) for i in self.places(micro_step, rank, world)
        ]
        return [torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1)) for seed in seeds]

    def draw(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple[list, list[slice]]:
        """The clips of one part of one step for one process.

        Returns:
            items, and the frames of each to train on; B of both.
        """
        indices = batch_indices(len(self.clips), self.batch_size, step, self.seed)
        mine = self.places(micro_step, rank, world)
        items = [self.clips[int(indices[i])] for i in mine]
        rngs = [np.random.default_rng([self.seed, CROP_SEED, step, int(i)]) for i in mine]
        lengths = [item.codes.shape[1] for item in items]
        size = (self.max_frames, self.min_frames)
        return items, [random_crop(n, *size, rng) for n, rng in zip(lengths, rngs, strict=True)]
