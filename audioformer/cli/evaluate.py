"""`audioformer evaluate`: how good a checkpoint is on a data set."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

from audioformer.cli.classify import add_codings, open_classifier
from audioformer.cli.console import Progress, Result, note, note_all, table
from audioformer.cli.options import add_codec, add_verb
from audioformer.cli.prepare import add_dataset, open_chosen


def add_verbs(verbs) -> None:
    """Add `evaluate`."""
    about = (
        "Classify a labelled data set and compare: accuracy where clips have one label, mAP where they have several, "
        "always with the chance level. Classes are matched by name."
    )
    example = "audioformer evaluate ESC-50 --dataset esc50 --option esc10_only=true --checkpoint esc10 --folds 5 --json"
    parser = add_verb(verbs, "evaluate", run, about, example)
    add_dataset(parser)
    about = "bundled name, folder, or Hugging Face Hub id"
    parser.add_argument("--checkpoint", required=True, metavar="NAME", help=about)
    add_codec(parser, default=None, why="; needed only if the checkpoint's codec is one of your own")
    about = (
        "measure nothing: choose from which probability each class counts as heard in a segment (best F1 at 0.1 s) "
        "and write it into the checkpoint's config.json; give a validation part, neither trained nor tested on"
    )
    parser.add_argument("--choose-thresholds", action="store_true", help=about)
    about = (
        "measure nothing: fit the temperature under which probabilities mean what they say, and divide the "
        "checkpoint's last layer by it; give a validation part, neither trained nor tested on. If the checkpoint has a "
        "held_out.json (--held-out), what that says of the clips counts"
    )
    parser.add_argument("--calibrate", action="store_true", help=about)
    about = (
        "measure nothing: how the classes look to MODEL, a bundled one that reads the same codes, so that `classify` "
        "and the app can say that a sound is unlike all of them; written beside the checkpoint. Give several folds"
    )
    parser.add_argument("--familiarity", metavar="MODEL", help=about)
    about = "with --calibrate or --familiarity: sounds of other kinds, in sub-folders; how well they are told apart"
    parser.add_argument("--foreign", metavar="DIR", help=about)
    add_codings(parser)
    about = "also write the score into the checkpoint's config.json and model card"
    parser.add_argument("--record", metavar="TITLE", help=about)
    about = (
        "also keep what it says of each clip in held_out.json of NAME, the checkpoint that the same recipe gave on all "
        "folds: the app's room Results shows what is taken for what, and how much the probabilities mean"
    )
    parser.add_argument("--held-out", metavar="NAME", help=about)


def run(arguments: argparse.Namespace) -> Result:
    """Evaluate."""
    from audioformer.data.datasets import open_dataset
    from audioformer.evaluation.evaluate import calibrate, choose_thresholds, evaluate
    from audioformer.evaluation.held_out import add_held_out, read_held_out

    dataset, classifier = open_chosen(arguments), open_classifier(arguments)
    started = time.monotonic()
    with Progress() as progress:
        if arguments.choose_thresholds:
            return _choose(arguments, choose_thresholds(classifier, dataset, progress.count))
        foreign = open_dataset("folder", arguments.foreign) if arguments.foreign else None
        if arguments.familiarity:
            return _familiarity(arguments, classifier, dataset, foreign, progress)
        if arguments.calibrate:
            held_out = read_held_out(arguments.checkpoint)
            return _calibrate(arguments, *calibrate(classifier, dataset, foreign, progress.count, held_out))
        held_out = arguments.held_out
        report = evaluate(classifier, dataset, progress.count, arguments.codings, clip_by_clip=bool(held_out))
    for clip, sentences in report["notes"].items():
        note_all(clip, sentences)
    if report["left_out"]:
        unknown = ", ".join(f"{n} x {name}" for name, n in report["left_out"].items())
        note(f"left out, unknown to {classifier.name}: {unknown}")
    settings = {name: getattr(arguments, name) for name in ("dataset", "root", "folds", "split", "codings")}
    seconds = round(time.monotonic() - started, 3)
    document = {**report, "checkpoint": classifier.name, **settings, "seconds": seconds, "command": _command(arguments)}
    if held_out:
        n = add_held_out(held_out, document.pop("clips"), classifier.label_names, f"{_command(arguments)} --held-out")
        note(f"{n} clips in held_out.json of {held_out}")
    if arguments.record:
        from audioformer.evaluation.scores import add_score

        add_score(arguments.checkpoint, arguments.record, document)
    return Result(document, _text(document))


def _choose(arguments: argparse.Namespace, chosen: dict[str, float]) -> Result:
    from audioformer.evaluation.scores import add_thresholds

    add_thresholds(arguments.checkpoint, chosen, _command(arguments))
    rows = [[label, f"{threshold:.3f}"] for label, threshold in chosen.items()]
    document = {"checkpoint": arguments.checkpoint, "frame_thresholds": chosen}
    return Result(document, table([["class", "threshold"], *rows], "  "))


def _calibrate(arguments: argparse.Namespace, temperature: float, measures: dict) -> Result:
    from audioformer.evaluation.scores import add_calibration

    add_calibration(arguments.checkpoint, temperature, measures, _command(arguments) + " --calibrate")
    document = {"checkpoint": arguments.checkpoint, "temperature": temperature, **measures}
    return Result(
        document, "\n".join(f"{name} {value:.4g}" for name, value in document.items() if name != "checkpoint")
    )


def _familiarity(arguments: argparse.Namespace, classifier, dataset, foreign, progress: Progress) -> Result:
    from audioformer.evaluation.familiarity import fit_familiarity, save_familiarity
    from audioformer.evaluation.scores import add_familiarity

    model = arguments.familiarity
    tensors, measures = fit_familiarity(classifier, dataset, model, foreign, progress.count)
    save_familiarity(arguments.checkpoint, model, tensors)
    add_familiarity(arguments.checkpoint, measures, f"{_command(arguments)} --familiarity {model}")
    document = {"checkpoint": arguments.checkpoint, "model": model, **measures}
    return Result(document, "\n".join(f"{name} {value:.4g}" for name, value in measures.items()))


def _command(arguments: argparse.Namespace) -> str:
    """The command that gives this score, folders by their last name: they lie elsewhere on other machines."""
    words = ["audioformer", "evaluate", Path(arguments.root).resolve().name, "--dataset", arguments.dataset]
    for option in arguments.options:
        words += ["--option", option]
    words += ["--checkpoint", Path(arguments.checkpoint).name]
    words += ["--folds", ",".join(map(str, arguments.folds))] if arguments.folds else []
    words += ["--split", ",".join(arguments.split)] if arguments.split else []
    words += ["--codings", str(arguments.codings)] if arguments.codings > 1 else []
    return shlex.join(words)


def _text(document: dict) -> str:
    name = document["metric_name"]
    interval = f", 95 % interval {document['low']:.3f} to {document['high']:.3f}" if "low" in document else ""
    lines = [f"{name} {document['metric']:.3f} on {document['n']} clips (chance {document['chance']:.3f}{interval})"]
    others = {
        "balanced_accuracy": "balanced accuracy",
        "mAUC": "mAUC",
        "d_prime": "d'",
        "segment_f1": "segment F1 (0.1 s)",
    }
    lines += [f"{title} {document[key]:.3f}" for key, title in others.items() if key in document]
    per_class = [[label, "-" if value is None else f"{value:.3f}"] for label, value in document["per_class"].items()]
    lines += ["", table([["class", "recall" if name == "accuracy" else "AP"], *per_class], "  ")]
    if document["confusion"] and len(document["labels"]) <= 20:
        header = ["true \\ given", *(str(i + 1) for i in range(len(document["labels"])))]
        counted = zip(document["labels"], document["confusion"], strict=True)
        rows = [[f"{i} {label}", *map(str, row)] for i, (label, row) in enumerate(counted, 1)]
        lines += ["", table([header, *rows], "  ")]
    return "\n".join(lines)
