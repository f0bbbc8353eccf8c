"""The app without a browser: what its handlers compute, show, refuse and never give away."""

import base64
import dataclasses
import importlib.util
import io
import json
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from audioformer import load, load_codec
from audioformer.audio import Waveform
from audioformer.errors import AudioformerError
from audioformer.explain.codebook import HOLD_S
from audioformer.widgets import lanes
from audioformer_app import analysis, answers, cards, handlers, models, samples, serve, settings, turns

RATE_HZ = 24_000


@pytest.fixture
def wav(tmp_path):
    """Half a second of a tone, stereo at 44.1 kHz."""
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 44_100)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, -0.5 * tone], 1), 44_100)
    return tmp_path / "tone.wav"


@pytest.fixture
def shown(wav, offered):
    return analysis.analyse(analysis.open_clip(wav), -1, "small", "animals", offered)


def read_wav(text):
    return soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="float32")


def event(**data):
    return SimpleNamespace(_data=data)


# --- one sound through the kit


def test_clip_is_the_mean_of_its_channels(wav):
    clip = analysis.open_clip(wav)
    both, rate = soundfile.read(wav, dtype="float32")
    assert (clip.name, clip.sample_rate, clip.note) == ("tone.wav", rate, "")
    np.testing.assert_allclose(clip.samples, both.mean(1), atol=1e-6)


def test_of_a_long_file_the_first_half_minute_is_used_and_said(tmp_path):
    soundfile.write(tmp_path / "long.flac", np.zeros(8_000 * 95), 8_000)
    clip = analysis.open_clip(tmp_path / "long.flac")
    assert len(clip.samples) == 30 * 8_000
    assert clip.note == "first 30 s of 95 s"


def test_codes_and_labels_are_those_of_the_library(shown, wav, offered):
    codec = load_codec(offered.codecs["small"])
    mono = torch.from_numpy(analysis.open_clip(wav).samples)
    np.testing.assert_array_equal(shown.codes, codec.encode(mono, 44_100)[0])
    expected = load(offered.checkpoints["animals"]).classify(mono, sample_rate=44_100)
    assert list(shown.verdict.labels) == expected.labels
    np.testing.assert_allclose(shown.verdict.probabilities, expected.probabilities, rtol=1e-5)
    assert shown.verdict.frame_scores.shape == (shown.codes.shape[1], 3)
    assert shown.duration_s == pytest.approx(0.5, abs=1e-3)


def test_without_checkpoint_there_is_no_verdict(wav, offered):
    made = analysis.analyse(analysis.open_clip(wav), -1, "small", None, offered)
    assert made.verdict is None
    assert "No checkpoint" in cards.verdict_card(made)
    assert json.loads(handlers.clip_view(made, offered))["lanes"][-1]["name"] == "Codes"


@pytest.mark.parametrize("n_samples", [1, 100, 24_000])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_silence_and_single_samples_are_shown_too(tmp_path, offered, n_samples, level):
    soundfile.write(tmp_path / "x.wav", np.full(n_samples, level), RATE_HZ)
    made = analysis.analyse(analysis.open_clip(tmp_path / "x.wav"), -1, "small", "overlaps", offered)
    view = json.loads(handlers.clip_view(made, offered))
    assert len(view["lanes"][2]["codes"][0]) == -(-n_samples // 320)


# --- what the browser gets


def test_view_holds_picture_sound_and_codes(shown, offered):
    view = json.loads(handlers.clip_view(shown, offered))
    assert [lane["name"] for lane in view["lanes"]] == ["Waveform", "Spectrogram", "Codes", "Score"]
    assert view["lanes"][2]["alt"].startswith("Code grid: 3 codebooks")
    assert view["lanes"][2]["codes"] == shown.codes.tolist()
    sound, rate = read_wav(view["sounds"]["original"])
    assert rate == shown.sample_rate
    np.testing.assert_allclose(sound, shown.samples, atol=1 / 32_000)
    assert view["n_codebooks"] == 3
    assert set(view["sounds"]) == {"original"}  # that of the codes is asked for


@pytest.mark.parametrize("n_codebooks", [1, 2, 3])
def test_keep_is_the_codec_on_the_first_rows_as_loud_as_the_original_and_drawn(shown, offered, n_codebooks):
    reply = handlers.keep(shown, n_codebooks, offered, ask=True)
    codes = torch.from_numpy(shown.codes[:n_codebooks]).long()
    expected = offered.codec("small").decode(codes, n_samples=len(shown.samples))[0, 0].numpy()
    sound, _ = read_wav(reply["wav"])
    assert np.corrcoef(sound, expected)[0, 1] == pytest.approx(1, abs=1e-4)
    level = [
        Waveform(torch.from_numpy(np.ascontiguousarray(one))[None], RATE_HZ).level_db
        for one in (shown.samples, expected, sound)
    ]
    assert abs(level[2] - level[0]) <= abs(level[1] - level[0]) + 1e-3  # never further away
    assert np.abs(sound).max() <= 1
    assert reply["difference_db"] > 0
    marks = np.frombuffer(base64.b64decode(reply["lanes"]["codes"]["marks"]), np.uint8).reshape(shown.codes.shape)
    assert (marks[:n_codebooks] == 0).all()
    assert (marks[n_codebooks:] == lanes.HIDDEN).all()
    assert reply["lanes"]["mel"]["id"] is None  # the picture of the original stays the other rooms'
    assert reply["label"]["label"] in shown.verdict.label_names
    assert handlers.keep(shown, n_codebooks, offered)["label"] is None


def test_hear_holds_one_column_down_to_the_row(shown, offered):
    reply = handlers.hear(shown, 2, 7, offered)
    sound, rate = read_wav(reply["wav"])
    assert len(sound) / rate == pytest.approx(HOLD_S, abs=1 / 75)
    codes = torch.from_numpy(shown.codes[:2, 7]).long()[:, None].expand(-1, 30)
    expected = offered.codec("small").decode(codes)[0, 0].clamp(-1, 1).numpy()
    np.testing.assert_allclose(sound[1000:-1000], expected[1000:-1000], atol=1 / 32_000)
    assert abs(sound[0]) < 0.01  # faded
    assert reply["code"] == shown.codes[1, 7]


@pytest.mark.parametrize("value", [0, 4, -1, 1.5, "2", None, True, [1], {"row": 1}, "x" * 10_000])
def test_numbers_from_the_browser_are_checked(shown, offered, value):
    with pytest.raises(AudioformerError, match="must be a whole number from 1 to 3") as caught:
        handlers.keep(shown, value, offered)
    assert len(str(caught.value)) < 120
    with pytest.raises(AudioformerError, match="row=.*from 1 to 3"):
        handlers.hear(shown, value, 0, offered)
    if value != 0:
        with pytest.raises(AudioformerError, match="frame=.*from 0 to"):
            handlers.hear(shown, 1, 10**9 if value == 4 or value is True else value, offered)


def test_handlers_need_no_gradio():
    code = "import sys, audioformer_app.handlers; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- cards


def test_names_and_labels_are_escaped(wav, offered):
    evil = wav.rename(wav.parent / "<img src=x onerror=alert(1)>.wav")
    made = analysis.analyse(analysis.open_clip(evil), -1, "small", "overlaps", offered)
    for card in (cards.verdict_card(made), cards.message_card("<script>x</script>", made)):
        assert not re.search(r"<(img|script|b>horn)", card)
    assert "&lt;b&gt;horn&lt;/b&gt;" in cards.verdict_card(made)
    assert "sea waves" in cards.verdict_card(made)


def test_a_bundled_sample_is_shown_with_what_it_is_so_that_errors_are_seen(wav, offered):
    clip = analysis.open_clip(wav, "crying baby")
    card = cards.verdict_card(analysis.analyse(clip, 0, "small", "animals", offered))
    assert "a computed sample of <b>crying baby</b>" in card
    assert "“crying baby” is none of them: no answer can be right" in card


def test_chance_is_marked_only_where_one_label_is_right(wav, offered):
    clip = analysis.open_clip(wav)
    single, several = (
        cards.verdict_card(analysis.analyse(clip, -1, "small", name, offered)) for name in ("animals", "overlaps")
    )
    assert "chance, 33%" in single
    assert single.count("af-chance") == 3
    assert "af-chance" not in several
    assert "sounds may overlap" in several


NAMES = ["dog", "sea_waves", "rain"]


@pytest.mark.parametrize(
    ("probabilities", "several", "level_db", "truth", "expected"),
    [
        ((0.9, 0.6, 0.1), True, -20, "", ("sure", "dog, sea waves", "")),
        ((0.4, 0.2, 0.1), True, -20, "", ("unsure", "nothing sure", "all below 50%")),
        ((0.9, 0.06, 0.04), False, -20, "dog", ("sure", "dog", "90%")),
        ((0.4, 0.3, 0.3), False, -20, "dog", ("unsure", "nothing sure", "dog 40%, below 50%")),
        ((0.9, 0.06, 0.04), False, -52, "", ("quiet", "too quiet", "dog 90%")),
        ((0.9, 0.6, 0.1), True, -100, "", ("silent", "silence", "")),
    ],
)
def test_one_rule_says_what_an_answer_is_worth(probabilities, several, level_db, truth, expected):
    said = answers.answer(NAMES, probabilities, NAMES, several, level_db, truth)
    assert (said.kind, said.text, said.detail) == expected
    assert said.remark


@pytest.mark.parametrize(
    ("truth", "remark"),
    [("", "whatever it hears"), ("dog", "right"), ("sea waves", "wrong, it is sea waves"), ("cat", "none of them")],
)
def test_an_answer_that_had_to_be_one_of_three_says_so(truth, remark):
    said = answers.answer(NAMES, (0.9, 0.06, 0.04), NAMES, False, -20, truth)
    assert "must choose one of its 3 classes" in said.remark
    assert remark in said.remark


def test_a_silent_and_a_quiet_file_get_no_label(tmp_path, offered):
    for level, says in ((0.0, ">silence<"), (1e-3, "too quiet")):
        soundfile.write(tmp_path / "x.wav", level * np.sin(np.arange(RATE_HZ) / 9), RATE_HZ, subtype="FLOAT")
        made = analysis.analyse(analysis.open_clip(tmp_path / "x.wav"), -1, "small", "animals", offered)
        assert says in cards.verdict_card(made)


@pytest.mark.parametrize(
    ("rate", "says"), [(96_000, "only what lies below 12000 Hz is heard"), (2000, "holds nothing above 1000 Hz")]
)
def test_what_cannot_be_heard_of_a_fast_or_slow_recording_is_said(tmp_path, offered, rate, says):
    soundfile.write(tmp_path / "x.wav", 0.3 * np.sin(np.arange(rate) / 9), rate)
    made = analysis.analyse(analysis.open_clip(tmp_path / "x.wav"), -1, "small", "animals", offered)
    assert f"recorded at {rate} Hz: {says}" in cards.verdict_card(made)


# --- events: a failure changes nothing but the message


@pytest.fixture(scope="module")
def page(offered):
    from audioformer_app.events import Page

    return Page(offered, [])


def test_bad_file_keeps_the_old_result_and_a_bad_choice_the_old_one(page, shown, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound")
    answer = page.drop(shown, str(tmp_path / "notes.wav"), "small", "overlaps")
    assert "notes.wav: not a readable sound file" in answer["message"]
    assert "Still shown: <b>tone.wav</b>" in answer["message"]
    assert str(tmp_path) not in answer["message"]
    assert answer.keys() == {"message", "picker", "codec", "checkpoint", "audio"}  # all else stays
    assert answer["audio"] is None
    assert answer["picker"]["selected"] == -1
    for name, choice, says in (
        ("codec", ("/etc", "animals"), "codec &#x27;/etc&#x27; is not offered here; choose one of small, bigger"),
        ("checkpoint", ("small", "../secret"), "choose one of animals, overlaps"),
    ):
        answer = page.choose(name)(shown, *choice)
        assert says in answer["message"]
        assert (answer["codec"], answer["checkpoint"]) == ("small", "animals")
    bare = dataclasses.replace(shown, verdict=None)
    assert page.choose("checkpoint")(bare, "small", "../secret")["checkpoint"] is None


def test_good_file_changes_everything_together(page, shown, wav):
    answer = page.drop(shown, str(wav), "small", "overlaps")  # the page knows no other
    assert answer["message"] == ""
    assert answer["state"].verdict.checkpoint == "overlaps"
    assert "checkpoint <b>overlaps</b>" in answer["verdict"]
    assert json.loads(answer["view"])["token"] == answer["state"].token != shown.token
    assert answer["picker"]["selected"] == -1


@pytest.mark.parametrize("index", [-1, 10**6, "0", None, 1.0])
def test_a_sample_that_does_not_exist_is_refused(page, shown, index):
    answer = page.pick(shown, "small", "animals", event(index=index))
    assert "must be a whole number from 0 to" in answer["message"]
    assert "state" not in answer


def test_our_own_bugs_show_no_traceback_and_little_of_what_was_sent(page, shown, capsys, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret detail" + "x" * 10**6)

    monkeypatch.setattr(analysis, "analyse", broken)
    message = page.choose("codec")(shown, "small", "animals")["message"]
    assert "Something went wrong inside the app" in message
    assert "xxx" not in message
    written = capsys.readouterr().err
    assert "RuntimeError: secret detail" in written
    assert len(written) < 10_000


def test_nothing_chosen_changes_nothing(page, shown):
    assert page.choose("checkpoint")(None, "small", "animals") == {"codec": "small", "checkpoint": "animals"}
    assert page.drop(shown, None, "small", "animals") == {"audio": None}


class Slow:
    """`analysis.analyse`, which waits at its first call until `go` is set."""

    def __init__(self, monkeypatch):
        self.began, self.go, self._analyse = Event(), Event(), analysis.analyse
        monkeypatch.setattr(analysis, "analyse", self)

    def __call__(self, *args):
        if not self.began.is_set():
            self.began.set()
            assert self.go.wait(60)
        return self._analyse(*args)


@pytest.mark.parametrize("first", ["file", "checkpoint"])
def test_quick_choices_wait_for_each_other_and_undo_nothing(page, shown, wav, monkeypatch, first):
    """Both were sent before the other was answered, so each knows only the old clip and the old names."""
    slow, mine, another = (
        Slow(monkeypatch),
        SimpleNamespace(session_hash="mine"),
        SimpleNamespace(session_hash="another"),
    )
    old = dataclasses.replace(shown, clip=dataclasses.replace(shown.clip, name="old.wav"))
    acts = {
        "file": lambda: page.drop(old, str(wav), "small", "animals", mine),
        "checkpoint": lambda: page.choose("checkpoint")(old, "small", "overlaps", mine),
    }
    second = next(name for name in acts if name != first)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(acts[first])
        assert slow.began.wait(60)
        two = pool.submit(acts[second])
        assert page.choose("codec")(old, "bigger", "animals", another)["codec"] == "bigger"  # waits for nobody
        assert not two.done()
        slow.go.set()
        one.result(60)
        state = two.result(60)["state"]
    assert (state.clip.name, state.verdict.checkpoint) == ("tone.wav", "overlaps")
    state = page.choose("codec")(old, "bigger", "animals", mine)["state"]
    assert (state.clip.name, state.codec, state.verdict.checkpoint) == ("tone.wav", "bigger", "overlaps")


def test_turns_come_in_the_order_of_asking():
    order, line, began = [], turns.Turns(), Event()

    def wait(number):
        with line.turn("page"):
            began.set()
            order.append(number)
            time.sleep(0.05)

    threads = [Thread(target=wait, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join(60)
    assert order == list(range(8))
    with pytest.raises(ZeroDivisionError), line.turn("page"):
        raise ZeroDivisionError
    with line.turn("page"):  # what failed blocks nobody
        assert began.is_set()


def test_a_session_stays_the_same_size_however_often_it_picks(offered):
    import asyncio

    from gradio.events import EventData
    from gradio.state_holder import SessionState

    from audioformer_app.app import build_app

    demo = build_app(list(offered.codecs.values()), list(offered.checkpoints.values()))
    session, sizes = SessionState(demo), []
    for name, data in (
        ("pick", {"index": 0}),
        ("ask", {"what": "keep", "n_codebooks": 1}),
        ("change", None),
        ("input", None),
    ) * 3:
        fn = next(fn for fn in demo.fns.values() if fn.targets[0][1] == name and len(fn.outputs) > 1)
        inputs = ([None, None, "small", "animals"] if name == "change" else [None, "small", "animals"])[
            : len(fn.inputs)
        ]
        asyncio.run(demo.process_api(fn, inputs, session, event_data=EventData(None, data)))
        sizes.append(len(session.blocks_config.blocks))
    assert len(set(sizes)) == 1


def test_replies_say_what_they_answer_and_differ_each_time(page, shown):
    first, second = (
        json.loads(page.ask("listen")(shown, event(what="keep", n_codebooks=2))["view"]["reply"]) for _ in range(2)
    )
    assert (first["to"], first["n_codebooks"]) == ("keep", 2)
    assert first["answer"] != second["answer"]
    refused = page.ask("listen")(shown, event(what="hear", row=99, frame=0))
    assert "row=&#x27;99&#x27;" in refused["message"]["value"]
    assert "row='99'" in json.loads(refused["view"]["reply"])["failed"]
    assert (
        "is gone; choose one again" in page.ask("listen")(None, event(what="keep", n_codebooks=1))["message"]["value"]
    )
    assert "must be a whole number" in page.ask("listen")(shown, event(what="keep"))["message"]["value"]


# --- samples and models


def test_samples_come_with_pictures_one_of_each_label_first(tmp_path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "meta").mkdir()
    rows = ["filename,category"]
    for name, label in (("1.wav", "dog"), ("2.wav", "dog"), ("3.wav", "crying_baby"), ("4.wav", "broken")):
        soundfile.write(tmp_path / "audio" / name, np.random.default_rng(0).normal(size=20_000) * 0.1, 16_000)
        rows.append(f"{name},{label}")
    (tmp_path / "audio" / "4.wav").write_bytes(b"")
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(rows))
    found = samples.list_samples(tmp_path)
    assert [(s.label, s.path.name) for s in found] == [("crying baby", "3.wav"), ("dog", "1.wav"), ("dog", "2.wav")]
    assert samples.first_choice(found) == 1
    picture = base64.b64decode(found[0].thumbnail.removeprefix("data:image/png;base64,"))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 6_000
    assert samples.list_samples(tmp_path / "audio") == []
    assert samples.first_choice([]) is None


def test_bundled_scenes_come_with_the_times_of_their_events():
    found = {sample.path.name: sample.events for sample in samples.list_samples()}
    assert ("siren", 1.942, 4.942) in found["5-900034-A-156.ogg"]
    assert found["1-900000-A-0.ogg"] == ()
    every = samples.list_samples()
    assert len(every) >= 30
    assert every[samples.first_choice(every)].label == "dog"


def test_encodec_is_offered_only_where_its_weights_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("AUDIOFORMER_WEIGHTS", raising=False)
    assert models.encodec_is_here() is False
    if importlib.util.find_spec("encodec") is None:
        pytest.skip('needs the encodec package: pip install "audioformer[encodec]"')
    (tmp_path / "encodec_24khz-d7cc33bc.th").write_bytes(b"x")
    monkeypatch.setenv("AUDIOFORMER_WEIGHTS", str(tmp_path))
    assert models.encodec_is_here() is True


def test_what_many_want_at_once_is_opened_once(offered):
    opened, inside = [], Barrier(2)

    def slowly(name):
        if not opened:
            inside.wait(60)
        opened.append(name)
        time.sleep(0.1)
        return name

    def open_a():
        return offered._open("thing", "a", {"a": 1}, slowly)

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(open_a) for _ in range(4)]
        inside.wait(60)
        assert offered._open("thing", "b", {"b": 2}, str) == "2"  # nobody waits for another thing
        assert [one.result(60) for one in found] == [1] * 4
    assert opened == [1]


# --- start and privacy


def test_a_taken_port_is_explained_with_another_one():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AudioformerError, match=rf"port {port} cannot be used .*--port {port + 1}"):
            serve.require_free_port("127.0.0.1", port)


@pytest.mark.parametrize("port", [0, 70_000, "7860", None])
def test_impossible_ports_are_refused(port):
    with pytest.raises(AudioformerError, match="from 1 to 65535"):
        serve.require_free_port("127.0.0.1", port)


def test_temporary_folder_is_private_and_emptied(tmp_path, monkeypatch):
    monkeypatch.setattr(settings.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    folder = settings.own_temporary_folder(7860)
    (folder / "left.wav").write_bytes(b"x")
    assert settings.own_temporary_folder(7860) == folder
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(settings.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    (tmp_path / "tmp").mkdir()
    base = settings.own_temporary_folder(7860).parent
    settings.shutil.rmtree(base)
    (tmp_path / "victim").mkdir()
    base.symlink_to(tmp_path / "victim", target_is_directory=True)
    with pytest.raises(AudioformerError, match="belongs to somebody else"):
        settings.own_temporary_folder(7860)


def test_layout_is_private_and_shares_one_queue_for_the_model(offered):
    from audioformer_app.app import HEAVY_ROOMS, build_app, page_options
    from audioformer_app.rooms import sight

    demo = build_app(list(offered.codecs.values()), list(offered.checkpoints.values()))
    events = [d for d in demo.config["dependencies"] if d["backend_fn"] and d["targets"][0][1] != "unload"]
    queues = {d["targets"][0][1]: demo.fns[d["id"]].concurrency_id for d in events}
    assert {"pick", "change", "input", "ask", "use", "push", "freeze"} <= set(queues)
    assert all(d["api_visibility"] == "private" for d in demo.config["dependencies"])
    assert {name for name, queue in queues.items() if queue == "live"} == {"push", "freeze"}  # sound waits for no model
    assert {name for name, queue in queues.items() if queue == "train"} == {
        "train"
    }  # lessons wait for each other, nobody for them
    assert {queue for name, queue in queues.items() if name not in ("ask", "push", "freeze", "train")} == {"model"}
    lines = [demo.fns[d["id"]].concurrency_id for d in events if d["targets"][0][1] == "ask"]
    assert set(lines) == {"model", "heavy"}  # nobody who asks something light stands behind what takes seconds
    assert lines.count("heavy") == len(HEAVY_ROOMS) - (not sight.is_here())
    assert demo.delete_cache == (60, 600)
    assert demo._queue.sleep_when_free >= 0.01  # an idle page leaves the processor asleep
    assert demo._queue.max_size >= 30 * 3 * 2  # a class of thirty, whose rooms ask three questions at once
    assert "noiseSuppression: false" in page_options()["head"]
