"""Short clips joined until a sequence is full: BOA codes EOA BOA codes EOA ..., ours, for sounds of all lengths.

In pre-training, where `CodeSampler` and `tokens.collate` stand otherwise. Shapes: B sequences, K rows, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.data.batches import CROP_SEED, CodeSampler, random_crop
from audioformer.tokens import TokenBatch, collate, special_ids


class TimeSampler(CodeSampler):
    """Sequences of about the same length for a step: clips drawn by their time, short ones joined until one is full.

    As stateless as `CodeSampler`: what is drawn depends on (seed, step, place) alone. `max_frames` are those of a
    sequence, all its pieces together; a rest below `min_frames` is left to PAD.

    Args:
        *settings: as CodeSampler's.
        power: a clip is drawn in proportion to its frames to this power: 1 hears every second as often, 0 every clip.
    """

    def __init__(self, *settings, power: float):
        super().__init__(*settings)
        self.min_frames = min(self.min_frames, self.max_frames)
        self.until = np.cumsum(n_frames_of(self.clips).astype(float) ** power)

    def draw(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> list[list[Tensor]]:
        """For each sequence of one part of one step for one process, its pieces (K, T')."""
        return [self._sequence(step, int(place)) for place in self.places(micro_step, rank, world)]

    def _sequence(self, step: int, place: int) -> list[Tensor]:
        rng = np.random.default_rng([self.seed, CROP_SEED, step, place])
        pieces, room = [], self.max_frames
        while not pieces or room >= self.min_frames:
            index = int(np.searchsorted(self.until, rng.random() * self.until[-1], side="right"))
            codes = torch.as_tensor(self.clips[min(index, len(self.until) - 1)].codes)
            pieces.append(codes[:, random_crop(codes.shape[1], room, room, rng)])
            room -= pieces[-1].shape[1]
        return pieces


def n_frames_of(clips: Sequence) -> np.ndarray:
    """(n,) int: frames of each clip; a Corpus knows them without reading codes."""
    if hasattr(clips, "column"):
        return np.asarray(clips.column("n_frames"))
    return np.array([clips[i].codes.shape[1] for i in range(len(clips))])


def collate_joined(sequences: Sequence[Sequence], codebook_size: int = 1024) -> TokenBatch:
    """Several clips in each sequence, one after the other: BOA codes EOA BOA codes EOA ..., then PAD.

    Short clips so fill the batch with codes; every position still looks at the whole sequence.

    Args:
        sequences: B lists of at least one (K, T_i) integers each.
        codebook_size: V.

    Returns:
        TokenBatch with S = the longest sum of T_i + 2.

    Raises:
        AudioformerError: any reason of `collate`.

    Example:
        >>> one, two = torch.tensor([[7, 9]]), torch.tensor([[4]])
        >>> collate_joined([[one, two]], codebook_size=10).tokens
        tensor([[[11,  7,  9, 12, 11,  4, 12]]])
    """
    clips = collate([clip for sequence in sequences for clip in sequence], codebook_size)  # each on its own
    pieces = iter(clips.tokens[i, :, ~clips.padding[i]] for i in range(len(clips.tokens)))
    lines = [torch.cat([next(pieces) for _ in sequence], 1) for sequence in sequences]
    longest = max(line.shape[1] for line in lines)
    tokens = torch.full((len(lines), clips.tokens.shape[1], longest), special_ids(codebook_size).pad)
    for row, line in zip(tokens, lines, strict=True):
        row[:, : line.shape[1]] = line
    return TokenBatch(tokens, tokens[:, 0] == special_ids(codebook_size).pad, codebook_size)
