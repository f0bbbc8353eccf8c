"""Probabilities that mean what they say: a temperature, fitted on held-out clips; and when to say "none".

    temperature = fit_temperature(probabilities, labels)

Logits divided by a temperature give the same order of classes and other probabilities (Guo et al., arXiv 1706.04599).
Here it is worked into the last layer's weights, so that everything that reads them agrees.

Shapes: n clips, C classes.
"""

from __future__ import annotations

import numpy as np

from audioformer.errors import AudioformerError

N_BINS = 10
N_PARTS = 5  # for the error after calibration
LOWEST, HIGHEST, N_TRIED = 0.1, 10.0, 401  # temperatures, evenly spread in their logarithm
TINY = 1e-12


def sharpened(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """(n, C) probabilities as they would be with all logits divided by a temperature.

    Example:
        >>> sharpened(np.array([[0.8, 0.2]]), 0.5).round(3).tolist()
        [[0.941, 0.059]]
    """
    logits = np.log(np.maximum(probabilities, TINY)) / temperature
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature under which the truth is least surprising.

    Args:
        probabilities: (n, C) of clips that nothing was learned or chosen from.
        labels: (n,) true classes.

    Returns:
        Above 1 where the model is too sure of itself, below 1 where it is not sure enough.

    Raises:
        AudioformerError: fewer than 20 clips.
    """
    if len(labels) < 20:
        raise AudioformerError(f"{len(labels)} clips are too few to calibrate on; give at least 20 held-out ones")
    tried = np.exp(np.linspace(np.log(LOWEST), np.log(HIGHEST), N_TRIED))
    return float(min(tried, key=lambda t: surprise_at(sharpened(probabilities, t), labels)))


def sharpened_by_others(probabilities: np.ndarray, labels: np.ndarray, n_parts: int = N_PARTS) -> np.ndarray:
    """(n, C) probabilities, each clip's under the temperature that is fitted on the other parts: no clip judges itself.

    Raises:
        AudioformerError: too few clips, see `fit_temperature`.
    """
    after, part = np.empty_like(probabilities), np.arange(len(labels)) % n_parts
    for own in (part == k for k in range(n_parts)):
        after[own] = sharpened(probabilities[own], fit_temperature(probabilities[~own], labels[~own]))
    return after


def surprise_at(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log p(true class), nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], TINY)).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int = N_BINS) -> float:
    """Expected calibration error: how far confidence and share right lie apart, mean over bins of equal width by clips.

    Args:
        probabilities: (n, C).
        labels: (n,) true classes.
        n_bins: of the highest probability, 0 to 1.

    Returns:
        0 (what is said with 70 % is right 70 times in 100) to 1.

    Example:
        >>> calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
        0.0
    """
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    gaps = [abs((sure[bins == b] - right[bins == b]).sum()) for b in np.unique(bins)]
    return float(sum(gaps) / len(labels))


def roc_area(known: np.ndarray, foreign: np.ndarray) -> float:
    """How often a known sound scores higher than a foreign one, ties counting half: 0.5 is chance, 1 perfect.

    Args:
        known: (n,) scores of sounds of the model's classes, its highest probability for instance.
        foreign: (m,) scores of other sounds.
    """
    return float(((known[:, None] > foreign).mean() + (known[:, None] >= foreign).mean()) / 2)
