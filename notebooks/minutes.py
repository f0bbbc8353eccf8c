"""The minutes of each notebook, section by section, counted from what stands in it; writes them wherever they are told.

    python notebooks/minutes.py            write them into the sources and all pages
    python notebooks/minutes.py --check    fail if one of them is not what the sources say

A reader needs time for words, for lines of code, for an exercise, a question, a prediction, a player, figure or slider.
The computer is faster than the reader in all of them. The rates are estimates, not measurements: with them the eight
notebooks of a day take about as long as a reviewer wrote down who went through them as a learner (315 minutes, before
the listening tests were added).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORDS, LINES = 120, 20  # read in a minute: prose in a second language, and code
EXERCISE, QUESTION, PREDICTION, SHOWN = 5.0, 1.0, 0.5, 0.5  # minutes: the last for each player, figure and slider
START = 2  # minutes until everybody is ready
QUICK = {"00": 1}  # notebooks that begin at once
DAY = ("00", "01", "03", "04", "06", "09", "10", "15")  # the notebooks of a workshop
LARGE = {"18": 8.0}  # minutes of an exercise where it is a whole part of the method


def cells(source: Path) -> list[tuple[str, str]]:
    """(kind of cell, text) of a percent script, in order."""
    parts = re.split(r"^# %%(.*)\n", source.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [
        ("text" if "[markdown]" in head else head, body) for head, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def effort(kind: str, body: str, exercise: float = EXERCISE) -> float:
    """Minutes of one cell, where an exercise takes so many."""
    if kind == "text":
        prose = re.sub(r"^# ?|<details>.*?</details>", "", body, flags=re.MULTILINE | re.DOTALL)
        return len(prose.split()) / WORDS + QUESTION * len(re.findall(r"^\*\*Q\d", prose, re.MULTILINE))
    if 'exercise="quiz"' in kind or body.startswith(("quiz(", "check(", "predict(")):
        return 0.0
    if "exercise=" in kind:
        return PREDICTION if "prediction" in kind else exercise
    shown = len(re.findall(r"\b(?:show|listen|slider|explore|ears|sound_map|timeline|record)\(", body))
    return len(body.split("\n")) / LINES + SHOWN * shown


def sections(source: Path) -> list[tuple[str, int]]:
    """(heading, whole minutes, at least one) of each section, the start first; the recap takes no time of its own."""
    found: list[tuple[str, float]] = [("Start", float(QUICK.get(source.stem[:2], START)))]
    for number, (kind, body) in enumerate(cells(source)):
        if kind != "text":
            if number > 1:  # the imports belong to the start
                found[-1] = (found[-1][0], found[-1][1] + effort(kind, body, LARGE.get(source.stem[:2], EXERCISE)))
            continue
        for part in re.split(r"^(?=# ## )", body, flags=re.MULTILINE):
            heading = re.match(r"# ## (?:\d+ · )?(.+)\n", part)
            if heading:
                found.append((heading[1], 0.0))
            if len(found) > 1:
                found[-1] = (found[-1][0], found[-1][1] + effort("text", part))
    return [(name, max(1, round(minutes))) for name, minutes in found if name != "Recap"]


def written(text: str, minutes: dict[str, list[tuple[str, int]]]) -> str:
    """A page with the minutes in its tables of notebooks, of sections and of paths, and in *Time*."""
    totals = {number: sum(m for _, m in parts) for number, parts in minutes.items()}

    def of_path(row: re.Match) -> str:
        taken = re.findall(r"\[(\d\d)\]", row[1].split("|")[2]) or list(totals)
        return f"{row[1]}| {sum(totals[number] for number in taken)} |"

    def of_sections(row: re.Match) -> str:
        parts = " · ".join(f"{name} {m}" for name, m in minutes[row[1]])
        return f"| {row[1]} | {parts} | {totals[row[1]]} |"

    text = re.sub(r"^((?:# )?\| \*\*(?:two hours|a day|evenings|no time)[^\n]*)\| \d+ \|$", of_path, text, flags=re.M)
    text = re.sub(r"^\| (\d\d) \| Start .+ \| \d+ \|$", of_sections, text, flags=re.M)
    day = str(sum(totals[number] for number in DAY))
    text = re.sub(r"(?<=Everything would be )\d+(?= minutes)", day, text)
    text = re.sub(
        r"^(\|[^|\n]*\| (\d\d) [A-Z][^|\n]*) \| \d+ \|", lambda r: f"{r[1]} | {totals[r[2]]} |", text, flags=re.M
    )
    table = r"^((?:# )?\| \[(\d\d)\](?:\([^)]*\))? \| [^|\n]*\?) \| \d+ \|"
    return re.sub(table, lambda row: f"{row[1]} | {totals[row[2]]} |", text, flags=re.M)


def main(arguments: list[str] | None = None) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the minutes of the notebooks.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page has other minutes")
    options = parser.parse_args(arguments)
    sources = sorted((HERE / "src").glob("[0-9]*.py"))
    minutes = {source.stem[:2]: sections(source) for source in sources}
    stale, handouts = [], sorted((HERE / "handouts").glob("*.md"))
    for path in [*sources, HERE / "src" / "index.py", HERE / "README.md", HERE / "INSTRUCTOR.md", *handouts]:
        text = path.read_text(encoding="utf-8")
        new = written(text, minutes)
        if path in sources:
            total = sum(m for _, m in minutes[path.stem[:2]])
            new = re.sub(r"\*\*Time\*\* about \d+ minutes", f"**Time** about {total} minutes", new)
        if new != text:
            stale.append(path.name)
            if not options.check:
                path.write_text(new, encoding="utf-8")
    if options.check and stale:
        print(f"{', '.join(stale)}: other minutes; run python notebooks/minutes.py, then build.py", file=sys.stderr)
        return 1
    print({number: sum(m for _, m in parts) for number, parts in minutes.items()}, "minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
