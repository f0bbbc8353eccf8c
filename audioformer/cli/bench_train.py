"""`audioformer bench train`: tokens per second of a masked-language-model step."""

from __future__ import annotations

import argparse

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, table
from audioformer.cli.options import add_verb, at_least_one


def add_to(benches) -> None:
    """Add `bench train`."""
    about = (
        "Tokens per second of a masked-language-model step, beside Hugging Face's RoFormer. Same sizes (5.1 million weights), same start, "
        "same batch, same loss, in 32 bits and under bfloat16 autocast; medians. Needs transformers."
    )
    parser = add_verb(benches, "train", run, about, "audioformer bench train --json")
    parser.add_argument("--batch", type=at_least_one, default=8, metavar="B", help="clips (default 8)")
    parser.add_argument(
        "--positions", type=at_least_one, default=376, metavar="S", help="tokens a clip, at least 3 (default 376: 5 s)"
    )
    parser.add_argument("--steps", type=at_least_one, default=8, metavar="N", help="measured steps of each (default 8)")
    parser.add_argument("--preset", choices=("default", "test"), default="default", help="sizes (test: tiny)")


def run(arguments: argparse.Namespace) -> Result:
    """Measure."""
    from audioformer.config import preset
    from audioformer.evaluation.benches.train import SIZES, bench_train

    sizes = SIZES if arguments.preset == "default" else preset("test", n_codebooks=1)
    with Progress() as progress:
        result = bench_train(sizes, arguments.batch, max(3, arguments.positions), arguments.steps, progress.show)
    columns = ("case", "ours", "peer", "ratio", "loss", "loss_peer")
    header = ("case", "ours (tokens/s)", "Hugging Face", "ratio", "loss (nats)", "theirs")
    return Result(result, table([header, *cells(result["rows"], columns)], "  "))
