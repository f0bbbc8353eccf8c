"""Familiarity: the distance is that of the equation; a planted foreign sound is told from clips that were left out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from scipy.spatial.distance import mahalanobis

from audioformer.checkpoint import find_checkpoint
from audioformer.classify import load
from audioformer.data.datasets.base import AudioDataset, Clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.codings import classify_codings
from audioformer.evaluation.familiarity import (
    FILE,
    Familiarity,
    fit_familiarity,
    open_familiarity,
    save_familiarity,
    versions,
)
from audioformer.evaluation.features import open_encoder
from audioformer.evaluation.scores import add_familiarity

RATE = 24_000


def tone(rng) -> np.ndarray:
    """0.8 s of a tone of some pitch."""
    return 0.3 * np.sin(2 * np.pi * rng.uniform(300, 900) * np.arange(round(0.8 * RATE)) / RATE)


def noise(rng) -> np.ndarray:
    """0.8 s of white noise."""
    return rng.normal(0, rng.uniform(0.05, 0.2), round(0.8 * RATE))


def clicks(rng) -> np.ndarray:
    """0.8 s of ten clicks: neither."""
    samples = np.zeros(round(0.8 * RATE))
    samples[rng.integers(0, len(samples), 10)] = 0.9
    return samples


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Tones called dog and noise called rain, in two folds; and clicks."""
    folder, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)

    def clip(name: str, samples: np.ndarray, label: str, fold: int) -> Clip:
        soundfile.write(folder / f"{name}.wav", samples, RATE)
        return Clip(name, folder / f"{name}.wav", (label,), fold)

    own = [clip(f"tone{i}", tone(rng), "dog", 1 + i % 2) for i in range(10)]
    own += [clip(f"noise{i}", noise(rng), "rain", 1 + i % 2) for i in range(10)]
    foreign = [clip(f"clicks{i}", clicks(rng), "clicks", 1) for i in range(10)]
    return (
        AudioDataset("folder", folder, tuple(own), ("dog", "rain")),
        AudioDataset("folder", folder, tuple(foreign), ("clicks",)),
    )


@pytest.fixture(scope="module")
def asked(sounds, tmp_path_factory):
    """A copy of esc10 that has been asked about them, and the figures."""
    folder: Path = tmp_path_factory.mktemp("checkpoint") / "mine"
    shutil.copytree(find_checkpoint("esc10"), folder)
    tensors, found = fit_familiarity(load(folder), sounds[0], "pretrained", sounds[1])
    save_familiarity(folder, "pretrained", tensors)
    add_familiarity(folder, found, "audioformer evaluate x --familiarity pretrained")
    return folder, found


def test_the_distance_is_mahalanobis_to_the_nearest_class():
    rng = np.random.default_rng(0)
    centres, scale, root = rng.normal(size=(3, 4)), rng.uniform(1, 2, 4), rng.normal(size=(4, 4))
    precision, vectors = root @ root.T, rng.normal(size=(5, 4))
    known = Familiarity(
        open_encoder("pretrained"), centres, scale, precision, np.array([1.0, 4.0]), np.array([9.0, 5.0])
    )
    expected = [min(mahalanobis(v / scale, centre, precision) for centre in centres) for v in vectors]
    np.testing.assert_allclose(known.distances(vectors), expected)
    assert [known.bound(s) for s in (0.1, 1.0, 2.0, 4.0, 60.0)] == pytest.approx([9, 9, 7, 5, 5])


def test_the_vectors_are_those_of_the_whole_model(asked):
    codes = torch.randint(0, 1024, (8, 75), generator=torch.Generator().manual_seed(0))
    whole, cut = open_encoder("pretrained"), open_familiarity(asked[0]).encoder
    torch.testing.assert_close(cut.of_codes(codes[None]), whole.of_codes(codes[None]))
    assert cut.n_parameters < whole.n_parameters


def test_versions_hold_the_loudest_stretch():
    samples = np.random.default_rng(0).normal(0, 0.01, 3 * RATE).astype(np.float32)
    samples[40_000:41_000] += 0.5
    every = versions(samples, RATE)
    for seconds in ("0.5 s", "1 s", "2 s"):
        assert len(every[seconds]) == round(float(seconds[:-2]) * RATE)
        assert (every[seconds] > 0.4).sum() == 1000
    assert set(versions(samples[: RATE // 2], RATE)) < set(every)  # nothing to cut


def test_what_is_foreign_is_told_and_what_is_known_is_not(asked):
    folder, found = asked
    assert found["roc area"] > 0.9
    assert found["foreign unlike"] >= 0.9
    assert found["own unlike, as it is"] <= 0.1
    assert (found["n"], found["n_foreign"]) == (20, 10)
    rng, classifier = np.random.default_rng(7), load(folder)
    said = {make: classify_codings(classifier, make(rng), 1, sample_rate=RATE).notes for make in (tone, noise, clicks)}
    assert any("unlike what this model learnt from" in note for note in said[clicks])
    assert not any("unlike" in note for note in said[tone] + said[noise])
    silent = classify_codings(classifier, np.zeros(RATE), 1, sample_rate=RATE)
    assert len(silent.notes) == 1  # that it is silent; nothing of what it is like


def test_nothing_is_said_of_a_recording_much_longer_than_the_clips(asked):
    known = open_familiarity(asked[0])
    codes = torch.randint(0, 1024, (8, 3 * 75))
    assert known.unlike(codes[:, :75])  # noise among the codes is like nothing
    assert known.unlike(codes) == ""


def test_the_card_tells_the_figures_and_a_damaged_file_is_named(asked, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(asked[0], folder)
    card = (folder / "README.md").read_text()
    assert "## Sounds of other kinds" in card
    assert f"roc area {asked[1]['roc area']:.3f}" in card
    assert json.loads((folder / "config.json").read_text())["familiarity"]["n_foreign"] == 10
    whole, tensors = (folder / FILE).read_bytes(), load_file(folder / FILE)
    save_familiarity(folder, "pretrained", {**tensors, "scale": tensors["scale"][:5]})
    with pytest.raises(AudioformerError, match=r"damaged \(shapes"):
        open_familiarity(folder)
    (folder / FILE).write_bytes(whole[:-100])
    with pytest.raises(AudioformerError, match="damaged"):
        open_familiarity(folder)


def test_what_cannot_be_fitted_is_refused(sounds):
    classifier, dataset = load("esc10"), sounds[0]
    for model, data, says in (
        ("pretrained", replace(dataset, clips=tuple(clip for clip in dataset if clip.fold == 1)), "two folds"),
        ("sight-scenes", dataset, "does not read codes"),
        ("mine", dataset, "mine is not bundled"),
    ):
        with pytest.raises(AudioformerError, match=says):
            fit_familiarity(classifier, data, model)
