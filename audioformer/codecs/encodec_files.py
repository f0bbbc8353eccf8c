"""Published EnCodec checkpoints: where they are, their hash, and reading them as tensors and nothing else.

A checkpoint is looked for in a place the user names, then in the folder of AUDIOFORMER_WEIGHTS, then in torch's hub
cache; only then is it downloaded. Its SHA-256 is compared on every load, not only after a download, with the first
digits that its publisher put into the file name. Nothing in a file is ever executed.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib
import io
import os
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from audioformer.errors import AudioformerError

FOLDER_VARIABLE = "AUDIOFORMER_WEIGHTS"
OFFLINE_VARIABLES = ("AUDIOFORMER_OFFLINE", "HF_HUB_OFFLINE")
ROOT_URL = "https://dl.fbaipublicfiles.com/encodec/v0/"
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Release:
    """One published checkpoint.

    Attributes:
        filename: `name-XXXXXXXX.th`, XXXXXXXX being the first hex digits of the file's SHA-256.
        factory: method of `encodec.EncodecModel` that builds the network it belongs to.
    """

    filename: str
    factory: str

    @property
    def sha256_prefix(self) -> str:
        """First hex digits of the SHA-256, as its publisher wrote them into the name."""
        return Path(self.filename).stem.rsplit("-", 1)[-1]

    @property
    def url(self) -> str:
        """Where it comes from."""
        return ROOT_URL + self.filename


RELEASES = {
    "encodec_24khz": Release("encodec_24khz-d7cc33bc.th", "encodec_model_24khz"),
    "encodec_48khz": Release("encodec_48khz-7e698e3e.th", "encodec_model_48khz"),
}


def cache_folder() -> Path:
    """Torch's hub cache, where downloads go: `~/.cache/torch/hub/checkpoints`, unless TORCH_HOME says otherwise."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(release: Release, weights: str | os.PathLike | None = None) -> Path:
    """Path of a release's checkpoint on this machine, downloaded if it has to be and may be.

    Args:
        release: which checkpoint.
        weights: the file, or the folder that holds it under its published name; None looks in the folder named by
            AUDIOFORMER_WEIGHTS, then in `cache_folder()`, then downloads into the latter.

    Returns:
        Path of an existing file, its content not yet checked.

    Raises:
        AudioformerError: it is nowhere, and this machine is offline or set to be (AUDIOFORMER_OFFLINE=1,
            HF_HUB_OFFLINE=1); the message says which file to put where.
    """
    if weights is not None:
        named = Path(weights)
        path = named / release.filename if named.is_dir() else named
        if not path.is_file():
            raise AudioformerError(f"{path}: no such file; {_where_from(release, path.parent)}")
        return path
    for folder in filter(None, (os.environ.get(FOLDER_VARIABLE), cache_folder())):
        if (path := Path(folder) / release.filename).is_file():
            return path
    for variable in OFFLINE_VARIABLES:
        if os.environ.get(variable, "").lower() in {"1", "true", "yes", "on"}:
            raise AudioformerError(
                f"{release.filename}: not on this machine, and {variable} forbids downloads; "
                f"{_where_from(release, cache_folder())}"
            )
    return _download(release, cache_folder() / release.filename)


def read_weights(release: Release, path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint whose hash is right.

    The bytes that are hashed are the bytes that are read: the file is opened once.

    Args:
        release: what the file claims to be.
        path: the file.

    Returns:
        Tensors by name, on the CPU, wherever they were saved from.

    Raises:
        AudioformerError: not readable, another hash, damaged, or anything in it that is not a tensor.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise AudioformerError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(release.sha256_prefix):
        raise AudioformerError(
            f"{path}: SHA-256 starts with {digest[:8]}, expected {release.sha256_prefix}: damaged or another model; "
            f"delete it and get {release.filename} from {release.url}"
        )
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines()
        raise AudioformerError(
            f"{path}: not a checkpoint of tensors only ({reason[0][:120] if reason else type(error).__name__}); "
            f"get {release.filename} from {release.url}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise AudioformerError(f"{path}: holds more than named tensors; get {release.filename} from {release.url}")
    return state


def _where_from(release: Release, folder: Path) -> str:
    """The next step for somebody without the file."""
    return f"download {release.url} where there is internet and put it into {folder}, or name its folder as weights"


def _download(release: Release, path: Path) -> Path:
    """Fetch a checkpoint, whole and with the right hash or not at all."""
    print(f"downloading {release.url} to {path.parent}", file=sys.stderr)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(release.url, str(path), release.sha256_prefix, progress=sys.stderr.isatty())
    except (OSError, http.client.HTTPException, RuntimeError) as error:  # refused, timed out, cut off, another hash
        raise AudioformerError(
            f"{release.filename}: download failed ({error}); try again, or {_where_from(release, path.parent)}"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    return path


INSTALL = 'pip install "audioformer[encodec]"'

_lock = threading.RLock()


def import_encodec() -> ModuleType:
    """The package `encodec`, imported without a working torchaudio if need be.

    Returns:
        The module. Entries of `sys.modules` for torchaudio are what they were before, unless it really loads.

    Raises:
        AudioformerError: encodec or einops is not installed.
    """
    with _lock:
        if sys.modules.get("encodec") is not None:
            return sys.modules["encodec"]
        try:
            with torchaudio_or_stand_in():
                return importlib.import_module("encodec")
        except ImportError as error:
            raise AudioformerError(f"EnCodec needs packages that are not installed ({error}); run {INSTALL}") from error


@contextmanager
def torchaudio_or_stand_in() -> Iterator[None]:
    """Within: `import torchaudio` works, with the real one if it loads, else with an empty module."""
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torchaudio"}
    try:
        importlib.import_module("torchaudio")
        loads = True
    except Exception:  # a library that does not load raises OSError, RuntimeError, AttributeError, ImportError
        loads = False
        stand_in = ModuleType("torchaudio")
        stand_in.__spec__ = ModuleSpec("torchaudio", loader=None)
        _replace_torchaudio({"torchaudio": stand_in})
    try:
        yield
    finally:
        if not loads:
            _replace_torchaudio(before)


def _replace_torchaudio(modules: dict[str, ModuleType | None]) -> None:
    """Make `sys.modules` hold exactly these modules of torchaudio."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    sys.modules.update(modules)
