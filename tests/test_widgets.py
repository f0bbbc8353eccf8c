"""The interactive views: what they are told, and that one copy of their modules works without any server at all."""

import base64
import io
import json
import re
import subprocess

import numpy as np
import pytest
import soundfile
import torch
from app_page import box_of
from sounds import coded
from sounds import tone as tone_of
from test_reading import phone

from audioformer.codecs.compact import CompactCodec, CompactConfig
from audioformer.errors import AudioformerError
from audioformer.explain.codebook import held_code
from audioformer.widgets import lanes, modules, own_sound, record, sound_map, timeline

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def codec():
    torch.manual_seed(2)
    made = CompactCodec(CompactConfig(n_codebooks=3, codebook_size=16, d_latent=4, d_encoder=8, d_decoder=8)).eval()
    made.rvq.codebooks.normal_()
    return made


@pytest.fixture(scope="module")
def tone():
    return (0.5 * np.sin(2 * np.pi * 600 * np.arange(RATE_HZ * 2) / RATE_HZ)).astype(np.float32)


@pytest.fixture(scope="module")
def widget(codec, tone):
    pytest.importorskip("anywidget", reason='needs anywidget: pip install "audioformer[notebooks]"')
    return timeline(tone, RATE_HZ, codec=codec, events=[("beep", 0.5, 1.0)])


def levels(lane):
    return np.frombuffer(base64.b64decode(lane["data"]), np.uint8).reshape(lane["rows"], lane["columns"])


# --- lanes


def test_a_picture_keeps_its_values_to_one_level_in_256():
    values = np.random.default_rng(0).normal(size=(5, 40))
    lane = lanes.picture(values, 0.1, name="x", unit="dB", alt="x.")
    back = lane["low"] + levels(lane) / 255 * (lane["high"] - lane["low"])
    np.testing.assert_allclose(back, values, atol=(values.max() - values.min()) / 500)


@pytest.mark.parametrize("values", [np.full((2, 3), np.nan), np.zeros((0, 3)), np.zeros((1, 2, 3))])
def test_what_cannot_be_drawn_is_refused(values):
    with pytest.raises(AudioformerError, match="finite values"):
        lanes.picture(values, 0.1, name="x", unit="", alt="")


def test_the_loudest_band_of_a_tone_is_named(tone):
    lane = lanes.mel(tone, RATE_HZ)
    loudest = lane["row_names"][levels(lane)[:, 20:-20].mean(1).argmax()]
    assert abs(int(loudest.removesuffix(" Hz")) - 600) < 60
    assert "the loudest cell is near" in lane["alt"]
    assert lane["columns"] * lane["step_s"] == pytest.approx(2, abs=0.03)


def test_a_long_picture_of_silence_is_thinned_to_a_screen_and_all_dark():
    lane = lanes.mel(np.zeros(RATE_HZ * 60, np.float32), RATE_HZ)
    assert lane["columns"] <= lanes.MAX_COLUMNS
    assert levels(lane).max() <= 1


def test_similar_codes_get_similar_shades_where_ranks_are_known():
    grid = np.array([[0, 1, 2], [2, 2, 0]])
    lane = lanes.codes(grid, 75.0, ranks=np.array([[2, 0, 1], [0, 1, 2]]))
    assert list(base64.b64decode(lane["shades"])) == [255, 0, 128, 255, 255, 0]
    assert lane["codes"] == grid.tolist()
    with pytest.raises(AudioformerError, match="marks"):
        lanes.codes(grid, 75.0, marks=np.zeros((1, 3)))


def test_lines_leave_gaps_where_there_is_no_value():
    lane = lanes.lines([("a", [0.5, np.nan, 1.0])], 0.1, name="x", alt="x.")
    assert lane["lines"][0]["values"] == [0.5, None, 1.0]
    json.loads(json.dumps(lane, allow_nan=False))


def test_scores_show_the_leading_classes():
    values = np.tile([0.1, 0.7, 0.2], (4, 1))
    lane = lanes.scores(values, 75.0, ["a", "sea_waves", "c"], top_k=2)
    assert [line["name"] for line in lane["lines"]] == ["sea waves", "c"]
    with pytest.raises(AudioformerError, match="scores"):
        lanes.scores(values, 75.0, ["a"])


# --- a map of sounds


@pytest.fixture(scope="module")
def mapped(tone):
    """Three maps of six sounds; the last two are the first one turned and mirrored."""
    pytest.importorskip("anywidget", reason='needs anywidget: pip install "audioformer[notebooks]"')
    points = np.random.default_rng(3).normal(size=(6, 2))
    maps = {"first": points, "turned": points @ [[0.0, 1.0], [-1.0, 0.0]] + 5, "last": 2 * points[:, ::-1]}
    return sound_map(maps, ["sea_waves", "dog"] * 3, [tone[: 2400 * (n + 1)] for n in range(6)], RATE_HZ)


def test_all_maps_lie_like_the_last(mapped):
    shown = json.loads(mapped.value)
    assert [one["name"] for one in shown["maps"]] == ["first", "turned", "last"]
    for one in shown["maps"]:
        np.testing.assert_allclose(one["points"], shown["maps"][-1]["points"], atol=2e-4)
    assert shown["labels"][:2] == ["sea waves", "dog"]
    assert shown["names"][5] == "sound 5"


def test_the_map_answers_with_the_sound_of_a_mark(mapped, tone):
    mapped.event = {"name": "hear", "index": 4, "number": 1}
    reply = json.loads(mapped.reply)
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(reply["wav"])), dtype="float32")
    assert (reply["index"], rate) == (4, RATE_HZ)
    np.testing.assert_allclose(sound, tone[:12_000], atol=1 / 16_000)
    mapped.event = {"name": "select", "indices": [1, 3], "number": 2}
    assert mapped.selection == [1, 3]


@pytest.mark.parametrize(
    ("maps", "labels", "rest", "says"),
    [
        ([[0, 0], [1, 1]], ["a"], {}, "1 labels need as many points"),
        ({}, ["a"], {}, "1 labels need as many points"),
        ({"x": [[0, 0, 0]]}, ["a"], {}, "1 labels need as many points"),
        ([[0, 0]], ["a"], {"sounds": []}, "1 labels need as many points"),
        ([[0, np.nan]], ["a"], {}, "NaN or infinite"),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps, labels, rest, says):
    with pytest.raises(AudioformerError, match=says):
        sound_map(maps, labels, **rest)


# --- modules


@pytest.mark.parametrize("module", ["timeline.js", "player.js", "live.js", "sound_map.js", "own_sound.js"])
def test_a_bundle_stands_alone(module):
    text = modules.bundle(module)
    assert not re.search(r"^(import|export (?!default))", text, re.MULTILINE)
    assert text.count("class Player") == 1
    names = re.findall(r"^(?:const|let|class|function|async function) (\w+)", text, re.MULTILINE)
    assert sorted(names) == sorted(set(names)), "two modules use the same name"


def test_a_bundle_of_a_module_that_is_not_there_is_refused():
    with pytest.raises(AudioformerError, match=r"nothing\.js: no such module; there are .*timeline\.js"):
        modules.bundle("nothing.js")


def test_without_anywidget_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "from audioformer.widgets.notebook import _widget_class\n"
        "try: _widget_class()\nexcept ValueError as error: print(error)"
    )
    done = subprocess.run([__import__("sys").executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "audioformer[notebooks]"' in done.stdout


# --- in a notebook


def test_the_widget_answers_a_code_with_its_sound(widget, codec):
    widget.event = {"name": "hear", "row": 2, "frame": 7, "number": 1}
    reply = json.loads(widget.reply)
    column = widget._codes[:2, 7]
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(reply["wav"])), dtype="float32")
    np.testing.assert_allclose(sound, np.clip(held_code(column, codec), -1, 1), atol=1 / 32_000)
    assert rate == RATE_HZ
    assert reply["code"] == widget._codes[1, 7]


def test_the_widget_says_what_is_missing_and_that_a_sound_is_silent(codec, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(96_000), 96_000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-96_000])
    missing, rate, silence = json.loads(timeline(tmp_path / "a.wav", codec=codec).value)["notes"]
    assert missing.startswith("48000 of 96000 samples")
    assert rate.startswith("recorded at 96000 Hz")
    assert silence.startswith("silence")


def test_the_widget_knows_what_is_selected(widget):
    widget.event = {"name": "select", "selection": [0.25, 0.5], "number": 2}
    widget.event = {"name": "point", "cursor": {"row": 3, "frame": 9}, "number": 3}
    assert widget.selection == (0.25, 0.5)
    assert widget.code == (3, 9)
    widget.event = {"name": "select", "selection": None, "number": 4}
    assert widget.selection is None


RENDER = """async ([esm, css, value]) => {
        document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
        const traits = { value, reply: "", can_hear: true, event: {} };
        window.sent = [];
        window.watchers = {};
        window.model = {
            get: (name) => traits[name],
            set: (name, data) => { traits[name] = data; if (name === "event") window.sent.push(data);
                watchers[`change:${name}`]?.(); },
            save_changes: () => {},
            on: (name, act) => (window.watchers[name] = act),
        };
        const module = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
        module.default.render({ model: window.model, el: document.querySelector("main") });
    }"""


@pytest.fixture(scope="module")
def page(chromium_path, widget):
    """A bare page that runs the widget as JupyterLab would, with a model of plain JavaScript."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with playwright.sync_playwright() as engine:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        chromium = engine.chromium.launch(executable_path=chromium_path, args=arguments)
        tab = chromium.new_page(viewport={"width": 900, "height": 600})
        complaints = []
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.set_content("<main></main>")
        tab.evaluate(RENDER, [modules.bundle("timeline.js"), modules.style(), widget.value])
        tab.wait_for_selector(".af-clip[data-token]")
        yield tab
        chromium.close()
        assert complaints == []


def lane(page, kind):
    return box_of(page, f"[data-kind={kind}] canvas")


def link(page, what):
    return page.evaluate(f"[...audioformerLinks.values()][0].{what}")


def drag(page, box, start, end):
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=4)
    page.mouse.up()


def test_every_lane_is_drawn(page):
    kinds = [one.get_attribute("data-kind") for one in page.query_selector_all(".af-lane")]
    assert kinds == ["wave", "image", "codes", "events", "axis"]
    coloured = page.evaluate(
        """[...document.querySelectorAll('.af-lane canvas')].map((canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, i) => i % 4 === 3 && value).length / (canvas.width * canvas.height); })"""
    )
    assert all(share > low for share, low in zip(coloured, [0.1, 0.95, 0.9, 0.2, 0.001], strict=True))
    assert "Code grid: 3 codebooks by 150 frames" in page.get_attribute(".af-plot", "aria-label")


def test_a_drag_selects_in_every_lane_and_loops(page):
    drag(page, lane(page, "image"), 0.25, 0.5)
    selection = link(page, "selection")
    assert selection == pytest.approx([0.5, 1.0], abs=0.01)
    assert page.evaluate("sent.at(-1)")["selection"] == selection
    assert link(page, "player.running.loop") == selection
    page.wait_for_timeout(700)  # longer than the stretch: the playhead is back inside it
    assert selection[0] <= link(page, "player.time") <= selection[1]
    assert page.is_visible(".af-playhead")
    page.focus(".af-plot")
    page.keyboard.press("z")
    assert page.inner_text(".af-zoom") == "Whole clip"
    page.keyboard.press("z")
    page.keyboard.press("Escape")
    assert link(page, "selection") is None
    assert link(page, "player.running") is None
    assert not page.is_visible(".af-stretch")


def test_a_click_on_a_code_asks_for_it_and_plays_the_answer(page, widget):
    box = lane(page, "codes")
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    asked = page.evaluate("sent.filter((one) => one.name === 'hear').at(-1)")
    assert (asked["row"], asked["frame"]) == (2, 75)
    widget.event = {**asked, "number": 99}
    page.evaluate("reply => model.set('reply', reply)", widget.reply)
    assert page.get_attribute(".af-timeline", "data-heard") == f"2:75:{widget._codes[1, 75]}"


def test_arrow_keys_play_the_sound_around_each_code_at_once(page):
    page.evaluate("[...audioformerLinks.values()][0].point({ row: 2, frame: 75 })")
    page.focus(".af-plot")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector(".af-timeline[data-cut='85']", state="attached")
    assert link(page, "player.last.start") == pytest.approx(85.5 / 75 - 0.03, abs=1e-6)
    assert link(page, "player.last.seconds") == pytest.approx(0.06, abs=1e-6)


def test_values_are_told_under_the_pointer(page):
    box = lane(page, "events")
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    assert page.inner_text(".af-tip").splitlines()[1] == "beep, 0.50-1.00 s"
    box = lane(page, "codes")
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    assert page.inner_text(".af-tip").splitlines()[1:][0] == "codebook 1, frame 0"


def test_picture_values_and_sound_can_be_saved(page, widget, tone, tmp_path):
    for kind in ("png", "csv", "wav"):
        page.click(".af-save summary")
        with page.expect_download() as waiting:
            page.click(f"[data-save={kind}]")
        waiting.value.save_as(tmp_path / f"saved.{kind}")
    table = (tmp_path / "saved.csv").read_text().splitlines()
    assert table[0] == 'time_s,codebook_1,codebook_2,codebook_3,"Events"'
    rows = [line.split(",") for line in table[1:]]
    assert [int(value) for value in rows[0][1:4]] == widget._codes[:, 0].tolist()
    assert {row[4] for row in rows if 0.5 <= float(row[0]) < 1} == {'"beep"'} != {rows[0][4]}
    assert len(table) == 151
    sound, rate = soundfile.read(tmp_path / "saved.wav", dtype="float32")
    np.testing.assert_allclose(sound, tone, atol=1 / 16_000)
    assert rate == RATE_HZ
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")


def test_a_sound_that_is_not_there_yet_is_saved_as_the_original_or_not_at_all(page, tone):
    player = "const { player } = [...audioformerLinks.values()][0];"
    page.evaluate(player + "window.kept = new Map(player.sounds); player.sounds.delete('kept')")
    page.click("[data-sound=kept]")
    page.click(".af-save summary")
    with page.expect_download() as waiting:
        page.click("[data-save=wav]")
    np.testing.assert_allclose(soundfile.read(waiting.value.path(), dtype="float32")[0], tone, atol=1 / 16_000)
    assert "saved with the original" in page.inner_text(".af-clip .af-status")
    page.evaluate(player + "player.sounds.clear()")
    page.click(".af-save summary")
    page.click("[data-save=wav]")
    page.wait_for_function(
        "document.querySelector('.af-save [role=status]').textContent === 'Not saved: the sound is not here yet.'"
    )
    page.evaluate(player + "for (const [name, sound] of kept) player.sounds.set(name, sound)")
    page.click("[data-sound=original]")
    page.click(".af-save summary")


@pytest.mark.parametrize("past_s", [0, 1e-9, 0.03])
def test_the_last_page_of_a_zoomed_clip_is_played_to_its_end(page, past_s):
    drag(page, lane(page, "image"), 0.25, 0.5)
    page.focus(".af-plot")
    page.keyboard.press("z")
    page.keyboard.press("Escape")
    at = """(time) => { const [link] = audioformerLinks.values();
        Object.defineProperty(link.player, 'time', { get: () => time, configurable: true });
        try { link.tell('time'); return !document.querySelector('.af-playhead').hidden; } finally { delete
        link.player.time; } }"""
    for time_s in (1.9, 2 + past_s):
        assert page.evaluate(at, time_s) == (time_s < 2.01)
    box = lane(page, "image")
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 5)
    assert float(page.inner_text(".af-tip").split()[0]) == pytest.approx(2, abs=0.01)
    page.focus(".af-plot")
    page.keyboard.press("z")
    assert page.inner_text(".af-zoom") == "Zoom"


def test_dark_notebooks_get_dark_lanes(page):
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.wait_for_selector(".af-plot[data-look=dark]")
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    page.wait_for_selector(".af-plot[data-look=light]")


def test_a_map_is_stepped_through_heard_and_selected(page, mapped, tmp_path):
    tab = page.context.browser.new_page(viewport={"width": 900, "height": 800})
    complaints = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.set_content("<main></main>")
    tab.evaluate(RENDER, [modules.bundle("sound_map.js"), modules.style(), mapped.value])
    assert len(tab.query_selector_all(".af-dot:not(.af-own)")) == 6
    assert tab.get_attribute(".af-sound-map", "data-stage") == "first"
    tab.focus(".af-stages [aria-checked=true]")
    tab.keyboard.press("ArrowRight")
    assert tab.get_attribute(".af-sound-map", "data-stage") == "turned"
    assert tab.get_attribute(".af-map2d svg", "aria-label").startswith("turned: Map of 6 sounds, 2 labels")
    tab.focus(".af-map2d svg")
    tab.keyboard.press("ArrowRight")
    assert tab.inner_text(".af-map2d .af-tip") == tab.text_content(".af-map2d [role=status]") == "sea waves\nsound 0"
    tab.keyboard.press("Enter")
    asked = tab.evaluate("sent.at(-1)")
    assert (asked["name"], asked["index"]) == ("hear", 0)
    mapped.event = {**asked, "number": 98}
    tab.evaluate("reply => model.set('reply', reply)", mapped.reply)
    assert tab.get_attribute(".af-sound-map", "data-heard") == "0"
    tab.click(".af-map-key button:has-text('dog')")
    assert tab.evaluate("sent.at(-1).indices") == [1, 3, 5]
    tab.click(".af-save summary")
    with tab.expect_download() as waiting:
        tab.click("[data-save=csv]")
    assert waiting.value.path().read_text().splitlines()[1].startswith('"sound 0","sea waves",')
    tab.screenshot(path=tmp_path / "map.png")
    assert complaints == []
    tab.close()


# --- a sound of one's own


def pieces(content, size=1000):
    text = base64.b64encode(content).decode()
    for number, at in enumerate(range(0, len(text), size), 1):
        piece = {"name": "piece", "take": 1, "at": at, "of": len(text), "text": text[at : at + size]}
        yield {**piece, "file": "../my\x1b own.wav", "number": number}


def test_a_sound_comes_piece_by_piece_and_says_what_it_lacks():
    own = own_sound()
    assert own.sound is None
    content = coded(0 * tone_of(3000), 24_000)
    for piece in pieces(content[:-1000]):
        own.event = piece
    assert own.sound.samples.shape == (1, 2500)
    said = json.loads(own.reply)["said"]
    assert "500 of 3000 samples" in said
    assert "silence: nothing in it is above -100 dB" in said


def test_a_sound_that_is_damaged_on_its_way_or_too_large_is_refused():
    own, (first, second, *_) = own_sound(), pieces(coded(tone_of(3000), 24_000))
    for event, says in (
        ({**first, "of": 1 << 40}, "has at most 75 MB"),
        (second, "lost on its way"),
        ({**first, "of": 7, "text": "no wav!"}, "damaged on its way"),
        ({**first, "of": 8, "text": "bm8gd2F2", "number": 9}, "own.wav: not a readable sound file"),
    ):
        own.event = event
        assert says in json.loads(own.reply)["failed"]
    assert own.sound is None


def test_a_phones_recording_reaches_the_kernel_as_a_wav(page, tmp_path):
    own, complaints = own_sound(), []
    tab = page.context.browser.new_page(viewport={"width": 900, "height": 300})
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.set_content("<main></main>")
    tab.evaluate(RENDER, [modules.bundle("own_sound.js"), modules.style(), ""])
    tab.set_input_files(".af-files", phone(tmp_path / "memo.m4a", "ipod", "aac", 480_000))
    sent = 0
    while own.sound is None:
        tab.wait_for_function("n => sent.length > n", arg=sent)
        own.event = tab.evaluate("n => sent[n]", sent)
        sent += 1
        tab.evaluate("reply => model.set('reply', reply)", own.reply)
    assert sent > 1
    assert own.file == "memo.wav"
    assert own.sound.duration_s == pytest.approx(10, abs=0.1)
    assert own.sound.notes == ()
    assert tab.text_content(".af-status").startswith("memo.wav: 10.0")
    tab.screenshot(path=tmp_path / "own_sound.png")
    assert complaints == []
    tab.close()


# --- the microphone

ASK = """() => {
    const device = new AudioContext();
    [window.opened, window.pending] = [[], []];
    navigator.mediaDevices.enumerateDevices = async () => [{ kind: "audioinput", deviceId: "one", label: "One" }];
    navigator.mediaDevices.getUserMedia = async () => {
        await new Promise((allow) => pending.push(allow));
        opened.push(device.createMediaStreamDestination().stream);
        return opened.at(-1);
    };
    window.live = () => opened.map((stream) => stream.getTracks()[0].readyState === "live");
}"""


@pytest.fixture
def ear(page):
    """The listener on a page that has to be allowed the microphone each time: `pending[n]()` allows it."""
    tab = page.context.browser.new_page(viewport={"width": 900, "height": 800})
    complaints = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.route("http://localhost/", lambda route: route.fulfill(body="<main></main>", content_type="text/html"))
    tab.goto("http://localhost/")  # browsers give a microphone to such pages only
    tab.evaluate(ASK)
    tab.evaluate(RENDER, [modules.bundle("live.js"), modules.style(), ""])
    yield tab
    assert complaints == []
    tab.close()


def allow(tab, number):
    tab.wait_for_function("n => pending.length > n", arg=number)
    tab.evaluate("n => pending[n]()", number)
    tab.wait_for_function("n => opened.length > n", arg=number)


def test_a_microphone_that_is_allowed_after_the_room_was_left_stays_off(ear):
    ear.click(".af-listen-live")
    assert ear.is_disabled(".af-listen-live")
    ear.evaluate("document.querySelector('main').style.display = 'none'")
    allow(ear, 0)
    ear.wait_for_function("live().join() === 'false'")
    ear.evaluate("document.querySelector('main').style.display = ''")
    ear.wait_for_selector(".af-listen-live:enabled")
    assert ear.get_attribute(".af-live", "data-state") is None
    assert ear.text_content(".af-live .af-status") == ""  # nothing has failed


def test_a_microphone_that_is_opened_anew_stays_off_after_stop(ear):
    ear.click(".af-listen-live")
    allow(ear, 0)
    ear.wait_for_selector(".af-live[data-state=on]")
    ear.check(".af-processed")
    ear.uncheck(".af-processed")  # before the first answer: the second one counts, and the recording goes on
    ear.wait_for_function("pending.length === 3")
    allow(ear, 1)
    ear.wait_for_function("live().join() === 'true,false'")
    ear.evaluate("pending[2]()")
    ear.wait_for_function("live().join() === 'false,false,true'")
    assert ear.get_attribute(".af-live", "data-state") == "on"
    ear.check(".af-processed")
    ear.click(".af-listen-live")
    allow(ear, 3)
    ear.wait_for_function("live().join() === 'false,false,false,false'")
    assert ear.get_attribute(".af-live", "data-state") == "stopping"


def test_only_changes_are_read_out_while_one_listens(ear):
    ear.click(".af-listen-live")
    allow(ear, 0)
    ear.wait_for_selector(".af-live[data-state=on]")
    assert ear.text_content(".af-status > [role=status]") == "Listening …"
    assert ear.get_attribute(".af-status", "aria-live") is None
    assert ear.get_attribute(".af-told-live", "role") == "log"


def test_heads_stand_in_named_rows(page):
    tab = page.context.browser.new_page(viewport={"width": 900, "height": 600})
    tab.set_content("<main></main>")
    dark = [{"side": 2, "data": base64.b64encode(bytes(4 * maps)).decode()} for maps in (1, 6)]
    shown = {
        "n_layers": 2,
        "n_heads": 3,
        "layer": 1,
        "head": 2,
        "window": [0, 1],
        "map": {**dark[0], "top": 0.5},
        "thumbs": dark[1],
        "stats": [[{"reach_s": 0.1, "spread": 2, "edges": 0.5}] * 3] * 2,
    }
    build = """async ([esm, css, shown]) => {
        const grid = ".af-grid { display: grid; grid-template-columns: repeat(3, 52px) }"; // as the app has it
        document.head.append(Object.assign(document.createElement("style"), { textContent: css + grid }));
        const { AttentionView } = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
        new AttentionView(document.querySelector("main"), { pick() {}, look() {} }).show(shown);
    }"""
    plain = modules.bundle("attention.js").replace(modules.ADAPTER, "export { AttentionView };")
    tab.evaluate(build, [plain, modules.style(), shown])
    assert [
        len(row.query_selector_all("[role=gridcell]")) for row in tab.query_selector_all("[role=grid] > [role=row]")
    ] == [3, 3]
    left = [button.bounding_box()["x"] for button in tab.query_selector_all(".af-grid button")]
    assert left[:3] == left[3:] == sorted(set(left))
    assert tab.get_attribute(".af-square", "aria-label").startswith("Layer 2, head 3: row = moment that looks")
    tab.close()


# --- a recorder of a data set


@pytest.fixture
def data_recorder(tmp_path):
    pytest.importorskip("anywidget", reason='needs anywidget: pip install "audioformer[notebooks]"')
    return record(tmp_path / "my sounds", ["dog", "door bell"], seconds=0.5)


def spoken(data_recorder, samples, number=1, **changes):
    """What the recorder replies to a recording."""
    pcm = base64.b64encode((np.asarray(samples) * 32767).astype("<i2").tobytes()).decode()
    data_recorder.event = {
        "name": "save",
        "number": number,
        "pcm": pcm,
        "rate": RATE_HZ,
        "kind": "dog",
        "day": "first",
    } | changes
    return json.loads(data_recorder.reply)


def test_each_recording_becomes_a_file_of_its_kind_and_day(data_recorder, tone, tmp_path):
    first = spoken(data_recorder, tone)
    assert first["text"].startswith("Saved dog/first day 1.wav, 2.0 s, loudest -6 dB.")
    samples, rate = soundfile.read(tmp_path / "my sounds" / "dog" / "first day 1.wav", dtype="float32")
    assert rate == RATE_HZ
    np.testing.assert_allclose(samples, tone, atol=1e-4)
    assert soundfile.read(io.BytesIO(base64.b64decode(first["sound"])))[1] == RATE_HZ
    spoken(data_recorder, tone, 2, day="second", kind="door bell")
    third = spoken(data_recorder, tone, 3)
    assert third["counts"] == {"dog": {"first": 2, "second": 0}, "door bell": {"first": 0, "second": 1}}
    data_recorder.event = {"name": "delete", "number": 4}
    assert json.loads(data_recorder.reply)["text"] == "Deleted dog/first day 2.wav."
    assert spoken(data_recorder, tone, 5)["text"].startswith("Saved dog/first day 2.wav")
    again = record(tmp_path / "my sounds", ["dog", "door bell"])
    assert json.loads(again.value)["counts"]["dog"]["first"] == 2


def test_a_silent_recording_is_kept_and_named_and_what_is_no_recording_is_refused(data_recorder, tone, tmp_path):
    assert "is it the right microphone?" in spoken(data_recorder, 0 * tone)["text"]
    for number, changes in enumerate([{"kind": "../cat"}, {"day": "third"}, {"pcm": "?"}, {"rate": 3}, {"pcm": ""}]):
        assert spoken(data_recorder, tone, 10 + number, **changes)["text"].startswith("Not saved: ")
    assert [path.name for path in tmp_path.rglob("*.wav")] == ["first day 1.wav"]


@pytest.mark.parametrize(
    ("kinds", "rest", "says"),
    [
        (["dog"], {}, "at least two"),
        (["dog", "a/b"], {}, "cannot be the name"),
        (["dog", "cat"], {"seconds": 60}, "from 0.5 to 10"),
    ],
)
def test_a_recorder_that_could_not_save_is_refused(kinds, rest, says, tmp_path):
    with pytest.raises(AudioformerError, match=says):
        record(tmp_path, kinds, **rest)


# a microphone that hears a tone, and gives 8 kHz
HANDS_FREE = """() => {
    navigator.mediaDevices.enumerateDevices = async () => [{ kind: "audioinput", deviceId: "one", label: "One" }];
    navigator.mediaDevices.getUserMedia = async () => {
        const device = new AudioContext();
        const voice = new OscillatorNode(device, { frequency: 440 }), out = device.createMediaStreamDestination();
        voice.connect(out);
        voice.start();
        window.track = out.stream.getTracks()[0];
        track.getSettings = () => ({ sampleRate: 8000 });
        return out.stream;
    };
}"""


@pytest.fixture
def speaking(page):
    """A page on which a widget may listen to that microphone."""
    tab = page.context.browser.new_page(viewport={"width": 900, "height": 400})
    complaints = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.route("http://localhost/", lambda route: route.fulfill(body="<main></main>", content_type="text/html"))
    tab.goto("http://localhost/")
    tab.evaluate(HANDS_FREE)
    yield tab
    assert complaints == []
    tab.close()


def test_what_is_said_of_a_microphone_stays_beside_what_the_kernel_says(speaking):
    speaking.evaluate(RENDER, [modules.bundle("own_sound.js"), modules.style(), ""])
    speaking.click(".af-own-sound .af-play")
    status = speaking.locator(".af-own-sound .af-status")
    status.get_by_text("gives 8 kHz, as hands-free headsets do").wait_for()
    speaking.wait_for_function("document.querySelector('.af-own-sound .af-play').textContent.includes('29 s')")
    speaking.evaluate("track.dispatchEvent(new Event('ended'))")
    speaking.wait_for_function("sent.length === 1")  # what was heard before is on its way
    assert re.search("8 kHz.* taken away while it recorded.* on its way", status.inner_text())
    take = speaking.evaluate("sent[0].take")
    speaking.evaluate("take => model.set('reply', JSON.stringify({ take, said: 'It is here.' }))", take)
    status.get_by_text("It is here.").wait_for()
    assert re.search("8 kHz.* taken away while it recorded", status.inner_text())


def test_press_speak_and_it_is_a_file(speaking, data_recorder, tmp_path):
    tab = speaking
    tab.evaluate(RENDER, [modules.bundle("record.js"), modules.style(), data_recorder.value])
    tab.select_option(".af-kind", "door bell")
    tab.click(".af-record .af-play")
    tab.wait_for_function("sent.length === 1 && sent[0].name === 'save'")
    data_recorder.event = tab.evaluate("sent[0]")
    tab.evaluate("reply => model.set('reply', reply)", data_recorder.reply)
    tab.wait_for_selector(".af-record audio:not([hidden])")
    assert re.search("gives 8 kHz.* Saved door bell/first day 1.wav", tab.text_content(".af-status"))
    samples, rate = soundfile.read(tmp_path / "my sounds" / "door bell" / "first day 1.wav")
    assert len(samples) / rate == pytest.approx(0.5, abs=0.1)
    assert np.abs(samples).max() > 0.3
    tab.screenshot(path=tmp_path / "record.png")
