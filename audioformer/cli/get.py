"""`audioformer get`: real recordings from the web, once, with their licence."""

from __future__ import annotations

import argparse

from audioformer.cli.console import Progress, Result, note, stoppable
from audioformer.cli.options import add_verb

NAMES = ("esc10", "esc50", "fsdd")  # data/recordings.py has them too, but imports more than `--help` should wait for


def add_verbs(verbs) -> None:
    """Add `get`."""
    about = (
        "Fetch real recordings: esc10 (400 clips of 10 sounds, 180 MB), esc50 (2,000 of 50, "
        "880 MB) or fsdd (3,000 spoken "
        "digits, 18 MB). Each file is held against its checksum; an interrupted run continues. The folder, "
        "~/.audioformer/recordings or AUDIOFORMER_RECORDINGS, is where notebooks, app and bundle look; "
        "elsewhere the name "
        "stands for it, as in `audioformer prepare esc10 --dataset esc50 -o CORPUS`."
    )
    parser = add_verb(verbs, "get", run, about, "audioformer get esc10")
    parser.add_argument("name", metavar="NAME", choices=NAMES, help=" or ".join(NAMES))
    parser.add_argument("--mirror", metavar="URL", help="another server with the same paths (default: GitHub)")


def run(arguments: argparse.Namespace) -> Result:
    """Fetch a data set."""
    from audioformer.data.recordings import PAPERS, SOURCES, get, recordings_folder

    source, folder = SOURCES[arguments.name], recordings_folder() / arguments.name
    note(f"{arguments.name}: {source.about}, about {source.size_mb} MB, from github.com/{source.repository}")
    note(f"licence: {source.licence}")
    note(f"please name: {source.credit}; every clip's author stands in {' and '.join(PAPERS)} beside them")
    n = 0
    with stoppable(folder), Progress() as progress:
        for there, n in get(arguments.name, arguments.mirror):
            if there:
                progress.count(there, n, what="files")
    document = {
        "name": arguments.name,
        "folder": str(folder),
        "n_files": n,
        "dataset": source.dataset,
        "licence": source.licence,
        "credit": source.credit,
    }
    return Result(document, f"{folder}: {n} files, whole and checked; open it as --dataset {source.dataset}")
