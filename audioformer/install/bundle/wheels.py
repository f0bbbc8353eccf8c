"""The wheels of a bundle: fetched by pip into a folder of their own, then moved into place whole."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from audioformer.errors import AudioformerError
from audioformer.files import PACKAGE

CLONE = ("audioformer", "app", "data_samples", "notebooks", "pyproject.toml", "setup.py", "README.md", "LICENSE")
LOCAL_INDEX = "https://download.pytorch.org/whl/"  # builds of torch with a local version, like 2.13.0+cpu
NOT_PACKED = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def matching(house: Path, name: str, version: str) -> list[Path]:
    """Wheels of a package in exactly this version that this Python can install."""
    return [path for path in _of(house, name) if _version_of(path) == version]


def sweep(house: Path, pins: dict[str, str]) -> None:
    """Delete what an earlier bundle left in other versions, for this Python and system, or broken."""
    for name, version in pins.items():
        for path in _of(house, name):
            if _version_of(path) != version or not zipfile.is_zipfile(path):
                path.unlink()


def _of(house: Path, name: str) -> list[Path]:
    """Wheels of a package that this Python can install."""
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

    ours, found = set(sys_tags()), []
    for path in sorted(house.glob("*.whl")):
        try:
            if (
                path.name.split("-")[0].replace("_", "-").lower() == canonicalize_name(name)
                and parse_wheel_filename(path.name)[3] & ours
            ):
                found.append(path)
        except InvalidWheelFilename:
            continue
    return found


def _version_of(path: Path) -> str:
    return path.name.split("-")[1]


def fetch(pins: dict[str, str], house: Path, partial: Path) -> None:
    """Get wheels with pip, as it is configured here; what has no wheel is built.

    Args:
        pins: package to version.
        house: where they go once they are whole.
        partial: on the same disk, for pip to write into.

    Raises:
        AudioformerError: one of them cannot be had, or the disk is full.
    """
    wanted = [f"{name}=={version}" for name, version in pins.items()]
    done = _pip("wheel", "--no-deps", "--wheel-dir", partial, *wanted, partial=partial)
    local = {version.partition("+")[2] for version in pins.values() if "+" in version}
    if done.returncode and local:
        indexes = [word for name in sorted(local) for word in ("--extra-index-url", LOCAL_INDEX + name)]
        done = _pip("wheel", "--no-deps", "--wheel-dir", partial, *indexes, *wanted, partial=partial)
    _require_success(done, house, ", ".join(wanted))
    for path in partial.glob("*.whl"):
        path.replace(house / path.name)


def _pip(*words: str | Path, partial: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "TMPDIR": str(partial), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    command = [sys.executable, "-m", "pip", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")


def _require_success(done: subprocess.CompletedProcess, inside: Path, wanted: str) -> None:
    if not done.returncode:
        return
    said = done.stdout + done.stderr
    if "No space left on device" in said or "Errno 28" in said:
        raise full(inside.parent)
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), said.strip()[-200:])
    raise AudioformerError(
        f"pip could not get {wanted}: {last.removeprefix('ERROR: ')}; see to the connection and run the same command again, "
        "it goes on from there"
    )


def full(folder: Path) -> AudioformerError:
    """What to say when nothing more fits."""
    return AudioformerError(
        f"{folder}: the disk is full; make room and run the same command again, it goes on from there"
    )


def pack_own(partial: Path) -> Path:
    """Our own wheel: built from a clone, or put together again from an installed one.

    Raises:
        AudioformerError: it cannot be built.
    """
    root = PACKAGE.parent
    return (
        _build(root, partial)
        if (root / "pyproject.toml").is_file()
        else repack(metadata.distribution("audioformer"), partial)
    )


def described(wheel: Path) -> metadata.Distribution:
    """What a wheel says about itself: name, version, requirements."""
    about = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    return metadata.PathDistribution(zipfile.Path(wheel, about.removesuffix("METADATA")))


def place_own(wheel: Path, house: Path) -> None:
    """Move our wheel into place; other versions of it go."""
    for old in house.glob("audioformer-*.whl"):
        old.unlink()
    wheel.replace(house / wheel.name)


def _build(root: Path, partial: Path) -> Path:
    """From a copy of the clone: building leaves files beside the sources, and takes old ones from there."""
    tree, out = partial / "tree", partial / "own"
    tree.mkdir()
    for name in CLONE:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            )
        elif (root / name).is_file():
            shutil.copyfile(root / name, tree / name)
    done = _pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out, tree, partial=partial)
    if done.returncode and "setuptools" in done.stderr:
        raise AudioformerError('building our wheel needs setuptools >= 77 here; run `pip install "audioformer[dev]"`')
    _require_success(done, partial, "our own wheel")
    shutil.rmtree(tree)
    return next(out.glob("audioformer-*.whl"))


def repack(distribution: metadata.Distribution, folder: Path) -> Path:
    """A wheel with the files of an installed pure-Python package; programs are made again on installation.

    Args:
        distribution: installed from a wheel.
        folder: where to write.

    Returns:
        Path of the wheel.

    Raises:
        AudioformerError: a file is gone.
    """
    about = f"audioformer-{distribution.version}.dist-info"
    path = folder / f"audioformer-{distribution.version}-py3-none-any.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in distribution.files or []:
            ours = file.parts[0] in ("audioformer", "audioformer_app", about) and file.suffix != ".pyc"
            if not ours or (file.parts[0] == about and file.name in NOT_PACKED):
                continue
            try:
                content = Path(distribution.locate_file(file)).read_bytes()
            except FileNotFoundError as error:
                raise AudioformerError(f"{file}: is gone from this installation; install audioformer again") from error
            wheel.writestr(file.as_posix(), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.writerow([file.as_posix(), f"sha256={digest}", len(content)])
        rows.writerow([f"{about}/RECORD", "", ""])
        wheel.writestr(f"{about}/RECORD", record.getvalue())
    return path
