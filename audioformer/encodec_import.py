"""The package `encodec`, imported also where torchaudio cannot be loaded.

`encodec` imports torchaudio at its top, but encoding and decoding use nothing of it. A torchaudio built for another
torch fails to load. Then an empty stand-in takes its place while `encodec` is imported, and is gone again afterwards:
other libraries find torchaudio exactly as broken, or as absent, as it was.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from audioformer.errors import AudioformerError

INSTALL = 'pip install "audioformer[encodec]"'

_lock = threading.RLock()


def import_encodec() -> ModuleType:
    """The package `encodec`, imported without a working torchaudio if need be.

    Returns:
        The module. Entries of `sys.modules` for torchaudio are what they were before, unless it really loads.

    Raises:
        AudioformerError: encodec or einops is not installed.
    """
    with _lock:
        if sys.modules.get("encodec") is not None:
            return sys.modules["encodec"]
        try:
            with torchaudio_or_stand_in():
                return importlib.import_module("encodec")
        except ImportError as error:
            raise AudioformerError(f"EnCodec needs packages that are not installed ({error}); run {INSTALL}") from error


@contextmanager
def torchaudio_or_stand_in() -> Iterator[None]:
    """Within: `import torchaudio` works, with the real one if it loads, else with an empty module."""
    before = _loaded("torchaudio")
    try:
        importlib.import_module("torchaudio")
    except Exception as error:  # a library that does not load raises OSError, RuntimeError, AttributeError, ImportError
        reason = f"{type(error).__name__}: {error}"
    else:
        yield
        return
    _restore("torchaudio", {"torchaudio": _stand_in(reason)})
    try:
        yield
    finally:
        _restore("torchaudio", before)


def _stand_in(reason: str) -> ModuleType:
    """An empty torchaudio that says, to whoever uses it, why it is empty."""
    module = ModuleType("torchaudio")
    module.__spec__ = ModuleSpec("torchaudio", loader=None)

    def missing(attribute: str):
        raise AttributeError(f"torchaudio.{attribute}: torchaudio could not be loaded here ({reason})")

    module.__getattr__ = missing
    return module


def _loaded(package: str) -> dict[str, ModuleType | None]:
    """What `sys.modules` holds of a package."""
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == package}


def _restore(package: str, modules: dict[str, ModuleType | None]) -> None:
    """Make `sys.modules` hold exactly these modules of a package."""
    for name in _loaded(package):
        del sys.modules[name]
    sys.modules.update(modules)
