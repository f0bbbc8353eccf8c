"""`audioformer synth`: labelled synthetic sound."""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial

from audioformer.cli.console import Progress, Result, stoppable
from audioformer.cli.options import add_options, add_verb, at_least_one, seconds, seed, words


def add_verbs(verbs) -> None:
    """Add `synth`."""
    about = (
        "Write labelled synthetic sound scenes with event times. The layout is that of ESC-50, with meta/events.csv; "
        "--kind clips writes one sound a clip. The same seed gives the same sound; an interrupted run continues where "
        "it stopped."
    )
    parser = add_verb(verbs, "synth", run, about, "audioformer synth -o runs/scenes --clips 200 --seed 1 --duration 10")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write, or to continue")
    parser.add_argument("--clips", type=at_least_one, required=True, metavar="N", help="how many")
    parser.add_argument("--kind", choices=("scenes", "clips"), default="scenes", help="default scenes")
    options = {
        "--seed": (seed, "S", "0 to 4294967295", 0),
        "--duration": (seconds, "S", "seconds a clip (default 10 for scenes, 5 for clips)"),
        "--max-events": (at_least_one, "N", "most sounds in a scene, up to 32", 4),
        "--classes": (words, "A,B", "classes to draw from (default all 51; `esc10` stands for its ten)"),
        "--sample-rate": (at_least_one, "HZ", "8000 to 192000 Hz", 24_000),
    }
    add_options(parser, options)


def run(arguments: argparse.Namespace) -> Result:
    """Synthesise a folder."""
    from audioformer.data.synth import CLASSES, ESC10_CLASSES, write_scenes

    groups = {"esc10": ESC10_CLASSES}
    classes = dict.fromkeys(c for name in arguments.classes or CLASSES for c in groups.get(name, (name,)))
    with stoppable(arguments.output), Progress() as progress:
        items = write_scenes(
            arguments.output,
            arguments.clips,
            arguments.seed,
            arguments.duration,
            arguments.kind,
            arguments.max_events,
            tuple(classes),
            arguments.sample_rate,
            progress=partial(progress.count, what=arguments.kind),
        )
    labels = Counter(c for item in items for c in ({event["label"] for event in item.events} or {item.category}))
    document = {
        "output": arguments.output,
        "kind": arguments.kind,
        "n_clips": len(items),
        "seed": arguments.seed,
        "n_events": sum(len(item.events) for item in items),
        "clips_per_label": dict(sorted(labels.items())),
    }
    events = f" with {document['n_events']} events" if document["n_events"] else ""
    how = f"read it as --dataset esc50, e.g. audioformer prepare {arguments.output} --dataset esc50 -o CORPUS"
    return Result(document, f"{arguments.output}: {len(items)} {arguments.kind}{events}, {len(labels)} classes; {how}")
