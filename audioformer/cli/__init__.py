"""The command line: `audioformer VERB ...`, one module for each family of verbs.

A verb returns a `Result`; this module prints it: text for people, or with `--json` one JSON document. Nothing else is
ever written to standard output; progress, notes and errors go to standard error.

Exit status: 0 done, 2 a mistake of the user (one line: what was wrong, the rule, what to do), 1 a bug of ours,
130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from audioformer.cli.console import STOPPED, Result, Stopped, complain, print_result
from audioformer.errors import AudioformerError

DONE, OUR_BUG, USER_ERROR = 0, 1, 2
EXTRAS = {
    "train": ("accelerate", "datasets", "huggingface_hub", "pyarrow", "sklearn"),
    "app": ("audioformer_app", "cryptography", "gradio", "packaging", "plotly", "psutil"),
    "notebooks": ("jupyterlab",),
    "encodec": ("einops", "encodec"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: words after `audioformer`; None takes those of this process.

    Returns:
        Exit status.

    Example:
        >>> main(["encode"])  # says on standard error what is missing
        2
    """
    try:
        return _run(argv)
    except SystemExit as leaving:  # --help and --version
        return int(leaving.code or 0)
    except BrokenPipeError:  # whoever read our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    finally:
        _leave_the_group()


def _leave_the_group() -> None:
    """Among several processes (`accelerate launch`), part in order: else one's exit can abort another's threads."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _run(argv: Sequence[str] | None) -> int:
    from audioformer.cli.parser import build_parser

    try:
        arguments = build_parser().parse_args(argv)
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            if not _wants_traceback():
                warnings.simplefilter("ignore")
            result: Result = arguments.run(arguments)
        print_result(result, getattr(arguments, "json", False))
        return result.status
    except AudioformerError as error:
        return _fail(str(error), USER_ERROR)
    except Stopped as stopped:
        return _fail(str(stopped), STOPPED)
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", STOPPED)
    except ModuleNotFoundError as error:
        return _fail(_missing(error), USER_ERROR if _extra_of(error) else OUR_BUG)
    except MemoryError:
        return _fail("not enough memory; take a shorter sound, a smaller batch_size or a smaller model", USER_ERROR)
    except BrokenPipeError:
        raise
    except Exception as error:
        hint = "set AUDIOFORMER_TRACEBACK=1 to see where, and please report it"
        return _fail(f"a bug of ours: {type(error).__name__}: {error}; {hint}", OUR_BUG)


def _fail(message: str, status: int) -> int:
    if _wants_traceback():
        traceback.print_exc(file=sys.stderr)
    complain(message)
    return status


def _wants_traceback() -> bool:
    return os.environ.get("AUDIOFORMER_TRACEBACK", "") not in ("", "0")


def _extra_of(error: ModuleNotFoundError) -> str | None:
    """The extra that brings a missing package."""
    package = (error.name or "").split(".")[0]
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def _missing(error: ModuleNotFoundError) -> str:
    extra = _extra_of(error)
    if extra is None:
        return f"a bug of ours: {error}; set AUDIOFORMER_TRACEBACK=1 to see where, and please report it"
    return f'{error.name} is not installed and this needs it; run `pip install "audioformer[{extra}]"`'
