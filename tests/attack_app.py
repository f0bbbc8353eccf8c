"""Attack the app for a while: invented sessions, odd bodies and uploads. Its memory and its log have to stay small.

    python -m tests.attack_app --seconds 600 --seed 0      ten minutes
    python -m tests.attack_app --seconds 60 --seed 0       a minute

A real server with small models runs in a process of its own. Ends with JSON; exit status 1 if memory or log grew beyond
`GROWTH_MB` and `LOG_MB`, if an answer took longer than `SLOWEST_S`, or if the log shows a traceback.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # as with pytest, so that the modules beside this one are found

from app_weights import make_weights
from soak import Server

GROWTH_MB, LOG_MB, SLOWEST_S = 250.0, 1.0, 60.0
ATTACKERS, HONEST_S = 8, 1.0
JSON_KIND = {"content-type": "application/json"}
NAMES = [
    "",
    "a.wav",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>.wav",
    "x" * 300,
    "\u202egnp.wav",
    "a\r\nb.wav",
    ".",
]
ODD = [
    None,
    [],
    "text",
    -1,
    10**400,
    1e308,
    float("inf"),
    True,
    {"a": []},
    "9" * 5000,
    "../steps",
    "<b>",
    "\x00",
    ["x"] * 50,
]
WORDS = [
    "index",
    "what",
    "n_codebooks",
    "row",
    "frame",
    "edits",
    "hidden",
    "random",
    "name",
    "sample",
    "codec",
    "checkpoint",
]
WORDS += [
    "pcm",
    "rate",
    "first",
    "frames",
    "columns",
    "take",
    "start_s",
    "end_s",
    "path",
    "task",
    "classes",
    "method",
    "label",
]
ASKED = [
    "look",
    "listen",
    "change",
    "curve",
    "codebook",
    "entry",
    "rows",
    "trust",
    "hear",
    "hello",
    "add",
    "forget",
    "stop",
]


class Attacker(threading.Thread):
    """One connection after the other, until the time is up."""

    def __init__(self, server: Server, seed: int, until: float):
        super().__init__(daemon=True)
        self.server, self.until, self.random = server, until, random.Random(seed)
        self.events = [one for one in server.config["dependencies"] if one["backend_fn"]]
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        acts = [
            self.pick_and_leave,
            self.large,
            self.endless,
            self.odd,
            self.odd,
            self.upload,
            self.sound,
            self.connect,
        ]
        while time.monotonic() < self.until:
            act = self.random.choice(acts)
            try:
                self.statuses[f"{act.__name__} {act()}"] += 1
            except (OSError, http.client.HTTPException) as error:  # refused before all was sent
                self.statuses[f"{act.__name__} {type(error).__name__}"] += 1

    def send(self, path: str, body=None, headers: dict | None = None, **options) -> int:
        """Status of an answer."""
        connection = http.client.HTTPConnection(self.server.address.removeprefix("http://"), timeout=120)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers or JSON_KIND, **options)
            answer = connection.getresponse()
            answer.read(2**20)
            return answer.status
        finally:
            connection.close()

    def event(self, event: dict, data, event_data, session: str | None = None) -> bytes:
        """The body of an event, of an invented session."""
        name = self.random.randbytes(6).hex() if session is None else session
        body = {
            "data": data,
            "event_data": event_data,
            "fn_index": event["id"],
            "session_hash": name,
            "trigger_id": None,
        }
        return json.dumps(body).encode()

    def named(self, mark: str) -> dict:
        """The event of that name."""
        return next(one for one in self.events if any(mark == event for _, event in one["targets"]))

    def pick_and_leave(self) -> int:
        """A sample is picked, and nobody fetches the answer."""
        body = self.event(self.named("pick"), [None, "small", "animals"], {"index": self.random.randrange(20)})
        return self.send("/gradio_api/queue/join", body)

    def large(self) -> int:
        """Twenty megabytes in the place of a choice."""
        body = self.event(self.named("pick"), [None, "x" * 20 * 2**20, "animals"], {"index": 0})
        return self.send("/gradio_api/queue/join", body)

    def endless(self) -> int:
        """A body that does not say how long it is."""
        parts = (b"x" * 2**16 for _ in range(1000))
        return self.send(
            self.random.choice(["/gradio_api/queue/join", "/login", "/gradio_api/reset"]), parts, encode_chunked=True
        )

    def odd(self) -> int:
        """An event with something else in it than it should have."""
        event = self.random.choice(self.events)
        told = {word: self.random.choice(ODD) for word in self.random.sample(WORDS, 6)}
        told["what"] = self.random.choice([*ASKED, *map(str, ODD)])
        data = self.random.choice(
            [[None] * len(event["inputs"]), [self.random.choice(ODD)] * len(event["inputs"]), [], None]
        )
        session = self.random.choice([None, "one", "", "x" * 1000, "../x"])
        return self.send("/gradio_api/queue/join", self.event(event, data, self.random.choice([told, *ODD]), session))

    def upload(self) -> int:
        """A file with an odd name, or no file."""
        name = self.random.choice(NAMES).replace("\r\n", "%0d%0a")
        head = (
            f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: audio/wav\r\n\r\n'
        )
        body = head.encode() + self.random.randbytes(self.random.choice([0, 100, 10**6])) + b"\r\n--x--\r\n"
        body = self.random.choice([body, body[:50], body.replace(b"filename", b"other")])
        return self.send("/gradio_api/upload", body, {"content-type": "multipart/form-data; boundary=x"})

    def sound(self) -> int:
        """A portion of sound for a listener that nobody reads."""
        pcm = base64.b64encode(self.random.randbytes(2 * 48_000)).decode() * self.random.choice([1, 10, 40])
        told = {
            "pcm": pcm,
            "rate": 48_000,
            "first": 0,
            "frames": 0,
            "columns": 0,
            "take": self.random.randbytes(4).hex(),
        }
        return self.send("/gradio_api/queue/join", self.event(self.named("push"), ["small", "animals"], told))

    def connect(self) -> int:
        """A connection that stays open is opened and left."""
        name = self.random.randbytes(6).hex()
        path = self.random.choice([f"heartbeat/{name}", f"queue/data?session_hash={name}", "heartbeat/../x"])
        connection = http.client.HTTPConnection(self.server.address.removeprefix("http://"), timeout=120)
        connection.request("GET", f"/gradio_api/{path}")
        answer = connection.getresponse()
        answer.read(10)
        connection.close()
        return answer.status


def attack(seconds: float, seed: int) -> dict:
    """Run it; returns what was measured."""
    with tempfile.TemporaryDirectory(prefix="audioformer-attack-") as folder:
        codecs, checkpoints, pretrained = make_weights(Path(folder))
        server = Server(Path(folder), codecs=codecs, checkpoints=checkpoints, pretrained=pretrained)
        warm = Attacker(server, seed, time.monotonic() + max(5.0, seconds / 6))
        warm.start()  # models are opened and pictures are made: memory that one visitor needs, too
        warm.join()
        before, course, waits = server.memory_mb(), [], []
        attackers = [Attacker(server, seed + 1 + n, time.monotonic() + seconds) for n in range(ATTACKERS)]
        for attacker in attackers:
            attacker.start()
        while any(attacker.is_alive() for attacker in attackers):
            asked = time.monotonic()
            attackers[0].send("/config")
            waits.append(time.monotonic() - asked)
            course.append(round(server.memory_mb(), 1))
            time.sleep(HONEST_S)
        time.sleep(16)  # freed memory goes back to the system every 15 s
        after, log = server.memory_mb(), server.stop()
    return {
        "seconds": seconds,
        "seed": seed,
        "requests": dict(sorted(sum((attacker.statuses for attacker in attackers), Counter()).items())),
        "memory_mb": {"before": round(before, 1), "most": max(course), "after": round(after, 1)},
        "growth_mb": round(after - before, 1),
        "log_mb": round(len(log) / 1e6, 3),
        "slowest_s": round(max(waits), 2),
        "tracebacks": log.count("Traceback"),
        "errors": dict(
            Counter(line[:160] for line in re.findall(r"^[\w.]*(?:Error|Exception)[^\n]*", log, re.MULTILINE))
        ),
    }


def faults(found: dict) -> list[str]:
    """What went wrong."""
    rules = {
        f"memory grew by {found['growth_mb']} MB, allowed are {GROWTH_MB}": found["growth_mb"] > GROWTH_MB,
        f"the log has {found['log_mb']} MB, allowed is {LOG_MB}": found["log_mb"] > LOG_MB,
        f"an answer took {found['slowest_s']} s, allowed are {SLOWEST_S}": found["slowest_s"] > SLOWEST_S,
        f"{found['tracebacks']} tracebacks in the log": found["tracebacks"] > 0,
        "nothing was sent": not found["requests"],
    }
    return [text for text, wrong in rules.items() if wrong]


def main() -> int:
    """Parse, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    found = attack(**vars(parser.parse_args()))
    print(json.dumps(found, indent=2))
    for fault in faults(found):
        print(fault, file=sys.stderr)
    return int(bool(faults(found)))


if __name__ == "__main__":
    sys.exit(main())
