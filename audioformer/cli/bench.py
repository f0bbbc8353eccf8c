"""`audioformer bench NAME`: claims about quality and speed, measured beside a peer in the same run.

Each benchmark is a module `bench_NAME` beside this one: `add_to(benches)` adds its name and options with `add_verb`,
and its `run` gives a Result whose document is that of `audioformer.evaluation.benches`. A new one is one more word in BENCHES.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.cli.console import note

if TYPE_CHECKING:
    import plotly.graph_objects as go

BENCHES = ("codec", "encode", "train", "growth", "ablation", "probe", "adapt")


def add_verbs(verbs) -> None:
    """Add `bench`, and every benchmark below it."""
    about = "Measure what the kit claims, beside a peer in the same run."
    parser = verbs.add_parser(
        "bench", help=about, description=about + " Each has options of its own: audioformer bench NAME --help"
    )
    benches = parser.add_subparsers(dest="name", metavar="NAME", required=True, title="benchmarks")
    for name in BENCHES:
        importlib.import_module(f"audioformer.cli.bench_{name}").add_to(benches)


def cells(rows: list[dict], columns: tuple[str, ...]) -> list[list[str]]:
    """Rows of a benchmark as text for `table`: three digits, whole numbers in full, "-" where nothing was measured."""
    return [[_cell(row.get(column)) for column in columns] for row in rows]


def write_results(folder: Path, document: dict, markdown: str, draw: Callable[[], go.Figure]) -> None:
    """Write results.json, results.md and, where plotly is installed and there are rows, results.html."""
    from audioformer.files import atomic_path

    texts = {"results.json": json.dumps(document, indent=1) + "\n", "results.md": markdown}
    try:
        if document["rows"]:
            texts["results.html"] = draw().to_html(include_plotlyjs=True)
    except ImportError:
        note('no figure: it needs plotly, pip install "audioformer[app]"')
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _cell(value) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
