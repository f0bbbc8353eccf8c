"""Hiding codes: exact share, only codes, spans, replacement, repeatability."""

import pytest
import torch

from audioformer.config import MaskConfig
from audioformer.data.sequences import collate_joined
from audioformer.errors import AudioformerError
from audioformer.masking import drop_rows, mask_positions, mask_tokens
from audioformer.tokens import collate, special_ids, wrap

V = 50
MASK = special_ids(V).mask


def random_batch(lengths=(40, 17, 8, 1), n_rows=3):
    generator = torch.Generator().manual_seed(1)
    return collate([torch.randint(0, V, (n_rows, n), generator=generator) for n in lengths], V)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def runs(mask):
    """Lengths of the runs of True in a list."""
    found, length = [], 0
    for value in [*mask, False]:
        if value:
            length += 1
        elif length:
            found.append(length)
            length = 0
    return found


@pytest.mark.parametrize("span", [1, 5, 100])
@pytest.mark.parametrize("ratio", [0.01, 0.25, 0.5, 0.99])
@pytest.mark.parametrize("same_frames", [False, True])
def test_exact_share_of_codes_only(span, ratio, same_frames):
    batch = random_batch()
    masked, target_mask = mask_tokens(batch, MaskConfig(mask_ratio=ratio, span=span), seeded(), same_frames)
    for i, n in enumerate(batch.lengths.tolist()):
        assert target_mask[i].sum(-1).tolist() == [max(1, round(ratio * n))] * 3
    assert not (target_mask & ~batch.code_positions[:, None]).any()
    assert (masked[target_mask] == MASK).all()
    assert torch.equal(masked[~target_mask], batch.tokens[~target_mask])


def test_rows_are_independent_or_alike():
    batch = random_batch((200,))
    _, independent = mask_tokens(batch, MaskConfig(), seeded())
    _, alike = mask_tokens(batch, MaskConfig(), seeded(), same_frames=True)
    assert not torch.equal(independent[0, 0], independent[0, 1])
    assert torch.equal(alike[0, 0], alike[0, 1])
    assert torch.equal(alike[0, 0], alike[0, 2])


def test_spans_are_whole():
    """Apart from the clip's edges and one cut to meet the share, no hidden run is shorter than the span."""
    batch = random_batch((400, 300))
    for seed in range(20):
        _, target_mask = mask_tokens(batch, MaskConfig(span=15), seeded(seed))
        for clip, n in zip(target_mask, (400, 300), strict=True):
            for row in clip[:, 1 : n + 1].tolist():
                inner = runs(row)[row[0] : len(runs(row)) - row[-1]]
                assert sum(length < 15 for length in inner) <= 1


@pytest.mark.parametrize("span", [1, 6])
def test_every_frame_is_hidden_about_as_often(span):
    batch = wrap(torch.zeros(3000, 1, 24, dtype=torch.long), codebook_size=V)
    _, target_mask = mask_tokens(batch, MaskConfig(span=span), seeded())
    often = target_mask[:, 0, 1:25].float().mean(0)
    assert often.mean().item() == pytest.approx(0.25, abs=1e-6)
    assert (often - 0.25).abs().max() < 0.06


def test_same_seed_same_mask_other_seed_other_mask():
    batch = random_batch()
    config = MaskConfig(span=3, replace_mask=0.8, replace_random=0.1, replace_keep=0.1)
    first, again, other = (mask_tokens(batch, config, seeded(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1])


@pytest.mark.parametrize("same_frames", [False, True])
def test_mask_random_keep_mix(same_frames):
    batch = wrap(torch.full((200, 2, 100), 7), codebook_size=V)
    config = MaskConfig(mask_ratio=0.5, replace_mask=0.6, replace_random=0.3, replace_keep=0.1)
    masked, target_mask = mask_tokens(batch, config, seeded(), same_frames)
    shown = masked[target_mask]
    assert (shown == MASK).float().mean().item() == pytest.approx(0.6, abs=0.02)
    assert (shown == 7).float().mean().item() == pytest.approx(0.1 + 0.3 / V, abs=0.02)
    assert set(shown.tolist()) <= {MASK, *range(V)}
    assert torch.equal(masked[~target_mask], batch.tokens[~target_mask])
    if same_frames:
        assert torch.equal(masked[:, 0] == MASK, masked[:, 1] == MASK)


def test_input_is_left_alone():
    batch = random_batch()
    before = batch.tokens.clone()
    masked, target_mask = mask_tokens(batch, MaskConfig(), seeded(), same_frames=True)
    masked.zero_()
    target_mask[0, 0] = False
    assert torch.equal(batch.tokens, before)
    assert target_mask[0, 1].any()


def test_hand_painted_mask():
    batch = random_batch((6, 3), n_rows=2)
    painted = torch.zeros(2, 6, dtype=torch.bool)
    painted[0, 2] = painted[1, 5] = True
    masked, target_mask = mask_positions(batch, painted)
    assert target_mask.nonzero().tolist() == [[0, 0, 3], [0, 1, 6], [1, 0, 3]]  # (1, 1, 6) is padding
    assert (masked == MASK).nonzero().tolist() == target_mask.nonzero().tolist()
    _, whole_frames = mask_positions(batch, painted.any(0)[None])
    assert torch.equal(whole_frames[:, 0], whole_frames[:, 1])


def test_hand_painted_mask_refuses():
    batch = random_batch((6, 3), n_rows=2)
    with pytest.raises(AudioformerError, match=r"\(5,\) must fit .* \(2, 2, 6\)"):
        mask_positions(batch, torch.ones(5, dtype=torch.bool))
    with pytest.raises(AudioformerError, match="nothing is hidden"):
        mask_positions(batch, torch.zeros(2, 6, dtype=torch.bool))


def test_clips_lose_their_finer_rows_whole_and_by_share():
    batch = random_batch((12,) * 600, n_rows=4)
    tokens = drop_rows(batch, 0.5, [seeded(i) for i in range(600)])
    hidden = (tokens == MASK)[:, :, 1:-1]
    assert torch.equal(hidden.all(-1), hidden.any(-1))  # a row is hidden whole or not at all
    kept = 4 - hidden.all(-1).sum(1)
    assert not hidden[:, 0].any()
    assert torch.equal(hidden.all(-1), torch.arange(4) >= kept[:, None])  # the finer ones
    shares = torch.bincount(kept, minlength=5)[1:] / 600
    assert shares.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2], abs=0.05)
    assert torch.equal(tokens[tokens != MASK], batch.tokens[tokens != MASK])
    assert torch.equal(drop_rows(batch, 0.5, [seeded(i) for i in range(600)]), tokens)


def test_of_joined_clips_codes_alone_are_hidden():
    batch = collate_joined(
        [
            [torch.zeros(2, 7, dtype=torch.long), torch.ones(2, 5, dtype=torch.long)],
            [torch.zeros(2, 40, dtype=torch.long)],
        ],
        10,
    )
    for span in (1, 4):
        generators = [torch.Generator().manual_seed(i) for i in range(2)]
        masked, target_mask = mask_tokens(batch, MaskConfig(span=span), generators, same_frames=True)
        assert target_mask.sum(-1).tolist() == [[3, 3], [10, 10]]
        assert (batch.tokens[target_mask] < 10).all()
        assert (masked[target_mask] == 13).all()
