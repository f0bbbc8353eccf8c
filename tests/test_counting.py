"""Counting: neighbours by hand, mixtures that add up, and what can be counted is."""

from __future__ import annotations

import math

import pytest
import torch

from audioformer.errors import AudioformerError
from audioformer.evaluation.counting import FARTHEST, MIXTURES, Counting, neighbours, visible_beside

SIZE = 12


def chain(n: int, seed: int, stay: float = 0.6) -> torch.Tensor:
    """Codes that stay with some probability and else go one up."""
    generator, codes = torch.Generator().manual_seed(1000 + seed), [0]
    for _ in range(n - 1):
        codes.append((codes[-1] + int(torch.rand((), generator=generator) > stay)) % SIZE)
    return torch.tensor(codes)


@pytest.fixture(scope="module")
def ruler() -> Counting:
    return Counting.of([chain(400, seed) for seed in range(20)], SIZE, vectors=torch.eye(SIZE))


def test_what_is_visible_by_hand():
    hidden = torch.tensor([True, False, True, True, False, True])
    last, following = visible_beside(hidden)
    assert last.tolist() == [-1, 1, 1, 1, 4, 4]
    assert following.tolist() == [1, 1, 4, 4, 4, 6]


def test_probabilities_add_up_for_every_gap(ruler):
    codes = chain(60, 99)
    for hidden in (torch.rand(60) < 0.3, torch.ones(60, dtype=torch.bool), torch.arange(60) > 3, torch.arange(60) < 57):
        for name in MIXTURES:
            log_p = ruler.log_probabilities(name, codes, hidden)
            assert log_p.shape == (int(hidden.sum()), SIZE)
            torch.testing.assert_close(log_p.exp().sum(1), torch.ones(len(log_p)))


def test_what_is_hidden_is_not_read(ruler):
    codes, hidden = chain(60, 99), torch.rand(60, generator=torch.Generator().manual_seed(0)) < 0.3
    other = torch.where(hidden, (codes + 3) % SIZE, codes)
    for name in MIXTURES:
        assert torch.equal(ruler.log_probabilities(name, codes, hidden), ruler.log_probabilities(name, other, hidden))


def test_who_counts_more_is_surprised_less(ruler):
    """A chain's entropy given the code before: two outcomes, 0.6 and 0.4; given both sides less."""
    nats = {}
    for name in MIXTURES:
        lines = []
        for seed in range(100, 120):
            codes = chain(400, seed)
            hidden = torch.arange(400) % 3 == 1
            lines.append(-ruler.log_probabilities(name, codes, hidden).gather(1, codes[hidden][:, None]))
        nats[name] = float(torch.cat(lines).mean())
    entropy = -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert nats["unigram"] == pytest.approx(math.log(SIZE), abs=0.05)
    assert nats["both"] < nats["bigram"] < nats["repeat"] < nats["unigram"]
    assert nats["bigram"] == pytest.approx(entropy, abs=0.05)
    assert nats["nearest"] < nats["unigram"]


def test_neighbours_of_a_code():
    near = neighbours(torch.tensor([[0.0], [1.0], [10.0]]))
    torch.testing.assert_close(near.sum(1), torch.ones(3))
    assert near[0].argsort(descending=True).tolist() == [0, 1, 2]


def test_short_clips_and_too_few():
    made = Counting.of([torch.tensor([1]), torch.tensor([1, 2]), torch.tensor([2, 1, 1])], 4)
    assert made.pairs.shape == (FARTHEST, 4, 4)
    assert "nearest" not in made.shares
    with pytest.raises(AudioformerError, match="at least 2 clips, got 1"):
        Counting.of([torch.tensor([1])], 4)
