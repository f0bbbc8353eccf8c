"""What verbs need to declare themselves with argparse: the verb, types of its arguments, the choice of a codec.

Nothing heavy is imported here: `--help` answers at once.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Mapping


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


def add_options(parser, options: Mapping[str, tuple]) -> None:
    """Add options of one value each.

    Args:
        parser: of a verb, or a group of its options.
        options: flags, e.g. "-o --output", to (type, metavar, help) or (type, metavar, help, default); a default is
            named at the end of the help.
    """
    for flags, (kind, metavar, text, *default) in options.items():
        if default:
            shown = f"{default[0]:g}" if isinstance(default[0], float) else default[0]
            text = f"{text} (default {shown})"
        parser.add_argument(*flags.split(), type=kind, metavar=metavar, help=text, default=next(iter(default), None))


def _number(kind: Callable, least: float, rule: str) -> Callable:
    """A type of arguments: numbers from `least`."""

    def read(text: str):
        try:
            if least <= (value := kind(text)) < float("inf"):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} must be {rule}")

    return read


at_least_one = _number(int, 1, "a whole number of at least 1")
seed = _number(int, 0, "a whole number of 0 or more")
seconds = _number(float, 1e-9, "a number of seconds above 0")


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them: "1,2,3"; "1-3" is the same."""
    values: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            values += range(int(first), int(last or first) + 1)
    except ValueError:
        values = []
    if not values:
        raise argparse.ArgumentTypeError(f"{text!r} must be whole numbers like 1,2,3 or 1-3")
    return tuple(values)


def words(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    values = tuple(part.strip() for part in text.split(",") if part.strip())
    if not values:
        raise argparse.ArgumentTypeError(f"{text!r} must be names like a,b,c")
    return values


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
