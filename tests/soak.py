"""Thirty people at once on one server, for ten minutes: does anybody see another one's sound, does memory or disk grow?

    python tests/soak.py                             30 people, 10 minutes
    python tests/soak.py --people 5 --minutes 0.5    a quick look

A real server in a process of its own, with the bundled models; each person is a session of its own that uploads a
sound nobody else has, picks samples, asks the rooms, and thinks in between. What goes out is plain HTTP to this
computer. Ends with a table; exit status 1 if an answer was somebody else's, failed, or if memory or disk kept growing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import psutil
import soundfile

SERVER = "import json, sys; from audioformer_app import launch; launch(int(sys.argv[1]), **json.loads(sys.argv[2]))"
RATE_HZ = 16_000
TIMEOUT_S = 180
THINK_S = (1.0, 4.0)
# of the second half: what the first fills (models, caches, one state a person) is not growth
GROWTH_MB_PER_MINUTE = 20.0


def free_port() -> int:
    """A port nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The app, and how much memory and disk it takes."""

    def __init__(self, folder: Path, **options):
        self.folder, port = folder, free_port()
        self.log = (folder / "log.txt").open("wb")
        environment = {**os.environ, "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), json.dumps(options)],
            stderr=self.log,
            stdout=self.log,
            env=environment,
        )
        self.address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self.config = json.loads(urllib.request.urlopen(f"{self.address}/config", timeout=TIMEOUT_S).read())
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"the server did not start: {(folder / 'log.txt').read_text()[-2000:]}") from None
                time.sleep(0.2)

    def memory_mb(self) -> float:
        """Resident memory."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def disk_mb(self) -> float:
        """Uploads and all else in its temporary folder."""
        found = [path for path in self.folder.rglob("*") if path.name != "log.txt"]
        return sum(path.stat().st_size for path in found if path.is_file()) / 1e6

    def event(self, mark: str, name: str) -> int:
        """Number of the event `name` of the component whose description holds `mark`."""
        known = {one["id"] for one in self.config["components"] if mark in json.dumps(one.get("props", {}))}
        for one in self.config["dependencies"]:
            if any(target in known and event == name for target, event in one["targets"]):
                return one["id"]
        raise SystemExit(f"the page has no event {name} of {mark}")

    def stop(self) -> str:
        """End it; returns its log."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        return (self.folder / "log.txt").read_text()


class Person(threading.Thread):
    """A session: its own sound, its own questions, and a record of what came back."""

    def __init__(self, number: int, server: Server, until: float, samples: list[str]):
        super().__init__(daemon=True)
        self.number, self.server, self.until, self.samples = number, server, until, samples
        self.session, self.random = uuid.uuid4().hex[:12], random.Random(number)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.wrong: Counter[str] = Counter()
        self.file, self.token = None, None

    def run(self) -> None:
        """Do one thing after the other until the time is up."""
        acts = [self.upload, self.pick, self.pick, self.keep, self.mask, self.attention]
        while time.monotonic() < self.until:
            act = self.upload if self.file is None else self.random.choice(acts)
            started = time.monotonic()
            try:
                act()
                self.seconds[act.__name__].append(time.monotonic() - started)
            except Exception as error:  # whatever it is, it is counted, and the others go on
                self.wrong[f"{act.__name__}: {type(error).__name__} {str(error)[:80]}"] += 1
            time.sleep(self.random.uniform(*THINK_S))

    def post(self, path: str, body: bytes, kind: str) -> dict | list:
        """What the server says to a POST."""
        request = urllib.request.Request(self.server.address + path, body, {"content-type": kind})
        return json.loads(urllib.request.urlopen(request, timeout=TIMEOUT_S).read())

    def ask(self, event: int, data: list, event_data: dict | None = None) -> list:
        """Send an event as the page does, and wait for its outputs."""
        body = {
            "data": data,
            "event_data": event_data,
            "fn_index": event,
            "session_hash": self.session,
            "trigger_id": None,
        }
        self.post("/gradio_api/queue/join", json.dumps(body).encode(), "application/json")
        address = f"{self.server.address}/gradio_api/queue/data?session_hash={self.session}"
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    told = json.loads(line[5:])
                    if told["msg"] == "process_completed":
                        if not told["success"]:
                            raise RuntimeError(str(told["output"])[:200])
                        return told["output"]["data"]
        raise RuntimeError("no answer")

    def shown(self, answer: list, name: str) -> None:
        """The page shows a clip: it has to be the one that was asked for."""
        text = json.dumps(answer)
        files = set(re.findall(r"af-file'>([^<]+)<", text))
        if files != {name}:
            self.wrong[f"cross-talk: asked for {name}, got {sorted(files)}"] += 1
        self.file = name
        self.token = re.search(r'"{\\"token\\": \\"(\w+)', text)[1]  # of the view, which is JSON in JSON

    def mine(self, answer: list) -> None:
        """A room's reply: it has to be about the clip that this person sees."""
        reply = json.loads(answer[1]["props"]["reply"])
        if reply.get("failed"):
            raise RuntimeError(str(answer[0])[:120])
        if reply["token"] != self.token:
            self.wrong["cross-talk: a reply about another clip"] += 1

    def upload(self) -> None:
        """A tone that nobody else has, for two seconds."""
        name = f"person-{self.number:02d}-{self.random.randrange(10**6)}.wav"
        wav, edge = io.BytesIO(), uuid.uuid4().hex
        tone = 0.3 * np.sin(2 * np.pi * (200 + 30 * self.number) * np.arange(2 * RATE_HZ) / RATE_HZ)
        soundfile.write(wav, tone, RATE_HZ, format="WAV")
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        head += "Content-Type: audio/wav\r\n\r\n"
        body = head.encode() + wav.getvalue() + f"\r\n--{edge}--\r\n".encode()
        (path,) = self.post("/gradio_api/upload", body, f"multipart/form-data; boundary={edge}")
        file = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        answer = self.ask(self.server.event('"af-input"', "change"), [None, file, "compact", "esc10"])
        self.shown(answer, name)

    def pick(self) -> None:
        """One of the samples."""
        index = self.random.randrange(len(self.samples))
        answer = self.ask(self.server.event('"af-samples"', "pick"), [None, "compact", "esc10"], {"index": index})
        self.shown(answer, self.samples[index])

    def keep(self) -> None:
        """The sound of a few codebooks."""
        wanted = {"what": "keep", "n_codebooks": self.random.randint(1, 8)}
        self.mine(self.ask(self.server.event('"af-view"', "ask"), [None], wanted))

    def mask(self) -> None:
        """Codes hidden, guesses at them."""
        wanted = {"what": "look", "random": {"ratio": 0.25, "span": 5, "seed": self.number}}
        self.mine(self.ask(self.server.event("mask_room.js", "ask"), [None], wanted))

    def attention(self) -> None:
        """One head."""
        self.mine(
            self.ask(self.server.event("attention_room.js", "ask"), [None], {"what": "look", "layer": 0, "head": 0})
        )


def soak(people: int, minutes: float) -> dict:
    """Run it; returns what was measured."""
    from audioformer_app.samples import list_samples

    samples = [sample.path.name for sample in list_samples()]
    with tempfile.TemporaryDirectory(prefix="audioformer-soak-") as folder:
        server = Server(Path(folder))
        started = time.monotonic()
        crowd = [Person(number, server, started + 60 * minutes, samples) for number in range(people)]
        for person in crowd:
            person.start()
        course = []
        while time.monotonic() < started + 60 * minutes:
            course.append((round(time.monotonic() - started), round(server.memory_mb(), 1), round(server.disk_mb(), 2)))
            print(
                f"{course[-1][0]:5d} s  memory {course[-1][1]:7.1f} MB  temporary files {course[-1][2]:6.2f} MB",
                file=sys.stderr,
            )
            time.sleep(min(10.0, 6 * minutes))
        for person in crowd:
            person.join(2 * TIMEOUT_S)
        log = server.stop()
    return measured(crowd, course, log, minutes)


def measured(crowd: list[Person], course: list[tuple], log: str, minutes: float) -> dict:
    """Counts, times and growth."""
    acts = sorted({act for person in crowd for act in person.seconds})
    seconds = {act: np.array([one for person in crowd for one in person.seconds[act]]) for act in acts}
    half = [(at / 60, memory) for at, memory, _ in course if at >= 30 * minutes]
    growth = np.polyfit(*zip(*half, strict=True), 1)[0] if len(half) > 2 else float("nan")
    return {
        "people": len(crowd),
        "minutes": minutes,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "answers": {act: len(times) for act, times in seconds.items()},
        "median_s": {act: round(float(np.median(times)), 2) for act, times in seconds.items()},
        "p95_s": {act: round(float(np.quantile(times, 0.95)), 2) for act, times in seconds.items()},
        "wrong": dict(sum((person.wrong for person in crowd), Counter())),
        "tracebacks": log.count("Traceback"),
        "memory_mb": {"first": course[0][1], "last": course[-1][1], "most": max(one[1] for one in course)},
        "memory_growth_mb_per_minute": round(float(growth), 2),
        "temporary_mb": course[-1][2],
        "course": course,
    }


def main() -> int:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    found = soak(options.people, options.minutes)
    print(json.dumps({name: value for name, value in found.items() if name != "course"}, indent=2))
    growing = found["memory_growth_mb_per_minute"] > GROWTH_MB_PER_MINUTE and options.minutes >= 5
    return int(bool(found["wrong"]) or bool(found["tracebacks"]) or growing or not found["answers"])


if __name__ == "__main__":
    sys.exit(main())
