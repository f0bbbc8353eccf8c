"""The test suite's own promises: the network is closed, and what is left out is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("host", ["example.org", "192.0.2.1", "2001:db8::1", b"example.org"])
def test_nothing_outside_is_reached_or_looked_up(host):
    with pytest.raises(OSError, match="tests may not leave this machine"):
        socket.create_connection((host, 80), timeout=1)
    family = socket.AF_INET6 if b":" in (host if isinstance(host, bytes) else host.encode()) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(OSError, match="tests may not leave this machine"):
            datagrams.connect((host, 80))
        with pytest.raises(OSError, match="tests may not leave this machine"):
            datagrams.sendto(b"x", (host, 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert socket.getaddrinfo(host, server.getsockname()[1])


def run_pytest(folder: Path, **environment: str) -> str:
    """Output of pytest on a test file that asks for the recordings, with our conftest."""
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text())
    (folder / "test_it.py").write_text("def test_a(data_root): assert data_root.is_dir()\ndef test_b(): pass\n")
    kept = {name: value for name, value in os.environ.items() if name != "AUDIOFORMER_DATA"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, env={**kept, **environment}, cwd=folder, capture_output=True, text=True, timeout=120)
    return done.stdout


def test_the_summary_says_what_was_left_out_and_how_to_have_it(tmp_path):
    output = run_pytest(tmp_path)
    assert "1 passed, 1 skipped" in output
    assert "test_it.py (1): needs real recordings: set AUDIOFORMER_DATA to a folder" in output


def test_with_the_recordings_nothing_is_left_out(tmp_path):
    output = run_pytest(tmp_path, AUDIOFORMER_DATA=str(tmp_path))
    assert "2 passed" in output
    assert "left out" not in output


def test_a_wrong_folder_is_an_error_not_a_skip(tmp_path):
    output = run_pytest(tmp_path, AUDIOFORMER_DATA=str(tmp_path / "typo"))
    assert "typo is no folder" in output
    assert "1 error" in output
