"""The room Why without a browser: its maps are the library's, and nothing else gets through."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile
import torch

from audioformer.errors import AudioformerError
from audioformer.explain.attention import rollout_frames
from audioformer.explain.faithfulness import (
    block_order,
    curves,
    frames_of,
    held_against,
    random_order,
    silenced,
    sounding,
)
from audioformer.explain.gradients import integrated_gradients
from audioformer.explain.occlusion import hidden_probabilities, occlusion
from audioformer_app import analysis
from audioformer_app.rooms import why
from audioformer_app.rooms.sent import bits_of

EVENTS = (("dog", 0.5, 1.0), ("unheard of", 0.0, 2.0))


@pytest.fixture(scope="module")
def shown(tmp_path_factory, offered):
    """Two seconds: four windows of the test checkpoints, ten blocks of 15 frames."""
    samples = 0.3 * np.random.default_rng(0).standard_normal(48_000) * np.repeat([1.0, 0.1, 0.6, 0.0], 12_000)
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    soundfile.write(path, samples, 24_000)
    return analysis.analyse(analysis.open_clip(path, "noise", EVENTS), -1, "small", "animals", offered)


@pytest.fixture(scope="module")
def clf(offered):
    return offered.classifier("animals")


@pytest.fixture(scope="module")
def codes(shown):
    return torch.from_numpy(shown.codes[:2].astype(np.int64))


def test_the_first_answer_is_why_the_top_label(shown, offered, clf, codes):
    answer = why.look(shown, {}, offered)
    label = clf.label_names.index(shown.verdict.labels[0])
    found = occlusion(clf, codes, label, 15)
    assert (answer["method"], answer["label"], answer["block"], answer["frames"]) == ("occlusion", label, 15, 150)
    assert answer["whole"] == pytest.approx(found.probability, abs=1e-6)
    assert answer["nothing"] == pytest.approx(found.nothing, abs=1e-6)
    assert answer["order"] == block_order(found.frames, 15)
    assert answer["rows"] is None  # the map is there first
    np.testing.assert_allclose(why.rows(shown, {"label": label}, offered)["rows"], found.rows, atol=1e-5)
    np.testing.assert_allclose(answer["means"], found.falls, atol=1e-5)
    lane = answer["lanes"][1]
    np.testing.assert_allclose(lane["lines"][0]["values"], found.frames, atol=1e-4)
    assert lane["low"] <= min(lane["lines"][0]["values"]) + 1e-4
    assert lane["high"] >= max(lane["lines"][0]["values"]) - 1e-4
    assert answer["lanes"][2:] == ["scores", "events"]
    json.dumps(answer, allow_nan=False)


def test_gradients_and_rollout_are_those_of_the_library(shown, offered, clf, codes):
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[app]"')
    answer = why.look(shown, {"method": "gradients", "label": 2}, offered)
    found = integrated_gradients(clf, codes, 2)
    np.testing.assert_allclose(answer["lanes"][1]["lines"][0]["values"], found.frames, atol=1e-4)
    np.testing.assert_allclose(answer["rows"], found.codes.sum(1), atol=1e-4)
    assert answer["missing"] == pytest.approx(found.missing, abs=1e-5)
    assert answer["complete"] == found.complete
    answer = why.look(shown, {"method": "rollout"}, offered)
    np.testing.assert_allclose(answer["lanes"][1]["lines"][0]["values"], rollout_frames(clf, codes), atol=1e-4)
    assert answer["rows"] is None
    json.dumps(answer, allow_nan=False)


def test_the_map_is_held_against_the_true_times_of_its_label(shown, offered, clf, codes):
    dog, other = clf.label_names.index("dog"), clf.label_names.index("rain")
    answer = why.look(shown, {"label": dog}, offered)
    truth = sounding(EVENTS, "dog", 150, clf.codec.frame_rate)
    assert answer["truth"] == held_against(occlusion(clf, codes, dog, 15).frames, truth)
    assert [one["name"] for one in answer["labels"] if one["sounds"]] == ["dog"]
    assert why.look(shown, {"label": other}, offered)["truth"] is None


def test_curves_are_drawn_beside_those_of_a_random_order(shown, offered, clf, codes):
    order = list(range(10))
    answer = why.trust(shown, {"order": order, "label": 1}, offered)
    mine, blind = (curves(clf, codes, one, 1, 15, 7) for one in (order, random_order(150, 15, 0)))
    assert (answer["gain"], answer["chance"]) == pytest.approx((mine.gain, blind.gain), abs=1e-6)
    assert len(answer["figure"]["data"]) == 4
    assert "in random order" in answer["figure"]["layout"]["meta"]["alt"]
    assert answer["config"]["showSendToCloud"] is False
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize("name", ["evidence", "rest"])
def test_the_evidence_is_heard_and_weighed(shown, offered, clf, codes, name):
    kept = frames_of([3, 4], 1.0, 15, 150)
    bits = torch.zeros(1, 10, dtype=torch.bool)
    bits[0, [3, 4]] = True
    answer = why.hear(shown, {"kept": bits_of(bits), "name": name, "label": 0}, offered)
    heard = kept if name == "evidence" else ~kept
    every = torch.from_numpy(shown.codes.astype(np.int64))
    sound = clf.codec.decode(silenced(every, heard, clf.codec), n_samples=48_000)[0, 0].clamp(-1, 1)
    wav = soundfile.read(io.BytesIO(base64.b64decode(answer["wav"])), dtype="float32")[0]
    np.testing.assert_allclose(wav, sound, atol=1 / 32_000)
    expected = hidden_probabilities(clf, codes, [(~heard).expand(2, -1)])[0, 0]
    assert answer["probability"] == pytest.approx(float(expected), abs=1e-6)
    assert answer["share"] == pytest.approx(0.2)


def test_a_long_clip_has_longer_blocks_not_more():
    assert [why._block(n_frames) for n_frames in (10, 150, 375, 750, 2250)] == [15, 15, 16, 32, 94]


def test_what_was_asked_before_is_not_computed_again(shown, offered, monkeypatch):
    first = why.look(shown, {"method": "rollout", "label": 1}, offered)
    monkeypatch.setattr(why, "rollout_frames", lambda *_: pytest.fail("computed again"))
    assert why.look(shown, {"method": "rollout", "label": 1}, offered) == first


def test_without_a_checkpoint_there_is_nothing_to_explain(shown, offered):
    bare = analysis.analyse(shown.clip, -1, "small", None, offered)
    assert why.look(bare, {}, offered)["empty"] is True
    with pytest.raises(AudioformerError, match="checkpoint"):
        why.hear(bare, {"name": "rest", "kept": "", "label": 0}, offered)


BAD = [
    (why.look, {"method": "oracle"}, "method="),
    (why.look, {"label": 3}, "label="),
    (why.look, {"label": "dog"}, "label="),
    (why.rows, {"label": "dog"}, "label="),
    (why.trust, {"order": "0123456789"}, "block="),
    (why.trust, {"order": [0] * 9}, "block="),
    (why.trust, {"order": [10] * 10}, "block="),
    (why.trust, {"order": [0] * 10, "label": 0}, "once"),
    (why.hear, {"name": "../etc", "kept": "", "label": 0}, "sound="),
    (why.hear, {"name": "rest", "kept": "AAAA" * 100, "label": 0}, "the gap sent"),
    (why.hear, {"name": "rest", "label": True}, "label="),
]


@pytest.mark.parametrize(("room", "data", "says"), BAD)
def test_values_from_the_browser_are_checked(shown, offered, room, data, says):
    with pytest.raises(AudioformerError, match=says) as caught:
        room(shown, data, offered)
    assert len(str(caught.value)) < 250
