"""Thousands of damaged sound files through the one door: `python -m tests.fuzz_sounds --seconds 60 --seed 0`.

What must hold for each: no exception but AudioformerError, in one line; no hang; memory within a bound; and of a sound
that was damaged behind its header, nothing shorter than before without a word.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from sounds import coded, tone, without_counting_frame, without_length  # noqa: E402

from audioformer.audio import load_audio  # noqa: E402
from audioformer.errors import AudioformerError  # noqa: E402

RATE, N = 8000, 12_000
MORE_MEMORY = 2 << 30  # bytes
HANGS_S = 20
FORMS = {  # name: (format, subtype, bytes of its header, in which damage may change what the whole file means)
    "wav": ("WAV", "PCM_16", 64),
    "wav24": ("WAV", "PCM_24", 64),
    "ima": ("WAV", "IMA_ADPCM", 96),
    "ms": ("WAV", "MS_ADPCM", 128),
    "gsm": ("WAV", "GSM610", 96),
    "float": ("WAV", "FLOAT", 96),
    "rf64": ("RF64", "PCM_16", 128),
    "aiff": ("AIFF", "PCM_16", 96),
    "au": ("AU", "PCM_16", 64),
    "caf": ("CAF", "PCM_16", 4200),
    "alac": ("CAF", "ALAC_16", 4200),
    "w64": ("W64", "PCM_16", 160),
    "flac": ("FLAC", "PCM_16", 4200),
    "vorbis": ("OGG", "VORBIS", 5000),
    "opus": ("OGG", "OPUS", 400),
    "mp3": ("MP3", None, 1100),
    "voc": ("VOC", "PCM_16", 64),
    "nist": ("NIST", "PCM_16", 1024),
    "svx": ("SVX", "PCM_16", 128),
    "mat5": ("MAT5", "PCM_16", 400),
}


def seeds() -> dict[str, tuple[bytes, int]]:
    """(file, bytes of its header) by name."""
    rng = np.random.default_rng(7)
    noise = (0.3 * tone(N, RATE) + 0.1 * rng.standard_normal((N, 1))).astype(np.float32)
    found = {name: (coded(noise, RATE, form, subtype), header) for name, (form, subtype, header) in FORMS.items()}
    found["flac of unknown length"] = (without_length(found["flac"][0]), found["flac"][1])
    found["mp3 without a count"] = (without_counting_frame(found["mp3"][0]), found["mp3"][1])
    return found


def damaged(content: bytes, header: int, rng: np.random.Generator, others: list[bytes]) -> tuple[bytes, str]:
    """A file with one to four kinds of damage, and their names."""
    names = []
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.5 else 1):
        name = str(rng.choice(["cut", "hole", "bits", "header", "insert", "remove", "join", "tail", "zeros"]))
        data, size = bytearray(content), len(content)
        behind = int(rng.integers(min(header, size), size + 1))
        if name == "cut":
            data = data[:behind]
        elif name == "hole":
            hole = rng.bytes(int(rng.integers(1, 200)))
            data[behind : behind + len(hole)] = hole[: size - behind]
        elif name == "zeros":
            data[behind : behind + 500] = bytes(len(data[behind : behind + 500]))
        elif name == "bits" and size > header:
            for place in rng.integers(header, size, int(rng.integers(1, 8))):
                data[place] ^= 1 << int(rng.integers(8))
        elif name == "header":
            for place in rng.integers(0, min(header, size) or 1, int(rng.integers(1, 6))):
                data[place : place + 1] = bytes([int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))])
        elif name == "insert":
            data[behind:behind] = rng.bytes(int(rng.integers(1, 300)))
        elif name == "remove":
            del data[behind : behind + int(rng.integers(1, 300))]
        elif name == "join":
            data += others[int(rng.integers(len(others)))]
        elif name == "tail":
            data += rng.bytes(int(rng.integers(1, 300)))
        content = bytes(data)
        names.append(name)
    return content, "+".join(names)


class Campaign:
    """Damaged files one by one; `findings` are what must not be."""

    def __init__(self, seed: int, folder: Path):
        self.rng, self.path, self.findings, self.counts = np.random.default_rng(seed), folder / "a.bin", [], Counter()
        self.seeds = seeds()
        self.names, self.files = list(self.seeds), [content for content, _ in self.seeds.values()]
        self.whole = {}
        for name, (content, _) in self.seeds.items():
            self.path.write_bytes(content)
            self.whole[name] = load_audio(self.path).samples.shape[1]

    def one(self) -> None:
        """Damage one file, read it, and look at what came."""
        name = self.names[int(self.rng.integers(len(self.names)))]
        content, header = self.seeds[name]
        bad, damage = damaged(content, header, self.rng, self.files)
        self.path.write_bytes(bad)
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            found = load_audio(self.path, mono=bool(self.rng.random() < 0.5), max_s=600)
            self.counts["read, with a word" if found.notes else "read"] += 1
            short = found.samples.shape[1] < self.whole[name] - (1152 if name.startswith("mp3") else 0)
            unseen = {"header", "remove"} | ({"cut"} if "without a count" in name else set())  # cut between two frames
            if short and not found.notes and not unseen & set(damage.split("+")):
                self.finding(name, damage, bad, f"{found.samples.shape[1]} of {self.whole[name]} without a word")
        except AudioformerError as error:
            self.counts["refused"] += 1
            if "\n" in str(error) or not str(error).startswith("a.bin: "):
                self.finding(name, damage, bad, f"message {str(error)!r}")
        except Exception as error:  # what must not be is a finding, not an end
            self.finding(name, damage, bad, repr(error))
        finally:
            faulthandler.cancel_dump_traceback_later()

    def finding(self, name: str, damage: str, content: bytes, what: str) -> None:
        """Note it, and keep the first files."""
        self.findings.append(f"{name}, {damage}: {what}")
        if len(self.findings) <= 20:
            self.path.with_name(f"finding-{len(self.findings)}.bin").write_bytes(content)

    def run(self, seconds: float) -> int:
        """For so long; the number of files."""
        n, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            self.one()
            n += 1
        return n


def main() -> int:
    """The command; exit status 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="folder for the files that were found")
    arguments = parser.parse_args()
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, -1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as temporary:
        campaign = Campaign(arguments.seed, Path(arguments.keep or temporary))
        n = campaign.run(arguments.seconds)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    counts = ", ".join(f"{count} {what}" for what, count in campaign.counts.most_common())
    print(f"{n} files in {arguments.seconds:.0f} s, seed {arguments.seed}: {counts}; {more:.0f} MB more memory at most")
    for line in campaign.findings[:50]:
        print("finding:", line)
    print(f"{len(campaign.findings)} findings")
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
