"""Everything that can be saved from the page is saved, in a real browser, and opened again."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import soundfile
from app_page import Tab

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def tab(browser, address):
    tab = Tab(browser, address)
    yield tab
    tab.close()


def save(tab, menu, kind, folder):
    """Choose a kind in a menu; returns the file that the browser saved."""
    tab.page.click(f"{menu} summary")
    with tab.page.expect_download() as waiting:
        tab.page.click(f"{menu} [data-save={kind}]")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.suffix == f".{kind}"
    return path


def is_png(path):
    content = path.read_bytes()
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    return content.startswith(b"\x89PNG") and width > 600 and height > 300


def opened(browser, path):
    """A saved page in a browser without a network: its text and what it holds."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    return context, page


LISTEN, ATTENTION, CURVE = (
    "#af-view .af-tools .af-save",
    ".af-room[data-room=attention] .af-keepers .af-save",
    ".af-curve .af-save",
)


def test_a_clip_is_saved_as_picture_drawing_page_values_and_sound(tab, browser, tmp_path):
    assert is_png(save(tab, LISTEN, "png", tmp_path))
    drawing = ElementTree.parse(save(tab, LISTEN, "svg", tmp_path)).getroot()
    words = {text.text for text in drawing.iter(f"{SVG}text")}
    assert {"Waveform air pressure over time", "Spectrogram Hz"} <= words
    assert any(word.endswith(" s") for word in words)  # the time axis says its unit
    assert "Code grid: 3 codebooks" in drawing.get("aria-label")
    assert len(list(drawing.iter(f"{SVG}image"))) == 2  # log-mel and codes
    rows = list(csv.DictReader(io.StringIO(save(tab, LISTEN, "csv", tmp_path).read_text())))
    assert len(rows) == 375  # 5 s at 75 frames a second
    assert {"time_s", "codebook_1", "codebook_3"} <= set(rows[0])
    sound, rate = soundfile.read(save(tab, LISTEN, "wav", tmp_path))
    assert len(sound) / rate == pytest.approx(5, abs=0.01)
    context, page = opened(browser, save(tab, LISTEN, "html", tmp_path))
    page.wait_for_function("document.querySelector('audio').duration > 4.9")
    assert page.query_selector("svg[role=img]")
    assert "codebook_1" in page.inner_text("details") or "codebook_1" in page.text_content("details")
    context.close()


def test_an_attention_map_is_saved_with_its_weights(tab, browser, tmp_path):
    tab.page.click("button[role=tab]:has-text('Attention')")
    tab.page.wait_for_selector(".af-room[data-room=attention][data-answer]")
    assert is_png(save(tab, ATTENTION, "png", tmp_path))
    drawing = ElementTree.parse(save(tab, ATTENTION, "svg", tmp_path)).getroot()
    assert "moment that looks (s)" in {text.text for text in drawing.iter(f"{SVG}text")}
    assert "Attention, layer 1, head 1" in drawing.get("aria-label")
    head, *rows = csv.reader(io.StringIO(save(tab, ATTENTION, "csv", tmp_path).read_text()))
    weights = np.array(rows, float)[:, 1:]
    assert weights.shape == (len(head) - 1, len(head) - 1)
    assert weights.min() >= 0
    assert weights.max() == pytest.approx(
        float(tab.page.get_attribute(".af-room[data-room=attention]", "data-top")), rel=1e-3
    )
    context, page = opened(browser, save(tab, ATTENTION, "html", tmp_path))
    assert page.query_selector("svg[role=img] image")
    context.close()


def test_the_curve_of_the_codebooks_is_saved_and_stays_alive(tab, browser, tmp_path):
    tab.page.click("button[role=tab]:has-text('Listen')")
    tab.page.click(".af-listen .af-tools button:has-text('Each codebook')")
    tab.page.wait_for_selector(".af-curve[data-drawn]")
    assert save(tab, CURVE, "png", tmp_path).read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(save(tab, CURVE, "svg", tmp_path))
    head, *rows = csv.reader(io.StringIO(save(tab, CURVE, "csv", tmp_path).read_text()))
    assert head == ["trace", "x", "y"]
    assert len(rows) >= 3
    assert all(re.fullmatch(r"-?[\d.]+(e-?\d+)?", y) for _, _, y in rows)
    context, page = opened(browser, save(tab, CURVE, "html", tmp_path))
    page.wait_for_selector("#figure .main-svg")
    assert page.query_selector("[data-title*='loud']") is None
    context.close()
