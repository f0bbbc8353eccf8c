"""Real recordings, fetched once from where their authors publish them: ESC-10, ESC-50 and the Free Spoken Digits.

    for done, n in get("esc10"): ...       # file by file; a second call continues where the first one stopped
    fetched("esc10")                       # its folder, or None

Every file is held against the checksum that git keeps of it (SHA-1 over a header and the content), as the repository's
own list of files gives it. What was fetched lies in one folder of the user, where `open_dataset`, the app, the
notebooks and `audioformer bundle` look for it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, held, sweep, user_folder, writable_folder

LISTS, FILES = "https://api.github.com/repos", "https://raw.githubusercontent.com"
PAPERS = ("README.md", "LICENSE")  # attribution of every clip; kept beside the sounds
RECORD = "fetched.json"  # written last: a folder that has it is whole
AT_ONCE, TRIES, TIMEOUT_S, LONGEST_WAIT_S = 4, 4, 30, 60
MAX_FILE_BYTES, MAX_LIST_BYTES = 20 << 20, 40 << 20


@dataclass(frozen=True)
class Source:
    """A data set on the web.

    Attributes:
        about: what it is, in a few words.
        repository: "owner/name" on GitHub, branch master.
        folders: of the repository, whose files are wanted.
        dataset: name of its reader, as `open_dataset` takes it.
        licence: what one may do with it.
        credit: whom to name.
        size_mb: about how much is fetched.
        esc10: only the clips that meta/esc50.csv marks as ESC-10's.
    """

    about: str
    repository: str
    folders: tuple[str, ...]
    dataset: str
    licence: str
    credit: str
    size_mb: int
    esc10: bool = False


PICZAK = (
    "K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015; clips from freesound.org"
)
SOURCES = {
    "esc10": Source(
        "400 clips of 10 environmental sounds, 5 s each, in 5 folds",
        "karolpiczak/ESC-50",
        ("audio", "meta"),
        "esc50",
        "CC BY 3.0 (the ESC-10 part): free to use and change, with attribution",
        PICZAK,
        180,
        esc10=True,
    ),
    "esc50": Source(
        "2,000 clips of 50 environmental sounds, 5 s each, in 5 folds",
        "karolpiczak/ESC-50",
        ("audio", "meta"),
        "esc50",
        "CC BY-NC 3.0: with attribution, not for commercial use",
        PICZAK,
        880,
    ),
    "fsdd": Source(
        "3,000 spoken digits of 6 speakers, 8 kHz",
        "Jakobovski/free-spoken-digit-dataset",
        ("recordings",),
        "fsdd",
        "CC BY-SA 4.0: with attribution, and what is made of it under the same licence",
        "Z. Jackson and others, Free Spoken Digit Dataset",
        18,
    ),
}


def recordings_folder() -> Path:
    """Where fetched data sets are: AUDIOFORMER_RECORDINGS, else `recordings` in the user's folder of audioformer."""
    own = os.environ.get("AUDIOFORMER_RECORDINGS")
    return Path(own) if own else user_folder() / "recordings"


def fetched(name: str) -> Path | None:
    """Folder of a data set that was fetched whole, or None.

    Example:
        >>> fetched("nothing") is None
        True
    """
    folder = recordings_folder() / name
    return folder if name in SOURCES and (folder / RECORD).is_file() else None


def folder_of(root: str | os.PathLike) -> str | os.PathLike:
    """A folder as it is, or what the name of a fetched data set stands for where there is no such folder."""
    known = fetched(root) if isinstance(root, str) and not Path(root).exists() else None
    if known is None and isinstance(root, str) and root in SOURCES and not Path(root).exists():
        raise AudioformerError(f"{root}: no such folder; `audioformer get {root}` fetches {SOURCES[root].about}")
    return known or root


def get(name: str, base: str | None = None) -> Iterator[tuple[int, int]]:
    """Fetch a data set, or what is missing of it.

    Args:
        name: of SOURCES.
        base: address of a mirror with the same paths (LIST: `base/owner/name/git/trees/...`, files:
            `base/owner/name/master/...`); None: GitHub.

    Yields:
        (files there, files in all).

    Raises:
        AudioformerError: no such data set, no network, a file that is not what the list says, a folder that cannot be
            written. Files that came whole stay, so the same call continues.
    """
    if name not in SOURCES:
        raise AudioformerError(f"{name!r} cannot be fetched; there are {', '.join(SOURCES)}")
    source, folder = SOURCES[name], writable_folder(recordings_folder() / name)
    with held(folder):
        sweep(folder)
        listed = _listed(source, base)
        wanted = {path: digest for path, digest in listed["files"].items() if _wanted(source, path)}
        if source.esc10:
            table = _table_of_esc10(source, base, listed["files"]["meta/esc50.csv"], folder)
            wanted = {path: digest for path, digest in wanted.items() if path.removeprefix("audio/") in table}
        missing = [path for path in wanted if not _is_there(folder / path, wanted[path])]
        there = len(wanted) - len(missing)
        yield there, len(wanted)

        def fetch(path: str) -> None:
            content = _checked(_read(_address(source, path, base), MAX_FILE_BYTES), wanted[path], path)
            with atomic_path(folder / path) as temporary:
                temporary.write_bytes(content)

        with closing(_each(fetch, missing)) as done:
            for _ in done:
                there += 1
                yield there, len(wanted)
        about = {"name": name, "repository": source.repository, "tree": listed["tree"], "n_files": len(wanted)}
        about |= {"licence": source.licence, "credit": source.credit, "date": time.strftime("%Y-%m-%d")}
        with atomic_path(folder / RECORD) as temporary:
            temporary.write_text(json.dumps(about, indent=1), encoding="utf-8")


def _each(work, items: list) -> Iterator[None]:
    """Some at once; after the first failure nothing new is begun."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(work, item) for item in items]
        try:
            for one in running:
                yield one.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _wanted(source: Source, path: str) -> bool:
    in_folder = path.rpartition("/")[0] in source.folders and path.endswith((".wav", ".csv"))
    return in_folder and ".." not in path or path in PAPERS


def _listed(source: Source, base: str | None) -> dict:
    """The repository's files: {"tree": its identity, "files": {path: checksum}}."""
    address = f"{base or LISTS}/{source.repository}/git/trees/master?recursive=1"
    content = _read(address, MAX_LIST_BYTES)
    try:
        tree = json.loads(content)
        files = {one["path"]: one["sha"] for one in tree["tree"] if one["type"] == "blob"}
        listed = {"tree": tree["sha"], "files": files}
    except (ValueError, KeyError, TypeError) as error:
        raise AudioformerError(f"{address}: is not a list of files; try again later") from error
    if not any(_wanted(source, path) and path not in PAPERS for path in files):
        raise AudioformerError(f"{address}: lists none of the files of {', '.join(source.folders)}; try again later")
    return listed


def _table_of_esc10(source: Source, base: str | None, digest: str, folder: Path) -> set[str]:
    """Write meta/esc50.csv with ESC-10's lines alone; returns their file names."""
    path = "meta/esc50.csv"
    content = _checked(_read(_address(source, path, base), MAX_FILE_BYTES), digest, path).decode("utf-8")
    lines = csv.DictReader(io.StringIO(content))
    rows = [row for row in lines if row.get("esc10") == "True"]
    if not rows:
        raise AudioformerError(f"{path} of {source.repository}: marks no clip as ESC-10's; try again later")
    with atomic_path(folder / path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines.fieldnames)
        writer.writeheader()
        writer.writerows(rows)
    return {row["filename"] for row in rows} | set(PAPERS)


def _address(source: Source, path: str, base: str | None) -> str:
    return f"{base or FILES}/{source.repository}/master/{quote(path)}"


def git_checksum(content: bytes) -> str:
    """What git calls a file: SHA-1 of "blob LENGTH", a zero byte and the content.

    Example:
        >>> git_checksum(b"")
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _is_there(path: Path, digest: str) -> bool:
    return path.is_file() and git_checksum(path.read_bytes()) == digest


def _checked(content: bytes, digest: str, path: str) -> bytes:
    if git_checksum(content) != digest:
        raise AudioformerError(
            f"{path}: what came is not the file that the list names (checksum); run the same command again: "
            "whole files "
            "stay"
        )
    return content


def _read(address: str, most: int) -> bytes:
    """What an address gives; waits and tries again where a server asks for patience or a line breaks.

    Raises:
        AudioformerError: it cannot be had.
    """
    reason = ""
    for attempt in range(TRIES):
        pause_s = 2.0**attempt
        try:
            with urlopen(Request(address, headers={"User-Agent": "audioformer"}), timeout=TIMEOUT_S) as answer:
                content = answer.read(most + 1)
            if len(content) > most:
                raise AudioformerError(f"{address}: is larger than {most >> 20} MB; that is not what was asked for")
            return content
        except HTTPError as error:
            reason = f"the server says {error.code} {error.reason}"
            if error.code not in (403, 429) and error.code < 500:
                break
            told = error.headers.get("Retry-After", "")
            pause_s = float(told) if told.isdigit() else pause_s
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt + 1 == TRIES or pause_s > LONGEST_WAIT_S:
            break
        time.sleep(pause_s)
    raise AudioformerError(
        f"{address}: cannot be fetched ({reason}). Run the same command again when there is a connection: "
        "what came whole "
        f"stays. Without one, copy the folder {recordings_folder()} from a computer that has it, "
        "or its bundle's folder "
        "recordings"
    )
