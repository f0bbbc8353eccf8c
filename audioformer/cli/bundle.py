"""`audioformer bundle`: everything for a room without internet, in one folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioformer.cli.console import Progress, Result, stoppable
from audioformer.cli.options import add_verb, words


def add_verbs(verbs) -> None:
    """Add `bundle`."""
    from audioformer.install.bundle import EXTRAS

    about = (
        "Put everything for a room without internet into a folder, for a USB stick. Packages as installed here, with weights, "
        "samples, notebooks and install scripts; for this system and this Python. A second run continues where the first was stopped."
    )
    parser = add_verb(verbs, "bundle", run, about, "audioformer bundle -o stick/audioformer")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="folder to fill, made if missing; about 0.6 GB with the CPU build of torch",
    )
    shown = ",".join(EXTRAS)
    parser.add_argument(
        "--extras", type=words, default=EXTRAS, metavar="A,B", help=f"parts of audioformer to include (default {shown})"
    )


def run(arguments: argparse.Namespace) -> Result:
    """Fill it."""
    from audioformer.install.bundle import make_bundle
    from audioformer.install.bundle.papers import system_name

    folder = Path(arguments.output)
    with stoppable(folder), Progress() as progress:
        for step in make_bundle(folder, arguments.extras):
            progress.show(f"{step.done} of {step.total} wheels, {step.n_bytes / 1e6:.0f} MB")
    document = {
        "bundle": str(folder),
        "system": system_name(),
        "extras": list(arguments.extras),
        "wheels": step.done,
        "fetched": step.fetched,
        "megabytes": round(step.n_bytes / 1e6, 1),
    }
    text = (
        f"{folder}: {step.done} wheels, {step.n_bytes / 1e6:.0f} MB, {step.fetched} of them new; for {document['system']}\n"
        f"there, without internet: sh install.sh (Linux, macOS) or install.bat (Windows)"
    )
    return Result(document, text)
