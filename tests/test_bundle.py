"""`audioformer bundle`: what is in it, that it goes on where it was stopped, and that one can install from it without an index.

pip gets its wheels from a folder here, made from what is installed: nothing is downloaded. A whole bundle is installed
where AUDIOFORMER_BUNDLE names one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from test_setup import pins as pinned_lines
from test_setup import wanted
from test_wheel import run

from audioformer.cli import main
from audioformer.errors import AudioformerError
from audioformer.install.bundle import PARTIAL, closure, make_bundle, papers, wheels

SOME = {name: metadata.version(name) for name in ("mpmath", "packaging", "typing-extensions")}


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    """A folder with wheels of some installed packages, for pip to find."""
    folder = tmp_path_factory.mktemp("index")
    for name, version in SOME.items():
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
            for file in metadata.files(name):
                if file.suffix != ".pyc" and ".." not in file.parts and file.name not in ("INSTALLER", "REQUESTED"):
                    wheel.write(file.locate(), file.as_posix())
    return folder


@pytest.fixture(scope="module", autouse=True)
def offline_pip(index):
    """Here pip knows that folder and no other place."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(index))
        yield patch


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A bundle whose only packages are those."""
    folder = tmp_path_factory.mktemp("stick") / "a room"
    steps = list(make_bundle(folder, ["app"], SOME))
    assert (steps[0].done, steps[0].total) == (0, 4)
    assert (steps[-1].done, steps[-1].fetched) == (4, 4)
    assert steps[-1].n_bytes > 1e6
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- which packages


@pytest.mark.parametrize("extras", [(), ("app", "notebooks", "train")])
def test_it_holds_all_that_is_needed_in_the_pinned_versions(extras):
    """The closure over what is installed, each package at the version that constraints.txt names for this Python."""
    pins = {pin.name: str(pin.specifier) for pin in pinned_lines() if pin.marker is None or pin.marker.evaluate()}
    found = closure.pinned(extras)
    assert {"torch", "numpy", "soundfile"} <= set(found)
    assert ("gradio" in found) == bool(extras)
    for name, version in found.items():
        assert pins[name] == f"=={version.partition('+')[0]}", name


def test_an_unknown_extra_or_a_missing_package_is_named(capsys, tmp_path):
    assert main(["bundle", "-o", str(tmp_path / "x"), "--extras", "apps"]) == 2
    assert "there is no extra 'apps'; there are" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: audioformer\nRequires-Dist: nowhere-to-be-found\n")
    with pytest.raises(
        AudioformerError, match=r'nowhere-to-be-found is not installed here.*pip install "audioformer\[app\]"'
    ):
        closure.pinned(["app"], metadata.PathDistribution(tmp_path))


# --- what is in it


def test_every_package_has_exactly_one_whole_wheel(bundle):
    house = bundle / "wheels"
    for name, version in SOME.items():
        (wheel,) = wheels.matching(house, name, version)
        assert zipfile.ZipFile(wheel).testzip() is None
    (own,) = house.glob("audioformer-*.whl")
    project = [str(requirement) for requirement in wanted()]
    assert {line.split(";")[0].strip() for line in wheels.described(own).requires} >= {
        str(Requirement(line)) for line in project
    }
    packed = set(zipfile.ZipFile(own).namelist())
    assert "audioformer/assets/checkpoints/esc10/model.safetensors" in packed
    assert "audioformer/bundle/files/install.sh" in packed
    assert "audioformer_app/app.py" in packed
    assert len(list(house.iterdir())) == 4


def test_samples_notebooks_and_papers_are_there_and_nothing_else(bundle):
    found = names(bundle)
    listed = f"bundle-{papers.system_name()}.json"
    assert {"notebooks/00_is_this_machine_ready.ipynb", "samples/meta/esc50.csv"} <= found
    assert {name.split("/")[0] for name in found} == {
        "README.txt",
        "install.sh",
        "install.bat",
        listed,
        "notebooks",
        "samples",
        "wheels",
    }
    assert not [name for name in found if "__pycache__" in name]
    assert not list(bundle.glob(f"{PARTIAL}*"))
    contents = json.loads((bundle / listed).read_text())
    assert len(contents["wheels"]) == 4
    for wheel in contents["wheels"]:
        content = (bundle / "wheels" / wheel["file"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (wheel["bytes"], wheel["sha256"])


def test_papers_say_for_which_computers_and_have_the_line_ends_of_their_system(bundle):
    here = f"{contents_system(bundle)} with Python {papers.python_version()}"
    readme = (bundle / "README.txt").read_bytes().decode()
    assert here in readme
    for name in ("README.txt", "install.sh", "install.bat"):
        text = (bundle / name).read_bytes().decode()
        assert "@" not in text.replace("@echo", "")
        assert ("\r\n" in text) == (name != "install.sh")


def contents_system(bundle: Path) -> str:
    return json.loads((bundle / f"bundle-{papers.system_name()}.json").read_text())["system"]


# --- going on, and what goes wrong


def test_a_second_run_fetches_only_what_is_missing_or_broken(bundle, offline_pip, index, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(bundle, folder)
    (folder / f"{PARTIAL}killed").mkdir()
    (folder / f"{PARTIAL}killed" / "half.whl").write_bytes(b"x")
    offline_pip.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    assert list(make_bundle(folder, ["app"], SOME))[-1].fetched == 1  # our own, always anew
    assert names(folder) == names(bundle)
    offline_pip.setenv("PIP_FIND_LINKS", str(index))
    (wheel,) = wheels.matching(folder / "wheels", "mpmath", SOME["mpmath"])
    wheel.write_bytes(wheel.read_bytes()[:1000])
    (folder / "wheels" / "mpmath-0.1-py3-none-any.whl").write_bytes(wheel.read_bytes())
    assert list(make_bundle(folder, ["app"], SOME))[-1].fetched == 2
    assert names(folder) == names(bundle)
    assert zipfile.is_zipfile(wheel)


def test_wheels_of_another_system_stay(bundle, tmp_path):
    folder = tmp_path / "wheels"
    shutil.copytree(bundle / "wheels", folder)
    other = folder / "mpmath-0.1-cp27-cp27m-win32.whl"
    other.write_bytes(b"")
    wheels.sweep(folder, SOME)
    assert other.exists()
    assert len(list(folder.iterdir())) == 5


def test_what_pip_cannot_get_is_told_and_nothing_half_is_left(offline_pip, index, tmp_path):
    offline_pip.setenv("PIP_FIND_LINKS", str(index))
    with pytest.raises(AudioformerError, match="pip could not get mpmath==99: .*run the same command again"):
        list(make_bundle(tmp_path / "x", [], {"mpmath": "99"}))
    assert names(tmp_path / "x") == set()


def test_a_full_disk_is_told_before_and_during(tmp_path, monkeypatch):
    def too_much(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    done = subprocess.CompletedProcess(
        [], 1, "", "ERROR: Could not install packages: [Errno 28] No space left on device"
    )
    with pytest.raises(AudioformerError, match="the disk is full; make room and run the same command again"):
        wheels._require_success(done, tmp_path / "wheels", "torch")
    monkeypatch.setattr(wheels, "fetch", too_much)
    with pytest.raises(AudioformerError, match="the disk is full"):
        list(make_bundle(tmp_path, [], SOME))
    assert names(tmp_path) == set()
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(closure.shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(AudioformerError, match="0 MB are free, and about"):
        list(make_bundle(tmp_path, [], SOME))


def test_a_file_in_the_way_is_told(capsys, tmp_path):
    (tmp_path / "file").write_text("x")
    assert main(["bundle", "-o", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


# --- installing from it


@pytest.fixture(scope="module")
def installed(bundle, tmp_path_factory) -> Path:
    """A fresh environment with our wheel and one more, installed from the bundle without an index."""
    home = tmp_path_factory.mktemp("fresh environment")
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    run(
        python,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--find-links",
        bundle / "wheels",
        "audioformer",
        "mpmath",
        cwd=home,
    )
    return python


def test_what_is_installed_from_it_brings_weights_samples_and_notebooks(installed, tmp_path):
    code = (
        "import mpmath; from audioformer.files import assets_folder, notebooks_folder, samples_folder\n"
        "for folder in (assets_folder(), notebooks_folder(), samples_folder()): print(folder)"
    )
    for line in run(installed, "-c", code, cwd=tmp_path).stdout.splitlines():
        assert installed.parent.parent in Path(line).parents
        assert any(Path(line).iterdir())


def test_an_installed_audioformer_can_be_packed_again(installed, bundle, tmp_path):
    site = run(installed, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).stdout.strip()
    (distribution,) = metadata.distributions(name="audioformer", path=[site])
    again = zipfile.ZipFile(wheels.repack(distribution, tmp_path))
    first = zipfile.ZipFile(next((bundle / "wheels").glob("audioformer-*.whl")))
    assert Path(again.filename).name == Path(first.filename).name
    assert set(again.namelist()) == set(first.namelist())
    for name in first.namelist():
        if not name.endswith("/RECORD"):
            assert again.read(name) == first.read(name), name
    record = next(name for name in first.namelist() if name.endswith("/RECORD"))
    assert sorted(again.read(record).split()) == sorted(first.read(record).split())


@pytest.mark.skipif(os.name == "nt", reason="install.sh is for Linux and macOS: run these tests there")
def test_the_script_refuses_another_python_and_says_for_what_it_is(bundle, tmp_path):
    old = tmp_path / "python9.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    script = [bundle / "install.sh", tmp_path / "programs"]
    done = subprocess.run(["sh", *script], env={**os.environ, "PYTHON": str(old)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"needs Python {papers.python_version()} (these packages fit no other)" in done.stderr
    assert not (tmp_path / "programs").exists()
    done = subprocess.run(["sh", *script], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True)
    assert done.returncode == 1  # torch is not in this small bundle, and there is nowhere else to get it
    assert f"this bundle is for {contents_system(bundle)}" in done.stderr


def test_a_whole_bundle_installs_by_its_script_and_classifies(tmp_path):
    whole = os.environ.get("AUDIOFORMER_BUNDLE")
    if not whole:
        pytest.skip("takes minutes and a whole bundle: AUDIOFORMER_BUNDLE=FOLDER that `audioformer bundle` filled")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    script = ["sh", Path(whole).resolve() / "install.sh", tmp_path / "programs"]
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PYTHON": sys.executable}
    done = subprocess.run(script, cwd=tmp_path, env={**kept, **nowhere}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "programs" / "bin" / "audioformer"
    sample = sorted((Path(whole).resolve() / "samples" / "audio").glob("*.ogg"))[0]
    answer = json.loads(run(program, "classify", sample, "--json", cwd=tmp_path).stdout)
    assert 0 < answer[0]["labels"][0]["probability"] <= 1
    found = json.loads(run(program, "check", "--json", "--port", "47860", cwd=tmp_path).stdout)
    assert found["ready"] is True
