"""The whole command line: every verb, with argparse. Nothing heavy is imported: `--help` answers at once."""

from __future__ import annotations

import argparse
import difflib
from importlib import import_module
from typing import NoReturn

import audioformer
from audioformer.errors import AudioformerError

ABOUT = "See how a machine learns to listen: sound to codes, codes to a transformer, labels out."
EPILOG = """\
examples:
  audioformer classify dog.ogg                           what is this sound?
  audioformer encode dog.ogg -o codes.safetensors        its codes
  audioformer info                                       what is installed and how good it is

Every verb explains itself: audioformer VERB --help
"""
FAMILIES = (
    "info classify coding convert get prepare pretrain finetune evaluate push bench synth train_codec check bundle "
    "serve web"
).split()


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are errors like all others: one line, exit status 2."""

    verbs: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        unknown = "invalid choice: '"
        if message.startswith("argument VERB:") and unknown in message:
            verb = message.split(unknown)[1].split("'")[0]
            near = difflib.get_close_matches(verb, self.verbs, n=3, cutoff=0.5) or self.verbs
            raise AudioformerError(f"there is no verb {verb!r}; nearest: {', '.join(near)}; see `audioformer --help`")
        raise AudioformerError(f"{message}; see `{self.prog} --help`")


def build_parser() -> Parser:
    """The whole command line; `parse_args` leaves the verb's function in `run`."""
    parser = Parser(
        prog="audioformer", description=ABOUT, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"audioformer {audioformer.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    for family in FAMILIES:
        import_module(f"audioformer.cli.{family}").add_verbs(verbs)
    parser.verbs = tuple(verbs.choices)
    return parser
