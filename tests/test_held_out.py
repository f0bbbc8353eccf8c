"""Sounds that were held out: planted probabilities, known counts, and the same in the room Results."""

import json

import numpy as np
import pytest
from app_weights import make_weights

from audioformer.errors import AudioformerError
from audioformer.evaluation.held_out import add_held_out, read_held_out
from audioformer_app import analysis, models
from audioformer_app.events import Page
from audioformer_app.rooms import results

LABELS = ["dog", "cat", "rain"]
# truth, probabilities: two dogs right (one of them unsure), a dog taken for a cat, a cat right, a rain unsure and wrong
PLANTED = [
    (0, [0.9, 0.05, 0.05]),
    (0, [0.4, 0.3, 0.3]),
    (0, [0.1, 0.8, 0.1]),
    (1, [0.05, 0.9, 0.05]),
    (2, [0.2, 0.45, 0.35]),
]


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    made = models.Models(*make_weights(tmp_path_factory.mktemp("weights")))
    clips = [{"id": f"c{i}", "truth": t, "probabilities": p} for i, (t, p) in enumerate(PLANTED)]
    folder = made.checkpoints["animals"]
    assert add_held_out(folder, clips[:3], LABELS, "first command") == 3
    assert add_held_out(folder, clips[2:], LABELS, "second command") == 5  # one of them again
    return made


def test_counts_are_those_that_were_planted(offered):
    held = read_held_out(offered.checkpoints["animals"])
    assert held.commands == ("first command", "second command")
    np.testing.assert_array_equal(held.confusion(), [[2, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(held.confusion(0.5), [[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]])
    assert held.answered(0.0) == (1.0, 0.6)
    assert held.answered(0.5) == (0.6, pytest.approx(2 / 3))
    assert np.isnan(held.answered(0.95)[1])
    assert held.reliability() == [
        (pytest.approx(0.425), 0.5, 2),
        (pytest.approx(0.8), 0.0, 1),
        (pytest.approx(0.9), 1.0, 2),
    ]


def test_a_recipe_of_other_classes_and_a_damaged_file_are_refused(offered, tmp_path):
    with pytest.raises(AudioformerError, match="has the classes"):
        add_held_out(offered.checkpoints["animals"], [], ["dog", "rain", "cat"], "x")
    assert read_held_out(offered.checkpoints["overlaps"]) is None
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        source = f"{offered.checkpoints['animals']}/{name}"
        (folder / name).write_bytes(open(source, "rb").read())
    (folder / "held_out.json").write_text(json.dumps({"labels": LABELS, "clips": [{"truth": 7}], "commands": []}))
    with pytest.raises(AudioformerError, match="damaged"):
        read_held_out(folder)


@pytest.fixture
def shown(offered):
    clip = analysis.Clip("x.wav", np.sin(np.arange(24_000) / 9).astype(np.float32), 24_000)
    return analysis.analyse(clip, -1, "small", "animals", offered)


def test_the_room_shows_them_for_the_classifier_of_the_page_and_its_threshold(offered, shown):
    told = results.look(shown, {"result": "confusion"}, offered)
    assert told["result"] == "confusion"
    assert told["told"][0] == "With a label from 50% on, 60% of 5 sounds get one, and 67% of these are right."
    (heat,) = told["figure"]["data"]
    assert heat["x"] == ["dog", "cat", "rain", "none: not sure"]
    told = results.look(shown, {"result": "reliability"}, offered)
    assert "calibration error" in told["told"][0]
    assert told["command"] == "first command"
    other = analysis.analyse(shown.clip, -1, "small", "overlaps", offered)
    assert "confusion" not in [name for name, _ in results.look(other, {"result": "confusion"}, offered)["questions"]]


def test_a_threshold_of_the_page_holds_for_the_next_sound_too(offered, shown):
    page, request = Page(offered, []), type("Request", (), {"session_hash": "page"})
    best = shown.verdict.probabilities[0]
    low = page.threshold(shown, max(0.0, best - 0.01), request)
    assert low["state"].answer.kind == "sure"
    high = page.threshold(low["state"], min(1.0, best + 0.01), request)
    assert high["state"].answer.text == "nothing sure"
    assert "nothing sure" in high["verdict"]
    assert page.sure("page") == high["state"].sure
    assert page.sure("somebody else") == 0.5
    again = page.show(high["state"], "small", "animals", lambda now: (now.clip, now.sample), request)
    assert again["state"].sure == high["state"].sure
