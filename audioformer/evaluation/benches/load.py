"""How fast the kit stays beside busy programs: the codec and a classifier with no, one, two and four busy neighbours.

    audioformer bench load

Three ways, each in a process of its own, for the policy is read when torch loads: the kit's (torch's threads, those
that wait asleep), one thread, and spinning (torch's threads as OpenMP leaves them: who waits, computes in circles). The
neighbours do nothing but count, at the lowest priority or, with --nice 0, at the kit's own. What counts is the ratio to
one thread under the same load, and to one thread when nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, row

NEIGHBOUR = "import os; os.nice({nice})\nwhile True: pass"
JOBS = ("encode", "decode", "classify")
WAYS = {  # what the process is told, and how many threads torch may use (0: as it likes)
    "ours": ({"OMP_WAIT_POLICY": "PASSIVE"}, 0),
    "one thread": ({"OMP_WAIT_POLICY": "PASSIVE"}, 1),
    "spinning": ({"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "INFINITY"}, 0),
}
MEASURE = """
import json, sys, time
import audioformer as af
import torch
seconds, threads = float(sys.argv[1]), int(sys.argv[2])
if threads:
    torch.set_num_threads(threads)
clf = af.load("esc10")
sound = af.Waveform(0.1 * torch.randn(1, 5 * 24_000, generator=torch.Generator().manual_seed(0)), 24_000)
codes = clf.codec.encode(sound)
jobs = {
    "encode": lambda: clf.codec.encode(sound),
    "decode": lambda: clf.codec.decode(codes),
    "classify": lambda: clf.classify(sound),
}
speeds = {}
for name, job in jobs.items():
    job()
    start, n = time.perf_counter(), 0
    while not n or time.perf_counter() - start < seconds:
        job()
        n += 1
    speeds[name] = 5 * n / (time.perf_counter() - start)
print(json.dumps(speeds))
"""


@contextmanager
def neighbours(n: int, nice: int) -> Iterator[None]:
    """So many busy programs beside this one, at a priority from 0 (this one's) to 19 (the lowest)."""
    with ExitStack() as stack:
        for _ in range(n):
            busy = subprocess.Popen([sys.executable, "-c", NEIGHBOUR.format(nice=nice)])
            stack.callback(busy.wait)
            stack.callback(busy.kill)
        yield


def speeds(way: str, seconds: float) -> dict[str, float]:
    """Seconds of sound a second for each of JOBS, each measured for so many seconds in a fresh process.

    Raises:
        AudioformerError: the process failed.
    """
    environment, threads = WAYS[way]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", MEASURE, str(seconds), str(threads)]
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True)
    if done.returncode:
        raise AudioformerError(f"bench load, {way}: the measuring process failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure every way beside every number of neighbours, in turn."""
    found = {}
    for n in arguments.busy:
        with neighbours(n, arguments.nice):
            for way in WAYS:
                show(f"{n} busy neighbours: {way}")
                found[n, way] = speeds(way, arguments.seconds)
    rows = []
    for n in arguments.busy:
        for job in JOBS:
            ours, one, spinning = (found[n, way][job] for way in WAYS)
            idle = found[0, "one thread"][job] if 0 in arguments.busy else None
            about = {"job": job, "busy": n, "nice": arguments.nice, "spinning": spinning}
            about["to_idle"] = ours / idle if idle else None
            rows.append(row(f"{job} beside {n} busy programs", ours, "times real time", one, **about))
    return {"name": "load", "machine": machine(), "rows": rows}


COLUMNS = {
    "job": "job",
    "busy programs": "busy",
    "x real time": "ours",
    "one thread": "peer",
    "ratio": "ratio",
    "spinning": "spinning",
    "to one thread idle": "to_idle",
}
