"""Checkpoint folders: `config.json`, `model.safetensors` and a model card, written whole or not at all.

No pickle is read: weights are safetensors, everything else JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from torch import Tensor

from audioformer import files
from audioformer.errors import AudioformerError
from audioformer.files import write_tensors

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
        f"checkpoint {str(name)!r} is neither a folder nor bundled; use one of {', '.join(bundled_names()) or '(none bundled)'}, "
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
            f"{repo_id}: no such folder, and the Hugging Face Hub gave nothing ({type(error).__name__})"
        ) from error


def push_to_hub(folder: str | os.PathLike, repo_id: str, private: bool = True, api=None) -> str:
    """Publish a checkpoint on the Hugging Face Hub; `load_checkpoint(repo_id)` and `audioformer.load(repo_id)` then read it.

    Args:
        folder: whole checkpoint; only its config, weights and card are sent, never a training state.
        repo_id: "user/model"; made if missing.
        private: whether a new repository is closed to others.
        api: a `huggingface_hub.HfApi`, for another server or token; None uses the one you are logged in to.

    Returns:
        Commit on the hub.

    Raises:
        AudioformerError: no checkpoint, huggingface_hub is missing, or the hub refuses.
    """
    folder = Path(folder)
    load_checkpoint(folder)  # a damaged one is not sent
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise AudioformerError(f'{repo_id}: the hub needs `pip install "audioformer[train]"`') from error
    api = api or HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id, folder_path=str(folder), allow_patterns=HUB_FILES, commit_message="AudioFormer checkpoint"
        )
    except Exception as error:  # the hub client raises many kinds: offline, not logged in, no such user
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise AudioformerError(
            f"{repo_id}: the Hugging Face Hub refused ({reason}); log in with `hf auth login`"
        ) from error
    return str(getattr(done, "oid", done))


def save_checkpoint(folder: str | os.PathLike, state: dict[str, Tensor], config: dict, card: str) -> None:
    """Write a checkpoint; an old one in the same folder stays whole until the new one is.

    The weights file carries config and card too and goes first: renaming it is the one moment in which the new
    checkpoint takes the old one's place. A kill before config.json follows is seen by `load_checkpoint` (their "weights"
    differ), which then reads what the weights carry.

    Args:
        folder: made if missing.
        state: name to tensor; floats are stored in 16 bits.
        config: everything else, JSON-ready; format and versions are added.
        card: Markdown for README.md.

    Raises:
        AudioformerError: the folder cannot be written, e.g. because the disk is full.
    """
    folder = Path(folder)
    small = {k: (v.half() if v.is_floating_point() else v).cpu() for k, v in state.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
    except OSError as error:
        raise AudioformerError(
            f"{folder}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    try:
        about = {"format": FORMAT, **config, "weights": weights_hash(small), "versions": versions()}
        text = json.dumps(about, indent=2) + "\n"
        (staging / "config.json").write_text(text)
        (staging / "README.md").write_text(card, encoding="utf-8")
        untimed = json.dumps(
            {name: value for name, value in about.items() if name != "seconds"}
        )  # equal runs, equal files
        write_tensors(staging / "model.safetensors", small, {"config": untimed})
        for name in ("model.safetensors", "config.json", "README.md"):
            os.chmod(staging / name, 0o644)
            os.replace(staging / name, folder / name)
    except OSError as error:
        raise AudioformerError(
            f"{folder}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def load_checkpoint(name: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """Read a checkpoint.

    Args:
        name: folder, bundled name, or hub id.

    Returns:
        (state, config): float32 tensors by name, and config.json.

    Raises:
        AudioformerError: missing, damaged or of another kind.
    """
    from safetensors import SafetensorError

    folder = find_checkpoint(name)
    for file in ("config.json", "model.safetensors"):
        if not (folder / file).is_file():
            raise AudioformerError(
                f"{folder}: has no {file}, so it is no checkpoint; give a folder of `audioformer finetune` or `pretrain`"
            )
    try:
        config = json.loads((folder / "config.json").read_text())
        state, carried = _read_weights(folder / "model.safetensors")
        if isinstance(config, dict) and "weights" in config and "config" in carried:
            newer = json.loads(carried["config"])
            config = config if newer["weights"] == config["weights"] else newer  # killed between the two files
    except (OSError, ValueError, SafetensorError) as error:
        raise AudioformerError(
            f"{folder}: damaged checkpoint ({str(error).splitlines()[0]}); copy or train it again"
        ) from error
    if not isinstance(config, dict) or config.get("kind") not in {"classifier", "pretrained"}:
        kind = config.get("kind") if isinstance(config, dict) else None
        raise AudioformerError(
            f"{folder}: config.json is of kind {kind!r}; expected a classifier or pretrained model of audioformer"
        )
    if config.get("format", 0) > FORMAT:
        raise AudioformerError(
            f"{folder}: format {config['format']} is newer than this audioformer reads ({FORMAT}); upgrade it"
        )
    return {k: (v.float() if v.is_floating_point() else v) for k, v in state.items()}, config


def _read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(tensors by name, what the file says beside them)."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def weights_hash(state: dict[str, Tensor]) -> str:
    """16 hex digits of the SHA-256 of all weights in 16 bits: says which model a run began with.

    Example:
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
