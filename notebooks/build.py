"""Builds every notebook twice from `src/`: with the answers (`solutions/`) and with `...` in their place.

    python notebooks/build.py            write the notebooks
    python notebooks/build.py --check    fail if one of them is not what its source says

A source is a jupytext percent script. In a cell marked `# %% exercise="name"` the learner's copy keeps signatures and
docstrings of functions and the names of variables; what stands in their place is `...`. No outputs are ever stored.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

HERE = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def blank(code: str) -> str:
    """The learner's copy of an exercise cell.

    Args:
        code: of the cell with the answer.

    Returns:
        The same functions with signature and docstring, the same variables, and `...` for every answer.

    Example:
        >>> print(blank('x = 1'))
        x = ...
    """
    lines = code.splitlines()
    kept: list[str] = []
    after = 0
    for node in ast.parse(code).body:
        kept += lines[after : node.lineno - 1]
        if isinstance(node, ast.FunctionDef):
            has_docstring = ast.get_docstring(node) is not None
            body_starts = node.body[0].end_lineno if has_docstring else node.body[0].lineno - 1
            kept += [*lines[node.lineno - 1 : body_starts], " " * node.body[0].col_offset + "..."]
        elif isinstance(node, ast.Assign):
            kept.append(f"{ast.unparse(node.targets[0])} = ...")
        else:
            kept += lines[node.lineno - 1 : node.end_lineno]
        after = node.end_lineno
    return "\n".join(kept + lines[after:])


def build(source: Path, solution: bool) -> str:
    """One notebook as the text of its .ipynb file.

    Args:
        source: percent script.
        solution: with the answers, or blanked.

    Returns:
        JSON with a newline at the end; the same for the same source.
    """
    import jupytext
    import nbformat

    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        exercise = cell.metadata.get("exercise")
        if exercise and not solution:
            cell.source = blank(cell.source)
        cell.metadata = nbformat.from_dict({"tags": ["exercise", exercise]} if exercise else {})
        cell["id"] = f"{source.stem[:2]}-{number:03d}"
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def targets() -> dict[Path, tuple[Path, bool]]:
    """File to write: (its source, whether with answers)."""
    found = {}
    for source in sorted((HERE / "src").glob("*.py")):
        found[HERE / f"{source.stem}.ipynb"] = (source, False)
        if source.stem[0].isdigit():  # the index has nothing to solve
            found[HERE / "solutions" / f"{source.stem}.ipynb"] = (source, True)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Build or check all notebooks; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the notebooks from notebooks/src.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a notebook is stale")
    options = parser.parse_args(arguments)
    stale = []
    for path, (source, solution) in targets().items():
        text = build(source, solution)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not options.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    orphans = [path for path in [*HERE.glob("*.ipynb"), *HERE.glob("solutions/*.ipynb")] if path not in targets()]
    if options.check and (stale or orphans):
        for path in stale:
            print(f"{path.relative_to(HERE)}: not what its source says; run python notebooks/build.py", file=sys.stderr)
        for path in orphans:
            print(f"{path.relative_to(HERE)}: has no source in src/; delete it", file=sys.stderr)
        return 1
    print(f"{len(stale)} of {len(targets())} notebooks {'stale' if options.check else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
