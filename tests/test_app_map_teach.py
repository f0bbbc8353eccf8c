"""The rooms Map and Teach as a user meets them, in a real browser."""

import io
import json
import re
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
import soundfile
from app_page import Tab, box_of, small_app
from test_app_rooms import JOIN
from test_reading import phone

from audioformer.cli import main

PCA = "localStorage.setItem('audioformer-map', 'pca')"  # nothing has to be compiled; UMAP is in test_embedding_map.py
KEPT_MODEL = """async () => {
    const opening = indexedDB.open('audioformer', 1);
    await new Promise((done) => (opening.onsuccess = done));
    const asked = opening.result.transaction('teach').objectStore('teach').get('project');
    await new Promise((done) => (asked.onsuccess = done));
    opening.result.close();
    return asked.result?.model?.size ?? 0;
}"""  # bytes of the classifier that this browser keeps
MAP, TEACH = ".af-room[data-room=map]", ".af-room[data-room=teach]"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The app with small seeded weights and a data set of twelve short sounds of three classes."""
    folder, rng = tmp_path_factory.mktemp("server"), np.random.default_rng(1)
    for n in range(4):
        times = np.arange(12_000) * (1 + 0.1 * n)
        made = {
            "low": 0.4 * np.sin(0.05 * times),
            "high": 0.4 * np.sin(0.8 * times),
            "white_noise": 0.1 * rng.standard_normal(12_000),
        }
        for name, sound in made.items():
            (folder / "sounds" / name).mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / "sounds" / name / f"{name}-{n}.wav", sound, 24_000)
    with small_app(folder, sounds=str(folder / "sounds")) as address:
        yield address


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address, PCA, accept_downloads=True, permissions=["microphone"])
    yield tab
    tab.close()


@pytest.fixture
def mapped(tab):
    """The room Map once all its models are known."""
    tab.page.click("button[role=tab]:has-text('Map')")
    tab.page.wait_for_selector(f"{MAP}[data-method]")
    tab.page.wait_for_function(f"document.querySelectorAll('{MAP} .af-purities li').length === 5")
    return tab


def data(tab, room, name):
    return tab.page.evaluate(f"document.querySelector('{room}').dataset['{name}']")


def dots(tab, side=0):
    return tab.page.query_selector_all(f"{MAP} .af-one-map >> nth={side} >> .af-dot:not(.af-own)")


def saved_as(tab, kind):
    tab.page.click(f"{MAP} .af-controls .af-save summary")
    tab.page.click(f"{MAP} .af-controls [data-save={kind}]")


def test_a_map_that_is_left_while_it_is_made_is_there_when_one_comes_back(browser, address):
    """The first test here: nobody has asked before, so the first answer is that one has to wait."""
    tab = Tab(browser, address, PCA)
    tab.page.click("button[role=tab]:has-text('Map')")
    tab.page.wait_for_selector(f"{MAP}[data-answer]", state="attached")
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.wait_for_timeout(2500)  # longer than the room waits between two questions
    tab.page.click("button[role=tab]:has-text('Map')")
    tab.page.wait_for_function(f"document.querySelectorAll('{MAP} .af-purities li').length === 5")
    tab.close()


def test_a_model_that_there_is_not_is_told_and_the_usual_map_opens(browser, address):
    tab = Tab(browser, f"{address}#room=map&left=mine&map=pca", PCA)
    tab.page.wait_for_selector(f"{MAP}[data-method]")
    assert "model='mine' must be one of" in tab.text(".af-message")
    tab.until_new(lambda: tab.page.evaluate("document.querySelector('.af-tile[data-label=rain]').click()"))
    name = tab.page.get_attribute(".af-tile.af-on", "title")
    tab.page.wait_for_function(f"document.querySelector('{MAP}').dataset.own === '{name}'")
    assert tab.page.input_value(f"{MAP} .af-first") == "animals"
    tab.close()


def test_two_maps_of_the_same_sounds(mapped):
    assert len(dots(mapped)) == len(dots(mapped, 1)) == 12
    for told in (
        mapped.text(f"{MAP} .af-told-map"),
        mapped.page.query_selector_all(f"{MAP} .af-told-map")[1].inner_text(),
    ):
        assert re.search(r"kNN purity \d\.\d\d, chance 0\.27 \(nearest clip has the same label; 12 clips\)", told)
    assert "Arrow keys walk" in mapped.page.get_attribute(f"{MAP} .af-map2d svg", "aria-label")
    assert data(mapped, MAP, "own") == "1-900000-A-0.ogg"


def test_a_mark_is_told_and_heard(mapped):
    mapped.page.focus(f"{MAP} .af-map2d svg")
    mapped.page.keyboard.press("ArrowRight")
    mapped.page.wait_for_selector(f"{MAP} .af-map2d .af-tip:not([hidden])")
    assert re.search(
        r"taken for \w+, \d+ %(, not sure)?\n(\(not one of its classes\)\n)?[\w-]+\.wav",
        mapped.text(f"{MAP} .af-map2d .af-tip"),
    )
    mapped.page.keyboard.press("Enter")
    mapped.page.wait_for_function(f"document.querySelector('{MAP}').dataset.heard")
    seconds = mapped.page.evaluate("audioformerLinks.get('clip').player.last.seconds")
    assert seconds == pytest.approx(0.5, abs=0.01)
    mapped.page.keyboard.press(" ")
    assert data(mapped, MAP, "chosen") == "1"
    mapped.page.keyboard.press("Escape")
    assert data(mapped, MAP, "chosen") == "0"


def test_a_loop_selects_lists_and_exports(mapped):
    box = box_of(mapped.page, f"{MAP} .af-map2d svg")
    script = f"""Array.from(document.querySelectorAll('{MAP} .af-one-map:first-child .af-dot:not(.af-own)'),
        (dot) => Number(dot.style.transform.match(/[\\d.]+/)[0])).sort((one, other) => one - other)"""
    across = mapped.page.evaluate(script)  # of the drawing's 400 units
    _, middle = max(
        (right - left, (left + right) / 2) for left, right in zip(across, across[1:], strict=False)
    )  # of the widest gap
    inside = sum(x < middle for x in across)
    assert 0 < inside < 12
    x, y, wide, high = (
        box["x"] + 8,
        box["y"] + 8,
        middle * box["width"] / 400 - 8,
        box["height"] - 16,
    )  # corners are round
    mapped.page.mouse.move(x, y)
    mapped.page.mouse.down()
    for right, down in ((wide, 0), (wide, high), (0, high)):
        mapped.page.mouse.move(x + right, y + down, steps=4)
    mapped.page.mouse.up()
    assert data(mapped, MAP, "chosen") == str(inside)
    assert mapped.text(f"{MAP} .af-list-title").lower().startswith(f"{inside} of 12 selected")
    with mapped.page.expect_download() as saved:
        saved_as(mapped, "csv")
    lines = saved.value.path().read_text().strip().splitlines()
    assert len(lines) == inside + 1
    assert lines[0].startswith(
        '"file","label","x animals","y animals","prediction animals","confidence animals","x statistics"'
    )
    mapped.page.click(f"{MAP} .af-all")
    assert mapped.text(f"{MAP} .af-list-title").lower().startswith("all 12 clips")


def test_a_picture_is_saved(mapped):
    with mapped.page.expect_download() as saved:
        mapped.page.select_option(f"{MAP} .af-second", "")
        mapped.page.wait_for_selector(f"{MAP}.af-single")
        saved_as(mapped, "svg")
    text = saved.value.path().read_text()
    assert text.count("af-dot") == 13
    assert "kNN purity" in text
    assert "<script" not in text
    with mapped.page.expect_download() as saved:
        saved_as(mapped, "png")
    picture = saved.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert [int.from_bytes(picture[at : at + 4], "big") for at in (16, 20)] == [1200, 1200]
    with mapped.page.expect_download() as saved:
        saved_as(mapped, "html")
    text = saved.value.path().read_text()
    assert text.count("af-dot") == 13
    assert "white_noise-3.wav" in text  # its values


def test_one_model_is_stepped_through_its_training(mapped):
    page = mapped.page
    page.select_option(f"{MAP} .af-first", "animals")
    page.select_option(f"{MAP} .af-second", label="its training")
    page.wait_for_selector(f"{MAP}[data-stage='random:guesser']")
    steps = [one.inner_text() for one in page.query_selector_all(f"{MAP} .af-stages [role=radio]")]
    assert [re.fullmatch(r"(\S+) \d\.\d\d", step).group(1) for step in steps] == [
        "random:guesser",
        "guesser",
        "animals",
    ]
    titles = [one.inner_text() for one in page.query_selector_all(f"{MAP} .af-one-map h3")]
    assert titles == ["animals · PCA", "random:guesser · PCA"]
    places = [[dot.get_attribute("style") for dot in dots(mapped, side)] for side in (0, 1)]
    page.focus(f"{MAP} .af-stages [aria-checked=true]")
    page.keyboard.press("ArrowLeft")  # round to the last: both maps are the same
    page.wait_for_selector(f"{MAP}[data-stage=animals]")
    assert [dot.get_attribute("style") for dot in dots(mapped, 1)] == places[0] != places[1]
    assert "left=animals&right=%2F&map=pca" in page.evaluate(
        "new Promise((done) => setTimeout(() => done(location.hash), 400))"
    )
    page.click(f"{MAP} .af-walk")
    page.wait_for_selector(f"{MAP}[data-stage=guesser]")
    page.click(f"{MAP} .af-walk")
    page.select_option(f"{MAP} .af-second", "statistics")
    page.wait_for_selector(f"{MAP} .af-stages", state="hidden")
    page.wait_for_function(f"document.querySelectorAll('{MAP} .af-one-map h3')[1].textContent.startsWith('statistics')")


def test_colours_confusion_and_search_select(mapped):
    for colour in ("prediction", "confidence", "error"):
        mapped.page.select_option(f"{MAP} .af-colour", colour)
        assert data(mapped, MAP, "colour") == colour
    assert mapped.page.query_selector_all(f"{MAP} .af-class >> nth=2")[0].inner_text() == "not one of its classes"
    cell = mapped.page.query_selector(f"{MAP} .af-cell")
    count = cell.inner_text()
    cell.click()
    assert data(mapped, MAP, "chosen") == count
    mapped.page.fill(f"{MAP} .af-find", "white noise")
    assert data(mapped, MAP, "chosen") == "4"
    assert len(mapped.page.query_selector_all(f"{MAP} .af-clip-row")) == 4
    mapped.page.click(f"{MAP} .af-all")
    mapped.page.select_option(f"{MAP} .af-colour", "label")


def test_another_sound_gets_its_own_star(mapped, tmp_path):
    soundfile.write(tmp_path / "mine.wav", 0.3 * np.sin(np.arange(24_000) / 5), 24_000)
    mapped.page.set_input_files("#af-input input[type=file]", tmp_path / "mine.wav")
    mapped.page.wait_for_function(f"document.querySelector('{MAP}').dataset.own === 'mine.wav'")
    assert len(mapped.page.query_selector_all(f"{MAP} .af-near-row >> nth=0 >> .af-guess")) == 5


@pytest.mark.parametrize(("ending", "form", "codec"), [("m4a", "ipod", "aac"), ("webm", "webm", "libopus")])
def test_a_phones_recording_is_decoded_by_the_browser_for_every_room(mapped, tmp_path, ending, form, codec):
    """The server gets a WAV, and needs no decoder of its own."""
    path, wav = phone(tmp_path / f"memo.{ending}", form, codec, 96_000), f"memo {ending}.wav"
    path = path.rename(tmp_path / f"memo {ending}.{ending}")
    mapped.page.set_input_files("#af-input input[type=file]", path)
    mapped.page.wait_for_function("name => document.querySelector('#af-verdict .af-file')?.innerText === name", arg=wav)
    mapped.page.wait_for_function(f"name => document.querySelector('{MAP}').dataset.own === name", arg=wav)
    assert re.search(r"· (2\.0\d|1\.9\d) s ·", mapped.text("#af-verdict .af-meta"))
    assert "missing" not in mapped.text("#af-verdict .af-meta")
    mapped.page.click("button[role=tab]:has-text('Teach')")
    mapped.page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    before = examples(mapped)
    bring(mapped, 0, [path])
    assert examples(mapped) == before + 1
    assert mapped.text(f"{TEACH} .af-pupil >> nth=0 >> .af-card-said") == ""


def test_of_a_phones_recording_that_was_cut_the_rest_is_told_missing(mapped, tmp_path):
    path = phone(tmp_path / "cut.webm", "webm", "libopus", 480_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    mapped.page.set_input_files("#af-input input[type=file]", path)
    mapped.page.wait_for_function(
        "document.querySelector('#af-verdict .af-file')?.innerText === 'cut.webm'.replace('webm', 'wav')"
    )
    assert re.search(r"\d+ of 48\d{4} samples .* are missing", mapped.text("#af-verdict .af-meta"))


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    for n in range(3):
        for name, speed in (("low", 0.05), ("high", 0.8)):
            soundfile.write(folder / f"{name} {n}.wav", 0.4 * np.sin(np.arange(18_000) * speed * (1 + 0.1 * n)), 24_000)
    (folder / "broken.wav").write_bytes(b"RIFF this is not a sound")
    return folder


def examples(tab):
    return int(data(tab, TEACH, "examples"))


def bring(tab, number, files):
    wanted = examples(tab) + len(files)
    tab.page.set_input_files(f"{TEACH} .af-pupil >> nth={number} >> .af-files", files)
    tab.page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '{wanted}'")


def test_somebody_teaches_two_tones(tab, tones, tmp_path, capsys):
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    page.click(f"{TEACH} .af-anew")  # whatever the tests before have left
    page.wait_for_selector(f"{TEACH} .af-teach:disabled")
    page.fill(f"{TEACH} .af-class-name >> nth=0", "<b>low</b>")
    page.fill(f"{TEACH} .af-class-name >> nth=1", "high")
    for number, name in enumerate(("low", "high")):
        bring(tab, number, [tones / f"{name} {n}.wav" for n in range(2)])
    page.click(f"{TEACH} .af-pupil >> nth=0 >> button:has-text('+ this sound')")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '5'")
    page.click(f"{TEACH} .af-example >> nth=2 >> button >> nth=1")  # and away with it
    assert examples(tab) == 4
    page.set_input_files(f"{TEACH} .af-files >> nth=0", tones / "broken.wav")
    page.wait_for_function(
        f"document.querySelector('{TEACH} .af-card-said')?.innerText.startsWith('broken.wav: not a readable')"
    )
    assert examples(tab) == 4
    page.evaluate(f"delete document.querySelector('{TEACH}').dataset.heard")
    page.click(f"{TEACH} .af-example >> nth=0 >> button >> nth=0")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.heard")
    page.click(f"{TEACH} .af-teach")
    page.wait_for_function(f"document.querySelector('{TEACH} .af-ready').innerText.startsWith('Learnt in')")
    assert "Nearest other example of the same class" in tab.text(f"{TEACH} .af-own-told")
    assert re.match(r"Loss \d\.\d\d at first, \d\.\d\d after 120 steps", tab.text(f"{TEACH} .af-loss-told"))
    assert len(page.query_selector_all(f"{TEACH} .af-own-map .af-dot:not(.af-own)")) == 4
    page.wait_for_function("document.querySelector('#af-verdict .af-meta').innerText.includes('checkpoint yours')")
    assert "checkpoint" not in page.evaluate(
        "new Promise((done) => setTimeout(() => done(location.hash), 400))"
    )  # its name is a secret
    assert {"<b>low</b>", "high"} == {node.inner_text() for node in page.query_selector_all("#af-verdict .af-name")}
    link = page.evaluate(f"document.querySelector('{TEACH} .af-download').href")
    with urllib.request.urlopen(link) as answer, zipfile.ZipFile(io.BytesIO(answer.read())) as archive:
        archive.extractall(tmp_path)
    assert main(["classify", str(tones / "high 2.wav"), "--checkpoint", str(tmp_path / "taught"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)[0]["labels"]
    tab.until_new(lambda: page.set_input_files("#af-input input[type=file]", tones / "high 2.wav"))
    assert page.get_attribute(".af-top", "data-top") == said[0]["label"]


def test_an_example_that_the_server_refuses_does_not_hold_up_the_next(browser, address):
    tab = Tab(browser, address)
    page, refused = tab.page, []
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    page.fill(f"{TEACH} .af-class-name >> nth=1", " whistle")
    names = [one.get_attribute("aria-label") for one in page.query_selector_all(f"{TEACH} .af-remove")]
    assert names == ["Remove class 1", "Remove class whistle"]
    page.clock.install()
    page.route(JOIN, lambda route: (refused.append(1), route.fulfill(status=503, json={"detail": "Queue is full."})))
    add = f"{TEACH} .af-pupil >> nth=0 >> button:has-text('+ this sound')"
    page.click(add)
    while not refused:
        page.wait_for_timeout(100)
    assert "1 on the way" in tab.text(f"{TEACH} .af-ready")
    page.unroute(JOIN)
    page.clock.fast_forward(91_000)
    page.wait_for_function(f"document.querySelector('{TEACH} .af-card-said')?.innerText.startsWith('No answer')")
    page.click(add)
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '1'")
    assert all("503" in text for text in tab.complaints), tab.complaints
    tab.complaints.clear()
    tab.close()


def test_the_microphone_records_an_example(tab):
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_selector(f"{TEACH} .af-pupil")
    before = examples(tab)
    page.click(f"{TEACH} .af-pupil >> nth=0 >> button:has-text('Record')")
    page.wait_for_selector(f"{TEACH} [aria-pressed=true]")
    page.wait_for_timeout(800)  # a recording takes its time
    page.click(f"{TEACH} .af-pupil >> nth=0 >> button:has-text('Stop')")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '{before + 1}'")


def test_a_button_that_is_held_records_until_it_is_let_go(tab):
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_selector(f"{TEACH} .af-pupil")
    before = examples(tab)
    box = page.locator(f"{TEACH} .af-record").nth(1).bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.wait_for_function(
        f"document.querySelectorAll('{TEACH} .af-record')[1].getAttribute('aria-pressed') === 'true'"
    )
    page.wait_for_timeout(700)  # a recording takes its time
    page.mouse.up()
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '{before + 1}'")
    assert page.locator(f"{TEACH} .af-record").nth(1).get_attribute("aria-pressed") == "false"


def project(tab):
    """Names and numbers of examples, as the page shows them."""
    script = f"""Array.from(document.querySelectorAll('{TEACH} .af-pupil'),
        (card) => [card.querySelector('.af-class-name').value, card.querySelectorAll('.af-example').length])"""
    return tab.page.evaluate(script)


def test_a_reload_loses_nothing_and_a_project_is_saved_and_opened(browser, address, tones, tmp_path):
    tab = Tab(browser, address, accept_downloads=True)
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    for number, name in enumerate(("low", "high")):
        page.fill(f"{TEACH} .af-class-name >> nth={number}", name)
        bring(tab, number, [tones / f"{name} {n}.wav" for n in range(3)])
    page.click(f"{TEACH} .af-teach")
    page.wait_for_selector(f"{TEACH}[data-taught]", state="attached")
    assert re.search(r"It has not learnt from these: \d of 2 right", tab.text(f"{TEACH} .af-held-told"))
    taught = data(tab, TEACH, "taught")
    there = [["low", 3], ["high", 3]]
    while not page.evaluate(KEPT_MODEL) > 1000:  # bytes; wait_for_function does not await a promise
        page.wait_for_timeout(50)
    page.reload()
    page.wait_for_selector(f"{TEACH}[data-taught]", state="attached")  # without a visit to the room
    assert data(tab, TEACH, "taught") != taught
    page.click("button[role=tab]:has-text('Teach')")
    assert project(tab) == there
    page.wait_for_function("document.querySelector('#af-verdict .af-meta').innerText.includes('checkpoint yours')")
    with page.expect_download() as saved:
        page.click(f"{TEACH} .af-save-project")
    assert saved.value.suggested_filename == "project-low-high.zip"
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        listed = json.loads(archive.read("project.json"))
        assert [(one["name"], len(one["examples"])) for one in listed["classes"]] == [("low", 3), ("high", 3)]
        archive.extractall(tmp_path)
    sound, rate = soundfile.read(tmp_path / "sounds" / "1 low" / "1.wav")
    assert (len(sound), rate) == (18_000, 24_000)
    page.click(f"{TEACH} .af-anew")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '0'")
    assert project(tab) == [["", 0], ["", 0]]
    before = data(tab, TEACH, "taught")
    page.set_input_files(f"{TEACH} .af-project-file", saved.value.path())
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.taught !== '{before}'")
    assert project(tab) == there
    (tmp_path / "no.zip").write_text("no project")
    page.set_input_files(f"{TEACH} .af-project-file", tmp_path / "no.zip")
    page.wait_for_function(f"document.querySelector('{TEACH} .af-ready').innerText === 'no.zip: this is no zip file.'")
    assert project(tab) == there
    tab.close()


def test_other_sounds_are_none_of_these_and_a_name_twice_is_said(browser, address):
    tab = Tab(browser, address)
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_function(f"document.querySelectorAll('{TEACH} .af-start option').length > 0")
    page.click(f"{TEACH} .af-none")
    assert project(tab) == [["", 0], ["", 0], ["none of these", 0]]
    assert page.is_disabled(f"{TEACH} .af-none")
    page.click(f"{TEACH} button:has-text('+ sounds of the kit')")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '8'")
    for number in (0, 1):
        page.fill(f"{TEACH} .af-class-name >> nth={number}", "Dog")
    assert page.get_attribute(f"{TEACH} .af-class-name >> nth=1", "aria-invalid") == "true"
    assert "its own name" in tab.text(f"{TEACH} .af-ready")
    tab.close()


ASKING = """() => {
    const ask = navigator.mediaDevices.getUserMedia;
    [window.opened, window.pending] = [[], []];
    navigator.mediaDevices.getUserMedia = async function (wanted) {
        await new Promise((allow) => pending.push(allow));
        opened.push(await ask.call(this, wanted));
        return opened.at(-1);
    };
    window.live = () => opened.map((stream) => stream.getTracks()[0].readyState === "live").join();
}"""


def test_a_recording_that_is_stopped_while_the_browser_asks_leaves_no_microphone_on(tab):
    page = tab.page
    page.click("button[role=tab]:has-text('Teach')")
    page.wait_for_selector(f"{TEACH} .af-pupil")
    page.evaluate(ASKING)
    before, record = examples(tab), f"{TEACH} .af-pupil >> nth=0 >> .af-controls button >> nth=0"
    page.dblclick(record)
    page.click(record)
    page.wait_for_function("pending.length === 2")
    page.evaluate("pending[0]()")
    page.wait_for_function("live() === 'false'")
    assert page.get_attribute(record, "aria-pressed") != "true"
    page.evaluate("pending[1]()")
    page.wait_for_selector(f"{TEACH} [aria-pressed=true]")
    page.wait_for_timeout(500)  # a recording takes its time
    page.click(record)
    page.wait_for_function("live() === 'false,false'")
    page.wait_for_function(f"document.querySelector('{TEACH}').dataset.examples === '{before + 1}'")
    page.evaluate("delete navigator.mediaDevices.getUserMedia")


def test_what_is_taught_is_the_page_s_own(browser, address):
    other = Tab(browser, address)
    assert "yours" not in other.text("#af-checkpoint")
    loaded = (
        "performance.getEntriesByType('resource').map((one) => one.name).find((name) => name.includes('/audioformer-'))"
    )
    guessed = re.sub(r"(audioformer-\w+)/.*", r"\1/taught/yours-guessed.zip", other.page.evaluate(loaded))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(guessed)
    other.close()
