"""Small sounds on their way to the browser."""

from __future__ import annotations

import base64
import io

import numpy as np


def fade(sound: np.ndarray, sample_rate: int, fade_s: float = 0.01) -> np.ndarray:
    """(N,) with its ends faded, so that it does not click."""
    n_fade = min(len(sound) // 2, round(fade_s * sample_rate))
    window = np.ones(len(sound), dtype=np.float32)
    window[:n_fade] = np.linspace(0, 1, n_fade, dtype=np.float32)
    return sound * window * window[::-1]


def wav_base64(samples: np.ndarray, sample_rate: int) -> str:
    """(N,) float samples as a 16-bit WAV file in base64, which every browser plays."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), sample_rate, format="WAV", subtype="PCM_16")
    return base64.b64encode(out.getvalue()).decode()
