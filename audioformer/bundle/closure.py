"""Which packages a bundle holds: all that audioformer and its extras need, in the versions that run here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from audioformer.errors import AudioformerError

PACKED = 0.4  # size of a wheel over that of what it installs, roughly: torch 0.33, numpy 0.35, gradio 0.4


def pinned(extras: Sequence[str]) -> dict[str, str]:
    """Every package that audioformer needs, directly or through another, without audioformer itself.

    Args:
        extras: of audioformer.

    Returns:
        Name in lower case with "-" to installed version, sorted by name.

    Raises:
        AudioformerError: an extra that does not exist, or a package that is not installed here.

    Example:
        >>> "torch" in pinned([])
        True
    """
    known = metadata.metadata("audioformer").get_all("Provides-Extra") or []
    if wrong := [extra for extra in extras if extra not in known]:
        raise AudioformerError(f"there is no extra {wrong[0]!r}; there are {', '.join(known)}")
    open_questions, asked, found = [("audioformer", frozenset(extras))], set(), {}
    while open_questions:
        question = open_questions.pop()
        if question in asked:
            continue
        asked.add(question)
        found[question[0]] = _version(question[0], extras)
        open_questions += needs(*question)
    del found["audioformer"]
    return dict(sorted(found.items()))


def needs(package: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """(name, extras) of what an installed package asks for on this system."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found = []
    for requirement in map(Requirement, metadata.requires(package) or []):
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
        raise AudioformerError(f"{folder}: {free / 1e6:.0f} MB are free, and about {needed / 1e6:.0f} MB are needed; choose another disk")


def _installed_bytes(package: str) -> int:
    try:
        files = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)
