"""Which packages a bundle holds: all that audioformer and its extras need, in the versions that run here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from audioformer.errors import AudioformerError

PACKED = 0.4  # size of a wheel over that of what it installs, roughly: torch 0.33, numpy 0.35, gradio 0.4


def require_extras(extras: Sequence[str]) -> None:
    """Refuse extras that audioformer does not have.

    Raises:
        AudioformerError: one of them.
    """
    known = metadata.metadata("audioformer").get_all("Provides-Extra") or []
    if wrong := [extra for extra in extras if extra not in known]:
        raise AudioformerError(f"there is no extra {wrong[0]!r}; there are {', '.join(known)}")


def pinned(extras: Sequence[str], ours: metadata.Distribution | None = None) -> dict[str, str]:
    """Every package that audioformer needs, directly or through another, without audioformer itself.

    Args:
        extras: of audioformer.
        ours: whose requirements count; None: those of the installed audioformer. A clone's may be newer.

    Returns:
        Name in lower case with "-" to installed version, sorted by name.

    Raises:
        AudioformerError: a package that is not installed here.

    Example:
        >>> "torch" in pinned([])
        True
    """
    ours = metadata.distribution("audioformer") if ours is None else ours
    open_questions, asked, found = [("audioformer", frozenset(extras))], set(), {}
    while open_questions:
        question = name, wanted = open_questions.pop()
        if question in asked:
            continue
        asked.add(question)
        if name != "audioformer":
            found[name] = _version(name, extras)
        open_questions += needs(ours.requires if name == "audioformer" else metadata.requires(name), wanted)
    return dict(sorted(found.items()))


def needs(requirements: Sequence[str] | None, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """(name, extras) of what a package with these requirements asks for on this system."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found = []
    for requirement in map(Requirement, requirements or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ["", *extras]):
            found.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def _version(package: str, extras: Sequence[str]) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        wanted = f"audioformer[{','.join(extras)}]" if extras else "audioformer"
        why = f"{package} is not installed here, and a bundle holds what runs here"
        raise AudioformerError(f'{why}; run `pip install "{wanted}"`') from None


def require_room(folder: Path, packages: Sequence[str]) -> None:
    """Refuse to begin where the wheels of these packages will hardly fit.

    Raises:
        AudioformerError: too little is free.
    """
    needed = PACKED * sum(_installed_bytes(package) for package in packages)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AudioformerError(
            f"{folder}: {free / 1e6:.0f} MB are free, and about {needed / 1e6:.0f} MB are needed; choose another disk"
        )


def _installed_bytes(package: str) -> int:
    try:
        files = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)
