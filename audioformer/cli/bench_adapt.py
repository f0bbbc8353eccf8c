"""`audioformer bench adapt`: five ways to adapt a pre-trained model, and what each has to learn."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, Stopped, note, table
from audioformer.cli.parser import add_verb, at_least_one, numbers, words
from audioformer.cli.settings import add_set, override

COLUMNS = ("case", "trainable", "ours", "seed_std", "fold_std", "ratio", "seconds")
HEADER = ("what learns", "learned numbers", "score", "± seeds", "± folds", "score / full", "seconds")


def add_to(benches) -> None:
    """Add `bench adapt`."""
    about = (
        "Five ways to adapt one pre-trained model to labelled clips: the linear layer alone, biases, adapters, low-rank updates (LoRA), "
        "everything; with the numbers each learns and its time. Every fold is held out in turn; each way's learning rate is chosen "
        "inside the other folds. Finished results are kept: the same command goes on."
    )
    example = "audioformer bench adapt runs/esc50-codes --from pretrained -o runs/adapt --per-class 8 --set train.n_steps=100"
    parser = add_verb(benches, "adapt", run, about, example)
    parser.add_argument("corpus", metavar="CORPUS", help="folder of `audioformer prepare`, with labels and folds")
    parser.add_argument("--from", dest="start", default="pretrained", metavar="DIR", help="pre-trained model (default the bundled one)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for results; continued if it is there")
    parser.add_argument("--preset", default="esc10", metavar="NAME", help="recipe of `audioformer finetune` (default esc10)")
    parser.add_argument("--only", type=words, metavar="NAME,...", help="linear, bias, adapter, lora, full (default all)")
    parser.add_argument("--folds", type=numbers, metavar="1,2", help="folds to hold out (default all)")
    parser.add_argument("--seeds", type=at_least_one, default=1, metavar="N", help="how many seeds (default 1)")
    parser.add_argument("--per-class", type=at_least_one, metavar="N", help="learn from at most N clips of each class (default all)")
    add_set(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Measure what is missing, make the table of everything."""
    from audioformer.adapt import ADAPTATIONS
    from audioformer.benches.adapt import AdaptBench, adapt_table, run_cells
    from audioformer.checkpoint import weights_hash
    from audioformer.config import check_names
    from audioformer.corpus import Corpus
    from audioformer.finetune import finetune_preset
    from audioformer.pretrain import load_pretrained

    names, folder, corpus = arguments.only or ADAPTATIONS, Path(arguments.output), Corpus.open(arguments.corpus)
    check_names(names, list(ADAPTATIONS), "the list of adaptations")
    config = override(finetune_preset(arguments.preset), arguments.changes)
    model = load_pretrained(arguments.start, expect=corpus.codec)[0]
    bench = AdaptBench(corpus, model, weights_hash(model.state_dict()), config, arguments.per_class)
    folds = [fold for fold in bench.folds if arguments.folds is None or fold in arguments.folds]
    records = []
    with Progress() as progress:
        try:
            for record in run_cells(bench, names, folds, range(arguments.seeds), folder, progress.show):
                records.append(record)
        except KeyboardInterrupt:
            raise Stopped(f"stopped; what is finished is kept in {folder}: the same command goes on from there") from None
    about = {"start": arguments.start, "preset": arguments.preset, "per_class": arguments.per_class}
    document = adapt_table(records, corpus.multi_label, **about)
    _write(folder, document)
    return Result(document, table([HEADER, *cells(document["rows"], COLUMNS)], "  "))


def _write(folder: Path, document: dict) -> None:
    """results.json, results.md and, where plotly is installed, results.html."""
    from audioformer.audio import atomic_path
    from audioformer.benches.adapt import as_markdown

    texts = {"results.json": json.dumps(document, indent=1) + "\n", "results.md": as_markdown(document)}
    try:
        from audioformer.plots.probes import adaptations

        texts["results.html"] = adaptations(document["rows"], title="Adapting a pre-trained model").to_html(include_plotlyjs=True)
    except ImportError:
        note('no figure: it needs plotly, pip install "audioformer[app]"')
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
