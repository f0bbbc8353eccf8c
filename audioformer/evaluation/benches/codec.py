"""How much of a sound a codec keeps, beside Opus at the same rates and above: all of it in one run.

    audioformer bench codec ESC-10/audio --include '4-*' --codes-of train --classify esc50 ESC-10 '4-*'

    ladder    distances with 1, 2, ... K codebooks: multi-scale log-mel, and the waveform's (SI-SDR)
    kept      accuracy of a classifier trained on originals, on decoded sounds (codec_classification.py)
    codes     how many entries of each codebook are in use
    cost      speed, size, what silence becomes

Shapes: N samples, K codebooks, V entries each, M = 2 measures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import load_audio
from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.codecs.distances import mel_distance, si_sdr_db
from audioformer.data.datasets import open_dataset
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, row
from audioformer.evaluation.benches.codec_classification import ClassifierTest, classifier_rows
from audioformer.evaluation.benches.opus import opus_rates, through_opus
from audioformer.metrics import perplexity
from audioformer.reading.files import sound_files
from audioformer.reading.sound import log_notes

MEL, WAVE = range(2)
PEER_KBPS = 12  # the peer in the table


def bench_codec(
    codec: Codec,
    files: Sequence[Path],
    max_s: float = 10.0,
    show: Callable[[str], None] | None = None,
    codes_of: Sequence[Path] = (),
    tests: Sequence[ClassifierTest] = (),
) -> dict:
    """Measure a codec.

    Args:
        codec: mono.
        files: recordings it was not trained on.
        max_s: at most this much of each, seconds.
        show: called with what is measured and how much of it is done.
        codes_of: recordings on which the use of codes is counted, whole; none takes `files`.
        tests: classifiers to train and test.

    Returns:
        The benchmark; each row names its "section". In the ladder "ours" is the log-mel distance (natural-log units),
        beside "si_sdr_db" (dB), medians over files; peer is libopus at 12 kbit/s, where Debian's opus-tools are
        installed; ratio is ours / peer, below 1 is closer.

    Raises:
        AudioformerError: no files, or one that cannot be read.
    """
    if not files:
        raise AudioformerError("no sound files to measure on; check the folder and --include")
    show = show or (lambda _: None)
    rows = _distance_rows(codec, files, max_s, show)
    for test in tests:
        rows += classifier_rows(codec, test, show)
    rows += usage_rows(code_counts(codec, codes_of or files, show)) + [_silence_row(codec), _size_row(codec)]
    about = {
        "codec": codec.name,
        "fingerprint": codec.fingerprint,
        "n_files": len(files),
        "n_files_of_codes": len(codes_of or files),
    }
    return {"name": "codec", **about, "machine": machine(), "rows": rows}


def _distance_rows(codec: Codec, files: Sequence[Path], max_s: float, show: Callable[[str], None]) -> list[dict]:
    """The ladder, Opus beside it, and speeds."""
    ours: list[list[np.ndarray]] = []
    peers: dict[int, list[np.ndarray]] = {kbps: [] for kbps in opus_rates()}
    speeds = []
    codec.decode(codec.encode(torch.zeros(codec.sample_rate), codec.sample_rate))  # the first time is slower
    for done, path in enumerate(files, 1):
        sound = log_notes(path, load_audio(path, codec.sample_rate, mono=True))
        clip = sound.samples[0, : round(max_s * codec.sample_rate)]
        ladder, spent_s = _ladder(codec, clip)
        ours.append(ladder)
        speeds.append(len(clip) / codec.sample_rate / spent_s)
        for kbps, results in peers.items():
            results.append(distances(through_opus(clip, codec.sample_rate, kbps), clip, codec.sample_rate))
        show(f"distances: {done} of {len(files)} files")
    peer = {kbps: np.median(results, 0) for kbps, results in peers.items()}
    steps = np.median(ours, 0)
    table = [_row(f"{k} codebooks, {codec.bandwidth_kbps(k):g} kbit/s", m, peer) for k, m in enumerate(steps, 1)]
    table += [_row(f"Opus {kbps} kbit/s", m, peer) for kbps, m in peer.items()]
    names = ("encoding speed", "decoding, all codebooks speed")
    return table + [
        row(name, float(speed), "times real time", section="cost")
        for name, speed in zip(names, np.median(speeds, 0), strict=True)
    ]


def _ladder(codec: Codec, clip: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """((K, M) measures with 1..K codebooks, (2,) seconds spent encoding and decoding)."""
    started = time.perf_counter()
    codes = codec.encode(clip, codec.sample_rate)
    encoded = time.perf_counter()
    codec.decode(codes)
    spent_s = np.array([encoded - started, time.perf_counter() - encoded])
    decoded = [codec.decode(codes[:, :k], len(clip))[0, 0] for k in range(1, codec.n_codebooks + 1)]
    return np.stack([distances(sound, clip, codec.sample_rate) for sound in decoded]), spent_s


def distances(decoded: Tensor, original: Tensor, sample_rate: int) -> np.ndarray:
    """(M,): log-mel distance, and SI-SDR in dB, of (N,) samples."""
    mel = mel_distance(decoded[None], original[None], sample_rate)
    return np.array([float(mel), float(si_sdr_db(decoded, original))])


def _row(case: str, measured: np.ndarray, peer: dict[int, np.ndarray]) -> dict:
    theirs = float(peer[PEER_KBPS][MEL]) if PEER_KBPS in peer else None
    return row(
        case, float(measured[MEL]), "log-mel distance", theirs, section="ladder", si_sdr_db=float(measured[WAVE])
    )


def code_counts(codec: Codec, files: Sequence[Path], show: Callable[[str], None]) -> np.ndarray:
    """(K, V) int64: how often each entry of each codebook occurs in recordings, coded whole."""
    counts = np.zeros((codec.n_codebooks, codec.codebook_size), np.int64)
    for done, path in enumerate(files, 1):
        sound = log_notes(path, load_audio(path, mono=True))
        for k, codes in enumerate(codec.encode(sound.samples[0], sound.sample_rate)[0].cpu().numpy()):
            counts[k] += np.bincount(codes, minlength=codec.codebook_size)
        show(f"codes: {done} of {len(files)} files")
    return counts


def usage_rows(counts: np.ndarray) -> list[dict]:
    """A row of the benchmark for each codebook: share of its (K, V) entries that occur at all, and its perplexity."""
    n_frames = int(counts[0].sum())
    return [
        row(
            f"codebook {k}, entries in use",
            float(share),
            "share",
            section="codes",
            perplexity=spread,
            n_frames=n_frames,
        )
        for k, (share, spread) in enumerate(zip((counts > 0).mean(-1), perplexity(counts).tolist(), strict=True), 1)
    ]


def _silence_row(codec: Codec) -> dict:
    """Two seconds of digital silence there and back."""
    silence = torch.zeros(2 * codec.sample_rate)
    peak = float(codec.decode(codec.encode(silence, codec.sample_rate)).abs().max())
    return row("silence after coding, peak", 20 * np.log10(max(peak, 1e-10)).item(), "dB of full scale", section="cost")


def _size_row(codec: Codec) -> dict:
    """Bytes of its tensors, two a number, as `train-codec` saves them."""
    n_numbers = sum(tensor.numel() for tensor in codec.state_dict().values())
    return row("weights, 16-bit", 2 * n_numbers / 1e6, "MB", section="cost")


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure with the options of the command line."""
    files = sound_files(arguments.folders, arguments.include or ["*"])
    codes_of = sound_files(arguments.codes_of, exclude=arguments.exclude)
    tests = [ClassifierTest(open_dataset(name, root), names.split(",")) for name, root, names in arguments.classify]
    for test in tests:
        test.split()  # refused now, not after minutes
    codec = load_codec(arguments.codec, weights=arguments.weights)
    document = bench_codec(codec, files, arguments.max_seconds, show, codes_of, tests)
    if document["rows"][0]["peer"] is None:
        show("no peer: install Debian's opus-tools to see Opus in the same table")
    return document


def headline(document: dict) -> str:
    """What the tables are about."""
    return f"{document['codec']} on {document['n_files']} files (medians)"


SECTIONS = {  # by the rows' "section": title, {heading: key}
    "ladder": (
        "Distance to the original",
        {"case": "case", "value": "ours", "ratio to Opus 12": "ratio", "SI-SDR (dB)": "si_sdr_db"},
    ),
    "kept": (
        "What a classifier trained on originals still knows",
        {
            "tested on": "case",
            "accuracy": "ours",
            "loss (points)": "loss_points",
            "mean loss of 50 resampled classifiers": "mean_loss_points",
            "deviation": "loss_std",
        },
    ),
    "codes": ("Codes in use", {"case": "case", "share": "ours", "perplexity": "perplexity"}),
    "cost": ("Cost", {"case": "case", "value": "ours", "unit": "unit"}),
}
