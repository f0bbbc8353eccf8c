"""How fast is the page without a server? Chromium opens it from this computer; beside it the library, in the same run.

    audioformer web -o site
    python tests/time_page.py site

One line of JSON: times in seconds (least, median), memory of the page's process in MB, what Live lost of 20 s, and the
load of the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import torch
from app_page import chromium

import audioformer
from audioformer.audio import load_audio
from audioformer.files import samples_folder

N_TIMES, SECONDS, LIVE_S = 9, 5, 20
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SOUND = samples_folder() / "audio" / "2-900006-A-11.ogg"
TIMES = """async (list) => {
  const samples = Float32Array.from(list);
  return (await audioformerPage.engine.ask("listen", "open", { samples, name: "timed" })).took;
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A web host that says nothing."""

    def log_message(self, *_):
        """Nothing."""


def memory_mb() -> float:
    """Of the process of this user's Chromium that holds most: its share of what is shared counted in."""
    found = [0]
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" in (place / "cmdline").read_bytes():
                text = (place / "smaps_rollup").read_text()
                found.append(next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")))
        except OSError:
            continue
    return max(found) / 1024


def main(folder: str) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    clf = audioformer.load("esc10")
    samples = load_audio(SOUND, 24_000, mono=True).samples[0][: 24_000 * SECONDS]
    samples = torch.cat([samples, samples])[: 24_000 * SECONDS]
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    microphone = load_audio(SOUND, 48_000, mono=True).samples[0].numpy()
    encode, label, library = [], [], []
    with tempfile.TemporaryDirectory() as place, chromium(CHROMIUM, microphone, Path(place)) as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{host.server_port}/")
        page.wait_for_selector("body[data-clip=clip-1]")
        page.wait_for_function("globalThis.audioformerPage")
        opened_s = page.evaluate("performance.now()") / 1000
        paint_s = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
        for _ in range(N_TIMES):
            took = page.evaluate(TIMES, samples.tolist())
            encode.append(took["encode_ms"] / 1000)
            label.append(took["label_ms"] / 1000)
            began = time.perf_counter()
            clf.classify_codes(clf.codec.encode(samples, 24_000)[0])
            library.append(time.perf_counter() - began)
        page.click("#af-tab-live")
        page.click("#af-live .af-listen-live")
        page.wait_for_selector("#af-live .af-live[data-answers]")
        page.wait_for_timeout(1000 * LIVE_S)  # a length of time is what is measured here
        live = page.evaluate("({ ...document.querySelector('#af-live .af-live').dataset })")
        both = [sum(pair) for pair in zip(encode, label, strict=True)]
        found = {
            "first_paint_s": paint_s,
            "first_clip_named_s": opened_s,
            "encode_s": [min(encode), median(encode)],
            "sound_to_label_s": [min(both), median(both)],
            "library_sound_to_label_s": [min(library), median(library)],
            "times_real_time": SECONDS / min(encode),
            "memory_mb": memory_mb(),
            "live": live,
            "load": os.getloadavg(),
            "n": N_TIMES,
        }
        print(json.dumps(found))
    host.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
