"""What the notebooks need besides the library: checks of exercises, hints, a quiz, sounds and sliders in place.

    teaching.answers       what an exercise is, and how an answer differs from the right one
    teaching.players       sample, trimmed, sounding, listen, show, slider, button, explore, watch, budget
    teaching.sound_picture the spectrogram below each player
    teaching.predictions   predict, reveal, calibration; hand_in and room for a whole room of people
    teaching.blind         ears, a blind listening test
    teaching.n00_ready ... n20_ablation the exercises and questions of one notebook each

A check never raises: it says *not yet* while an answer is still `...`, names the first difference when it is wrong, and
prints a tick when it is right.
"""

from __future__ import annotations

import inspect
import json
from copy import deepcopy
from importlib import import_module
from pathlib import Path

from torch import Tensor

from audioformer.errors import AudioformerError
from audioformer.files import notebooks_folder
from audioformer.teaching.answers import Check, difference, skeleton
from audioformer.teaching.blind import EARS, ears
from audioformer.teaching.players import (
    budget,
    button,
    explore,
    folded,
    listen,
    sample,
    show,
    slider,
    sounding,
    trimmed,
    watch,
)
from audioformer.teaching.predictions import PREDICTIONS, calibration, hand_in, predict, reveal, room

__all__ = [
    "CHECKS",
    "EARS",
    "PREDICTIONS",
    "QUIZ",
    "Check",
    "budget",
    "button",
    "calibration",
    "check",
    "difference",
    "ears",
    "explore",
    "folded",
    "hand_in",
    "hint",
    "listen",
    "predict",
    "quiz",
    "reveal",
    "room",
    "sample",
    "show",
    "slider",
    "sounding",
    "trimmed",
    "use",
    "watch",
]

LONGEST_CASE = 60  # characters of the arguments that are printed
NOTEBOOKS = [import_module(f"{__name__}.{path.stem}") for path in sorted(Path(__file__).parent.glob("n[0-9]*.py"))]
CHECKS = {name: check for notebook in NOTEBOOKS for name, check in notebook.CHECKS.items()}
_HINTED: dict[str, int] = {}  # level of the last hint of each exercise
QUIZ = {name: question for notebook in NOTEBOOKS for name, question in notebook.QUIZ.items()}


def check(name: str, answer) -> None:
    """Say whether an exercise is solved: a tick, the first difference, or *not yet*; it never raises.

    Args:
        name: of the exercise, as the notebook gives it.
        answer: the learner's function.
    """
    print(verdict(name, answer))


def verdict(name: str, answer) -> str:
    """What `check` prints."""
    if name not in CHECKS:
        return f"✗ there is no exercise {name!r}; there are {', '.join(CHECKS)}"
    one, help_ = CHECKS[name], f"hint({name!r}) may help."
    for number, arguments in enumerate(one.cases(), start=1):
        try:
            result = answer(*deepcopy(arguments))
        except NotImplementedError:
            result = ...
        except Exception as error:  # a learner's function may fail in any way; a notebook goes on
            return f"✗ {name}: your function stopped with {type(error).__name__}: {error}. {help_}"
        if result is None and not _has_dots(answer):
            return f"✗ {name}: your function returned nothing; does its last line say `return`?"
        if result is None or result is Ellipsis:
            return f"… {name}: not yet. Replace the dots, run the cell, then this one. {help_}"
        problem = difference(result, one.reference(*deepcopy(arguments)))
        if problem:
            return f"✗ {name}: case {number}{_written(arguments)}, {problem}. {help_}"
    return f"✓ {name}"


def _has_dots(answer) -> bool:
    """Whether a learner's function still holds the dots of the exercise; True where its text is not known."""
    try:
        return "..." in inspect.getsource(answer)
    except (OSError, TypeError):
        return True


def _written(arguments: tuple) -> str:
    """What a case was tried on, where that is short enough to read."""
    shown = ", ".join(str(one.tolist() if isinstance(one, Tensor) else one) for one in arguments)
    return f" ({shown})" if len(shown) <= LONGEST_CASE and "<function" not in shown else ""


def hint(name: str, level: int | None = None) -> None:
    """Print a hint; each call gives the next of three levels: the idea, the means, the skeleton of a solution.

    Args:
        name: of the exercise.
        level: 1 to 3; None: the next.
    """
    if name not in CHECKS:
        print(f"there is no exercise {name!r}; there are {', '.join(CHECKS)}")
        return
    _HINTED[name] = level = min(3, max(1, level or _HINTED.get(name, 0) + 1))
    print(f"{level} of 3:", (CHECKS[name].idea, CHECKS[name].hint, _skeleton(name))[level - 1])
    if level < 3:
        print(f"More: hint({name!r}) once more.")


def _skeleton(name: str) -> str:
    """The shape of the notebooks' own solution of an exercise."""
    for path in sorted((notebooks_folder() / "solutions").glob("*.ipynb")):
        cells = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        number = next((i for i, cell in enumerate(cells) if f'check("{name}"' in cell), None)
        if number is not None:
            return "the shape of one solution, with ... for what is left to you:\n" + skeleton(cells[number - 1])
    return CHECKS[name].hint


def use(name: str, answer):
    """A learner's function where it is right, else the library's: for the cells that build on an exercise.

    Args:
        name: of the exercise.
        answer: the learner's function.

    Returns:
        `answer`, or the reference that it is held against; which of the two is printed.
    """
    if name not in CHECKS:
        raise AudioformerError(f"there is no exercise {name!r}; there are {', '.join(CHECKS)}")
    mine = verdict(name, answer).startswith("✓")
    print(f"{name}: {'yours' if mine else 'the library’s, until yours has its tick'}")
    return answer if mine else CHECKS[name].reference


def quiz(name: str, answer) -> None:
    """Say whether a quiz answer is right, and why, or why not.

    Args:
        name: of the question, as the notebook gives it.
        answer: a letter, or `...` while it is open.
    """
    if name not in QUIZ:
        print(f"✗ there is no question {name!r}; there are {', '.join(QUIZ)}")
        return
    question, letter = QUIZ[name], str(answer).strip(" ().").lower()
    if answer is Ellipsis or answer is None:
        print(f"… {name}: not yet. Replace the dots with a letter in quotes.")
    elif letter == question.right:
        print(f"✓ {name}: {question.why}")
    elif letter in question.wrong:
        print(f"✗ {name}: not {letter!r}: {question.wrong[letter]}.")
    else:
        print(f"✗ {name}: {str(answer)[:20]!r} is none of a, b, c and d.")
