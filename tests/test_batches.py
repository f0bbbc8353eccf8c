"""Which clips make up a step: every clip once an epoch, crops that depend on seed and step alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from tiny import CodedClip, coded_clips

from audioformer.data.batches import CodeSampler, batch_indices, epoch_order, random_crop, require_clips
from audioformer.data.sequences import TimeSampler
from audioformer.errors import AudioformerError


@pytest.mark.parametrize(("n_clips", "batch_size"), [(10, 4), (4, 10), (7, 7), (1, 3)])
def test_every_clip_comes_once_an_epoch(n_clips, batch_size):
    n_batches = 3 * n_clips  # batch_size epochs, several times over
    stream = np.concatenate([batch_indices(n_clips, batch_size, i, seed=5) for i in range(n_batches)])
    for epoch in range(len(stream) // n_clips):
        assert sorted(stream[epoch * n_clips : (epoch + 1) * n_clips]) == list(range(n_clips))


def test_the_order_depends_on_seed_and_epoch_alone():
    assert epoch_order(50, 1, 0).tolist() == epoch_order(50, 1, 0).tolist()
    assert epoch_order(50, 1, 0).tolist() != epoch_order(50, 1, 1).tolist()
    assert epoch_order(50, 1, 0).tolist() != epoch_order(50, 2, 0).tolist()


@pytest.mark.parametrize(
    ("n_frames", "longest", "shortest"),
    [(100, 40, 40), (100, 40, 10), (30, 40, 10), (30, 40, 40), (1, 40, 1), (5, 40, 10)],
)
def test_crops_lie_within_the_clip_and_between_the_limits(n_frames, longest, shortest):
    rng, lengths = np.random.default_rng(0), Counter()
    for _ in range(300):
        kept = random_crop(n_frames, longest, shortest, rng)
        assert 0 <= kept.start < kept.stop <= n_frames
        lengths[kept.stop - kept.start] += 1
    whole = min(n_frames, longest)
    assert max(lengths) == whole
    assert min(lengths) >= min(shortest, whole)
    if shortest < whole:
        assert 0.35 < lengths[whole] / 300 < 0.65  # half stay long
        assert len(lengths) > 5
    else:
        assert lengths == {whole: 300}


def test_crops_start_anywhere():
    rng = np.random.default_rng(0)
    assert {random_crop(12, 10, 10, rng).start for _ in range(100)} == {0, 1, 2}


def sampler(accumulate: int = 1, seed: int = 3) -> CodeSampler:
    return CodeSampler(
        coded_clips(10, n_frames=50), batch_size=8, accumulate=accumulate, max_frames=20, min_frames=5, seed=seed
    )


def test_what_is_drawn_depends_on_the_step_not_on_history():
    first, second = sampler(), sampler()
    for step in range(5):
        first.draw(step)
    assert first.draw(7)[1] == second.draw(7)[1]
    assert first.draw(7)[1] != first.draw(8)[1]


def test_a_clip_is_cropped_differently_from_step_to_step():
    alone = CodeSampler(coded_clips(1, n_frames=500), batch_size=1, accumulate=1, max_frames=20, min_frames=20, seed=0)
    assert len({alone.draw(step)[1][0].start for step in range(20)}) > 10


def test_crops_lie_in_their_clips():
    items, crops = sampler().draw(0)
    assert len(items) == len(crops) == 8
    for item, crop in zip(items, crops, strict=True):
        assert 0 <= crop.start < crop.stop <= item.codes.shape[1]
        assert 5 <= crop.stop - crop.start <= 20


def test_parts_and_processes_share_a_step_without_overlap():
    whole = sampler().draw(2)
    parts = [sampler(accumulate=2).draw(2, micro_step, rank, 2) for micro_step in range(2) for rank in range(2)]
    assert [len(part[0]) for part in parts] == [2, 2, 2, 2]
    together = Counter(pair for part in parts for pair in drawn(part))
    assert together == Counter(drawn(whole))


def id_of(crop: torch.Tensor) -> bytes:
    return crop.numpy().tobytes()


def drawn(part: tuple) -> list[tuple[str, int, int]]:
    return [(item.id, crop.start, crop.stop) for item, crop in zip(*part, strict=True)]


def test_clips_that_cannot_be_trained_on_are_refused():
    require_clips(coded_clips(1, n_rows=3), 3, "pre-training")
    with pytest.raises(AudioformerError, match="pre-training needs at least one clip, got none"):
        require_clips([], 3, "pre-training")
    with pytest.raises(AudioformerError, match="reads 4 codebooks and the corpus holds 3; .*model.n_codebooks=3"):
        require_clips(coded_clips(1, n_rows=3), 4, "fine-tuning")


def by_time(power: float = 1.0, **settings) -> TimeSampler:
    """Clip k is all code k; clip 0 lasts as long as all others together."""
    clips = [CodedClip(torch.full((2, n), k)) for k, n in enumerate((900, 100, 100, 100, 200, 200, 200))]
    settings = {"batch_size": 8, "accumulate": 1, "max_frames": 150, "min_frames": 20, "seed": 3} | settings
    return TimeSampler(clips, *settings.values(), power=power)


def test_sequences_are_full():
    for step in range(20):
        for pieces in by_time().draw(step):
            n_frames = sum(piece.shape[1] for piece in pieces)
            assert 150 - 20 < n_frames <= 150
            assert all((piece == piece[0, 0]).all() for piece in pieces)  # one clip each


@pytest.mark.parametrize(("power", "share"), [(1.0, 0.5), (0.0, 1 / 7)])
def test_clips_are_drawn_by_their_time(power, share):
    first = [pieces[0][0, 0].item() for step in range(150) for pieces in by_time(power).draw(step)]
    assert first.count(0) / len(first) == pytest.approx(share, abs=0.04)  # 1,200 draws: 2.8 standard errors
    assert set(first) == set(range(7))


def test_sequences_depend_on_the_step_alone_and_are_shared_out():
    sampler, again = by_time(), by_time()
    sampler.draw(0)
    whole = again.draw(5)
    for a, b in zip(sampler.draw(5), whole, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    parts = [by_time(accumulate=2).draw(5, micro_step, rank, 2) for micro_step in range(2) for rank in range(2)]
    together = Counter(b"".join(map(id_of, pieces)) for part in parts for pieces in part)
    assert together == Counter(b"".join(map(id_of, pieces)) for pieces in whole)
