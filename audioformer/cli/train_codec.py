"""`audioformer train-codec`: a compact codec from folders of sound."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioformer.cli.console import Result, clock, note
from audioformer.cli.options import add_verb, at_least_one
from audioformer.cli.settings import add_set, override
from audioformer.cli.training import run_training
from audioformer.errors import check_names


def add_verbs(verbs) -> None:
    """Add `train-codec`."""
    about = (
        "Train a compact codec on folders of sound (each folder is drawn from equally often). Ctrl-C saves; the same "
        "command continues."
    )
    example = "audioformer train-codec ESC-50/audio my-recordings -o runs/codec --preset laptop --exclude '5-*'"
    parser = add_verb(verbs, "train-codec", run, about, example)
    parser.add_argument(
        "folders", nargs="+", metavar="DIR", help="folders of WAV, FLAC, Ogg or MP3 files, searched with all below them"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the run and of the codec")
    parser.add_argument(
        "--preset",
        default="laptop",
        metavar="NAME",
        help=(
            "laptop (two cores, half an hour), laptop-decoder (its second stage, with --start), gpu, test (default "
            "laptop)"
        ),
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="file names never to train on, e.g. '5-*'; may be repeated",
    )
    parser.add_argument(
        "--start", metavar="CODEC", help="name or folder of a compact codec to start from, instead of random weights"
    )
    parser.add_argument("--name", metavar="NAME", help="name of the codec (default: name of the output folder)")
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="FILE",
        help=(
            "recording to decode during training, best one that is not trained on: OUTPUT/listen/index.html plays it "
            "beside its spectrograms and the ladder; may be repeated"
        ),
    )
    parser.add_argument(
        "--listen-every",
        type=at_least_one,
        default=1_000,
        metavar="N",
        help="steps between two decodings (default 1000)",
    )
    add_set(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Train a codec."""
    from audioformer.codecs.compact_files import load_compact
    from audioformer.codecs.crops import CropSampler
    from audioformer.codecs.train_compact import PRESETS, CodecTraining
    from audioformer.evaluation.listening_log import ListeningLog
    from audioformer.files import writable_folder

    check_names([arguments.preset], list(PRESETS), "the list of codec presets")
    every = [f"train.validate_every={arguments.listen_every}"] if arguments.listen else []
    recipe = override(PRESETS[arguments.preset], [*every, *arguments.changes])
    folder = writable_folder(arguments.output)
    sampler = CropSampler(arguments.folders, recipe.codec.sample_rate, tuple(arguments.exclude))
    for sentence in sampler.notes:
        note(sentence)
    note(f"{sampler.hours:.2f} h of sound")
    start = load_compact(arguments.start) if arguments.start else None
    listening = ListeningLog(folder, arguments.listen).add if arguments.listen else None
    task = CodecTraining(sampler, recipe, arguments.name or folder.resolve().name, start, listening)
    about = run_training(task, recipe, folder)
    document = {
        "codec": str(folder),
        "n_codebooks": about["config"]["n_codebooks"],
        **{name: about[name] for name in ("name", "fingerprint", "steps", "seconds", "losses", "hours_of_sound")},
        "preset": arguments.preset,
    }
    text = (
        f"{folder}: codec {about['name']}, {document['n_codebooks']} codebooks, {about['steps']} steps in "
        f"{clock(about['seconds'])}; use it with --codec {Path(arguments.output)}"
    )
    return Result(document, text)
