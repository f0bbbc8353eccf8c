"""The app and a browser for tests: the real server, a real headless Chromium, no way out for either."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from app_weights import make_weights

WAIT_MS = 120_000  # a loaded machine is slow, not wrong
# a browser's own words about files it cannot play, and Gradio's about an unused hook and about a box it has just closed
EXPECTED_CONSOLE = (
    "Waveform load error",
    "Method not implemented",
    "AudioContext was not allowed",
    "https://svelte.dev/e/derived_inert",
)
SERVER = """
import sys
def watch(event, arguments):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        return
    host = arguments[0] if event == "socket.getaddrinfo" else arguments[1][0] if len(arguments) > 1 else ""
    if isinstance(host, str) and host not in ("127.0.0.1", "localhost", "0.0.0.0", "", "::1"):
        print("OUTSIDE", event, host, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from audioformer_app import launch
launch(int(sys.argv[1]), **__import__("json").loads(sys.argv[2]))
"""


def hearing(path: Path) -> list[str]:
    """Arguments of a Chromium whose microphone plays a WAV file, again and again."""
    fake = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]
    return ["--no-sandbox", *fake]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(log_path, **options):
    """A server in a process of its own; returns it and its address once it answers."""
    port = free_port()
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), json.dumps(options)], stderr=log, stdout=log
        )
    address = f"http://127.0.0.1:{port}/"
    for _ in range(1800):
        if process.poll() is not None:
            pytest.fail(f"the server stopped: {log_path.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return process, address
        except OSError:
            time.sleep(0.1)
    process.kill()
    pytest.fail(f"the server did not answer within three minutes: {log_path.read_text()[-2000:]}")


def stop(process, log_path):
    """Ctrl-C; the log must show no traceback and no way out."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    log = log_path.read_text()
    assert "OUTSIDE" not in log, log
    assert "Traceback" not in log, log


@contextmanager
def small_app(folder: Path, **options) -> Iterator[str]:
    """Address of the app with small seeded weights; when it stops, its log must show no traceback and no way out."""
    codecs, checkpoints, pretrained = make_weights(folder)
    process, address = start(
        folder / "log.txt", codecs=codecs, checkpoints=checkpoints, pretrained=pretrained, **options
    )
    yield address
    stop(process, folder / "log.txt")


@contextmanager
def chromium(program: str, microphone: np.ndarray | None = None, folder: Path | None = None) -> Iterator:
    """A headless browser.

    Args:
        program: of Chromium.
        microphone: what its microphone plays again and again, samples at 48 kHz; None: it has none.
        folder: where that sound is written.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    arguments = ["--no-sandbox"]
    if microphone is not None:
        soundfile.write(folder / "microphone.wav", microphone, 48_000)
        arguments = hearing(folder / "microphone.wav")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def box_of(page, selector: str) -> dict[str, float]:
    """Where the first element of a selector lies, in pixels, once it is drawn and moves no more.

    A view that is built anew is out of the page for a moment; `bounding_box` alone gives None then, or an old place.
    """
    found = page.locator(selector).first
    found.wait_for()
    before, until = None, time.monotonic() + WAIT_MS / 1000
    while time.monotonic() < until:
        box = found.bounding_box()
        if box is not None and box == before:
            return box
        before = box
        page.wait_for_timeout(50)
    raise AssertionError(f"{selector} was not drawn, or did not come to rest")


class Tab:
    """A page of the app that notes every request that leaves this machine and everything the console complains of."""

    def __init__(self, browser, address, init_script="", **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.outside, self.complaints = [], []
        self.page.on("request", lambda request: self._note(request.url, address))
        self.page.on("console", lambda m: self._complain(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        if init_script:
            self.page.add_init_script(init_script)
        self.page.goto(address)
        room_named = "#" in address  # the clip's own view may be out of sight before one can look
        self.page.wait_for_selector(".af-clip[data-token]", state="attached" if room_named else "visible")

    def _note(self, url, address):
        if not url.startswith((re.split("[?#]", address)[0], "data:", "blob:")):
            self.outside.append(url)

    def _complain(self, text):
        if not text.startswith(EXPECTED_CONSOLE):
            self.complaints.append(text)

    def text(self, selector):
        return self.page.inner_text(selector)

    def until_new(self, act):
        """Do something and wait until another clip is shown."""
        before = self.page.get_attribute(".af-clip", "data-token")
        act()
        self.page.wait_for_function("old => document.querySelector('.af-clip').dataset.token !== old", arg=before)

    def close(self):
        self.context.close()
        assert self.outside == [], self.outside
        assert self.complaints == [], self.complaints


def drop(page, path):
    """Drop a file on the box, as a mouse would."""
    script = """async ([content, name]) => {
        const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name, { type: 'audio/wav' }));
        const box = document.querySelector('#af-input .upload-container');
        for (const type of ['dragenter', 'dragover', 'drop'])
            box.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(script, [base64.b64encode(path.read_bytes()).decode(), path.name])
