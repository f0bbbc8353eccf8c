"""Calibration: a temperature that was put in is found again; errors and areas by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from audioformer.checkpoint import find_checkpoint
from audioformer.classify import load
from audioformer.data.datasets.base import AudioDataset, Clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.calibration import calibration_error, fit_temperature, roc_area, sharpened, surprise_at
from audioformer.evaluation.evaluate import calibrate
from audioformer.evaluation.held_out import add_held_out, read_held_out
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
    earlier = json.loads((tmp_path / "mine" / "config.json").read_text())["calibration"]["temperature"]
    before, sound = load(tmp_path / "mine"), np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    first = before.classify(sound, top_k=10, sample_rate=24_000)
    add_calibration(tmp_path / "mine", 2.0, {"error": 0.01, "n": 80}, "audioformer evaluate held-out --calibrate")
    after = load(tmp_path / "mine").classify(sound, top_k=10, sample_rate=24_000)
    expected = sharpened(np.array([first.probabilities]), 2.0)[0]
    assert after.labels == first.labels
    np.testing.assert_allclose(after.probabilities, expected, atol=2e-3)  # weights are kept in 16 bits
    about = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert about["calibration"]["temperature"] == 2.0 * earlier
    assert "## Calibration" in (tmp_path / "mine" / "README.md").read_text()


def test_held_out_probabilities_count_and_stay_in_step(tmp_path):
    """A model that has learnt all clips by heart is calibrated by what models said that had not."""
    rng = np.random.default_rng(1)
    n, names = 200, load("esc10").label_names
    labels = np.arange(n) % len(names)
    logits = rng.normal(size=(n, len(names))) + 1.2 * np.eye(len(names))[labels]
    sure = np.exp(3 * logits) / np.exp(3 * logits).sum(1, keepdims=True)  # three times too sure of themselves
    folder = tmp_path / "mine"
    shutil.copytree(find_checkpoint("esc10"), folder)
    (folder / "held_out.json").unlink(missing_ok=True)
    clips = [{"id": f"c{i}", "truth": int(labels[i]), "probabilities": sure[i]} for i in range(n)]
    add_held_out(folder, clips, names, "audioformer evaluate x --held-out mine")
    known = tuple(Clip(f"c{i}", tmp_path / "never read.wav", (names[t],)) for i, t in enumerate(labels))
    dataset = AudioDataset("folder", tmp_path, known, tuple(names))
    temperature, measures = calibrate(load(folder), dataset, held_out=read_held_out(folder))
    assert temperature == pytest.approx(fit_temperature(sure, labels), rel=0.02)
    assert 2 < temperature < 5
    assert measures["error after"] < 0.6 * measures["error before"]
    add_calibration(folder, temperature, measures, "audioformer evaluate x --calibrate")
    held = read_held_out(folder)
    np.testing.assert_allclose(held.probabilities, sharpened(sure, temperature), atol=1e-3)
    more = replace(dataset, clips=(*known, replace(known[0], id="new")))
    with pytest.raises(AudioformerError, match="1 of 201 clips, first new"):
        calibrate(load(folder), more, held_out=held)
