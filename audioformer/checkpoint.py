"""Checkpoint folders: `config.json`, `model.safetensors` and a model card, written whole or not at all.

No pickle is read: weights are safetensors, everything else JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from torch import Tensor, nn

from audioformer import files
from audioformer.config import Config
from audioformer.errors import AudioformerError
from audioformer.files import open_tensors, read_json, write_tensors, writing

FORMAT = 1
HUB_FILES = ["config.json", "model.safetensors", "README.md"]


def versions() -> dict[str, str]:
    """Versions of what decides the numbers, for config.json."""
    found = {}
    for package in ("audioformer", "torch", "numpy", "soundfile", "soxr"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def bundled_names() -> list[str]:
    """Names of the checkpoints that ship with the package, sorted."""
    return files.bundled_names("checkpoints")


def find_checkpoint(name: str | os.PathLike) -> Path:
    """Folder of a checkpoint: a bundled name, else a path that exists, else a Hugging Face Hub id ("user/model").

    Raises:
        AudioformerError: none of these, or the hub cannot be reached.
    """
    if folder := files.bundled_or_folder(name, "checkpoints"):
        return folder
    if str(name).count("/") == 1 and not str(name).startswith((".", "/", "~")) and "\\" not in str(name):
        return _from_hub(str(name))
    raise AudioformerError(
        f"checkpoint {str(name)!r} is neither a folder nor bundled; "
        f"use one of {', '.join(bundled_names()) or '(none bundled)'}, "
        "a folder of `audioformer finetune`, or a Hugging Face Hub id like user/model"
    )


def _from_hub(repo_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise AudioformerError(
            f'{repo_id}: is not a folder, and the hub needs `pip install "audioformer[train]"`'
        ) from error
    try:
        offline = os.environ.get("AUDIOFORMER_OFFLINE", "") not in ("", "0")
        return Path(snapshot_download(repo_id, allow_patterns=HUB_FILES, local_files_only=offline))
    except Exception as error:  # the hub client raises many kinds: offline, no such model, private
        raise AudioformerError(
            f"{repo_id}: no such folder, and the Hugging Face Hub has no such model or cannot be reached "
            f"({type(error).__name__})"
        ) from error


def save_checkpoint(folder: str | os.PathLike, state: dict[str, Tensor], about: dict, card: str) -> None:
    """Write a checkpoint; an old one in the same folder stays whole until the new one is.

    The weights file carries config and card too and goes first: renaming it is the one moment in which the new
    checkpoint takes the old one's place. A kill before config.json follows is seen by `load_checkpoint` (their
    "weights" differ), which then reads what the weights carry.

    Args:
        folder: made if missing.
        state: name to tensor; floats are stored in 16 bits.
        about: everything else, JSON-ready; format and versions are added.
        card: Markdown for README.md.

    Raises:
        AudioformerError: the folder cannot be written, e.g. because the disk is full.
    """
    folder = Path(folder)
    small = {k: (v.half() if v.is_floating_point() else v).cpu() for k, v in state.items()}
    about = {"format": FORMAT, **about, "weights": weights_hash(small), "versions": versions()}
    untimed = {name: value for name, value in about.items() if name != "seconds"}  # equal runs, equal files
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-", ignore_cleanup_errors=True) as staging:
            (Path(staging) / "config.json").write_text(json.dumps(about, indent=2) + "\n")
            (Path(staging) / "README.md").write_text(card, encoding="utf-8")
            write_tensors(Path(staging) / "model.safetensors", small, {"config": json.dumps(untimed)})
            for name in ("model.safetensors", "config.json", "README.md"):
                os.chmod(Path(staging) / name, 0o644)
                os.replace(Path(staging) / name, folder / name)


def load_checkpoint(name: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """Read a checkpoint.

    Args:
        name: folder, bundled name, or hub id.

    Returns:
        (state, about): float32 tensors by name, all finite, and config.json.

    Raises:
        AudioformerError: missing, damaged, of another kind, or larger than any model of the kit.
    """
    folder = find_checkpoint(name)
    for file in ("config.json", "model.safetensors"):
        if not (folder / file).is_file():
            raise AudioformerError(
                f"{folder}: has no {file}, so it is not a checkpoint; give a folder of `audioformer finetune` or "
                "`pretrain`"
            )
    try:
        about = read_json(folder / "config.json")
        with open_tensors(folder / "model.safetensors") as file:
            state, carried = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
        if "weights" in about and "config" in carried:
            newer = json.loads(carried["config"])
            about = about if newer["weights"] == about["weights"] else newer  # killed between the two files
        problem = _problem(about, state)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    if problem:
        raise AudioformerError(f"{folder}: damaged checkpoint ({problem}); copy or train it again")
    return {k: v.float() for k, v in state.items()}, about


def _problem(about: dict, state: dict[str, Tensor]) -> str | None:
    """What of a checkpoint cannot be, in words; None if nothing."""
    if about.get("kind") not in ("classifier", "pretrained"):
        return f"config.json is of kind {about.get('kind')!r:.40}, not classifier or pretrained"
    if not isinstance(about.get("format"), int):
        return f"config.json: format is {about.get('format')!r:.40}, not a whole number"
    if about["format"] > FORMAT:
        return f"format {about['format']} is newer than this audioformer reads ({FORMAT}); upgrade it"
    for name in ("model", "codec"):
        if not isinstance(about.get(name), dict):
            return f"config.json: {name} is {about.get(name)!r:.40}, not an object"
    if not all(isinstance(about["codec"].get(name), str) for name in ("name", "fingerprint")):
        return "config.json: codec has no name and fingerprint"
    for name, value in state.items():
        if not value.is_floating_point():
            return f"weights {name!r:.60} are {value.dtype}, not numbers with a fraction"
        if not value.isfinite().all():
            return f"weights {name!r:.60} are not all finite"
    return None


def open_model(
    config: Config, make: Callable[[], nn.Module], state: dict[str, Tensor], name: str | os.PathLike
) -> nn.Module:
    """Build a model and give it its weights; sizes that the weights cannot fill are refused before they cost memory.

    Args:
        config: shape of the model.
        make: builds it.
        state: its weights by name.
        name: of the checkpoint, for the message.

    Returns:
        The model in evaluation mode.

    Raises:
        AudioformerError: sizes in config.json and weights do not fit together.
    """
    n_there = sum(value.numel() for value in state.values())
    reason = f"config.json describes {config.n_weights} numbers or more, and there are {n_there}"
    if config.n_weights <= n_there:
        try:
            model = make()
            model.load_state_dict(state)
            return model.eval()
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
    raise AudioformerError(f"{name}: weights do not fit config.json ({reason}); copy or train it again")


def weights_hash(state: dict[str, Tensor]) -> str:
    """16 hex digits of the SHA-256 of all weights in 16 bits: says which model a run began with.

    Example:
        >>> import torch
        >>> weights_hash({"a": torch.zeros(2)}) == weights_hash({"a": torch.zeros(2)})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu()
        digest.update(
            name.encode() + (value.half() if value.is_floating_point() else value).contiguous().numpy().tobytes()
        )
    return digest.hexdigest()[:16]
