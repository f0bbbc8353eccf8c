"""Data sets in their published layouts: a name and a folder in, clips with labels, folds and sources out.

    data = open_dataset("esc50", "/data/ESC-50")
    for clip in data: print(clip.id, clip.labels, clip.fold)

Nothing is downloaded or decoded here.
"""

from __future__ import annotations

import inspect
import os

from audioformer.data.datasets.audioset import open_audioset
from audioformer.data.datasets.base import AudioDataset, Clip
from audioformer.data.datasets.esc import open_esc
from audioformer.data.datasets.folder import open_folder
from audioformer.data.datasets.fsd50k import open_fsd50k
from audioformer.data.datasets.fsdd import open_fsdd
from audioformer.data.recordings import folder_of
from audioformer.errors import AudioformerError

__all__ = ["DATASETS", "AudioDataset", "Clip", "open_dataset"]

DATASETS = {
    "esc50": open_esc,
    "fsdd": open_fsdd,
    "fsd50k": open_fsd50k,
    "audioset": open_audioset,
    "folder": open_folder,
}


def open_dataset(name: str, root: str | os.PathLike, **options) -> AudioDataset:
    """Read the clip list of a data set.

    Args:
        name: "esc50" (ESC-10 and `audioformer synth` too), "fsdd", "fsd50k", "audioset" or "folder".
        root: its folder, or the name of a data set that `audioformer get` has fetched.
        **options: of the reader, e.g. `esc10_only=True`; see `open_esc`, `open_fsdd`, `open_fsd50k`,
            `open_audioset` and `open_folder`.

    Returns:
        AudioDataset with at least one clip.

    Raises:
        AudioformerError: unknown name or option, or a layout that is incomplete.

    Example:
        >>> len(open_dataset("esc50", "data/esc10"))  # doctest: +SKIP
        320
    """
    reader = DATASETS.get(name)
    if reader is None:
        raise AudioformerError(f"dataset {name!r} is unknown; choose one of {', '.join(DATASETS)}")
    known = [option for option in inspect.signature(reader).parameters if option != "root"]
    for option in options:
        if option not in known:
            raise AudioformerError(f"{name} has no option {option!r}; it takes {', '.join(known)}")
    return reader(folder_of(root), **options)
