"""Many sounds, each core at one of its own: while one is decoded, another is coded, a third one named.

    for file, found in side_by_side(sound_files("recordings"), classifier.classify, is_large): ...

A clip of a few seconds is too little work to share among cores; whole clips share out well. No more than `AHEAD` are
worked on before their turn, so that memory does not grow with their number.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

from audioformer.errors import AudioformerError

AHEAD, MOST_CORES = 32, 8  # items; more cores wait for each other's Python
LARGE = 4 << 20  # bytes: minutes of sound and more

Item, Result = TypeVar("Item"), TypeVar("Result")


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], Result], alone: Callable[[Item], bool]
) -> Iterator[tuple[Item, Result | AudioformerError]]:
    """What `work` makes of each item, in their order.

    Most are worked on side by side, each in a thread that computes with one core. One of those that are to be alone, or
    an only one, waits for its turn and gets all cores: it needs much memory, and Ctrl-C must stop it.

    Args:
        items: sounds, by name or otherwise.
        work: called with an item, in any thread.
        alone: whether an item is worked on by itself.

    Yields:
        (item, result), or (item, AudioformerError) where `work` raised one; any other error ends it all.
    """
    n_cores, rest, coming = torch.get_num_threads(), iter(items), deque()

    def outcome(item: Item) -> Result | AudioformerError:
        try:
            return work(item)
        except AudioformerError as error:
            return error

    cores = ThreadPoolExecutor(min(n_cores, MOST_CORES), initializer=torch.set_num_threads, initargs=(1,))
    try:
        while True:
            for item in islice(rest, AHEAD - len(coming)):
                now = len(items) > 1 and not alone(item)
                coming.append((item, cores.submit(outcome, item) if now else None))
            if not coming:
                return
            item, running = coming.popleft()
            yield item, outcome(item) if running is None else running.result()
    finally:
        cores.shutdown(cancel_futures=True)
        torch.set_num_threads(n_cores)  # for threads that begin later: they take what was set last


def is_large(file: str | os.PathLike) -> bool:
    """Whether a file may hold many minutes of sound; False where there is none, which its reader will say.

    Example:
        >>> is_large("no such file")
        False
    """
    try:
        return os.path.getsize(file) > LARGE
    except (OSError, ValueError):
        return False
