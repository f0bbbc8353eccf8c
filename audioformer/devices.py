"""How many devices of this computer play and record sound, asked without any package: /proc, system_profiler, winmm.

Sound is played and recorded by the browser; these counts only say whether it has anything to do it with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ALSA = Path("/proc/asound/pcm")
TIMEOUT_S = 15.0


def sound_devices() -> tuple[int | None, int | None]:
    """Outputs and inputs of this computer; None where they cannot be counted.

    Example:
        >>> outputs, inputs = sound_devices()
        >>> outputs is None or outputs >= 0
        True
    """
    if sys.platform == "darwin":
        return _profiled()
    if sys.platform == "win32":
        return _multimedia()
    if os.environ.get("PULSE_SERVER"):  # sound goes to another computer, or out of this virtual one
        return None, None
    return count_alsa(ALSA.read_text() if ALSA.exists() else "")


def count_alsa(listing: str) -> tuple[int, int]:
    """Outputs and inputs in the text of /proc/asound/pcm.

    Example:
        >>> count_alsa("00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1")
        (1, 1)
    """
    lines = listing.splitlines()
    return sum(": playback" in line for line in lines), sum(": capture" in line for line in lines)


def count_profile(text: str) -> tuple[int | None, int | None]:
    """Outputs and inputs in what `system_profiler SPAudioDataType -json` prints (macOS)."""
    try:
        cards = [card for group in json.loads(text)["SPAudioDataType"] for card in group.get("_items", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None
    return tuple(sum(f"coreaudio_device_{way}" in card for card in cards) for way in ("output", "input"))


def _profiled() -> tuple[int | None, int | None]:
    try:
        command = ["system_profiler", "SPAudioDataType", "-json"]
        return count_profile(subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S).stdout)
    except (OSError, subprocess.TimeoutExpired):
        return None, None


def _multimedia() -> tuple[int | None, int | None]:
    import ctypes

    library = ctypes.windll.winmm
    return library.waveOutGetNumDevs(), library.waveInGetNumDevs()
