"""What is kept for a while: so many things at most, each until nobody has used it for some time.

Memory of the app is bounded by this: recordings of the room Live, examples of the room Teach, classifiers that were
taught. What is let go returns to the system, too: `give_memory_back`.
"""

from __future__ import annotations

import ctypes
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

GIVE_BACK_S = 15.0


def give_memory_back() -> None:
    """On a thread, for good: hand freed memory back to the system every few seconds.

    The allocator of Linux (glibc) keeps what was freed between things still in use; with thirty people's clips coming
    and going on several threads that adds up. What is still in use, or kept by native libraries, it cannot hand back.
    Where there is no such allocator this does nothing.
    """
    try:
        trim = ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return

    def again() -> None:
        while True:
            time.sleep(GIVE_BACK_S)
            trim(0)

    Thread(target=again, name="give memory back", daemon=True).start()


class Kept:
    """Things by name, forgotten when idle.

    Args:
        most: things at once; for one more, the thing that was used longest ago is forgotten.
        idle_s: a thing that was not used for so long is forgotten.
        leave: called with each thing that is forgotten.
    """

    def __init__(self, most: int, idle_s: float, leave: Callable[[Any], None] = lambda _: None):
        self.most, self.idle_s, self._leave = most, idle_s, leave
        self._things: OrderedDict[str, list] = OrderedDict()  # name to [thing, last used]; used longest ago first
        self._lock, self._sweeping = Lock(), False

    def __len__(self) -> int:
        return len(self._things)

    def get(self, name: str) -> Any | None:
        """A thing, used now; None if it is not here (any more)."""
        with self._lock:
            found = self._things.get(name)
            if found is None:
                return None
            found[1] = time.monotonic()
            self._things.move_to_end(name)
            return found[0]

    def put(self, name: str, thing: Any) -> Any:
        """Keep a thing; returns it."""
        with self._lock:
            before = self._things.pop(name, None)
            gone = [] if before is None else [before]
            self._things[name] = [thing, time.monotonic()]
            while len(self._things) > self.most:
                gone.append(self._things.popitem(last=False)[1])
            if not self._sweeping:
                self._sweeping = True
                Thread(target=self._sweep, name="kept", daemon=True).start()
        for one, _ in gone:
            self._leave(one)
        return thing

    def drop(self, name: str) -> None:
        """Forget a thing, if it is here."""
        with self._lock:
            found = self._things.pop(name, None)
        if found is not None:
            self._leave(found[0])

    def _sweep(self) -> None:
        """On a thread: forget what is idle, until nothing is left."""
        while True:
            time.sleep(min(30.0, self.idle_s / 4))
            with self._lock:
                now = time.monotonic()
                idle = [name for name, (_, used) in self._things.items() if now - used >= self.idle_s]
                gone = [self._things.pop(name)[0] for name in idle]
                if not self._things:
                    self._sweeping = False
            for thing in gone:
                self._leave(thing)
            if not self._sweeping:
                return
