"""`audioformer info`: what is installed, and how good the bundled models were measured to be."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
from importlib import metadata
from pathlib import Path

from audioformer.cli.console import Result, table
from audioformer.cli.options import add_verb

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "safetensors",
    "accelerate",
    "datasets",
    "gradio",
    "plotly",
    "encodec",
)


def add_verbs(verbs) -> None:
    """Add `info`."""
    about = (
        "Show versions, device, bundled codecs and checkpoints with their measured scores and the commands that gave "
        "them."
    )
    add_verb(verbs, "info", run, about, "audioformer info --json")


def run(_arguments: argparse.Namespace) -> Result:
    """Collect everything; reads small files only, no weights."""
    document = {
        "audioformer": metadata.version("audioformer"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": _device(),
        "codecs": [*_codecs(), *_encodecs()],
        "checkpoints": _checkpoints(),
    }
    return Result(document, _text(document))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device() -> dict:
    """Processor, its cores, and the graphics card that training would use."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "training": "cuda" if cuda else "cpu",
        "cuda": torch.cuda.get_device_name(0) if cuda else None,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _folders(kind: str) -> list[tuple[Path, dict]]:
    """Bundled folders of a kind with their config.json: those that load by name; a damaged one is left out."""
    from audioformer.files import assets_folder, bundled_names

    entries = []
    for name in bundled_names(kind):
        path = assets_folder() / kind / name / "config.json"
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(about, dict):
            entries.append((path.parent, about))
    return entries


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6, 2)


def _codecs() -> list[dict]:
    from audioformer.codecs.compact import CompactCodec, CompactConfig

    entries = []
    for folder, about in _folders("codecs"):
        sizes = CompactConfig(**about["config"])
        bits = (sizes.codebook_size - 1).bit_length()
        frame_rate = sizes.sample_rate / sizes.hop_length
        entries.append(
            {
                "name": folder.name,
                "available": True,
                "sample_rate": sizes.sample_rate,
                "frame_rate": frame_rate,
                "n_codebooks": sizes.n_codebooks,
                "codebook_size": sizes.codebook_size,
                "bandwidth_kbps": sizes.n_codebooks * bits * frame_rate / 1000,
                "fingerprint": about.get("fingerprint"),
                "licence": CompactCodec.licence,
                "megabytes": _megabytes(folder),
                "scores": about.get("scores", []),
            }
        )
    return entries


def _encodecs() -> list[dict]:
    """EnCodec, and whether its package and weights are here; nothing is downloaded."""
    from audioformer.codecs.encodec import LICENCE
    from audioformer.codecs.encodec_files import FOLDER_VARIABLE, RELEASES, cache_folder

    installed = importlib.util.find_spec("encodec") is not None
    folders = [Path(folder) for folder in (os.environ.get(FOLDER_VARIABLE), cache_folder()) if folder]
    return [
        {
            "name": name,
            "licence": LICENCE,
            "scores": [],
            "package_installed": installed,
            "available": installed and any((folder / release.filename).is_file() for folder in folders),
        }
        for name, release in RELEASES.items()
    ]


def _checkpoints() -> list[dict]:
    return [
        {
            "name": folder.name,
            "kind": about.get("kind"),
            "title": about.get("title"),
            "label_names": about.get("label_names", []),
            "codec": about.get("codec", {}).get("name"),
            "rows": about.get("model", {}).get("rows"),
            "n_codebooks": about.get("model", {}).get("n_codebooks"),
            "steps": about.get("steps"),
            "megabytes": _megabytes(folder),
            "scores": about.get("scores", []),
            "validation": about.get("validation"),
        }
        for folder, about in _folders("checkpoints")
    ]


def _text(document: dict) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in document["packages"].items() if version)
    device = document["device"]
    card = f"graphics card {device['cuda']}" if device["cuda"] else "no graphics card"
    lines = [
        f"audioformer {document['audioformer']}, Python {document['python']}, {document['platform']}",
        packages,
        f"{device['cores']} cores, {card}",
        "",
        "Codecs",
        table([_codec_row(codec) for codec in document["codecs"]], "  ") or "  none",
        *_score_lines(document["codecs"]),
        "",
        "Checkpoints",
        table([_checkpoint_row(checkpoint) for checkpoint in document["checkpoints"]], "  ") or "  none",
    ]
    return "\n".join([*lines, *_score_lines(document["checkpoints"])])


def _codec_row(codec: dict) -> list[str]:
    if "frame_rate" not in codec:
        here = "ready" if codec["available"] else "weights or package not on this machine"
        return [codec["name"], here, codec["licence"]]
    sizes = f"{codec['n_codebooks']} codebooks of {codec['codebook_size']}, {codec['frame_rate']:g} frames/s"
    return [codec["name"], f"{sizes}, {codec['bandwidth_kbps']:g} kbit/s, {codec['megabytes']:g} MB", codec["licence"]]


def _checkpoint_row(checkpoint: dict) -> list[str]:
    labels = f"{len(checkpoint['label_names'])} classes" if checkpoint["label_names"] else str(checkpoint["kind"])
    return [
        checkpoint["name"],
        labels,
        f"codec {checkpoint['codec']}",
        f"{checkpoint['megabytes']:g} MB",
        checkpoint["title"] or "",
    ]


def _score_lines(entries: list[dict]) -> list[str]:
    """A line for each measured score, and under it the command that gives it."""
    lines = []
    for entry in entries:
        for score in entry["scores"]:
            chance = f" (chance {score['chance']:.3f})" if isinstance(score.get("chance"), int | float) else ""
            spread = f", {score['spread']}" if score.get("spread") not in (None, "") else ""
            lines.append(
                f"  {entry['name']}: {score['metric']} {score['value']:.3f}{spread}{chance} on {score['data']}"
            )
            lines.append(f"      {score['command']}")
    return ["", "Scores, each with the command that gives it", *lines] if lines else []
