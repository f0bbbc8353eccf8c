"""Small parts of the command line: strict JSON, tables, clocks, progress, settings of a preset."""

from __future__ import annotations

import argparse
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from audioformer.cli.console import Progress, Result, clock, complain, note, print_result, table
from audioformer.cli.options import at_least_one, numbers, seconds, seed, words
from audioformer.cli.settings import names_of, override
from audioformer.cli.training import _timed, step_line
from audioformer.errors import AudioformerError
from audioformer.train import StepRecord


def test_json_is_strict_whatever_goes_in(capsys):
    odd = {"nan": float("nan"), "inf": np.float32("inf"), "array": np.arange(2), "path": Path("a"), 3: (1, None, True)}
    expected = {"nan": None, "inf": None, "array": [0, 1], "path": "a", "3": [1, None, True]}
    print_result(Result(odd, "text"), as_json=True)
    assert json.loads(capsys.readouterr().out) == expected
    print_result(Result(odd, "text"), as_json=False)
    print_result(Result(None), as_json=False)
    assert capsys.readouterr().out == "text\n"


def test_columns_are_aligned():
    assert table([["a", "long one", "x"], ["bb", "c", "y"]], "  ") == "  a   long one  x\n  bb  c         y"
    assert table([]) == ""


@pytest.mark.parametrize(
    ("span", "text"), [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (7320, "2 h 02 min")]
)
def test_time_spans_are_readable(span, text):
    assert clock(span) == text


def test_progress_in_a_log_shows_the_first_and_the_last_line(capsys):
    with Progress() as progress:
        for i in range(100):
            progress.show(f"{i} of 100")
    assert capsys.readouterr().err == "0 of 100\n99 of 100\n"


def test_progress_on_a_screen_keeps_one_line_up_to_date(monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress() as progress:
        progress.show("a long line")
        progress.show("short")
    assert screen.getvalue() == "\ra long line\rshort      \n"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (numbers, "1", (1,)),
        (numbers, "1,2,4", (1, 2, 4)),
        (numbers, "1-2, 5", (1, 2, 5)),
        (words, "a, b,,c", ("a", "b", "c")),
        (seconds, "0.5", 0.5),
        (seed, "0", 0),
        (at_least_one, "3", 3),
    ],
)
def test_arguments_have_types(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [(numbers, ""), (words, ","), (seconds, "0"), (seconds, "nan"), (seed, "-1"), (at_least_one, "1.5")],
)
def test_arguments_of_another_type_are_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        kind(text)


@dataclass(frozen=True)
class Inner:
    steps: int = 3
    rate: float = 0.5
    on: bool = False
    name: str = "x"
    limit: int | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    share: float = 1.0


def test_settings_have_the_types_of_their_fields():
    changes = ["inner.steps=1_000", "inner.rate=1e-3", "inner.on=yes", "inner.name=a=b", "inner.limit=7", "share=2"]
    assert override(Outer(), changes) == Outer(Inner(1000, 0.001, True, "a=b", 7), 2.0)
    assert override(Outer(Inner(limit=3)), ["inner.limit=none"]).inner.limit is None
    assert override(Outer(), []) == Outer()
    assert list(names_of(Outer())) == ["inner.steps", "inner.rate", "inner.on", "inner.name", "inner.limit", "share"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("inner.steps=3.5", "inner.steps takes a whole number"),
        ("inner.rate=fast", "inner.rate takes a number"),
        ("inner.on=maybe", "inner.on takes true or false"),
        ("inner.limit=x", "inner.limit takes a whole number"),
        ("steps=3", "has no 'steps'; nearest: inner.steps"),
        ("inner.steps", "expected name=value"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(AudioformerError, match=message):
        override(Outer(), [change])


def test_a_resumed_run_tells_the_time_of_its_own_steps():
    records = [
        StepRecord(step, {"total": 1.0}, {}, 1e-3, 1.0, seconds)
        for step, seconds in ((200, 300.0), (201, 302.0), (202, 303.0))
    ]
    assert [per_step for _, per_step, _ in _timed(records)] == [1.5, 2.0, 1.5]
    assert step_line(records[0], 1.5, None, 260).endswith("1.50 s/step  1 min 30 s left")


EVIL = "do\x1b[2Jg\n\x9b5\u202ecat"
TAME = r"do\x1b[2Jg\n\x9b5\u202ecat"


def test_labels_and_file_names_do_not_control_the_terminal(capsys):
    assert table([[EVIL, "1"]]) == f"{TAME}  1"
    note(EVIL)
    complain(EVIL)
    with Progress() as progress:
        progress.show(EVIL)
    print_result(Result({EVIL: EVIL}), as_json=True)
    print_result(Result(None, f"a\n{EVIL}"), as_json=False)
    out, err = capsys.readouterr()
    assert not set(out + err) & set("\x1b\x9b\u202e")
    assert err.splitlines()[0] == TAME
    assert len(err.splitlines()) == 3
    assert json.JSONDecoder().raw_decode(out)[0] == {EVIL: EVIL}
