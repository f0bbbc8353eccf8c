"""How time and memory grow with the length of a sound and with the number of clips.

    audioformer bench growth

Reading alone (no gradient) for one clip of 1 s to 10 min, whole and in windows; a step of training for 1 to 64 clips of
5 s. A codec of 75 frames a second gives 75 tokens a second and row. Attention compares every position with every other,
so that its share of the time grows with the square of the length. `classify`, `embed`, HEAR and the app read what is
longer than a window in windows of 5 s that overlap by half, where time grows in proportion and memory does not grow.

Shapes: B clips, T frames.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from audioformer.classifier import Classifier
from audioformer.config import EncoderConfig, MaskConfig
from audioformer.evaluation.benches import machine, row
from audioformer.masking import mask_tokens
from audioformer.model import AudioFormer
from audioformer.predict import predict_codes
from audioformer.pretrain import mlm_loss
from audioformer.recipes import preset
from audioformer.tokens import wrap

FRAME_RATE = 75  # Hz
LENGTHS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
BATCH_S = 5
STATM = Path("/proc/self/statm")


class PeakMemory:
    """Context: the most memory this process had above what it had at the start, bytes; None where /proc is missing."""

    peak: int | None = None

    def __enter__(self) -> PeakMemory:
        gc.collect()
        if STATM.exists():
            _give_back()
            self.start, self.peak, self.going = resident(), 0, True
            self.watcher = threading.Thread(target=self._watch, daemon=True)
            self.watcher.start()
        return self

    def _watch(self) -> None:
        while self.going:
            self.peak = max(self.peak, resident() - self.start)
            time.sleep(0.002)

    def __exit__(self, *exc) -> None:
        if self.peak is not None:
            self.going = False
            self.watcher.join()


def resident() -> int:
    """Memory of this process, bytes."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _give_back() -> None:
    """Ask the C library to return freed memory to the system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def bench_growth(
    sizes: EncoderConfig | None = None,
    longest_s: float = 600.0,
    largest: int = 64,
    repeats: int = 3,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Measure.

    Args:
        sizes: of the model; None: the preset "tiny" with one row.
        longest_s: leave out longer clips, seconds.
        largest: leave out larger batches.
        repeats: of each case, after one that is not counted; the median counts. Cases beyond 10 s run once.
        progress: called with what is being measured.

    Returns:
        The benchmark: "ours" is the time, s; "tokens" in it, "tokens_per_s", "peak_mb" of memory, and "growth", the
        exponent g in time ~ tokens^g against the case before. There is no peer.
    """
    sizes = (sizes or preset("tiny", n_codebooks=1)).with_changes(
        max_positions=round(FRAME_RATE * max(longest_s, BATCH_S)) + 2
    )
    torch.manual_seed(0)
    model, table = AudioFormer(sizes), []
    for length_s in (s for s in LENGTHS_S if s <= longest_s):
        if progress:
            progress(f"one clip of {length_s} s")
        tokens = FRAME_RATE * length_s + 2
        ways = {"length": ("", _reading)} | ({"windows": (", in windows", _windows)} if length_s > BATCH_S else {})
        for kind, (how, way) in ways.items():
            table.append(
                _case(f"reading 1 clip of {length_s} s{how}", kind, way(model, length_s), tokens, repeats, table)
            )
    for n_clips in (n for n in BATCHES if n <= largest):
        if progress:
            progress(f"{n_clips} clips of {BATCH_S} s")
        tokens = n_clips * (FRAME_RATE * BATCH_S + 2)
        table.append(
            _case(f"training step, {n_clips} x {BATCH_S} s", "batch", _step(model, n_clips), tokens, repeats, table)
        )
    n_weights = sum(p.numel() for p in model.parameters())
    return {"name": "growth", "n_weights": n_weights, "machine": machine(), "rows": table}


def _reading(model: AudioFormer, length_s: float) -> Callable[[], None]:
    batch = _codes(model, 1, round(length_s * FRAME_RATE))

    def run() -> None:
        with torch.inference_mode():
            model.eval().embedding(batch.tokens, batch.padding)

    return run


def _windows(model: AudioFormer, length_s: float) -> Callable[[], None]:
    """As `AudioClassifier.embed` reads it."""
    classifier = Classifier.from_pretrained(model, n_classes=1).eval()
    codes = _codes(model, 1, round(length_s * FRAME_RATE)).tokens[0, :, 1:-1]
    return lambda: predict_codes(classifier, [codes], FRAME_RATE * BATCH_S, multi_label=False)


def _step(model: AudioFormer, n_clips: int) -> Callable[[], None]:
    batch = _codes(model, n_clips, BATCH_S * FRAME_RATE)
    masked, hidden = mask_tokens(batch, MaskConfig(), torch.Generator().manual_seed(0))

    def run() -> None:
        model.train().zero_grad(set_to_none=True)
        mlm_loss(model, batch.tokens, batch.padding, masked, hidden).loss.backward()

    return run


def _codes(model: AudioFormer, n_clips: int, n_frames: int):
    generator, size = torch.Generator().manual_seed(0), model.config.codebook_size
    return wrap(torch.randint(0, size, (n_clips, model.config.n_codebooks, n_frames), generator=generator), None, size)


def _case(case: str, kind: str, run: Callable[[], None], tokens: int, repeats: int, before: list[dict]) -> dict:
    started = time.perf_counter()
    with PeakMemory() as memory:
        run()
    times = [time.perf_counter() - started]
    if times[0] < 10:
        times = [_timed(run) for _ in range(repeats)] or times
    seconds = statistics.median(times)
    last = next((line for line in reversed(before) if line["kind"] == kind), None)
    growth = None
    if last is not None:
        growth = torch.tensor(seconds / last["ours"]).log().item() / torch.tensor(tokens / last["tokens"]).log().item()
    peak_mb = None if memory.peak is None else memory.peak / 2**20
    return row(
        case, seconds, "s", kind=kind, tokens=tokens, tokens_per_s=tokens / seconds, peak_mb=peak_mb, growth=growth
    )


def _timed(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure with the options of the command line."""
    return bench_growth(preset(arguments.preset, n_codebooks=1), arguments.longest, arguments.largest, progress=show)


COLUMNS = {
    "case": "case",
    "seconds": "ours",
    "tokens": "tokens",
    "tokens/s": "tokens_per_s",
    "peak (MB)": "peak_mb",
    "exponent": "growth",
}
