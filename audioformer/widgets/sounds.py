"""Small sounds on their way to a browser."""

from __future__ import annotations

import base64
import io

import numpy as np


def wav_base64(samples: np.ndarray, sample_rate: int) -> str:
    """(N,) float samples as a 16-bit WAV file in base64, which every browser plays."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.clip(samples, -1, 1), sample_rate, format="WAV", subtype="PCM_16")
    return base64.b64encode(out.getvalue()).decode()
