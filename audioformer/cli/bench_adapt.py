"""`audioformer bench adapt`: five ways to adapt a pre-trained model, and what each has to learn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.cli.bench import cells, write_results
from audioformer.cli.console import Progress, Result, stoppable, table
from audioformer.cli.options import add_verb, at_least_one, numbers, words
from audioformer.cli.settings import add_set, override

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLUMNS = ("case", "trainable", "ours", "seed_std", "fold_std", "ratio", "seconds")
HEADER = ("what learns", "learned numbers", "score", "± seeds", "± folds", "score / full", "seconds")


def add_to(benches) -> None:
    """Add `bench adapt`."""
    about = (
        "Five ways to adapt one pre-trained model to labelled clips: the linear layer alone, biases, adapters, low-rank updates (LoRA), "
        "everything; with the numbers each learns and its time. Every fold is held out in turn; each way's learning rate is chosen "
        "inside the other folds. Finished results are kept: the same command goes on."
    )
    example = (
        "audioformer bench adapt runs/esc50-codes --from pretrained -o runs/adapt --per-class 8 --set train.n_steps=100"
    )
    parser = add_verb(benches, "adapt", run, about, example)
    parser.add_argument("corpus", metavar="CORPUS", help="folder of `audioformer prepare`, with labels and folds")
    parser.add_argument(
        "--from", dest="start", default="pretrained", metavar="DIR", help="pre-trained model (default the bundled one)"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for results; continued if it is there")
    parser.add_argument(
        "--preset", default="esc10", metavar="NAME", help="recipe of `audioformer finetune` (default esc10)"
    )
    parser.add_argument(
        "--only", type=words, metavar="NAME,...", help="linear, bias, adapter, lora, full (default all)"
    )
    parser.add_argument("--folds", type=numbers, metavar="1,2", help="folds to hold out (default all)")
    parser.add_argument("--seeds", type=at_least_one, default=1, metavar="N", help="how many seeds (default 1)")
    parser.add_argument(
        "--per-class", type=at_least_one, metavar="N", help="learn from at most N clips of each class (default all)"
    )
    add_set(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Measure what is missing, make the table of everything."""
    from audioformer.adapt import ADAPTATIONS
    from audioformer.checkpoint import weights_hash
    from audioformer.config import check_names
    from audioformer.data.corpus import Corpus
    from audioformer.evaluation.benches.adapt import AdaptBench, adapt_table, as_markdown, run_cells
    from audioformer.finetune import finetune_preset
    from audioformer.pretrain import load_pretrained

    names, folder, corpus = arguments.only or ADAPTATIONS, Path(arguments.output), Corpus.open(arguments.corpus)
    check_names(names, list(ADAPTATIONS), "the list of adaptations")
    config = override(finetune_preset(arguments.preset), arguments.changes)
    model = load_pretrained(arguments.start, expect=corpus.codec)[0]
    bench = AdaptBench(corpus, model, weights_hash(model.state_dict()), config, arguments.per_class)
    folds = [fold for fold in bench.folds if arguments.folds is None or fold in arguments.folds]
    records = []
    with stoppable(folder), Progress() as progress:
        for record in run_cells(bench, names, folds, range(arguments.seeds), folder, progress.show):
            records.append(record)
    about = {"start": arguments.start, "preset": arguments.preset, "per_class": arguments.per_class}
    document = adapt_table(records, corpus.multi_label, **about)
    write_results(folder, document, as_markdown(document), lambda: _draw(document))
    return Result(document, table([HEADER, *cells(document["rows"], COLUMNS)], "  "))


def _draw(document: dict) -> go.Figure:
    from audioformer.plots.probes import adaptations

    return adaptations(document["rows"], title="Adapting a pre-trained model")
