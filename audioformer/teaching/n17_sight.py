"""Exercises and quiz of notebook 17, sound and sight.

Shapes: B clips, M bands, T frames, F moments, P places, E width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.audiovisual.contrast import info_nce, mix_sounds
from audioformer.teaching.answers import Check, Question


def _numbers(*shape: int, seed: int = 17) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _best_place(sound: Tensor, places: Tensor) -> Tensor:
    """Of each moment the best place's cosine, then the mean over moments."""
    return (F.normalize(places, dim=-1) @ F.normalize(sound, dim=-1)[:, :, None])[..., 0].amax(1).mean()


CHECKS = {
    "sight.contrast": Check(
        lambda: [(torch.eye(3), 0.5), (torch.zeros(4, 4), 0.1), (_numbers(5, 5), 0.3)],
        lambda scores, temperature: info_nce(scores, temperature)[0],
        "logits = scores / temperature. log_softmax(1) along a row asks which picture belongs to this sound, "
        "log_softmax(0) down a column which sound belongs to this picture. The right ones stand on the diagonal.",
        "Twice a softmax with the right answer on the diagonal: once along the lines, once down the columns.",
    ),
    "sight.mix": Check(
        lambda: [(torch.zeros(2, 1, 1), torch.tensor([0.5, 0.5])), (_numbers(3, 4, 2), torch.tensor([0.9, 0.6, 0.2]))],
        mix_sounds,
        "Energies add, logarithms do not: exp first, then weight * own + (1 - weight) * next, then log. The next clip "
        "is bands.roll(-1, 0); weights need two more axes: weights[:, None, None].",
        "Two sounds at once have the sum of their energies, and the bands are logarithms of energies.",
    ),
    "sight.best_place": Check(
        lambda: [(torch.eye(2), torch.eye(2)[None].expand(2, 2, 2)), (_numbers(4, 3), _numbers(4, 5, 3, seed=1))],
        _best_place,
        "Make both unit vectors with F.normalize(..., dim=-1). For each moment: places @ vector, then the largest. "
        "Then the mean over moments.",
        "A sound fits a picture as well as its best place does, at each moment anew.",
    ),
}
QUIZ = {
    "sight.chance": Question(
        "c",
        "log of the number of candidates: 32 scenes, so log 32. Losses of other batch sizes do not compare.",
        {
            "a": "zero would be to know every partner already",
            "b": "no number of candidates has 1 as its logarithm",
            "d": "places only decide how well a scene fits; the candidates are scenes",
        },
    ),
    "sight.shortcut": Question(
        "b",
        "a map that always points at the barking mouth knows what a bark looks like. Only two mouths, one of them "
        "silent, ask whether it knows when.",
        {
            "a": "a mouth that never opened would be pointed at just as well",
            "c": "it may know; this scene does not ask",
            "d": "a map has a value at every moment, whether it knows the time or not",
        },
    ),
    "sight.false_negatives": Question(
        "a",
        "with ten digits, a tenth of the other pictures show the same digit. The contrast calls them wrong all the "
        "same.",
        {
            "b": "the largest towers could not tell two pictures of a three by the sound",
            "c": "a lower temperature sharpens the softmax; equal candidates still share",
            "d": "noise is never the same in sound and picture, so nothing can be learnt from it",
        },
    ),
}
