"""Writes `MISTAKES.md`: the usual wrong answers to each exercise, and what the check says to them.

    python notebooks/mistakes.py            write it
    python notebooks/mistakes.py --check    fail if it is not what the tests and the checks say

The wrong answers are those of `tests/wrong_answers.py`, which no check may accept; at most five of each exercise.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from audioformer import teaching

HERE = Path(__file__).resolve().parent
PAGE, MOST = HERE / "MISTAKES.md", 5
HEAD = """# The usual wrong answers

For instructors and helpers: what learners write, in words, and what the check says to it. None of these gets a tick.
Written by `python notebooks/mistakes.py` from the tests; add what your room invents to `tests/wrong_answers.py`.
"""


def notebook_of() -> dict[str, str]:
    """Number of the notebook that asks each exercise, in the order of the notebooks."""
    pages = sorted((HERE / "src").glob("[0-9]*.py"))
    asked = [
        (name, page.stem[:2])
        for page in pages
        for name in re.findall(r'^check\("([\w.]+)"', page.read_text("utf-8"), re.M)
    ]
    return dict(asked)


def said(name: str, answer) -> str:
    """What the check says to an answer, without its name and its offer of a hint."""
    text = teaching.verdict(name, answer).removeprefix(f"✗ {name}: ").removesuffix(f" hint({name!r}) may help.")
    return " ".join(text.replace("|", "¦").split())


def page() -> str:
    """The page's text."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from wrong_answers import WRONG

    lines = [HEAD]
    for name, number in notebook_of().items():
        lines += [f"## {number} · {name}\n", "| wrong answer | the check says |", "|---|---|"]
        lines += [f"| {words} | {said(name, answer)} |" for words, answer in list(WRONG[name].items())[:MOST]]
        lines.append("")
    return "\n".join(lines)


def without_numbers(text: str) -> str:
    """What is compared: the last digits of a number are the machine's."""
    return re.sub(r"-?\d[\d.e+-]*", "#", text)


def main(arguments: list[str] | None = None) -> int:
    """Write or check; returns the exit status."""
    text = page()
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        if not PAGE.is_file() or without_numbers(PAGE.read_text(encoding="utf-8")) != without_numbers(text):
            print(f"{PAGE.name}: not current; run python notebooks/mistakes.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
