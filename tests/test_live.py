"""Listening while sound comes in: the same codes and labels as for the whole, nothing lost, twice or for ever."""

import base64
import json
import time

import numpy as np
import pytest
import torch
from app_weights import make_weights
from encodec_files import published
from tiny import tiny_codec, tone

from audioformer import load, widgets
from audioformer.audio import resample
from audioformer.codecs.spectra import log_mel
from audioformer.errors import AudioformerError
from audioformer.live import Heard, LiveListener
from audioformer.widgets import lanes
from audioformer.widgets.live import HIGH_DB, LOW_DB, Line
from audioformer_app.rooms import live

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def codec():
    return tiny_codec()


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """Two seeded classifiers with windows of one second, of one codec."""
    _, checkpoints, _ = make_weights(tmp_path_factory.mktemp("weights"))
    return [load(name) for name in checkpoints]


@pytest.fixture(scope="module")
def sound():
    """Three seconds at 48 kHz: two tones and noise, 16 bit."""
    parts = [tone(hz, 1.0, RATE_HZ, seed)[0] for seed, hz in enumerate((300, 1200))]
    noise = 0.2 * torch.randn(RATE_HZ, generator=torch.Generator().manual_seed(3))
    return (torch.cat([*parts, noise]) * 32767).clamp(-32768, 32767).to(torch.int16)


def chunks(sound, sizes):
    """The sound in pieces of these sizes, round and round."""
    at, i = 0, 0
    while at < len(sound):
        yield sound[at : at + sizes[i % len(sizes)]]
        at, i = at + sizes[i % len(sizes)], i + 1


# --- the listener


@pytest.mark.parametrize(
    ("rate", "sizes"), [(24_000, [24_000]), (24_000, [1]), (44_100, [1024, 7, 30_000]), (48_000, [21_000, 0, 333])]
)
def test_chunks_of_any_size_give_the_codes_of_the_whole_sound(codec, sound, rate, sizes):
    sound = sound[:700] if sizes == [1] else sound
    listener = LiveListener(codec=codec)
    pieces = [listener.push(chunk, rate) for chunk in chunks(sound, sizes)]
    pieces.append(listener.finish())
    whole = codec.encode(sound, rate)[0]
    assert torch.cat(pieces, -1).equal(whole)
    assert listener.codes.equal(whole)
    torch.testing.assert_close(
        listener.samples, resample(sound.float() / 32768, rate, codec.sample_rate), atol=1e-6, rtol=0
    )


def test_a_stereo_codec_listens_too(tmp_path):
    with published("encodec_48khz", tmp_path) as (codec, _):
        listener = LiveListener(codec=codec)
        mono = 0.3 * torch.randn(50_000, generator=torch.Generator().manual_seed(0))
        for chunk in mono.split(20_000):
            listener.push(chunk, 48_000)
        listener.finish()
        assert listener.codes.equal(codec.encode(mono.expand(2, -1), 48_000)[0])


def test_a_label_is_the_classifiers_about_the_latest_window(classifiers, sound):
    listener = LiveListener(classifiers[0])
    assert listener.label() is None
    listener.push(sound, RATE_HZ)
    heard = listener.label()
    expected = classifiers[0].classify_codes(listener.codes[:, -75:])
    assert heard.probabilities == pytest.approx(expected.probabilities.sort(descending=True).values.tolist())
    assert heard.labels[0] == classifiers[0].label_names[int(expected.probabilities.argmax())]
    assert heard.end_s - heard.start_s == pytest.approx(1.0)
    assert heard.end_s == pytest.approx(3.0, abs=0.06)  # the resampler and the codec look ahead
    assert heard.level_db == pytest.approx(listener.cut(heard.start_s, heard.end_s).level_db)
    shorter = listener.label(0.5)
    assert shorter.end_s - shorter.start_s == pytest.approx(0.5, abs=0.01)
    assert list(listener.history) == [shorter]  # two labels of one moment are one
    with pytest.raises(AudioformerError, match=r"window_s=0.1 must be at least 0.25"):
        listener.label(0.1)


def test_another_classifier_goes_on_with_the_same_sound(classifiers, sound):
    listener = LiveListener(classifiers[0])
    listener.push(sound[:RATE_HZ], RATE_HZ)
    listener.label()
    listener.use(classifiers[1])
    listener.push(sound[RATE_HZ:], RATE_HZ)
    assert set(listener.label().labels) == set(classifiers[1].label_names)
    assert len(listener.history) == 2
    with pytest.raises(AudioformerError, match="codec"):
        LiveListener(codec=tiny_codec(1)).use(classifiers[0])


def test_memory_is_bounded_and_times_stay_right(classifiers):
    listener = LiveListener(classifiers[0], keep_s=2.0)
    made = torch.Generator().manual_seed(0)
    for second in range(12):
        listener.push(0.1 * (1 + second) * torch.rand(24_000, generator=made), 24_000)
        listener.label()
        assert len(listener.samples) <= 2.02 * 24_000
        assert listener.codes.shape[1] <= 152
        assert len(listener.history) <= 3
    assert listener.duration_s == 12
    assert listener.kept_s == pytest.approx(10, abs=0.03)
    assert listener.cut(11.0, 11.5).samples.max() > 1.15  # the loudest second was the last
    assert listener.samples.untyped_storage().nbytes() < 2.1 * 24_000 * 4  # what is let go of is let go of
    for start_s, end_s in ((9.0, 11.0), (11.5, 12.5), (11.0, 11.0)):
        with pytest.raises(AudioformerError, match=r"is not kept; there are 10\.\d+-12.00 s"):
            listener.cut(start_s, end_s)


def test_what_is_no_sound_is_refused_and_changes_nothing(classifiers, sound):
    listener = LiveListener(classifiers[0])
    listener.push(sound[:4800], RATE_HZ)
    before = listener.n_samples
    for samples, rate, says in (
        (sound, 44_100, "sound at 44100 Hz after sound at 48000 Hz"),
        (torch.full((100,), float("nan")), RATE_HZ, "finite|NaN"),
        (torch.zeros(2, 3, 4), RATE_HZ, r"chunk has shape \(2, 3, 4\)"),
    ):
        with pytest.raises(AudioformerError, match=says):
            listener.push(samples, rate)
    assert listener.push(torch.zeros(0), RATE_HZ).shape == (3, 0)
    assert listener.n_samples == before
    for arguments, says in (
        ({}, "nothing to listen with"),
        ({"codec": tiny_codec(), "keep_s": 0.5}, "keep_s=0.5 must be"),
    ):
        with pytest.raises(AudioformerError, match=says):
            LiveListener(**arguments)


# --- from a browser


def portion(sound, first, until, **more):
    pcm = base64.b64encode(sound[first:until].numpy().tobytes()).decode()
    return {"pcm": pcm, "rate": RATE_HZ, "first": first, "frames": 0, "columns": 0, **more}


def levels(packed, rows):
    return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(rows, -1)


def test_portions_twice_or_overlapping_are_taken_once(codec, sound):
    line = Line(LiveListener(codec=codec))
    for first, until in ((0, 24_000), (0, 24_000), (12_000, 60_000), (60_000, 144_000)):
        answer = line.take(portion(sound, first, until))
    assert answer["received"] == 144_000
    assert answer["lost"] == 0
    line.listener.finish()
    assert line.listener.codes.equal(codec.encode(sound, RATE_HZ)[0])


def test_what_never_came_is_silence_and_counted(codec, sound):
    line = Line(LiveListener(codec=codec))
    line.take(portion(sound, 0, 24_000))
    answer = line.take(portion(sound, 72_000, 96_000))
    assert (answer["received"], answer["lost"]) == (96_000, 48_000)
    assert answer["time_s"] == pytest.approx(2.0, abs=0.03)
    assert line.listener.cut(0.6, 1.4).samples.abs().max() < 1e-3


def test_answers_hold_what_the_browser_lacks_and_no_more(codec, sound):
    line = Line(LiveListener(codec=codec))
    first = line.take(portion(sound, 0, 48_000))
    have = {"frames": first["codes"]["columns"], "columns": first["mel"]["columns"]}
    second = line.take(portion(sound, 48_000, 144_000, **have))
    again = line.take(portion(sound, 144_000, 144_000))
    shades = [levels(answer["codes"]["shades"], 3) for answer in (first, second, again)]
    np.testing.assert_array_equal(np.concatenate(shades[:2], 1), shades[2])
    np.testing.assert_array_equal(shades[2], lanes_shades(line.listener))
    pictures = [levels(answer["mel"]["data"], 80) for answer in (first, second, again)]
    together = np.concatenate(pictures[:2], 1)
    assert np.abs(together.astype(int) - pictures[2]).max() <= 1
    whole = log_mel(line.listener.samples, 24_000).numpy() * lanes.DB_PER_NEPER
    expected = ((whole - LOW_DB) / (HIGH_DB - LOW_DB) * 255).clip(0, 255)[:, : together.shape[1]]
    assert np.abs(together - expected).max() <= 1
    assert len(line.take(portion(sound, 144_000, 144_000, frames=10**6, columns=10**6))["codes"]["shades"]) == 0


def lanes_shades(listener):
    return levels(lanes.codes(listener.codes.numpy(), 75.0)["shades"], 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pcm": None}, "portion of a recording"),
        ({"pcm": "?"}, "16-bit samples"),
        ({"pcm": "AAAA"}, "16-bit samples"),
        ({"pcm": "A" * 2_000_000}, "at most 576000 samples"),
        ({"rate": 3}, "rate="),
        ({"rate": "48000"}, "rate="),
        ({"first": -1}, "first="),
        ({"first": float("nan")}, "first="),
        ({"frames": None}, "frames="),
        ({"columns": 0.5}, "columns="),
        ({"window_s": 0}, "window_s="),
    ],
)
def test_portions_are_checked(codec, sound, change, says):
    line = Line(LiveListener(codec=codec))
    with pytest.raises(AudioformerError, match=says):
        line.take({**portion(sound, 0, 100), **change})
    assert line.received == 0


def test_an_answer_is_plain_json(classifiers, sound):
    line = Line(LiveListener(classifiers[0]))
    answer = line.take(portion(sound, 0, 144_000, window_s=1), np.tile(np.arange(32), (3, 1)))
    text = json.loads(json.dumps(answer, allow_nan=False))
    assert text["heard"]["labels"][0]["p"] >= text["heard"]["labels"][1]["p"]
    assert (text["checkpoint"], text["trained_s"]) == ("animals", 1.0)
    assert text["work_ms"] > 0


def test_the_notebook_widget_answers_its_browser(classifiers, sound):
    pytest.importorskip("anywidget", reason='needs anywidget: pip install "audioformer[notebooks]"')
    view = widgets.live(classifiers[0])
    view.event = {"name": "push", "number": 1, "take": "one", **portion(sound, 0, 96_000)}
    reply, first = json.loads(view.reply), view.listener
    assert (reply["to"], reply["take"], reply["received"]) == ("push", "one", 96_000)
    assert [heard.labels[0] for heard in first.history] == [reply["heard"]["labels"][0]["label"]]
    view.event = {"name": "push", "number": 2, "take": "two", **portion(sound, 0, 4_800)}
    assert view.listener is not first  # another recording
    view.event = {"name": "push", "number": 3, "take": "two", **portion(sound, 4_800, 9_600), "rate": 1}
    assert "rate=" in json.loads(view.reply)["failed"]
    assert view.listener.n_samples < 2_400


# --- sessions


def test_sessions_do_not_hear_each_other(codec, sound):
    sessions = live.Sessions()
    for key, first in (("ann", 0), ("bob", 48_000)):
        sessions.session(key, "t", lambda: LiveListener(codec=codec)).line.take(portion(sound[first:], 0, 48_000))
    ann, bob = (sessions.known(key).line.listener for key in ("ann", "bob"))
    assert not ann.codes.equal(bob.codes)
    assert bob.samples[1000:].allclose(
        resample(sound[48_000:96_000].float() / 32768, RATE_HZ, 24_000)[1000 : len(bob.samples)], atol=1e-3
    )


def test_sessions_are_few_and_forgotten(codec):
    sessions = live.Sessions(most=2, idle_s=0.2)
    make = lambda: LiveListener(codec=codec)  # noqa: E731
    first = sessions.session("ann", "one", make)
    assert sessions.session("ann", "one", make) is first
    assert sessions.session("ann", "two", make) is not first
    sessions.session("bob", "one", make)
    sessions.known("ann")
    sessions.session("eve", "one", make)
    with pytest.raises(AudioformerError, match="press Listen first"):
        sessions.known("bob")  # used longest ago: it made room
    for take in (None, "", "x" * 61):
        with pytest.raises(AudioformerError, match="take="):
            sessions.session("eve", take, make)
    sessions.drop("ann")
    assert len(sessions) == 1
    for _ in range(100):
        time.sleep(0.05)
        if not len(sessions):
            break
    assert len(sessions) == 0
    with pytest.raises(AudioformerError, match="press Listen first"):
        sessions.known("bob")


def test_a_frozen_moment_becomes_a_clip(classifiers, sound):
    sessions = live.Sessions()
    session = sessions.session("ann", "t", lambda: LiveListener(classifiers[0], keep_s=2.0))
    with pytest.raises(AudioformerError, match="nothing to freeze yet"):
        live.freeze(session)
    with pytest.raises(AudioformerError, match="nothing is frozen"):
        live.clip_of(session.frozen, 0, 1)
    for first in range(0, 144_000, 24_000):
        session.line.take(portion(sound, first, first + 24_000))
    frozen = live.freeze(session)
    kept = frozen.samples.copy()
    session.line.take(portion(sound[:72_000], 144_000, 144_000))
    view = live.frozen_view(frozen, np.tile(np.arange(32), (3, 1)))
    assert [lane["kind"] for lane in view["lanes"]] == ["wave", "image", "codes", "events"]
    assert view["duration_s"] == pytest.approx(2.0, abs=0.03)
    last = frozen.history[-1]  # an answer stands at the middle of the stretch that it is about
    middle_s = (last.start_s + last.end_s) / 2 - frozen.start_s
    assert view["lanes"][3]["events"][-1]["end_s"] == pytest.approx(middle_s)
    json.dumps(view, allow_nan=False)
    clip = live.clip_of(frozen, 0.5, 1.5)
    assert clip.name == f"live {frozen.start_s + 0.5:.1f}-{frozen.start_s + 1.5:.1f} s"
    np.testing.assert_array_equal(clip.samples, kept[12_000:36_000])
    for start_s, end_s, says in (
        (0, 9, "end_s="),
        ("x", 1, "start_s="),
        (1, 1, "holds no sound"),
        (float("nan"), 1, "start_s="),
    ):
        with pytest.raises(AudioformerError, match=says):
            live.clip_of(frozen, start_s, end_s)


def test_equal_labels_in_a_row_are_one_stretch():
    said = [("dog", 1.0), ("dog", 1.5), ("rain", 2.0), ("dog", 2.5)]
    history = tuple(Heard(end - 1, end, (label, "x"), (0.6, 0.1), -20.0) for label, end in said)
    assert live.label_stretches(history) == [("dog", 0.0, 1.0), ("rain", 1.0, 1.5), ("dog", 1.5, 2.0)]


def test_silence_has_an_answer_of_its_own_in_the_history():
    levels = [(-20.0, "dog"), (-46.0, "too quiet"), (-100.0, "silence")]
    history = tuple(Heard(n, n + 1.0, ("dog", "x"), (0.6, 0.1), level) for n, (level, _) in enumerate(levels))
    assert [heard.answer for heard in history] == [answer for _, answer in levels]
    assert [answer for answer, _, _ in live.label_stretches(history)] == ["dog", "too quiet", "silence"]
