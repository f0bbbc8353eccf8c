"""Published EnCodecMAE checkpoints become ours: names, order of the attention heads, shared layers.

Their `model.pt` holds {"state_dict": ...}. Two layouts exist, told apart by their names:

    first version              second version                     ours
    feat_projector             wav_encoder.post_net               encoders.0.project
    positional_encoder         masker.positional_encoder, decoder.positional_encoder
    visible_encoder            visible_encoder                    encoders.0.transformer
    decoder_projector          visible_encoder.post_net           to_decoder
    decoder, head, extra_head  decoder, head                      decoder, heads

Each attention matrix of theirs numbers its outputs "dimension, then head", ours "head, then dimension": the rows change
places. The frozen EnCodec inside (wav_encoder.*, target_encoder.*) is left out: the codec brings it.

Written from the authors' public code; proved on seeded weights in that layout, not on their files, which are not here.
Shapes: D width, H heads, d = D // H, R guessed rows, V codes.
"""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from audioformer.checkpoint import save_checkpoint
from audioformer.codec import Codec
from audioformer.data.prepare import describe_codec
from audioformer.encodecmae.config import EncodecMAEConfig
from audioformer.encodecmae.model import EncodecMAE
from audioformer.encodecmae.pretrain import encodecmae_card
from audioformer.errors import AudioformerError

OURS_ALONE = ("frame_mean", "frame_std", "clusters")
FROZEN = ("wav_encoder.encoder.", "wav_encoder.model.", "target_encoder.")
FIRST = {
    "feat_projector": ["encoders.0.project"],
    "decoder_projector": ["to_decoder"],
    "positional_encoder": ["encoders.0.positions", "decoder_positions"],
}
SECOND = {
    "wav_encoder.post_net": ["encoders.0.project"],
    "visible_encoder.post_net": ["to_decoder"],
    "masker.positional_encoder": ["encoders.0.positions"],
    "decoder.positional_encoder": ["decoder_positions"],
}
LAYERS = {"visible_encoder": "encoders.0.transformer", "decoder": "decoder"}
PARTS = {
    "norm1": "attention_norm",
    "norm2": "feed_forward_norm",
    "ff_layer": "feed_forward",
    "att_layer.wo": "attention.out",
}
LAYER = re.compile(r"(visible_encoder|decoder)\.encoder_layers\.(\d+)\.(.+)\.(weight|bias)$")


def read_published(path: str | os.PathLike) -> dict[str, Tensor]:
    """Tensors of a published file, `model.pt` or `.safetensors`; nothing in it is executed.

    Raises:
        AudioformerError: missing, damaged, or holding more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioformerError(f"{path}: no such file; give the authors' model.pt")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(str(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        OSError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AudioformerError(
            f"{path}: cannot be read as tensors ({reason:.120}); give the authors' model.pt, whole"
        ) from error
    except Exception as error:  # safetensors' own
        raise AudioformerError(f"{path}: damaged ({error}); get it again") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise AudioformerError(f"{path}: holds no state_dict of tensors; give the authors' model.pt")
    return state


def published_shape(state: dict[str, Tensor], n_heads: int = 12, max_positions: int = 2250) -> EncodecMAEConfig:
    """Sizes of the model that a state dict belongs to, all but the number of heads, which no tensor tells.

    Args:
        state: their tensors by name.
        n_heads: 12 in all published models.
        max_positions: not theirs: how long a clip ours will take, frames (they made positions on the fly).

    Raises:
        AudioformerError: not a state dict of EnCodecMAE.
    """
    try:
        project = state["feat_projector.weight" if "feat_projector.weight" in state else "wav_encoder.post_net.weight"]
        width, d_ff = project.shape[0], state["visible_encoder.encoder_layers.0.ff_layer.0.weight"].shape[0]
        n_answers = state["head.layer.weight"].shape[0]
    except KeyError as error:
        raise AudioformerError(f"{error} is not there: not the state dict of an EnCodecMAE") from error
    depth = {stack: 0 for stack in LAYERS}
    for name in state:
        if match := LAYER.match(name):
            depth[match[1]] = max(depth[match[1]], int(match[2]) + 1)
    both, alone = "extra_head.layer.weight" in state, n_answers == 1024
    first = [
        state.get(f"visible_encoder.encoder_layers.{i}.ff_layer.0.weight") for i in range(depth["visible_encoder"])
    ]
    shared = len(first) > 1 and all(one is not None and torch.equal(one, first[0]) for one in first)
    return EncodecMAEConfig(
        frames="mel256" if project.shape[1] == 256 else "latents",
        frame_width=project.shape[1],
        targets="both" if both else "kmeans" if alone else "codes",
        codebook_size=1024,
        n_codebooks=8 if alone else n_answers // 1024,
        n_clusters=1024,
        d_model=width,
        n_layers=depth["visible_encoder"],
        n_decoder_layers=depth["decoder"],
        n_heads=n_heads,
        d_ff=d_ff,
        shared_ff=shared,
        max_positions=max_positions,
    )


def convert_state(state: dict[str, Tensor], config: EncodecMAEConfig) -> dict[str, Tensor]:
    """Their tensors under our names and in our order.

    Args:
        state: their tensors by name, of either version.
        config: from `published_shape`.

    Returns:
        Tensors for `EncodecMAE(config).load_state_dict(..., strict=False)`: the standardising numbers keep their
        defaults, which are the authors', and cluster centres, kept in another file of theirs, are not known.

    Raises:
        AudioformerError: a name that is not understood, or one that is missing.
    """
    names = FIRST if "feat_projector.weight" in state else SECOND
    ours: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith(FROZEN):
            continue
        stem, _, kind = name.rpartition(".")
        if match := LAYER.match(name):
            _convert_layer(ours, match, value, config)
        elif stem in names:
            ours |= {f"{target}.{kind}": value for target in names[stem]}
        elif stem in ("visible_encoder.final_norm", "decoder.final_norm"):
            ours[f"{LAYERS[stem.split('.')[0]]}.final_norm.{kind}"] = value
        elif stem in ("head.layer", "extra_head.layer"):
            first = 0 if stem == "head.layer" else config.n_codebooks
            ours |= {f"heads.{first + row}.{kind}": part for row, part in enumerate(value.split(1024))}
        else:
            raise AudioformerError(
                f"{name} is not understood; expected the state dict of an EnCodecMAE, version 1 or 2"
            )
    for prefix in {name.removesuffix(".wq") for name in ours if name.endswith(".wq")}:
        parts = [ours.pop(f"{prefix}.{part}", None) for part in ("wq", "wk", "wv")]
        if any(part is None for part in parts):
            raise AudioformerError(f"{prefix}: one of wq, wk, wv is missing; the file is not whole")
        ours[f"{prefix}.qkv.weight"] = torch.cat(parts)
    return ours


def _convert_layer(ours: dict[str, Tensor], match: re.Match, value: Tensor, config: EncodecMAEConfig) -> None:
    """One tensor of a transformer layer."""
    stack, layer, part, kind = match.groups()
    prefix = f"{LAYERS[stack]}.blocks.{layer}"
    if part in ("att_layer.wq", "att_layer.wk", "att_layer.wv"):
        ours[f"{prefix}.attention.{part[-2:]}"] = heads_first(value, config)
        return
    if part == "att_layer.wo":
        value = heads_first(value.T, config).T.contiguous()
    for theirs, name in PARTS.items():
        if part == theirs or part.startswith(theirs + "."):
            ours[f"{prefix}.{name}{part[len(theirs) :]}.{kind}"] = value
            return
    raise AudioformerError(f"{match[0]} is not understood; expected the state dict of an EnCodecMAE, version 1 or 2")


def import_encodecmae(path: str | os.PathLike, folder: str | os.PathLike, codec: Codec, n_heads: int = 12) -> dict:
    """Turn a published checkpoint into a folder that `load_pretrained` opens.

    Args:
        path: the authors' model.pt.
        folder: of the checkpoint to write.
        codec: the one it belongs to, `load_codec("encodec_24khz")`.
        n_heads: attention heads, 12 in all published models.

    Returns:
        config.json of the checkpoint.

    Raises:
        AudioformerError: unreadable, not understood, not whole, or of another codec's sizes.
    """
    state = read_published(path)
    config = published_shape(state, n_heads)
    width = codec.codebooks().shape[2]
    if codec.codebook_size != config.codebook_size or (config.frames == "latents" and width != config.frame_width):
        raise AudioformerError(
            f"{path}: reads {config.frame_width} numbers a frame and guesses {config.codebook_size} codes, "
            f"{codec.name} has {width} and "
            f"{codec.codebook_size}; give --codec encodec_24khz"
        )
    model = EncodecMAE(config)
    fill(model, convert_state(state, config))
    about = {
        "kind": "pretrained",
        "method": "encodecmae",
        "model": config.to_dict(),
        "codec": describe_codec(codec),
        "recipe": {"crop_s": 4.0, "converted_from": Path(path).name},
        "n_clips": 0,
        "steps": 0,
        "seconds": 0,
        "losses": {},
        "chance": {},
        "validation": None,
    }
    save_checkpoint(folder, model.state_dict(), about, encodecmae_card(about))
    return about


def fill(model: EncodecMAE, state: dict[str, Tensor]) -> None:
    """Load converted tensors; only standardisation and cluster centres may be missing.

    Raises:
        AudioformerError: another is missing, unknown or of another shape.
    """
    try:
        missing, unknown = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise AudioformerError(
            f"the tensors do not fit ({str(error).splitlines()[-1].strip()}); is the number of heads right?"
        ) from error
    missing = [name for name in missing if not name.endswith(OURS_ALONE)]
    if missing or unknown:
        raise AudioformerError(
            f"{len(missing)} tensors are missing and {len(unknown)} too many, e.g. {[*missing, *unknown][0]}"
        )


def heads_first(matrix: Tensor, config: EncodecMAEConfig) -> Tensor:
    """(d * H, D) rows numbered "dimension, then head" to (H * d, D) rows numbered "head, then dimension"."""
    return matrix.unflatten(0, (config.head_dim, config.n_heads)).transpose(0, 1).flatten(0, 1).contiguous()
