"""`encodec` is imported whatever state torchaudio is in, and torchaudio is in the same state afterwards.

Each case runs in a fresh interpreter: what is imported once stays imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

WORKS = "def marker(): return 'the real one'\n"
BROKEN = "from torchaudio import inner\nraise OSError('Could not load this library: libtorchaudio.so')\n"


def run(code: str, *first_on_path) -> str:
    """Standard output of a fresh interpreter."""
    path = os.pathsep.join(map(str, first_on_path))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fake_torchaudio(folder, source: str):
    """A torchaudio of our own, found before the installed one."""
    (folder / "torchaudio").mkdir()
    (folder / "torchaudio" / "__init__.py").write_text(source)
    (folder / "torchaudio" / "inner.py").write_text("")
    return folder


REPORT = """
import sys, importlib.util
def report():
    try:
        import torchaudio
        outcome = "loads"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio" and outcome != "loads"]:
        del sys.modules[name]  # what a failed import leaves behind is not ours
    spec = importlib.util.find_spec("torchaudio")
    return outcome, spec and spec.origin
before = report()
from audioformer.codecs.encodec_files import import_encodec
def remnants():
    return [name for name in sys.modules if name.split(".")[0] == "torchaudio"]
"""


def test_with_the_torchaudio_of_this_machine_nothing_changes_for_others():
    code = """
    known = remnants()
    package = import_encodec()
    assert remnants() == known, remnants()
    assert package is sys.modules["encodec"] is import_encodec()
    assert report() == before, (report(), before)
    import datasets, transformers
    from transformers import EncodecModel
    print(package.__version__)
    """
    assert run(REPORT + textwrap.dedent(code)).strip() == "0.1.1"


def test_a_broken_torchaudio_stays_broken_and_leaves_nothing_behind(tmp_path):
    code = """
    assert before[0].startswith("OSError"), before
    import_encodec()
    assert remnants() == [], remnants()
    assert report() == before
    from encodec.utils import convert_audio
    import torch
    try:
        convert_audio(torch.zeros(1, 10), 1000, 2000, 1)
    except AttributeError as error:
        print(error)
    """
    told = run(REPORT + textwrap.dedent(code), fake_torchaudio(tmp_path, BROKEN))
    assert "torchaudio.transforms: torchaudio could not be loaded here (OSError: Could not load this library" in told


def test_a_torchaudio_that_loads_is_the_one_used(tmp_path):
    code = """
    package = import_encodec()
    print(sys.modules["encodec.utils"].torchaudio.marker(), sys.modules["torchaudio"].marker())
    """
    assert run(REPORT + textwrap.dedent(code), fake_torchaudio(tmp_path, WORKS)).strip() == "the real one the real one"


def test_an_absent_torchaudio_stays_absent():
    code = """
    import sys
    sys.modules["torchaudio"] = None  # Python's way of saying: not to be found
    from audioformer.codecs.encodec_files import import_encodec
    import_encodec()
    assert sys.modules["torchaudio"] is None
    print("ok")
    """
    assert run(code).strip() == "ok"


def test_many_threads_get_the_same_package():
    code = """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(8) as pool:
        packages = list(pool.map(lambda _: import_encodec(), range(8)))
    assert all(package is packages[0] and package.EncodecModel for package in packages)
    assert report() == before
    print("ok")
    """
    assert run(REPORT + textwrap.dedent(code)).strip() == "ok"


@pytest.mark.parametrize("missing", ["encodec", "einops"])
def test_a_missing_package_is_named_with_what_to_install(missing):
    code = f"""
    import sys
    sys.modules[{missing!r}] = None
    from audioformer.codecs import load_codec
    from audioformer.errors import AudioformerError
    try:
        load_codec("encodec_24khz")
    except AudioformerError as error:
        print(error)
    del sys.modules[{missing!r}]  # installed meanwhile: the next try works
    from audioformer.codecs.encodec_files import import_encodec
    print(import_encodec().__version__)
    """
    told, version = run(code).splitlines()
    assert missing in told
    assert told.endswith('run pip install "audioformer[encodec]"')
    assert version == "0.1.1"
