"""Are the codes used? An entry that never occurs carries nothing, and a row whose entries are seldom chosen little.

Shapes: K codebooks, V entries, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from audioformer.audio import load_audio
from audioformer.codec import Codec
from audioformer.evaluation.benches import row
from audioformer.metrics import perplexity


def code_counts(codec: Codec, files: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """How often each entry of each codebook occurs.

    Args:
        codec: mono.
        files: recordings, coded whole.
        progress: called with (files done, files in all).

    Returns:
        (K, V) int64.

    Raises:
        AudioformerError: a file cannot be read.
    """
    counts = np.zeros((codec.n_codebooks, codec.codebook_size), np.int64)
    for done, path in enumerate(files, 1):
        sound = load_audio(path, mono=True)
        for k, codes in enumerate(codec.encode(sound.samples[0], sound.sample_rate)[0].cpu().numpy()):
            counts[k] += np.bincount(codes, minlength=codec.codebook_size)
        if progress:
            progress(done, len(files))
    return counts


def usage_rows(counts: np.ndarray) -> list[dict]:
    """A row of the benchmark for each codebook: share of its (K, V) entries that occur at all, and its perplexity."""
    used, spread = (counts > 0).mean(-1), perplexity(counts)
    return [
        row(
            f"codebook {k}, entries in use",
            float(share),
            "share",
            section="codes",
            perplexity=float(p),
            n_frames=int(counts[0].sum()),
        )
        for k, (share, p) in enumerate(zip(used, spread, strict=True), 1)
    ]
