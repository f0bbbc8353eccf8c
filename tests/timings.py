"""How long until the page is there, and how fast its rooms react to a sound of ten seconds, in a real browser.

    python tests/timings.py              three rounds, on this machine as it is now
    python tests/timings.py --rounds 1

The real server with the bundled models runs in a process of its own. Prints JSON: seconds, median over the rounds, and
the load of the machine, without which the numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from app_page import drop, hearing
from conftest import BROWSERS
from soak import Server

RATE_HZ, CLIP_S = 24_000, 10.0
WAIT_MS = 180_000
QUESTIONS = {  # what is done in a room once it is open, and counted until its next answer
    "mask": (
        "room => { const slider = room.querySelector('.af-ratio'); slider.value = 50; "
        "slider.dispatchEvent(new Event('change')); }"
    ),
    "attention": "room => room.querySelector('.af-grid button[aria-selected=false]').click()",
}


def clip(folder: Path, number: int) -> Path:
    """Ten seconds of tones and noise, another clip each round."""
    random = np.random.default_rng(number)
    times_s = np.arange(round(CLIP_S * RATE_HZ)) / RATE_HZ
    samples = 0.2 * np.sin(2 * np.pi * (300 + 200 * np.floor(times_s)) * times_s) + 0.02 * random.standard_normal(
        len(times_s)
    )
    soundfile.write(folder / f"ten seconds {number}.wav", samples, RATE_HZ)
    return folder / f"ten seconds {number}.wav"


def one_round(browser, address: str, path: Path) -> dict[str, float]:
    """Seconds for each thing."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(WAIT_MS)
    page.goto(address)
    page.wait_for_selector(".af-clip[data-token]")
    paint = (
        "performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint').startTime / 1000"
    )
    found = {"first paint": page.evaluate(paint), "clip on the page": page.evaluate("performance.now() / 1000")}
    before = page.get_attribute(".af-clip", "data-token")
    started = time.perf_counter()
    drop(page, path)
    page.wait_for_function("old => document.querySelector('.af-clip').dataset.token !== old", arg=before)
    found["listen: a dropped file"] = time.perf_counter() - started
    page.focus(".af-keep input")
    started = time.perf_counter()
    page.keyboard.press("Home")
    page.wait_for_function("/^1 of .* differs by/.test(document.querySelector('.af-kept').innerText)")
    found["listen: one codebook"] = time.perf_counter() - started
    for tab in page.locator("#af-rooms [role=tab]").all():
        name = tab.inner_text().strip().lower()
        if name not in ("listen", "live", "teach", "map", "files"):  # these do not wait for an answer about the clip
            found |= room(page, tab, name)
    page.close()
    return found


def live(browser, address: str, seconds: float) -> dict[str, float]:
    """The label of what the microphone hears, each half second: seconds from the end of a chunk to the page."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, permissions=["microphone"])
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(address)
    page.wait_for_selector(".af-clip[data-token]")
    page.click("button[role=tab]:has-text('Live')")
    page.click(".af-listen-live")
    page.wait_for_function("until => Number(document.querySelector('.af-live').dataset.until) > until", arg=seconds)
    told = page.evaluate("({ ...document.querySelector('.af-live').dataset })")
    context.close()
    found = {f"live: label, {name}": float(told[name]) / 1000 for name in ("median", "p95")}
    return found | {
        "live: chunks lost or dropped": int(told["lost"]) + int(told["dropped"]),
        "live: answers": int(told["answers"]),
    }


def room(page, tab, name: str) -> dict[str, float]:
    """Seconds until a room has its first answer, and until the next one after a change."""
    host = f".af-room[data-room={name}]"
    started = time.perf_counter()
    tab.click()
    page.wait_for_selector(f"{host}[data-answer]")
    found = {f"{name}: opened": time.perf_counter() - started}
    if name in QUESTIONS:
        before = page.get_attribute(host, "data-answer")
        started = time.perf_counter()
        page.evaluate(f"({QUESTIONS[name]})(document.querySelector('{host}'))")
        page.wait_for_function(
            "([host, old]) => document.querySelector(host).dataset.answer !== old", arg=[host, before]
        )
        found[f"{name}: changed"] = time.perf_counter() - started
    return found


def main() -> None:
    """Start, measure, tell."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--live", type=float, default=20.0, metavar="S", help="how long the microphone is listened to (default 20)"
    )
    options = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
    seconds = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="audioformer-timings-") as folder, sync_playwright() as engine:
        server = Server(Path(folder))
        browser = engine.chromium.launch(executable_path=chromium, args=hearing(clip(Path(folder), 99)))
        for number in range(options.rounds):
            for name, took in one_round(browser, server.address, clip(Path(folder), number)).items():
                seconds[name].append(took)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        heard = live(browser, server.address, options.live)
        browser.close()
        server.stop()
    rows = {name: round(statistics.median(took), 2) for name, took in seconds.items()} | heard
    machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps({"clip_s": CLIP_S, "rounds": options.rounds, **machine, "seconds": rows}, indent=2))


if __name__ == "__main__":
    main()
