"""The bundled `data_samples` folder: how it is made, so that anyone can make it again.

Example:
    python -m audioformer.data.synth.samples data_samples
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from audioformer.data.synth.catalogue import ESC10_CLASSES
from audioformer.data.synth.files import Item, save_item, write_tables
from audioformer.data.synth.scene import check_request, clip_seed, synth_clip, synth_scene
from audioformer.files import atomic_path

OTHER_CLASSES = (
    "speech_vowels",
    "laughter",
    "footsteps",
    "keyboard_typing",
    "piano",
    "plucked_string",
    "flute",
    "bell",
    "siren",
    "telephone_ring",
    "vacuum_cleaner",
    "stream",
    "cat_meow",
    "bird_song",
)
N_SCENES, SCENE_S = 6, 8.0

README = """# Samples

{n} short sounds to try things on: two of each ESC-10 class, {n_other} other classes, and {n_scenes} scenes of several
sounds. None is a recording: `audioformer.data.synth` computed them from physical models (see the docstrings there), so
they are free of anyone's rights. Licence: CC0 1.0, or the MIT licence of the project, as you prefer.

Made with

    python -m audioformer.data.synth.samples data_samples --seed {seed}

which writes the same samples again (Ogg Vorbis at 24 kHz mono; the files may differ in their stream number).
The layout is that of ESC-50: `audio/{{fold}}-{{source}}-{{take}}-{{target}}.ogg` and `meta/esc50.csv`; target numbers
under 100 are ESC-50's own. For the scenes, `meta/events.csv` lists every event with its start and end in seconds and
its level, and `category` is the label of the event with most energy.

| file | sounds | seconds | seed | SHA-256, first 16 |
|---|---|---|---|---|
{rows}
"""


def write_samples(folder: str | os.PathLike, seed: int = 0) -> list[Item]:
    """Write the bundled samples: 20 clips of ESC-10 classes, 14 of other classes, 6 scenes, tables and a README.

    Args:
        folder: made if missing; samples written there before are replaced.
        seed: 0 to 2**32 - 1.

    Returns:
        One Item per clip, in order.

    Raises:
        AudioformerError: bad seed, or the disk refuses.
    """
    check_request(seed, 5.0, 24000)
    folder, items = Path(folder), []
    for old in folder.glob("audio/?-9000??-?-*.ogg"):  # clips of another seed have other names
        old.unlink()
    for label, take in [(label, take) for label in ESC10_CLASSES for take in "AB"] + [
        (label, "A") for label in OTHER_CLASSES
    ]:
        index = len(items)
        own = clip_seed(seed, index)
        items.append(save_item(folder, synth_clip(label, own), 24000, label, 1 + index % 5, index, take, own, []))
    for _ in range(N_SCENES):
        index = len(items)
        own = clip_seed(seed, index)
        scene = synth_scene(own, SCENE_S)
        events = [asdict(event) for event in scene.events]
        items.append(save_item(folder, scene.samples, 24000, scene.main_label, 1 + index % 5, index, "A", own, events))
    write_tables(folder, items)
    _write_readme(folder, items, seed)
    return items


def _write_readme(folder: Path, items: list[Item], seed: int) -> None:
    rows = []
    for item in items:
        digest = hashlib.sha256((folder / "audio" / item.filename).read_bytes()).hexdigest()[:16]
        sounds = ", ".join(sorted({event["label"] for event in item.events})) or item.category
        rows.append(f"| {item.filename} | {sounds} | {SCENE_S if item.events else 5.0:g} | {item.seed} | {digest} |")
    text = README.format(n=len(items), n_other=len(OTHER_CLASSES), n_scenes=N_SCENES, seed=seed, rows="\n".join(rows))
    with atomic_path(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of this module: `FOLDER [--seed S]`."""
    import argparse

    from audioformer.errors import AudioformerError

    parser = argparse.ArgumentParser(description="Write the bundled sample sounds.")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        items = write_samples(options.folder, options.seed)
    except AudioformerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(items)} clips in {options.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
