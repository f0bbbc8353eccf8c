"""The room Why as a user meets it: ask, look, test the answer, hear the evidence."""

import re

import pytest
from app_page import Tab
from test_app_rooms import enter

ROOM = ".af-room[data-room=why]"


def settled(tab):
    """Wait until map, curves and evidence are all there."""
    tab.page.wait_for_selector(f"{ROOM} .af-trust[data-drawn]")
    tab.page.wait_for_selector(f"{ROOM} .af-alone[data-parts='evidence rest']")


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address)
    enter(tab, "why")
    settled(tab)
    yield tab
    tab.close()


def test_a_label_is_explained_tested_and_weighed(tab):
    top = tab.page.get_attribute("[data-top]", "data-top")
    assert tab.page.get_attribute(f"{ROOM} .af-map", "data-label") == top
    assert "with everything hidden" in tab.text(f"{ROOM} .af-map")
    assert len(tab.page.query_selector_all(f"{ROOM} .af-map .af-bars li")) == 2  # rows of the test models
    assert re.search(r"Area between the lines -?\d\.\d\d, in random order -?\d\.\d\d", tab.text(f"{ROOM} .af-gain"))
    assert "Probability of" in tab.page.get_attribute(f"{ROOM} .af-chart", "aria-label")
    assert re.search(r"Only this\s+\d+ %", tab.text(f"{ROOM} .af-alone"))
    assert "dashed: no effect" in tab.text(f"{ROOM} .af-lane[data-kind=lines]")


def test_another_label_and_another_way_of_asking(tab):
    first = tab.page.get_attribute(f"{ROOM} .af-map", "data-label")
    offered = tab.page.eval_on_selector_all(f"{ROOM} .af-label option", "all => all.map((one) => one.text)")
    other = next(text for text in offered if text != first)
    tab.page.select_option(f"{ROOM} .af-label", label=other)
    tab.page.wait_for_selector(f"{ROOM} .af-map[data-label='{other}']")
    tab.page.select_option(f"{ROOM} .af-method", "rollout")
    tab.page.wait_for_selector(f"{ROOM} .af-map[data-method=rollout][data-label='{other}']")
    assert "Rollout knows no label" in tab.text(f"{ROOM} .af-map")
    pytest.importorskip("captum", reason='needs Captum: pip install "audioformer[app]"')
    tab.page.select_option(f"{ROOM} .af-method", "gradients")
    tab.page.wait_for_selector(f"{ROOM} .af-map[data-method=gradients][data-label='{other}']")
    assert "nats" in tab.text(f"{ROOM} .af-map")
    tab.page.wait_for_selector(f"{ROOM} .af-trust[data-drawn^='gradients:']")


def test_the_evidence_is_chosen_and_heard(tab):
    pull = "(one) => { one.value = 50; for (const what of ['input', 'change']) one.dispatchEvent(new Event(what)); }"
    tab.page.eval_on_selector(f"{ROOM} .af-top-share", pull)
    settled(tab)
    assert "from 50 % of the clip" in tab.text(f"{ROOM} .af-alone")
    tab.page.click(f"{ROOM} [data-sound=evidence]")
    tab.page.click(f"{ROOM} .af-play")
    assert tab.page.get_attribute(f"{ROOM} .af-play", "aria-pressed") == "true"
    assert tab.page.get_attribute(f"{ROOM} [data-sound=evidence]", "aria-checked") == "true"
    tab.page.focus(f"{ROOM} .af-plot")
    tab.page.keyboard.press("b")  # swaps to the next sound
    assert tab.page.get_attribute(f"{ROOM} [data-sound=rest]", "aria-checked") == "true"
    tab.page.keyboard.press("Escape")
    assert tab.page.get_attribute(f"{ROOM} .af-play", "aria-pressed") == "false"
