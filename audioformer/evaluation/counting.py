"""What counting alone knows about a hidden code: the ruler for masked language models.

    ruler = Counting.of(training_codes, codebook_size=1024, vectors=codec.codebooks()[0])
    log_p = ruler.log_probabilities("both", codes, hidden)     # (M, V), as `filling.hidden_log_probabilities` gives of
    a model

| name | what a guess is mixed from |
|---|---|
| unigram | how common each code is |
| repeat | that, and the last visible code once more |
| nearest | that, and the codec's nearest neighbours of the last visible code |
| bigram | unigram, repeat, and what followed the last visible code at this distance |
| both | bigram from the last and from the next visible code, and both once more |

The shares of a mixture depend on how far the visible codes are; expectation-maximisation fits them on a tenth of the
clips, which the counts leave out (deleted interpolation: Jelinek and Mercer 1980).

Shapes: T frames, V codebook size, M hidden frames, D width of the codec's vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError, check_names

FARTHEST = 5  # frames to a visible code beyond which it is not counted what follows it
MIXTURES = {
    "unigram": ("unigram",),
    "repeat": ("unigram", "last"),
    "nearest": ("unigram", "near last"),
    "bigram": ("unigram", "last", "after last"),
    "both": ("unigram", "last", "next", "after last", "before next"),
}
SMOOTHING = 0.1  # added to the count of every code
ROUNDS = 30  # of expectation-maximisation
WEIGHED = 20_000  # hidden frames that mixtures are fitted on, at most
TENTH = 10


def visible_beside(hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Where the last and the next visible frame of every frame are.

    Args:
        hidden: (T,) bool.

    Returns:
        (T,) int64 each; -1 and T where there is none.

    Example:
        >>> visible_beside(torch.tensor([False, True, True, False]))[0].tolist()
        [0, 0, 0, 3]
    """
    frames = torch.arange(len(hidden))
    last = torch.where(hidden, -1, frames).cummax(0).values
    following = torch.where(hidden, len(hidden), frames).flip(0).cummin(0).values.flip(0)
    return last, following


@dataclass
class Counting:
    """Counts of one codebook row.

    Attributes:
        common: (V,) probability of each code.
        pairs: (FARTHEST, V, V) how often code a stands d + 1 frames before code b.
        near: (V, V) probabilities of a code's neighbours in the codec, rows sum to 1; None without the codec's vectors.
        shares: mixture name to (buckets, parts) shares that sum to 1; a bucket for every pair of distances.
    """

    common: Tensor
    pairs: Tensor
    near: Tensor | None
    shares: dict[str, Tensor]

    @classmethod
    def of(
        cls, clips: Sequence[Tensor], codebook_size: int, vectors: Tensor | None = None, hide=None, seed: int = 0
    ) -> Counting:
        """Count.

        Args:
            clips: (T_i,) codes of one row, of training clips.
            codebook_size: V.
            vectors: (V, D) the codec's vectors of this row; None leaves "nearest" out.
            hide: (number of frames, seed) to (T,) bool, what is hidden when shares are fitted; None: a quarter, frame
                by frame.
            seed: of what is hidden.

        Raises:
            AudioformerError: fewer than two clips.
        """
        if len(clips) < 2:
            raise AudioformerError(
                f"counting needs at least 2 clips, got {len(clips)}: some to count in, some to weigh on"
            )
        clips = [torch.as_tensor(clip).long() for clip in clips]
        hide = hide or (lambda n, own: torch.rand(n, generator=torch.Generator().manual_seed(own)) < 0.25)
        weighed = set(range(0, len(clips), TENTH))
        counted = [clip for i, clip in enumerate(clips) if i not in weighed]
        common = torch.full((codebook_size,), SMOOTHING)
        pairs = torch.zeros(FARTHEST * codebook_size**2)
        for clip in counted:
            common += torch.bincount(clip, minlength=codebook_size)
            for d in range(1, FARTHEST + 1):
                places = ((d - 1) * codebook_size + clip[:-d]) * codebook_size + clip[d:]
                pairs.index_add_(0, places, torch.ones(len(places)))
        made = cls(common / common.sum(), pairs.view(FARTHEST, codebook_size, codebook_size), None, {})
        made.near = None if vectors is None else neighbours(vectors)
        order = np.random.default_rng(seed).permutation(sorted(weighed)).tolist()
        made._weigh([(clips[i], hide(len(clips[i]), seed + i)) for i in order])
        return made

    def log_probabilities(self, name: str, codes: Tensor, hidden: Tensor) -> Tensor:
        """What a mixture expects at each hidden frame.

        Args:
            name: of MIXTURES.
            codes: (T,); hidden ones are not read.
            hidden: (T,) bool.

        Returns:
            (M, V) log probabilities.

        Raises:
            AudioformerError: unknown name.
        """
        check_names([name], list(self.shares), "the list of mixtures")
        parts, bucket = self._parts(MIXTURES[name], codes, hidden)
        return torch.einsum("mc,mcv->mv", self.shares[name][bucket], parts).log()

    def _weigh(self, clips: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Fit the shares of all mixtures."""
        names = [name for name in MIXTURES if name != "nearest" or self.near is not None]
        wanted = list(dict.fromkeys(part for name in names for part in MIXTURES[name]))
        found, buckets, n = [], [], 0
        for codes, hidden in clips:
            if n < WEIGHED and hidden.any() and not hidden.all():
                parts, bucket = self._parts(wanted, codes, hidden)
                found.append(parts.gather(2, codes[hidden][:, None, None].expand(-1, len(wanted), 1))[..., 0])
                buckets.append(bucket)
                n += len(bucket)
        truth = torch.cat(
            [torch.zeros(0, len(wanted)), *found]
        )  # (M, parts) probability that each part gives to the true code
        bucket = torch.cat([torch.zeros(0, dtype=torch.long), *buckets])
        for name in names:
            own = truth[:, [wanted.index(part) for part in MIXTURES[name]]]
            shares = torch.full(((FARTHEST + 1) ** 2, own.shape[1]), 1 / own.shape[1])
            for _ in range(ROUNDS):
                told = shares[bucket] * own
                told = told / told.sum(1, keepdim=True)
                total = torch.full_like(shares, 1e-2).index_add_(0, bucket, told)
                shares = total / total.sum(1, keepdim=True)
            self.shares[name] = shares

    def _parts(self, wanted: Sequence[str], codes: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(M, parts, V) probabilities, and (M,) bucket of distances."""
        codes, hidden = torch.as_tensor(codes).long(), torch.as_tensor(hidden).bool()
        frames, size = hidden.nonzero()[:, 0], len(self.common)
        last, following = (where[hidden] for where in visible_beside(hidden))
        far = [
            (frames - last).where(last >= 0, FARTHEST + 1),
            (following - frames).where(following < len(codes), FARTHEST + 1),
        ]
        far = [
            distance.clamp(max=FARTHEST + 1) for distance in far
        ]  # FARTHEST + 1: too far to have been counted, or none
        there = [last >= 0, following < len(codes)]
        beside = [codes[last.clamp(min=0)], codes[following.clamp(max=len(codes) - 1)]]
        parts = []
        for part in wanted:
            side = int("next" in part)
            if part in ("last", "next"):
                known = torch.nn.functional.one_hot(beside[side], size).float()
            elif part == "near last":
                known = self.near[beside[side]]
            elif part in ("after last", "before next"):
                table = self.pairs if not side else self.pairs.transpose(1, 2)
                counts = table[far[side].clamp(max=FARTHEST) - 1, beside[side]] + SMOOTHING * self.common
                known = torch.where((far[side] <= FARTHEST)[:, None], counts / counts.sum(1, keepdim=True), self.common)
            else:
                known = self.common.expand(len(frames), -1)
            parts.append(torch.where(there[side][:, None], known, self.common))
        return torch.stack(parts, 1), (far[0] - 1) * (FARTHEST + 1) + far[1] - 1


def neighbours(vectors: Tensor) -> Tensor:
    """How near each code is to each other one in the codec, as probabilities.

    A bell over the distance, as wide as the nearest neighbours are far on average; the code itself has its share too.

    Args:
        vectors: (V, D).

    Returns:
        (V, V) float32, rows sum to 1.
    """
    distances = torch.cdist(vectors.float(), vectors.float()).square()
    own = torch.eye(len(vectors), dtype=torch.bool)
    width = distances.masked_fill(own, torch.inf).amin(1).mean().clamp_min(1e-12)
    return (-distances / (2 * width)).softmax(1)
