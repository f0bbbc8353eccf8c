"""`audioformer bench probe`: what simple learners read out of frozen features."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.cli.bench import cells, write_results
from audioformer.cli.console import Progress, Result, stoppable, table
from audioformer.cli.options import add_verb, at_least_one, numbers, words
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS = (
    "data",
    "features",
    "probe",
    "ours",
    "seed_std",
    "fold_std",
    "chance",
    "n_features",
    "n_parameters",
    "speed_ratio",
)
HEADER = ("data", "features", "probe", "score", "± seeds", "± folds", "chance", "size", "parameters", "speed / log-mel")
ROOTS = {
    "esc10": "ESC-10 or ESC-50 in its published layout: each fold held out, accuracy",
    "digits": "Free Spoken Digit Dataset in its published layout: each speaker held out, accuracy",
    "scenes": "scenes of `audioformer synth`, or any set of that layout with several labels a clip: mAP",
    "folder": "your own sounds: one sub-folder a class, or a CSV with the columns filename,label",
}


def add_to(benches) -> None:
    """Add `bench probe`."""
    about = (
        "One ruler for all features. Frozen vectors, the same small probes and folds for everything: log-mel statistics, codec latents, "
        "codes, AudioFormer, EnCodecMAE. All choices are made inside the training folds. Vectors and results are kept in the output "
        "folder: the same command goes on; results.json, results.md and results.html hold the table and the figure."
    )
    parser = add_verb(
        benches, "probe", run, about, "audioformer bench probe --esc10 ESC-10 --digits FSDD -o runs/probe"
    )
    for name, text in ROOTS.items():
        parser.add_argument(f"--{name}", metavar="DIR", help=text)
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="for vectors and results; continued if it is there"
    )
    parser.add_argument(
        "--features",
        type=words,
        metavar="NAME,...",
        help="statistics, log-mel, codec:NAME, codes:NAME:rows=1-3, or a checkpoint: pretrained, runs/mine:rows=1-3, runs/mine:layer=2 "
        "(default: all of these that are bundled)",
    )
    parser.add_argument(
        "--checkpoint", type=words, default=(), metavar="NAME,...", help="checkpoints to measure beside --features"
    )
    parser.add_argument(
        "--probes", type=words, metavar="NAME,...", help="linear, knn, svm, mlp (default all but mlp: HEAR's, slow)"
    )
    parser.add_argument("--seeds", type=at_least_one, default=3, metavar="N", help="how many seeds (default 3)")
    parser.add_argument(
        "--folds", type=numbers, metavar="1,2", help="folds to hold out (default all; for digits: speakers, by number)"
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="torch device (default cpu)")
    parser.add_argument("--no-speed", action="store_true", help="leave the measurement of speed out")


def run(arguments: argparse.Namespace) -> Result:
    """Measure what is missing, make the table of everything."""
    from audioformer.config import check_names
    from audioformer.evaluation.benches.probe import FEATURES, PROBES, ProbeData, as_markdown, probe_table, run_cells
    from audioformer.evaluation.benches.vectors import ClipVectors, speeds
    from audioformer.evaluation.probe import GRIDS

    probes, folder = arguments.probes or PROBES, Path(arguments.output)
    check_names(probes, list(GRIDS), "the list of probes")
    data = [ProbeData.open(name, root, arguments.folds) for name in ROOTS if (root := getattr(arguments, name))]
    if not data:
        raise AudioformerError("nothing to measure on; give --esc10 DIR, --digits DIR, --scenes DIR or --folder DIR")
    names = dict.fromkeys([*(arguments.features or FEATURES), *arguments.checkpoint])
    models = [ClipVectors(name, arguments.device) for name in names]
    records, seeds = [], range(arguments.seeds)
    with stoppable(folder), Progress() as progress:
        for own in data:
            records += run_cells(own, models, probes, seeds, folder, progress.show, arguments.device)
        progress.show("speed")
        timed = [*models, ClipVectors("log-mel", arguments.device)]
        fast = None if arguments.no_speed else speeds(timed, data[0].dataset.clips)
    document = probe_table(records, data, models, fast)
    write_results(folder, document, as_markdown(document), lambda: _draw(document))
    return Result(document, table([HEADER, *cells(document["rows"], COLUMNS)], "  "))


def _draw(document: dict) -> go.Figure:
    from audioformer.plots.probes import probes

    return probes(document["rows"], title="Frozen features, one ruler")
