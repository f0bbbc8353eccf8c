"""Probes learn what can be learned, choose without the test clips, and agree with scikit-learn's learners."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import audioformer.evaluation.probe as module
from audioformer.errors import AudioformerError
from audioformer.evaluation.probe import GRIDS, Lesson, fit_knn, fit_linear, fit_mlp, fit_svm, probe, split_groups


def clouds(n: int = 60, n_classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features of which the first say the class and the last are loud noise; one-hot targets; groups of two clips."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    features = np.concatenate(
        [3 * np.eye(n_classes)[labels] + rng.normal(0, 0.5, (n, n_classes)), 100 * rng.normal(0, 1, (n, 2))], 1
    )
    return features.astype(np.float32), np.eye(n_classes, dtype=np.int64)[labels], [f"g{i // 2}" for i in range(n)]


def lesson(n: int = 60, **options) -> Lesson:
    features, targets, _ = clouds(n)
    x = (features - features.mean(0)) / features.std(0)
    return Lesson(torch.from_numpy(x).double(), torch.from_numpy(targets).double(), False, 0, "cpu", **options)


@pytest.fixture
def quick(monkeypatch):
    """HEAR's perceptron at a size for tests."""
    monkeypatch.setattr(module, "WIDTH", 32)
    monkeypatch.setattr(module, "MAX_EPOCHS", 30)
    monkeypatch.setitem(GRIDS, "mlp", [(1, 1e-3), (2, 1e-2)])


TRAIN, TEST = np.arange(40), np.arange(40, 60)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", list(GRIDS))
def test_every_probe_learns_classes_that_are_apart(name):
    features, targets, groups = clouds()
    answer = probe(name, features, targets, groups, TRAIN, TEST, seed=1)
    assert answer.scores.shape == (20, 3)
    assert (answer.scores.argmax(1) == targets[TEST].argmax(1)).mean() >= 0.95
    assert answer.setting[: len(GRIDS[name][0])] in GRIDS[name]
    assert answer.n_parameters > 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", list(GRIDS))
def test_every_probe_learns_several_labels_a_clip(name):
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (60, 3))
    targets[:, 2] = 0  # a class nobody has
    features = (targets + rng.normal(0, 0.2, targets.shape)).astype(np.float32)
    answer = probe(name, features, targets, [str(i) for i in range(60)], TRAIN, TEST)
    for c in (0, 1):
        ranked = targets[TEST][np.argsort(-answer.scores[:, c]), c]
        n = ranked.sum()
        assert ranked[:n].mean() >= 0.9


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", list(GRIDS))
def test_the_test_clips_decide_nothing(name):
    features, targets, groups = clouds()
    answer = probe(name, features, targets, groups, TRAIN, TEST)
    other, turned = features.copy(), targets.copy()
    other[TEST[1:]] = -50
    turned[TEST] = np.roll(targets[TEST], 1, axis=1)
    again = probe(name, other, turned, groups, TRAIN, TEST)
    assert again.setting == answer.setting
    np.testing.assert_allclose(again.scores[0], answer.scores[0], rtol=1e-4)


@pytest.mark.usefixtures("quick")
def test_the_seed_makes_the_same_answer_again():
    features, targets, groups = clouds()
    first, second = (probe("mlp", features, targets, groups, TRAIN, TEST, seed=3) for _ in range(2))
    assert first.setting == second.setting
    assert np.array_equal(first.scores, second.scores)


def test_linear_is_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    own, penalty = lesson(), 0.1
    mine = fit_linear(own, penalty).scores(own.x).softmax(1)
    theirs = (
        LogisticRegression(C=3 / (penalty * len(own.x)), tol=1e-8, max_iter=1000)
        .fit(own.x, own.y.argmax(1))
        .predict_proba(own.x)
    )
    np.testing.assert_allclose(mine.numpy(), theirs, atol=1e-3)


def test_knn_counts_the_nearest_by_angle():
    own = lesson()
    wanted, k = own.x[:7] + 0.3, 4
    found = fit_knn(own, k).scores(wanted)
    for row, vector in zip(found, wanted, strict=True):
        cosines = own.x @ vector / own.x.norm(dim=1) / vector.norm()
        shares = own.y[cosines.argsort(descending=True)[:k]].mean(0)
        torch.testing.assert_close(row, shares, atol=2e-3, rtol=0)


def test_svm_is_scikit_learns_one_against_the_rest():
    from sklearn.svm import SVC

    own = lesson()
    found = fit_svm(own, 10.0)
    theirs = SVC(C=10.0).fit(own.x, own.y[:, 1]).decision_function(own.x)
    np.testing.assert_allclose(found.scores(own.x)[:, 1], theirs)
    assert found.n_parameters <= own.x.numel()


@pytest.mark.usefixtures("quick")
def test_a_watched_perceptron_says_how_long_it_should_have_learned(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 2)
    own = lesson()
    fitted = fit_mlp(lesson(watch=(own.x, own.y)), 1, 1e-2)
    layers, rate, epochs = fitted.setting
    assert (layers, rate) == (1, 1e-2)
    assert 3 <= epochs <= 24  # perfect early, then patience ends it
    assert epochs % 3 == 0
    assert fit_mlp(own, 1, 1e-2, epochs).setting == fitted.setting


@pytest.mark.usefixtures("quick")
def test_a_single_clip_is_no_batch_of_its_own(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 30)
    assert fit_mlp(lesson(31), 1, 1e-3, 2).scores(lesson(31).x).isfinite().all()


def test_no_group_is_torn():
    groups = [f"g{i // 3}" for i in range(30)]
    for seed in range(5):
        inner, chosen = split_groups(groups, seed)
        assert sorted([*inner, *chosen]) == list(range(30))
        assert not {groups[i] for i in inner} & {groups[i] for i in chosen}
        assert 6 <= len(chosen) <= 9
    assert len({tuple(split_groups(groups, seed)[1]) for seed in range(5)}) > 1
    assert all(
        len(part) for part in split_groups(["a"] * 9 + ["b"], 0)
    )  # one big source leaves something to learn from


def test_what_cannot_be_probed_is_refused():
    features, targets, groups = clouds()
    with pytest.raises(AudioformerError, match="nearest: svm"):
        probe("svn", features, targets, groups, TRAIN, TEST)
    with pytest.raises(AudioformerError, match="4 training clips are of one source"):
        split_groups(["a"] * 4, 0)


def test_the_layer_is_chosen_inside_the_training_clips():
    features, targets, groups = clouds()
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, features.shape).astype(np.float32)
    tempting = np.where(np.isin(np.arange(60), TEST)[:, None], features, noise)  # tells of the test clips only
    answer = probe("linear", np.stack([noise, features, tempting], 1), targets, groups, TRAIN, TEST, seed=1)
    assert answer.layer == 1
    alone = probe("linear", features, targets, groups, TRAIN, TEST, seed=1)
    assert alone.layer is None
    np.testing.assert_allclose(answer.scores, alone.scores)
