"""How much of a sound a codec keeps, beside Opus at the same rates and above.

    audioformer bench codec DATA --include '4-*'

Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.audio import load_audio
from audioformer.benches import machine, row
from audioformer.benches.opus import opus_rates, through_opus
from audioformer.codec import Codec
from audioformer.distances import mel_distance, si_sdr_db
from audioformer.errors import AudioformerError


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
    peers: dict[int, list[tuple[float, float]]] = {kbps: [] for kbps in opus_rates()}
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
        row(f"{name} speed", audio_s / s, "times real time")
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
    return row(case, float(measured[0]), "log-mel distance", theirs, si_sdr_db=float(measured[1]))
