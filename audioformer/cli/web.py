"""`audioformer web`: the app as a page without a server."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioformer.cli.console import Progress, Result, stoppable
from audioformer.cli.options import add_options, add_verb


def add_verbs(verbs) -> None:
    """Add `web`."""
    about = (
        "Write the app as a page that needs no server and no installation. Codec and classifier run in the "
        "visitor's browser; any web host can serve the folder, and the one file opens by double-click. "
        "onnxruntime-web is fetched from npm the first time."
    )
    parser = add_verb(verbs, "web", run, about, "audioformer web -o site --one-file")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to, made if missing")
    parser.add_argument("--one-file", action="store_true", help="one HTML file with everything in it")
    about = "onnxruntime-web of npm, fetched elsewhere (default: the cached one, or from npm)"
    options = {
        "--checkpoint": (str, "NAME", "classifier that listens: bundled name or folder", "esc10"),
        "--runtime": (str, "FILE", about),
    }
    add_options(parser, options)


def run(arguments: argparse.Namespace) -> Result:
    """Write it."""
    from audioformer_app.web.site import ONE_FILE, make_site

    folder = Path(arguments.output)
    with stoppable(folder), Progress() as progress:
        for line in make_site(folder, arguments.checkpoint, arguments.one_file, arguments.runtime):
            progress.show(line)
    page = folder / (ONE_FILE if arguments.one_file else "index.html")
    written = [page] if arguments.one_file else [path for path in folder.rglob("*") if path.is_file()]
    megabytes = round(sum(path.stat().st_size for path in written) / 1e6, 1)
    document = {"page": str(page), "files": len(written), "megabytes": megabytes, "checkpoint": arguments.checkpoint}
    hint = "open it by double-click" if arguments.one_file else f"to try it: python -m http.server -d {folder}"
    return Result(document, f"{page}: {megabytes:.1f} MB; {hint}")
