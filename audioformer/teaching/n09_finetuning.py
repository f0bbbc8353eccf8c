"""Exercises and quiz of notebook 09, fine-tune.

Shapes: B clips, C classes.
"""

from __future__ import annotations

import torch

from audioformer.losses import cross_entropy, ft2_loss
from audioformer.metrics import wilson_interval
from audioformer.teaching.answers import Check, Question


def _logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9))


CHECKS = {
    "finetune.loss": Check(
        lambda: [(torch.zeros(2, 5), torch.tensor([0, 3])), (_logits(4, 3), torch.tensor([2, 0, 1, 1]))],
        cross_entropy,
        "log_softmax(-1) gives log-probabilities; take each clip's own class, for instance with .gather(1, targets[:, "
        "None]); minus the mean.",
        "The surprise of 06, with classes in place of codes, for every clip.",
    ),
    "finetune.total": Check(
        lambda: [(torch.tensor(2.0), torch.tensor(1.0), 0.8), (torch.tensor(0.5), torch.tensor(3.0), 0.97)],
        ft2_loss,
        "alpha times the loss against the labels, plus (1 - alpha) times the contrast.",
        "Two losses and one number between 0 and 1 that shares the attention out between them.",
    ),
    "finetune.interval": Check(
        lambda: [(9, 12), (12, 12), (72, 80)],
        lambda n_right, n: torch.tensor(wilson_interval(n_right, n)),
        "p = n_right / n, z = Z: centre (p + z^2 / 2n) / (1 + z^2 / n), "
        "half width z * sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n).",
        "Put the numbers into the two formulas of the text, then centre less and plus half the width.",
    ),
}
QUIZ = {
    "finetune.twelve_clips": Question(
        "a",
        "with 12 clips each one is worth 8 points, and both intervals cover the other's value. Count clips before "
        "you count points.",
        {
            "b": "one clip more can be luck: the intervals cover each other",
            "c": "8 points are one clip of twelve",
            "d": "one clip is no sign of that either",
        },
    ),
    "finetune.peeking": Question(
        "d",
        "the best of many looks at the test clips is the luckiest one too. Choose on other clips, and test once.",
        {
            "a": "luck is always chosen upwards",
            "b": "smooth or not, the test clips have chosen",
            "c": "choosing is a kind of learning, and it learnt from the test",
        },
    ),
    "finetune.rows": Question(
        "c",
        "the classifier reads row 1; the others only tell row 1's vector where its friends are, and are not needed "
        "afterwards.",
        {
            "a": "the contrast is over; the other rows were friends to learn from",
            "b": "a clip is classified alone",
            "d": "codes become a label only through an encoder and a head",
        },
    ),
}
