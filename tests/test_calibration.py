"""Calibration: a temperature that was put in is found again; errors and areas by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from audioformer.checkpoint import find_checkpoint
from audioformer.classify import load
from audioformer.errors import AudioformerError
from audioformer.evaluation.calibration import calibration_error, fit_temperature, roc_area, sharpened, surprise_at
from audioformer.evaluation.scores import add_calibration


def honest(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities from which the labels are really drawn."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 5))
    probabilities = sharpened(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 1.0)
    return probabilities, np.array([rng.choice(5, p=p) for p in probabilities])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_temperature_put_in_is_found(temperature):
    probabilities, labels = honest()
    wrong = sharpened(probabilities, 1 / temperature)  # logits times the temperature
    found = fit_temperature(wrong, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    mended = sharpened(wrong, found)
    assert calibration_error(mended, labels) < 0.03
    assert surprise_at(mended, labels) <= surprise_at(wrong, labels) + 1e-9
    assert (mended.argmax(1) == wrong.argmax(1)).all()


def test_the_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert calibration_error(probabilities, np.array([0, 1, 0, 1])) == pytest.approx((abs(1.8 - 1) + abs(1.2 - 2)) / 4)


def test_the_area_by_hand():
    assert roc_area(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 4)


def test_too_few_clips():
    with pytest.raises(AudioformerError, match="3 clips are too few"):
        fit_temperature(np.full((3, 2), 0.5), np.array([0, 1, 0]))


def test_a_checkpoint_takes_its_temperature_up(tmp_path):
    shutil.copytree(find_checkpoint("esc10"), tmp_path / "mine")
    before, sound = load(tmp_path / "mine"), np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    first = before.classify(sound, top_k=10, sample_rate=24_000)
    add_calibration(tmp_path / "mine", 2.0, {"error": 0.01, "n": 80}, "audioformer evaluate held-out --calibrate")
    after = load(tmp_path / "mine").classify(sound, top_k=10, sample_rate=24_000)
    expected = sharpened(np.array([first.probabilities]), 2.0)[0]
    assert after.labels == first.labels
    np.testing.assert_allclose(after.probabilities, expected, atol=2e-3)  # weights are kept in 16 bits
    about = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert about["calibration"]["temperature"] == 2.0
    assert "## Calibration" in (tmp_path / "mine" / "README.md").read_text()
