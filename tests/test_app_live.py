"""The room Live and the codebook view as a user meets them: a real browser whose microphone plays a file."""

import re

import numpy as np
import pytest
from app_page import Tab, box_of, chromium

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
LIVE = ".af-room[data-room=live]"


@pytest.fixture(scope="module")
def browser(chromium_path, tmp_path_factory):
    """Its microphone hears a second of a tone, a second of silence, and so on."""
    times_s = np.arange(48_000 * 4) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 500 * times_s) * (times_s % 2 < 1)
    with chromium(chromium_path, tone, tmp_path_factory.mktemp("microphone")) as engine:
        yield engine


# what a page has asked for, its stream and its contexts; browsers name no microphone before one was allowed
NOTICE = """(() => { const ask = MediaDevices.prototype.getUserMedia; MediaDevices.prototype.getUserMedia =
        async function (wish) {
            (window.asked ??= []).push(JSON.stringify(wish));
            return (window.stream = await ask.call(this, wish));
        };
        const list = MediaDevices.prototype.enumerateDevices; MediaDevices.prototype.enumerateDevices =
        async function () { return window.stream ? list.call(this) : []; };
        window.AudioContext = class extends AudioContext {
            constructor(...all) { super(...all); (window.contexts ??= []).push(this); }
            createMediaStreamSource(...all) {
                const source = super.createMediaStreamSource(...all);
                (window.sources ??= []).push(source);
                return source;
            }
        }; })()"""


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address, init_script=NOTICE, permissions=["microphone"])
    yield tab
    tab.close()


def told(tab, name):
    return tab.page.get_attribute(".af-live", f"data-{name}")


def answers(tab, n):
    """Wait for so many more answers."""
    before = int(told(tab, "answers") or 0)
    tab.page.wait_for_function(
        "n => Number(document.querySelector('.af-live').dataset.answers ?? 0) >= n", arg=before + n
    )


def enter(tab):
    tab.page.click("button[role=tab]:has-text('Live')")
    tab.page.wait_for_selector(".af-listen-live")


def listens_anew(tab):
    """The room is open and has listened for a second, whatever was before."""
    enter(tab)
    if told(tab, "state") in ("on", "stopping"):  # it still listens to what was asked before
        if told(tab, "state") == "on":
            tab.page.click(".af-listen-live")
        tab.page.wait_for_selector(".af-live[data-state=off]")
    tab.page.click(".af-listen-live")
    tab.page.wait_for_selector(".af-live[data-state=on]")
    tab.page.wait_for_function("Number(document.querySelector('.af-live').dataset.until) > 1")


@pytest.fixture(scope="module")
def listening(tab):
    """Two seconds or more have been heard."""
    enter(tab)
    tab.page.click(".af-listen-live")
    tab.page.wait_for_function("Number(document.querySelector('.af-live').dataset.until) > 2")
    return tab


def test_labels_come_while_the_microphone_is_on_and_no_sound_is_lost(listening):
    answers(listening, 2)
    assert told(listening, "label") in {"dog", "cat", "rain"}
    assert (told(listening, "lost"), told(listening, "dropped")) == ("0", "0")
    assert 0 < float(told(listening, "median")) <= float(told(listening, "p95"))
    assert re.search(
        r"\d+ s heard · an answer \d+ ms after its sound · \d+ answers", listening.text(".af-live .af-status")
    )
    assert (
        listening.page.text_content(".af-live .af-status > [role=status]") == ""
    )  # what is new at every answer is not read out
    assert len(listening.page.query_selector_all(".af-likely li")) == 3
    assert re.match(r"▶ 0\.0 s\s+\S+", listening.page.query_selector_all(".af-told-live button")[-1].inner_text())
    assert not listening.page.is_visible(".af-verdict")  # it is about the clip, not about what is heard


def test_the_raw_microphone_is_asked_for_unless_suppression_is_switched_on(listening):
    asked = "JSON.parse(asked[asked.length - 1]).audio"
    assert set(listening.page.evaluate(f"Object.values({asked})")) == {False}
    take = told(listening, "take")
    listening.page.check(".af-processed")
    listening.page.wait_for_function(f"Object.values({asked}).every(Boolean)")
    assert re.search(r"suppression:\s+on", listening.text(".af-live .af-bar"))
    answers(listening, 1)
    assert told(listening, "take") == take  # the same recording goes on
    listening.page.uncheck(".af-processed")
    listening.page.wait_for_function(f"!Object.values({asked}).some(Boolean)")


def status(tab):
    return tab.page.text_content(".af-live .af-status > [role=status]")


def says(tab, text):
    """Wait for the room to say something."""
    tab.page.wait_for_function(
        "text => document.querySelector('.af-live .af-status > [role=status]').textContent.includes(text)", arg=text
    )


def test_another_microphone_is_chosen_and_the_same_recording_goes_on(listening):
    take, names = told(listening, "take"), listening.page.locator(".af-live .af-device option").all_inner_texts()
    assert len(names) > 1
    assert all(names)
    listening.page.select_option(".af-live .af-device", index=len(names) - 1)
    chosen = listening.page.input_value(".af-live .af-device")
    listening.page.wait_for_function(
        "id => JSON.parse(asked[asked.length - 1]).audio.deviceId?.exact === id", arg=chosen
    )
    answers(listening, 2)
    assert told(listening, "take") == take
    assert listening.page.input_value(".af-live .af-device") == chosen
    assert listening.page.evaluate("stream.getAudioTracks()[0].getSettings().deviceId") == chosen


def test_a_microphone_that_the_system_pauses_goes_on_afterwards(listening):
    said = listening.page.evaluate(
        """async () => {
            const said = [], place = document.querySelector('.af-live .af-status > [role=status]');
            new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true });
            window.context = contexts.findLast((one) => one.state === 'running');
            await context.suspend();
            for (let n = 0; n < 500 && context.state !== 'running'; n++)
                await new Promise((done) => setTimeout(done, 20));
            return said;
        }"""
    )
    assert listening.page.evaluate("context.state") == "running"
    assert any("No sound comes from the microphone" in one for one in said)
    answers(listening, 2)
    assert status(listening) == ""


def test_a_microphone_that_gives_nothing_is_said_and_what_it_gives_later_is_heard(listening):
    """As on a phone during a call, whose system refuses to go on until it is over."""
    listening.page.evaluate(
        """async () => {
            window.paused = contexts.findLast((one) => one.state === 'running');
            paused.resume = () => Promise.reject(new Error('a call'));
            await paused.suspend();
        }"""
    )
    says(listening, "a call, a locked screen, another program or its own switch holds it")
    answered = told(listening, "answers")
    listening.page.evaluate("delete paused.resume")
    listening.page.mouse.click(5, 5)  # iOS lets a page go on once somebody touches it
    answers(listening, 2)
    assert int(told(listening, "answers")) > int(answered)
    assert status(listening) == ""


def test_a_hidden_page_goes_on_listening_and_says_so(listening):
    listening.page.evaluate(
        """() => { Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
                   document.dispatchEvent(new Event('visibilitychange')); }"""
    )
    says(listening, "This page is hidden: it goes on listening")
    answers(listening, 2)
    listening.page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    answers(listening, 1)
    assert status(listening) == ""


def test_a_shorter_window_is_asked_for(listening):
    assert listening.page.eval_on_selector_all(".af-window option", "all => all.map((one) => one.text)") == ["1.0 s"]
    listening.page.select_option(".af-every", "0.25")
    answers(listening, 3)
    assert "1.0 s up to" in listening.text(".af-about")


def test_a_moment_is_heard_again(listening):
    listening.page.click(".af-told-live li:last-child button")
    assert int(told(listening, "replayed")) > 10_000
    lines = listening.page.eval_on_selector(
        ".af-told-live",
        "list => parseFloat(getComputedStyle(list).maxHeight) / list.firstChild.getBoundingClientRect().height",
    )
    assert lines == pytest.approx(4, abs=0.01)  # whole lines are in sight


def test_a_frozen_stretch_goes_to_another_room_while_the_microphone_stays_on(listening):
    listening.page.click(".af-freeze")
    listening.page.wait_for_selector(f"{LIVE}[data-frozen]")
    kinds = [lane.get_attribute("data-kind") for lane in listening.page.query_selector_all(".af-frozen .af-lane")]
    assert kinds == ["wave", "image", "codes", "events", "axis"]
    assert not listening.page.is_visible(".af-roll")
    assert told(listening, "state") == "on"
    canvas = box_of(listening.page, ".af-frozen [data-kind=image] canvas")
    y = canvas["y"] + canvas["height"] / 2
    listening.page.mouse.move(canvas["x"] + canvas["width"] * 0.25, y)
    listening.page.mouse.down()
    listening.page.mouse.move(canvas["x"] + canvas["width"] * 0.75, y, steps=3)
    listening.page.mouse.up()
    start, end = map(float, re.search(r"([\d.]+)-([\d.]+) s", listening.text(".af-frozen .af-status")).groups())
    listening.until_new(lambda: listening.page.click(".af-send [data-to=attention]"))
    listening.page.wait_for_selector(".af-room[data-room=attention][data-answer]")
    name, length = re.match(r"live ([\d.]+-[\d.]+) s · ([\d.]+) s", listening.text(".af-meta")).groups()
    assert float(length) == pytest.approx(end - start, abs=0.02)
    assert np.diff([float(time) for time in name.split("-")])[0] == pytest.approx(end - start, abs=0.11)
    assert told(listening, "state") in ("stopping", "off")  # a room that is left listens no more
    frozen, said = ["data-frozen", ".af-frozen .af-status"]
    before = listening.page.get_attribute(LIVE, frozen), listening.page.text_content(said)
    enter(listening)
    listening.page.wait_for_selector(".af-live[data-state=off]")
    assert (listening.page.get_attribute(LIVE, frozen), listening.page.text_content(said)) == before
    assert listening.page.is_visible(".af-frozen .af-plot")  # the stretch is the one that was frozen


def test_what_is_heard_is_what_is_coded(tab):
    """A frozen recording, sent to Listen, shows the codes that came live: those of its own samples."""
    listens_anew(tab)
    old = tab.page.get_attribute(LIVE, "data-frozen")
    tab.page.click(".af-listen-live")  # what was heard is frozen as soon as the microphone is off
    tab.page.wait_for_function(f"old => document.querySelector('{LIVE}').dataset.frozen !== old", arg=old)
    link = "globalThis.audioformerLinks.get('{}').lanes.get('codes').codes"
    tab.page.wait_for_function("globalThis.audioformerLinks.get('live').lanes.get('codes')?.codes?.length")
    live = np.array(tab.page.evaluate(link.format("live")))
    tab.until_new(lambda: tab.page.click(".af-send [data-to=listen]"))
    clip = np.array(tab.page.evaluate(link.format("clip")))
    assert live.shape[1] > 60
    assert 0 <= clip.shape[1] - live.shape[1] <= 2  # the last frame or two are not sure yet while one listens
    np.testing.assert_array_equal(live, clip[:, : live.shape[1]])


def test_two_pages_do_not_hear_each_other(browser, address, tab):
    other = Tab(browser, address, permissions=["microphone"])
    for page in (tab, other):
        enter(page)
        page.page.click(".af-listen-live")
    for page in (tab, other):
        page.page.wait_for_function("Number(document.querySelector('.af-live').dataset.until) > 0.5")
        assert told(page, "lost") == "0"
    assert told(tab, "take") != told(other, "take")
    other.close()
    tab.page.bring_to_front()  # a page behind another draws nothing, and waiting looks at each drawing
    answers(tab, 1)
    tab.page.click(".af-listen-live")
    tab.page.wait_for_selector(".af-live[data-state=off]")


def test_without_a_microphone_the_page_says_why(browser, address):
    tab = Tab(
        browser,
        address,
        init_script="Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined })",
    )
    enter(tab)
    tab.page.click(".af-listen-live")
    tab.page.wait_for_function("document.querySelector('.af-live .af-status').innerText.includes('over https')")
    assert tab.page.is_enabled(".af-listen-live")
    tab.close()


SETTINGS = """const settings = MediaStreamTrack.prototype.getSettings;
    MediaStreamTrack.prototype.getSettings = function () { return { ...settings.call(this), sampleRate: 8000 }; };"""
SECRET = "MediaDevices.prototype.enumerateDevices = async () => [];"
GONE = "localStorage.setItem('audioformer-microphone', 'unplugged');"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (SETTINGS, "gives 8 kHz, as hands-free headsets do: nothing above 4 kHz is heard"),
        (SECRET, "keeps secret which microphones there are (in Firefox: resistFingerprinting)"),
        (GONE, "The microphone chosen before is not there: another one is used."),
    ],
)
def test_what_is_to_be_known_of_a_microphone_is_said_at_once(browser, address, script, sentence):
    tab = Tab(browser, address, init_script=script, permissions=["microphone"])
    enter(tab)
    tab.page.click(".af-listen-live")
    says(tab, sentence)
    answers(tab, 1)
    assert sentence in status(tab)  # and it stays
    tab.close()


def test_a_microphone_that_is_taken_away_is_said_at_once(browser, address):
    notice = """(() => { const ask = MediaDevices.prototype.getUserMedia; MediaDevices.prototype.getUserMedia =
        async function (wish) { return (window.stream = await ask.call(this, wish)); }; })()"""
    tab = Tab(browser, address, init_script=notice, permissions=["microphone"])
    enter(tab)
    tab.page.click(".af-listen-live")
    answers(tab, 1)
    tab.page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    says(tab, "The microphone was taken away")
    tab.page.wait_for_selector(".af-live[data-state=off]")
    assert "taken away" in status(tab)
    tab.close()


RECORDERS = {  # room: (button that records, where it says something)
    "Listen": (".af-record-own", ".af-own-sound .af-card-said"),
    "Teach": (".af-pupil .af-record >> nth=0", ".af-pupil .af-card-said >> nth=0"),
}
KEPT_STREAM = """(() => { const ask = MediaDevices.prototype.getUserMedia; MediaDevices.prototype.getUserMedia =
    async function (wish) { return (window.stream = await ask.call(this, wish)); };
    const list = MediaDevices.prototype.enumerateDevices; MediaDevices.prototype.enumerateDevices =
    async function () { return window.stream ? list.call(this) : []; }; })();"""


@pytest.mark.parametrize("room", RECORDERS)
def test_a_recorder_too_says_what_is_to_be_known_and_when_its_microphone_is_taken_away(browser, address, room):
    record, said = RECORDERS[room]
    tab = Tab(browser, address, init_script=KEPT_STREAM + SETTINGS, permissions=["microphone"])
    tab.page.click(f"button[role=tab]:has-text('{room}')")
    tab.page.click(record)
    tab.page.wait_for_selector("[aria-pressed=true].af-record")
    tab.page.wait_for_function("(window.stream?.getTracks() ?? []).length > 0")
    place = tab.page.locator(said)
    place.get_by_text("gives 8 kHz").wait_for()
    choice = "#af-own .af-device option" if room == "Listen" else ".af-room[data-room=teach] .af-device option"
    tab.page.wait_for_function("name => document.querySelectorAll(name).length > 1", arg=choice)
    tab.page.wait_for_timeout(700)  # a recording takes its time
    tab.page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    place.get_by_text("The microphone was taken away while it recorded.").wait_for()
    tab.page.wait_for_selector("[aria-pressed=false].af-record")
    sound = ".af-file:has-text('recording')" if room == "Listen" else ".af-pupil .af-example"
    tab.page.wait_for_selector(sound, state="attached")  # what was heard before is there
    assert "taken away" in place.inner_text()
    tab.close()


def test_a_microphone_that_falls_silent_without_any_event_is_noticed_and_opened_again(browser, address):
    """As after a call on some systems: all seems to run, and neither its stream nor the same one joined anew sounds."""
    tab = Tab(browser, address, init_script=NOTICE, permissions=["microphone"])
    listens_anew(tab)
    tab.page.evaluate(
        """() => {
            const [n, make] = [asked.length, AudioContext.prototype.createMediaStreamSource];
            AudioContext.prototype.createMediaStreamSource = function (stream) {
                const source = make.call(this, stream);
                if (asked.length === n) source.connect = () => source;
                return source;
            };
            sources.at(-1).disconnect();
        }"""
    )
    says(tab, "No sound comes from the microphone")
    answers(tab, 2)
    assert tab.page.evaluate("asked.length") == 2
    assert status(tab) == ""
    tab.close()


# --- the codebook view


@pytest.fixture(scope="module")
def book(tab):
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.click(".af-listen .af-tools button:has-text('Codebook')")
    tab.page.wait_for_selector(".af-book[data-view=map]")
    return tab


def test_the_codebook_is_drawn_when_it_is_opened(book):
    assert book.page.get_attribute(".af-book", "data-alt").startswith("Map of 32 entries")
    assert "bundled clips and this one" in book.text(".af-book-said")
    for view in ("time", "use", "rows", "classes"):
        book.page.select_option(".af-book-view", view)
        book.page.wait_for_selector(f".af-book[data-view={view}]")
    assert "most typical entries" in book.page.get_attribute(".af-book", "data-alt")
    book.page.select_option(".af-book-view", "map")
    book.page.wait_for_selector(".af-book[data-view=map]")


def test_a_click_on_an_entry_plays_it(book):
    script = """() => { const chart = document.querySelector('.af-book-chart');
        const point = chart.querySelector('.scatterlayer .trace:last-child path.point').getBoundingClientRect();
        return [point.x + point.width / 2, point.y + point.height / 2]; }"""
    book.page.query_selector(".af-book-chart").scroll_into_view_if_needed()
    book.page.mouse.click(*book.page.evaluate(script))
    book.page.wait_for_selector(".af-book[data-heard]")
    row, entry = map(int, book.page.get_attribute(".af-book", "data-heard").split(":"))
    assert row == 1
    assert f"Heard: entry {entry} of row 1." in book.text(".af-book-said")
    book.page.fill(".af-book-entry", str((entry + 1) % 32))
    book.page.keyboard.press("Enter")
    book.page.wait_for_selector(f".af-book[data-heard='1:{(entry + 1) % 32}']")


def test_an_entry_is_found_in_the_clip(book):
    entry = book.page.evaluate("globalThis.audioformerLinks.get('clip').lanes.get('codes').codes[0][7]")
    book.page.fill(".af-book-entry", str(entry))
    book.page.click(".af-book-hear")
    book.page.wait_for_selector(f".af-book[data-heard='1:{entry}']")
    book.page.click(".af-book-find")
    codes = book.page.evaluate(
        "(({ cursor, lanes }) => lanes.get('codes').codes[0][cursor.frame])(audioformerLinks.get('clip'))"
    )
    assert codes == entry
