"""Synthetic labelled sounds: 51 classes from physical models, mixed into scenes; numpy and scipy only.

Dry sources live in `voices`, `animals`, `wildlife`, `weather`, `machines`, `instruments`, `alarms` and `everyday`
(blocks in `dsp`, list in `catalogue`); `room` and `scene` turn them into recordings; `files` and `samples` write
folders.
"""

from __future__ import annotations

from importlib import import_module

from audioformer.data.synth.catalogue import CLASSES, ESC10_CLASSES, SOURCES
from audioformer.data.synth.scene import Event, Scene, iter_clips, synth_clip, synth_event, synth_scene

__all__ = [
    "CLASSES",
    "ESC10_CLASSES",
    "SOURCES",
    "Event",
    "Scene",
    "iter_clips",
    "synth_clip",
    "synth_event",
    "synth_scene",
    "write_samples",
    "write_scenes",
]


_FOLDER_WRITERS = {"write_samples": "audioformer.data.synth.samples", "write_scenes": "audioformer.data.synth.files"}


def __getattr__(name: str) -> object:
    if name in _FOLDER_WRITERS:  # on demand: only writing files needs more than numpy and scipy
        return getattr(import_module(_FOLDER_WRITERS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
