"""The pictures of README.md and app/README.md, from the app as it stands: `python scripts/screenshots.py`.

Needs playwright and a Chromium (`playwright install chromium`, or CHROMIUM=/path); takes a few minutes.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from audioformer.audio import load_audio

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from app_page import hearing, start, stop  # noqa: E402 - only after the path is known

SAMPLES = ROOT / "data_samples" / "audio"
SIZE = {"width": 1280, "height": 800}
ROOMS = "listen mask flow switches attention why map files sight results live teach".split()
SETTLE_MS = 2500  # for what is drawn after the answer
SEEN = "localStorage.setItem('audioformer-been-here', '1')"  # no offer of the tour


def sounds(pattern: str) -> list[Path]:
    """Bundled samples whose names match."""
    return sorted(path for path in SAMPLES.rglob(pattern) if path.suffix in (".ogg", ".flac", ".wav"))


def prepare(page: Page, room: str) -> None:
    """What somebody would do in a room before it shows what it can."""
    here = f".af-room[data-room={room}]"
    page.click(f"[data-tab-id={room}]")
    if room == "files":
        page.set_input_files(f"{here} .af-of-files", sounds("*")[:12])
        page.wait_for_selector(f"{here}[data-waiting='0'] tbody tr")
        for place in (0, 1):
            page.click(f"{here} tbody tr >> nth={place} >> text=yes")
    elif room == "live":
        page.click(f"{here} .af-play")
        page.wait_for_timeout(12_000)
    elif room == "teach":
        page.wait_for_function(f"document.querySelectorAll('{here} .af-start option').length > 0")
        for number, name in enumerate(("short", "long")):
            page.fill(f"{here} .af-class-name >> nth={number}", name)
            page.set_input_files(f"{here} .af-files >> nth={number}", sounds("*")[3 * number : 3 * number + 3])
            page.wait_for_selector(f"{here} .af-pupil >> nth={number} >> .af-example >> nth=2")
        page.wait_for_selector(f"{here} .af-teach:enabled")
        page.click(f"{here} .af-teach")
        page.wait_for_selector(f"{here}[data-taught]")
    elif room != "listen":
        page.wait_for_selector(f"{here}[data-answer]")
    if room == "switches":
        page.click(f"{here} .af-turn")
        page.wait_for_selector(f"{here} .af-switch small:not(:empty)")
    if room == "map":
        page.wait_for_function(f"document.querySelectorAll('{here} .af-purities li').length === 5")
    if room == "why":
        page.wait_for_selector(f"{here} .af-trust svg")


def keep(picture: bytes, path: Path, width: int) -> None:
    """A picture with 256 colours, at most so many pixels wide: a tenth of the bytes."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """All rooms, or those that are named: `python scripts/screenshots.py listen map`."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        heard = np.concatenate([load_audio(path, 48_000, mono=True).samples[0].numpy() for path in sounds("*")[:3]])
        soundfile.write(Path(folder) / "microphone.wav", heard, 48_000)
        process, address = start(Path(folder) / "log.txt")
        microphone = hearing(Path(folder) / "microphone.wav")
        for room in sys.argv[1:] or ROOMS:
            arguments = microphone if room == "live" else ["--no-sandbox"]
            browser = engine.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=arguments)
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.set_default_timeout(120_000)
            page.add_init_script(SEEN)
            page.goto(address)
            page.wait_for_selector(".af-clip[data-token]")
            prepare(page, room)
            page.wait_for_timeout(SETTLE_MS)
            keep(page.screenshot(), ROOT / "app" / "screenshots" / f"{room}.png", 1280 if room == "listen" else 960)
            browser.close()
            print(room, flush=True)
        stop(process, Path(folder) / "log.txt")


if __name__ == "__main__":
    main()
