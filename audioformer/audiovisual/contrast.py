"""The contrast: which of a batch's pictures belongs to this sound, and which sound to this picture?

Source: Wang et al. 2021 (arXiv 2104.12807): InfoNCE over all ordered pairs of views, temperature 0.1; new examples
mixed from two, with one weight for all views. Their distribution of that weight is not known to us: ours is Beta(5,
2), own part 0.71 on average.

Shapes: B clips, F frames of the picture, P places, E shared width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.errors import AudioformerError

TEMPERATURE = 0.1  # the authors'
SOFTNESS = 0.1  # t of the best place
OWN, OTHER = 5.0, 2.0  # of the Beta distribution of mixing weights


def similarities(sounds: Tensor, pictures: Tensor, weights: Tensor | None = None) -> Tensor:
    """How well every sound goes with every picture: at each moment the best place's cosine, and their mean over time.

    The best is a soft one, t log mean exp(cosine / t): in the beginning, when no place is better, all of them learn.

    Args:
        sounds: (B, F, 1, E) unit vectors.
        pictures: (B', F, P, E) unit vectors; with P = 1 of another sound view as well.
        weights: (B, F) how much each moment of a sound counts, sum 1; None = all alike.

    Returns:
        (B, B').

    Example:
        >>> similarities(torch.ones(2, 1, 1, 1), -torch.ones(3, 1, 4, 1)).shape
        torch.Size([2, 3])
    """
    moments = zip(sounds.squeeze(2).unbind(1), pictures.unbind(1), strict=True)
    best = []
    for sound, places in moments:
        cosines = (sound @ places.flatten(0, 1).T).unflatten(1, places.shape[:2])
        best.append((cosines / SOFTNESS).logsumexp(2) - math.log(places.shape[1]))
    found = SOFTNESS * torch.stack(best)  # (F, B, B')
    return found.mean(0) if weights is None else (found * weights.T[:, :, None]).sum(0)


def info_nce(scores: Tensor, temperature: float = TEMPERATURE, same: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Loss of picking the own partner among a batch, both ways (van den Oord et al. 2018, arXiv 1807.03748).

        -log exp(s_ii / t) / sum_j exp(s_ij / t), mean over i, and the same along columns

    Args:
        scores: (B, B) similarities, row i and column i belong together.
        temperature: t.
        same: (B, B) bool, True = may belong together although it is not the own partner (a false negative): left out of
            the sum.

    Returns:
        () loss, the mean of both ways, nats, log B for knowing nothing; () share of rows and columns whose own partner
        is ahead of all others.

    Raises:
        AudioformerError: not square, or a single clip, which has nobody to be told from.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise AudioformerError(f"scores {tuple(scores.shape)} must be (clips, clips) of at least two clips")
    logits = scores.float() / temperature
    if same is not None:
        others = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        logits = logits.masked_fill(same.to(scores.device) & others, -math.inf)
    own = torch.arange(len(scores), device=scores.device)
    loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    hits = (logits.argmax(0) == own).float().mean() + (logits.argmax(1) == own).float().mean()
    return loss, hits.detach() / 2


def views_loss(
    views: dict[str, Tensor],
    temperature: float = TEMPERATURE,
    same: Tensor | None = None,
    weights: Tensor | None = None,
) -> dict:
    """InfoNCE of every pair of views, both ways.

    Args:
        views: name to (B, F, P, E); a view with places comes last.
        temperature: of InfoNCE.
        same: (B, B) bool or None, as `info_nce`.
        weights: (B, F) or None, as `similarities`.

    Returns:
        {"total": mean over pairs, "accuracy": share of own partners found, and each pair's loss by name if there are
        several}.
    """
    names, losses, hits = list(views), {}, []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            loss, hit = info_nce(similarities(views[first], views[second], weights), temperature, same)
            losses[f"{first}-{second}"] = loss
            hits.append(hit)
    total = torch.stack(list(losses.values())).mean()
    several = {name: loss.detach() for name, loss in losses.items()} if len(losses) > 1 else {}
    return {"total": total, "contrast": total.detach(), "accuracy": torch.stack(hits).mean()} | several


def mixing_weights(generators: Sequence[torch.Generator]) -> Tensor:
    """(B,) the own part of each mixture, from Beta(5, 2); one number of each generator."""
    from scipy.stats import beta

    uniform = torch.stack([torch.rand((), generator=generator) for generator in generators])
    return torch.from_numpy(beta.ppf(uniform.numpy(), OWN, OTHER)).float()


def mix_sounds(bands: Tensor, weights: Tensor) -> Tensor:
    """(B, M, T) log-mel bands, each mixed with the next clip's: energies are added, not their logarithms."""
    own = weights.clamp(1e-6, 1 - 1e-6)[:, None, None]
    return torch.logaddexp(bands + own.log(), bands.roll(-1, 0) + (1 - own).log())


def mix_pictures(pictures: Tensor, weights: Tensor) -> Tensor:
    """(B, F, C, S, S) pictures, each laid over the next clip's."""
    own = weights[:, None, None, None, None]
    return own * pictures + (1 - own) * pictures.roll(-1, 0)
