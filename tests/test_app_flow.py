"""The strip and the room Flow as a user meets them."""

import re

import pytest
from app_page import Tab
from test_app_rooms import PHONE

ROOM = ".af-room[data-room=flow]"
STRIP = ".af-room[data-room=strip]"
WALK = "sound frame codes tokens vectors query key value fit mix out units back mean label".split()


def until(tab, step):
    tab.page.wait_for_selector(f"{ROOM}[data-shown^='{step}:']")


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address)
    tab.page.wait_for_selector(f"{STRIP}[data-frame] .af-box >> nth=7")
    yield tab
    tab.close()


@pytest.fixture
def flow(tab):
    tab.page.click("button[role=tab]:has-text('Flow')")
    tab.page.wait_for_selector(f"{ROOM}[data-shown]")
    return tab


def test_the_strip_is_in_sight_and_lights_the_boxes_of_the_room(tab):
    names = tab.page.locator(f"{STRIP} .af-box b").all_inner_texts()
    assert names[:5] == ["Sound", "Frame", "Codes", "Tokens", "Vector"]
    assert names[-1] == tab.page.get_attribute("[data-top]", "data-top")
    tab.page.wait_for_selector(f"{STRIP} .af-box.af-lit[data-step=codes]")
    tab.page.click("button[role=tab]:has-text('Attention')")
    tab.page.wait_for_selector(f"{STRIP} .af-box.af-lit[data-step=query]")
    before = tab.page.get_attribute(STRIP, "data-frame")
    tab.page.wait_for_selector(".af-room[data-room=attention][data-answer]")
    tab.page.focus(".af-room[data-room=attention] .af-plot")
    tab.page.keyboard.press("Shift+ArrowLeft")  # another moment, and the strip follows
    tab.page.wait_for_function(
        "([strip, old]) => document.querySelector(strip).dataset.frame !== old", arg=[STRIP, before]
    )
    tab.page.click("button[role=tab]:has-text('Listen')")


def test_a_box_opens_the_room_there(tab):
    tab.page.click(f"{STRIP} .af-box[data-step=label]")
    until(tab, "label")
    assert tab.page.get_attribute("button[role=tab]:has-text('Flow')", "aria-selected") == "true"
    tab.page.wait_for_selector(f"{STRIP} .af-box.af-lit[data-step=label]")
    top = tab.page.get_attribute("[data-top]", "data-top")
    assert tab.text(f"{ROOM} .af-sum-name") == top
    tab.page.wait_for_function("location.hash.includes('step=label')")


def test_the_walk_goes_through_every_step_and_back(flow):
    flow.page.click(f"{STRIP} .af-box[data-step=sound]")
    until(flow, "sound")
    assert flow.page.is_disabled(f"{ROOM} .af-back")
    flow.page.focus(f"{ROOM} .af-next")
    for number, step in enumerate(WALK):
        until(flow, step)
        assert f"{number + 1} of {len(WALK)}" in flow.text(f"{ROOM} .af-count")
        assert len(flow.text(f"{ROOM} .af-flow-say span")) > 20
        if step != WALK[-1]:
            flow.page.keyboard.press("Enter")
    assert flow.page.is_disabled(f"{ROOM} .af-next")
    flow.page.click(f"{ROOM} .af-back")
    until(flow, "mean")


def test_one_output_is_written_out_and_adds_up(flow):
    flow.page.click(f"{STRIP} .af-box[data-step=query]")
    flow.page.click(f"{ROOM} [data-inside=value]")
    until(flow, "value")
    grid = f"{ROOM} .af-product-grid"
    flow.page.focus(grid)
    for key in ("ArrowDown", "ArrowUp", "ArrowUp"):  # at an edge a key has no effect
        before = int(flow.page.get_attribute(f"{ROOM} .af-opened", "data-cell"))
        after = max(0, min(7, before + (1 if key == "ArrowDown" else -1)))
        flow.page.keyboard.press(key)
        flow.page.wait_for_selector(f"{ROOM} .af-opened[data-cell='{after}']")
        assert flow.page.evaluate("document.activeElement.classList.contains('af-product-grid')")
    text = flow.text(f"{ROOM} .af-sum-line").replace("−", "-").replace("\n", " ")
    products = [float(a) * float(b) for a, b in re.findall(r"\(?(-?[\d.]+)\)? × \(?(-?[\d.]+)\)?", text)]
    more = [float(one) for one in re.findall(r"(?:more products|bias) \(?(-?[\d.]+)\)?", text)]
    value = float(flow.page.get_attribute(f"{ROOM} .af-opened", "data-value"))
    assert len(products) == 4
    assert sum(products) + sum(more) == pytest.approx(value, abs=0.15)  # shown with two digits
    assert re.search(r"number \d+: ", flow.page.get_attribute(grid, "aria-label"))


def test_another_head_and_another_moment(flow):
    flow.page.click(f"{STRIP} .af-box[data-step=query]")
    flow.page.wait_for_selector(f"{ROOM} .af-inside:visible")
    flow.page.click(f"{ROOM} [data-inside=fit]")
    until(flow, "fit")
    flow.page.select_option(f"{ROOM} .af-head", label="2")
    until(flow, "fit:0:1")
    assert "Head 2" in flow.text(f"{ROOM} .af-flow-say")
    frame = int(flow.page.get_attribute(ROOM, "data-shown").split(":")[-1])
    flow.page.focus(f"{ROOM} .af-plot")
    flow.page.keyboard.press("ArrowLeft")
    flow.page.wait_for_selector(f"{ROOM}[data-shown='fit:0:1:{frame - 1}']")
    flow.page.wait_for_selector(f"{STRIP}[data-frame='{frame - 1}']")


@pytest.mark.parametrize("screen", [{"color_scheme": "dark"}, PHONE])
def test_an_address_opens_a_step_on_every_screen(browser, address, screen):
    tab = Tab(browser, f"{address}#room=flow&step=fit&head=1&block=9", **screen)
    tab.page.wait_for_selector(f"{ROOM}[data-shown^='fit:0:1']")
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.page.query_selector(".af-message") is None
    tab.close()
