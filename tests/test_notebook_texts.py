"""What stands around the notebooks: links, spelling, the instructor's timings, handouts of a page, badges."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import jupytext
import pytest

from audioformer.files import notebooks_folder

FOLDER = notebooks_folder()
ROOT = FOLDER.parent
SOURCES = sorted((FOLDER / "src").glob("*.py"))
PAGES = sorted([*FOLDER.glob("*.md"), *(FOLDER / "handouts").glob("*.md")])
HANDOUTS = {"taster": "two hours", "workshop": "a day", "self-study": "evenings", "method": "only the method"}


def prose(source):
    """Text cells of a notebook's source."""
    return [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "markdown"]


def sections(source):
    """Headings of a notebook, without their numbers; the recap takes no time of its own."""
    return [
        name for name in re.findall(r"^## (?:\d+ · )?(.+)$", "\n".join(prose(source)), re.MULTILINE) if name != "Recap"
    ]


@pytest.mark.parametrize("page", [*PAGES, *SOURCES], ids=lambda path: path.stem)
def test_links_lead_to_files(page):
    home = FOLDER if page.suffix == ".py" else page.parent
    for text in (
        prose(page) if page.suffix == ".py" else [page.read_text(encoding="utf-8")]
    ):  # each cell is a page of its own
        links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
        used = set(re.findall(r"\[(\d\d)\](?![(:])", text))
        assert used <= set(re.findall(r"^\[(\d\d)\]:", text, re.MULTILINE)), "a link without its address"
        for link in links:
            if not link.startswith(("http", "#")):
                assert (home / link).exists(), link


def test_the_instructor_has_minutes_for_every_section():
    guide = (FOLDER / "INSTRUCTOR.md").read_text(encoding="utf-8")
    lines = {
        number: (parts, int(total))
        for number, parts, total in re.findall(r"^\| (\d\d) \| (.+) \| (\d+) \|$", guide, re.MULTILINE)
    }
    for source in SOURCES:
        if not source.stem[0].isdigit():
            continue
        parts, total = lines[source.stem[:2]]
        minutes = [re.fullmatch(r"(.+) (\d+)", part).groups() for part in parts.split(" · ")]
        assert [name for name, _ in minutes] == ["Start", *sections(source)], source.stem
        assert sum(int(m) for _, m in minutes) == total
        assert f"**Time** about {total} minutes" in source.read_text(encoding="utf-8")
        assert re.search(rf"^- {source.stem[:2]}: .+\?$", guide, re.MULTILINE), (
            f"a question for the room after {source.stem}"
        )


def script(name):
    """A script beside the notebooks, as a module."""
    spec = importlib.util.spec_from_file_location(f"notebooks_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_minutes_are_counted_from_the_notebooks_as_they_are(tmp_path, monkeypatch, capsys):
    minutes = script("minutes")
    assert minutes.main(["--check"]) == 0, capsys.readouterr().err
    shutil.copytree(FOLDER, tmp_path / "notebooks")
    monkeypatch.setattr(minutes, "HERE", tmp_path / "notebooks")
    longer = tmp_path / "notebooks" / "src" / "04_attention_by_hand.py"
    text = longer.read_text(encoding="utf-8")
    longer.write_text(
        text.replace("## Recap", "## One more\n#\n# " + "word " * 600 + "\n#\n# ## Recap"), encoding="utf-8"
    )
    assert minutes.main(["--check"]) == 1
    assert "04_attention_by_hand.py" in capsys.readouterr().err
    assert minutes.main([]) == 0
    assert minutes.sections(longer)[-1] == ("One more", 5)
    assert "One more 5" in (tmp_path / "notebooks" / "INSTRUCTOR.md").read_text(encoding="utf-8")


def test_the_page_of_wrong_answers_is_what_the_checks_say(capsys):
    from audioformer import teaching

    mistakes = script("mistakes")
    assert mistakes.main(["--check"]) == 0, capsys.readouterr().err
    page = mistakes.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## \d\d · (\S+)$", page, re.MULTILINE) == list(mistakes.notebook_of())
    assert sorted(mistakes.notebook_of()) == sorted(teaching.CHECKS)
    assert "✓" not in page


def test_every_question_for_the_room_has_its_vote_and_every_heading_to_jump_to_exists():
    guide = (FOLDER / "INSTRUCTOR.md").read_text(encoding="utf-8")
    from audioformer import teaching

    day = guide.partition("## The day")[2].partition("## With your own data")[0]
    for name in re.findall(r"`(\d\d\.\w+)`", day):
        assert name in teaching.PREDICTIONS, name
    for number, heading in re.findall(r"^\| [\d:]+ \| (\d\d) \| the heading \*([^*]+)\*", day, re.MULTILINE):
        (source,) = (FOLDER / "src").glob(f"{number}_*.py")
        assert heading in sections(source)


@pytest.mark.parametrize("path", HANDOUTS)
def test_a_handout_lists_the_notebooks_of_its_path(path):
    index = (FOLDER / "src" / "index.py").read_text(encoding="utf-8")
    taken = re.search(
        rf"\*\*{HANDOUTS[path].replace('only the method', 'no time, only the method')}\*\*[^|]*\| ([^|]*) \|", index
    )[1]
    numbers = re.findall(r"\[(\d\d)\]", taken) or [source.stem[:2] for source in SOURCES if source.stem[0].isdigit()]
    page = (FOLDER / "handouts" / f"{path}.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    listed = re.findall(r"\b([0-2]\d)\b", rows) if path == "self-study" else re.findall(r"\b([0-2]\d) [A-Z]", rows)
    assert sorted(set(listed)) == sorted(set(numbers))


@pytest.mark.parametrize("path", HANDOUTS)
def test_a_handout_is_one_printed_page(path, chromium_path, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    spec = importlib.util.spec_from_file_location("notebooks_render", FOLDER / "render.py")
    renderer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(renderer)
    page_file = tmp_path / f"{path}.html"
    page_file.write_text(renderer.handout(FOLDER / "handouts" / f"{path}.md"), encoding="utf-8")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        printed = page.pdf(format="A4", margin={side: "15mm" for side in ("top", "right", "bottom", "left")})
        browser.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("notebooks_publish", FOLDER / "publish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "src").mkdir()
    for path in [
        FOLDER / "README.md",
        FOLDER / "build.py",
        FOLDER / "src" / "01_from_sound_to_codes.py",
        FOLDER / "src" / "index.py",
    ]:
        (tmp_path / path.relative_to(FOLDER)).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_publishing_writes_badges_and_notebooks_that_install_themselves(publisher, tmp_path, capsys):
    assert publisher.main(["someone/audioformer", "--check"]) == 1
    assert publisher.main(["someone/audioformer"]) == 0
    assert publisher.main(["someone/audioformer", "--check"]) == 0
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "mybinder.org/v2/gh/someone/audioformer/main?urlpath=lab/tree/notebooks/index.ipynb" in readme
    assert (
        "colab.research.google.com/github/someone/audioformer/blob/main/notebooks/colab/01_from_sound_to_codes.ipynb"
        in readme
    )
    copy = json.loads((tmp_path / "colab" / "01_from_sound_to_codes.ipynb").read_text(encoding="utf-8"))
    plain = json.loads((FOLDER / "01_from_sound_to_codes.ipynb").read_text(encoding="utf-8"))
    set_up = "".join(copy["cells"][1]["source"])
    assert '"audioformer[colab,train] @ git+https://github.com/someone/audioformer"' in set_up
    assert set_up.endswith("enable_custom_widget_manager()")  # Colab shows no anywidget otherwise
    rest = copy["cells"][:1] + copy["cells"][2:]
    same = [(a, b) for a, b in zip(rest, plain["cells"], strict=True) if a["cell_type"] == "code"]
    assert all(a["source"] == b["source"] for a, b in same)
    text = "\n".join("".join(cell["source"]) for cell in rest if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
    assert links, "a notebook names the next one"
    assert all(link.startswith(("https://", "#")) for link in links)
    assert any(link.endswith("/main/notebooks/colab/02_residual_quantisation.ipynb") for link in links)
    assert publisher.main(["else/where"]) == 0  # written anew, not twice
    assert (tmp_path / "README.md").read_text(encoding="utf-8").count("mybinder.org/badge") == 1
    with pytest.raises(SystemExit):
        publisher.main(["no repository"])
    assert "must be OWNER/NAME" in capsys.readouterr().err


def test_colab_gets_what_the_notebooks_need_and_keeps_its_own_jupyter():
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    own = {"jupyterlab>=4.6,<5", "ipywidgets>=8.1", "latex2mathml>=3.77"}  # the last for pages, which Colab has none of
    assert set(extras["notebooks"]) - own == set(extras["colab"])


def test_binder_installs_what_the_notebooks_need_with_the_small_torch():
    script = ROOT / "binder" / "postBuild"
    assert script.stat().st_mode & 0o111
    text = script.read_text(encoding="utf-8")
    assert "-c constraints.txt" in text
    assert "whl/cpu" in text
    assert "-e '.[notebooks,train]'" in text
    (settings,) = re.findall(r"cp -r (\S+)/labconfig", text)
    assert (ROOT / settings / "labconfig" / "default_setting_overrides.json").is_file()
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    found = subprocess.run(
        ["bash", "-c", f"cd {ROOT} && " + re.search(r"torch=\$\((.*)\)", text)[1]], capture_output=True, text=True
    ).stdout.strip()
    assert re.fullmatch(r"torch==\d+\.\d+\.\d+", found)
    assert Path(ROOT / "binder" / "runtime.txt").read_text().startswith("python-3.")
