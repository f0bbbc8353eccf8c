"""What the notebooks need besides the library: checks of exercises, hints, a quiz, sounds and sliders in place.

    teaching.answers   what an exercise is, and how an answer differs from the right one
    teaching.players   sample, trimmed, listen, show, slider, button, explore, watch, budget
    teaching.n00_ready ... n16_scale   the exercises and questions of one notebook each

A check never raises: it says *not yet* while an answer is still `...`, names the first difference when it is wrong, and
prints a tick when it is right.
"""

from __future__ import annotations

import inspect
from copy import deepcopy
from importlib import import_module
from pathlib import Path

from torch import Tensor

from audioformer.teaching.answers import Check, difference
from audioformer.teaching.players import budget, button, explore, listen, sample, show, slider, trimmed, watch

__all__ = [
    "CHECKS",
    "QUIZ",
    "Check",
    "budget",
    "button",
    "check",
    "difference",
    "explore",
    "hint",
    "listen",
    "quiz",
    "sample",
    "show",
    "slider",
    "trimmed",
    "watch",
]

LONGEST_CASE = 60  # characters of the arguments that are printed
NOTEBOOKS = [import_module(f"{__name__}.{path.stem}") for path in sorted(Path(__file__).parent.glob("n[0-9]*.py"))]
CHECKS = {name: check for notebook in NOTEBOOKS for name, check in notebook.CHECKS.items()}
QUIZ = {name: question for notebook in NOTEBOOKS for name, question in notebook.QUIZ.items()}


def check(name: str, answer) -> None:
    """Say whether an exercise is solved.

    Args:
        name: of the exercise, as the notebook gives it.
        answer: the learner's function.
    """
    if name not in CHECKS:
        print(f"✗ there is no exercise {name!r}; there are {', '.join(CHECKS)}")
        return
    one = CHECKS[name]
    for number, arguments in enumerate(one.cases(), start=1):
        try:
            result = answer(*deepcopy(arguments))
        except NotImplementedError:
            result = ...
        except Exception as error:  # a learner's function may fail in any way; a notebook goes on
            print(f"✗ {name}: your function stopped with {type(error).__name__}: {error}. hint({name!r}) may help.")
            return
        if result is None and not _has_dots(answer):
            print(f"✗ {name}: your function returned nothing; does its last line say `return`?")
            return
        if result is None or result is Ellipsis:
            print(f"… {name}: not yet. Replace the dots, run the cell, then this one. hint({name!r}) may help.")
            return
        problem = difference(result, one.reference(*deepcopy(arguments)))
        if problem:
            print(f"✗ {name}: case {number}{_written(arguments)}, {problem}. hint({name!r}) may help.")
            return
    print(f"✓ {name}")


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


def hint(name: str) -> None:
    """Print the hint of an exercise."""
    print(CHECKS[name].hint if name in CHECKS else f"there is no exercise {name!r}; there are {', '.join(CHECKS)}")


def quiz(name: str, answer) -> None:
    """Say whether a quiz answer is right, and why.

    Args:
        name: of the question, as the notebook gives it.
        answer: a letter, or `...` while it is open.
    """
    if name not in QUIZ:
        print(f"✗ there is no question {name!r}; there are {', '.join(QUIZ)}")
        return
    right, why = QUIZ[name]
    if answer is Ellipsis or answer is None:
        print(f"… {name}: not yet. Replace the dots with a letter in quotes.")
    elif str(answer).strip(" ().").lower() == right:
        print(f"✓ {name}: {why}")
    else:
        print(f"✗ {name}: not {str(answer)[:20]!r}. Think again, or try it out in a cell.")
