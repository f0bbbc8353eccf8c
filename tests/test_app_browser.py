"""The app as a user meets it: the real server, a real headless Chromium, no way out for either."""

import json
import re

import numpy as np
import pytest
import soundfile
from app_page import Tab, box_of, drop, start, stop
from test_reading import phone

from audioformer import load
from audioformer.checkpoint import bundled_names
from audioformer.files import samples_folder

RATE_HZ = 24_000


@pytest.fixture
def tab(browser, address):
    tab = Tab(browser, address)
    yield tab
    tab.close()


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "two tones & <more>.wav"
    times_s = np.arange(2 * 44_100) / 44_100
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * np.where(times_s < 1, 300, 900) * times_s), 44_100)
    return path


@pytest.mark.smoke
def test_the_page_opens_with_a_clip_already_analysed(tab):
    assert tab.page.get_attribute(".af-top", "data-top") in {"dog", "cat", "rain"}
    assert "It must choose one of its 3 classes" in tab.text(".af-remark")
    assert "checkpoint animals" in tab.text(".af-meta")
    assert len(tab.page.query_selector_all(".af-bars li")) == 3
    lanes = [lane.get_attribute("data-kind") for lane in tab.page.query_selector_all(".af-lane")]
    assert lanes == ["wave", "image", "codes", "lines", "axis"]
    assert "Code grid: 3 codebooks" in tab.page.get_attribute(".af-plot", "aria-label")
    assert tab.page.get_attribute(".af-tile.af-on", "data-label") == "dog"
    assert not tab.page.query_selector("text=Share")


def test_a_bad_file_gives_a_message_and_changes_nothing_else(tab, wav, tmp_path):
    tab.until_new(lambda: drop(tab.page, wav))
    top, meta = tab.text(".af-top"), tab.text(".af-meta")
    (tmp_path / "notes.wav").write_text("these are words, not samples")
    drop(tab.page, tmp_path / "notes.wav")
    tab.page.wait_for_selector(".af-message")
    assert "notes.wav: not a readable sound file" in tab.text(".af-message")
    assert "Still shown: two tones" in tab.text(".af-message")
    assert "Traceback" not in tab.page.content()
    assert (tab.text(".af-top"), tab.text(".af-meta")) == (top, meta)
    tab.until_new(lambda: tab.page.click(".af-tile[data-label=rain]"))
    assert tab.page.query_selector(".af-message") is None


def test_of_quick_choices_the_last_one_is_shown(tab):
    labels = ["rain", "clock tick", "helicopter"]
    for label in labels:
        tab.page.click(f".af-tile[data-label='{label}']")
    file = tab.page.get_attribute(".af-tile.af-on", "title")
    tab.page.wait_for_function("file => document.querySelector('.af-file')?.innerText === file", arg=file)
    assert tab.page.get_attribute(".af-tile.af-on", "data-label") == "helicopter"


@pytest.mark.parametrize("tile_first", [True, False])
def test_a_tile_and_a_checkpoint_chosen_at_once_both_hold(tab, tile_first):
    """Both clicks are sent before either is answered."""
    tab.until_new(lambda: tab.page.click(".af-tile[data-label=dog] >> nth=1"))  # everything is open by now
    choices = [".af-tile[data-label=rain]", "#af-checkpoint input[value=overlaps]"]
    click = "(choices) => choices.forEach((one) => document.querySelector(one).click())"
    tab.page.evaluate(click, choices if tile_first else choices[::-1])
    file = tab.page.get_attribute(".af-tile[data-label=rain]", "title")
    both = "([...names]) => names.every((name) => document.querySelector('.af-meta').innerText.includes(name))"
    tab.page.wait_for_function(both, arg=[file, "checkpoint overlaps"])
    tab.page.wait_for_timeout(1500)  # nothing comes after it
    assert tab.page.get_attribute(".af-tile.af-on", "data-label") == "rain"
    assert tab.text(".af-file") == tab.page.get_attribute(".af-tile.af-on", "title")
    assert "checkpoint overlaps" in tab.text(".af-meta")
    assert tab.page.is_checked("#af-checkpoint input[value=overlaps]")
    assert tab.page.is_checked("#af-codec input[value=small]")


def test_another_codec_shows_all_its_codebooks(browser, address):
    tab = Tab(browser, address)
    tab.page.click(".af-more-about > button")
    tab.until_new(lambda: tab.page.click("#af-codec label:has-text('bigger')"))
    assert tab.text(".af-kept").startswith("5 of 5 codebooks")
    assert "bigger: 5 codebooks" in tab.text("#af-codec-note")
    assert "checkpoint animals" in tab.text(".af-meta")
    tab.until_new(lambda: tab.page.click("#af-codec label:has-text('small')"))
    assert tab.text(".af-kept").startswith("3 of 3 codebooks")
    tab.close()


def test_fewer_codebooks_are_decoded_on_request(tab):
    tab.page.wait_for_function(
        "/^3 of 3 codebooks · 1.1 kbit.s · differs by/.test(document.querySelector('.af-kept').innerText)"
    )
    assert tab.page.get_attribute("[data-sound=kept]", "aria-checked") == "false"  # nobody has asked for it yet
    tab.page.focus(".af-keep input")
    tab.page.keyboard.press("Home")
    tab.page.wait_for_function("/^1 of 3 .* differs by/.test(document.querySelector('.af-kept').innerText)")
    assert tab.page.get_attribute("[data-sound=kept]", "aria-checked") == "true"


def test_a_click_on_a_code_plays_it(tab):
    box = box_of(tab.page, "[data-lane=codes] canvas")
    tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.wait_for_function("document.querySelector('.af-clip').dataset.heard")
    row, frame, code = map(int, tab.page.get_attribute(".af-clip", "data-heard").split(":"))
    assert row == 2
    assert abs(frame / 75 - 2.5) < 0.1  # the middle of a clip of 5 s
    assert f"code {code} of codebook 2" in tab.text(".af-status")


def test_everything_works_from_the_keyboard(tab):
    tab.page.focus(".af-plot")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowDown")
    assert tab.text(".af-status").startswith("Codebook 2, 0.020 s: code ")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function("document.querySelector('.af-clip').dataset.heard?.startsWith('2:1:')")
    tab.page.keyboard.press("b")
    assert tab.page.get_attribute("[data-sound=kept]", "aria-checked") == "true"
    tab.page.keyboard.press(" ")
    tab.page.wait_for_function("document.querySelector('.af-play').innerText.includes('Stop')")
    tab.page.wait_for_function("!document.querySelector('.af-playhead').hidden")
    tab.page.keyboard.press(" ")
    tab.page.wait_for_function("document.querySelector('.af-play').innerText.includes('Play')")
    tab.page.focus(".af-tile.af-on")
    tab.page.keyboard.press("ArrowRight")
    tab.until_new(lambda: tab.page.keyboard.press("Enter"))
    assert tab.text(".af-file") == tab.page.get_attribute(".af-tile.af-on", "title")


@pytest.mark.parametrize("raw", [True, False])
def test_a_recording_is_analysed_and_asked_for_as_it_is(browser, address, raw):
    notice = """(() => { const ask = MediaDevices.prototype.getUserMedia; MediaDevices.prototype.getUserMedia =
        function (wish) { (window.asked ??= []).push(JSON.stringify(wish)); return ask.call(this, wish); }; })()"""
    tab = Tab(browser, address, init_script=notice, permissions=["microphone"])
    if not raw:
        tab.page.click(".af-more-about > button")
        tab.page.uncheck("#af-raw input")
    tab.page.click(".af-record-own")
    tab.page.wait_for_selector(".af-record-own[aria-pressed=true]")
    tab.page.wait_for_timeout(1500)  # a recording takes its time
    tab.until_new(lambda: tab.page.click(".af-record-own"))
    assert re.search(r"recording\.wav · \d\.\d\d s", tab.text(".af-meta"))
    asked = json.loads(tab.page.evaluate("asked[asked.length - 1]"))["audio"]
    assert asked == dict.fromkeys(("echoCancellation", "noiseSuppression", "autoGainControl"), not raw)
    tab.close()


def test_a_file_that_only_the_browser_can_read_is_made_into_wav_there(browser, address, tmp_path):
    """WebM, as m4a of a phone: recorded by the browser itself from a tone, dropped and chosen."""
    tab = Tab(browser, address)
    script = """async () => {
        const context = new AudioContext();
        const [tone, goal] = [context.createOscillator(), context.createMediaStreamDestination()];
        tone.connect(goal);
        tone.start();
        const recorder = new MediaRecorder(goal.stream, { mimeType: 'audio/webm' });
        const done = new Promise((got) => (recorder.ondataavailable = ({ data }) => got(data)));
        recorder.start();
        await new Promise((later) => setTimeout(later, 900));
        recorder.stop();
        const bytes = new Uint8Array(await (await done).arrayBuffer());
        return Array.from(bytes);
    }"""
    path = tmp_path / "memo.webm"
    path.write_bytes(bytes(tab.page.evaluate(script)))
    for bring in (lambda: drop(tab.page, path), lambda: tab.page.set_input_files("#af-input input[type=file]", path)):
        tab.until_new(bring)
        assert re.search(r"memo\.wav · [01]\.\d\d s", tab.text(".af-meta"))
        tab.until_new(lambda: tab.page.click(".af-tile >> nth=1"))
        tab.until_new(lambda: tab.page.click(".af-tile >> nth=0"))
    tab.close()


def test_a_browser_that_changes_samples_against_fingerprinting_is_told(browser, address, tmp_path):
    """Brave's and Firefox's protection: a buffer gives other samples back than it was given."""
    noised = """const read = AudioBuffer.prototype.getChannelData;
        AudioBuffer.prototype.getChannelData = function (n) {
            return read.call(this, n).map((value) => value * 1.0001);
        };"""
    tab = Tab(browser, address, init_script=noised)
    token = tab.page.get_attribute(".af-clip", "data-token")
    tab.page.set_input_files("#af-input input[type=file]", phone(tmp_path / "memo.webm", "webm", "libopus"))
    tab.page.get_by_text("memo.webm: the browser's protection against fingerprinting changes what a page").wait_for()
    assert tab.page.get_attribute(".af-clip", "data-token") == token
    tab.close()


def test_the_projector_switch_makes_letters_large_and_is_remembered(browser, address):
    tab = Tab(browser, address)
    size = "(name) => parseFloat(getComputedStyle(document.querySelector(name)).fontSize)"
    sizes = f"['.af-lane-name', '.af-kept'].map({size})"
    before = tab.page.evaluate(sizes)
    tab.page.click(".af-projector-switch")
    tab.page.wait_for_selector("#af-side", state="hidden")
    after = tab.page.evaluate(sizes)
    assert all(large >= 1.25 * small for large, small in zip(after, before, strict=True))
    tab.page.reload()
    tab.page.wait_for_selector(".af-projector .af-clip[data-token]")
    wide, inner = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    tab.page.click(".af-projector-switch")
    tab.page.wait_for_selector("#af-side")
    tab.close()


SCREENS = {
    "projector": {"viewport": {"width": 1280, "height": 720}},
    "desktop": {"viewport": {"width": 1920, "height": 1080}},
    "dark": {"color_scheme": "dark"},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_fits_and_is_photographed(browser, address, screen):
    tab = Tab(browser, address, **SCREENS[screen])
    wide, inner = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    if screen == "projector":
        box = box_of(tab.page, ".af-clip")
        assert box["y"] + box["height"] <= 720
    dark = "dark" in screen
    assert tab.page.evaluate("document.body.classList.contains('dark')") is dark
    assert tab.page.get_attribute(".af-plot", "data-look") == ("dark" if dark else "light")
    tab.close()


def test_light_and_dark_can_be_switched_and_are_remembered(tab):
    tab.page.click(".af-theme")
    tab.page.wait_for_function("document.querySelector('.af-plot').dataset.look === 'dark'")
    tab.page.reload()
    tab.page.wait_for_selector(".af-clip[data-token]")
    assert tab.page.evaluate("document.body.classList.contains('dark')")


@pytest.fixture(scope="module")
def real_address(tmp_path_factory):
    """The app as `make app` serves it, with the bundled weights."""
    if "esc10" not in bundled_names():
        pytest.fail("the bundled checkpoint esc10 is missing from audioformer/assets/checkpoints")
    folder = tmp_path_factory.mktemp("server")
    process, address = start(folder / "log.txt")
    yield address
    stop(process, folder / "log.txt")


def test_the_shipped_models_say_on_the_page_what_the_library_says(browser, real_address):
    tab = Tab(browser, real_address)
    dogs = [path for path in sorted((samples_folder() / "audio").iterdir()) if path.stem.endswith("-0")]
    heard = []
    for clip in dogs[:2]:
        tab.until_new(lambda clip=clip: drop(tab.page, clip))
        assert tab.text(".af-file") == clip.name
        heard.append(tab.page.get_attribute(".af-top", "data-top"))
        assert heard[-1] == load("esc10").classify(clip).labels[0]
    assert "dog" in heard
    from audioformer_app.models import available_checkpoints

    for name in bundled_names():
        choice = tab.page.query_selector(f"#af-checkpoint label:has-text('{name}')")
        assert (choice is None) == (name not in available_checkpoints())
        if choice and name != "esc10":
            tab.until_new(choice.click)
            assert f"checkpoint {name}" in tab.text(".af-meta")
    tab.close()
