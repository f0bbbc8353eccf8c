"""Where the folders that come with audioformer are: in a clone beside the package, in an installed wheel inside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = Path(__file__).resolve().parent


def samples_folder() -> Path:
    """Folder of the bundled sound clips.

    Raises:
        AudioformerError: this installation came without them.

    Example:
        >>> sorted(samples_folder().rglob("*.ogg"))[0].suffix
        '.ogg'
    """
    return _folder("data_samples")


def notebooks_folder() -> Path:
    """Folder of the notebooks.

    Raises:
        AudioformerError: this installation came without them.
    """
    return _folder("notebooks")


def user_folder() -> Path:
    """Where this user's own things are: AUDIOFORMER_HOME, else `.audioformer` in the home folder; may be missing."""
    own = os.environ.get("AUDIOFORMER_HOME")
    return Path(own) if own else Path.home() / ".audioformer"


def assets_folder() -> Path:
    """Folder of the bundled weights: `codecs/NAME` and `checkpoints/NAME`. It may be missing in a half-made clone."""
    return PACKAGE / "assets"


def bundled_names(kind: str) -> list[str]:
    """Names of the bundled "codecs" or "checkpoints", sorted: folders of the assets that hold a `config.json`."""
    return sorted(path.parent.name for path in (assets_folder() / kind).glob("*/config.json"))


def bundled_or_folder(name: str | os.PathLike, kind: str) -> Path | None:
    """Where a codec or checkpoint is.

    A bundled name is the bundled one even where the present directory holds a folder of that name; "./NAME", or a
    `Path`, means the folder.

    Args:
        name: bundled name or path of a folder.
        kind: "codecs" or "checkpoints".

    Returns:
        An existing folder, or None.
    """
    bundled = assets_folder() / kind / name if str(name) in bundled_names(kind) else None
    if bundled is not None and isinstance(name, str):
        return bundled
    return Path(name) if Path(name).is_dir() else bundled


def _folder(name: str) -> Path:
    for parent in (PACKAGE, PACKAGE.parent):  # wheel, clone
        if (parent / name).is_dir():
            return parent / name
    raise AudioformerError(f"{name}: not in {PACKAGE} nor beside it; install audioformer again or clone the repository")


@contextmanager
def writing(path: str | os.PathLike, *errors: type[Exception]) -> Iterator[None]:
    """Turn what the disk, or a library that writes to it, refuses into an AudioformerError that says what to do.

    Args:
        path: of the file or folder, for the message.
        *errors: kinds of error of a library, beside OSError.
    """
    try:
        yield
    except (OSError, *errors) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise AudioformerError(f"{path}: cannot be written ({reason}); free space or choose another folder") from error


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary neighbour, then rename: a reader sees the old file or the whole new one, never half.

    Args:
        path: final name; its folder is made if missing.

    Yields:
        Path to write to (same ending as `path`).

    Raises:
        AudioformerError: the folder cannot be made or written (full disk, no permission).
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
        os.close(handle)
        try:
            os.chmod(name, 0o644)
            yield Path(name)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def held(folder: str | os.PathLike, part: str = "", wait_s: float = 0.0) -> Iterator[None]:
    """Keep other processes from working in a folder; the operating system frees it when this process ends.

    Args:
        folder: exists; `.lock` in it says which process holds it.
        part: of the work in the folder, where several processes share it.
        wait_s: for another process to end, seconds.

    Raises:
        AudioformerError: another process holds it.
    """
    from filelock import FileLock, Timeout

    path, note = Path(folder) / f".lock{part}", Path(folder) / f".holder{part}"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        who = note.read_text(encoding="utf-8").strip() if note.is_file() else "another process"
        raise AudioformerError(f"{folder}: {who} works here; wait until it ends, or choose another folder") from None
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            note.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def sweep(folder: str | os.PathLike) -> None:
    """Delete what a process that was killed had not finished writing in a folder that nobody else writes to."""
    for left in Path(folder).glob(".writing-*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def append_lines(path: str | os.PathLike, lines: list[str]) -> None:
    """Add lines to the end of a text file.

    Raises:
        AudioformerError: it cannot be written (full disk, no permission).
    """
    with writing(path), open(path, "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def writable_folder(folder: str | os.PathLike) -> Path:
    """Make a folder and see that files can be written there, before an hour of work depends on it.

    Raises:
        AudioformerError: it cannot be made or written.
    """
    folder = Path(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder


def write_tensors(path: str | os.PathLike, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all.

    Args:
        path: its folder is made if missing.
        tensors: by name.
        metadata: strings kept beside them.

    Raises:
        AudioformerError: the folder cannot be written, e.g. because the disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_path(path) as temporary, writing(path, SafetensorError):
        save_file({name: value.contiguous() for name, value in tensors.items()}, str(temporary), metadata=metadata)


MAX_JSON_BYTES, MAX_HEADER_BYTES = 1 << 24, 1 << 22


def read_json(path: str | os.PathLike) -> dict:
    """Read a JSON file that describes a codec or checkpoint.

    Raises:
        ValueError: larger than 16 MB, not JSON, nested too deep, or not an object.
        OSError: it cannot be read.
    """
    if os.path.getsize(path) > MAX_JSON_BYTES:
        raise ValueError(f"{Path(path).name} is larger than {MAX_JSON_BYTES >> 20} MB")
    try:
        about = json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{Path(path).name} is nested too deep") from error
    if not isinstance(about, dict):
        raise ValueError(f"{Path(path).name} holds a {type(about).__name__} instead of named entries")
    return about


@contextmanager
def open_tensors(path: str | os.PathLike) -> Iterator:
    """Safetensors' reader of a file, opened only if its header is of a plausible size: a header of empty tensors grows.

    Yields:
        `safetensors.safe_open`: shapes through `get_slice(name)` before anything is read, `get_tensor(name)`.

    Raises:
        ValueError: a header of more than 4 MB (some 40,000 tensors), or a damaged file.
        OSError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
    if n_bytes > MAX_HEADER_BYTES:
        raise ValueError(f"its header claims {n_bytes} bytes; at most {MAX_HEADER_BYTES} are read")
    try:
        with safe_open(str(path), framework="pt") as tensors:
            yield tensors
    except SafetensorError as error:
        raise ValueError(str(error)) from error
