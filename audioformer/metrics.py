"""How good a classifier is, each figure with what knowing nothing would give.

Works on numpy arrays; scikit-learn and SciPy do the counting. Shapes: n clips, C classes, D width, S segments.
Every metric here has its trivial baseline in `chance`; spreads over seeds are in `Spread`, intervals for one run in
`wilson_interval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioformer.errors import AudioformerError

SEGMENT_S = 0.1


def accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Share of clips given their own class.

    Args:
        labels: (n,) int, the truth.
        predictions: (n,) int.

    Raises:
        AudioformerError: no clips, or lengths that differ.
    """
    labels, predictions = _same_length(labels, predictions)
    return float(np.mean(labels == predictions))


def per_class_accuracy(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """(C,) share of each class's clips that were recognised (recall); NaN for a class without clips."""
    counts = confusion_matrix(labels, predictions, n_classes)
    totals = counts.sum(1)
    return np.divide(counts.diagonal(), totals, out=np.full(n_classes, np.nan), where=totals > 0)


def balanced_accuracy(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> float:
    """Mean of `per_class_accuracy` over the classes that occur, so that rare classes count as much as common ones."""
    return float(np.nanmean(per_class_accuracy(labels, predictions, n_classes)))


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, n_classes: int) -> np.ndarray:
    """(C, C) int64: row = true class, column = class given.

    Raises:
        AudioformerError: no clips, lengths that differ, or a class number outside 0..C-1.
    """
    from sklearn.metrics import confusion_matrix as count

    labels, predictions = _same_length(labels, predictions)
    both = np.concatenate([labels, predictions])
    if both.min() < 0 or both.max() >= n_classes:
        raise AudioformerError(
            f"class numbers range over {both.min()}..{both.max()}; with {n_classes} classes they are 0..{n_classes - 1}"
        )
    return count(labels, predictions, labels=np.arange(n_classes)).astype(np.int64)


def average_precision(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under each class's precision-recall steps, AP = sum (R_i - R_i-1) P_i, as scikit-learn defines it.

    Args:
        targets: (n, C) 0 or 1.
        scores: (n, C), higher = more likely.

    Returns:
        (C,); NaN for a class without positives.

    Raises:
        AudioformerError: shapes differ, no clips, or scores not finite.
    """
    from sklearn.metrics import average_precision_score

    targets, scores = _same_matrix(targets, scores)
    usable = targets.any(0)
    values = np.full(targets.shape[1], np.nan)
    for c in np.flatnonzero(usable):
        values[c] = average_precision_score(targets[:, c], scores[:, c])
    return values


def area_under_roc(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(C,) probability that a positive clip scores above a negative one; NaN where a class lacks either. As above."""
    from sklearn.metrics import roc_auc_score

    targets, scores = _same_matrix(targets, scores)
    usable = targets.any(0) & ~targets.all(0)
    values = np.full(targets.shape[1], np.nan)
    for c in np.flatnonzero(usable):
        values[c] = roc_auc_score(targets[:, c], scores[:, c])
    return values


def mean_over_classes(values: np.ndarray) -> float:
    """Macro average of per-class values, classes with NaN left out: mAP from AP, mAUC from AUC; NaN if none is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def d_prime(mean_auc: float) -> float:
    """Distance between positives and negatives in standard deviations, sqrt(2) * inverse normal CDF of the mAUC.

    As AudioSet's authors report it (Hershey et al. 2017, arXiv:1609.09430). 0 for chance; held below about 8.8 where
    the AUC is 1.
    """
    from scipy.stats import norm

    return float(np.sqrt(2) * norm.ppf(np.clip(mean_auc, 2.5e-10, 1 - 2.5e-10)))


def events_to_segments(
    events: Sequence[tuple[int, float, float]], duration_s: float, n_classes: int, segment_s: float = SEGMENT_S
):
    """Cut time into segments and mark in which each class is heard at all (Mesaros et al. 2016, section 3.1).

    Args:
        events: (class number, onset_s, offset_s).
        duration_s: length of the clip, seconds.
        n_classes: C.
        segment_s: length of a segment, seconds.

    Returns:
        (S, C) bool, S = ceil(duration_s / segment_s).
    """
    n_segments = max(1, int(np.ceil(duration_s / segment_s - 1e-6)))
    active = np.zeros((n_segments, n_classes), bool)
    for label, onset_s, offset_s in events:
        active[int(onset_s / segment_s + 1e-6) : int(np.ceil(offset_s / segment_s - 1e-6)), label] = True
    return active


def segment_f1(reference: np.ndarray, found: np.ndarray) -> tuple[float, np.ndarray]:
    """F1 of (segment, class) decisions: 2 TP / (2 TP + FP + FN).

    Args:
        reference: (S, C) bool; the segments of all clips one after the other.
        found: (S, C) bool.

    Returns:
        F1 over all decisions (micro; 0 when there is nothing to find and nothing was found), and (C,) F1 per class
        (NaN for a class neither there nor found).

    Raises:
        AudioformerError: shapes differ, or no segments.
    """
    reference, found = _same_matrix(reference, found)
    reference, found = reference.astype(bool), found.astype(bool)
    hits, all_marks = (reference & found).sum(0), reference.sum(0) + found.sum(0)
    per_class = np.divide(2 * hits, all_marks, out=np.full(hits.shape, np.nan), where=all_marks > 0)
    return float(2 * hits.sum() / max(1, all_marks.sum())), per_class


def best_thresholds(reference: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The threshold of each class at which its `segment_f1` is best.

    Args:
        reference: (S, C) bool.
        scores: (S, C); a segment counts as found where its score is at least the threshold.

    Returns:
        (C,), halfway to the next lower score; NaN for a class that never occurs.

    Raises:
        AudioformerError: shapes differ, or no segments.
    """
    reference, scores = _same_matrix(reference, scores)
    chosen = np.full(reference.shape[1], np.nan)
    for c in np.flatnonzero(reference.any(0)):
        order = np.argsort(-scores[:, c], kind="stable")
        ranked, hits = scores[order, c], np.cumsum(reference[order, c].astype(bool))
        ends = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))  # equal scores are found together
        f1 = 2 * hits[ends] / (ends + 1 + hits[-1])
        best = ends[int(f1.argmax())]
        lower = ranked[best + 1] if best + 1 < len(ranked) else ranked[best]
        chosen[c] = (float(ranked[best]) + float(lower)) / 2
    return chosen


def retrieval_at_k(embeddings: np.ndarray, labels: np.ndarray, k: int = 5, groups: np.ndarray | None = None) -> float:
    """Mean share of a clip's k nearest neighbours (cosine) that have its class: kNN purity, precision at k.

    Args:
        embeddings: (n, D); a zero vector is equally far from all.
        labels: (n,) int.
        k: neighbours, 1 to n - 1.
        groups: (n,) source or speaker; a neighbour from the clip's own group is passed over. None: only the clip
            itself.

    Raises:
        AudioformerError: too few clips for k.
    """
    embeddings, labels = np.asarray(embeddings, np.float64), np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    same_group = groups[:, None] == groups
    n_others = int((~same_group).sum(1).min()) if len(labels) else 0
    if len(embeddings) != len(labels) or not 1 <= k <= n_others:
        raise AudioformerError(
            f"k={k}: with {len(labels)} clips every clip has at least {n_others} candidates; choose 1 to {n_others}"
        )
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    similarity = np.where(same_group, -np.inf, unit @ unit.T)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return float((labels[nearest] == labels[:, None]).mean())


def chance(metric: str, truth: np.ndarray, n_classes: int | None = None) -> float:
    """What a metric gives to someone who has not listened: the best constant answer, or a random one.

    Args:
        metric: "accuracy" (always the commonest class), "balanced_accuracy" (1 / C), "mAP" (share of positives, the AP
            of scores without information), "mAUC" (0.5), "d_prime" (0), "segment_f1" (the better of all marked and
            only the commonest classes marked), "retrieval_at_k" (a random other clip).
        truth: (n,) class numbers, or (n, C) / (S, C) zeros and ones.
        n_classes: C, for "balanced_accuracy" on truth (n,).

    Raises:
        AudioformerError: unknown metric.
    """
    truth = np.asarray(truth)
    if metric in ("mAUC", "d_prime"):
        return 0.5 if metric == "mAUC" else 0.0
    if metric == "mAP":
        return mean_over_classes(np.where(truth.any(0), truth.mean(0, dtype=np.float64), np.nan))
    if metric == "segment_f1":
        counts = np.sort(truth.sum(0))[::-1]
        marked = np.arange(1, len(counts) + 1) * len(truth)  # the m commonest classes marked throughout
        return float(np.max(2 * counts.cumsum() / (marked + counts.sum())))
    if metric not in ("accuracy", "balanced_accuracy", "retrieval_at_k"):
        raise AudioformerError(f"metric {metric!r} has no chance level here; choose accuracy, mAP, ...")
    counts = np.bincount(truth.astype(np.int64), minlength=n_classes or 0)
    if metric == "balanced_accuracy":
        return 1.0 / int((counts > 0).sum())
    n = counts.sum()
    return float(counts.max() / n) if metric == "accuracy" else float((counts * (counts - 1)).sum() / (n * (n - 1)))


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of one figure over n runs; `std` is NaN for a single run."""

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of the figures of several runs; AudioformerError if there are none."""
        if not len(values):
            raise AudioformerError("a spread needs at least one value, got none")
        return cls(
            float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"), len(values)
        )

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.n == 1 else f"{self.mean:.3f} ± {self.std:.3f} (n = {self.n})"


def wilson_interval(n_right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share of n clips, good for small n and shares near 0 or 1 (Wilson 1927).

    Example:
        >>> [round(edge, 3) for edge in wilson_interval(72, 80)]
        [0.815, 0.948]
    """
    from scipy.stats import binomtest

    if not 0 <= n_right <= n or n < 1:
        raise AudioformerError(f"n_right={n_right} of n={n}: expected 0 <= n_right <= n, n >= 1")
    interval = binomtest(int(n_right), int(n)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _same_length(labels, predictions) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape or not labels.size:
        raise AudioformerError(f"labels {labels.shape} and predictions {predictions.shape} must be (n,) with n >= 1")
    return labels, predictions


def _same_matrix(targets, scores) -> tuple[np.ndarray, np.ndarray]:
    targets, scores = np.asarray(targets) > 0.5, np.asarray(scores)
    if targets.ndim != 2 or targets.shape != scores.shape or not targets.size:
        raise AudioformerError(f"targets {targets.shape} and scores {scores.shape} must both be (n, C) with n, C >= 1")
    if not np.isfinite(scores).all():
        raise AudioformerError("scores hold NaN or infinity; the model has diverged")
    return targets, scores


def classification_metrics(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Figures for one label a clip, plain numbers.

    Args:
        probabilities: (n, C); the largest is the answer.
        labels: (n,) class numbers.

    Returns:
        score (= accuracy), accuracy, balanced_accuracy, chance (always the commonest class), low and high (95 %
        interval of the accuracy), n.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    given = probabilities.argmax(1)
    share = accuracy(labels, given)
    low, high = wilson_interval(int((given == labels).sum()), len(labels))
    return {
        "score": share,
        "accuracy": share,
        "balanced_accuracy": balanced_accuracy(labels, given, probabilities.shape[1]),
        "chance": chance("accuracy", labels),
        "low": low,
        "high": high,
        "n": len(labels),
    }


def multi_label_metrics(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Figures for several labels a clip, plain numbers.

    Args:
        probabilities: (n, C), each class on its own.
        targets: (n, C) zeros and ones.

    Returns:
        score (= mAP), mAP, mAUC, d_prime, chance (mAP of scores that know nothing), n.
    """
    precision = mean_over_classes(average_precision(targets, probabilities))
    auc = mean_over_classes(area_under_roc(targets, probabilities))
    return {
        "score": precision,
        "mAP": precision,
        "mAUC": auc,
        "d_prime": d_prime(auc),
        "chance": chance("mAP", np.asarray(targets) > 0.5),
        "n": len(targets),
    }


def classification_report(probabilities: np.ndarray, labels: np.ndarray, label_names: Sequence[str]) -> dict:
    """As `classification_metrics`, with {"per_class": {name: recall or None}, "confusion": [[...]], "labels".

    Names}.
    """
    given = np.asarray(probabilities).argmax(1)
    recall = per_class_accuracy(labels, given, len(label_names))
    return classification_metrics(probabilities, labels) | {
        "metric": "accuracy",
        "labels": list(label_names),
        "per_class": _by_name(label_names, recall),
        "confusion": confusion_matrix(labels, given, len(label_names)).tolist(),
    }


def multi_label_report(
    probabilities: np.ndarray, targets: np.ndarray, label_names: Sequence[str], segments: tuple | None = None
) -> dict:
    """As `multi_label_metrics`, with AP per class, and segment F1 where event times were predicted.

    Args:
        probabilities: (n, C).
        targets: (n, C).
        label_names: C of them.
        segments: (reference, found), each (S, C) bool, or None.
    """
    report = multi_label_metrics(probabilities, targets) | {
        "metric": "mAP",
        "labels": list(label_names),
        "confusion": None,
        "per_class": _by_name(label_names, average_precision(targets, probabilities)),
    }
    if segments is not None:
        overall, per_class = segment_f1(*segments)
        report |= {"segment_f1": overall, "segment_f1_chance": chance("segment_f1", segments[0])}
        report |= {"segment_s": SEGMENT_S, "segment_f1_per_class": _by_name(label_names, per_class)}
    return report


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}


def perplexity(counts: np.ndarray) -> np.ndarray:
    """Exponential of the entropy of how often entries occur: so many equally frequent entries would say as much.

    Args:
        counts: (..., V), at least one above 0.

    Returns:
        (...) from 1 (always the same entry) to V.

    Example:
        >>> round(float(perplexity(np.array([5, 5, 0, 0]))), 6)
        2.0
    """
    shares = counts / counts.sum(-1, keepdims=True)
    return np.exp(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(-1))
