"""`audioformer prepare`: the codes of a whole data set, once."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from typing import Any

from audioformer.cli.console import Progress, Result, clock, note, note_all, printable, stoppable
from audioformer.cli.options import add_codec, add_options, add_verb, at_least_one, numbers, seconds, seed, words
from audioformer.cli.settings import parse
from audioformer.errors import AudioformerError

MOST_NOTES = 20  # clips of which it is said at once what is missing; all of them stand in the result
LAYOUTS = (
    "esc50 (also ESC-10 and `audioformer synth`), fsdd, fsd50k, audioset, folder (one sub-folder a class, or a CSV)"
)


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """The options that choose a data set and clips of it."""
    parser.add_argument("root", metavar="ROOT", help="folder of the data set, in its published layout")
    parser.add_argument("--dataset", required=True, metavar="NAME", help=LAYOUTS)
    options = {
        "--folds": (numbers, "1,2", "only clips of these folds (default all)"),
        "--split": (words, "NAME", "only clips of these splits: train, val, test (default all)"),
    }
    add_options(parser, options)
    about = (
        "of the data set's reader, e.g. esc10_only=true, fold=speaker, parts=dev,eval, csv=clips.csv, "
        "allow_missing=true"
    )
    parser.add_argument("--option", dest="options", action="append", default=[], metavar="NAME=VALUE", help=about)


def open_chosen(arguments: argparse.Namespace):
    """The data set that the options of `add_dataset` name."""
    from audioformer.data.datasets import open_dataset

    dataset = open_dataset(arguments.dataset, arguments.root, **reader_options(arguments.dataset, arguments.options))
    if arguments.folds is not None or arguments.split is not None:
        dataset = dataset.select(arguments.folds, arguments.split)
    for sentence in dataset.notes:
        note(f"{arguments.root}: {sentence}")
    if dataset.missing:
        note(f"{len(dataset.missing)} clips are listed but not there, e.g. {dataset.missing[0]}")
    return dataset


def reader_options(name: str, options: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words as the reader's parameters, with the types of their defaults."""
    from audioformer.data.datasets import DATASETS

    known = dict(inspect.signature(DATASETS[name]).parameters) if name in DATASETS else {}
    values: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise AudioformerError(f"--option {option}: expected name=value, e.g. --option esc10_only=true")
        if key in known and "tuple" in str(known[key].annotation):
            values[key] = words(text)
        else:
            default = known[key].default if key in known else ""
            values[key] = parse(key, text, type(default) if isinstance(default, bool | float) else str)
    return values


def part(text: str) -> tuple[int, int]:
    """Which part of the work: "2/4" as (2, 4)."""
    try:
        first, _, count = text.partition("/")
        values = (int(first), int(count))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be i/n, e.g. 1/4 for the first of four parts") from None
    return values


def add_verbs(verbs) -> None:
    """Add `prepare`."""
    about = (
        "Code every clip of a data set once and write a corpus that training reads. Finished parts are kept: after "
        "Ctrl-C, a crash or a full disk the same command continues where it stopped."
    )
    example = "audioformer prepare ESC-50 --dataset esc50 -o runs/esc50-corpus --variants 8 --augment strong"
    parser = add_verb(verbs, "prepare", run, about, example)
    add_dataset(parser)
    parser.add_argument("-o", "--output", required=True, metavar="CORPUS", help="folder to write, or to continue")
    add_codec(parser)
    options = {
        "--codebooks": (at_least_one, "K", "codebook rows to keep (default all)"),
        "--shard": (part, "i/n", "do the i-th of n equal parts, for n processes that share the folder"),
        "--shards": (at_least_one, "N", "files to cut the corpus into (default one for 512 clips)"),
        "--variants": (at_least_one, "N", "codings of a clip, all but the first augmented", 1),
        "--augment": (
            str,
            "NAME",
            "change before coding: light, strong, strong-mixup, robust (any level, telephones), voices (words)",
        ),
        "--seed": (seed, "S", "of the augmentation", 0),
        "--clip-s": (seconds, "S", "code at most this many seconds of a clip (default whole clips)"),
    }
    add_options(parser, options)
    about = (
        "keep what EnCodecMAE reads beside the codes: the codec's latents or 256 log-mel bands, in 16 bits (default "
        "codes only)"
    )
    parser.add_argument("--frames", choices=("latents", "mel256"), help=about)


def run(arguments: argparse.Namespace) -> Result:
    """Code a data set."""
    from audioformer.codecs import load_codec
    from audioformer.data.corpus import prepare

    dataset = open_chosen(arguments)
    codec = load_codec(arguments.codec, weights=arguments.weights)
    records = prepare(
        dataset,
        codec,
        arguments.output,
        n_codebooks=arguments.codebooks,
        shard=arguments.shard,
        variants=arguments.variants,
        seed=arguments.seed,
        augment=arguments.augment,
        clip_s=arguments.clip_s,
        n_shards=arguments.shards,
        frames=arguments.frames,
    )
    record, n_noted = None, 0
    with stoppable(arguments.output), Progress() as progress:
        for record in records:
            if record.problem:
                note(f"left out: {record.problem}")
            n_noted += bool(record.notes)
            if n_noted <= MOST_NOTES:
                note_all(record.clip_id, record.notes)
            progress.show(_line(record))
    return _summary(arguments, record)


def _line(record) -> str:
    speed = f", {record.audio_s / record.seconds:.0f} x real time" if record.seconds > 0 and record.audio_s else ""
    left = f", {clock(record.seconds / record.done * (record.total - record.done))} left" if record.done else ""
    out = f", {record.n_problems} left out" if record.n_problems else ""
    return f"{record.done} of {record.total} clips, {record.audio_s / 60:.1f} min of sound{speed}{left}{out}"


def _summary(arguments: argparse.Namespace, record) -> Result:
    """What there is now."""
    from audioformer.data.corpus import Corpus

    document = {"corpus": arguments.output, "finished": True, "seconds": round(record.seconds, 3) if record else 0.0}
    try:
        corpus = Corpus.open(arguments.output)
    except AudioformerError:  # other parts are still at work
        done = (
            f"{record.done} clips of part {arguments.shard[0]}/{arguments.shard[1]}"
            if arguments.shard and record
            else "this part"
        )
        text = f"{arguments.output}: {done} coded; the corpus is complete when all parts are"
        return Result(document | {"finished": False, "clips": record.done if record else 0}, text)
    numbers = corpus.statistics()
    text = (
        f"{arguments.output}: {numbers['clips']} clips, {numbers['rows']} coded ({numbers['hours']:.2f} h), "
        f"{numbers['n_codebooks']} codebooks of {numbers['codec']}, {len(corpus.label_names)} classes"
    )
    if corpus.problems:
        text += f"; {len(corpus.problems)} clips could not be read"
    if corpus.notes:
        clip, sentences = next(iter(corpus.notes.items()))
        example = f"{printable(clip)}: {sentences[0]}"
        text += f"; of {len(corpus.notes)} of them something is missing or was changed, e.g. {example}"
    more = {"label_names": list(corpus.label_names), "problems": corpus.problems, "notes": corpus.notes}
    return Result(document | numbers | more, text)
