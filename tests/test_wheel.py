"""The wheel, built from the tree and installed where the tree is not: it brings all it needs, and classifies.

The clean environment borrows its dependencies from the one the tests run in, so nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from audioformer.install.bundle import own_wheel, repack

pytestmark = pytest.mark.install
ROOT = Path(__file__).parents[1]
SHIPPED = ("audioformer", "app", "data_samples", "notebooks")
OURS = ("audioformer", "audioformer_app")


def run(*command: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess:
    """Run a program without this process's Python settings, and check how it ended."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = {**kept, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "AUDIOFORMER_OFFLINE": "1"}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def project_files() -> list[str]:
    """Names of the files a clone would have: a stale build folder must not reach the wheel."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("needs a git checkout, to tell the project's files from others: git clone the repository")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Our wheel as `audioformer bundle` builds it."""
    return own_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory) -> Path:
    """Folder of programs of an environment with the wheel in it, and of the tree nothing."""
    home = tmp_path_factory.mktemp("clean environment")
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    python = programs / Path(sys.executable).name
    run(python, "-m", "pip", "install", "--no-deps", wheel, cwd=home)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).stdout.strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_the_wheel_holds_what_the_folders_hold(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder in SHIPPED:
        inside = {"app": "audioformer_app", "audioformer": "audioformer"}.get(folder, f"audioformer/{folder}")
        for name in project_files():
            if name.startswith(f"{folder}/"):
                assert inside + name.removeprefix(folder) in packed, f"{name} does not travel in the wheel"
    assert {name.split("/")[0] for name in packed if ".dist-info" not in name} <= set(OURS)
    assert not [name for name in packed if name.startswith("audioformer/") and "/tests/" in name]


def test_everything_is_found_outside_the_tree(clean, tmp_path):
    code = (
        "import json, audioformer, audioformer_app\n"
        "from audioformer.files import assets_folder, notebooks_folder, samples_folder\n"
        "places = [samples_folder(), notebooks_folder(), assets_folder()]\n"
        "places += [audioformer.__file__, audioformer_app.__file__]\n"
        "print(json.dumps([str(place) for place in places]))"
    )
    places = [Path(place) for place in json.loads(run(clean / "python", "-c", code, cwd=tmp_path).stdout)]
    for place in places:
        assert place.exists()
        assert clean.parent in place.parents
        assert ROOT not in place.parents


def test_it_classifies_a_bundled_sample_from_anywhere(clean, tmp_path):
    find = "from audioformer.files import samples_folder; print(sorted(samples_folder().rglob('*.[of][gl]*'))[0])"
    sample = run(clean / "python", "-c", find, cwd=tmp_path).stdout.strip()
    answer = json.loads(run(clean / "audioformer", "classify", sample, "--json", cwd=tmp_path).stdout)
    assert answer[0]["file"].endswith(Path(sample).name)
    assert answer[0]["checkpoint"] == "esc10"
    probabilities = [label["probability"] for label in answer[0]["labels"]]
    assert len(probabilities) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1.0001
    assert list(tmp_path.iterdir()) == []


def test_it_is_packed_again_as_it_was(wheel, clean, tmp_path):
    site = run(clean / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
    (distribution,) = metadata.distributions(name="audioformer", path=[site.stdout.strip()])
    again, first = (zipfile.ZipFile(path) for path in (repack(distribution, tmp_path), wheel))
    assert set(again.namelist()) == set(first.namelist())
    for name in first.namelist():
        if not name.endswith("/RECORD"):
            assert again.read(name) == first.read(name), name
    (record,) = (name for name in first.namelist() if name.endswith("/RECORD"))
    assert sorted(again.read(record).split()) == sorted(first.read(record).split())


def test_the_installed_packages_of_this_environment_are_the_tree():
    """`make setup` installs in place: what is edited is what runs."""
    for name, folder in zip(OURS, ("audioformer", "app"), strict=True):
        assert Path(importlib.util.find_spec(name).origin).resolve().parent == ROOT / folder
