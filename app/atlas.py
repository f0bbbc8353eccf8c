"""The sounds of the room Map: described by every model once, in the background, and kept for everybody.

Nothing is begun before somebody asks. The vectors are made one clip at a time on a thread of their own; the
projections, whose first one compiles for a while, in a process of their own, so that other rooms go on answering.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Lock, Thread, main_thread

import numpy as np

from audioformer.audio import Waveform, quiet_answer
from audioformer.checkpoint import find_checkpoint
from audioformer.classify import load
from audioformer.data.datasets import AudioDataset, Clip, open_dataset
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import (
    METHODS,
    RANDOM,
    STATISTICS,
    Described,
    Space,
    align,
    describer,
    project,
)
from audioformer.files import samples_folder
from audioformer.train import STEPS
from audioformer_app.islands import FIRST_SCREEN, made_ahead, open_islands

MOST_CLIPS, HEARD_S = 600, 10.0  # clips of a map, evenly picked; of each its first seconds
KEPT = 256  # descriptions of other sounds that are remembered
SEED = 0


@dataclass(frozen=True)
class Region:
    """What one model makes of all clips.

    Attributes:
        vectors: (n, D).
        space: the same, for finding neighbours.
        probabilities: (n, C) of its own classes; None if it has none.
        label_names: these classes.
    """

    vectors: np.ndarray
    space: Space
    probabilities: np.ndarray | None
    label_names: tuple[str, ...]


def open_sounds(folder: str | Path | None = None) -> AudioDataset:
    """The data set of the map: the computed clips of `islands`, or a folder, as ESC-50 or with one a class.

    Where the computed clips are missing, the bundled samples take their place.

    Raises:
        AudioformerError: neither of these.
    """
    if folder is None and (computed := open_islands()) is not None:
        return computed
    root = samples_folder() if folder is None else Path(folder)
    return open_dataset("esc50" if (root / "meta" / "esc50.csv").is_file() else "folder", root)


def hear(clip: Clip) -> Waveform:
    """The first seconds of a clip, one channel."""
    length = HEARD_S if clip.duration_s is None else min(HEARD_S, clip.duration_s)
    return replace(clip, duration_s=length).load(mono=True)


class Atlas:
    """Clips, and what is known of them so far.

    Args:
        dataset: of `open_sounds`.
        sources: what `embedding_map.describer` takes for each name shown, made when it is needed.
        before: what a model was earlier in its training, for those of which it is known, the earliest first.

    Attributes:
        clips: those on the map.
        labels: of each; "" where it has none.
        quiet: the answer to each that is too quiet to be named, "" for the others; known once it was heard.
        notes: of each, what is missing of it or was changed; likewise.
        names: models, in the order in which they are asked.
        computed: whether the clips are those that this kit computes.
        doing: the model that is at work, "umap", or "".
        done: clips it has described.
    """

    def __init__(self, dataset: AudioDataset, sources: dict, before: dict[str, list[str]] | None = None):
        every = np.linspace(0, len(dataset) - 1, min(MOST_CLIPS, len(dataset))).round().astype(int)
        self.dataset, self.clips, self._sources = dataset, [dataset[int(i)] for i in every], sources
        self.labels = [clip.labels[0] if clip.labels else "" for clip in self.clips]
        self.quiet, self.notes = [""] * len(self.clips), [()] * len(self.clips)
        self.names, self.before = list(sources), before or {}
        self.computed = dataset.name == "computed"
        self._regions: dict[str, Region] = {}
        self._maps: dict[tuple[str, str], tuple] = {}
        self._describe: dict[str, object] = {}
        self._others: dict[tuple[str, str], Described] = {}
        self._lock, self._running, self._first, self._bend = Lock(), False, [], False
        self.doing, self.done, self._problem = "", 0, ""

    def ask(self, names: list[str], method: str) -> None:
        """Have these models' regions and maps made first; what is known already is not made again.

        Raises:
            AudioformerError: what went wrong since the last question; the next one tries again.
        """
        with self._lock:
            problem, self._problem = self._problem, ""
            if problem:
                raise AudioformerError(problem)
            self._first, self._bend = names, self._bend or method == "umap"
            if not self._running and self._next() is not None:
                self._running = True
                Thread(target=self._work, name="atlas", daemon=True).start()

    def region(self, name: str) -> Region | None:
        """What a model makes of the clips; None as long as that is not known."""
        return self._regions.get(name)

    def points(self, name: str, method: str) -> tuple[np.ndarray, np.ndarray | None] | None:
        """(n, 2) and the shares of the axes; None as long as they are not known."""
        return self._maps.get((name, method))

    def describe(self, name: str, sound: Waveform, token: str) -> Described:
        """What a model makes of another sound, of its first seconds as with the clips.

        Kept by the sound's token for a while.
        """
        found = self._others.get((name, token))
        if found is None:
            short = Waveform(sound.samples[:, : round(HEARD_S * sound.sample_rate)], sound.sample_rate)
            found = self._describer(name)(short)
            with self._lock:
                self._others[name, token] = found
                while len(self._others) > KEPT:
                    self._others.pop(next(iter(self._others)))
        return found

    def first_screen(self, checkpoint: str | None) -> list[str]:
        """The two models to begin with: the page's checkpoint beside what has learnt nothing.

        Of the computed clips `esc10` knows four kinds; there the two are what knows all of them, and a transformer
        before any training.
        """
        if self.computed and set(FIRST_SCREEN) <= set(self.names):
            return [*reversed(FIRST_SCREEN)]
        best = checkpoint if checkpoint in self.names else self.names[-1]
        return list(dict.fromkeys([best, self.names[0]]))

    def learnt_from(self, name: str) -> list[bool]:
        """Which clips a model is known to have learnt from, by the data that its card names."""
        return [learnt_from(self._data(name), clip.path.name) for clip in self.clips]

    def learnt_alike(self, name: str) -> bool:
        """Whether a model has learnt from other clips that the same program computed."""
        return self.computed and "synthetic" in self._data(name)

    def _data(self, name: str) -> str:
        return str(getattr(self._sources[name](), "about", {}).get("data", ""))

    @property
    def waiting(self) -> bool:
        """Whether more is to come."""
        return self._running

    def _describer(self, name: str):
        if name not in self._describe:
            self._describe[name] = describer(self._sources[name]())
        return self._describe[name]

    def _next(self) -> tuple[str, str] | None:
        """What is to be done next: (model, "region" or "umap"); what was asked for last goes first."""
        for names in (self._first, self.names):
            for what in ("region", "umap") if self._bend else ("region",):
                for name in names:
                    if (name not in self._regions) if what == "region" else ((name, "umap") not in self._maps):
                        return name, what
        return None

    def _work(self) -> None:
        """On the thread: one thing after the other, until all is known."""
        try:
            with ProcessPoolExecutor(1, get_context("spawn"), _accompany) as pool:
                while (job := self._turn()) is not None:
                    name, what = job
                    if what == "umap":  # the process starts with the first one
                        self._maps[name, "umap"] = pool.submit(
                            project, self._regions[name].vectors, "umap", SEED
                        ).result()
                        continue
                    region = self._ahead(name) or self._make(name)
                    self._maps[name, "pca"] = project(region.vectors, "pca", SEED)
                    self._regions[name] = region
        except Exception as error:  # told in the room; what is our fault goes in full to the terminal
            ending = isinstance(error, RuntimeError) and "after shutdown" in str(
                error
            )  # what the pool says once Python ends
            if ending or not main_thread().is_alive():
                return  # Ctrl-C in the middle of a map: nobody is left to be told
            self._problem = (
                str(error)
                if isinstance(error, AudioformerError)
                else "the map could not be made; the terminal says why"
            )
            if not isinstance(error, AudioformerError):
                traceback.print_exception(error, file=sys.stderr)
        finally:
            self._running = False

    def _turn(self) -> tuple[str, str] | None:
        with self._lock:
            job = self._next()
            self.doing, self.done = "" if job is None else "umap" if job[1] == "umap" else job[0], 0
        return job

    def _ahead(self, name: str) -> Region | None:
        """What comes with the kit, and its map with it; None where nothing does."""
        known = made_ahead(name) if self.computed else None
        if known is None:
            return None
        self._maps[name, "umap"] = known["umap"], None
        return self._region(name, known["vectors"], known["probabilities"])

    def _make(self, name: str) -> Region:
        describe, found = self._describer(name), []
        for number, clip in enumerate(self.clips):
            try:
                sound = hear(clip)
                self.quiet[number], self.notes[number] = quiet_answer(sound.level_db), sound.notes
                found.append(describe(sound))
            except AudioformerError as error:  # said to everybody: without this computer's folders
                raise AudioformerError(str(error).replace(str(clip.path), clip.path.name)) from error
            self.done += 1
        vectors = np.stack([one.vector for one in found])
        probabilities = None if found[0].probabilities is None else np.stack([one.probabilities for one in found])
        return self._region(name, vectors, probabilities)

    def _region(self, name: str, vectors: np.ndarray, probabilities: np.ndarray | None) -> Region:
        names = getattr(self._sources[name](), "label_names", ()) if probabilities is not None else ()
        return Region(vectors, Space.of(vectors), probabilities, tuple(names))


def learnt_from(data: str, file: str) -> bool:
    """Whether what a card says of its data names a file: a recording of ESC-10 by its fold, a spoken digit by its take.

    The computed clips of this kit bear names of the same form, with numbers from 900000 on.
    """
    folds, takes = (
        re.search(r"ESC-10 folds (\d)-(\d)", data),
        re.search(r"Free Spoken Digit Dataset takes (\d+)-(\d+)", data),
    )
    recording, digit = re.match(r"(\d)-(\d{1,6})-[A-Z]-\d+\.", file), re.match(r"\d_[a-z]+_(\d+)\.", file)
    if folds and recording and int(recording[2]) < 900_000:
        return int(folds[1]) <= int(recording[1]) <= int(folds[2])
    return bool(takes and digit and int(takes[1]) <= int(digit[1]) <= int(takes[2]))


def sources(models) -> dict:
    """Name shown to whatever gives the model: what learnt nothing first, then by how much it has learnt."""
    found = {STATISTICS: lambda: STATISTICS}
    for name, known in models.pretrained.items():
        found[RANDOM + name] = lambda known=known: f"{RANDOM}{known}"
        found |= {step: lambda folder=folder: str(folder) for step, folder in kept_steps(name, known).items()}
        found[name] = lambda known=known: str(known)
    for name, known in models.checkpoints.items():
        found |= {step: cache(lambda folder=folder: load(folder)) for step, folder in kept_steps(name, known).items()}
        found[name] = lambda name=name: models.classifier(name)
    return found


def before(models) -> dict[str, list[str]]:
    """What each model was earlier, earliest first: fresh weights, steps kept in training, the pre-trained model.

    A classifier is taken to come from the pre-trained model of its own shape and codec.
    """
    found, of_shape = {}, {}
    for name, known in models.pretrained.items():
        found[name] = [RANDOM + name, *kept_steps(name, known)]
        of_shape.setdefault(_shape(known), name)
    for name, known in models.checkpoints.items():
        start = of_shape.get(_shape(known))
        stages = [*([*found[start], start] if start else []), *kept_steps(name, known)]
        found |= {name: stages} if stages else {}
    return found


def kept_steps(name: str, checkpoint) -> dict[str, Path]:
    """Name shown to folder of each step that training kept (`train.keep_every`), in their order."""
    folders = sorted(
        path.parent for path in (Path(checkpoint) / STEPS).glob("*/config.json") if path.parent.name.isdecimal()
    )
    return {f"{name} after {int(folder.name)} steps": folder for folder in folders}


def _shape(checkpoint) -> str:
    """Shape of a model and codec, as its config.json has them; one that cannot be read is like no other."""
    try:
        about = json.loads((find_checkpoint(checkpoint) / "config.json").read_text())
        return json.dumps([about["model"], about["codec"]["fingerprint"]], sort_keys=True)
    except (AudioformerError, OSError, ValueError, KeyError, TypeError):
        return str(checkpoint)


def aligned(atlas: Atlas, name: str, method: str, onto: str | None) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Points of a model's map, turned to lie like another model's; the plane of the spread while umap is made.

    Returns:
        (n, 2), shares of the axes or None, and the method shown.
    """
    shown = (
        method
        if atlas.points(name, method) is not None and (onto is None or atlas.points(onto, method) is not None)
        else METHODS[1]
    )
    points, shares = atlas.points(name, shown)
    if onto is not None and onto != name:
        points, shares = align(points, atlas.points(onto, shown)[0]), None
    return points, shares, shown


def _accompany() -> None:
    """In the process beside the server.

    Ctrl-C is the server's affair, and when the server ends, however it ends, so does this.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        parent_process().join()
        os._exit(0)

    Thread(target=follow, daemon=True).start()
