"""The one exception a user of audioformer has to know, and the checks that raise it."""

from __future__ import annotations

import difflib


class AudioformerError(ValueError):
    """Something about the input is wrong: the message says the value, the rule and what to do next.

    Command line: printed as one line, exit status 2. App: shown as a message on the page.
    Anything else that escapes the library is a bug of ours.
    """


MOST = 1_000_000  # what a file says is not believed without a limit


def check_names(given, known, where: str) -> None:
    """Refuse a name that is not among the known ones, naming those nearest to it.

    Args:
        given: names to check.
        known: names allowed.
        where: what they belong to, for the message.

    Raises:
        AudioformerError: at the first unknown name.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4) or list(known)
            raise AudioformerError(f"{where} has no {name!r}; nearest: {', '.join(near)}")


def require(ok: bool, message: str) -> None:
    """Raise AudioformerError with the message unless ok."""
    if not ok:
        raise AudioformerError(message)


def require_counts(config, *names: str, most: int = MOST) -> None:
    """Every named field must be a whole number from 1 to `most`."""
    for name in names:
        value = getattr(config, name)
        require(
            isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most,
            f"{name}={value!r:.40} must be a whole number of at least 1 and at most {most}",
        )


def require_probabilities(config, *names: str) -> None:
    """Every named field must be a number in [0, 1]."""
    for name in names:
        value = getattr(config, name)
        require(
            isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
            f"{name}={value!r} must be a number from 0 to 1",
        )
