"""Losses against loops over their equations, their floors and chance levels, and what they refuse."""

import math

import pytest
import torch
from torch.nn import functional as F

from audioformer.errors import AudioformerError
from audioformer.losses import (
    FORMS,
    cross_entropy,
    ft2_loss,
    masked_code_loss,
    mlc_loss,
    mlm_chance,
    mpc_chance,
    mpc_floor,
    multi_positive_contrastive_loss,
)


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def contrast_in_loops(embeddings, temperature, anchors, form, clips=None):
    """The three formulas, one similarity at a time."""
    n_clips, n_rows, _ = embeddings.shape
    terms = []
    for clip in range(n_clips):
        for row in range(1 if anchors == "row1" else n_rows):
            positives, negatives = [], []
            for other_clip in range(n_clips):
                for other_row in range(n_rows):
                    if (other_clip, other_row) == (clip, row) or (
                        clips and other_clip != clip and clips[other_clip] == clips[clip]
                    ):
                        continue
                    cosine = F.cosine_similarity(embeddings[clip, row], embeddings[other_clip, other_row], dim=0).item()
                    (positives if other_clip == clip else negatives).append(math.exp(cosine / temperature))
            total = sum(positives) + sum(negatives)
            if form == "mean_log":
                terms.append(sum(-math.log(p / total) for p in positives) / len(positives))
            elif form == "log_sum":
                terms.append(-math.log(sum(positives) / total))
            else:
                terms.append(sum(-math.log(p / (p + sum(negatives))) for p in positives) / len(positives))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("anchors", ["row1", "all"])
@pytest.mark.parametrize(("n_clips", "n_rows"), [(2, 2), (5, 3)])
def test_contrast_equals_the_loops(form, anchors, n_clips, n_rows):
    embeddings = random(n_clips, n_rows, 6) * 3
    loss = multi_positive_contrastive_loss(embeddings, 0.5, anchors, form)
    assert loss.item() == pytest.approx(contrast_in_loops(embeddings, 0.5, anchors, form), rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("anchors", ["row1", "all"])
def test_other_codings_of_the_anchors_clip_neither_attract_nor_repel(form, anchors):
    embeddings, clips = random(5, 3, 6), [7, 9, 7, 4, 9]
    loss = multi_positive_contrastive_loss(embeddings, 0.5, anchors, form, torch.tensor(clips))
    assert loss.item() == pytest.approx(contrast_in_loops(embeddings, 0.5, anchors, form, clips), rel=1e-5)
    assert loss.item() < multi_positive_contrastive_loss(embeddings, 0.5, anchors, form).item()
    different = multi_positive_contrastive_loss(embeddings, 0.5, anchors, form, torch.arange(5))
    assert different.equal(multi_positive_contrastive_loss(embeddings, 0.5, anchors, form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_rows", [2, 3, 5])
def test_perfect_alignment_reaches_the_floor(form, n_rows):
    perfect = torch.eye(4)[:, None].expand(4, n_rows, 4)
    loss = multi_positive_contrastive_loss(perfect, 0.03, form=form)
    assert loss.item() == pytest.approx(mpc_floor(n_rows, form), abs=1e-6)
    assert mpc_floor(n_rows, "mean_log") == math.log(n_rows - 1)
    assert mpc_floor(n_rows, "log_sum") == mpc_floor(n_rows, "vs_negatives") == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("anchors", ["row1", "all"])
def test_equal_vectors_give_the_chance_level(form, anchors):
    loss = multi_positive_contrastive_loss(torch.ones(7, 3, 5), 0.05, anchors, form)
    assert loss.item() == pytest.approx(mpc_chance(7, 3, form), rel=1e-5)


def test_contrast_is_exact_under_autocast():
    embeddings = random(6, 3, 8)
    exact = multi_positive_contrastive_loss(embeddings, 0.03)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(multi_positive_contrastive_loss(embeddings, 0.03), exact)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings": torch.ones(1, 3, 4)}, "at least 2 clips"),
        ({"embeddings": torch.ones(3, 1, 4)}, "another row"),
        ({"embeddings": torch.ones(3, 4)}, r"\(3, 4\)"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"anchors": "row2"}, "row1, all"),
        ({"form": "sum"}, "mean_log, log_sum, vs_negatives"),
    ],
)
def test_contrast_refuses(arguments, message):
    with pytest.raises(AudioformerError, match=message):
        multi_positive_contrastive_loss(**({"embeddings": torch.ones(2, 2, 4)} | arguments))


def test_masked_code_loss_counts_targets_only():
    logits, targets = random(2, 3, 9), torch.tensor([[1, 2, 3], [4, 5, 6]])
    mask = torch.tensor([[True, False, False], [False, True, True]])
    by_hand = [-logits[b, s].log_softmax(0)[targets[b, s]] for b, s in ((0, 0), (1, 1), (1, 2))]
    torch.testing.assert_close(masked_code_loss(logits, targets, mask), torch.stack(by_hand).mean())
    torch.testing.assert_close(masked_code_loss(logits[mask], targets[mask]), torch.stack(by_hand).mean())
    assert masked_code_loss(torch.zeros(5, 1024), torch.arange(5)).item() == pytest.approx(mlm_chance(1024))


def test_masked_code_loss_refuses():
    with pytest.raises(AudioformerError, match="no position"):
        masked_code_loss(torch.zeros(2, 9), torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.bool))
    with pytest.raises(AudioformerError, match=r"need targets and mask of \(2,\)"):
        masked_code_loss(torch.zeros(2, 9), torch.zeros(3, dtype=torch.long))


def test_mlc_loss_by_hand():
    logits, targets = random(3, 4), torch.rand(3, 4, generator=torch.Generator().manual_seed(1))
    yes = logits.sigmoid()
    by_hand = -(targets * yes.log() + (1 - targets) * (1 - yes).log()).mean()
    torch.testing.assert_close(mlc_loss(logits, targets), by_hand)
    assert mlc_loss(torch.zeros(2, 5), torch.ones(2, 5)).item() == pytest.approx(math.log(2))
    assert mlc_loss(logits.bfloat16(), targets).dtype == torch.float32
    with pytest.raises(AudioformerError, match="must fit logits"):
        mlc_loss(logits, targets[:2])


def test_cross_entropy_hard_soft_and_smoothed():
    logits, classes = random(3, 4), torch.tensor([0, 3, 1])
    soft = F.one_hot(classes, 4).float()
    torch.testing.assert_close(cross_entropy(logits, classes), cross_entropy(logits, soft))
    mixed = 0.7 * soft + 0.3 * soft[[1, 2, 0]]
    by_hand = -(mixed * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(cross_entropy(logits, mixed), by_hand)
    torch.testing.assert_close(cross_entropy(logits, classes, 0.2), cross_entropy(logits, 0.8 * soft + 0.2 / 4))
    assert cross_entropy(torch.zeros(3, 10), classes).item() == pytest.approx(math.log(10))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 4]), "class 4 or 0 is outside"),
        (torch.tensor([-1, 2]), "outside \\[0, 4\\)"),
        (torch.tensor([0, 1, 2]), "must be \\(B,\\) integers"),
        (torch.tensor([0.0, 1.0]), "must be \\(B,\\) integers"),
        (torch.zeros(2, 3), "must fit logits"),
    ],
)
def test_cross_entropy_refuses(targets, message):
    with pytest.raises(AudioformerError, match=message):
        cross_entropy(torch.zeros(2, 4), targets)


def test_ft2_loss_weighs_the_two():
    assert ft2_loss(torch.tensor(2.0), torch.tensor(4.0), 0.75).item() == 2.5
    assert ft2_loss(torch.tensor(2.0), torch.tensor(4.0), 1.0).item() == 2.0
    with pytest.raises(AudioformerError, match="alpha=1.2"):
        ft2_loss(torch.tensor(2.0), torch.tensor(4.0), 1.2)


def test_chance_levels():
    assert mlm_chance(1024) == math.log(1024)
    assert mpc_chance(16, 3) == math.log(16 * 3 - 1)
    with pytest.raises(AudioformerError, match="form='other'"):
        mpc_chance(2, 2, "other")
    with pytest.raises(AudioformerError, match="form='other'"):
        mpc_floor(2, "other")
