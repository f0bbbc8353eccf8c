"""What goes beside the wheels: notebooks, samples, README, install scripts, and a list of contents with checksums."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from audioformer.files import notebooks_folder, samples_folder
from audioformer.install.bundle import wheels

FILES = Path(__file__).parent / "files"
SKIPPED = ("__pycache__", ".ipynb_checkpoints")


def write(folder: Path, partial: Path, extras: Sequence[str], pins: dict[str, str]) -> None:
    """Write all of it; each file is written apart and then moved into place.

    Args:
        folder: the bundle.
        partial: on the same disk.
        extras: that its wheels serve.
        pins: package to version.
    """
    for source, name in ((samples_folder(), "samples"), (notebooks_folder(), "notebooks")):
        for path in sorted(source.rglob("*")):
            if path.is_file() and not set(path.parts) & set(SKIPPED):
                _place(path.read_bytes(), folder / name / path.relative_to(source), partial)
    contents = json.dumps(describe(folder, extras, pins), indent=2).encode()
    _place(contents, folder / f"bundle-{system_name()}.json", partial)
    made = [json.loads(path.read_text()) for path in sorted(folder.glob("bundle-*.json"))]
    words = {
        "@VERSION@": metadata.version("audioformer"),
        "@EXTRAS@": ",".join(extras),
        "@PYTHONS@": " ".join(sorted({one["python"] for one in made})),
        "@SYSTEMS@": "; ".join(f"{one['system']} with Python {one['python']}" for one in made),
    }
    for path in sorted(FILES.iterdir()):
        text = path.read_text(encoding="utf-8")
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        if path.suffix in (".bat", ".txt"):  # read on Windows too
            text = text.replace("\n", "\r\n")
        _place(text.encode(), folder / path.name, partial)


def system_name() -> str:
    """Operating system, processor and Python, as in `linux-x86_64-py3.11`."""
    return f"{platform.system()}-{platform.machine()}-py{python_version()}".lower()


def python_version() -> str:
    """Version that the wheels are for: "3.11"."""
    return ".".join(platform.python_version_tuple()[:2])


def describe(folder: Path, extras: Sequence[str], pins: dict[str, str]) -> dict:
    """What this system's part of the bundle holds."""
    own = sorted((folder / "wheels").glob("audioformer-*.whl"))
    found = own + [path for name in pins for path in wheels.matching(folder / "wheels", name, pins[name])]
    return {
        "audioformer": metadata.version("audioformer"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": python_version(),
        "extras": list(extras),
        "wheels": [{"file": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)} for path in found],
    }


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _place(content: bytes, target: Path, partial: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = partial / "file"
    written.write_bytes(content)
    written.replace(target)
