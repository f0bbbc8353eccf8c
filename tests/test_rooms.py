"""The rooms without a browser: what they answer is what the library says, and nothing else gets through."""

import base64
import dataclasses
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.cells import shipped, shipped_names
from audioformer.explain import codebook as book
from audioformer.explain import fill as filling
from audioformer.explain.attention import attention_maps, mean_distance, rollout
from audioformer.explain.codebook import held_code
from audioformer.explain.edit import Edit, apply, silent_column
from audioformer.metrics import perplexity
from audioformer_app import analysis, handlers, models
from audioformer_app.rooms import attention, codebook, edit, mask, results
from audioformer_app.rooms.sent import bits_of, grid_bits


@pytest.fixture(scope="module")
def shown(tmp_path_factory, offered):
    """Two seconds of two tones: two windows of the test checkpoints."""
    times_s = np.arange(48_000) / 24_000
    path = tmp_path_factory.mktemp("sound") / "tones.wav"
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * np.where(times_s < 1, 300, 900) * times_s), 24_000)
    return analysis.analyse(analysis.open_clip(path), -1, "small", "animals", offered)


@pytest.fixture(scope="module")
def codes(shown):
    return torch.from_numpy(shown.codes[:2].astype(np.int64))  # the test models read two rows


def read_wav(text):
    return soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="float32")[0]


def levels(packed, shape):
    return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(shape)


# --- what the browser sends


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (8, 375)])
def test_a_grid_of_bits_comes_back(shape):
    grid = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.3
    assert grid_bits(bits_of(grid), shape).equal(grid)


@pytest.mark.parametrize(
    "sent", [None, 5, "", "####", "AAAA" * 10_000, ["a"], bits_of(torch.zeros(3, 8, dtype=torch.bool))]
)
def test_a_grid_of_another_size_is_refused(sent):
    with pytest.raises(AudioformerError, match="the gap sent has"):
        grid_bits(sent, (3, 20))


BAD = [
    (mask.look, {"random": {"ratio": 2}}, "ratio="),
    (mask.look, {"random": {"ratio": float("nan")}}, "ratio="),
    (mask.look, {"random": {"span": 0.5}}, "span="),
    (mask.look, {"random": {"seed": -1}}, "seed="),
    (mask.look, {"hidden": "x"}, "the gap sent"),
    (mask.listen, {"name": "../etc", "hidden": ""}, "sound="),
    (mask.listen, {"name": "gap"}, "the gap sent"),
    (mask.hear, {"row": 3, "frame": 0}, "row="),
    (mask.hear, {"row": 1, "frame": 150}, "frame="),
    (mask.hear, {"row": 1, "frame": 0, "code": 32}, "code="),
    (attention.look, {"layer": -1}, "layer="),
    (attention.look, {"head": True}, "head="),
    (attention.look, {"frame": "1"}, "frame="),
    (edit.change, {}, "edits must be a list"),
    (edit.change, {"edits": [{}] * 61}, "at most 60"),
    (edit.change, {"edits": ["rm"]}, "edits must be a list"),
    (edit.change, {"edits": [{"action": "melt", "frame": 0, "frames": 1, "row": 0}]}, "action="),
    (edit.change, {"edits": [{"action": "silence", "frame": 0, "frames": 1, "row": 4}]}, "row="),
    (edit.change, {"edits": [{"action": "silence", "frame": 149, "frames": 2, "row": 1}]}, "does not fit"),
]


@pytest.mark.parametrize(("room", "data", "says"), BAD)
def test_values_from_the_browser_are_checked(shown, offered, room, data, says):
    with pytest.raises(AudioformerError, match=says) as caught:
        room(shown, data, offered)
    assert len(str(caught.value)) < 250


# --- mask


def test_guesses_are_those_of_the_library(shown, offered, codes):
    answer = mask.look(shown, {"random": {"ratio": 0.2, "span": 4, "seed": 3}}, offered)
    guesser = offered.guesser()
    hidden = filling.random_gap(codes, 0.2, 4, 3, same_frames=False, codebook_size=32)
    assert grid_bits(answer["hidden"], (2, 150)).equal(hidden)
    found = filling.guess(guesser.model, codes, hidden, 5, guesser.window)
    assert answer["summary"]["surprise"] == pytest.approx(found.surprise)
    assert answer["summary"]["chance"] == pytest.approx(np.log(32))
    assert [place[:2] for place in answer["guesses"]] == [[row + 1, frame] for row, frame in found.places.tolist()]
    assert [place[4] for place in answer["guesses"]] == found.top_codes.tolist()
    marks = levels(answer["lanes"][1]["marks"], (2, 150))
    np.testing.assert_array_equal(marks == 1, hidden.numpy())
    assert answer["guesser"] == "guesser"
    for row, rows in ((1, hidden[0]), (2, hidden[1]), (0, hidden.any(0))):
        asked = mask.look(shown, {"hidden": answer["hidden"], "row": row}, offered)
        surprise = asked["lanes"][2]["lines"][0]["values"]
        assert [value is not None for value in surprise] == rows.tolist()
    json.dumps(answer, allow_nan=False)


def test_what_is_hidden_in_silence_does_not_count(shown, offered, codes):
    """Silence is guessed easily: half of the clip is silent, and the numbers are those of the other half."""
    samples = shown.samples.copy()
    samples[len(samples) // 2 :] = 0
    half = dataclasses.replace(shown, samples=samples)
    hidden = torch.ones(2, 150, dtype=torch.bool)
    summary = mask.look(half, {"hidden": bits_of(hidden)}, offered)["summary"]
    guesser = offered.guesser()
    found = filling.guess(guesser.model, codes, hidden, 5, guesser.window)
    sounds = found.places[:, 1] < 75
    assert summary["silent"] == pytest.approx(150, abs=4)
    assert summary["surprise"] == pytest.approx(-float(found.log_p[sounds].mean()), abs=0.02)
    whole = mask.look(dataclasses.replace(shown, samples=0 * samples), {"hidden": bits_of(hidden)}, offered)["summary"]
    assert whole["silent"] == 0  # nothing but silence: all of it counts
    assert whole["surprise"] == pytest.approx(found.surprise)


def test_the_place_shown_first_is_the_loudest_hidden_one(shown, offered):
    samples = 0.01 * shown.samples
    frame = 40
    samples[frame * 320 : (frame + 1) * 320] = 0.9  # planted
    hidden = torch.zeros(2, 150, dtype=torch.bool)
    hidden[:, [10, frame, 120]] = True
    loud = dataclasses.replace(shown, samples=samples)
    assert mask.look(loud, {"hidden": bits_of(hidden)}, offered)["first_look"] == [1, frame]
    hidden[0] = False
    assert mask.look(loud, {"hidden": bits_of(hidden)}, offered)["first_look"] == [2, frame]


def test_the_label_is_asked_with_and_without_the_gap(shown, offered, codes):
    everything = bits_of(torch.ones(2, 150, dtype=torch.bool))
    rows = mask.look(shown, {"hidden": everything}, offered)["classes"]["rows"]
    clf = offered.classifier("animals")
    now = clf.classify_codes(codes, target_mask=torch.ones(2, 150, dtype=torch.bool)).probabilities
    before = clf.classify_codes(codes).probabilities
    for row in rows:
        index = clf.label_names.index(row["label"].replace(" ", "_"))
        assert row["now"] == pytest.approx(float(now[index]), abs=1e-6)
        assert row["before"] == pytest.approx(float(before[index]), abs=1e-6)


def test_nothing_hidden_is_no_mistake(shown, offered):
    answer = mask.look(shown, {"hidden": bits_of(torch.zeros(2, 150, dtype=torch.bool))}, offered)
    assert answer["guesses"] == []
    assert set(answer["lanes"][2]["lines"][0]["values"]) == {None}  # its place stays, so that nothing jumps
    assert all(row["now"] == pytest.approx(row["before"]) for row in answer["classes"]["rows"])


def test_gap_and_fillings_are_heard(shown, offered, codes):
    guesser, hidden = offered.guesser(), torch.zeros(2, 150, dtype=torch.bool)
    hidden[:, 60:90] = True
    sent = bits_of(hidden)
    silent = silent_column(guesser.codec, 2)
    expected = {
        "codes": codes,
        "gap": torch.where(hidden, silent[:, None], codes),
        "oneshot": filling.fill(guesser.model, codes, hidden, 1, guesser.window),
        "steps": filling.fill(guesser.model, codes, hidden, mask.N_STEPS, guesser.window),
    }
    for name, heard in expected.items():
        answer = mask.listen(shown, {"name": name, "hidden": sent}, offered)
        sound = guesser.codec.decode(heard, n_samples=48_000)[0, 0].clamp(-1, 1)
        np.testing.assert_allclose(read_wav(answer["wav"]), sound, atol=1 / 32_000)
        assert answer["same"] == pytest.approx(float((heard == codes)[hidden].float().mean()))
        assert answer["lanes"]["codes"]["codes"] == heard.tolist()  # what is drawn is what is heard
        marks = levels(answer["lanes"]["codes"]["marks"], (2, 150))
        kinds = {"codes": 0, "gap": 1}.get(name, torch.where(heard == codes, 3, 2))
        np.testing.assert_array_equal(marks, (hidden * kinds).numpy())
        steps = levels(answer["steps"], (2, 150))
        assert steps.max() == {"oneshot": 1, "steps": mask.N_STEPS}.get(name, 0)
        assert ((steps > 0) == hidden.numpy()).all() or name in ("codes", "gap")


def test_a_guess_is_heard_in_the_place_of_the_code(shown, offered, codes):
    answer = mask.hear(shown, {"row": 2, "frame": 70, "code": 5}, offered)
    expected = held_code([int(codes[0, 70]), 5], offered.guesser().codec)
    np.testing.assert_allclose(read_wav(answer["wav"]), np.clip(expected, -1, 1), atol=1 / 32_000)
    assert mask.hear(shown, {"row": 2, "frame": 70}, offered)["code"] == codes[1, 70]


def test_the_mask_room_reads_its_own_codec_whichever_is_shown(shown, offered):
    other = analysis.analyse(shown.clip, -1, "bigger", "animals", offered)
    assert mask.look(other, {}, offered)["lanes"][1]["codes"] == mask.look(shown, {}, offered)["lanes"][1]["codes"]
    assert len(other.codes) == 5


def test_without_a_pretrained_model_it_is_said(shown, offered):
    bare = models.Models([*offered.codecs.values()], [*offered.checkpoints.values()], [])
    with pytest.raises(AudioformerError, match="audioformer pretrain"):
        mask.look(shown, {}, bare)


# --- attention


def test_attention_is_that_of_the_window_around_the_frame(shown, offered, codes):
    answer = attention.look(shown, {"frame": 140, "layer": 0, "head": 1}, offered)
    assert answer["window"] == pytest.approx([1.0, 2.0])
    assert (answer["n_windows"], answer["group"]) == (3, 1)
    maps = attention_maps(offered.classifier("animals").classifier, codes[:, 75:150])
    shown_map = (levels(answer["map"]["data"], (75, 75)) / 255.0) ** 2 * answer["map"]["top"]
    np.testing.assert_allclose(shown_map, maps[0, 1, 1:-1, 1:-1], atol=answer["map"]["top"] / 120)
    assert answer["stats"][0][1]["reach_s"] == pytest.approx(float(mean_distance(maps)[0, 1]) / 75, rel=1e-5)
    values = answer["lanes"][1]["lines"][0]["values"]
    np.testing.assert_allclose(values, rollout(maps).mean(0)[1:-1] * 77, atol=1e-4)
    assert len(base64.b64decode(answer["thumbs"]["data"])) == 2 * answer["thumbs"]["side"] ** 2
    json.dumps(answer, allow_nan=False)


def test_attention_begins_where_the_label_is_surest(shown, offered):
    answer = attention.look(shown, {}, offered)
    names = shown.verdict.label_names
    assert answer["frame"] == shown.verdict.frame_scores[:, names.index(shown.verdict.labels[0])].argmax()


def test_without_a_checkpoint_there_is_no_attention(shown, offered):
    bare = analysis.analyse(shown.clip, -1, "small", None, offered)
    assert attention.look(bare, {}, offered)["empty"] is True


# --- edit


def test_changed_codes_are_heard_marked_and_labelled(shown, offered):
    sent = [
        {"action": "silence", "row": 1, "frame": 10, "frames": 20},
        {"action": "shuffle", "row": 0, "frame": 50, "frames": 40, "seed": 2},
        {"action": "copy", "row": 3, "frame": 0, "frames": 9, "to": 100},
    ]
    answer = edit.change(shown, {"edits": sent}, offered)
    codec = offered.codec("small")
    before = torch.from_numpy(shown.codes.astype(np.int64))
    edits = [Edit("silence", 10, 20, 1), Edit("shuffle", 50, 40, seed=2), Edit("copy", 0, 9, 3, 100)]
    after = apply(before, edits, codec)
    drawn = answer["lanes"]
    assert drawn["codes"]["codes"] == after.tolist()
    np.testing.assert_array_equal(levels(drawn["codes"]["marks"], (3, 150)) == 2, (after != before).numpy())
    assert drawn["mel"]["id"] is drawn["codes"]["id"] is None  # those of the clip itself stay the other rooms'
    expected = codec.decode(after, n_samples=48_000)[0, 0].clamp(-1, 1)
    np.testing.assert_allclose(read_wav(answer["wav"]), expected, atol=1 / 32_000)
    found = offered.classifier("animals").classify_codes(after).probabilities
    assert answer["label"]["probability"] == pytest.approx(float(found.max()), abs=1e-6)
    undone = edit.change(shown, {"edits": []}, offered)
    assert undone["lanes"]["codes"]["codes"] == shown.codes.tolist()
    assert undone["changed"] == 0


def test_the_curve_is_the_difference_of_every_number_of_codebooks(shown, offered):
    differences = edit.differences_db(shown, offered)
    kept = [handlers.keep(shown, n, offered)["difference_db"] for n in (1, 2, 3)]
    np.testing.assert_allclose(differences, kept, rtol=1e-5)
    answer = edit.curve(shown, {}, offered)
    assert answer["config"]["showSendToCloud"] is False
    assert "1" in answer["figure"]["layout"]["meta"]["alt"]


# --- the page


def test_a_room_answers_what_it_was_asked_and_nothing_else(shown, offered):
    from audioformer_app.events import Page

    ask = Page(offered, []).ask("mask")
    answer = ask(shown, SimpleNamespace(_data={"what": "look", "random": {"ratio": 0.1}}))
    reply = json.loads(answer["view"]["reply"])
    assert "message" not in answer
    assert (reply["to"], reply["token"]) == ("look", shown.token)
    for data in ({"what": "__class__"}, {}, None, {"what": ["look"]}):
        answer = ask(shown, SimpleNamespace(_data=data))
        assert "knows no question" in answer["message"]["value"]
        assert "knows no question" in json.loads(answer["view"]["reply"])["failed"]


# --- codebook


def test_codebook_figures_count_the_bundled_clips_and_this_one(shown, offered):
    coded = offered.coded_samples("small")
    assert len(coded.codes) == len(coded.labels) > 20
    answer = codebook.look(shown, {"view": "rows", "row": 1, "look": "dark"}, offered)
    counts = book.count([shown.codes, *coded.codes], 32)
    assert answer["figure"]["layout"]["meta"]["alt"].startswith("Perplexity of rows 1 to 3")
    assert f"{perplexity(counts)[0]:.0f}" in answer["figure"]["layout"]["meta"]["alt"]
    for view in codebook.VIEWS:
        answer = codebook.look(shown, {"view": view, "row": 2, "entry": 3, "look": "light"}, offered)
        assert answer["counted"] == f"{len(coded.codes)} bundled clips and this one"
        json.dumps(answer, allow_nan=False)


def test_an_entry_sounds_as_the_library_says(shown, offered, codes):
    entry = int(codes[1, 40])
    answer = codebook.hear(shown, {"row": 2, "entry": entry}, offered)
    column = book.entry_column([shown.codes, *offered.coded_samples("small").codes], 2, entry, 32)
    np.testing.assert_allclose(
        read_wav(answer["wav"]), held_code(column, offered.codec("small"), 0.5).clip(-1, 1), atol=1 / 32_000
    )
    assert answer["times"] == int((codes[1] == entry).sum())
    assert int(codes[1, answer["frame"]]) == entry


@pytest.mark.parametrize(
    ("room", "data", "says"),
    [
        (codebook.look, {"view": "x", "row": 1, "look": "dark"}, "view="),
        (codebook.look, {"view": "map", "row": 4, "look": "dark"}, "row="),
        (codebook.look, {"view": "map", "row": 1, "look": "blue"}, "look="),
        (codebook.look, {"view": "map", "row": 1, "look": "dark", "entry": 32}, "entry="),
        (codebook.hear, {"row": 1}, "entry=None"),
        (codebook.hear, {"row": 1, "entry": 1.5}, "entry="),
    ],
)
def test_what_the_browser_says_about_a_codebook_is_checked(shown, offered, room, data, says):
    with pytest.raises(AudioformerError, match=says):
        room(shown, data, offered)


# --- results


def test_every_result_that_comes_with_the_kit_is_shown_with_its_command(shown, offered):
    first = results.look(shown, {}, offered)
    assert [name for name, _ in first["questions"]] == [name for name in results.QUESTIONS if name in shipped_names()]
    for name in shipped_names():
        document = shipped(name)
        sets = list(dict.fromkeys(row["data"] for row in document["rows"] if "data" in row)) or [None]
        for data in sets:
            answer = results.look(shown, {"result": name, "data": data}, offered)
            json.dumps(answer, allow_nan=False)
            assert (answer["result"], answer["data"], answer["command"]) == (name, data, document["command"])
            rows = [row for row in document["rows"] if row.get("data") == data]
            drawn = [
                value
                for trace in answer["figure"]["data"]
                for value in values_of(trace["y" if name == "adapt" else "x"])
            ]
            assert sorted(drawn) == pytest.approx(sorted(row["ours"] for row in rows))
            assert f"{max(row['ours'] for row in rows if row.get('row') != 'svm'):.2f}" in answer["told"][0]


def test_the_first_result_is_the_score_of_the_classifier_in_use(shown, offered, monkeypatch):
    score = {
        "data": "ten clips (held out)",
        "metric": "accuracy",
        "value": 0.75,
        "chance": 0.5,
        "n": 10,
        "spread": "",
        "command": "audioformer evaluate x",
    }
    about = {**offered.classifier("animals").about, "scores": [score], "limits": "Knows animals.", "data": "clips"}
    monkeypatch.setattr(offered.classifier("animals"), "about", about)
    answer = results.look(shown, {}, offered)
    assert answer["result"] == answer["questions"][0][0] == "classifier"
    assert "75.0% right" in answer["told"][0]
    assert answer["told"][1:] == ["Knows animals.", "Learnt from: clips"]
    assert answer["command"] == "audioformer evaluate x"
    assert values_of(answer["figure"]["data"][0]["x"]) == [0.75]
    json.dumps(answer, allow_nan=False)


def test_features_have_names_instead_of_paths(shown, offered):
    told = results.look(shown, {"result": "probe"}, offered)
    assert "runs/" not in json.dumps([told["told"], told["figure"]["data"]])


def values_of(values):
    """Numbers of a plotly axis, which are a list or packed."""
    return (
        np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
        if isinstance(values, dict)
        else values
    )


@pytest.mark.parametrize("result", ["../probe", ["probe"], {"a": 1}, 3, None])
def test_a_result_that_there_is_not_is_the_first(shown, offered, result):
    assert results.look(shown, {"result": result}, offered)["result"] == "probe"


@pytest.mark.parametrize("data", ["moon", ["esc10"], {"a": 1}, 4, None])
def test_results_on_unknown_data_are_those_of_the_first(shown, offered, data):
    assert results.look(shown, {"result": "probe", "data": data}, offered)["data"] == "esc10"
