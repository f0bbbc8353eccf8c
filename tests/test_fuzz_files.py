"""The campaign against damaged files, in its short form; the long one is `python -m tests.fuzz_files`."""

from __future__ import annotations

import fuzz_files
import pytest


@pytest.mark.slow
def test_damaged_files_are_opened_or_refused_in_one_line(tmp_path):
    report = fuzz_files.attack(seconds=30, seed=3, folder=tmp_path)
    assert report["findings"] == []
    assert report["refused"] > 50
    assert report["opened"] > 20
