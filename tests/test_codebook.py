"""The codebook view: counts, typical entries, the map, sounds of entries, and the figures of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import coded_clips, tiny_codec

from audioformer.errors import AudioformerError
from audioformer.explain import codebook


@pytest.fixture(scope="module")
def codec():
    return tiny_codec()


def test_counting_adds_up_clips_row_by_row():
    clips = [torch.tensor([[0, 1, 1], [2, 2, 2]]), np.array([[1], [0]])]
    assert codebook.count(clips, 4).tolist() == [[1, 3, 0, 0], [1, 0, 3, 0]]
    with pytest.raises(AudioformerError, match=r"codes range over 0..4; entries are 0..3"):
        codebook.count([np.array([[0, 4]])], 4)
    with pytest.raises(AudioformerError, match="one clip has 2 rows of codes, another 1"):
        codebook.count([clips[0], clips[0][:1]], 4)
    with pytest.raises(AudioformerError, match="no clip to count"):
        codebook.count([], 4)


def test_a_clip_counts_for_each_of_its_labels():
    clips = [np.array([[0, 1]]), np.array([[1, 1]]), np.array([[2, 2]])]
    counts = codebook.class_counts(clips, [0, (0, 1), ()], 3, 4)
    assert counts[:, 0].tolist() == [[1, 3, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    with pytest.raises(AudioformerError, match="label .* outside 0..2"):
        codebook.class_counts(clips[:1], [3], 3, 4)
    with pytest.raises(AudioformerError, match="3 clips but 1 labels"):
        codebook.class_counts(clips, [0], 3, 4)


def test_log_odds_are_those_of_the_formula():
    inside, outside = np.array([30.0, 10.0, 0.0]), np.array([20.0, 40.0, 0.0])
    delta, z = codebook.log_odds(inside, outside, strength=10)
    prior = 10 * (30 + 20) / 100  # of entry 0
    expected = np.log((30 + prior) / (40 + 10 - 30 - prior)) - np.log((20 + prior) / (60 + 10 - 20 - prior))
    assert delta[0] == pytest.approx(expected)
    assert z[0] == pytest.approx(expected / np.sqrt(1 / (30 + prior) + 1 / (20 + prior)))
    assert delta[1] == pytest.approx(-delta[0])  # of two entries, what one gains the other loses
    assert (delta[2], z[2]) == (0, 0)


def test_the_prior_keeps_one_chance_occurrence_from_leading():
    inside, outside = np.full(50, 100), np.full(50, 100)
    inside[0], outside[0] = 1, 0  # once, by chance
    inside[1], outside[1] = 150, 50  # really typical
    _, z = codebook.log_odds(inside, outside)
    assert z.argmax() == 1
    raw = np.log((inside + 1e-9) / (outside + 1e-9))
    assert raw.argmax() == 0  # what happens without it
    with pytest.raises(AudioformerError, match="no codes at all"):
        codebook.log_odds(inside, outside * 0)


def test_typical_entries_of_classes_are_in_their_own_half():
    clips = coded_clips(n=8)
    counts = codebook.class_counts([c.codes for c in clips], [c.labels for c in clips], 2, 16)[:, 0]
    for label in (0, 1):
        _, z = codebook.log_odds(counts[label], counts[1 - label])
        assert set(z.argsort()[-8:]) == set(range(8 * label, 8 * label + 8))


def test_the_map_keeps_the_widest_plane_and_says_its_share():
    rng = np.random.default_rng(0)
    entries = rng.normal(size=(40, 5)) * [5, 3, 0.1, 0.1, 0.1] + 7
    laid = codebook.entry_map(entries)
    assert laid.points.shape == (40, 2)
    assert 0.99 < laid.shares.sum() <= 1
    assert laid.shares[0] > laid.shares[1]
    assert np.allclose(laid.points.var(0) / entries.var(0).sum(), laid.shares)
    between = np.linalg.norm(entries[0] - entries[1]), np.linalg.norm(laid.points[0] - laid.points[1])
    assert between[1] == pytest.approx(between[0], rel=0.1)
    with pytest.raises(AudioformerError, match="expected finite"):
        codebook.entry_map(entries[:, :1])
    alike = codebook.entry_map(np.ones((4, 3)))
    assert not alike.points.any()
    assert not alike.shares.any()


def test_an_entry_is_heard_under_the_codes_it_most_often_stands_under():
    clip = np.array([[5, 5, 3, 4], [7, 7, 7, 2], [1, 0, 1, 1]])
    assert codebook.entry_column([clip], 1, 9, 16).tolist() == [9]
    assert codebook.entry_column([clip, clip], 2, 7, 16).tolist() == [5, 7]
    assert codebook.entry_column([clip], 3, 1, 16).tolist() == [3, 7, 1]  # of three columns once each, the smallest
    with pytest.raises(AudioformerError, match="no clip here uses entry 9 of row 2"):
        codebook.entry_column([clip], 2, 9, 16)
    with pytest.raises(AudioformerError, match="rows are 1..3"):
        codebook.entry_column([clip], 4, 0, 16)


def test_a_held_code_is_the_codec_on_one_column_repeated(codec):
    sound = codebook.held_code([3, 5], codec)
    expected = codec.decode(torch.tensor([[3], [5]]).expand(-1, 30))[0, 0].numpy()
    assert len(sound) == len(expected)
    np.testing.assert_allclose(sound[1000:-1000], expected[1000:-1000], atol=1e-6)
    assert abs(sound[0]) == abs(sound[-1]) == 0
