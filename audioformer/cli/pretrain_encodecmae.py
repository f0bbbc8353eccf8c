"""`audioformer pretrain --method encodecmae`: hidden frames, guessed codes; and the second stage."""

from __future__ import annotations

import argparse
from dataclasses import replace

from audioformer.cli.console import Result, note
from audioformer.cli.corpora import choose, load_codebooks
from audioformer.cli.settings import override
from audioformer.cli.training import measured, run_training, summary, summary_text
from audioformer.errors import AudioformerError

NOT_HERE = ("rows", "only_row")


def run(arguments: argparse.Namespace) -> Result:
    """Pre-train an EnCodecMAE."""
    from audioformer.encodecmae.pretrain import FrameModelling, mae_recipe

    for name in NOT_HERE:
        if getattr(arguments, name):
            raise AudioformerError(
                f"--{name.replace('_', '-')}: EnCodecMAE reads frames, not codebook rows; leave it out"
            )
    preset = mae_recipe(arguments.preset)
    chosen = choose(arguments)
    codec = chosen.clips.codec
    start, teacher = (_opened(name, codec) for name in (arguments.start, arguments.teacher))
    changes = [f"model.n_codebooks={arguments.codebooks}"] if arguments.codebooks else []
    stage = preset.model if preset.model.guesses_clusters or start is None else start.config
    changes += [f"model.targets={arguments.targets or stage.targets}"]
    config = override(replace(preset, model=start.config) if start else preset, [*changes, *arguments.changes])
    codebooks = None
    if start is None:
        sizes, codebooks = _fitted(arguments, config.model, chosen.clips)
        config = replace(config, model=sizes)
    config = measured(config, chosen.held_out)
    if config.model.guesses_clusters:
        note("clustering the teacher's activations")
    task = FrameModelling(config, chosen.clips, codec, chosen.held_out, codebooks, start, teacher)
    about = run_training(task, config, arguments.output)
    document = summary(
        arguments.output, about, method="encodecmae", preset=arguments.preset, n_held_out=len(chosen.held_out)
    )
    return Result(document, summary_text(document))


def _opened(name: str | None, codec: dict):
    """The EnCodecMAE of a folder; None for None."""
    from audioformer.encodecmae.model import EncodecMAE
    from audioformer.pretrain import load_pretrained

    if name is None:
        return None
    model, _ = load_pretrained(name, expect=codec)
    if not isinstance(model, EncodecMAE):
        raise AudioformerError(
            f"{name}: is an AudioFormer; give a folder of `audioformer pretrain --method encodecmae`"
        )
    return model


def _fitted(arguments: argparse.Namespace, sizes, clips):
    """The sizes with what corpus and codec decide, and the codec's codebooks where the input is made of them."""
    from audioformer.encodecmae.pretrain import fitting_sizes

    if sizes.frames == "quantised":
        codebooks = load_codebooks(arguments, clips)
        return fitting_sizes(sizes, clips.codec, codebooks.shape[2]), codebooks
    if clips.info.frames != sizes.frames:
        raise AudioformerError(
            f"the corpus holds {'frames ' + clips.info.frames if clips.info.frames else 'codes only'} and the model reads {sizes.frames}: "
            f"prepare it with --frames {sizes.frames}, or choose --set model.frames={clips.info.frames or 'quantised'}"
        )
    return fitting_sizes(sizes, clips.codec, len(clips[0].frames)), None
