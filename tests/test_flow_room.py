"""The room Flow without a browser: what it shows is what the library computes."""

import base64
import json

import numpy as np
import pytest
import torch

from audioformer.audio import save_audio
from audioformer.errors import AudioformerError
from audioformer.explain.flow import arithmetic
from audioformer_app import analysis
from audioformer_app.rooms import flow


@pytest.fixture(scope="module", params=["animals", "overlaps"])
def shown(request, offered, tmp_path_factory):
    """Two and a half seconds of a falling tone; the models read one second at a time."""
    times_s = torch.arange(60_000) / 24_000
    path = tmp_path_factory.mktemp("sound") / "glide.wav"
    save_audio(path, 0.3 * torch.sin(2000 * times_s - 300 * times_s**2)[None], 24_000)
    return analysis.analyse(analysis.open_clip(path), -1, "small", request.param, offered)


def test_every_step_of_the_walk_opens_and_its_sum_adds_up(shown, offered):
    reply = flow.look(shown, {}, offered)
    assert reply["step"] == "sound"
    assert reply["walk"][:5] == ["sound", "frame", "codes", "tokens", "vectors"]
    for step in reply["walk"]:
        opened = flow.look(shown, {"step": step, "frame": 100, "head": 1}, offered)
        assert json.loads(json.dumps(opened, allow_nan=False)) == opened
        assert opened["title"]
        assert 20 < len(opened["sentence"]) < 260
        if "product" in opened:
            made = opened["product"]
            written = sum(term["weight"] * term["input"] for term in made["terms"]) + made["rest"] + made["bias"]
            assert written == pytest.approx(made["value"], abs=1e-4)
            assert sum(made["products"]) + made["bias"] == pytest.approx(made["value"], abs=0.01)
            assert made["output"][made["cell"]] == pytest.approx(made["value"], abs=1e-3)
            assert len(made["outputs"]) == len(made["output"])
            assert len(made["inputs"]) == len(made["vector"])


def test_the_numbers_are_those_of_the_library_at_the_moment_asked_for(shown, offered):
    reply = flow.look(shown, {"step": "fit", "frame": 100, "head": 1, "cell": 3}, offered)
    at = flow.moment(shown, {"frame": 100}, offered)
    assert at.n_windows > 1
    assert at.start <= 100 < at.start + 75
    step = arithmetic(at.clf.classifier, at.made, "fit", at.position, 0, 1)
    np.testing.assert_allclose(reply["product"]["output"], step.output, atol=1e-4)
    assert reply["product"]["cell"] == 3
    assert reply["product"]["outputs"][at.position] == f"{100.5 / 75:.2f} s"
    assert reply["product"]["outputs"][0] == "begin"


def test_the_rows_leave_less_and_less_over(shown, offered):
    column = flow.look(shown, {"step": "codes", "frame": 50}, offered)["column"]
    codec = offered.codec("small")
    latent = codec.latents(torch.from_numpy(shown.clip.samples), shown.clip.sample_rate)[0, :, 50]
    left = latent
    for row, (told, entries) in enumerate(zip(column["rows"], codec.codebooks(), strict=False)):
        assert told["code"] == shown.codes[row, 50]
        left = left - entries[told["code"]]
        assert told["share"] == pytest.approx(float(left.norm() / latent.norm()), rel=1e-4)


def test_tokens_have_their_names(shown, offered):
    first = flow.look(shown, {"step": "tokens", "frame": 0}, offered)["tokens"]
    assert first["rows"][0][:2] == ["begin", str(shown.codes[0, 0])]
    assert first["place"] == 1
    last = flow.look(shown, {"step": "tokens", "frame": shown.codes.shape[1] - 1}, offered)["tokens"]
    assert last["rows"][0][-1] == "end"


def test_the_strip_ends_with_the_label_of_its_window(shown, offered):
    boxes = flow.strip(shown, {"frame": 100}, offered)["boxes"]
    assert [box["name"] for box in boxes][:5] == ["Sound", "Frame", "Codes", "Tokens", "Vector"]
    at = flow.moment(shown, {"frame": 100}, offered)
    p = at.clf.classify_codes(at.codes[:, at.start : at.start + 75]).probabilities
    assert boxes[-1]["name"] == at.clf.label_names[int(p.argmax())].replace("_", " ")
    assert boxes[-1]["text"] == f"{100 * float(p.max()):.0f} %"
    levels = np.frombuffer(base64.b64decode(boxes[4]["heat"]["data"]), np.uint8)
    assert levels.max() == 255 or levels.min() == 1


def test_what_a_browser_may_send(shown, offered):
    assert flow.look(shown, {"step": "query", "block": 77, "head": 99}, offered)["block"] == 0
    assert flow.look(shown, {"frame": 10**6}, offered)["frame"] == shown.codes.shape[1] - 1
    for data in ({"step": "x"}, {"step": ["query"]}, {"frame": -1}, {"frame": "1"}, {"step": "query", "cell": -2}):
        with pytest.raises(AudioformerError):
            flow.look(shown, data, offered)


def test_without_a_classifier_there_is_nothing_to_open(shown, offered):
    bare = analysis.analyse(shown.clip, -1, "small", None, offered)
    assert flow.look(bare, {}, offered) == {"token": bare.token, "empty": True}
    assert flow.strip(bare, {}, offered)["empty"]


def test_large_matrices_keep_the_largest_of_neighbours():
    values = torch.zeros(1000, 10)
    values[501, 3] = -7.0
    heat = flow._heat(values)
    assert (heat["rows"], heat["columns"], heat["top"]) == (250, 10, 7.0)
    levels = np.frombuffer(base64.b64decode(heat["data"]), np.uint8).reshape(250, 10)
    assert (levels[125, 3], levels[0, 0]) == (1, 128)
