"""`audioformer import-encodecmae`: a published checkpoint becomes one of ours."""

from __future__ import annotations

import argparse

from audioformer.cli.console import Result
from audioformer.cli.options import add_codec, add_verb, at_least_one


def add_verbs(verbs) -> None:
    """Add `import-encodecmae`."""
    about = (
        "Turn a published EnCodecMAE checkpoint (its authors' model.pt, either version) into a folder that finetune and embed take. "
        "Nothing in the file is executed; the licence of its authors still applies."
    )
    parser = add_verb(
        verbs, "import-encodecmae", run, about, "audioformer import-encodecmae model.pt -o runs/encodecmae-base"
    )
    parser.add_argument("file", metavar="FILE", help="model.pt, or the same as .safetensors")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the checkpoint")
    parser.add_argument(
        "--heads",
        type=at_least_one,
        default=12,
        metavar="H",
        help="number of attention heads, which the file does not say (default 12)",
    )
    add_codec(parser, default="encodec_24khz")


def run(arguments: argparse.Namespace) -> Result:
    """Convert."""
    from audioformer.codecs import load_codec
    from audioformer.encodecmae.convert import import_encodecmae

    codec = load_codec(arguments.codec, weights=arguments.weights)
    about = import_encodecmae(arguments.file, arguments.output, codec, arguments.heads)
    sizes = about["model"]
    text = (
        f"{arguments.output}: EnCodecMAE, reads {sizes['frames']}, encoder {sizes['n_layers']} x {sizes['d_model']}, "
        f"{'one feed-forward layer for all' if sizes['shared_ff'] else 'each layer its own feed-forward layer'}"
    )
    return Result({"checkpoint": arguments.output, **about}, text)
