"""Rendered notebooks: pages that open offline, pictures for code hosting, and whether they are current."""

import base64
import html
import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest

from audioformer.files import notebooks_folder
from audioformer.plots.notebook_page import formulas_as_mathml

FOLDER = notebooks_folder()
SOURCES = sorted((FOLDER / "src").glob("*.py"))


@pytest.fixture(scope="module")
def renderer():
    spec = importlib.util.spec_from_file_location("notebooks_render", FOLDER / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose(source):
    return "\n".join(line[2:] for line in source.read_text(encoding="utf-8").splitlines() if line.startswith("# "))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_formula_can_be_read_without_a_formula_script(source):
    text = formulas_as_mathml(prose(source))
    assert not re.search(r"\$[^$\n]+\$", text)
    for formula in re.findall("<math.*?</math>", text):
        written = re.sub("<[^>]*>", "", formula)
        assert not re.search(r"[\\{}^_]", written), written  # nothing left that is TeX


def test_a_formula_keeps_its_meaning():
    text = formulas_as_mathml(r"is $-\sum_v p_v \log p_v$.")
    assert re.sub("<[^>]*>", "", html.unescape(text)) == "is −∑vpvlogpv."
    assert text.count("<msub>") == 3
    assert formulas_as_mathml("costs 5 $ and 6") == "costs 5 $ and 6"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_link_of_the_site_leads_to_a_page_of_it(source, renderer):
    pages = {f"{path.stem}.html" for path in [*SOURCES, *(FOLDER / "handouts").glob("*.md")]}
    text = renderer.linked(prose(source)).replace(".ipynb", ".html")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
    assert links
    assert {link for link in links if not link.startswith(("https:", "#"))} <= pages


@pytest.fixture(scope="module")
def rendered(renderer, tmp_path_factory, chromium_path):
    """The index, rendered: one figure, one sound."""
    assert chromium_path
    pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOFORMER_FAST", "1")
        patch.setenv("AUDIOFORMER_RENDERER", "plotly_mimetype")
        out = tmp_path_factory.mktemp("tutorials")
        assert renderer.main(["index", "-o", str(out)]) == 0
    return out


def test_the_notebook_for_code_hosting_holds_pictures_and_nothing_that_moves(rendered):
    text = (rendered / "index.ipynb").read_text(encoding="utf-8")
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]
    still = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(still) == 2  # the figure, and the spectrogram in place of the sound
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in still)
    assert (rendered / ".nojekyll").is_file()
    assert "Code grid: 8 codebooks" in text
    assert "a sound" in text
    assert "plotly" not in text.lower().replace("plotly_mimetype", "")


def test_a_page_opens_offline_with_moving_figures_sounds_and_links(rendered, chromium_path):
    from playwright.sync_api import sync_playwright

    asked = []
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(120_000)  # a loaded machine is slow, not wrong
        page.goto((rendered / "index.html").as_uri())
        page.wait_for_selector(".figure svg.main-svg", timeout=120_000)
        assert page.locator(".figure [role=img]").first.get_attribute("aria-label").startswith("Code grid")
        assert page.locator("audio").count() == 1
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
        browser.close()
    assert "01_from_sound_to_codes.html" in links
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


def test_a_page_sent_alone_still_has_its_pictures(rendered, chromium_path, tmp_path):
    from playwright.sync_api import sync_playwright

    shutil.copyfile(rendered / "index.html", tmp_path / "alone.html")
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto((tmp_path / "alone.html").as_uri())
        assert page.eval_on_selector(".figure img", "image => image.naturalWidth") > 500
        browser.close()


def test_copies_that_are_not_current_are_named(renderer, rendered, monkeypatch, capsys):
    assert renderer.main(["index", "--check", "-o", str(rendered)]) == 0
    assert renderer.main(["index", "01", "--check", "-o", str(rendered)]) == 1
    assert "01_from_sound_to_codes: its copy" in capsys.readouterr().err
    monkeypatch.setattr(renderer, "identity", lambda _source: "another")
    assert renderer.main(["index", "--check", "-o", str(rendered)]) == 1
    assert "index: its copy" in capsys.readouterr().err


def test_another_source_has_another_identity(renderer, tmp_path):
    copy = tmp_path / "01_from_sound_to_codes.py"
    shutil.copyfile(FOLDER / "src" / copy.name, copy)
    before = renderer.identity(copy)
    assert before == renderer.identity(Path(copy))
    copy.write_text(copy.read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8")
    assert renderer.identity(copy) != before
