"""The room Switches as a user meets it: a click on a part, and the label moves."""

import pytest
from app_page import Tab

ROOM = ".af-room[data-room=switches]"


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, f"{address}#room=switches")
    tab.page.wait_for_selector(f"{ROOM}[data-off='0']")
    yield tab
    tab.close()


def part(kind, name):
    return f"{ROOM} .af-board .af-switch[data-kind={kind}][data-part='{name}']"


def test_a_part_goes_off_and_on_and_the_label_with_it(tab):
    before = tab.page.get_attribute(ROOM, "data-now")
    tab.page.click(part("rows", 0))
    tab.page.wait_for_selector(f"{ROOM}[data-off='1']")
    assert tab.page.get_attribute(part("rows", 0), "aria-checked") == "false"
    assert tab.page.get_attribute(ROOM, "data-now") != before
    assert "points" in tab.text(f"{ROOM} .af-verdict-now")
    tab.page.focus(part("rows", 0))
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("Enter")  # the first head
    tab.page.wait_for_selector(f"{ROOM}[data-off='2']")
    assert tab.page.get_attribute(part("heads", "0:0"), "aria-checked") == "false"
    tab.page.click(f"{ROOM} .af-reset")
    tab.page.wait_for_selector(f"{ROOM}[data-off='0'][data-now='{before}']")


def test_each_in_turn_writes_a_number_on_every_part(tab):
    tab.page.click(f"{ROOM} .af-turn")
    tab.page.wait_for_selector(f"{ROOM}[data-turned]")
    numbers = tab.page.locator(f"{ROOM} .af-board .af-switch small").all_inner_texts()
    assert len(numbers) == 1 + 2 + 1 + 1  # rows, heads, units, the whole block
    assert all(number[0] in "−+" for number in numbers)


def test_a_unit_is_switched_off_and_what_drives_it_is_heard(tab):
    tab.page.click(f"{ROOM} .af-show-units")
    tab.page.wait_for_selector(f"{ROOM}[data-units='0']")
    unit = f"{ROOM} .af-unit >> nth=0"
    tab.page.click(f"{unit} >> .af-switch")
    tab.page.wait_for_selector(f"{ROOM}[data-off='1']")
    tab.page.click(f"{unit} >> .af-what")
    tab.page.wait_for_selector(f"{ROOM}[data-drive]")
    assert tab.page.locator(f"{ROOM} .af-moment-heard").count() == 5
    assert "activation" in tab.text(f"{ROOM} .af-view")
    tab.page.click(f"{ROOM} .af-moment-heard >> nth=0")
    assert tab.page.get_attribute(ROOM, "data-heard")
