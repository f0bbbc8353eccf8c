"""`audioformer bundle`: everything for a room without internet, in one folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from audioformer.cli.console import Progress, Result, stoppable
from audioformer.cli.options import add_verb, words
from audioformer.install.bundle import EXTRAS, make_bundle, system_name


def add_verbs(verbs) -> None:
    """Add `bundle`."""
    about = (
        "Put everything for a room without internet into a folder, for a USB stick. Packages as installed here, with "
        "weights, samples, notebooks and install scripts; for this system and this Python. A second run fetches only "
        "what is missing or newer."
    )
    parser = add_verb(verbs, "bundle", run, about, "audioformer bundle -o stick/audioformer")
    about = "folder to fill, made if missing; about 0.6 GB with the CPU build of torch"
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help=about)
    about = f"parts of audioformer to include (default {','.join(EXTRAS)})"
    parser.add_argument("--extras", type=words, default=EXTRAS, metavar="A,B", help=about)


def run(arguments: argparse.Namespace) -> Result:
    """Fill it."""
    folder = Path(arguments.output)
    before = {path.name for path in folder.glob("wheels/*.whl")}
    with stoppable(folder), Progress() as progress:
        for line in make_bundle(folder, arguments.extras):
            progress.show(line[:100])
    listed = json.loads((folder / f"bundle-{system_name()}.json").read_text(encoding="utf-8"))
    wheels = listed["wheels"]
    document = {
        "bundle": str(folder),
        "system": system_name(),
        "extras": list(arguments.extras),
        "wheels": len(wheels),
        "fetched": sum(wheel["file"] not in before for wheel in wheels),
        "megabytes": round(sum(wheel["bytes"] for wheel in wheels) / 1e6, 1),
    }
    text = (
        f"{folder}: {len(wheels)} wheels, {document['megabytes']:.0f} MB, {document['fetched']} of them new; "
        f"for {document['system']}\nthere, without internet: sh install.sh (Linux, macOS) or install.bat (Windows)"
    )
    return Result(document, text)
