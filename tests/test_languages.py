"""The page in other languages: no file lacks a line, no translation loses a number, and a real browser shows them."""

import ast
import json
import re
from pathlib import Path

import pytest
from app_page import Tab
from page_words import ROOT, of_all_scripts, tidy

from audioformer.audiovisual.scenes import KINDS
from audioformer.data.synth import CLASSES
from audioformer_app import texts
from audioformer_app.languages import EXPLANATIONS, LANGUAGES, explanation, language_file
from audioformer_app.models import PLAIN
from audioformer_app.rooms.results import DATA, QUESTIONS
from audioformer_app.tour import TOUR

OTHERS = [code for code in LANGUAGES if code != "en"]


def page(code):
    return language_file(code)["page"]


def test_all_languages_have_the_same_lines_and_none_is_empty():
    first = page(OTHERS[0])
    for code in OTHERS:
        assert page(code).keys() == first.keys()
        assert not [line for line, said in page(code).items() if not said.strip()]
        assert language_file(code)["help"].keys() == set(EXPLANATIONS)


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_of_a_script_is_translated(code):
    known = page(code)
    missing = {
        name: sorted(text for text in words if text not in known and text.rstrip(":. ") not in known)
        for name, words in of_all_scripts().items()
    }
    assert {name: words for name, words in missing.items() if words} == {}


def of_python():
    """Texts that the server writes and the page shows."""
    tree = ast.parse((ROOT / "app" / "app.py").read_text(encoding="utf-8"))
    named = [(one.arg, one.value) for one in ast.walk(tree) if isinstance(one, ast.keyword)]
    labels = [value.value for name, value in named if name == "label" and isinstance(value, ast.Constant)]
    tabs = re.findall(r'gr\.Tab\("(\w+)"', (ROOT / "app" / "app.py").read_text(encoding="utf-8"))
    tour = [step[part] for step in TOUR for part in ("title", "text")]
    return [
        *(label for label in labels if label != "Your own sound"),
        *tabs,
        *tour,
        *PLAIN.values(),
        *QUESTIONS.values(),
        *DATA.values(),
        *KINDS.values(),
        texts.SENTENCE,
        texts.MICROPHONE,
        *(name.replace("_", " ") for name in CLASSES),
    ]


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_of_the_server_is_translated(code):
    assert [text for text in of_python() if tidy(text) not in page(code)] == []


def of_flow():
    """What the room Flow says of its steps, with `{}` for each part that changes."""
    tree = ast.parse((ROOT / "app" / "rooms" / "flow_words.py").read_text(encoding="utf-8"))
    values = [value for one in ast.walk(tree) if isinstance(one, ast.Dict) for value in one.values]
    texts_ = [value.value for value in values if isinstance(value, ast.Constant)]
    made = [value.values for value in values if isinstance(value, ast.JoinedStr)]
    texts_ += ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts) for parts in made]
    return [text for text in texts_ if isinstance(text, str) and text != "{} s"]  # which is a time


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_of_flow_is_translated(code):
    assert len(of_flow()) > 30
    assert [text for text in of_flow() if tidy(text) not in page(code)] == []


@pytest.mark.parametrize("code", OTHERS)
def test_no_translation_loses_a_part_that_changes(code):
    for line, said in page(code).items():
        holes = re.findall(r"\{(\d?)\}", said)
        used = [int(number) if number else place for place, number in enumerate(holes, 1)]
        assert sorted(used) == list(range(1, line.count("{}") + 1)), (line, said)


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("name", EXPLANATIONS)
def test_explanations_keep_their_equations(code, name):
    english, said = getattr(texts, name), explanation(name, code)
    assert said != english
    assert english.count("$$") == said.count("$$")
    assert english.count("####") == said.count("####")


def test_the_files_are_sorted_so_that_a_new_line_is_found():
    for code in OTHERS:
        lines = list(json.loads(Path(ROOT / "app" / "static" / f"language_{code}.json").read_text())["page"])
        assert lines == sorted(lines)


def resources(page_):
    """What the page has loaded."""
    return page_.evaluate("performance.getEntriesByType('resource').map((one) => one.toJSON())")


def test_the_page_is_read_in_french_and_goes_back_to_english(browser, address):
    tab = Tab(browser, address)
    page_ = tab.page
    before = tab.text("#af-side")
    page_.select_option(".af-language", "fr")
    page_.wait_for_selector(".af-language[data-shown=fr]")
    page_.wait_for_function("document.querySelector('[data-tab-id=listen]').innerText === 'Écouter'")
    assert "Lire" in tab.text(".af-play")
    words = page_.evaluate("getComputedStyle(document.body).getPropertyValue('--af-drop-words')")
    assert "ou déposez-le ici" in words
    assert page_.get_attribute("html", "lang") == "fr"
    page_.click("[data-tab-id=listen] >> nth=0")
    page_.click(".af-help >> nth=0 >> button >> nth=0")
    page_.wait_for_function("document.body.innerText.includes('quantification vectorielle résiduelle')")
    for room in ("mask", "results", "teach"):
        page_.click(f"[data-tab-id={room}]")
        page_.wait_for_selector(f".af-room[data-room={room}][data-answer]")
    script = next(one["name"] for one in resources(page_) if one["name"].endswith("language.js"))
    say = "async ([script, text]) => (await import(script)).language.say(text)"
    unknown = "It answers with one of its ten kinds, whatever comes"  # is not torn apart by "{} of {}"
    for english, french in (
        ("sea waves + dog", "vagues + chien"),
        ("12 codes; 3 of them in silence, not counted below", "12 codes ; 3 d'entre eux dans le silence, non comptés"),
        (unknown, unknown),
    ):
        assert page_.evaluate(say, [script, english]).startswith(french)
    assert "Enregistrer le projet" in tab.text(".af-room[data-room=teach]")
    page_.reload()
    page_.wait_for_selector(".af-language[data-shown=fr]", state="attached")
    page_.wait_for_function("document.querySelector('[data-tab-id=teach]').innerText === 'Apprendre'")
    page_.select_option(".af-language", "en")
    page_.wait_for_selector(".af-language[data-shown=en]")
    page_.wait_for_function("old => document.querySelector('#af-side').innerText === old", arg=before)
    tab.complaints = [text for text in tab.complaints if "ERR_ABORTED" not in text]
    tab.close()
