"""`audioformer bench ablation`: which part of the recipe helps, and by how much."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.cli.bench import cells, write_results
from audioformer.cli.console import Progress, Result, note, stoppable, table
from audioformer.cli.options import add_codec, add_verb, at_least_one, numbers, words
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS = ("case", "ours", "seed_std", "fold_std", "gain", "gain_error", "n_cells")
HEADER = ("row", "accuracy", "± seeds", "± folds", "gain", "± error", "cells")


def add_to(benches) -> None:
    """Add `bench ablation`."""
    about = (
        "Which part of the recipe helps, and by how much. From scratch, linear probe, FT1, FT2 (MPC), single rows, shared and summed "
        "encoders, maskings, synthetic sound, alpha and temperature: on ESC-10 with each fold held out and on spoken digits with each "
        "speaker held out, beside chance and a support vector machine. Every result is a file of its own: Ctrl-C or a kill loses one, "
        "and the same command goes on; results.json, results.md and results.html hold whatever is there."
    )
    parser = add_verb(
        benches,
        "ablation",
        run,
        about,
        "audioformer bench ablation --esc10 ESC-10 -o runs/ablation --only scratch,ft1,ft2",
    )
    parser.add_argument("--esc10", metavar="DIR", help="ESC-10 or ESC-50 in its published layout")
    parser.add_argument("--digits", metavar="DIR", help="Free Spoken Digit Dataset in its published layout")
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="for codes, models and results; continued if it is there"
    )
    parser.add_argument(
        "--preset", default="laptop", metavar="NAME", help="laptop (default; eleven hours of one core), gpu, test"
    )
    parser.add_argument(
        "--only", type=words, metavar="ROW,...", help="rows of the table: svm, scratch, probe, ft1, ... (default all)"
    )
    parser.add_argument(
        "--folds", type=numbers, metavar="1,2", help="folds to hold out (default all; for digits: speakers, by number)"
    )
    parser.add_argument("--seeds", type=at_least_one, metavar="N", help="how many seeds (default: the preset's, 3)")
    add_codec(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Measure what is missing, merge what is there."""
    from audioformer.codec import load_codec
    from audioformer.config import check_names
    from audioformer.evaluation.benches.ablation import Bench, cells_of, run_cells
    from audioformer.evaluation.benches.ablation_rows import VARIANTS, ablation_preset

    config, folder = ablation_preset(arguments.preset), Path(arguments.output)
    rows = arguments.only or list(VARIANTS)
    check_names(rows, list(VARIANTS), "the list of rows")
    roots = {name: Path(root) for name in config.data() if (root := getattr(arguments, name))}
    if not roots:
        raise AudioformerError("nothing to measure on; give --esc10 DIR or --digits DIR or both")
    codec = load_codec(arguments.codec, weights=arguments.weights)
    seeds = range(arguments.seeds or config.n_seeds)
    with stoppable(folder), Progress() as progress:
        benches = [
            Bench(config.data()[name], config, root, folder, codec, progress.show) for name, root in roots.items()
        ]
        try:
            for bench in benches:
                for record in run_cells(bench, cells_of(bench, rows, arguments.folds, seeds)):
                    told = " ".join(str(record[key]) for key in ("data", "row", "fold", "seed"))
                    progress.show(f"{told}: accuracy {record['accuracy']:.3f}")
        finally:
            document = _merge(arguments, benches, seeds)
    if document["missing"]:
        note(f"{len(document['missing'])} cells of the whole table are not measured yet")
    return Result(document, table([HEADER, *cells(document["rows"], COLUMNS)], "  "))


def _merge(arguments: argparse.Namespace, benches: list, seeds: range) -> dict:
    """The table of whatever is there, written beside the cells."""
    from audioformer.evaluation.benches.ablation import cells_of, read_cell
    from audioformer.evaluation.benches.ablation_rows import VARIANTS
    from audioformer.evaluation.benches.ablation_table import ablation_table, as_markdown

    folder = Path(arguments.output)
    every = [(bench, cell) for bench in benches for cell in cells_of(bench, list(VARIANTS), None, seeds)]
    found = {cell.name: read_cell(folder, cell, bench.settings(cell)) for bench, cell in every}
    missing = [name for name, record in found.items() if record is None]
    codec = benches[0].codec
    about = {"preset": arguments.preset, "codec": codec.name, "fingerprint": codec.fingerprint}
    document = ablation_table([record for record in found.values() if record], missing, **about)
    write_results(folder, document, as_markdown(document), lambda: _draw(document))
    return document


def _draw(document: dict) -> go.Figure:
    from audioformer.plots.ablation import ablation

    return ablation(document["rows"], title="Ablation")
