"""Set-up: make's commands, one list of dependencies, a pinned version for each of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, timeout=60)


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def wanted() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    every = [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]
    return [requirement for requirement in every if requirement.name != "audioformer"]


def test_make_alone_lists_the_commands():
    listed = make().stdout
    for command in ("setup", "app", "test", "check", "lab", "clean"):
        assert re.search(rf"make {command} +\w", listed)


@pytest.mark.parametrize("command", ["setup", "app", "test", "check", "lab"])
def test_every_command_sets_up_first_where_that_is_missing(command, tmp_path):
    planned = make("-n", command, f"VENV={tmp_path}/env").stdout
    extras = "app,phones" if command == "app" else "all"  # the page needs two thirds of everything
    install = planned.index(f"pip --disable-pip-version-check install -c constraints.txt -e '.[{extras}]'")
    first = planned.index("install -c constraints.txt  torch==2.13.0")
    assert f'-m venv  "{tmp_path}/env"' in planned[:first]
    assert first < install
    assert ("audioformer app" in planned[install:]) == (command == "app")
    assert ("audioformer lab" in planned[install:]) == (command == "lab")
    assert ("-m pytest" in planned[install:]) == (command in ("test", "check"))


def test_a_second_set_up_does_nothing(tmp_path):
    for stamp in (".audioformer-app-set-up", ".audioformer-set-up"):
        (tmp_path / stamp).touch()
    assert make("setup", f"VENV={tmp_path}").stdout.strip() == "make: Nothing to be done for 'setup'."
    os.utime(tmp_path / ".audioformer-app-set-up", (0, 0))  # older than the list of dependencies: once more
    assert "pip" in make("-n", "setup", f"VENV={tmp_path}").stdout


def test_a_python_that_is_missing_or_old_is_refused_before_anything_is_made(tmp_path):
    """The old one's stand-in runs the very question make asks, with the version it would answer for."""
    old = tmp_path / "python3.9"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9); $(printf %s "$2")"\n')
    old.chmod(0o755)
    for python, reason in (("no-such-python", "there is no no-such-python"), (str(old), f"{old} is older")):
        done = make("setup", f"PYTHON={python}", f"VENV={tmp_path}/env")
        assert done.returncode != 0
        assert f"audioformer needs Python >= 3.10, and {reason}: install one" in done.stderr
    assert not (tmp_path / "env").exists()


def test_every_dependency_has_an_exact_pin_that_fits():
    by_name: dict[str, list[str]] = {}
    for pin in pins():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin
        assert pin.url is None
        by_name.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for requirement in wanted():
        versions = by_name[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: {versions}"
    assert by_name["torch"] == ["2.13.0"]


def test_the_bare_library_is_light_and_all_is_all():
    names = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert names == {"filelock", "lazy-loader", "numpy", "safetensors", "scipy", "soundfile", "soxr", "torch"}
    extras = PROJECT["optional-dependencies"]
    # Colab brings torch and gets a part of `notebooks`
    assert Requirement(extras["all"][0]).extras == set(extras) - {"all", "colab"}


def test_conda_goes_through_the_package():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    listed = [line.strip(" -") for line in lines if line.strip().startswith("- ")]
    assert listed == ["conda-forge", "python=3.12", "pip", "pip:", "c constraints.txt", "e .[all]"]


def test_the_gate_runs_both_tiers():
    gate = (ROOT / ".ci" / "run").read_text()
    assert gate.rstrip().endswith("\nmake test && make check REST=1")  # its status is the status of the gate
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
