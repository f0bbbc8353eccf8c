"""What verbs need to declare themselves with argparse: the verb, types of its arguments, the choice of a codec.

Nothing heavy is imported here: `--help` answers at once.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable


def add_verb(verbs, name: str, run: Callable, about: str, example: str, json: bool = True) -> argparse.ArgumentParser:
    """Add a verb.

    Args:
        verbs: what `add_subparsers` gave.
        name: of the verb.
        run: takes the parsed arguments, returns a Result.
        about: what it does; the first sentence stands in the list of verbs.
        example: shown at the end of the help.
        json: whether it prints a result.

    Returns:
        The verb's parser, for its options.
    """
    parser = verbs.add_parser(
        name,
        help=about.split(". ")[0].rstrip(".") + ".",
        description=textwrap.fill(about, 78),
        epilog=f"example:\n  {example}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if json:
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    return parser


def at_least_one(text: str) -> int:
    """A whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return value


def seed(text: str) -> int:
    """A whole number from 0."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of 0 or more")
    return value


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds above 0")
    return value


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them: "1,2,3"; "1-3" is the same."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            found += range(int(first), int(last or first) + 1)
    except ValueError:
        found = []
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} must be whole numbers like 1,2,3 or 1-3")
    return tuple(found)


def words(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} must be names like a,b,c")
    return found


def add_codec(parser: argparse.ArgumentParser, default: str | None = "compact", why: str = "") -> None:
    """The options that choose a codec."""
    shown = f" (default {default})" if default else ""
    parser.add_argument(
        "--codec",
        default=default,
        metavar="NAME",
        help=f"compact, encodec_24khz, encodec_48khz or a folder of train-codec{shown}{why}",
    )
    parser.add_argument(
        "--weights", metavar="PATH", help="EnCodec only: folder or file with its published weights (CC BY-NC 4.0)"
    )
