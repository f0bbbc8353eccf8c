"""Other people's computers: nothing installed can be written and there is no home, a proxy is set or stands in front."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import audioformer
from audioformer.files import samples_folder

# as if on a disk that is mounted for reading only; it binds root, too
READ_ONLY = """
import errno, os, sys
ROOTS = tuple(os.environ["READ_ONLY"].split(os.pathsep))
CHANGES = {"os.mkdir": 0, "os.remove": 0, "os.rename": 1, "os.rmdir": 0}
def refuse(event, arguments):
    if event == "open":
        path, _, flags = arguments
        changes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    elif event in CHANGES:
        path, changes = arguments[CHANGES[event]], True
    else:
        return
    if changes and isinstance(path, str) and os.path.abspath(path).startswith(ROOTS):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
sys.addaudithook(refuse)
"""
# what fails without a place for its cache is the import; to lay a map takes minutes of compiling there
UMAP = "from audioformer.evaluation.embedding_map import open_umap; print(open_umap().__name__)"


@pytest.fixture
def read_only(tmp_path) -> dict[str, str]:
    """Environment in which neither site-packages nor the package can be written, and the home is no folder."""
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    roots = [sys.prefix, str(Path(audioformer.__file__).parents[1])]
    (tmp_path / "tmp").mkdir()
    names = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TORCH_HOME", "HF_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    places = {"HOME": "/dev/null/home", "TMPDIR": str(tmp_path / "tmp"), "READ_ONLY": os.pathsep.join(roots)}
    return {**kept, **places, "NUMBA_OPT": "0", "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a path that is no folder, /dev/null")
@pytest.mark.parametrize("what", ["map", "classify"])
def test_nothing_installed_is_written_and_no_home_is_needed(read_only, what, tmp_path):
    words = {
        "map": ["-c", UMAP],
        "classify": ["-m", "audioformer", "classify", str(next(samples_folder().rglob("*.ogg")))],
    }[what]
    done = subprocess.run([sys.executable, *words], env=read_only, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not [path.name for path in (tmp_path / "tmp").iterdir()]  # what was put elsewhere is gone again
