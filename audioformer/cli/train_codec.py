"""`audioformer train-codec`: a compact codec from folders of sound."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.cli.console import Progress, Result, clock, note, stoppable
from audioformer.cli.options import add_verb, at_least_one
from audioformer.cli.settings import add_set, override
from audioformer.config import check_names

if TYPE_CHECKING:
    from audioformer.codecs.compact import CompactConfig
    from audioformer.codecs.train_compact import CodecTrainConfig


def add_verbs(verbs) -> None:
    """Add `train-codec`."""
    about = "Train a compact codec on folders of sound (each folder is drawn from equally often). Ctrl-C saves; the same command continues."
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
        help="laptop (two cores, half an hour), laptop-decoder (its second stage, with --start), gpu, test (default laptop)",
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
        help="recording to decode during training, best one that is not trained on: OUTPUT/listen/index.html plays it beside "
        "its spectrograms and the ladder; may be repeated",
    )
    parser.add_argument(
        "--listen-every",
        type=at_least_one,
        default=1_000,
        metavar="N",
        help="steps between two decodings (default 1000)",
    )
    add_set(parser)


@dataclass(frozen=True)
class Recipe:
    """Both parts of a preset, so that --set reaches codec.d_latent and train.n_steps."""

    codec: CompactConfig
    train: CodecTrainConfig


def run(arguments: argparse.Namespace) -> Result:
    """Train a codec."""
    from audioformer.codecs import load_codec
    from audioformer.codecs.compact import load_compact
    from audioformer.codecs.crops import CropSampler
    from audioformer.codecs.listening_log import ListeningLog
    from audioformer.codecs.train_compact import PRESETS, CodecTrainer, train_codec
    from audioformer.files import writable_folder

    check_names([arguments.preset], list(PRESETS), "the list of codec presets")
    recipe = override(Recipe(*PRESETS[arguments.preset]), arguments.changes)
    folder = writable_folder(arguments.output)
    sampler = CropSampler(arguments.folders, recipe.codec.sample_rate, tuple(arguments.exclude))
    note(f"{sampler.hours:.2f} h of sound")
    start = load_compact(arguments.start) if arguments.start else None
    trainer = CodecTrainer(
        sampler, recipe.codec, recipe.train, name=arguments.name or folder.resolve().name, start=start
    )
    if trainer.resume(folder):
        note(f"going on from step {trainer.step}")
    listening = ListeningLog(folder, arguments.listen) if arguments.listen else None
    losses: dict[str, float] = {}
    records = train_codec(trainer, folder)
    with stoppable(folder), contextlib.closing(records), Progress() as progress:
        first, done_before = trainer.seconds, trainer.step
        for record in records:
            losses = record.losses
            if listening and (record.step % arguments.listen_every == 0 or record.step == recipe.train.n_steps):
                listening.add(trainer.averaged_codec(), record.step)
            per_step = (record.seconds - first) / (record.step - done_before)
            shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items() if name != "total")
            left = clock(per_step * (recipe.train.n_steps - record.step))
            progress.show(f"step {record.step}/{recipe.train.n_steps}  {shown}  {per_step:.2f} s/step  {left} left")
    codec = load_codec(folder)
    document = {
        "codec": str(folder),
        "name": codec.name,
        "fingerprint": codec.fingerprint,
        "n_codebooks": codec.n_codebooks,
        "steps": trainer.step,
        "seconds": round(trainer.seconds, 3),
        "losses": losses,
        "hours_of_sound": round(sampler.hours, 3),
        "preset": arguments.preset,
    }
    text = (
        f"{folder}: codec {codec.name}, {codec.n_codebooks} codebooks, {trainer.step} steps in {clock(trainer.seconds)}"
    )
    return Result(document, text + f"; use it with --codec {Path(arguments.output)}")
