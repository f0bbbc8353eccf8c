"""metrics.py and reports.py: equal to scikit-learn and SciPy where they have the metric, checked by hand elsewhere."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import NearestNeighbors

from audioformer import metrics as m
from audioformer.errors import AudioformerError
from audioformer.metrics import classification_metrics, classification_report, multi_label_metrics, multi_label_report

SEEDS = range(4)


def labelled(seed: int, n: int = 60, n_classes: int = 5):
    """(labels, predictions) that agree more often than not; the last class never occurs."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(n_classes - 1, n, p=np.arange(1, n_classes) / np.arange(1, n_classes).sum())
    return labels, np.where(rng.random(n) < 0.6, labels, rng.integers(0, n_classes, n))


def tagged(seed: int, n: int = 80, n_classes: int = 6):
    """(targets, scores) with ties; class 4 has no positives, class 5 no negatives."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, n_classes)) < rng.uniform(0.05, 0.5, n_classes)).astype(int)
    targets[0], targets[1] = 1, 0
    targets[:, 4], targets[:, 5] = 0, 1
    return targets, np.round(rng.random((n, n_classes)) + 0.4 * targets, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_single_label_metrics_equal_scikit_learn(seed):
    labels, given = labelled(seed)
    assert m.accuracy(labels, given) == pytest.approx(sk.accuracy_score(labels, given))
    assert m.balanced_accuracy(labels, given, 5) == pytest.approx(
        sk.recall_score(labels, given, labels=np.unique(labels), average="macro", zero_division=0)
    )
    np.testing.assert_array_equal(
        m.confusion_matrix(labels, given, 5), sk.confusion_matrix(labels, given, labels=range(5))
    )
    recall = m.per_class_accuracy(labels, given, 5)
    np.testing.assert_allclose(
        recall[:4], sk.recall_score(labels, given, labels=range(4), average=None, zero_division=np.nan)
    )
    assert np.isnan(recall[4])


@pytest.mark.parametrize("seed", SEEDS)
def test_multi_label_metrics_equal_scikit_learn(seed):
    targets, scores = tagged(seed)
    precision, auc = m.average_precision(targets, scores), m.area_under_roc(targets, scores)
    for c in range(4):
        assert precision[c] == pytest.approx(sk.average_precision_score(targets[:, c], scores[:, c]))
        assert auc[c] == pytest.approx(sk.roc_auc_score(targets[:, c], scores[:, c]))
    assert np.isnan(precision[4])
    assert precision[5] == 1
    assert np.isnan(auc[4:]).all()
    macro = sk.average_precision_score(targets[:, :4], scores[:, :4], average="macro")
    assert m.mean_over_classes(precision[:4]) == pytest.approx(macro)
    assert m.mean_over_classes(auc) == pytest.approx(sk.roc_auc_score(targets[:, :4], scores[:, :4], average="macro"))
    assert math.isnan(m.mean_over_classes(np.array([np.nan])))


@pytest.mark.parametrize("auc", [0.5, 0.2, 0.76, 0.975])
def test_d_prime_is_the_distance_of_two_normals_with_that_auc(auc):
    assert stats.norm.cdf(m.d_prime(auc) / math.sqrt(2)) == pytest.approx(auc)
    assert 8 < m.d_prime(1.0) < 9  # finite
    assert m.d_prime(0.0) == pytest.approx(-m.d_prime(1.0))
    assert math.isnan(m.d_prime(float("nan")))


def test_segments_are_marked_where_an_event_touches_them():
    active = m.events_to_segments([(0, 0.05, 0.25), (1, 0.3, 0.4), (1, 0.9, 1.5)], 1.0, 3)
    assert active.shape == (10, 3)
    assert np.flatnonzero(active[:, 0]).tolist() == [0, 1, 2]
    assert np.flatnonzero(active[:, 1]).tolist() == [3, 9]
    assert not active[:, 2].any()
    assert m.events_to_segments([], 0.05, 2).shape == (1, 2)
    assert m.events_to_segments([(0, 0.0, 1.0)], 1.0, 1, segment_s=0.25).sum() == 4


@pytest.mark.parametrize("seed", SEEDS)
def test_segment_f1_equals_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    reference, found = rng.random((50, 4)) < 0.3, rng.random((50, 4)) < 0.4
    reference[:, 3], found[:, 3] = False, False
    overall, per_class = m.segment_f1(reference, found)
    assert overall == pytest.approx(sk.f1_score(reference, found, average="micro"))
    np.testing.assert_allclose(per_class[:3], sk.f1_score(reference, found, average=None, zero_division=np.nan)[:3])
    assert np.isnan(per_class[3])
    assert m.segment_f1(reference, reference)[0] == 1
    assert m.segment_f1(np.zeros((5, 2)), np.zeros((5, 2)))[0] == 0


@pytest.mark.parametrize("k", [1, 3, 7])
def test_retrieval_equals_scikit_learns_neighbours(k):
    rng = np.random.default_rng(k)
    labels = rng.integers(0, 3, 40)
    embeddings = rng.standard_normal((40, 8)) + np.eye(3, 8)[labels]
    neighbours = (
        NearestNeighbors(n_neighbors=k + 1, metric="cosine")
        .fit(embeddings)
        .kneighbors(embeddings, return_distance=False)[:, 1:]
    )
    assert m.retrieval_at_k(embeddings, labels, k) == pytest.approx((labels[neighbours] == labels[:, None]).mean())
    assert m.retrieval_at_k(7 * embeddings, labels, k) == m.retrieval_at_k(embeddings, labels, k)


def test_retrieval_can_pass_over_the_same_source():
    embeddings = np.array([[1, 0.01], [1, 0], [0.9, 0.3], [0, 1.0]])
    labels, groups = np.array([0, 0, 1, 1]), np.array(["x", "x", "y", "z"])
    assert m.retrieval_at_k(embeddings, labels, 1) == pytest.approx(0.75)
    assert m.retrieval_at_k(embeddings, labels, 1, groups) == pytest.approx(0.25)
    assert np.isfinite(m.retrieval_at_k(np.zeros((4, 2)), labels, 2))
    with pytest.raises(AudioformerError, match=r"k=4: with 4 clips .* choose 1 to 3"):
        m.retrieval_at_k(embeddings, labels, 4)
    with pytest.raises(AudioformerError, match="k=3"):
        m.retrieval_at_k(embeddings, labels, 3, groups)


@pytest.mark.parametrize("seed", SEEDS)
def test_chance_of_accuracy_is_the_best_constant_answer(seed):
    labels, _ = labelled(seed)
    constant = DummyClassifier(strategy="most_frequent").fit(labels[:, None], labels).predict(labels[:, None])
    assert m.chance("accuracy", labels) == pytest.approx(m.accuracy(labels, constant))
    assert m.chance("balanced_accuracy", labels, 5) == pytest.approx(m.balanced_accuracy(labels, constant, 5))


def test_chance_levels_are_what_guessing_gives():
    rng = np.random.default_rng(0)
    targets, _ = tagged(0)
    guesses = [m.mean_over_classes(m.average_precision(targets, np.zeros(targets.shape))) for _ in range(1)]
    assert m.chance("mAP", targets) == pytest.approx(guesses[0])
    assert (m.chance("mAUC", targets), m.chance("d_prime", targets)) == (0.5, 0.0)
    labels = rng.integers(0, 4, 200)
    guessed = np.mean([m.retrieval_at_k(rng.standard_normal((200, 64)), labels, 5) for _ in range(20)])
    assert m.chance("retrieval_at_k", labels) == pytest.approx(guessed, abs=0.02)
    with pytest.raises(AudioformerError, match="metric 'luck' has no chance level"):
        m.chance("luck", labels)


def test_chance_of_segment_f1_is_the_best_fixed_marking():
    reference = np.random.default_rng(1).random((300, 5)) < np.array([0.6, 0.3, 0.1, 0.02, 0.0])
    best = 0.0
    for bits in range(1, 32):
        marked = np.tile([bool(bits >> c & 1) for c in range(5)], (300, 1))
        best = max(best, m.segment_f1(reference, marked)[0])
    assert m.chance("segment_f1", reference) == pytest.approx(best)


def test_wilson_interval_covers_as_often_as_it_says():
    low, high = m.wilson_interval(72, 80)
    assert (low, high) == (pytest.approx(0.815, abs=1e-3), pytest.approx(0.948, abs=1e-3))
    assert m.wilson_interval(0, 10)[0] == pytest.approx(0, abs=1e-9)
    assert m.wilson_interval(10, 10)[1] == pytest.approx(1, abs=1e-9)
    covered = [m.wilson_interval(k, 80) for k in np.random.default_rng(0).binomial(80, 0.9, 400)]
    assert np.mean([low <= 0.9 <= high for low, high in covered]) == pytest.approx(0.95, abs=0.03)
    for right, n in [(-1, 5), (6, 5), (0, 0)]:
        with pytest.raises(AudioformerError, match="expected 0 <= n_right <= n"):
            m.wilson_interval(right, n)


def test_spread():
    spread = m.Spread.of([0.8, 0.9, 0.85])
    assert (spread.mean, spread.std, spread.n) == (pytest.approx(0.85), pytest.approx(0.05), 3)
    assert str(spread) == "0.850 ± 0.050 (n = 3)"
    assert str(m.Spread.of([0.5])) == "0.500"
    assert math.isnan(m.Spread.of([0.5]).std)
    with pytest.raises(AudioformerError, match="at least one value"):
        m.Spread.of([])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.accuracy([], []), "n >= 1"),
        (lambda: m.accuracy([1, 2], [1]), r"labels \(2,\) and predictions \(1,\)"),
        (lambda: m.confusion_matrix([0, 5], [0, 1], 5), r"range over 0..5; with 5 classes they are 0..4"),
        (lambda: m.confusion_matrix([0, -1], [0, 1], 5), "range over -1..1"),
        (lambda: m.average_precision(np.zeros((3, 2)), np.zeros((3, 3))), r"both be \(n, C\)"),
        (lambda: m.average_precision(np.zeros((0, 2)), np.zeros((0, 2))), r"n, C >= 1"),
        (lambda: m.area_under_roc(np.ones((2, 2)), np.full((2, 2), np.nan)), "NaN or infinity"),
        (lambda: m.segment_f1(np.zeros(3), np.zeros(3)), r"both be \(n, C\)"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(AudioformerError, match=message):
        call()


def test_classification_report_is_complete_plain_and_consistent():
    labels, given = labelled(2)
    probabilities = np.eye(5)[given] * 0.8 + 0.04
    report = json.loads(json.dumps(classification_report(probabilities, labels, list("abcde"))))
    assert report["score"] == report["accuracy"] == pytest.approx(m.accuracy(labels, given))
    assert report["low"] < report["accuracy"] < report["high"]
    assert (report["n"], report["metric"], report["chance"]) == (60, "accuracy", m.chance("accuracy", labels))
    assert report["per_class"]["e"] is None
    assert np.sum(report["confusion"]) == 60
    assert classification_metrics(probabilities, labels).items() <= report.items()


def test_multi_label_report_is_complete_plain_and_consistent():
    targets, scores = tagged(3)
    reference, found = np.random.default_rng(0).random((2, 100, 6)) < 0.3
    report = json.loads(json.dumps(multi_label_report(scores, targets, list("abcdef"), (reference, found))))
    assert report["score"] == report["mAP"] == pytest.approx(m.mean_over_classes(m.average_precision(targets, scores)))
    assert report["per_class"]["e"] is None
    assert report["d_prime"] == pytest.approx(m.d_prime(report["mAUC"]))
    assert report["segment_f1"] == pytest.approx(m.segment_f1(reference, found)[0])
    assert set(report["segment_f1_per_class"]) == set("abcdef")
    assert multi_label_metrics(scores, targets).items() <= report.items()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_best_thresholds_are_those_of_trying_them_all(seed):
    rng = np.random.default_rng(seed)
    reference, scores = rng.random((60, 3)) < 0.3, rng.integers(0, 12, (60, 3)) / 12
    reference[:, 2] = False
    chosen = m.best_thresholds(reference, scores)
    assert np.isnan(chosen[2])
    for c in (0, 1):
        tried = [m.segment_f1(reference[:, [c]], scores[:, [c]] >= t)[0] for t in np.arange(0, 1.01, 1 / 24)]
        assert m.segment_f1(reference[:, [c]], scores[:, [c]] >= chosen[c])[0] == pytest.approx(max(tried))
