"""`audioformer push`: a checkpoint onto the Hugging Face Hub."""

from __future__ import annotations

import argparse

from audioformer.cli.console import Result
from audioformer.cli.options import add_verb


def add_verbs(verbs) -> None:
    """Add `push`."""
    about = (
        "Publish a checkpoint on the Hugging Face Hub: its config, weights and model card, never a training state. "
        "Log in with `hf auth login` first; others then use it by its name, --checkpoint USER/NAME."
    )
    parser = add_verb(verbs, "push", run, about, "audioformer push runs/esc50-classifier ann/esc50-classifier")
    parser.add_argument("folder", metavar="DIR", help="folder of a checkpoint")
    parser.add_argument("repository", metavar="USER/NAME", help="where to; made if missing")
    parser.add_argument("--public", action="store_true", help="open a new repository to everybody (default: closed)")


def run(arguments: argparse.Namespace) -> Result:
    """Publish."""
    from audioformer.install.hub import push_to_hub

    commit = push_to_hub(arguments.folder, arguments.repository, private=not arguments.public)
    document = {"checkpoint": arguments.folder, "repository": arguments.repository, "commit": commit}
    return Result(document, f"{arguments.folder}: published as {arguments.repository}, commit {commit}")
