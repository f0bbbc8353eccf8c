"""`audioformer finetune`: a pre-trained model becomes a classifier."""

from __future__ import annotations

import argparse
from dataclasses import replace

from audioformer.cli.console import Progress, Result
from audioformer.cli.corpora import Chosen, add_corpora, choose, load_codebooks
from audioformer.cli.options import add_codec, add_options, add_verb
from audioformer.cli.settings import add_set, override
from audioformer.cli.training import measured, run_training, summary, summary_text
from audioformer.errors import AudioformerError

SCRATCH = "none"


def add_verbs(verbs) -> None:
    """Add `finetune`."""
    about = "Fine-tune a pre-trained model on the labels of a corpus. Ctrl-C saves; the same command continues."
    example = (
        "audioformer finetune runs/esc50 --from runs/tiny --method ft1 --preset recordings -o runs/esc50-classifier "
        "--folds 1-4 --held-out-folds 5"
    )
    parser = add_verb(verbs, "finetune", run, about, example)
    add_corpora(parser)
    about = (
        "pre-trained model, or a classifier to train further with other labels: folder, bundled name or hub id; "
        "none = from scratch"
    )
    parser.add_argument("--from", dest="start", required=True, metavar="DIR", help=about)
    about = (
        "ft1: mean, linear layer, classification loss (MLC); ft2: and the contrast between a clip's codebook rows "
        "(MPC), rows 2.. frozen; probe: only the linear layer learns (default: the preset's, ft1 for most)"
    )
    parser.add_argument("--method", choices=("ft1", "ft2", "probe"), help=about)
    about = (
        "what is trained beside the linear layer: linear: nothing; bias: every bias (BitFit); adapter: small layers "
        "put in; lora: low-rank updates, added to the weights at the end; full (default). Sizes: --set adapt.rank=4, "
        "adapt.width=16"
    )
    parser.add_argument("--adapt", choices=("linear", "bias", "adapter", "lora", "full"), help=about)
    presets = (
        "recordings (default), scenes, synthetic, probe (the linear layer alone; every clip is read once), test; for "
        "--from none: esc10, digits (the bundled checkpoints'); the authors': paper-esc50, paper-as20k, "
        "paper-as20k-ft2, paper-as20k-ft2-again, paper-fsd50k (these stop early, with --held-out-split val or folds "
        "to watch)"
    )
    parser.add_argument("--preset", default="recordings", metavar="NAME", help=presets)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the run and of the checkpoint")
    about = (
        "with --from none: size of the fresh model: esc10, digits, bundled, tiny, small, paper, test (default the "
        "preset's, or tiny)"
    )
    options = {
        "--model": (str, "NAME", about),
        "--title": (str, "TEXT", "first line of the model card"),
        "--about": (str, "TEXT", "what the model is for, for the model card"),
        "--data": (str, "TEXT", "data and their licences, for the model card"),
        "--limits": (str, "TEXT", "what the model cannot do, for the model card"),
    }
    add_options(parser, options)
    about = "; needed only for --from none with a codec of your own (default: the corpus's)"
    add_codec(parser, default=None, why=about)
    add_set(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Fine-tune."""
    from audioformer.recipes import finetune_preset

    preset = finetune_preset(arguments.preset)
    preset = replace(preset, method=arguments.method or preset.method)
    if arguments.start == SCRATCH and preset.method == "probe":
        raise AudioformerError("--method probe needs a pre-trained model to probe; give --from DIR or use --method ft1")
    if arguments.start == SCRATCH and arguments.adapt not in (None, "full"):
        raise AudioformerError(
            f"--adapt {arguments.adapt} needs a pre-trained model to adapt; give --from DIR, or let everything learn"
        )
    if arguments.adapt:
        if preset.method == "probe" and arguments.adapt != "linear":
            raise AudioformerError(
                f"--method probe learns the linear layer alone; --adapt {arguments.adapt} goes with ft1 or ft2"
            )
        preset = replace(preset, adapt=replace(preset.adapt, name=arguments.adapt))
    chosen = choose(arguments)
    scratch = [change for change in arguments.changes if change.startswith("model.")]
    if scratch and arguments.start != SCRATCH:
        raise AudioformerError(
            f"--set {scratch[0]}: the sizes of a pre-trained model are fixed; leave it out or train --from none"
        )
    config = override(preset, [change for change in arguments.changes if change not in scratch])
    config = measured(config, chosen.held_out)
    _require_labels(chosen, config)
    model = _model(arguments, chosen, scratch, config.train.seed)
    card = {name: getattr(arguments, name) for name in ("title", "about", "data", "limits") if getattr(arguments, name)}
    task = _task(config, model, chosen, card)
    about = run_training(task, config, arguments.output)
    more = {
        "preset": arguments.preset,
        "method": config.method,
        "adapt": about["adapt"],
        "n_held_out": len(chosen.held_out),
    }
    document = summary(arguments.output, about, **more)
    return Result(document, summary_text(document))


def _task(config, model, chosen: Chosen, card: dict):
    """What is trained: the whole model, or a last layer alone on clips that the frozen model reads once."""
    from audioformer.evaluation.frozen_head import FrozenHead
    from audioformer.finetune import FineTuning

    clips = chosen.clips
    changing = config.token_mask or config.row_dropout or config.frame_head
    if config.method != "probe" or changing or clips.multi_label:
        return FineTuning(
            config, model, clips, clips.label_names, clips.multi_label, clips.codec, chosen.held_out, card
        )
    task = FrozenHead(config, model, clips, clips.label_names, clips.codec, chosen.held_out, card)
    with Progress() as progress:
        for done in task.listen():
            progress.show(f"{done} of {len(clips)} clips read")
    return task


def _model(arguments: argparse.Namespace, chosen: Chosen, changes: list[str], seed: int):
    """The model to start from, or a fresh one; with summed rows its embeddings start as the codec's vectors."""
    import torch

    from audioformer.model import AudioFormer
    from audioformer.recipes import MODEL_PRESETS, preset
    from audioformer.start import init_from_codebooks, load_start

    if arguments.start != SCRATCH:
        return load_start(arguments.start, expect=chosen.clips.codec)
    name = arguments.model or (arguments.preset if arguments.preset in MODEL_PRESETS else "tiny")
    sizes = override(
        preset(name, codebook_size=chosen.clips.codec["codebook_size"]), [c[len("model.") :] for c in changes]
    )
    torch.manual_seed(seed)
    model = AudioFormer(sizes, mlm=False)
    if preset(name).rows == "summed":
        init_from_codebooks(model, load_codebooks(arguments, chosen.clips))
    return model


def _require_labels(chosen: Chosen, config) -> None:
    """Refuse a corpus without labels, and a frame head where no event times are known."""
    if not chosen.clips.label_names:
        raise AudioformerError("the corpus has no labels; fine-tuning needs a labelled data set (pretrain does not)")
    if config.frame_head and not any(item.events for item in chosen.clips):
        raise AudioformerError("frame_head learns event times and the corpus has none; use --set frame_head=false")
