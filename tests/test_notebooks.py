"""The notebooks: current, without outputs, and run from top to bottom in a fresh kernel, solved and unsolved."""

import base64
import importlib.util
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audioformer import load, load_audio, teaching
from audioformer.errors import AudioformerError
from audioformer.files import notebooks_folder

FOLDER = notebooks_folder()
NAMES = sorted(path.stem for path in (FOLDER / "src").glob("[0-9]*.py"))
VERDICT = re.compile(r"^[✓✗…] \S+", re.MULTILINE)
ASKED = re.compile(r'^(check|quiz)\("([\w.]+)"', re.MULTILINE)


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("notebooks_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


# --- as stored


def test_there_is_a_notebook_and_both_lists_have_each():
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    index = "".join("".join(cell["source"]) for cell in read(FOLDER / "index.ipynb")["cells"])
    assert NAMES
    for name in NAMES:
        assert f"({name}.ipynb)" in listed
        assert f"[{name[:2]}]: {name}.ipynb" in index
        minutes = re.search(
            r"\*\*Time\*\* about (\d+) minutes", (FOLDER / "src" / f"{name}.py").read_text(encoding="utf-8")
        )[1]
        question = "".join(read(FOLDER / f"{name}.ipynb")["cells"][0]["source"]).split("\n")[0].split(" · ")[1]
        assert f"| [{name[:2]}]({name}.ipynb) | {question} | {minutes} |" in listed
        assert f"| [{name[:2]}] | {question} | {minutes} |" in index


def test_the_minutes_of_each_path_add_up():
    index = "".join(read(FOLDER / "index.ipynb")["cells"][0]["source"])
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    minutes = {
        number: int(m) for number, m in re.findall(r"^\| \[(\d\d)\]\([^|]*\| [^|]* \| (\d+) \|", listed, re.MULTILINE)
    }
    paths = re.findall(r"^\| \*\*[^|]*\| ([^|]*) \| (\d+) \|", index, re.MULTILINE)
    assert len(paths) == 4
    for taken, total in paths:
        numbers = re.findall(r"\[(\d\d)\]", taken) or list(minutes)
        assert sum(minutes[number] for number in numbers) == int(total), taken


def test_notebooks_are_what_their_sources_say(builder, capsys):
    assert builder.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_a_stale_or_orphaned_notebook_fails_the_check(builder, tmp_path, monkeypatch, capsys):
    shutil.copytree(FOLDER, tmp_path / "notebooks")
    monkeypatch.setattr(builder, "HERE", tmp_path / "notebooks")
    assert builder.main(["--check"]) == 0
    notebook = tmp_path / "notebooks" / f"{NAMES[0]}.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("...", "... "), encoding="utf-8")
    (tmp_path / "notebooks" / "99_nothing.ipynb").write_text("{}")
    assert builder.main(["--check"]) == 1
    complaints = capsys.readouterr().err
    assert f"{NAMES[0]}.ipynb: not what its source says" in complaints
    assert "99_nothing.ipynb: has no source" in complaints


@pytest.mark.parametrize("folder", ["", "solutions"])
@pytest.mark.parametrize("name", NAMES)
def test_stored_without_outputs_small_and_local(name, folder):
    path = FOLDER / folder / f"{name}.ipynb"
    notebook = read(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "widgets" not in notebook["metadata"]
    assert path.stat().st_size < 200_000
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|!pip|%pip", text)
    assert len(notebook["cells"]) <= 80
    lengths = [len("".join(cell["source"]).splitlines()) for cell in code]
    assert np.median(lengths) <= 6


@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_keeps_to_the_plan(name):
    cells = ["".join(cell["source"]) for cell in read(FOLDER / f"{name}.ipynb")["cells"]]
    text = "\n".join(cells)
    assert re.match(rf"# {name[:2]} · [^\n]+\?\n", cells[0]), "the title is a question"
    assert "import torch" not in text.partition("import audioformer as af")[0], "torch's threads would spin"
    for part in ("**You will**", "**Time**", "**Needs**", "redict first", "## Quiz", "## Recap"):
        assert part in text, part
    asked = [kind for kind, _ in ASKED.findall(text)]
    assert asked.count("quiz") == 3
    assert 2 <= asked.count("check") <= (6 if name.startswith("18") else 4)
    for link in re.findall(r"\]\(([^)]+\.ipynb)\)", text):
        assert (FOLDER / link).is_file(), link


def test_every_exercise_and_question_is_asked_in_one_notebook():
    asked = [
        one for name in NAMES for one in ASKED.findall((FOLDER / "src" / f"{name}.py").read_text(encoding="utf-8"))
    ]
    assert sorted(name for kind, name in asked if kind == "check") == sorted(teaching.CHECKS)
    assert sorted(name for kind, name in asked if kind == "quiz") == sorted(teaching.QUIZ)


@pytest.mark.parametrize(("call", "known"), [("predict", "PREDICTIONS"), ("reveal", "PREDICTIONS"), ("ears", "EARS")])
def test_every_prediction_and_listening_test_has_its_place_in_the_notebook_of_its_number(call, known):
    places = [
        (found, path.stem[:2])
        for path in (FOLDER / "src").glob("[0-9]*.py")
        for found in re.findall(rf'^{call}\(\s*"([\w.]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(found for found, _ in places) == sorted(getattr(teaching, known))
    assert all(found.startswith(number) for found, number in places)


def test_blanking_keeps_signature_docstring_and_names(builder):
    solved = 'import x\n\n\ndef f(a, b=2):\n    """What f does."""\n    c = a + b\n    return c\n\n\nanswer = "b"'
    assert builder.blank(solved) == 'import x\n\n\ndef f(a, b=2):\n    """What f does."""\n    ...\n\n\nanswer = ...'
    assert builder.blank("def g():\n    return 1") == "def g():\n    ..."


@pytest.mark.parametrize("name", NAMES)
def test_what_we_saw_is_folded_and_closed_again(name):
    """What is inside is Markdown only where a blank line follows the title: in JupyterLab, VS Code and pages."""
    texts = ["".join(cell["source"]) for cell in read(FOLDER / f"{name}.ipynb")["cells"]]
    folds = [
        len(re.findall(r"<details><summary>What we saw</summary>\n\n[^<]+\n\n</details>(?=\n\n|$)", t)) for t in texts
    ]
    assert sum(folds) >= 1
    assert [text.count("details>") for text in texts] == [2 * n for n in folds]


@pytest.mark.parametrize("name", NAMES)
def test_every_predict_first_is_answered_in_a_fold_before_the_next_one(name):
    texts = "\n\n".join("".join(cell["source"]) for cell in read(FOLDER / f"{name}.ipynb")["cells"])
    asked = re.split(r"(?<!\()\*(?:Two )?Predict first[:,]", texts.partition("## Quiz")[0])[1:]
    assert asked
    unanswered = [part[:60] for part in asked if "<summary>What we saw" not in part]
    assert unanswered == []


@pytest.mark.parametrize("name", NAMES)
def test_each_notebook_ends_with_what_to_read_and_an_open_question(name):
    last = "".join(read(FOLDER / f"{name}.ipynb")["cells"][-1]["source"])
    _, _, reading = last.partition("**To read.** ")
    assert re.search(r"arXiv \d{4}\.\d{4,5}", reading)
    assert re.search(r"Open:\s[^?]+\?", reading)


@pytest.mark.parametrize("name", NAMES)
def test_learners_see_no_answer(name):
    learner, solved = (read(FOLDER / folder / f"{name}.ipynb") for folder in ("", "solutions"))
    exercises = 0
    for blanked, answered in zip(learner["cells"], solved["cells"], strict=True):
        if "exercise" in answered["metadata"].get("tags", []):
            exercises += 1
            assert "".join(blanked["source"]).rstrip().endswith("...")
            assert blanked["source"] != answered["source"]
        else:
            assert blanked["source"] == answered["source"]
    assert exercises >= 2


def days(my_sounds, change=("", "")):
    """Runs the cell of notebook 15 that says which day is for testing; returns {file: fold}."""
    import csv

    from audioformer.data.datasets import open_dataset

    cells = [
        "".join(cell["source"])
        for cell in read(FOLDER / "15_your_own_sounds.ipynb")["cells"]
        if cell["cell_type"] == "code"
    ]
    names = {"csv": csv, "open_dataset": open_dataset, "Path": Path, "MY_SOUNDS": my_sounds}
    exec(next(line for cell in cells for line in cell.splitlines() if line.startswith("TABLE = ")), names)
    exec(next(cell for cell in cells if "def day_of" in cell).replace(*change), names)
    return {clip.id: clip.fold for clip in names["sounds"]}


def test_the_table_of_days_follows_the_folders_and_leaves_other_tables_alone(tmp_path):
    for name in ("Tür/first, loud.wav", "Tür/second.wav", 'dog/first "a".wav'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    first = {"Tür/first, loud.wav": 1, "Tür/second.wav": 2, 'dog/first "a".wav': 1}
    assert days(tmp_path) == first
    (tmp_path / "dog" / "second week.wav").write_bytes(b"")
    assert days(tmp_path) == {**first, "dog/second week.wav": 2}
    assert days(tmp_path, ('"second" in', '"week" in')) == {**dict.fromkeys(first, 1), "dog/second week.wav": 2}
    (tmp_path / "mine.csv").write_text("filename,label,fold\ndog/second week.wav,wolf,3\n", encoding="utf-8")
    assert days(tmp_path) == {"dog/second week.wav": 3}
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == "filename,label,fold\ndog/second week.wav,wolf,3\n"
    assert [path.name for path in tmp_path.glob("*.csv")] == ["mine.csv"]


def test_the_day_is_in_the_name_of_the_file_not_of_its_folder(tmp_path):
    for name in ("second hand/first day 1.wav", "dog/second day 1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    assert days(tmp_path) == {"second hand/first day 1.wav": 1, "dog/second day 1.wav": 2}


# --- as run


def sources(path, kind):
    """All cells of a kind as one text; questions of the quiz are suppositions and left out."""
    cells = ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == kind]
    return "\n".join(cell for cell in cells if not re.search(r"^\*\*Q\d", cell, re.MULTILINE))


def quoted(path):
    """Numbers with a decimal point in the text; arXiv's are names."""
    return set(re.findall(r"(?<![\w.])\d{1,3}\.\d+(?![\w.]*\d)", sources(path, "markdown")))


def run(path, folder):
    """Outputs of all cells and of all sliders, run in a fresh kernel in an empty folder."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=1200,
        startup_timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {"state": {}})
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return outputs + [output for one in widgets["state"].values() for output in one["state"].get("outputs", [])]


PLOTLY = "application/vnd.plotly.v1+json"
LOUDEST_DB, LEAST_SHARE, LATEST_S = -35.0, 0.15, 1.0  # of a demonstration that can be heard


def mute(outputs):
    """Which players of a notebook nobody would hear anything from, or not soon: (number, why)."""
    pages = [output.get("data", {}).get("text/html", "") for output in outputs]
    sounds = [found for page in pages for found in re.findall(r"data:audio/wav;base64,([^\"]+)", page)]
    troubles = []
    for number, sound in enumerate(sounds, 1):
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)))
        piece = rate // 50
        power = np.square(samples[: len(samples) // piece * piece]).reshape(-1, piece).mean(1)
        sounding = power > 1e-5  # -50 dB
        peak_db = 20 * np.log10(np.abs(samples).max() + 1e-9)
        if peak_db < LOUDEST_DB or sounding.mean() < LEAST_SHARE or sounding.argmax() / 50 > LATEST_S:
            begins_s = sounding.argmax() / 50
            troubles.append((number, f"{peak_db:.0f} dB, {sounding.mean():.0%} sounds, begins at {begins_s:.2f} s"))
    return troubles


QUICKEST = pytest.param("solutions", NAMES[3], marks=pytest.mark.smoke)
SHOWN = {"18": 4, "19": 3}  # figures and players of the two that mostly compute; 5 and more in all others
RUNS = [(folder, name) for name in NAMES for folder in ("", "solutions")]


@pytest.mark.notebook
@pytest.mark.parametrize(("folder", "name"), [QUICKEST if run == QUICKEST.values else run for run in RUNS])
def test_runs_from_top_to_bottom(name, folder, tmp_path, monkeypatch):
    sign = "✓" if folder else "…"
    monkeypatch.setenv("AUDIOFORMER_FAST", "1")
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    path = FOLDER / folder / f"{name}.ipynb"
    outputs = run(path, tmp_path)
    printed = "".join(output.get("text", "") for output in outputs)
    verdicts = VERDICT.findall(printed)
    exercises = [cell for cell in read(path)["cells"] if "exercise" in cell["metadata"].get("tags", [])]
    assert len(verdicts) == len(exercises)
    assert {verdict[0] for verdict in verdicts} == {sign}, printed
    figures = [output["data"][PLOTLY] for output in outputs if PLOTLY in output.get("data", {})]
    n_sounds = sum("<audio" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert len(figures) >= 2
    for figure in figures:  # no upload; a responsive one shrinks to nothing when JupyterLab's theme is changed
        config = figure["config"]
        assert [config[name] for name in ("showSendToCloud", "displaylogo", "responsive")] == [False] * 3
    assert n_sounds >= 1
    assert len(figures) + n_sounds >= SHOWN.get(name[:2], 5)
    assert mute(outputs) == []
    computed = [float(number) for number in re.findall(r"\d+\.\d+", printed + sources(path, "code"))]
    for number in quoted(path):
        assert any(f"{value:.{len(number.partition('.')[2])}f}" == number for value in computed), (
            f"{number}: nothing computes it"
        )
    troubles = [o for o in outputs if o.get("name") == "stderr" or o["output_type"] == "error"]
    assert troubles == []
    asked = [one for one in teaching.PREDICTIONS if one.startswith(name[:2])]
    answers = teaching.predictions.read(tmp_path / "my answers.json")["predictions"]
    assert sorted(answers) == (sorted(asked) if folder else [])
    assert all("truth" in one for one in answers.values())
    left = {path.name for path in tmp_path.iterdir()} - {"my answers.json"}
    assert left == ({"my classifier"} if name.startswith("15") else set())  # what a learner takes home, no more
    if left:
        assert load(tmp_path / "my classifier").label_names == ["clock_tick", "crying_baby", "dog", "rain"]
        assert (tmp_path / "my classifier" / "README.md").is_file()


def test_a_silent_player_is_noticed(displayed):
    """The bundled rooster is silent for three seconds: it stood in five notebooks, and nobody heard it."""
    rooster = load_audio(teaching.sample("rooster"))
    begin, seconds = rooster.sample_rate, 3 * rooster.sample_rate
    for samples in (rooster.samples, rooster.samples[:, :begin], rooster.samples[:, seconds:] / 100):
        teaching.listen(samples, rooster.sample_rate)
    for number in (1, 2):
        teaching.listen(teaching.trimmed("rooster", number))
    pages = [{"data": {"text/html": player._repr_html_()}} for player in displayed]
    assert [number for number, _ in mute(pages)] == [1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
def test_hurry_never_takes_sound_away(name):
    """`budget` shortens training; of a clip that is heard or explained nothing may be cut where tests run."""
    source = (FOLDER / "src" / f"{name}.py").read_text(encoding="utf-8")
    assert not re.search(r"\[[^\]\n]*budget\(", source)


# --- checks and hints


@pytest.mark.parametrize("name", teaching.CHECKS)
def test_references_pass_their_own_check(name, capsys):
    teaching.check(name, teaching.CHECKS[name].reference)
    assert capsys.readouterr().out == f"✓ {name}\n"


def test_every_question_has_four_options_and_no_letter_is_right_much_more_often():
    for name in NAMES:
        text = "\n".join("".join(cell["source"]) for cell in read(FOLDER / f"{name}.ipynb")["cells"])
        assert re.findall(r"^- \((\w)\) \S", text, re.MULTILINE) == list("abcd") * 3, name
    right = [question.right for question in teaching.QUIZ.values()]
    assert max(right.count(letter) for letter in "abcd") <= len(right) / 3


def unwritten(*_):
    raise NotImplementedError


@pytest.mark.parametrize("name", teaching.CHECKS)
@pytest.mark.parametrize("answer", [lambda *_: ..., unwritten])
def test_an_open_exercise_is_not_yet_done(name, answer, capsys):
    teaching.check(name, answer)
    assert capsys.readouterr().out.startswith(f"… {name}: not yet")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: 1 / 0, "stopped with ZeroDivisionError"),
        (lambda latents, _: torch.zeros(len(latents) + 1), r"yours has shape \(7,\), expected \(6,\)"),
        (lambda *_: "codes", "yours is a str, expected a tensor"),
        (lambda latents, book: torch.cdist(latents, book).argmax(1), r"at \[0\]: yours \d, expected \d"),
        (None, "stopped with TypeError"),
    ],
)
def test_a_wrong_answer_is_told_where_it_is_wrong(answer, said, capsys):
    teaching.check("rvq.nearest", answer)
    printed = capsys.readouterr().out
    assert printed.startswith("✗ rvq.nearest")
    assert re.search(said, printed)


def test_forgetting_the_residual_is_noticed_in_the_second_row(capsys):
    teaching.check("rvq.residual_codes", lambda z, books: torch.stack([torch.cdist(z, b).argmin(1) for b in books]))
    assert "case 2, at [1, " in capsys.readouterr().out


@pytest.mark.parametrize(("given", "expected"), [(0.1 + 0.2, 0.3), ([1, 2], torch.tensor([1, 2])), (5, 5)])
def test_equal_within_rounding_is_equal(given, expected):
    assert teaching.difference(given, expected) == ""


def test_hints_and_unknown_names(capsys):
    teaching.hint("codec.n_frames", 2)
    teaching.hint("nothing")
    teaching.check("nothing", len)
    teaching.quiz("nothing", "a")
    lines = capsys.readouterr().out.splitlines()
    assert "round up" in lines[0]
    assert lines[1] == "More: hint('codec.n_frames') once more."
    assert all("there is no" in line for line in lines[2:])


@pytest.mark.parametrize("name", teaching.CHECKS)
def test_hints_come_in_three_levels_and_none_gives_the_solution_away(name, capsys, monkeypatch):
    monkeypatch.setattr(teaching, "_HINTED", {})
    for _ in range(4):
        teaching.hint(name)
    told = capsys.readouterr().out
    assert re.findall(r"^(\d) of 3:", told, re.MULTILINE) == ["1", "2", "3", "3"]
    levels = re.split(r"^\d of 3: ", told, flags=re.MULTILINE)[1:]
    assert len(set(levels)) == 3
    assert "def my_" in levels[2]
    assert "..." in levels[2]


def test_a_right_function_is_used_and_a_wrong_or_open_one_is_not(capsys):
    right = teaching.CHECKS["rvq.nearest"].reference

    def mine(latents, codebook):
        return right(latents, codebook)

    assert teaching.use("rvq.nearest", mine) is mine
    assert teaching.use("rvq.nearest", lambda latents, _: latents) is right
    assert teaching.use("rvq.nearest", lambda *_: ...) is right
    assert capsys.readouterr().out.splitlines()[0] == "rvq.nearest: yours"
    with pytest.raises(AudioformerError, match="no exercise"):
        teaching.use("nothing", mine)


@pytest.mark.parametrize("name", teaching.QUIZ)
def test_quiz_explains_only_the_right_answer(name, capsys):
    question = teaching.QUIZ[name]
    assert sorted([question.right, *question.wrong]) == ["a", "b", "c", "d"]
    assert len(set(question.wrong.values())) == 3
    for answer in (..., "z", question.right.upper(), *question.wrong):
        teaching.quiz(name, answer)
    blank, unknown, correct, *wrong = capsys.readouterr().out.splitlines()
    assert blank.startswith("… ")
    assert unknown.startswith("✗ ")
    assert correct == f"✓ {name}: {question.why}"
    for letter, line in zip(question.wrong, wrong, strict=True):
        assert line == f"✗ {name}: not {letter!r}: {question.wrong[letter]}."
        assert question.why not in line


@pytest.mark.slow
def test_a_trimmed_sound_begins_and_ends_with_its_sound():
    dog = teaching.trimmed("dog")
    assert (dog.sample_rate, len(dog.samples)) == (24_000, 1)
    whole = load_audio(teaching.sample("dog"), 24_000, mono=True).samples[0]
    begin = (whole.unfold(0, dog.samples.shape[1], 1) == dog.samples[0]).all(1).nonzero().item() / 24_000
    assert (begin, dog.duration_s) == (pytest.approx(1.14), pytest.approx(0.7))  # barks from 1.24 to 1.64 s
    assert teaching.trimmed("rain", sample_rate=16_000).duration_s == pytest.approx(5, abs=0.1)


def test_sample_finds_a_clip_of_a_label():
    assert load_audio(teaching.sample("dog")).duration_s > 1
    assert teaching.sample("dog", 2) != teaching.sample("dog")
    with pytest.raises(AudioformerError, match="label='unicorn' has no bundled clip; there are .*dog"):
        teaching.sample("unicorn")
    with pytest.raises(AudioformerError, match="number=3 must be from 1 to 2"):
        teaching.sample("dog", 3)


def test_listen_keeps_the_level(monkeypatch):
    display = pytest.importorskip("IPython.display", reason='needs ipython: pip install "audioformer[notebooks]"')
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    teaching.listen(torch.full((2400,), 0.1), 24_000)
    import io

    import soundfile

    samples, rate = soundfile.read(io.BytesIO(shown[0].data))
    assert rate == 24_000
    assert np.abs(samples).max() == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(AudioformerError, match="sample_rate"):
        teaching.listen(torch.zeros(10))


def pixels(html):
    """(lines, columns) of the picture below a player, 0 dark to 255 bright."""
    import zlib

    png = base64.b64decode(re.search('base64,([^"]+)"', html)[1])
    width, height = (int.from_bytes(png[place : place + 4], "big") for place in (16, 20))
    packed = png[png.index(b"IDAT") + 4 :]
    return np.frombuffer(zlib.decompressobj().decompress(packed), np.uint8).reshape(height, width + 1)[:, 1:]


def test_below_a_player_stands_what_it_plays():
    """Low below, high above, in time with the player; a quiet sound is dark."""
    from audioformer.teaching.sound_picture import spectrogram_html

    time_s = torch.arange(24_000) / 24_000
    low, high = (0.3 * torch.sin(2 * torch.pi * hz * time_s) for hz in (200, 6000))
    html = spectrogram_html(torch.cat([low, high]), 24_000)
    picture = pixels(html)
    assert picture.shape[0] == 64
    assert 200 <= picture.shape[1] <= 301
    quarter = picture.shape[1] // 4
    assert picture[:, quarter].argmax() > 56
    assert 8 < picture[:, 3 * quarter].argmax() < 20
    assert "2.00 s, from 0 to 12 kHz" in html
    assert pixels(spectrogram_html(low / 100, 24_000)).max() < picture[:, quarter].max() - 100
    assert pixels(spectrogram_html(torch.zeros(100), 8000)).max() == 0


@pytest.fixture
def displayed(monkeypatch):
    """What was put into the notebook."""
    display = pytest.importorskip("IPython.display", reason='needs ipython: pip install "audioformer[notebooks]"')
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    return shown


def test_a_slider_draws_at_its_start_and_wherever_it_comes_to_rest(displayed, monkeypatch, capsys):
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    drawn = []
    teaching.slider("How far?", range(1, 5), drawn.append, start=2)
    assert capsys.readouterr().out == f"How far?\n{teaching.players.AGAIN}\n"
    choice = displayed[0].children[0]
    assert choice.options == (1, 2, 3, 4)
    for value in (4, 1):
        choice.value = value
    assert drawn == [2, 4, 1]
    with pytest.raises(AudioformerError, match="start=9 must be among the 2 values"):
        teaching.slider("?", [1, 2], drawn.append, start=9)


def test_a_page_to_read_shows_both_ends_of_a_slider(displayed, monkeypatch, capsys):
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "png")
    teaching.slider("How far?", [1, 2, 3], print)
    assert capsys.readouterr().out == "How far?\nat 1:\n1\nat 3:\n3\n"
    assert displayed == []


def test_a_button_does_nothing_until_it_is_pressed(displayed, monkeypatch, capsys):
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    done = []
    teaching.button("Run it", lambda: done.append("once more"))
    press = displayed[0].children[0]
    assert (press.description, done) == ("Run it", [])
    press.click()
    press.click()
    assert done == ["once more"] * 2
    assert not press.disabled
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "png")
    teaching.button("Run it", done.clear)
    assert (len(done), len(displayed)) == (2, 1)
    assert capsys.readouterr().out == f"{teaching.players.AGAIN}\n(a button in the notebook: Run it)\n"


def test_a_watched_run_that_is_stopped_gives_what_was_done_and_says_so(monkeypatch, capsys):
    from audioformer.train import StepRecord

    def stopped():
        yield from (StepRecord(step, {"mlm": 7.0 - step}, {}, 1e-3, 1.0, 0.1) for step in (4, 5))
        raise KeyboardInterrupt

    drawn = []
    monkeypatch.setattr(teaching.players, "show", drawn.append)
    assert [record.step for record in teaching.watch(stopped(), ["mlm"], {"chance": 6.93})] == [4, 5]
    assert list(drawn[-1].data[0].x) == [4, 5]
    assert capsys.readouterr().out.endswith("stopped after step 5\n")


def test_a_time_line_is_shown_to_click_and_as_codes_on_a_page_to_read(displayed, monkeypatch):
    pytest.importorskip("anywidget", reason='needs anywidget: pip install "audioformer[notebooks]"')
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    tone = torch.sin(torch.arange(12_000) / 5)
    teaching.explore(tone, sample_rate=24_000)
    assert json.loads(displayed[0].value)["duration_s"] == pytest.approx(0.5)
    drawn = []
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "plotly_mimetype")
    monkeypatch.setattr(teaching.players, "show", drawn.append)
    teaching.explore(tone, sample_rate=24_000)
    assert drawn[0].layout.meta["alt"].startswith("Code grid: 8 codebooks by 38 frames")
    assert len(displayed) == 1


def test_long_work_is_short_where_tests_run(monkeypatch):
    monkeypatch.delenv("AUDIOFORMER_FAST", raising=False)
    assert teaching.budget(300, 20) == 300
    monkeypatch.setenv("AUDIOFORMER_FAST", "1")
    assert teaching.budget(300, 20) == 20


def test_an_answer_that_changes_its_arguments_is_judged_by_the_untouched_ones(capsys):
    def spoils(latents, codebook):
        right = torch.cdist(latents, codebook).argmin(1)
        codebook.zero_()
        return right

    teaching.check("rvq.nearest", spoils)
    assert capsys.readouterr().out == "✓ rvq.nearest\n"
