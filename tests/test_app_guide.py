"""The address that restores a view, hostile addresses, and the guided tour, in a real browser."""

import re
import urllib.parse
from types import SimpleNamespace

import pytest
from app_page import Tab, box_of
from app_weights import make_weights

from audioformer.files import notebooks_folder, samples_folder
from audioformer_app import analysis, models, samples, texts
from audioformer_app.reader import NOTEBOOKS
from audioformer_app.tour import TOUR

DOG = sorted(path.name for path in (samples_folder() / "audio").iterdir() if path.stem.endswith("-0"))[0]
RAIN = sorted(path.name for path in (samples_folder() / "audio").iterdir() if path.stem.endswith("-10"))[0]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


# --- what the server makes of an address


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from audioformer_app.events import Page

    offered = models.Models(*make_weights(tmp_path_factory.mktemp("weights")))
    return Page(offered, samples.list_samples())


@pytest.fixture(scope="module")
def shown(page):
    path = samples_folder() / "audio" / DOG
    return analysis.analyse(analysis.open_clip(path), 0, "small", "animals", page.models)


def opened(page, shown, data):
    return page.open(shown, "small", "animals", SimpleNamespace(_data=data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"sample": RAIN, "codec": "bigger", "checkpoint": "overlaps"}, (RAIN, "bigger", "overlaps")),
        ({"checkpoint": "overlaps"}, (DOG, "small", "overlaps")),  # what is not named stays
        (None, (DOG, "small", "animals")),
    ],
)
def test_an_address_chooses_sample_codec_and_checkpoint_together(page, shown, data, expected):
    answer = opened(page, shown, data)
    state = answer["state"]
    assert answer["message"] == ""
    assert (state.clip.name, state.codec, state.verdict.checkpoint) == expected
    assert expected[0] in answer["verdict"]
    assert (answer["codec"], answer["checkpoint"]) == expected[1:]
    assert answer["top"]["answer"]


@pytest.mark.parametrize(
    "data",
    [
        {"sample": "../../etc/passwd"},
        {"sample": "x" * 100_000},
        {"sample": 7},
        {"sample": ["a"]},
        {"sample": {"a": 1}},
        {"codec": "/etc"},
        {"codec": ["small"]},
        {"checkpoint": "<img src=x>"},
        {"checkpoint": {}},
        {"sample": "<script>"},
    ],
)
def test_a_hostile_address_changes_nothing_but_the_message(page, shown, data):
    answer = opened(page, shown, data)
    message = answer.pop("message")
    assert "not here" in message or "is not offered here" in message
    assert not re.search(r"<(img|script)", message)
    assert len(message) < 600
    assert answer.keys() == {"picker", "codec", "checkpoint", "top"}
    assert (answer["codec"], answer["checkpoint"]) == ("small", "animals")


# --- the address in a browser


def says(tab):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(tab.page.url).fragment))


def until_it_says(tab, **wanted):
    script = (
        "wanted => Object.entries(wanted).every(([name, value]) => "
        "new URLSearchParams(location.hash.slice(1)).get(name) === value)"
    )
    tab.page.wait_for_function(script, arg=wanted)


def test_the_address_restores_the_view_in_another_browser(browser, address):
    tab = Tab(browser, address)
    until_it_says(tab, sample=DOG, codec="small", checkpoint="animals", room="listen")
    tab.until_new(lambda: tab.page.click(f".af-tile[title='{RAIN}']"))
    tab.until_new(lambda: tab.page.click("#af-checkpoint label:has-text('overlaps')"))
    tab.page.focus("#af-view .af-plot")
    for key in ("Shift+ArrowRight", "ArrowDown", "[", "Shift+ArrowRight", "]"):
        tab.page.keyboard.press(key)
    tab.page.click("button[role=tab]:has-text('Attention')")
    until_it_says(tab, sample=RAIN, checkpoint="overlaps", room="attention", row="2", frame="20")
    url = tab.page.url
    told = says(tab)
    tab.page.go_back()
    until_it_says(tab, room="listen")
    assert tab.page.get_attribute("button[role=tab]:has-text('Listen')", "aria-selected") == "true"
    tab.page.go_forward()
    until_it_says(tab, room="attention")
    tab.close()
    assert float(told["from"]) == pytest.approx(10 / 75, abs=0.002)
    other = Tab(browser, url)
    other.page.wait_for_function(f"document.querySelector('.af-file')?.innerText === '{RAIN}'")
    other.page.wait_for_selector(".af-room[data-room=attention][data-answer]")
    until_it_says(other, **told)
    assert "checkpoint overlaps" in other.text(".af-meta")
    assert other.page.is_checked("#af-checkpoint input[value=overlaps]")
    assert other.page.get_attribute("button[role=tab]:has-text('Attention')", "aria-selected") == "true"
    assert other.page.is_visible(".af-room[data-room=attention] .af-stretch")
    other.close()


@pytest.mark.parametrize(
    "hash_text",
    [
        "sample=<img src=x onerror=alert(1)>&room=listen&from=9&to=1",
        "room=__proto__&row=-1&frame=1e9&codec=../x",
        "x" * 5000,
        "%E0%A4%A",
    ],
)
def test_an_address_of_nonsense_opens_the_usual_page(browser, address, hash_text):
    tab = Tab(browser, f"{address}#{hash_text}")
    until_it_says(tab, sample=DOG, room="listen")
    assert "from" not in says(tab)
    assert tab.page.query_selector(".af-message") is None
    assert tab.text(".af-file") == DOG
    tab.close()


def test_what_is_asked_in_a_room_stands_in_the_address_and_comes_back(browser, address):
    tab = Tab(browser, f"{address}#sample={RAIN}&room=mask&ratio=40&span=9&seed=3")
    mask, why = (f".af-room[data-room={name}]" for name in ("mask", "why"))
    tab.page.wait_for_selector(f"{mask}[data-answer]")
    assert [tab.page.input_value(f"{mask} .af-{name}") for name in ("ratio", "span", "seed")] == ["40", "9", "3"]
    assert re.search(r"Hidden\s+(3\d|4\d) %", tab.text(f"{mask} .af-sum"))
    until_it_says(tab, room="mask", ratio="40", span="9", seed="3")
    tab.page.evaluate(
        "location.hash = '#room=why&by=rollout&top=30&why=cat&ratio=7'"
    )  # the last one is not asked there
    tab.page.wait_for_selector(f"{why} .af-map[data-method=rollout][data-label=cat]")
    assert tab.page.input_value(f"{why} .af-top-share") == "30"
    until_it_says(tab, room="why", by="rollout", top="30", why="cat")
    tab.page.wait_for_function("!location.hash.includes('ratio')")  # the page writes its address a moment later
    tab.page.evaluate("location.hash = '#room=attention&layer=0&head=1'")
    tab.page.wait_for_selector(".af-room[data-room=attention] .af-grid button:nth-child(2)[aria-selected=true]")
    until_it_says(tab, room="attention", layer="0", head="1")
    tab.page.evaluate("location.hash = '#room=attention&layer=77&head=%3Cb%3E'")  # there is no such layer: the last
    tab.page.wait_for_function("!location.hash.includes('77')")
    until_it_says(tab, room="attention", layer="0", head="1")
    assert tab.page.query_selector(".af-message") is None
    tab.close()


def test_an_unknown_name_in_an_address_is_told_and_the_rest_is_done(browser, address):
    tab = Tab(browser, f"{address}#sample=nothing.ogg&room=mask&from=1&to=2")
    tab.page.wait_for_selector(".af-message")
    assert "nothing.ogg" in tab.text(".af-message")
    until_it_says(tab, sample=DOG, room="mask", **{"from": "1.000", "to": "2.000"})
    tab.close()


def test_link_copies_the_address(browser, address):
    tab = Tab(browser, address, permissions=["clipboard-read", "clipboard-write"])
    until_it_says(tab, sample=DOG)
    tab.page.click(".af-link")
    tab.page.wait_for_function("document.querySelector('.af-link').textContent === 'Copied'")
    assert tab.page.evaluate("navigator.clipboard.readText()") == tab.page.url
    tab.page.click("[data-tab-id=mask]")
    tab.page.wait_for_selector(".af-room[data-room=mask][data-answer]")
    tab.page.click(".af-clear")  # by hand, like paint: too much for an address
    tab.page.click(".af-link")
    tab.page.wait_for_function("document.querySelector('.af-link').textContent === 'Copied, without what you painted'")
    tab.close()


# --- the tour


def test_every_step_names_a_notebook_that_there_is_and_text_that_is_short():
    there = {path.stem for path in notebooks_folder().glob("*.ipynb")}
    for step in TOUR:
        assert step.get("notebook", "01_from_sound_to_codes") in there
        assert 5 <= len(step["text"].split()) <= 50
    words = sum(len(step["text"].split()) for step in TOUR)
    assert words / 150 + 0.25 * len(TOUR) <= 7.5  # minutes: reading aloud, and a quarter of a minute to try each


def test_every_explanation_names_the_notebook_of_its_topic():
    there = {path.stem for path in notebooks_folder().glob("*.ipynb")}
    explanations = {
        name: text for name, text in vars(texts).items() if name.isupper() and str(text).startswith("\n####")
    }
    assert len(explanations) >= 12
    for name in explanations:
        assert NOTEBOOKS.get(name) in there, f"{name} names no notebook; give it one in NOTEBOOKS"


def test_an_explanation_leads_to_its_notebook_and_from_there_to_others(browser, address):
    tab = Tab(browser, address)
    tab.page.click(".af-help >> text=What am I looking at?")
    with tab.context.expect_page() as opened:
        tab.page.click(".af-help a:has-text('02_residual_quantisation')")
    read, asked = opened.value, []
    read.on("request", lambda request: asked.append(request.url))
    read.wait_for_selector("h1")
    assert "residual" in read.inner_text("body").lower()
    assert "audioformer lab" in read.inner_text("small")
    assert "$" not in read.inner_text("h1 ~ p >> nth=0")
    read.goto(f"{address.rstrip('/')}/notebooks/index.html")
    read.click("a[href='01_from_sound_to_codes.html'] >> nth=0")
    read.wait_for_selector("h1:has-text('01')")
    assert [url for url in asked if not url.startswith(address.rstrip("/"))] == []
    colours = (
        "[document.body, document.querySelector('pre')].map((part) => getComputedStyle(part))"
        ".map((style) => style.backgroundColor + style.color)"
    )
    seen = {}
    for look in ("light", "dark"):
        read.emulate_media(color_scheme=look)
        seen[look] = read.evaluate(colours)
    assert seen["dark"][0] == "rgb(17, 24, 39)rgb(226, 232, 240)"
    assert all(dark != light for dark, light in zip(seen["dark"], seen["light"], strict=True))
    for name in ("nothing", "..%2F..%2FREADME", "src%2F01_from_sound_to_codes"):
        assert read.request.get(f"{address.rstrip('/')}/notebooks/{name}.html").status == 404
    assert tab.complaints == []
    tab.close()


def test_the_tour_leads_to_real_parts_of_every_room(browser, address):
    tab = Tab(browser, address)
    rooms = {name.strip().lower() for name in tab.page.locator("#af-rooms [role=tab]").all_inner_texts()}
    steps = [step for step in TOUR if step.get("room") in (None, *rooms)]
    tab.page.focus(".af-tour-start")
    tab.page.keyboard.press("Enter")
    for number, step in enumerate(steps):
        tab.page.wait_for_selector(f".af-tour[data-step='{number}']")
        assert tab.text(".af-tour h2") == step["title"]
        assert tab.text(".af-tour-count") == f"{number + 1} of {len(steps)}"
        assert tab.page.is_visible(".af-tour-ring"), step["at"]
        box = box_of(tab.page, ".af-tour")
        assert 0 <= box["x"] <= 1280 - box["width"]
        assert 0 <= box["y"] <= 720 - box["height"]
        if "notebook" in step:
            assert tab.page.get_attribute(".af-tour-more a", "href") == f"notebooks/{step['notebook']}.html"
        tab.page.keyboard.press("ArrowRight" if number % 2 else "Enter")
    assert tab.page.query_selector(".af-tour") is None
    assert tab.page.evaluate("document.activeElement.classList.contains('af-tour-start')")
    tab.close()


def test_the_tour_can_be_left_anywhere_and_the_page_stays_usable(browser, address):
    tab = Tab(browser, address, **PHONE)
    tab.page.click(".af-tour-start")
    tab.page.wait_for_selector(".af-tour[data-step='0']")
    tab.page.click(".af-tour-next")
    tab.page.wait_for_selector(".af-tour[data-step='1']")
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert re.fullmatch(r"2 of (1\d)", tab.text(".af-tour-count"))  # every room has its tab on a phone too
    tab.page.click("#af-view .af-play")
    tab.page.wait_for_function("document.querySelector('#af-view .af-play').innerText.includes('Stop')")
    tab.page.keyboard.press("Escape")
    assert tab.page.query_selector(".af-tour, .af-tour-ring") is None
    tab.close()
