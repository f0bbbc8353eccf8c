"""`audioformer bench encode`: how fast many clips are coded."""

from __future__ import annotations

import argparse

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, table
from audioformer.cli.options import add_verb, at_least_one, seconds


def add_to(benches) -> None:
    """Add `bench encode`."""
    about = (
        "How fast many clips are coded. EnCodec 24 kHz beside the package encodec called clip by clip, with the share of equal codes; the "
        "bundled codec; and the limit that the processor's matrix rate sets. Needs encodec (CC BY-NC 4.0)."
    )
    parser = add_verb(benches, "encode", run, about, "audioformer bench encode --clips 16 --seconds 5")
    parser.add_argument("--clips", type=at_least_one, default=16, metavar="B", help="clips (default 16)")
    parser.add_argument("--seconds", type=seconds, default=5.0, metavar="S", help="length of each, seconds (default 5)")
    parser.add_argument("--repeats", type=at_least_one, default=3, metavar="N", help="rounds (default 3)")
    parser.add_argument("--weights", metavar="PATH", help="published weights; without, random ones of the same format")


def run(arguments: argparse.Namespace) -> Result:
    """Measure."""
    from audioformer.evaluation.benches.encode import bench_encode

    with Progress() as progress:
        result = bench_encode(arguments.clips, arguments.seconds, arguments.repeats, arguments.weights, progress.show)
    columns, header = (
        ("case", "ours", "unit", "ratio", "identical"),
        ("case", "value", "unit", "ratio to the package", "equal codes"),
    )
    return Result(result, table([header, *cells(result["rows"], columns)], "  "))
