"""Everything for a room without internet in one folder, for a USB stick.

    wheels/      audioformer with its weights, and all that it needs, for the system and Python that made the bundle
    notebooks/   samples/   install.sh   install.bat   README.txt   bundle-SYSTEM.json (what is in it, with sha256)

    closure      which packages, in which versions: those that run here
    wheels       getting them, a few at a time, so that a stopped bundle goes on where it was
    papers       README, install scripts, list of contents

Bundles made on other systems into the same folder add to it.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audioformer.errors import AudioformerError
from audioformer.install.bundle import closure, papers, wheels

EXTRAS = ("app", "notebooks", "train")
AT_ONCE = 8  # packages that pip is asked for together; so much at most is fetched again after a stop
PARTIAL = ".partial-"


@dataclass(frozen=True)
class Step:
    """How far a bundle is.

    Attributes:
        done: wheels that are there.
        total: wheels that will be there.
        n_bytes: of those that are there.
        fetched: how many of them this run brought.
    """

    done: int
    total: int
    n_bytes: int
    fetched: int


def make_bundle(folder: Path, extras: Sequence[str] = EXTRAS, pins: dict[str, str] | None = None) -> Iterator[Step]:
    """Fill a folder, or go on filling it; every file appears whole or not at all.

    Args:
        folder: made if missing.
        extras: of audioformer, e.g. ("app",).
        pins: package name to version; None: all that audioformer with these extras needs, as installed here.

    Yields:
        Progress, first and last what is there.

    Raises:
        AudioformerError: a package is missing here or cannot be had, the folder cannot be written, the disk is full.
    """
    closure.require_extras(extras)
    try:
        (folder / "wheels").mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as partial:
            own = wheels.pack_own(Path(partial))
            pins = closure.pinned(extras, wheels.described(own)) if pins is None else pins
            yield from _wheels(folder / "wheels", Path(partial), own, pins)
            papers.write(folder, Path(partial), extras, pins)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise wheels.full(folder) from error
        raise AudioformerError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error


def _wheels(house: Path, partial: Path, own: Path, pins: dict[str, str]) -> Iterator[Step]:
    wheels.sweep(house, pins)
    missing = [name for name in pins if not wheels.matching(house, name, pins[name])]
    closure.require_room(house, missing)
    total, fetched = len(pins) + 1, 0  # and our own

    def step() -> Step:
        there = [path for name in pins for path in wheels.matching(house, name, pins[name])]
        there += house.glob("audioformer-*.whl")
        return Step(len(there), total, sum(path.stat().st_size for path in there), fetched)

    yield step()
    for first in range(0, len(missing), AT_ONCE):
        some = missing[first : first + AT_ONCE]
        wheels.fetch({name: pins[name] for name in some}, house, partial)
        fetched += len(some)
        yield step()
    wheels.place_own(own, house)
    fetched += 1
    yield step()
