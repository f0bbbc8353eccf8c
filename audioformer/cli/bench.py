"""`audioformer bench NAME`: claims about quality and speed, measured beside a peer in the same run.

A benchmark is a module of `audioformer.evaluation.benches` (what it has to offer is said there) and a function with its
options in `bench_options.py`. Everything else is the same for all and stands here: progress, files, table.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from audioformer.cli.bench_options import BENCHES
from audioformer.cli.console import Progress, Result, note, stoppable, table
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path

FIGURES = {  # module and function of audioformer.plots, title
    "growth": ("growth", "growth", None),
    "ablation": ("ablation", "ablation", "Ablation"),
    "probe": ("probes", "probes", "Frozen features, one ruler"),
    "adapt": ("probes", "adaptations", "Adapting a pre-trained model"),
    "labels": ("probes", "by_labels", "What pre-training is worth"),
    "sight": ("sight", "grid", "Sound and sight"),
}


def add_verbs(verbs) -> None:
    """Add `bench`, and every benchmark below it."""
    about = "Measure quality and speed, each beside another method or package in the same run."
    parser = verbs.add_parser(
        "bench", help=about, description=about + " Each has options of its own: audioformer bench NAME --help"
    )
    benches = parser.add_subparsers(dest="name", metavar="NAME", required=True, title="benchmarks")
    for add in BENCHES.values():
        add(benches, run)


def run(arguments: argparse.Namespace) -> Result:
    """Measure, write results where the benchmark has a folder, make the table."""
    bench = importlib.import_module(f"audioformer.evaluation.benches.{arguments.name}")
    folder = getattr(arguments, "output", None)
    with stoppable(folder) if folder else contextlib.nullcontext(), Progress() as progress:
        document = bench.run(arguments, progress.show)
        stopped = document.pop("stopped", False)
        if folder:
            _write(Path(folder), document, bench.as_markdown(document))
        if stopped:
            raise KeyboardInterrupt
    if getattr(arguments, "figure", None):
        _write_figure(Path(arguments.figure), document)
    return Result(document, _text(bench, document))


def _write(folder: Path, document: dict, markdown: str) -> None:
    """Write results.json, results.md and, where plotly is installed and there are rows, results.html."""
    for name, text in (("results.json", json.dumps(document, indent=1) + "\n"), ("results.md", markdown)):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if document["rows"]:
        try:
            _write_figure(folder / "results.html", document)
        except AudioformerError as error:
            note(f"no figure: {error}")


def _write_figure(path: Path, document: dict) -> None:
    module, function, title = FIGURES[document["name"]]
    try:
        draw = getattr(importlib.import_module(f"audioformer.plots.{module}"), function)
        from audioformer.plots.theme import titled
    except ImportError as error:
        raise AudioformerError(f'a figure needs plotly ({error}); run `pip install "audioformer[app]"`') from error
    with atomic_path(path) as temporary:
        figure = draw(document["rows"])
        page = (titled(figure, title) if title else figure).to_html(include_plotlyjs=True)
        temporary.write_text(page, encoding="utf-8")


def _text(bench: ModuleType, document: dict) -> str:
    """One table, or one for each section."""
    if not hasattr(bench, "SECTIONS"):
        return _table(document["rows"], bench.COLUMNS)
    parts = [bench.headline(document)]
    for section, (title, columns) in bench.SECTIONS.items():
        if rows := [row for row in document["rows"] if row["section"] == section]:
            parts += ["", title, _table(rows, columns)]
    return "\n".join(parts)


def _table(rows: list[dict], columns: Mapping[str, str]) -> str:
    return table([list(columns), *([_cell(row.get(key)) for key in columns.values()] for row in rows)], "  ")


def _cell(value) -> str:
    """Three digits, whole numbers in full, "-" where nothing was measured."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
