"""What all tests share: no way out of this machine, where the real recordings and the browser are, what was left out.

Sockets of this process reach the loopback interface only. Programs that tests start are told to stay offline.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from web_page import exporter, models, node, one_file, parts  # noqa: F401  (fixtures of the page without a server)

import audioformer  # noqa: F401  (sets how OpenMP waits, before any test file imports torch)

for variable, value in {
    "AUDIOFORMER_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "OMP_NUM_THREADS": "1",  # the models of the tests are too small for more, and two tests run side by side
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(variable, value)

# shells start background jobs with Ctrl-C ignored, and what is ignored is inherited: the tests of Ctrl-C need it heard
signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class OutsideNetworkError(OSError):
    """A test tried to leave this machine."""


def is_local(host: str | bytes | None) -> bool:
    """True for the loopback interface, by name or number, and for the wildcard address that servers bind."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse_outside(host: str | bytes | None) -> None:
    """Raise for any host that is not this machine."""
    if not is_local(host):
        raise OutsideNetworkError(f"tests may not leave this machine, and something asked for {host!r}")


def block_outside_network() -> None:
    """Let sockets of this process reach the loopback interface only; names elsewhere are not even looked up."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    real_lookup = socket.getaddrinfo

    def guarded(name: str):
        def call(self, *arguments):
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse_outside(arguments[-1][0])
            return real[name](self, *arguments)

        return call

    def lookup(host, *arguments, **named):
        refuse_outside(host)
        return real_lookup(host, *arguments, **named)

    for name in real:
        setattr(socket.socket, name, guarded(name))
    socket.getaddrinfo = lookup


def pytest_configure() -> None:
    """Close the network before any test file is imported."""
    block_outside_network()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what opens a browser or serves the app; all tests of a file go to one process, for they share fixtures."""
    for item in items:
        if {"chromium_path", "address", "served"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
            item.add_marker(pytest.mark.flaky(reruns=2))  # a busy machine may draw a page late; named in the summary
        if config.pluginmanager.hasplugin("xdist") and not item.get_closest_marker("notebook"):
            page = "exporter" in getattr(item, "fixturenames", ())  # of models, which takes a minute to make
            item.add_marker(pytest.mark.xdist_group("page" if page else item.path.stem))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with the real recordings: `esc10/` and `fsdd/` in their published layouts."""
    named = os.environ.get("AUDIOFORMER_DATA")
    if not named:
        pytest.skip("needs real recordings: set AUDIOFORMER_DATA to a folder that holds esc10/ and fsdd/")
    if not Path(named).is_dir():
        pytest.fail(f"AUDIOFORMER_DATA={named} is no folder; set it to one that holds esc10/ and fsdd/, or unset it")
    return Path(named)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Program of a Chromium browser."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs a browser: install chromium (apt-get install chromium), or set CHROMIUM to its program")
    return path


@pytest.fixture(scope="module")
def browser(chromium_path: str, tmp_path_factory: pytest.TempPathFactory):
    """A Chromium whose microphone hears a tone; one a file, for its engine keeps an event loop running."""
    from app_page import chromium

    tone = 0.5 * np.sin(np.arange(48_000 * 4) * 2 * np.pi * 500 / 48_000)
    with chromium(chromium_path, tone, tmp_path_factory.mktemp("microphone")) as engine:
        yield engine


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory):
    """Small seeded weights, as the app offers them; each file its own, for the app keeps what it has loaded."""
    from app_weights import make_weights

    from audioformer_app.models import Models

    return Models(*make_weights(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def glide(offered, tmp_path_factory: pytest.TempPathFactory):
    """Two seconds of a falling tone, as the app has looked at them."""
    import numpy as np
    import soundfile

    from audioformer_app import analysis

    times_s = np.arange(48_000) / 24_000
    path = tmp_path_factory.mktemp("sound") / "glide.wav"
    soundfile.write(path, 0.3 * np.sin(2000 * times_s - 300 * times_s**2), 24_000)
    return analysis.analyse(analysis.open_clip(path), -1, "small", "animals", offered)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory):
    """Address of the app with small seeded weights, in a process of its own."""
    from app_page import small_app

    with small_app(tmp_path_factory.mktemp("server")) as address:
        yield address


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests needed a second run, and which were left out, why, and how to have them."""
    again = terminalreporter.stats.get("rerun", [])
    if again:
        terminalreporter.section("failed once and ran again: look at them")
    for report in again:
        terminalreporter.line(f"{report.nodeid}: {report.longreprtext.strip().splitlines()[-1]}")
        terminalreporter.line(
            "\n".join(line for line in report.longreprtext.splitlines() if line.startswith(("E  ", ">")))
        )
    left_out: dict[str, Counter[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        left_out.setdefault(reason.removeprefix("Skipped: "), Counter())[report.nodeid.split("::")[0]] += 1
    if not left_out:
        return
    terminalreporter.section("left out")
    for reason, files in left_out.items():
        counts = ", ".join(f"{name} ({count})" for name, count in sorted(files.items()))
        terminalreporter.line(f"{counts}: {reason}")
