"""The rooms Map and Teach without a browser: what they answer, what they refuse, and what they keep."""

import base64
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import soundfile
from app_weights import make_weights

from audioformer import load
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import Space, align, describer
from audioformer_app import analysis, kept, models, taught
from audioformer_app import atlas as atlas_module
from audioformer_app.atlas import Atlas, before, open_sounds, sources
from audioformer_app.rooms import examples, teach
from audioformer_app.rooms import map as sound_map

RATE = 24_000


def tone(folder, name, hz, seconds=0.6):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE), RATE)
    return path


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """Small models, and a data set of three low and three high tones."""
    folder = tmp_path_factory.mktemp("sounds")
    for n in range(3):
        tone(folder, f"low/{n}.wav", 200 + 10 * n)
        tone(folder, f"high/{n}.wav", 3000 + 100 * n)
    return models.Models(*make_weights(tmp_path_factory.mktemp("weights")), sounds=folder)


@pytest.fixture(scope="module")
def shown(tmp_path_factory, offered):
    path = tone(tmp_path_factory.mktemp("own"), "<i>mine.wav", 3050, 1.5)
    return analysis.analyse(analysis.open_clip(path), -1, "small", "animals", offered)


@pytest.fixture(scope="module")
def answered(shown, offered):
    """The room's answer once the plane of the spread is known."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        answer = sound_map.look(shown, {"models": ["animals", "statistics"], "method": "pca"}, offered)
        if answer["views"]:
            return answer
        assert answer["waiting"]["total"] == 6
        time.sleep(0.2)
    pytest.fail("no map within five minutes")


# --- map


def test_the_map_shows_what_the_models_say(answered, offered):
    assert answered["models"] == ["statistics", "random:guesser", "guesser", "animals", "overlaps"]
    assert [clip["label"] for clip in answered["clips"]] == ["high"] * 3 + ["low"] * 3
    animals, statistics = answered["views"]
    clf = offered.classifier("animals")
    for clip, said, sure in zip(offered.atlas().clips, animals["predictions"], animals["confidence"], strict=True):
        best = clf.classify(clip.path, top_k=1)
        assert said == best.labels[0]
        assert sure == pytest.approx(best.probabilities[0], abs=1e-3)
    assert animals["known"] == [False] * 6  # its classes are animals
    assert statistics["by"] == "neighbours"
    assert animals["sure"] == [p >= 0.5 for p in animals["confidence"]]
    assert animals["learnt"] == 0
    assert statistics["right"] == [True] * 6
    assert statistics["purity"] == 1.0
    assert statistics["chance"] == pytest.approx(0.4)
    json.dumps(answered, allow_nan=False)


ESC10 = "ESC-10 folds 1-4 (Piczak 2015, CC BY)"
FSDD = "Free Spoken Digit Dataset takes 5-49 (CC BY-SA 4.0)"


@pytest.mark.parametrize(
    ("data", "file", "expected"),
    [
        (ESC10, "1-100032-A-0.wav", True),
        (ESC10, "5-100032-A-0.wav", False),  # another fold
        (ESC10, "1-900000-A-0.ogg", False),  # computed by this kit
        (ESC10, "7_jackson_32.wav", False),
        (FSDD, "7_jackson_32.wav", True),
        (FSDD, "7_jackson_3.wav", False),
        ("", "1-100032-A-0.wav", False),
    ],
)
def test_sounds_that_a_model_has_learnt_from_are_told_from_new_ones(data, file, expected):
    assert atlas_module.learnt_from(data, file) is expected


def test_the_sound_on_the_page_lies_amid_its_neighbours(answered, shown, offered):
    for view in answered["views"]:
        assert view["own"]["name"] == "<i>mine.wav"  # escaped where it is shown: as text
        assert view["own"]["itself"] is None
        assert len(view["own"]["nearest"]) == 5
    statistics = answered["views"][1]
    assert answered["clips"][statistics["own"]["nearest"][0]]["label"] == "high"
    describe = describer("statistics")
    vectors = [describe(clip.load(mono=True)).vector for clip in offered.atlas().clips]
    near, _ = Space.of(np.stack(vectors)).nearest(describe(waveform(shown)).vector, 5)
    assert near.tolist() == statistics["own"]["nearest"]


def waveform(shown):
    import torch

    from audioformer.audio import Waveform

    return Waveform(torch.from_numpy(shown.clip.samples)[None], shown.clip.sample_rate)


def test_the_sound_on_the_page_is_described_once(answered, shown, offered, monkeypatch):
    atlas, made = offered.atlas(), []
    describe = atlas._describer("animals")
    monkeypatch.setitem(atlas._describe, "animals", lambda sound: made.append(sound) or describe(sound))
    monkeypatch.setattr(atlas, "_others", {})
    first, again = (
        sound_map.look(shown, {"models": ["animals"], "method": "pca"}, offered)["views"][0]["own"] for _ in range(2)
    )
    assert first == again == answered["views"][0]["own"]
    assert len(made) == 1
    for number in range(atlas_module.KEPT + 5):
        atlas.describe("statistics", waveform(shown), str(number))
    assert len(atlas._others) == atlas_module.KEPT
    assert ("animals", shown.token) not in atlas._others


def test_a_clip_of_the_map_is_heard(answered, shown, offered):
    assert answered["clips"][4]["file"] == "1.wav"
    answer = sound_map.sound(shown, {"index": 4}, offered)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(answer["wav"])))
    assert rate == RATE
    assert len(samples) == round(0.6 * RATE)
    assert np.fft.rfft(samples).__abs__().argmax() / 0.6 == pytest.approx(210, abs=2)


def test_a_model_is_seen_through_its_training(answered, shown, offered):
    assert answered["before"] == {"guesser": ["random:guesser"]} | {
        name: ["random:guesser", "guesser"] for name in ("animals", "overlaps")
    }
    until = time.monotonic() + 300
    while not (answer := sound_map.look(shown, {"models": ["animals"], "through": True, "method": "pca"}, offered))[
        "views"
    ]:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert answer["names"] == [view["name"] for view in answer["views"]] == ["animals", "random:guesser", "guesser"]
    last, *earlier = (np.array(view["points"]) for view in answer["views"])
    np.testing.assert_allclose(last, answered["views"][0]["points"])
    for points in earlier:  # turned to lie like the last, and no turn lies nearer
        np.testing.assert_allclose(points, align(points, last), atol=1e-3)
    assert not np.allclose(*earlier)


def test_steps_that_training_kept_are_stages_of_their_own(offered, tmp_path):
    run = tmp_path / "mine"
    for folder in (run, run / "steps" / "000050", run / "steps" / "000100"):
        shutil.copytree(offered.checkpoints["animals"], folder)
    (run / "steps" / "notes").mkdir()
    own = models.Models(list(offered.codecs.values()), [run], list(offered.pretrained.values()), sounds=offered.sounds)
    kept_steps = ["mine after 50 steps", "mine after 100 steps"]
    assert before(own)["mine"] == ["random:guesser", "guesser", *kept_steps]
    assert [name for name in sources(own) if "mine" in name] == [*kept_steps, "mine"]
    assert sources(own)[kept_steps[0]]().label_names == offered.classifier("animals").label_names


@pytest.mark.parametrize(
    ("room", "data", "says"),
    [
        (sound_map.look, {"models": ["nobody"]}, "model="),
        (sound_map.look, {"models": "animals"}, "list of one or two"),
        (sound_map.look, {"models": ["animals"] * 3}, "list of one or two"),
        (sound_map.look, {"models": [["x"]]}, "model="),
        (sound_map.look, {"method": "tsne"}, "method="),
        (sound_map.sound, {"index": 6}, "index="),
        (sound_map.sound, {"index": "../x"}, "index="),
    ],
)
def test_what_the_map_is_asked_is_checked(shown, offered, room, data, says):
    with pytest.raises(AudioformerError, match=says):
        room(shown, data, offered)


def test_a_clip_that_cannot_be_read_is_said_and_the_next_question_tries_again(tmp_path, offered):
    for n in range(4):
        tone(tmp_path, f"a/{n}.wav", 300)
    broken = tmp_path / "a" / "2.wav"
    broken.write_bytes(b"RIFF nothing")
    atlas = Atlas(open_sounds(tmp_path), {"statistics": sources(offered)["statistics"]})

    def wait():
        until = time.monotonic() + 120
        while atlas.waiting and time.monotonic() < until:
            time.sleep(0.05)

    atlas.ask(["statistics"], "pca")
    wait()
    with pytest.raises(AudioformerError, match=r"2\.wav"):
        atlas.ask(["statistics"], "pca")
    tone(tmp_path, "a/2.wav", 300)
    atlas.ask(["statistics"], "pca")
    until = time.monotonic() + 120
    while atlas.region("statistics") is None and time.monotonic() < until:
        time.sleep(0.05)
    assert atlas.region("statistics").vectors.shape == (4, 338)


def test_silence_and_what_is_missing_of_a_clip_are_said_on_the_map(tmp_path, offered):
    for n in range(4):
        tone(tmp_path, f"a/{n}.wav", 300)
    cut, silent, quiet = (tmp_path / "a" / f"{n}.wav" for n in (1, 2, 3))
    cut.write_bytes(cut.read_bytes()[:-2000])
    soundfile.write(silent, np.zeros(12_000), 24_000)
    soundfile.write(quiet, 0.002 * np.sin(np.arange(12_000) / 5), 24_000)
    (tmp_path / "a" / "x.xyz").touch()
    known = {name: sources(offered)[name] for name in ("statistics", "animals")}
    atlas = Atlas(open_sounds(tmp_path), known)
    atlas.ask(["statistics", "animals"], "pca")
    until = time.monotonic() + 300
    while atlas.region("animals") is None and time.monotonic() < until:
        time.sleep(0.05)
    for name in known:
        said, _, _ = sound_map._said(atlas, name)
        assert said[2:] == ["silence", "too quiet"]
        assert not {"silence", "too quiet"} & set(said[:2])
    assert "1000 of " in atlas.notes[1][0]
    assert atlas.dataset.notes == ("1 file is left out, not a sound that can be decoded here: 1 .xyz",)


def test_that_the_sound_on_the_page_is_silent_is_said_on_the_map(answered, shown, offered):
    silent = dataclasses.replace(shown.clip, samples=0 * shown.clip.samples)
    asked = {"models": ["animals", "statistics"], "method": "pca"}
    answer = sound_map.look(dataclasses.replace(shown, clip=silent, token="silent"), asked, offered)
    assert [view["own"]["quiet"] for view in answered["views"]] == ["", ""]
    for view in answer["views"]:
        assert view["own"]["quiet"].startswith("silence: nothing in it is above -100 dB")


# --- teach


@pytest.fixture(scope="module")
def lesson(tmp_path_factory, offered):
    """A lesson with four low and four high tones; returns it and the ids by class."""
    folder, begun, ids = tmp_path_factory.mktemp("examples"), examples.Lesson(), {"low": [], "high": []}
    for n in range(4):
        for name, hz in (("low", 200 + 15 * n), ("high", 3000 + 150 * n)):
            clip = analysis.open_clip(tone(folder, f"{name}{n}.wav", hz, 0.5 + 0.1 * n))
            ids[name].append(examples.add(begun, clip, teach.codec_of(offered))["id"])
    return begun, ids


def classes(ids):
    return [{"name": name, "ids": ids[name]} for name in ("low", "high")]


def test_an_example_comes_back_as_it_was_and_only_its_codes_stay(lesson, offered, tmp_path):
    begun, ids = lesson
    clip = analysis.open_clip(tone(tmp_path, "long.wav", 500, 12.0))
    other = examples.Lesson()
    answer = examples.add(other, clip, teach.codec_of(offered))
    assert answer["duration_s"] == examples.HEARD_S
    assert answer["note"] == "only the first 10 s are used"
    assert soundfile.info(io.BytesIO(base64.b64decode(answer["wav"]))).frames == 10 * RATE
    (example,) = other.examples.values()
    assert example.codes.shape == (3, 750)
    assert vars(example).keys() == {"codes", "duration_s", "take"}
    assert len(begun.examples) == 8
    assert examples.forget(other, [answer["id"], "nobody", 5]) == {"left": 0}


@pytest.mark.parametrize(
    ("seconds", "piece_s", "lengths", "note"),
    [
        (1.4, 1.0, [1.4], ""),
        (2.0, 1.0, [1.0, 1.0], "cut into 2 pieces"),
        (2.6, 1.0, [1.0, 1.0, 0.6], "cut into 3 pieces"),
        (5.3, 2.0, [2.0, 2.0, 1.3], "cut into 3 pieces"),
        (4.4, 2.0, [2.0, 2.0], "cut into 2 pieces; its last 0.4 s left out"),
    ],
)
def test_a_long_take_is_cut_into_pieces(offered, tmp_path, seconds, piece_s, lengths, note):
    clip, begun = analysis.open_clip(tone(tmp_path, "take.wav", 500, seconds)), examples.Lesson()
    made = examples.add(begun, clip, teach.codec_of(offered), piece_s)
    assert [one["duration_s"] for one in made["added"]] == pytest.approx(lengths, abs=0.01)
    assert made["note"] == note
    assert len({one.take for one in begun.examples.values()}) == 1
    assert len(begun.examples) == len(lengths)


def test_silent_pieces_are_left_out_and_said(offered):
    sound = np.concatenate([np.sin(np.arange(RATE)), np.zeros(RATE), np.sin(np.arange(RATE))]).astype(np.float32)
    made = examples.add(examples.Lesson(), analysis.Clip("s.wav", sound, RATE), teach.codec_of(offered), 1.0)
    assert len(made["added"]) == 2
    assert made["note"] == "cut into 3 pieces; 1 silent pieces left out"


def test_one_example_of_each_class_is_held_back_and_rather_one_of_its_own_recording(lesson):
    begun, ids = lesson
    _, items = teach._classes(begun, classes(ids))
    assert teach.hold_back(items, begun) == {ids["low"][3]: False, ids["high"][3]: False}
    takes = examples.Lesson({one.id: examples.Example(one.codes, 1.0, "same") for one in items})
    assert teach.hold_back(items, takes) == {ids["low"][3]: True, ids["high"][3]: True}
    takes.examples[ids["low"][1]] = examples.Example(items[1].codes, 1.0, "other")
    assert teach.hold_back(items, takes) == {ids["low"][1]: False, ids["high"][3]: True}
    assert teach.hold_back(items[2:], begun).keys() == {ids["high"][3]}  # two are too few to lose one


def test_what_is_held_back_is_not_learnt_from_and_told(lesson, offered):
    begun, ids = lesson
    last = list(teach.teach(begun, {"classes": classes(ids), "start": "guesser", "method": "probe"}, offered))[-1]
    assert [[last["ids"][i], alike] for i, alike in last["held"]] == [[ids["low"][3], False], [ids["high"][3], False]]
    assert last["total"] == 120
    assert "6 examples" in offered.taught.get(last["choice"][1]).classifier.about["about"]


def test_a_class_of_other_sounds_gives_none_of_these():
    from audioformer_app.answers import NONE, answer

    said = answer([NONE, "dog"], [0.9, 0.1], ["dog", NONE], False, -20.0)
    assert (said.kind, said.text, said.detail) == ("unsure", "none of these", "90%")


def test_the_kit_brings_other_sounds(offered):
    from audioformer_app.samples import list_samples

    begun = examples.Lesson()
    added = examples.others(begun, list_samples(), teach.codec_of(offered))["added"]
    assert len(added) == len(begun.examples) == examples.OTHERS
    assert len({one["name"] for one in added}) == examples.OTHERS
    with pytest.raises(AudioformerError, match="without samples"):
        examples.others(begun, [], teach.codec_of(offered))


def test_a_classifier_that_was_saved_is_opened_again(lesson, offered, tmp_path):
    begun, ids = lesson
    last = list(teach.teach(begun, {"classes": classes(ids), "start": "guesser", "method": "probe"}, offered))[-1]
    file, sound = tmp_path / "model.zip", tone(tmp_path, "new.wav", 3333, 0.7)
    file.write_bytes(offered.taught.get(last["choice"][1]).zip())
    expected = offered.classifier(last["choice"][1]).classify(sound).to_dict()
    other = examples.Lesson()
    opened = teach.open_model(other, file, offered)
    assert opened.choice == (last["choice"][0], other.taught)
    assert offered.classifier(other.taught).classify(sound).to_dict() | {"checkpoint": ""} == expected | {
        "checkpoint": ""
    }
    offered.taught.drop(other.taught)


@pytest.mark.parametrize("content", ["text", "other zip", "large", "no classifier"])
def test_a_file_that_is_no_saved_classifier_is_refused_and_leaves_nothing(offered, tmp_path, monkeypatch, content):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    file = tmp_path / "model.zip"
    file.write_text("no zip")
    if content != "text":
        with zipfile.ZipFile(file, "w") as archive:
            for name in ("config.json", "model.safetensors", "README.md"):
                archive.writestr(f"taught/{name}" if content != "other zip" else name, "{}")
    if content == "large":
        monkeypatch.setattr(taught, "MOST_BYTES", 3)
    with pytest.raises(AudioformerError) as refused:
        teach.open_model(examples.Lesson(), file, offered)
    assert str(tmp_path / "own") not in str(refused.value)
    assert list((tmp_path / "own").iterdir()) == []


@pytest.mark.parametrize("method", teach.METHODS)
def test_it_learns_and_gives_a_checkpoint_that_everybody_reads(lesson, offered, tmp_path, method):
    begun, ids = lesson
    told = list(teach.teach(begun, {"classes": classes(ids), "start": "guesser", "method": method}, offered))
    assert [one["stage"] for one in told if one["stage"] != "learn"][-2:] == ["check", "done"]
    last = told[-1]
    assert last["curve"][0] == pytest.approx(np.log(2), abs=0.15)
    assert last["chance"] == pytest.approx(np.log(2), abs=1e-4)
    assert last["floor"] == pytest.approx(-(0.95 * np.log(0.95) + 0.05 * np.log(0.05)))  # a tenth is shared out
    assert len(last["points"]) == 8
    assert last["labels"] == ["low"] * 4 + ["high"] * 4
    assert last["counted"] == 8
    if method == "probe":
        assert last["curve"][-1] < 0.8 * last["curve"][0]
        assert sum(a == b for a, b in zip(last["predictions"], last["labels"], strict=True)) >= 6
    label, name = last["choice"]
    assert label == "yours: low, high"
    assert name.startswith("yours-")
    found = offered.taught.get(name)
    with zipfile.ZipFile(io.BytesIO(found.zip())) as archive:
        assert sorted(archive.namelist()) == ["taught/README.md", "taught/config.json", "taught/model.safetensors"]
        archive.extractall(tmp_path)
    unpacked = load(tmp_path / "taught")
    sound = tone(tmp_path, "new.wav", 3333, 0.7)
    assert unpacked.classify(sound).to_dict()["labels"] == offered.classifier(name).classify(sound).to_dict()["labels"]
    assert len(offered.taught) == 1  # the next one took its place
    shown = analysis.analyse(analysis.open_clip(sound), -1, "small", name, offered)
    assert set(shown.verdict.label_names) == {"low", "high"}


def test_it_can_be_stopped_early(lesson, offered):
    begun, ids = lesson
    told = []
    for one in teach.teach(begun, {"classes": classes(ids), "start": "animals", "method": "probe"}, offered):
        told.append(one)
        begun.stop.set()
    assert told[-1]["stage"] == "done"
    assert told[-1]["done"] < told[-1]["total"]


def bad(change):
    return lambda ids: change(classes(ids))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (lambda _: None, "2 to 8 classes"),
        (lambda _: [{}] * 9, "2 to 8 classes"),
        (lambda ids: classes(ids)[:1], "2 to 8 classes"),
        (lambda ids: ["low", classes(ids)[1]], "2 to 8 classes"),
        (lambda ids: [{**classes(ids)[0], "name": " "}, classes(ids)[1]], "class 1 needs a name"),
        (lambda ids: [{**classes(ids)[0], "name": "x" * 41}, classes(ids)[1]], "class 1 needs a name"),
        (lambda ids: [{**classes(ids)[0], "name": "a\nb"}, classes(ids)[1]], "class 1 needs a name"),
        (lambda ids: [{**classes(ids)[0], "name": "HIGH"}, classes(ids)[1]], "two classes are called"),
        (lambda ids: [{"name": "low", "ids": ids["low"][:1]}, classes(ids)[1]], "'low' has 1 examples"),
        (lambda ids: [{"name": "low", "ids": ids["low"][:1] * 9}, classes(ids)[1]], "'low' has 1 examples"),
        (lambda ids: [{"name": "low", "ids": ["../x", 5, None]}, classes(ids)[1]], "'low' has 0 examples"),
        (lambda ids: [{"name": "low", "ids": ids["high"]}, classes(ids)[1]], "stands in two classes"),
    ],
)
def test_classes_are_checked(lesson, offered, sent, says):
    begun, ids = lesson
    with pytest.raises(AudioformerError, match=says):
        next(teach.teach(begun, {"classes": sent(ids), "start": "guesser", "method": "probe"}, offered))


@pytest.mark.parametrize(("changed", "says"), [({"method": "ft2"}, "method="), ({"start": "/etc"}, "start=")])
def test_choices_are_checked(lesson, offered, changed, says):
    begun, ids = lesson
    with pytest.raises(AudioformerError, match=says):
        next(teach.teach(begun, {"classes": classes(ids), "start": "guesser", "method": "probe", **changed}, offered))


def test_silence_and_too_many_examples_are_refused(offered, tmp_path):
    begun, codec = examples.Lesson(), teach.codec_of(offered)
    with pytest.raises(AudioformerError, match="is silent"):
        examples.add(begun, analysis.Clip("s.wav", np.zeros(RATE, np.float32), RATE), codec)
    begun.examples = {str(n): None for n in range(examples.MOST_EXAMPLES)}
    with pytest.raises(AudioformerError, match="120 examples"):
        examples.add(begun, analysis.open_clip(tone(tmp_path, "a.wav", 400)), codec)


@pytest.fixture
def ask(tmp_path, monkeypatch, offered):
    """A question of the room as its page sends it; returns message and reply. Uploads lie in a folder of the test."""
    from audioformer_app.events import Page
    from audioformer_app.lessons import Lessons

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    lessons = Lessons(Page(offered, []))

    def put(now, **data):
        answer = lessons.ask(now, SimpleNamespace(_data=data), SimpleNamespace(session_hash="page"))
        message = answer["message"]
        return message if isinstance(message, str) else message["value"], json.loads(answer["room"]["reply"])

    return put


def test_only_what_was_uploaded_here_is_read_or_deleted(tmp_path, ask, shown):
    outside = tone(tmp_path, "b.wav", 300)
    ours = tone(tmp_path / "uploads" / "taught-x" / "taught", "c.wav", 300)  # of the app, and no upload
    link = tmp_path / "uploads" / "abc" / "link.wav"
    link.parent.mkdir()
    link.symlink_to(outside)
    for path in (
        outside,
        "/etc/passwd",
        tmp_path / "uploads" / "abc" / ".." / ".." / "b.wav",
        link,
        ours,
        link.parent,
        "a\0b",
        5,
    ):
        message, reply = ask(shown, what="add", path=path if isinstance(path, int) else str(path))
        assert "not uploaded here" in reply["failed"]
        assert str(tmp_path) not in message + reply["failed"]
    assert outside.is_file()
    assert ours.is_file()
    assert ask(shown, what="add", task=7)[1].items() >= {"name": "<i>mine.wav", "task": 7}.items()
    assert "no sound on the page" in ask(None, what="add")[1]["failed"]


def test_an_upload_is_gone_once_it_is_read(tmp_path, ask):
    path = tone(tmp_path / "uploads" / "abc", "k3x a.wav", 300)
    _, reply = ask(None, what="add", path=str(path), name="a.wav", task=1)
    assert (reply["name"], reply["task"]) == ("a.wav", 1)
    assert not path.exists()
    path.write_text("no sound")
    message, reply = ask(None, what="add", path=str(path), name="<b>.wav", task=["x"])
    assert reply["failed"].startswith("<b>.wav: not a readable sound file")
    assert "&lt;b&gt;.wav: not" in message
    assert reply["task"] is None
    assert not path.exists()


def test_a_forgotten_classifier_is_said_to_be(offered):
    with pytest.raises(AudioformerError, match="teach it again"):
        offered.classifier(taught.PREFIX + "guessed")


def test_things_are_kept_for_a_while_and_only_so_many():
    left = []
    box = kept.Kept(2, 0.4, left.append)
    for name, thing in (("a", 0), ("a", 1), ("b", 2)):
        box.put(name, thing)
    assert left == [0]  # another thing of that name
    assert box.get("a") == 1
    box.put("c", 3)
    assert left == [0, 2]  # the one used longest ago made room
    box.drop("a")
    box.drop("a")
    assert left == [0, 2, 1]
    assert box.get("a") is None
    until = time.monotonic() + 20
    while len(box) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == [0, 2, 1, 3]


def test_a_folder_that_is_no_data_set_is_said_when_the_map_is_opened(tmp_path, offered):
    with pytest.raises(AudioformerError, match="no such folder"):
        models.Models([], [], [], sounds=tmp_path / "nothing").atlas()
    assert offered.atlas() is offered.atlas()


@pytest.mark.slow
def test_the_process_beside_a_killed_server_ends_with_it(tmp_path):
    """It is a process of its own; killed as hard as can be, the server has no chance to tell it."""
    script = (
        "import os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import get_context\n"
        "from audioformer_app.atlas import _accompany\n"
        "if __name__ == '__main__':\n"
        "    pool = ProcessPoolExecutor(1, get_context('spawn'), _accompany)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    path = tmp_path / "server.py"
    path.write_text(script)
    server = subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)
    beside = psutil.Process(int(server.stdout.readline()))
    server.kill()
    server.wait()
    beside.wait(timeout=30)
    assert not beside.is_running()
