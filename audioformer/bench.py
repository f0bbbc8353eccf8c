"""Benchmarks: what is claimed about quality and speed, measured beside a peer in the same run.

    audioformer bench codec DATA --include '4-*'

Last in the data path. Every benchmark gives {"name", "machine", "rows": [{"case", "ours", "peer", "unit", "ratio", ...}]}.
Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

import fnmatch
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import load_audio, save_audio
from audioformer.codec import Codec
from audioformer.crops import SOUND_ENDINGS
from audioformer.distances import mel_distance, si_sdr_db
from audioformer.errors import AudioformerError

OPUS_KBPS = (6, 12, 24)


def machine() -> dict:
    """What the numbers were measured on."""
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
            "torch": torch.__version__, "python": platform.python_version()}  # fmt: skip


def bench_codec(
    codec: Codec, files: Sequence[Path], max_s: float = 10.0, progress: Callable[[int, int], None] | None = None
) -> dict:
    """How much of a sound a codec keeps, for every number of codebooks, beside Opus.

    Args:
        codec: mono.
        files: recordings it was not trained on.
        max_s: at most this much of each, seconds.
        progress: called with (files done, files in all).

    Returns:
        The benchmark; distances are medians over files (`distances.mel_distance`, natural-log units; SI-SDR in dB). Peer
        is libopus at 12 kbit/s, where Debian's opus-tools are installed; ratio is ours / peer, below 1 is closer.

    Raises:
        AudioformerError: no files, or one that cannot be read.
    """
    if not files:
        raise AudioformerError("no sound files to measure on; check the folder and --include")
    ours: list[list[tuple[float, float]]] = []
    peers: dict[int, list[tuple[float, float]]] = {kbps: [] for kbps in OPUS_KBPS if shutil.which("opusenc")}
    spent, audio_s = np.zeros(2), 0.0
    for done, path in enumerate(files):
        clip = load_audio(path, codec.sample_rate, mono=True).samples[0, : round(max_s * codec.sample_rate)]
        rows, seconds = _ladder(codec, clip)
        ours.append(rows)
        spent, audio_s = spent + seconds, audio_s + len(clip) / codec.sample_rate
        for kbps, results in peers.items():
            results.append(_distances(through_opus(clip, codec.sample_rate, kbps), clip, codec.sample_rate))
        if progress:
            progress(done + 1, len(files))
    peer = {kbps: np.median(np.array(results), 0) for kbps, results in peers.items()}
    medians = np.median(np.array(ours), 0)
    table = [_row(f"{k} codebooks, {codec.bandwidth_kbps(k):g} kbit/s", m, peer) for k, m in enumerate(medians, 1)]
    table += [_row(f"Opus {kbps} kbit/s", m, peer) for kbps, m in peer.items()]
    table += [
        {"case": f"{name} speed", "ours": audio_s / s, "peer": None, "unit": "times real time", "ratio": None}
        for name, s in zip(("encoding", "decoding, all codebooks"), spent, strict=True)
    ]
    about = {"codec": codec.name, "fingerprint": codec.fingerprint, "n_files": len(files)}
    return {"name": "codec", **about, "machine": machine(), "rows": table}


def _ladder(codec: Codec, clip: Tensor) -> tuple[list[tuple[float, float]], np.ndarray]:
    """(distances with 1..K codebooks, seconds spent encoding and decoding)."""
    started = time.perf_counter()
    codes = codec.encode(clip, codec.sample_rate)
    encoded = time.perf_counter()
    codec.decode(codes)
    spent = np.array([encoded - started, time.perf_counter() - encoded])
    heard = [codec.decode(codes[:, : k + 1], len(clip))[0, 0] for k in range(codec.n_codebooks)]
    return [_distances(decoded, clip, codec.sample_rate) for decoded in heard], spent


def _distances(decoded: Tensor, original: Tensor, sample_rate: int) -> tuple[float, float]:
    mel = float(mel_distance(decoded[None], original[None], sample_rate))
    return mel, float(si_sdr_db(decoded, original))


def _row(case: str, measured: np.ndarray, peer: dict[int, np.ndarray]) -> dict:
    theirs = float(peer[12][0]) if 12 in peer else None
    ratio = float(measured[0]) / theirs if theirs else None
    return {"case": case, "ours": float(measured[0]), "peer": theirs, "unit": "log-mel distance", "ratio": ratio,
            "si_sdr_db": float(measured[1])}  # fmt: skip


def through_opus(clip: Tensor, sample_rate: int, kbps: int) -> Tensor:
    """A sound after libopus at a bit rate, same length: (N,) float32. Needs opusenc and opusdec (opus-tools)."""
    with tempfile.TemporaryDirectory() as folder:
        original, coded, back = (str(Path(folder) / name) for name in ("in.wav", "a.opus", "out.wav"))
        save_audio(original, clip, sample_rate)
        subprocess.run(["opusenc", "--quiet", "--bitrate", str(kbps), original, coded], check=True, capture_output=True)
        subprocess.run(["opusdec", "--quiet", "--rate", str(sample_rate), coded, back], check=True, capture_output=True)
        decoded = load_audio(back, mono=True).samples[0]
    short = max(0, len(clip) - len(decoded))
    return torch.nn.functional.pad(decoded, (0, short))[: len(clip)]


def sound_files(folders: Sequence[str | os.PathLike], include: Sequence[str] = ("*",)) -> list[Path]:
    """Sound files below some folders whose names fit one of the patterns, sorted.

    Raises:
        AudioformerError: a folder is missing.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise AudioformerError(f"{folder}: no such folder; give folders of recordings the codec was not trained on")
        found += [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SOUND_ENDINGS]
    return [p for p in found if any(fnmatch.fnmatch(p.name, pattern) for pattern in include)]
