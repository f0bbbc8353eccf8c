"""The scripts of the app and of the widgets pass eslint (eslint.config.js), whose rules also bound their length."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_scripts_are_linted():
    if shutil.which("npx") is None:
        pytest.skip("needs node: install it, then `npm ci` in the project's folder")
    if not (ROOT / "node_modules" / "eslint").is_dir():
        pytest.skip("needs eslint: run `npm ci` in the project's folder")
    found = subprocess.run(
        ["npx", "--no-install", "eslint", "app", "audioformer/widgets"], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
