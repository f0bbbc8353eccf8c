"""Everything for a room without internet in one folder, for a USB stick.

    wheels/      audioformer with its weights, and all that it needs, for the system and Python that made the bundle
    notebooks/   samples/   recordings/ (what `audioformer get` has fetched)   install.sh   install.bat   README.txt
    bundle-SYSTEM.json (what is in it, with sha256)

pip gets the wheels, in the versions that are installed here. Bundles of other systems in the same folder add to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from audioformer.data.recordings import SOURCES, fetched
from audioformer.errors import AudioformerError
from audioformer.files import PACKAGE, atomic_path, notebooks_folder, samples_folder

EXTRAS = ("app", "notebooks", "train")
CLONE = ("audioformer", "app", "data_samples", "notebooks", "pyproject.toml", "setup.py", "README.md", "LICENSE")
LOCAL_INDEX = "https://download.pytorch.org/whl/"  # has builds of torch with a local version, like 2.13.0+cpu
PARTIAL = ".partial-"
SKIPPED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


def make_bundle(folder: Path, extras: Sequence[str] = EXTRAS) -> Iterator[str]:
    """Fill a folder, or bring it up to date; every wheel appears whole or not at all.

    Args:
        folder: made if missing.
        extras: of audioformer, e.g. ("app",).

    Yields:
        What pip is doing.

    Raises:
        AudioformerError: an unknown extra, a package that cannot be had, the folder cannot be written, the disk is
            full.
    """
    known = metadata.metadata("audioformer").get_all("Provides-Extra") or []
    if wrong := [extra for extra in extras if extra not in known]:
        raise AudioformerError(f"there is no extra {wrong[0]!r}; there are {', '.join(known)}")
    try:
        house = folder / "wheels"
        house.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{PARTIAL}*"):  # by a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as partial:
            own = own_wheel(Path(partial))
            requirement = f"audioformer[{','.join(extras)}] @ {own.as_uri()}" if extras else str(own)
            yield from _fetch(requirement, house, Path(partial))
            names = sorted(path.name for path in (Path(partial) / "new").glob("*.whl"))
            for name in names:
                (Path(partial) / "new" / name).replace(house / name)
        _write_papers(folder, extras, names)
    except OSError as error:
        raise AudioformerError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another folder"
        ) from error


def own_wheel(partial: Path) -> Path:
    """Our own wheel: built from a clone, or put together again from an installed one.

    Raises:
        AudioformerError: it cannot be built.
    """
    root = PACKAGE.parent
    if not (root / "pyproject.toml").is_file():
        return repack(metadata.distribution("audioformer"), partial)
    tree = partial / "tree"  # a copy: building leaves files beside the sources, and takes old ones from there
    tree.mkdir()
    for name in CLONE:
        if (root / name).is_dir():
            shutil.copytree(root / name, tree / name, ignore=SKIPPED)
        elif (root / name).is_file():
            shutil.copyfile(root / name, tree / name)
    built = _pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", partial, tree, partial=partial)
    for _ in built:
        pass
    return next(partial.glob("audioformer-*.whl"))


def repack(distribution: metadata.Distribution, folder: Path) -> Path:
    """A wheel with the files of an installed pure-Python package; programs are made again on installation.

    Raises:
        AudioformerError: a file is gone.
    """
    about = f"audioformer-{distribution.version}.dist-info"
    path, record = folder / f"audioformer-{distribution.version}-py3-none-any.whl", []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in distribution.files or []:
            ours = file.parts[0] in ("audioformer", "audioformer_app", about) and file.suffix != ".pyc"
            if not ours or file.name in ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json"):
                continue
            if not file.locate().is_file():
                raise AudioformerError(f"{file}: is gone from this installation; install audioformer again")
            wheel.write(file.locate(), file.as_posix())
            digest = f"{file.hash.mode}={file.hash.value}" if file.hash else ""
            record.append(f"{file.as_posix()},{digest},{'' if file.size is None else file.size}\n")
        wheel.writestr(f"{about}/RECORD", "".join([*record, f"{about}/RECORD,,\n"]))
    return path


def _fetch(requirement: str, house: Path, partial: Path) -> Iterator[str]:
    """All wheels into partial/new, from the house where they are there already."""
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"]}
    installed.pop("audioformer", None)
    for path in house.glob("*.whl"):
        if not zipfile.is_zipfile(path):
            path.unlink()
    pins = partial / "constraints.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()), encoding="utf-8")
    local = {version.partition("+")[2] for version in installed.values() if "+" in version}
    indexes = [word for name in sorted(local) for word in ("--extra-index-url", LOCAL_INDEX + name)]
    words = ("wheel", "-c", pins, "--find-links", house, "-w", partial / "new", requirement)
    try:
        yield from _pip(*words, partial=partial)
    except AudioformerError:
        if not indexes:
            raise
        yield from _pip(*words, *indexes, partial=partial)


def _pip(*words: str | Path, partial: Path) -> Iterator[str]:
    """Run pip as it is configured here, line by line."""
    environment = {**os.environ, "TMPDIR": str(partial), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    command, lines = [sys.executable, "-m", "pip", *map(str, words)], []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout:
            lines.append(line.strip())
            yield line.strip()
    if not pip.returncode:
        return
    if any("No space left on device" in line for line in lines):
        raise AudioformerError("the disk is full; make room and run the same command again")
    first = next((i for i, line in enumerate(lines) if line.startswith("ERROR")), -3)
    reason = " ".join(filter(None, lines[first : first + 6 or None])).removeprefix("ERROR: ")
    raise AudioformerError(
        f"pip could not get the packages: {reason[:400]}; check the connection and run the same command "
        "again: what pip has downloaded already stays in its cache"
    )


def _write_papers(folder: Path, extras: Sequence[str], names: Sequence[str]) -> None:
    """Notebooks, samples, the list of contents, README and install scripts; wheels of older bundles go."""
    copied = [(samples_folder(), "samples"), (notebooks_folder(), "notebooks")]
    copied += [(fetched(name), f"recordings/{name}") for name in SOURCES if fetched(name)]  # `audioformer get`
    for source, name in copied:
        shutil.copytree(source, folder / name, ignore=SKIPPED, dirs_exist_ok=True)
    listed, python = folder / f"bundle-{system_name()}.json", ".".join(platform.python_version_tuple()[:2])
    before = _files(listed)
    wheels = []
    for path in (folder / "wheels" / name for name in names):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        wheels.append({"file": path.name, "bytes": path.stat().st_size, "sha256": digest.hexdigest()})
    about = {"audioformer": metadata.version("audioformer"), "system": f"{platform.system()} {platform.machine()}"}
    about |= {"python": python, "extras": list(extras), "wheels": wheels}
    _write(listed, json.dumps(about, indent=2))
    bundles = sorted(folder.glob("bundle-*.json"))
    for name in before - set().union(*map(_files, bundles)):
        (folder / "wheels" / name).unlink(missing_ok=True)
    listings = [json.loads(path.read_text(encoding="utf-8")) for path in bundles]
    words = {
        "VERSION": about["audioformer"],
        "EXTRAS": ",".join(extras),
        "PYTHONS": " ".join(sorted({one["python"] for one in listings})),
        "SYSTEMS": "; ".join(f"{one['system']} with Python {one['python']}" for one in listings),
    }
    for path in sorted((Path(__file__).parent / "files").iterdir()):
        text = re.sub("@([A-Z]+)@", lambda match: words[match[1]], path.read_text(encoding="utf-8"))
        windows = path.suffix in (".bat", ".txt")
        _write(folder / path.name, text.replace("\n", "\r\n") if windows else text)


def _files(listed: Path) -> set[str]:
    """Wheels that a list of contents names."""
    return {w["file"] for w in json.loads(listed.read_text(encoding="utf-8"))["wheels"]} if listed.is_file() else set()


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())


def system_name() -> str:
    """Operating system, processor and Python, as in `linux-x86_64-py3.11`."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.system()}-{platform.machine()}-py{version}".lower()
