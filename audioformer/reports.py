"""All figures of one evaluation together: what `evaluate`, training and the results tables show.

After metrics in the data path. Shapes: n clips, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioformer import metrics as m


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
    share = m.accuracy(labels, given)
    low, high = m.wilson_interval(int((given == labels).sum()), len(labels))
    return {
        "score": share, "accuracy": share, "balanced_accuracy": m.balanced_accuracy(labels, given, probabilities.shape[1]),
        "chance": m.chance("accuracy", labels), "low": low, "high": high, "n": len(labels),
    }  # fmt: skip


def multi_label_metrics(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Figures for several labels a clip, plain numbers.

    Args:
        probabilities: (n, C), each class on its own.
        targets: (n, C) zeros and ones.

    Returns:
        score (= mAP), mAP, mAUC, d_prime, chance (mAP of scores that know nothing), n.
    """
    precision = m.mean_over_classes(m.average_precision(targets, probabilities))
    auc = m.mean_over_classes(m.area_under_roc(targets, probabilities))
    return {
        "score": precision, "mAP": precision, "mAUC": auc, "d_prime": m.d_prime(auc),
        "chance": m.chance("mAP", np.asarray(targets) > 0.5), "n": len(targets),
    }  # fmt: skip


def classification_report(probabilities: np.ndarray, labels: np.ndarray, label_names: Sequence[str]) -> dict:
    """As `classification_metrics`, with {"per_class": {name: recall or None}, "confusion": [[...]], "labels": names}."""
    given = np.asarray(probabilities).argmax(1)
    recall = m.per_class_accuracy(labels, given, len(label_names))
    return classification_metrics(probabilities, labels) | {
        "metric": "accuracy", "labels": list(label_names), "per_class": _by_name(label_names, recall),
        "confusion": m.confusion_matrix(labels, given, len(label_names)).tolist(),
    }  # fmt: skip


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
        "metric": "mAP", "labels": list(label_names), "confusion": None,
        "per_class": _by_name(label_names, m.average_precision(targets, probabilities)),
    }  # fmt: skip
    if segments is not None:
        overall, per_class = m.segment_f1(*segments)
        report |= {"segment_f1": overall, "segment_f1_chance": m.chance("segment_f1", segments[0])}
        report |= {"segment_s": m.SEGMENT_S, "segment_f1_per_class": _by_name(label_names, per_class)}
    return report


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, values, strict=True)}
