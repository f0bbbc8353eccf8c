"""`audioformer bundle`: what is in it, that a second run keeps what is there, and what is said where it cannot be made.

pip gets its wheels from a folder here, made from what is installed: nothing is downloaded. Our own wheel is a small one
with one requirement; the real one is built and installed in test_wheel.py. A whole bundle is installed where
AUDIOFORMER_BUNDLE names one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from audioformer.cli import main
from audioformer.errors import AudioformerError
from audioformer.install import bundle as module
from audioformer.install.bundle import make_bundle, system_name

VERSION, NEEDED = metadata.version("audioformer"), f"packaging-{metadata.version('packaging')}-py3-none-any.whl"


def small_wheel(folder: Path) -> Path:
    """Stands for our own wheel."""
    path, about = folder / f"audioformer-{VERSION}-py3-none-any.whl", f"audioformer-{VERSION}.dist-info"
    requires = 'Provides-Extra: app\nRequires-Dist: packaging; extra == "app"\n'
    files = {
        "audioformer/a.py": "A = 1\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: audioformer\nVersion: {VERSION}\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture
def stick(tmp_path, monkeypatch) -> Path:
    """A folder to fill, with a pip that knows one other folder of wheels and no other place."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / NEEDED, "w") as wheel:
        for file in metadata.files("packaging"):
            if file.suffix != ".pyc" and ".." not in file.parts and file.name not in ("INSTALLER", "REQUESTED"):
                wheel.write(file.locate(), file.as_posix())
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("CONFIG_FILE", os.devnull), ("NO_INDEX", "1"), ("FIND_LINKS", str(index))):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setattr(module, "own_wheel", small_wheel)
    return tmp_path / "a room"


def test_wheels_samples_notebooks_and_papers_are_there_and_nothing_else(stick):
    list(make_bundle(stick, ["app"]))
    listed = f"bundle-{system_name()}.json"
    papers = {"README.txt", "install.sh", "install.bat"}
    assert {path.name for path in stick.iterdir()} == {*papers, listed, "notebooks", "samples", "wheels"}
    assert (stick / "notebooks" / "00_is_this_machine_ready.ipynb").is_file()
    assert (stick / "samples" / "meta" / "esc50.csv").is_file()
    assert not list(stick.rglob("__pycache__"))
    contents = json.loads((stick / listed).read_text())
    assert {wheel["file"] for wheel in contents["wheels"]} == {path.name for path in (stick / "wheels").iterdir()}
    assert {wheel["file"].split("-")[0] for wheel in contents["wheels"]} == {"audioformer", "packaging"}
    for wheel in contents["wheels"]:
        content = (stick / "wheels" / wheel["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (wheel["bytes"], wheel["sha256"])
    for name in papers:
        text = (stick / name).read_bytes().decode()
        assert "@" not in text.replace("@echo", "")
        assert f"{contents['system']} with Python {contents['python']}" in text
        assert ("\r\n" in text) == (name != "install.sh")


def test_a_second_run_keeps_what_is_whole_and_what_is_of_other_systems(stick, monkeypatch):
    list(make_bundle(stick, ["app"]))
    listed, needed = stick / f"bundle-{system_name()}.json", stick / "wheels" / NEEDED
    whole = needed.read_bytes()
    (stick / ".partial-killed").mkdir()
    about = json.loads(listed.read_text())
    for path, name in ((listed, "older-1-py3-none-any.whl"), (stick / "bundle-windows.json", "other-1-win_amd64.whl")):
        (stick / "wheels" / name).write_bytes(whole)
        path.write_text(json.dumps({**about, "wheels": [*about["wheels"], {"file": name}]}))
    with monkeypatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", os.devnull)
        list(make_bundle(stick, ["app"]))
    assert {path.name.split("-")[0] for path in (stick / "wheels").iterdir()} == {"audioformer", "other", "packaging"}
    assert not list(stick.glob(".partial-*"))
    needed.write_bytes(whole[:1000])
    list(make_bundle(stick, ["app"]))
    assert needed.read_bytes() == whole


def test_what_pip_cannot_get_is_told_and_nothing_half_is_left(stick, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", os.devnull)
    with pytest.raises(AudioformerError, match="packaging.*run the same command again"):
        list(make_bundle(stick, ["app"]))
    assert not [path for path in stick.rglob("*") if path.is_file()]


def test_a_full_disk_is_told_as_such(stick, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", stick.parent / "pip")
    (stick.parent / "pip").write_text("#!/bin/sh\necho 'ERROR: [Errno 28] No space left on device'\nexit 1\n")
    (stick.parent / "pip").chmod(0o755)
    with pytest.raises(AudioformerError, match="the disk is full"):
        list(make_bundle(stick, ["app"]))


def test_a_mistake_is_a_user_error(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main(["bundle", "-o", str(tmp_path / "x"), "--extras", "apps"]) == 2
    assert main(["bundle", "-o", str(tmp_path / "file")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "no extra 'apps'; there are" in told[0]
    assert "cannot be written" in told[1]
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.name == "nt", reason="install.sh is for Linux and macOS: run these tests there")
def test_the_script_refuses_another_python(stick, tmp_path):
    list(make_bundle(stick, []))
    old = tmp_path / "python9.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    script = ["sh", stick / "install.sh", tmp_path / "programs"]
    done = subprocess.run(script, env={**os.environ, "PYTHON": str(old)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "these packages fit no other" in done.stderr
    assert not (tmp_path / "programs").exists()


@pytest.mark.slow
def test_a_whole_bundle_installs_by_its_script_and_classifies(tmp_path):
    whole = os.environ.get("AUDIOFORMER_BUNDLE")
    if not whole:
        pytest.skip("takes minutes and a whole bundle: AUDIOFORMER_BUNDLE=FOLDER that `audioformer bundle` filled")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    nowhere = {**kept, "PIP_CONFIG_FILE": os.devnull, "PYTHON": sys.executable}
    script = ["sh", Path(whole).resolve() / "install.sh", tmp_path / "programs"]
    done = subprocess.run(script, cwd=tmp_path, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "programs" / "bin" / "audioformer"
    sample = sorted((Path(whole).resolve() / "samples" / "audio").glob("*.ogg"))[0]
    for words in (["classify", sample, "--json"], ["check", "--json", "--port", "47860"]):
        done = subprocess.run([program, *words], cwd=tmp_path, env=kept, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ready"] is True
