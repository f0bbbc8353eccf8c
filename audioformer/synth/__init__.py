"""Synthetic labelled sounds: 51 classes from physical models, mixed into scenes; numpy and scipy only.

Dry sources live in `voices`, `animals`, `wildlife`, `weather`, `machines`, `instruments`, `alarms` and `everyday`
(blocks in `dsp`, list in `catalogue`); `room` and `scene` turn them into recordings; `files` and `samples` write folders.
"""

from __future__ import annotations

from audioformer.synth.catalogue import CLASSES, ESC10_CLASSES, SOURCES
from audioformer.synth.files import write_scenes
from audioformer.synth.scene import Event, Scene, iter_clips, synth_clip, synth_event, synth_scene

__all__ = [
    "CLASSES", "ESC10_CLASSES", "SOURCES", "Event", "Scene", "iter_clips", "synth_clip", "synth_event", "synth_scene", "write_samples",
    "write_scenes",
]


def __getattr__(name: str) -> object:
    if name == "write_samples":  # on demand: the module is also a command, which should not be imported twice
        from audioformer.synth.samples import write_samples

        return write_samples
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
