"""`audioformer bench codec`: how much of a sound the codec keeps."""

from __future__ import annotations

import argparse
import time

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, clock, note, table
from audioformer.cli.options import add_codec, add_verb, seconds, words

SECTIONS = {
    "ladder": (
        "Distance to the original",
        ("case", "value", "ratio to Opus 12", "loudness distance", "SI-SDR (dB)"),
        ("case", "ours", "ratio", "loudness_distance", "si_sdr_db"),
    ),
    "kept": (
        "What a classifier trained on originals still knows",
        ("tested on", "accuracy", "loss (points)", "mean loss of 50 resampled classifiers", "deviation"),
        ("case", "ours", "loss_points", "mean_loss_points", "loss_std"),
    ),
    "codes": ("Codes in use", ("case", "share", "perplexity"), ("case", "ours", "perplexity")),
    "cost": ("Cost", ("case", "value", "unit"), ("case", "ours", "unit")),
}


def add_to(benches) -> None:
    """Add `bench codec`."""
    about = (
        "How much of a sound the codec keeps with each number of codebooks. Multi-scale log-mel distance, loudness distance (a listening "
        "proxy) and SI-SDR, medians over files, beside Opus at 6, 12 and 24 kbit/s if Debian's opus-tools are installed; which codes are "
        "in use; speed, size, silence; and, with --classify, what a classifier trained on originals still knows of decoded sounds."
    )
    example = "audioformer bench codec ESC-10/audio --include '4-*' --codes-of ESC-10/audio --exclude '4-*' --classify esc50 ESC-10 '4-*'"
    parser = add_verb(benches, "codec", run, about, example)
    parser.add_argument("folders", nargs="+", metavar="DIR", help="recordings the codec was not trained on")
    parser.add_argument(
        "--include", action="append", metavar="PATTERN", help="only files whose name fits, e.g. '4-*'; may be repeated"
    )
    parser.add_argument(
        "--max-seconds", type=seconds, default=10.0, metavar="S", help="of each file, seconds (default 10)"
    )
    parser.add_argument(
        "--codes-of",
        action="append",
        default=[],
        metavar="DIR",
        help="count which codes are in use on these recordings, whole, e.g. those it was trained on; may be repeated (default: those "
        "measured)",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave files out of --codes-of; may be repeated",
    )
    parser.add_argument(
        "--classify",
        action="append",
        nargs=3,
        default=[],
        metavar=("DATASET", "ROOT", "PATTERNS"),
        help="train a classifier on the data set's clips (esc50, fsdd, folder) but for the files that fit PATTERNS (with commas between "
        "them), and test it on those, original and decoded; may be repeated",
    )
    add_codec(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Measure."""
    from audioformer.codec import load_codec
    from audioformer.data.datasets import open_dataset
    from audioformer.evaluation.benches import sound_files
    from audioformer.evaluation.benches.codec import bench_codec
    from audioformer.evaluation.benches.codec_classification import KeptTest

    files = sound_files(arguments.folders, arguments.include or ["*"])
    codes_of = sound_files(arguments.codes_of, exclude=arguments.exclude)
    kept = [KeptTest(open_dataset(name, root), words(patterns)) for name, root, patterns in arguments.classify]
    for test in kept:
        test.split()  # refused now, not after minutes
    codec, started = load_codec(arguments.codec, weights=arguments.weights), time.monotonic()
    with Progress() as progress:

        def show(what: str, done: int, total: int) -> None:
            progress.show(f"{what}: {done} of {total} files, {clock(time.monotonic() - started)} so far")

        result = bench_codec(codec, files, arguments.max_seconds, show, codes_of, kept)
    if result["rows"][0]["peer"] is None:
        note("no peer: install Debian's opus-tools to see Opus in the same table")
    return Result(result, _text(result))


def _text(result: dict) -> str:
    parts = [f"{result['codec']} on {result['n_files']} files (medians)"]
    for section, (title, header, columns) in SECTIONS.items():
        rows = [row for row in result["rows"] if row["section"] == section]
        if rows:
            parts += ["", title, table([header, *cells(rows, columns)], "  ")]
    return "\n".join(parts)
