"""`audioformer bench NAME`: claims about quality and speed, measured beside a peer in the same run.

Each benchmark is a module `bench_NAME` beside this one: `add_to(benches)` adds its name and options with `add_verb`,
and its `run` gives a Result whose document is that of `audioformer.benches`. A new one is one more word in BENCHES.
"""

from __future__ import annotations

import importlib

BENCHES = ("codec", "encode", "train", "growth", "ablation", "probe", "adapt")


def add_verbs(verbs) -> None:
    """Add `bench`, and every benchmark below it."""
    about = "Measure what the kit claims, beside a peer in the same run."
    parser = verbs.add_parser("bench", help=about, description=about + " Each has options of its own: audioformer bench NAME --help")
    benches = parser.add_subparsers(dest="name", metavar="NAME", required=True, title="benchmarks")
    for name in BENCHES:
        importlib.import_module(f"audioformer.cli.bench_{name}").add_to(benches)


def cells(rows: list[dict], columns: tuple[str, ...]) -> list[list[str]]:
    """Rows of a benchmark as text for `table`: three digits, whole numbers in full, "-" where nothing was measured."""
    return [[_cell(row.get(column)) for column in columns] for row in rows]


def _cell(value) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
