"""Exercises and quiz of notebook 10, what did it learn.

Shapes: L layers, H heads, S positions, n clips, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.explain.attention import mean_distance, rollout
from audioformer.metrics import retrieval_at_k
from audioformer.teaching.answers import Check, Question


def _numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(10))


def _neighbour_cases() -> list[tuple]:
    corners = torch.tensor([[1.0, 0.0], [9.0, 1.0], [0.0, 1.0], [0.1, 0.1]])
    return [(corners, torch.tensor([0, 0, 1, 1])), (_numbers(8, 3), torch.arange(8) % 2)]


CHECKS = {
    "learnt.distance": Check(
        lambda: [(torch.eye(3),), (torch.full((4, 4), 0.25),), (_numbers(6, 6).softmax(-1),)],
        mean_distance,
        "place = torch.arange(S); the table of distances is (place[:, None] - place).abs(). "
        "Times the weights, sum of each row, mean.",
        "How far is each look? Weigh each distance with how much is looked there.",
    ),
    "learnt.rollout": Check(
        lambda: [(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]),), (_numbers(3, 2, 4, 4).softmax(-1),)],
        rollout,
        "Start with torch.eye(S). For each layer: mean over its heads, half of that plus half of the identity, "
        "times what you have so far.",
        "Follow the looks backwards: what layer 2 fetched had been fetched by layer 1.",
    ),
    "learnt.neighbours": Check(
        _neighbour_cases,
        lambda vectors, labels: retrieval_at_k(vectors.numpy(), labels.numpy(), k=1),
        "Make all lengths 1 (torch.nn.functional.normalize), multiply with the transpose, put -2 on the diagonal, "
        "argmax(1). Same label?",
        "Each clip asks all others who is most like it. How often is the answer of its own class?",
    ),
}
QUIZ = {
    "learnt.weight": Question(
        "c",
        "a weight says what is taken over. Whether it matters for the answer is a question for an experiment: change "
        "the sound there.",
        {
            "a": "what is fetched may not matter for the label",
            "b": "one head of many fetches something; the model may not use it",
            "d": "weights sum to one; the other half goes elsewhere",
        },
    ),
    "learnt.islands": Question(
        "b",
        "it keeps who is next to whom, more or less; distances between islands are up to the algorithm and its seed.",
        {
            "a": "distances between islands follow from the algorithm and its seed",
            "c": "it may be a good map of who is next to whom",
            "d": "they may be; but the map can part what is one",
        },
    ),
    "learnt.rival": Question(
        "c",
        "two clips more out of a hundred are luck, and the rival has learnt nothing. Harder classes, or more clips, "
        "may tell.",
        {
            "a": "68 against 70 is no difference in that direction",
            "b": "log-mel, which learnt nothing, is as good here",
            "d": "not useless: not yet told from the rival",
        },
    ),
}
