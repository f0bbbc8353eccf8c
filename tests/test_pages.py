"""README and the pages in results/: what they say can be typed, opened and found in the stored results."""

import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import torch

from audioformer.cli.parser import build_parser
from audioformer.cli.settings import override
from audioformer.codecs.train_compact import PRESETS as CODEC_PRESETS
from audioformer.recipes import finetune_preset, pretrain_preset

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "results").glob("*.md"))
GUIDES = [README, *PAGES, ROOT / "app" / "README.md"]


def text(page):
    return page.read_text(encoding="utf-8")


def commands(page):
    """Whole commands of a page: lines to type, and table cells that hold nothing else."""
    joined = text(page).replace("\\\n", " ")
    typed = re.findall(r"^(?:\$ | {4})(?:\.venv/bin/)?(audioformer .+?)(?: +#.*)?$", joined, re.MULTILINE)
    return typed + re.findall(r"\| `(audioformer [^`]+)` \|", joined)


def mentioned(page):
    """Verbs that a page names, with or without their options."""
    return re.findall(r"`(?:\.venv/bin/)?audioformer ([a-z][a-z-]*)[` ]", text(page))


@pytest.fixture
def build():
    spec = importlib.util.spec_from_file_location("results_build", ROOT / "results" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_stored_results(build, capsys):
    assert build.main(check=True) == 0, capsys.readouterr().out


def test_a_stale_table_is_noticed(build, tmp_path, monkeypatch, capsys):
    page = tmp_path / "speed.md"
    page.write_text(text(ROOT / "results" / "speed.md").replace("44.9", "99.9"), encoding="utf-8")
    monkeypatch.setattr(build, "PAGES", [page])
    assert build.main(check=True) == 1
    assert "speed.md" in capsys.readouterr().out
    assert build.main(check=False) == 0
    assert text(page) == text(ROOT / "results" / "speed.md")


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_a_page_asks_a_question_and_answers_it_with_numbers_of_its_tables(page):
    question, answer, *rest = text(page).split("\n\n")
    assert question.startswith("# ")
    assert question.endswith("?")
    tables = "\n".join(line for line in "\n".join(rest).splitlines() if line.startswith("|"))
    assert not [number for number in re.findall(r"\d\.\d+", answer) if number not in tables]


def test_readme_is_read_in_a_minute():
    assert len(text(README).splitlines()) <= 120


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_links_and_named_files_are_there(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        assert link.startswith("http") or (page.parent / link).exists(), link
    for path in re.findall(r"`((?:audioformer|app|scripts|results|notebooks)/[^`*\s]*)`", text(page)):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"^ \S.{26}(\w+\.py) ", text(page), re.MULTILINE):  # the drawing
        assert (ROOT / "audioformer" / module).is_file(), module


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_the_command_line_takes_every_command(page):
    parser = build_parser()
    for command in commands(page):
        one = re.sub(r"--folds [FS]\b", "--folds 1", command)  # the tables name a fold F, a speaker S
        parser.parse_args(shlex.split(one)[1:])
    assert set(mentioned(page)) <= set(parser.verbs)


def test_the_python_of_readme_does_what_its_comments_say(tmp_path, monkeypatch):
    (sound,) = (ROOT / "data_samples" / "audio").glob("1-900000-A-0.ogg")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_dog.wav").write_bytes(sound.read_bytes())
    code = re.search(r"```python\n(.*?)```", text(README), re.DOTALL)[1]
    names = {}
    exec(code, names)
    assert names["codes"].shape[:2] == (1, 8)
    assert names["codes"].dtype == torch.int64
    shapes = re.search(r"embed\(.*\((\d+),\)", code)
    assert names["classifier"].embed("my_dog.wav").shape == (int(shapes[1]),)
    assert names["classifier"].classify("my_dog.wav", top_k=3).labels[0] == "dog"


def test_the_script_that_trains_what_is_bundled_asks_for_what_there_is(tmp_path):
    """Its commands, printed instead of run: options are taken, presets known, settings changed."""
    script = ["bash", str(ROOT / "scripts" / "train_bundled.sh"), "DATA", str(tmp_path)]
    done = subprocess.run(script, env={**os.environ, "AF": "echo"}, capture_output=True, text=True, check=True)
    printed = done.stdout.splitlines() + [text(path).strip() for path in tmp_path.glob("*.json")]
    assert len(printed) > 60
    parser = build_parser()
    for line in printed:
        arguments = parser.parse_args(line.split())
        if arguments.verb == "train-codec":
            override(CODEC_PRESETS[arguments.preset], arguments.changes)
        elif arguments.verb == "finetune":
            override(finetune_preset(arguments.preset), arguments.changes)
        elif arguments.verb == "pretrain" and arguments.method == "audioformer":
            override(pretrain_preset(arguments.preset), arguments.changes)
