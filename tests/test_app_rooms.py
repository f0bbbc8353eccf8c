"""The rooms as a user meets them: do the thing in a real browser, look at what is on the page."""

import re

import pytest
from app_page import Tab, box_of

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def enter(tab, room):
    """Open a room and wait for its first answer."""
    tab.page.click(f"button[role=tab]:has-text('{room.title()}')")
    tab.page.wait_for_selector(f".af-room[data-room={room}][data-answer]")


def after(tab, room, act):
    """Do something and wait for the room's next answer."""
    before = tab.page.get_attribute(f".af-room[data-room={room}]", "data-answer")
    act()
    script = "([room, old]) => document.querySelector(`.af-room[data-room=${room}]`).dataset.answer !== old"
    tab.page.wait_for_function(script, arg=[room, before])


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address)
    yield tab
    tab.close()


@pytest.fixture
def masked(tab):
    enter(tab, "mask")
    after(tab, "mask", lambda: tab.page.click(".af-random"))
    return tab


def inside(tab, room, kind):
    return box_of(tab.page, f".af-room[data-room={room}] [data-kind={kind}] canvas")


def test_codes_are_hidden_and_guessed(masked):
    told = masked.text(".af-sum")
    assert "chance 3.47" in told  # log 32
    assert "chance 3.1 %" in told
    assert masked.page.query_selector(".af-room[data-room=mask] [data-kind=lines]")
    assert len(masked.page.query_selector_all(".af-place .af-bars li")) == 5
    assert len(masked.page.query_selector_all(".af-classes .af-bars li")) == 3


def test_painting_hides_and_shows_again(masked):
    after(masked, "mask", lambda: masked.page.click(".af-clear"))
    assert "Nothing is hidden" in masked.text(".af-sum")
    masked.page.click(".af-brush")
    box = inside(masked, "mask", "codes")
    y = box["y"] + box["height"] / 2

    def stroke():
        masked.page.mouse.move(box["x"] + box["width"] * 0.2, y)
        masked.page.mouse.down()
        masked.page.mouse.move(box["x"] + box["width"] * 0.4, y, steps=3)
        masked.page.mouse.up()

    after(masked, "mask", stroke)
    hidden = masked.page.evaluate("document.querySelector('.af-sum .af-fact b').innerText")
    assert hidden == "20 %"  # of two rows of a clip of 5 s
    after(masked, "mask", stroke)
    assert "Nothing is hidden" in masked.text(".af-sum")
    masked.page.click(".af-brush")


def test_a_guess_and_the_filling_are_heard(masked):
    masked.page.click(".af-place .af-guess")
    masked.page.wait_for_function("document.querySelector('.af-room[data-room=mask]').dataset.heard")
    for name in ("gap", "steps"):
        masked.page.click(f".af-room[data-room=mask] [data-sound={name}]")
        masked.page.wait_for_selector(f".af-room[data-room=mask][data-sound={name}]")
    assert "of the hidden codes are the true ones" in masked.text(".af-room[data-room=mask] .af-status")
    masked.page.wait_for_selector(".af-room[data-room=mask][data-step='8']")  # it was filled before one's eyes
    masked.page.focus(".af-fill-step")
    masked.page.keyboard.press("Home")
    masked.page.wait_for_selector(".af-room[data-room=mask][data-step='0']")
    assert re.match(r"step 0 of 8: 0 of \d+ codes filled", masked.text(".af-filling output"))
    masked.page.click(".af-room[data-room=mask] [data-sound=original]")


def test_attention_follows_the_moment_and_the_head(tab):
    enter(tab, "attention")
    assert len(tab.page.query_selector_all(".af-grid button")) == 2
    box = inside(tab, "attention", "image")
    tab.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    tab.page.wait_for_function(
        "document.querySelector('.af-room[data-room=attention]').dataset.moment?.startsWith('0:0:187')"
    )
    assert re.search(r"Moment\s+2\.\d\d s\s+looks most at", tab.text(".af-told"))
    after(tab, "attention", lambda: tab.page.click(".af-grid button >> nth=1"))
    tab.page.wait_for_function("document.querySelector('.af-room[data-room=attention]').dataset.moment === '0:1:187'")
    tab.page.focus(".af-square")
    tab.page.keyboard.press("ArrowDown")
    tab.page.wait_for_function("document.querySelector('.af-room[data-room=attention]').dataset.moment === '0:1:188'")
    tab.page.click(".af-weighted")
    assert (
        int(tab.page.get_attribute(".af-room[data-room=attention]", "data-heard")) == 24_000
    )  # a window of one second


def test_a_selection_in_one_room_is_a_selection_in_all(tab):
    enter(tab, "mask")
    box = inside(tab, "mask", "image")
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + box["width"] * 0.2, y)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.4, y, steps=3)
    tab.page.mouse.up()
    tab.page.click("button[role=tab]:has-text('Listen')")
    assert tab.page.is_visible(".af-listen .af-stretch")
    start, end = map(float, re.match(r"Selected ([\d.]+)-([\d.]+) s", tab.text(".af-listen .af-status")).groups())
    assert (start, end) == pytest.approx((1, 2), abs=0.02)
    assert tab.page.is_visible(".af-listen .af-playhead")  # it goes on playing
    tab.page.focus(".af-listen .af-plot")
    tab.page.keyboard.press("Escape")


def test_codes_are_changed_and_undone(tab):
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.click(".af-listen .af-tools button:has-text('Change codes')")
    tab.page.select_option(".af-rows", "1")
    tab.page.click("[data-edit=silence]")
    tab.page.wait_for_selector(".af-listen[data-edits='1']")
    assert "of the codes changed: now" in tab.text(".af-edited")
    assert tab.page.get_attribute("[data-sound=edited]", "aria-checked") == "true"
    tab.page.click(".af-undo")
    tab.page.wait_for_selector(".af-listen[data-edits='0']")
    assert tab.text(".af-edited") == "As it was."
    assert tab.page.query_selector("[data-sound=edited]") is None


def test_small_changes_are_counted_heard_and_seen(tab):
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.click(".af-listen .af-tools button:has-text('Small changes')")
    tab.page.wait_for_selector(".af-stability[data-shown]")
    table = tab.page.locator(".af-stay tr")
    assert table.count() == 1 + 9  # seven shifts, louder, noise
    assert table.nth(7).locator("th").inner_text() == "▶ 320 samples later: one whole frame"
    shares = [int(text[:-2]) for text in table.nth(7).locator("td").all_inner_texts()]
    assert len(shares) == 3
    assert min(shares) > 95  # the codes move along
    table.nth(4).locator("button").click()
    tab.page.wait_for_selector(".af-listen[data-varied='3']")
    assert tab.page.get_attribute("[data-sound=varied]", "aria-checked") == "true"
    assert re.search(r"Heard: .*160 samples later.* The classifier hears \w+, \d+ %", tab.text(".af-stability"))
    tab.page.click("[data-sound=original]")
    tab.page.click(".af-listen .af-tools button:has-text('Small changes')")


def test_results_are_chosen_and_their_address_brings_them_back(tab, browser):
    enter(tab, "results")
    room = ".af-room[data-room=results]"
    tab.page.wait_for_selector(f"{room}[data-drawn='probe:esc10']")
    assert "chance" in tab.page.get_attribute(f"{room} .af-result-chart", "aria-label")
    letters = f"getComputedStyle(document.querySelector('{room} .legendtext')).fontSize"
    for _ in range(2):  # as large in the dark as in the light
        tab.page.click(".af-theme")
        tab.page.wait_for_function(f"{letters} === '13px'")
    tab.page.select_option(f"{room} .af-set", "digits")
    tab.page.wait_for_selector(f"{room}[data-drawn='probe:digits']")
    tab.page.select_option(f"{room} .af-result", "adapt")
    tab.page.wait_for_selector(f"{room}[data-drawn='adapt:null']")
    assert not tab.page.is_visible(f"{room} .af-set")
    assert tab.text(f"{room} code").startswith("audioformer bench adapt")
    tab.page.wait_for_function("location.hash.includes('result=adapt')")
    other = Tab(browser, tab.page.url)
    other.page.wait_for_selector(f"{room}[data-drawn='adapt:null']")
    other.close()
    tab.page.click("button[role=tab]:has-text('Listen')")


@pytest.mark.parametrize(
    ("wish", "shows"),
    [
        (
            "room=mask&span=999999&ratio=0",
            "['.af-ratio', '.af-span'].map((one) => document.querySelector(one).value).join() === '2,300'",
        ),
        (
            "room=results&result=x&on=moon",
            "document.querySelector('.af-room[data-room=results]').dataset.drawn === 'probe:esc10'",
        ),
        ("room=attention&layer=77&head=77", "document.querySelector('.af-grid [aria-selected=true] + *') === null"),
    ],
)
def test_what_an_address_asks_beyond_what_there_is_opens_the_room_all_the_same(browser, address, wish, shows):
    tab = Tab(browser, f"{address}#{wish}")
    tab.page.wait_for_selector(f".af-room[data-room={wish.split('&')[0][5:]}][data-answer]")
    tab.page.wait_for_function(shows)
    assert tab.page.query_selector(".af-message") is None
    tab.close()


JOIN = "**/gradio_api/queue/join*"


def test_a_question_that_the_server_refuses_is_told_and_asked_again(browser, address):
    tab, refused = Tab(browser, address), []
    tab.page.wait_for_function("/differs by/.test(document.querySelector('.af-kept').innerText)")
    tab.page.clock.install()
    tab.page.route(
        JOIN, lambda route: (refused.append(1), route.fulfill(status=503, json={"detail": "Queue is full."}))
    )
    tab.page.click("button[role=tab]:has-text('Mask')")
    tab.page.wait_for_selector(".af-room[data-room=mask].af-busy")
    tab.page.click(".af-room[data-room=mask] .af-clear")  # nothing is there yet to be shown again
    while not refused:
        tab.page.wait_for_timeout(100)
    tab.page.clock.fast_forward(91_000)
    tab.page.wait_for_selector(".af-room[data-room=mask] .af-late")
    assert "Try again" in tab.text(".af-late")
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.unroute(JOIN)
    tab.page.clock.fast_forward(91_000)
    tab.page.click("button[role=tab]:has-text('Mask')")
    tab.page.wait_for_selector(".af-room[data-room=mask][data-answer]")
    assert tab.page.query_selector(".af-late") is None
    assert all("503" in text for text in tab.complaints), tab.complaints
    tab.complaints.clear()
    tab.close()


def test_a_server_that_is_gone_is_told_beside_what_stays_and_the_page_opens_anew(browser, address):
    tab = Tab(browser, address)
    tab.page.wait_for_function("/differs by/.test(document.querySelector('.af-kept').innerText)")
    shown, everything = tab.text(".af-file"), "**/gradio_api/**"
    tab.page.route(everything, lambda route: route.abort())
    tab.page.click(".af-tile[data-label=rain]")
    tab.page.wait_for_selector(".af-message.af-stays")
    assert "The server does not answer" in tab.text(".af-message")
    assert tab.page.get_attribute(".af-tile.af-on", "title") == tab.text(".af-file") == shown
    tab.page.click(".af-play >> nth=0")
    assert tab.page.is_visible(".af-message.af-stays")
    assert not tab.page.is_visible(".toast-wrap")  # Gradio's own words, over the picture
    tab.page.unroute(everything)
    tab.page.wait_for_selector(".af-stays", state="detached")
    tab.page.wait_for_selector(".af-clip[data-token]")
    tab.complaints.clear()
    tab.close()


# what a finger is to hit, and is lower than 44 pixels
SMALL = """() => [...document.querySelectorAll('#af-own button, #af-rooms [role=tab], .af-bar button, #af-head button')]
    .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 44).map((one) => one.textContent)"""


# what of a room reaches beyond the screen, or lies in a second column of the room
BESIDE = """() => [...document.querySelectorAll('.af-room > *, .af-room .af-card')].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 1
    || (one.parentElement.matches('.af-room') && getComputedStyle(one).gridColumnStart !== 'auto'))
    .map((one) => one.className)"""


def test_every_room_fits_a_phone_in_the_dark(browser, address):
    tab = Tab(browser, address, color_scheme="dark", **PHONE)
    script = (
        "(name) => [...document.querySelectorAll('#af-rooms [role=tab]')]"
        ".find((tab) => tab.innerText.trim() === name).click()"
    )
    assert tab.page.evaluate(SMALL) == []
    place = {name: box_of(tab.page, name) for name in (".af-record-own", "#af-samples", ".af-listen .af-plot")}
    assert place[".af-record-own"]["y"] < place[".af-listen .af-plot"]["y"]  # one's own sound is asked for first
    for room in "Listen Mask Flow Switches Attention Why Map Files Sight Live Teach Results".split():
        tab.page.evaluate(script, room)
        if room != "Listen":
            answered = "" if room in ("Files", "Live") else "[data-answer]"
            tab.page.wait_for_selector(f".af-room[data-room={room.lower()}]{answered}", state="attached")
        wide, inner = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner, room
        assert tab.page.evaluate(BESIDE) == [], room
    looks = tab.page.evaluate("[...document.querySelectorAll('.af-plot[data-look]')].map((one) => one.dataset.look)")
    assert set(looks) == {"dark"}
    tab.close()
