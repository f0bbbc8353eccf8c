"""Damaged checkpoints, codecs, codes files and corpora: `python -m tests.fuzz_files --seconds 60 --seed 0`.

What must hold for each: it opens and gives what it should, or it is refused by one AudioformerError of one line; no
other exception, no hang, memory within a bound. Ends with JSON; exit status 1 if anything was found.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # as with pytest, so that the modules beside this one are found

import torch  # noqa: E402
from tiny import codec_about, coded_clips, tiny_codec, tone_folder  # noqa: E402

from audioformer.classify import load  # noqa: E402
from audioformer.codecs import load_codec  # noqa: E402
from audioformer.codecs.codes_file import load_codes, save_codes  # noqa: E402
from audioformer.codecs.compact_files import save_compact  # noqa: E402
from audioformer.data.corpus import Corpus  # noqa: E402
from audioformer.data.datasets import open_dataset  # noqa: E402
from audioformer.data.prepare import prepare  # noqa: E402
from audioformer.errors import AudioformerError  # noqa: E402
from audioformer.finetune import FineTuning  # noqa: E402
from audioformer.model import AudioFormer  # noqa: E402
from audioformer.recipes import finetune_preset, preset  # noqa: E402

MORE_MEMORY, HANGS_S = 1 << 30, 20  # bytes beyond those after the first of each kind; seconds for one file
ODD = [
    None,
    [],
    {},
    "text",
    -1,
    0,
    10**9,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    True,
    "9" * 5000,
    ["x"] * 50,
    "\x1b[31m",
]


def make_seeds(folder: Path) -> dict[str, Callable[[Path], object]]:
    """A whole file or folder of each kind under its name in the folder, and how to open it."""
    codec = tiny_codec()
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=2))
    task = FineTuning(finetune_preset("test"), model, coded_clips(4), ["low", "high"], False, codec_about(codec))
    task.export(folder / "checkpoint", None, None)
    save_codes(folder / "codes.safetensors", torch.stack([clip.codes for clip in coded_clips(2)]), codec, 24_000)
    list(prepare(open_dataset("folder", tone_folder(folder / "tones")), codec, folder / "corpus"))

    def classify(path: Path):
        return load(path, codec=codec).classify_codes(coded_clips(1)[0].codes).probabilities

    def decode(path: Path):
        found = load_codes(path)
        return codec.decode(found.codes, n_samples=found.n_samples)

    def read(path: Path):
        corpus = Corpus.open(path)
        return [corpus[i].codes.sum() for i in range(len(corpus))]

    def code(path: Path):
        return load_codec(path).encode(torch.zeros(4_000), 24_000)

    save_compact(tiny_codec(), folder / "codec")
    return {"checkpoint": classify, "codes.safetensors": decode, "corpus": read, "codec": code}


def damage_bytes(path: Path, rng: random.Random) -> None:
    """Change, cut, lengthen or empty a file."""
    data = bytearray(path.read_bytes())
    how = rng.choice(["flip", "flip", "flip", "cut", "grow", "header", "empty"]) if data else "grow"
    if how == "flip":
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif how == "cut":
        del data[rng.randrange(len(data)) :]
    elif how == "grow":
        data += bytes(rng.randrange(1, 5000))
    elif how == "header":
        data[:8] = rng.choice([2**63, 2**40, 5 << 20, 0]).to_bytes(8, "little")
    path.write_bytes(b"" if how == "empty" else bytes(data))


def damage_json(path: Path, rng: random.Random) -> None:
    """Put an odd value somewhere into a JSON document, or take an entry out."""
    document = json.loads(path.read_text())
    place = document
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.6:
            place = inner
            continue
        if rng.random() < 0.2:
            del place[key]
        else:
            place[key] = rng.choice(ODD)
        break
    path.write_text(json.dumps(document))


def attack(seconds: float, seed: int, folder: Path) -> dict:
    """Damage and open until the time is over; gives counts and findings."""
    rng, found, counts = random.Random(seed), [], Counter()
    seeds = make_seeds(folder)
    for name, opened in seeds.items():
        opened(folder / name)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + MORE_MEMORY
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(found) < 20:
        name = rng.choice(list(seeds))
        target = folder / f"damaged-{name}"
        (shutil.copytree if (folder / name).is_dir() else shutil.copy)(folder / name, target)
        files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
        file = rng.choice(files)
        (damage_json if file.suffix == ".json" and rng.random() < 0.8 else damage_bytes)(file, rng)
        what = f"{name}: {file.name}, number {sum(counts.values())}"
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            seeds[name](target)
            counts["opened"] += 1
        except AudioformerError as error:
            counts["refused"] += 1
            if "\n" in str(error) or "\x1b" in str(error):
                found.append(f"{what}: more than a line, or control characters: {str(error)[:200]!r}")
        except Exception as error:  # what is looked for
            found.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
        faulthandler.cancel_dump_traceback_later()
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > most:
            found.append(f"{what}: memory above the bound")
            break
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    return {"files": sum(counts.values()) + len(found), **counts, "findings": found}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = attack(arguments.seconds, arguments.seed, Path(folder))
    print(json.dumps({"seconds": arguments.seconds, "seed": arguments.seed, **report}, indent=1))
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
