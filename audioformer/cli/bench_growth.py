"""`audioformer bench growth`: how time and memory grow with length and batch."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, table
from audioformer.cli.options import add_verb, at_least_one, seconds


def add_to(benches) -> None:
    """Add `bench growth`."""
    about = "How time and memory grow: one clip of 1 s to 10 min read, 1 to 64 clips of 5 s in a training step."
    parser = add_verb(benches, "growth", run, about, "audioformer bench growth --longest 60 --figure growth.html")
    parser.add_argument(
        "--longest", type=seconds, default=600.0, metavar="S", help="leave longer clips out, seconds (default 600)"
    )
    parser.add_argument(
        "--largest", type=at_least_one, default=64, metavar="B", help="leave larger batches out (default 64)"
    )
    parser.add_argument("--preset", default="tiny", metavar="NAME", help="sizes: tiny (default), small, paper, test")
    parser.add_argument("--figure", metavar="FILE", help="also write a figure, .html (needs plotly)")


def run(arguments: argparse.Namespace) -> Result:
    """Measure."""
    from audioformer.config import preset
    from audioformer.evaluation.benches.growth import bench_growth

    with Progress() as progress:
        result = bench_growth(
            preset(arguments.preset, n_codebooks=1), arguments.longest, arguments.largest, progress=progress.show
        )
    if arguments.figure:
        _draw(result, Path(arguments.figure))
    header = ("case", "seconds", "tokens", "tokens/s", "peak (MB)", "exponent")
    return Result(
        result,
        table([header, *cells(result["rows"], ("case", "ours", "tokens", "tokens_per_s", "peak_mb", "growth"))], "  "),
    )


def _draw(result: dict, path: Path) -> None:
    from audioformer.errors import AudioformerError
    from audioformer.files import atomic_path

    try:
        from audioformer.plots.growth import growth
    except ImportError as error:
        raise AudioformerError(f'--figure needs plotly ({error}); run `pip install "audioformer[app]"`') from error
    with atomic_path(path) as temporary:
        temporary.write_text(growth(result["rows"]).to_html(include_plotlyjs=True), encoding="utf-8")
