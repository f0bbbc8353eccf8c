"""Exercises and quiz of notebook 14, live.

Shapes: N samples, T frames, A answers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.teaching.answers import Check, Question


def _known(n_samples: int, hop_length: int, look_ahead: int) -> int:
    """Frames that a codec's stream has given out after so much sound."""
    return max(0, (n_samples - look_ahead) // hop_length)


def answered(every_s: float, work_s: float, n_chunks: int) -> Tensor:
    """A model that takes a while, chunks that do not wait: which chunk each of its answers is about.

    Chunk c is whole at (c + 1) * every_s. The model takes the newest whole chunk that it has not looked at yet, works
    for work_s, and looks again; it waits where there is nothing new.

    Args:
        every_s: length of a chunk, seconds.
        work_s: one answer, seconds.
        n_chunks: chunks in all.

    Returns:
        (A,) int64 numbers of chunks from 0, rising.

    Example:
        >>> answered(0.5, 1.2, 6)
        tensor([0, 2, 4, 5])
    """
    chunks, now = [], 0.0
    while not chunks or chunks[-1] < n_chunks - 1:
        newest = min(int(now / every_s + 1e-9), n_chunks) - 1
        if newest < 0 or (chunks and newest <= chunks[-1]):
            newest = chunks[-1] + 1 if chunks else 0
            now = (newest + 1) * every_s
        chunks.append(newest)
        now += work_s
    return torch.tensor(chunks)


def _numbers(n: int, seed: int) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


CHECKS = {
    "live.known": Check(
        lambda: [
            (24_000, 320, 320),
            (640, 320, 320),
            (639, 320, 320),
            (100, 320, 320),
            (5_000, 256, 700),
            (900, 320, 100),
        ],
        _known,
        "What lies in the look-ahead does not count. Of the rest, only whole hops: // rounds down. "
        "It cannot be less than 0.",
        "The last bit of sound only helps to judge what came before it.",
    ),
    "live.keep": Check(
        lambda: [
            (_numbers(5, 0), _numbers(3, 1), 6),
            (_numbers(2, 2), _numbers(3, 3), 10),
            (_numbers(4, 4), _numbers(9, 5), 4),
        ],
        lambda kept, new, n_most: torch.cat([kept, new])[-n_most:],
        "torch.cat([kept, new]) is all there is; x[-n:] are its last n, or all of it where there are fewer.",
        "Put the new behind the old, and let go of the front.",
    ),
    "live.lateness": Check(
        lambda: [(0.5, 0.1, 4), (0.5, 0.8, 4), (0.25, 0.25, 3)],
        lambda every_s, work_s, n_chunks: torch.tensor(
            [work_s + c * max(0.0, work_s - every_s) for c in range(n_chunks)]
        ),
        "Chunk c is whole at (c + 1) * every_s. Its work begins then, "
        "or when the work on the chunk before it has ended, whichever is later: keep that moment in a variable.",
        "A queue: work begins when the chunk is there and the worker is free.",
    ),
}
QUIZ = {
    "live.chunks": Question(
        "b",
        "a code is given out only when nothing that comes can change it, so it cannot depend on where the sound was "
        "cut.",
        {
            "a": "your neighbour waits longer for the same codes",
            "c": "a code is given out when nothing that comes can change it: chunk length does not matter",
            "d": "the number of frames follows from the sound",
        },
    ),
    "live.slow": Question(
        "a",
        "sound that is dropped leaves a hole in the codes that no later answer can mend; a label that is skipped is "
        "out of date anyway.",
        {
            "b": "the codes would be wrong, and no time would be won",
            "c": "then the answers come later and later",
            "d": "a hole in the sound cannot be mended later",
        },
    ),
    "live.window": Question(
        "a",
        "three fifths of the window are still dog. A shorter window turns sooner, and is less sure of either.",
        {
            "b": "it would be late by the work time, not by seconds",
            "c": "the codes are those of the whole sound; the window decides",
            "d": "then both sounds would be named wrongly",
        },
    ),
}
