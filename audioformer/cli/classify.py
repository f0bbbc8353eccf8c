"""`audioformer classify` and `embed`: what a sound is, and the vector that says so."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from audioformer.cli.console import STOPPED, Progress, Result, complain, note, note_all, printable, table
from audioformer.cli.options import add_codec, add_options, add_verb, at_least_one
from audioformer.errors import AudioformerError
from audioformer.reading.files import FORMATS, other_files, said_of_others, sound_files

ENDINGS = (".npz", ".npy", ".safetensors")


def add_verbs(verbs) -> None:
    """Add `classify` and `embed`."""
    about = (
        "Name the sound in each file. A file that cannot be read is reported; the others are still classified (exit "
        "status 2). Ctrl-C stops, and what is done is printed."
    )
    classify = add_verb(
        verbs, "classify", run_classify, about, "audioformer classify dog.ogg recordings --top-k 3 --json"
    )
    _add_common(classify)
    add_options(classify, {"--top-k": (at_least_one, "K", "labels to show for each file", 5)})
    add_codings(classify)
    about = (
        "also write which label from when to when, for Audacity; OUT.selections.txt: for Raven; of several files: a "
        "folder, in which each gets a NAME.txt, below the sub-folders that it came from"
    )
    classify.add_argument("--labels", metavar="OUT.txt", help=about)
    add_options(classify, {"--threshold": (float, "P", "with --labels: probability from which a moment gets one", 0.5)})
    about = (
        "Write one vector for each file; Ctrl-C stops, and those that are done are written. OUT.npz holds `files` (n) "
        "and `embeddings` (n, D); with --frames `embeddings` (sum of T, D), `clip` (which file) and `time_s` (middle "
        "of the frame, seconds). OUT.safetensors holds the same, the file names in its metadata; OUT.npy the matrix "
        "alone."
    )
    embed = add_verb(verbs, "embed", run_embed, about, "audioformer embed dog.ogg recordings -o vectors.npz")
    _add_common(embed)
    about = f"file to write, ending in {', '.join(ENDINGS)}"
    embed.add_argument("-o", "--output", required=True, metavar="OUT", help=about)
    about = "one vector for each codec frame (75 a second) instead of each file"
    embed.add_argument("--frames", action="store_true", help=about)


def _add_common(parser: argparse.ArgumentParser) -> None:
    about = "WAV, FLAC, Ogg or MP3, up to 2 hours each; of a folder, every sound in it and below"
    parser.add_argument("files", nargs="+", metavar="FILE", help=about)
    add_options(parser, {"--checkpoint": (str, "NAME", "bundled name, folder, or Hugging Face Hub id", "esc10")})
    add_codec(parser, default=None, why="; needed only if the checkpoint's codec is one of your own")


def add_codings(parser: argparse.ArgumentParser) -> None:
    """Add `--codings` to a verb that classifies."""
    about = "code each sound N times, each start 1 / N of a codec frame later, and average: steadier, N times the work"
    add_options(parser, {"--codings": (at_least_one, "N", about, 1)})


def open_classifier(arguments: argparse.Namespace):
    """The checkpoint that the options name, with its codec."""
    from audioformer.classify import load
    from audioformer.codecs import load_codec

    codec = load_codec(arguments.codec, weights=arguments.weights) if arguments.codec or arguments.weights else None
    return load(arguments.checkpoint, codec=codec)


class _Each:
    """Files and the sounds of folders; what cannot be read is reported and the rest is read.

    An only file that is bad is an error.

    Args:
        named: on the command line.

    Attributes:
        files: name of each, and what its label track is called: its place below the folder, without the ending.
    """

    def __init__(self, named: list[str]):
        self.files: list[tuple[str, str]] = []
        self.n_good, self.n_bad, self.stopped = 0, 0, False
        for name in named:
            found = _sounds_of(name) if os.path.isdir(name) else [(name, Path(name).stem)]
            self.files += found
            if not found:
                self._refuse(
                    AudioformerError(f"{name}: is a folder without a sound in it or below ({FORMATS})"), len(named)
                )

    def _refuse(self, error: AudioformerError, of: int) -> None:
        if of == 1:
            raise error
        self.n_bad += 1
        complain(str(error))

    @contextlib.contextmanager
    def results(self, work: Callable) -> Iterator[Iterator]:
        """(file, result of work) for every good file; what was done before Ctrl-C stays."""
        from audioformer.data.side_by_side import is_large, side_by_side

        done = side_by_side([file for file, _ in self.files], work, is_large)
        with Progress() as progress, contextlib.closing(done):
            try:
                yield self._good(done, progress)
            except KeyboardInterrupt:
                if not self.n_good:
                    raise
                self.stopped = True
        if self.stopped:
            note(f"stopped by Ctrl-C after {self.n_good + self.n_bad} files of {len(self.files)}; those are kept")
        elif not self.n_good:
            raise AudioformerError(f"none of {self.n_bad} files could be used; see above")

    def _good(self, done: Iterator, progress: Progress) -> Iterator:
        of = len(self.files) + self.n_bad
        for number, (file, found) in enumerate(done, 1):
            if of > 1:
                progress.count(number, len(self.files), "files")
            if isinstance(found, AudioformerError):
                self._refuse(found, of)
            else:
                yield file, found
                self.n_good += 1

    @property
    def status(self) -> int:
        """Exit status so far."""
        return STOPPED if self.stopped else 2 if self.n_bad else 0


def _sounds_of(folder: str) -> list[tuple[str, str]]:
    """(name, place below the folder without its ending) of every sound in it; what is left out is said."""
    if left_out := said_of_others(other_files(folder)):
        note(f"{folder}: {left_out}")
    return [(str(path), str(path.relative_to(folder).with_suffix(""))) for path in sound_files(folder)]


def run_classify(arguments: argparse.Namespace) -> Result:
    """Label files."""
    from audioformer.evaluation.codings import classify_codings

    each = _Each(arguments.files)
    tracks, classifier = _tracks(arguments, each.files), open_classifier(arguments)

    def work(file: str):
        prediction = classify_codings(classifier, file, arguments.codings, arguments.top_k)
        return prediction, _write_labels(arguments, classifier, file, tracks[file]) if tracks else None

    answers, blocks = [], []
    with each.results(work) as results:
        for file, (prediction, moments) in results:
            note_all(file, prediction.notes)
            answers.append(entry := prediction.to_dict(file) | ({"moments": moments} if tracks else {}))
            rows = [[f"{100 * label['probability']:5.1f} %", label["label"]] for label in entry["labels"]]
            if prediction.answer != prediction.labels[0]:
                rows = [[prediction.answer, f"{prediction.level_db:.0f} dB"]]
            head = f"{printable(file)}  ({entry['duration_s']:.2f} s, {entry['checkpoint']})\n"
            blocks.append(head + table(rows, "  "))
    return Result(answers, "\n".join(blocks), each.status)


def _tracks(arguments: argparse.Namespace, files: list[tuple[str, str]]) -> dict[str, Path]:
    """Where the label track of each file goes; {} if none are asked for."""
    if not arguments.labels:
        return {}
    if len(files) == 1 and Path(arguments.labels).suffix:
        return {files[0][0]: Path(arguments.labels)}
    if Path(arguments.labels).suffix:
        raise AudioformerError(f"{arguments.labels}: {len(files)} files need a folder for their label tracks")
    names = [name for _, name in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AudioformerError(f"two files are called {twice}; their label tracks would be one: classify them apart")
    return {file: Path(arguments.labels, f"{name}.txt") for file, name in files}


def _write_labels(arguments: argparse.Namespace, classifier, file: str, path: Path) -> list[dict]:
    """The label track of a file; returns its moments."""
    from dataclasses import asdict

    from audioformer.audio import load_audio
    from audioformer.explain.label_tracks import audacity, label_track, raven
    from audioformer.files import atomic_path

    sound = load_audio(file, classifier.codec.sample_rate, mono=True)  # what is missing of it was said
    moments = label_track(classifier, sound, arguments.threshold)
    for_raven = path.name.endswith(".selections.txt")
    text = raven(moments, Path(file).name, classifier.codec.sample_rate) if for_raven else audacity(moments)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return [asdict(moment) for moment in moments]


def run_embed(arguments: argparse.Namespace) -> Result:
    """Vectors of files into one file."""
    import numpy as np

    if Path(arguments.output).suffix not in ENDINGS:
        raise AudioformerError(
            f"{arguments.output}: vectors are written as {', '.join(ENDINGS)}; end the name in one of these"
        )
    each = _Each(arguments.files)
    classifier = open_classifier(arguments)
    files, vectors, notes = [], [], {}
    with each.results(lambda file: _embed(classifier, file, arguments.frames)) as results:
        for file, (vector, said) in results:
            note_all(file, said)
            files.append(file)
            vectors.append(np.atleast_2d(vector))
            notes |= {file: list(said)} if said else {}
    arrays = {"embeddings": np.concatenate(vectors)}
    if arguments.frames:
        counts = [len(vector) for vector in vectors]
        arrays["clip"] = np.repeat(np.arange(len(files)), counts)
        middles = [(np.arange(count) + 0.5) / classifier.codec.frame_rate for count in counts]
        arrays["time_s"] = np.concatenate(middles).astype(np.float32)
    _write(Path(arguments.output), files, arrays)
    shape = list(arrays["embeddings"].shape)
    document = {
        "output": arguments.output,
        "checkpoint": classifier.name,
        "files": files,
        "shape": shape,
        "frames": arguments.frames,
        "notes": notes,
    }
    per = "frame" if arguments.frames else "file"
    text = f"{arguments.output}: {shape[0]} vectors of {shape[1]} numbers, one a {per}, from {len(files)} files"
    return Result(document, text, each.status)


def _embed(classifier, file: str, frames: bool) -> tuple:
    """Vector or vectors of a file, and what is to be said about it."""
    from audioformer.audio import load_audio, quietness

    waveform = load_audio(file, classifier.codec.sample_rate, mono=True)
    quiet = quietness(waveform.level_db)
    return classifier.embed(waveform, frames=frames), waveform.notes + ((quiet,) if quiet else ())


def _write(path: Path, files: list[str], arrays: dict) -> None:
    """Arrays into a file, whole or not at all."""
    import numpy as np

    from audioformer.files import atomic_path, write_tensors

    if path.suffix == ".safetensors":
        import torch

        write_tensors(
            path, {name: torch.from_numpy(array) for name, array in arrays.items()}, {"files": json.dumps(files)}
        )
        return
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        if path.suffix == ".npy":
            np.save(stream, arrays["embeddings"], allow_pickle=False)
        else:
            np.savez(stream, files=np.array(files), **arrays)
