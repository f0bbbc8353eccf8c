"""Codes to padded token sequences and back."""

import numpy as np
import pytest
import torch

from audioformer.data.sequences import collate_joined
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer
from audioformer.recipes import preset
from audioformer.tokens import collate, special_ids, unwrap, wrap

V = 10
PAD, BOA, EOA, MASK = range(V, V + 4)


def test_special_ids_follow_the_codes():
    assert special_ids(V) == (PAD, BOA, EOA, MASK)
    assert special_ids(1024) == (1024, 1025, 1026, 1027)


def test_wrap_by_hand():
    codes = torch.tensor([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 1, 2]]])
    batch = wrap(codes, lengths=[3, 1], codebook_size=V)
    assert batch.tokens.tolist() == [
        [[BOA, 1, 2, 3, EOA], [BOA, 4, 5, 6, EOA]],
        [[BOA, 7, EOA, PAD, PAD], [BOA, 0, EOA, PAD, PAD]],
    ]
    assert batch.padding.tolist() == [[False] * 5, [False, False, False, True, True]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.code_positions.tolist() == [[False, True, True, True, False], [False, True, False, False, False]]
    assert batch.tokens.dtype == torch.int64


def test_what_lies_beyond_the_length_is_not_read():
    codes = torch.tensor([[[1, 999, -5]]])
    assert wrap(codes, lengths=torch.tensor([1]), codebook_size=V).tokens.tolist() == [[[BOA, 1, EOA, PAD, PAD]]]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_collate_and_unwrap_are_inverse(dtype):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, V, (3, n)).astype(dtype) for n in (5, 1, 9)]
    batch = collate(clips, codebook_size=V)
    assert batch.tokens.shape == (3, 3, 11)
    for clip, back in zip(clips, unwrap(batch), strict=True):
        assert np.array_equal(clip, back.numpy())


def test_code_positions_with_and_without_padding():
    batch = collate([torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 1, dtype=torch.long)], codebook_size=V)
    assert batch.code_positions.tolist() == [[False, True, True, False], [False, True, False, False]]
    frames = AudioFormer(preset("test")).frame_padding(batch.padding)
    assert torch.equal(frames, ~batch.code_positions[:, 1:-1])


def test_to_device_keeps_everything():
    batch = wrap(torch.zeros(1, 1, 2, dtype=torch.long), codebook_size=V).to("cpu")
    assert batch.codebook_size == V
    assert batch.tokens.shape == (1, 1, 4)


@pytest.mark.parametrize(
    ("codes", "lengths", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.long), None, "codes\\[None\\]"),
        (torch.zeros(1, 2, 0, dtype=torch.long), None, "none 0"),
        (torch.zeros(1, 1, 3), None, "whole numbers, not torch.float32"),
        (torch.full((1, 1, 3), V), None, f"from {V} to {V} must lie in \\[0, {V}\\)"),
        (torch.full((1, 1, 3), -1), None, "from -1 to -1"),
        (torch.zeros(1, 1, 3, dtype=torch.long), [4], "1 numbers of frames from 1 to 3"),
        (torch.zeros(1, 1, 3, dtype=torch.long), [0], "from 1 to 3"),
        (torch.zeros(1, 1, 3, dtype=torch.long), [1, 2], "must be 1 numbers"),
    ],
)
def test_wrap_refuses(codes, lengths, message):
    with pytest.raises(AudioformerError, match=message):
        wrap(codes, lengths, V)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "at least one clip"),
        ([np.zeros((2, 3), int), np.zeros((1, 3), int)], "same rows"),
        ([np.zeros((2, 0), int)], "at least one frame"),
        ([np.zeros(3, int)], "must all be \\(rows, frames\\)"),
    ],
)
def test_collate_refuses(clips, message):
    with pytest.raises(AudioformerError, match=message):
        collate(clips, V)


def test_joined_clips_by_hand():
    one, two, three = torch.tensor([[7, 9], [1, 2]]), torch.tensor([[4], [3]]), torch.tensor([[5, 6, 0], [9, 8, 7]])
    batch = collate_joined([[one, two], [three]], codebook_size=10)
    assert batch.tokens[0].tolist() == [[11, 7, 9, 12, 11, 4, 12], [11, 1, 2, 12, 11, 3, 12]]
    assert batch.tokens[1].tolist() == [[11, 5, 6, 0, 12, 10, 10], [11, 9, 8, 7, 12, 10, 10]]
    assert batch.padding.sum(1).tolist() == [0, 2]
    assert batch.lengths.tolist() == [3, 3]
    assert batch.code_positions[0].tolist() == [False, True, True, False, False, True, False]
    assert torch.equal(unwrap(batch)[0], torch.cat([one, two], 1))


def test_clips_joined_to_nothing_are_collated():
    clips = [torch.randint(0, 16, (3, n)) for n in (5, 9, 2)]
    alone, joined = collate(clips, 16), collate_joined([[clip] for clip in clips], 16)
    assert torch.equal(alone.tokens, joined.tokens)
    assert torch.equal(alone.padding, joined.padding)


def test_hidden_codes_are_still_codes():
    batch = collate([torch.zeros(2, 3, dtype=torch.long)], 10)
    batch.tokens[:, :, 2] = special_ids(10).mask
    assert batch.lengths.tolist() == [3]
