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

PACKAGES = "torch numpy scipy soundfile soxr safetensors accelerate datasets gradio plotly encodec".split()


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

    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    threads = {"cores": os.cpu_count(), "threads": torch.get_num_threads()}
    return {"training": "cuda" if cuda else "cpu", "cuda": cuda, **threads}


def _folders(kind: str) -> list[tuple[dict, dict]]:
    """What is said of a bundled folder itself, and its config.json: those that load by name, but damaged ones."""
    from audioformer.files import assets_folder, bundled_names

    entries = []
    for name in bundled_names(kind):
        folder = assets_folder() / kind / name
        try:
            about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            scores = about.get("scores", [])
        except (OSError, ValueError, AttributeError):
            continue
        n_bytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        entries.append(({"name": name, "megabytes": round(n_bytes / 1e6, 2), "scores": scores}, about))
    return entries


def _codecs() -> list[dict]:
    from audioformer.codecs.compact import CompactCodec, CompactConfig

    entries = []
    for entry, about in _folders("codecs"):
        sizes = CompactConfig(**about["config"])
        frame_rate, bits = sizes.sample_rate / sizes.hop_length, (sizes.codebook_size - 1).bit_length()
        entry |= {name: getattr(sizes, name) for name in ("sample_rate", "n_codebooks", "codebook_size")}
        entry |= {"frame_rate": frame_rate, "bandwidth_kbps": sizes.n_codebooks * bits * frame_rate / 1000}
        entry |= {"available": True, "fingerprint": about.get("fingerprint"), "licence": CompactCodec.licence}
        entries.append(entry)
    return entries


def _encodecs() -> list[dict]:
    """EnCodec, and whether its package and weights are here; nothing is downloaded."""
    from audioformer.codecs.encodec import LICENCE
    from audioformer.codecs.encodec_files import FOLDER_VARIABLE, RELEASES, cache_folder

    installed = importlib.util.find_spec("encodec") is not None
    folders = [Path(folder) for folder in (os.environ.get(FOLDER_VARIABLE), cache_folder()) if folder]
    common = {"licence": LICENCE, "scores": [], "package_installed": installed}
    return [
        {
            "name": name,
            **common,
            "available": installed and any((folder / release.filename).is_file() for folder in folders),
        }
        for name, release in RELEASES.items()
    ]


def _checkpoints() -> list[dict]:
    entries = []
    for entry, about in _folders("checkpoints"):
        entry |= {name: about.get(name) for name in ("kind", "title", "steps", "validation")}
        entry |= {name: about.get("model", {}).get(name) for name in ("rows", "n_codebooks")}
        entry |= {"label_names": about.get("label_names", []), "codec": about.get("codec", {}).get("name")}
        entries.append(entry)
    return entries


def _text(document: dict) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in document["packages"].items() if version)
    device = document["device"]
    card = f"graphics card {device['cuda']}" if device["cuda"] else "no graphics card"
    lines = [
        f"audioformer {document['audioformer']}, Python {document['python']}, {document['platform']}",
        packages,
        f"{device['cores']} cores, {card}",
    ]
    for title, kind, row in (("Codecs", "codecs", _codec_row), ("Checkpoints", "checkpoints", _checkpoint_row)):
        lines += ["", title, table([row(entry) for entry in document[kind]], "  ") or "  none"]
        lines += _score_lines(document[kind])
    return "\n".join(lines)


def _codec_row(codec: dict) -> list[str]:
    if "frame_rate" not in codec:
        here = "ready" if codec["available"] else "weights or package not on this machine"
        return [codec["name"], here, codec["licence"]]
    sizes = f"{codec['n_codebooks']} codebooks of {codec['codebook_size']}, {codec['frame_rate']:g} frames/s"
    return [codec["name"], f"{sizes}, {codec['bandwidth_kbps']:g} kbit/s, {codec['megabytes']:g} MB", codec["licence"]]


def _checkpoint_row(entry: dict) -> list[str]:
    labels = f"{len(entry['label_names'])} classes" if entry["label_names"] else str(entry["kind"])
    return [entry["name"], labels, f"codec {entry['codec']}", f"{entry['megabytes']:g} MB", entry["title"] or ""]


def _score_lines(entries: list[dict]) -> list[str]:
    """A line for each measured score, and under it the command that gives it."""
    lines = []
    for entry in entries:
        for score in entry["scores"]:
            chance = f" (chance {score['chance']:.3f})" if isinstance(score.get("chance"), int | float) else ""
            spread = f", {score['spread']}" if score.get("spread") not in (None, "") else ""
            value = f"{score['metric']} {score['value']:.3f}{spread}{chance}"
            lines += [f"  {entry['name']}: {value} on {score['data']}", f"      {score['command']}"]
    return ["", "Scores, each with the command that gives it", *lines] if lines else []
