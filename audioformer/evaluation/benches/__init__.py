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

import fnmatch
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from audioformer.codecs.crops import SOUND_ENDINGS
from audioformer.errors import AudioformerError


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


def sound_files(
    folders: Sequence[str | os.PathLike], include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> list[Path]:
    """Sound files below some folders whose names fit one pattern of `include` and none of `exclude`, sorted.

    Raises:
        AudioformerError: a folder is missing.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise AudioformerError(f"{folder}: no such folder; give folders of recordings the codec was not trained on")
        found += [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SOUND_ENDINGS]
    return [path for path in found if fits(path, include) and not fits(path, exclude)]


def fits(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a file's name fits one of the patterns ("4-*")."""
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
