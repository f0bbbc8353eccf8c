"""`audioformer convert`: a checkpoint that the authors of a method published becomes one of ours."""

from __future__ import annotations

import argparse

from audioformer.cli.console import Result
from audioformer.cli.options import add_codec, add_verb, at_least_one


def add_verbs(verbs) -> None:
    """Add `convert`."""
    about = (
        "Turn a checkpoint that a method's authors published (EnCodecMAE: model.pt, either version) into a folder that "
        "finetune and embed take. Nothing in the file is executed; its licence stays its authors'."
    )
    example = "audioformer convert model.pt --method encodecmae -o runs/encodecmae-base"
    parser = add_verb(verbs, "convert", run, about, example)
    parser.add_argument("file", metavar="FILE", help="the published file, or the same as .safetensors")
    parser.add_argument("--method", required=True, metavar="NAME", help="whose checkpoint it is")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the checkpoint")
    parser.add_argument(
        "--heads", type=at_least_one, default=12, metavar="H", help="attention heads, which no file tells (default 12)"
    )
    add_codec(parser, default="encodec_24khz")


def run(arguments: argparse.Namespace) -> Result:
    """Convert."""
    from audioformer.codecs import load_codec
    from audioformer.methods import find_method

    method = find_method(arguments.method)
    codec = load_codec(arguments.codec, weights=arguments.weights)
    about = method.convert(arguments.file, arguments.output, codec, arguments.heads)
    sizes = about["model"]
    text = f"{arguments.output}: {arguments.method}, encoder {sizes['n_layers']} x {sizes['d_model']}"
    return Result({"checkpoint": arguments.output, **about}, text)
