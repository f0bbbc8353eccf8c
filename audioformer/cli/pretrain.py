"""`audioformer pretrain`: the masked language model on codes, or another method (methods.py)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from audioformer.cli.console import Result, note
from audioformer.cli.corpora import Chosen, add_corpora, choose, load_codebooks
from audioformer.cli.options import add_codec, add_options, add_verb, at_least_one
from audioformer.cli.settings import add_set, override
from audioformer.cli.training import measured, run_training, summary, summary_text
from audioformer.errors import AudioformerError
from audioformer.methods import BUILT_IN, Method, Request, find_method, method_names


def add_verbs(verbs) -> None:
    """Add `pretrain`."""
    about = (
        "Pre-train a model to guess hidden codes; no labels are used. With separate rows (the authors' way) every "
        "codebook row is a run of its own, DIR/row1, DIR/row2, ..., joined into DIR at the end. Ctrl-C saves; the same "
        "command continues the run."
    )
    example = (
        "audioformer pretrain runs/esc50 runs/scenes --preset tiny -o runs/tiny --held-out-share 0.05 --set "
        "train.n_steps=500"
    )
    parser = add_verb(verbs, "pretrain", run, about, example)
    add_corpora(parser)
    methods = [find_method(name) for name in method_names()]
    kinds = "; ".join(f"{method.name} {method.about}" for method in methods)
    parser.add_argument(
        "--method", choices=[m.name for m in methods], default=BUILT_IN.name, help=f"{kinds} (default {BUILT_IN.name})"
    )
    presets = "; ".join(f"{method.name}: {', '.join(method.presets)}" for method in methods)
    parser.add_argument("--preset", required=True, metavar="NAME", help=f"named recipe; {presets}")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the run and of the checkpoint")
    about = "how codebook rows are used (default: the preset's)"
    parser.add_argument("--rows", choices=("separate", "shared", "summed"), help=about)
    about = "continue from a pre-trained model; its sizes replace the preset's"
    parser.add_argument("--from", dest="start", metavar="DIR", help=about)
    options = {
        "--codebooks": (at_least_one, "K", "rows the model uses (default: the preset's)"),
        "--only-row": (at_least_one, "K", "separate rows: train this row alone, e.g. one on each machine"),
    }
    add_options(parser, options)
    parser.set_defaults(options_of={method.name: _own_options(parser, method) for method in methods})
    add_codec(parser, default=None, why="; needed only to start from a codec of your own (default: the corpus's)")
    add_set(parser)


def _own_options(parser: argparse.ArgumentParser, method: Method) -> list[str]:
    """Add a method's own options; gives the names of their values."""
    group, names = parser.add_argument_group(f"options of --method {method.name}"), []

    def add(*flags: str, **settings) -> None:
        names.append(group.add_argument(*flags, **settings).dest)

    method.options(add)
    return names


def run(arguments: argparse.Namespace) -> Result:
    """Pre-train."""
    for name, own in arguments.options_of.items():
        foreign = [f"--{option.replace('_', '-')}" for option in own if getattr(arguments, option) is not None]
        if foreign and name != arguments.method:
            raise AudioformerError(f"{', '.join(foreign)}: belongs to --method {name}; leave it out")
    if arguments.method == BUILT_IN.name:
        return _run_built_in(arguments)
    chosen = choose(arguments)
    request = Request(
        arguments.preset,
        chosen.clips,
        chosen.held_out,
        lambda config, changes: override(config, [*changes, *arguments.changes]),
        arguments.start,
        vars(arguments),
        lambda: load_codebooks(arguments, chosen.clips),
    )
    task = find_method(arguments.method).task(request)
    task.config = measured(task.config, chosen.held_out)
    about = run_training(task, task.config, arguments.output)
    more = {"method": arguments.method, "preset": arguments.preset, "n_held_out": len(chosen.held_out)}
    document = summary(arguments.output, about, **more)
    return Result(document, summary_text(document))


def _run_built_in(arguments: argparse.Namespace) -> Result:
    """Pre-train an AudioFormer."""
    from audioformer.model import AudioFormer
    from audioformer.recipes import pretrain_preset
    from audioformer.start import load_pretrained

    preset = pretrain_preset(arguments.preset)
    chosen = choose(arguments)
    start = load_pretrained(arguments.start, expect=chosen.clips.codec)[0] if arguments.start else None
    if start is not None and not isinstance(start, AudioFormer):
        raise AudioformerError(f"--from {arguments.start}: continue it with --method {start.config.method}")
    model = start.config if start else replace(preset.model, codebook_size=chosen.clips.codec["codebook_size"])
    changes = [f"model.rows={arguments.rows}"] if arguments.rows else []
    changes += [f"model.n_codebooks={arguments.codebooks}"] if arguments.codebooks else []
    config = override(replace(preset, model=model), [*changes, *arguments.changes])
    if start and config.model != start.config:
        raise AudioformerError(
            f"--from {arguments.start}: the sizes of that model are fixed; leave model.* settings out"
        )
    config = measured(config, chosen.held_out)
    rows = _rows(config, arguments.only_row)
    if rows is None:
        about = run_training(_task(arguments, config, chosen, start, None), config, arguments.output)
    else:
        about = _row_by_row(arguments, config, chosen, start, rows)
    if about is None:
        text = f"{arguments.output}: row {arguments.only_row} is trained; the rows are joined when all are"
        return Result(
            {"checkpoint": str(Path(arguments.output) / f"row{arguments.only_row}"), "row": arguments.only_row}, text
        )
    document = summary(arguments.output, about, preset=arguments.preset, n_held_out=len(chosen.held_out))
    return Result(document, summary_text(document))


def _rows(config, only_row: int | None) -> list[int] | None:
    """Rows (from 0) to train one after the other; None = all in one run."""
    n_rows = config.model.n_codebooks
    if config.model.rows != "separate":
        if only_row:
            raise AudioformerError(
                f"--only-row {only_row}: rows are {config.model.rows}; only separate rows are trained one by one"
            )
        return None
    if only_row and only_row > n_rows:
        raise AudioformerError(f"--only-row {only_row}: the model has rows 1 to {n_rows}")
    if n_rows == 1:
        return None
    return [only_row - 1] if only_row else list(range(n_rows))


def _task(arguments: argparse.Namespace, config, chosen: Chosen, start, rows: list[int] | None):
    from audioformer.pretrain import MaskedModelling

    codebooks = load_codebooks(arguments, chosen.clips) if config.init_from_codebooks and start is None else None
    return MaskedModelling(config, chosen.clips, chosen.clips.codec, chosen.held_out, rows, codebooks, start)


def _row_by_row(arguments: argparse.Namespace, config, chosen: Chosen, start, rows: list[int]) -> dict | None:
    """The authors' way: a run for each row, then all in one checkpoint; None while other rows are missing."""
    from audioformer.pretrain import combine_rows

    folders = [Path(arguments.output) / f"row{k + 1}" for k in range(config.model.n_codebooks)]
    for k in rows:
        note(f"row {k + 1} of {config.model.n_codebooks}")
        run_training(_task(arguments, config, chosen, start, [k]), config, folders[k], f"row {k + 1}  ")
    if any(not (folder / "config.json").is_file() for folder in folders):
        return None
    return combine_rows(folders, arguments.output)
