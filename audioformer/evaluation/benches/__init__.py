"""Benchmarks: what is claimed about quality and speed, measured beside a peer in the same run.

    audioformer bench NAME ...

Last in the data path; one module each. Every benchmark gives
{"name", "machine", "rows": [{"case", "ours", "peer", "unit", "ratio", ...}]}: peer and ratio (ours / peer) are None
where there is nothing to compare with. At the foot of its module stand

    run(arguments, show)     measures; arguments: its options (cli/bench_options.py); show(text): how far it is
    COLUMNS                  {heading: key of a row}, the table as text
    as_markdown(document)    the table in results.md, where it has an output folder
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence


def machine() -> dict:
    """What the numbers were measured on."""
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def row(case: str, ours: float | None, unit: str, peer: float | None = None, **more) -> dict:
    """One line of a benchmark's table.

    Args:
        case: what was measured.
        ours: its value.
        unit: of both values.
        peer: the value to hold it against, measured in the same run.
        **more: further columns.

    Returns:
        {"case", "ours", "peer", "unit", "ratio", ...}; ratio is ours / peer.
    """
    ratio = ours / peer if ours is not None and peer else None
    return {"case": case, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, **more}


def number(value: float | None) -> str:
    """Three decimals, "-" where nothing was measured."""
    return "-" if value is None else f"{value:.3f}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a table of Markdown."""
    head, *lines = (f"| {' | '.join(cells)} |" for cells in (header, *rows))
    return "\n".join([head, "|" + "---|" * len(header), *lines])
