"""Seeded, untrained weights in the formats of the trained ones: the app treats them alike."""

from __future__ import annotations

from pathlib import Path

import torch

from audioformer.checkpoint import save_checkpoint
from audioformer.classifier import Classifier
from audioformer.codecs.compact import CompactCodec, CompactConfig
from audioformer.codecs.compact_files import save_compact
from audioformer.config import EncoderConfig
from audioformer.model import AudioFormer

CHECKPOINTS = {"animals": (["dog", "cat", "rain"], False), "overlaps": (["<b>horn</b>", "sea_waves"], True)}


def make_weights(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Write two small codecs, two checkpoints and a pre-trained model; returns the lists that `build_app` takes."""
    torch.manual_seed(5)
    for name, n_codebooks in (("bigger", 5), ("small", 3)):
        sizes = CompactConfig(n_codebooks=n_codebooks, codebook_size=32, d_latent=8, d_encoder=16, d_decoder=16)
        codec = CompactCodec(sizes, name=name)
        codec.rvq.codebooks.normal_()
        save_compact(codec, folder / name)
    model = EncoderConfig(codebook_size=32, n_codebooks=2, d_model=16, n_layers=1, n_heads=2, d_ff=32)
    for name, (labels, multi_label) in CHECKPOINTS.items():
        config = {
            "kind": "classifier",
            "model": model.to_dict(),
            "label_names": labels,
            "multi_label": multi_label,
            "window_s": 1.0,
            "frame_head": False,
            "codec": {"name": str(folder / "small"), "fingerprint": codec.fingerprint},
        }
        save_checkpoint(folder / name, Classifier(model, len(labels)).state_dict(), config, "# made for tests\n")
    config = {
        "kind": "pretrained",
        "model": model.to_dict(),
        "codec": {"name": str(folder / "small"), "fingerprint": codec.fingerprint},
    }
    config["recipe"] = {"mask": {"mask_ratio": 0.25, "span": 5}, "crop_s": 1.0}
    save_checkpoint(folder / "guesser", AudioFormer(model).state_dict(), config, "# made for tests\n")
    return (
        [str(folder / "small"), str(folder / "bigger")],
        [str(folder / name) for name in CHECKPOINTS],
        [str(folder / "guesser")],
    )
