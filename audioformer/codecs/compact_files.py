"""A compact codec on disk: a folder with `config.json` and `model.safetensors`, saved and opened."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from audioformer.codecs.compact import CompactCodec, CompactConfig
from audioformer.codecs.spectra import HOPS_PER_WINDOW
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, bundled_names, bundled_or_folder, open_tensors, read_json, write_tensors

KIND = "compact-codec"  # in config.json


def save_compact(codec: CompactCodec, folder: str | os.PathLike, extra: dict | None = None) -> None:
    """Write `config.json` and `model.safetensors` (16-bit floats) into a folder.

    The codebooks of `codec` itself are rounded to 16 bits too, so that its fingerprint is that of the file.

    Args:
        codec: to save.
        folder: made if missing.
        extra: anything else for config.json (training recipe, scores).

    Raises:
        AudioformerError: the folder cannot be written.
    """
    codec.rvq.codebooks.copy_(codec.rvq.codebooks.half())
    write_tensors(Path(folder) / "model.safetensors", {key: value.half() for key, value in codec.state_dict().items()})
    about = {
        "kind": KIND,
        "name": codec.name,
        "fingerprint": codec.fingerprint,
        "config": asdict(codec.config),
        **(extra or {}),
    }
    with atomic_path(Path(folder) / "config.json") as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n")


def load_compact(name: str | os.PathLike = "compact") -> CompactCodec:
    """Open a bundled compact codec by name, or one of your own by folder.

    Raises:
        AudioformerError: no such codec, or its files are missing, damaged or of another kind.
    """
    folder = bundled_or_folder(name, "codecs")
    if folder is None or not (folder / "config.json").is_file():
        known = [*bundled_names("codecs"), "encodec_24khz", "encodec_48khz"]
        raise AudioformerError(
            f"codec {str(name)!r} is not known; use one of {', '.join(known)}, or a folder written by "
            "`audioformer train-codec`"
        )
    try:
        about = read_json(folder / "config.json")
        if (kind := about.get("kind")) == KIND:
            codec = _read(folder, about)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AudioformerError(
            f"{folder}: damaged codec ({str(error).splitlines()[0]:.200}); copy or train it again"
        ) from error
    if kind != KIND:
        raise AudioformerError(f"{folder}: holds {kind!r:.40}, not a codec; give a folder of `audioformer train-codec`")
    if codec.fingerprint != about["fingerprint"]:
        raise AudioformerError(
            f"{folder}: codebooks do not match the fingerprint in config.json; copy or train it again"
        )
    return codec.eval()


def _read(folder: Path, about: dict) -> CompactCodec:
    """The codec of a folder whose config.json is `about`."""
    named = about["name"], about["fingerprint"]
    if not all(isinstance(value, str) for value in named):
        raise ValueError(f"name and fingerprint are {named!r:.80}, not words")
    codec_config = CompactConfig(**about["config"])
    weights = _read_weights(folder / "model.safetensors", codec_config)
    codec = CompactCodec(codec_config, name=about["name"])
    codec.load_state_dict(weights)
    return codec


def _read_weights(path: Path, config: CompactConfig) -> dict[str, Tensor]:
    """Tensors of a codec; those that decide its size are compared with the config before anything is built.

    Raises:
        ValueError: other shapes, or weights that are not finite floats.
    """
    n_bins = 3 * (HOPS_PER_WINDOW * config.hop_length // 2 + 1)
    shapes = {"rvq.codebooks": [config.n_codebooks, config.codebook_size, config.d_latent]}
    shapes |= {"enter.weight": [config.d_encoder, n_bins], "leave.weight": [n_bins, config.d_decoder]}
    shapes |= {f"encoder.{i}.scale": [config.d_encoder] for i in range(config.n_encoder_blocks)}
    shapes |= {f"decoder.{i}.scale": [config.d_decoder] for i in range(config.n_decoder_blocks)}
    with open_tensors(path) as file:
        for name, shape in shapes.items():
            if (there := file.get_slice(name).get_shape()) != shape:
                raise ValueError(f"{name} has shape {there}, its config {shape}")
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    for name, value in weights.items():
        if not value.is_floating_point() or not torch.isfinite(value).all():
            raise ValueError(f"{name} holds numbers that are not finite floats")
    return weights
