"""`audioformer bench codec`: how much of a sound the codec keeps."""

from __future__ import annotations

import argparse

from audioformer.cli.bench import cells
from audioformer.cli.console import Progress, Result, note, table
from audioformer.cli.parser import add_codec, add_verb, seconds


def add_to(benches) -> None:
    """Add `bench codec`."""
    about = (
        "How much of a sound the codec keeps with each number of codebooks (multi-scale log-mel distance and SI-SDR, medians over "
        "files), beside Opus at 6, 12 and 24 kbit/s if Debian's opus-tools are installed, and how fast it is."
    )
    parser = add_verb(benches, "codec", run, about, "audioformer bench codec ESC-10 --include '4-*'")
    parser.add_argument("folders", nargs="+", metavar="DIR", help="recordings the codec was not trained on")
    parser.add_argument("--include", action="append", metavar="PATTERN", help="only files whose name fits, e.g. '4-*'; may be repeated")
    parser.add_argument("--max-seconds", type=seconds, default=10.0, metavar="S", help="of each file, seconds (default 10)")
    add_codec(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Measure."""
    from audioformer.benches import sound_files
    from audioformer.benches.codec import bench_codec
    from audioformer.codec import load_codec

    files = sound_files(arguments.folders, arguments.include or ["*"])
    codec = load_codec(arguments.codec, weights=arguments.weights)
    with Progress() as progress:
        result = bench_codec(codec, files, arguments.max_seconds, lambda done, total: progress.show(f"{done} of {total} files"))
    if result["rows"][0]["peer"] is None:
        note("no peer: install Debian's opus-tools to see Opus in the same table")
    header = ["case", "value", "unit", "ratio to Opus 12", "SI-SDR (dB)"]
    rows = cells(result["rows"], ("case", "ours", "unit", "ratio", "si_sdr_db"))
    return Result(result, f"{result['codec']} on {result['n_files']} files (medians)\n" + table([header, *rows], "  "))
