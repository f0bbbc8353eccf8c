"""Small sounds on their way to a browser.

Shapes: N samples, K codebooks.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import torch

from audioformer.codec import Codec

HOLD_S = 0.4  # how long a single code is held when it is played


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


def held_code(column, codec: Codec, hold_s: float = HOLD_S) -> np.ndarray:
    """One code as a sound: held for a moment together with the codes above it in its column.

    A code of row k corrects what rows 1 to k-1 left over, so alone it is not a sound; with them it is.

    Args:
        column: (k,) codes of rows 1 to k.
        codec: that made them.
        hold_s: seconds.

    Returns:
        (N,) float32 at the codec's rate, faded at both ends.

    Raises:
        AudioformerError: codes that the codec does not have.
    """
    n_frames = max(1, round(hold_s * codec.frame_rate))
    codes = torch.as_tensor(np.asarray(column, dtype=np.int64))[:, None].expand(-1, n_frames)
    return fade(codec.decode(codes)[0].mean(0).cpu().numpy(), codec.sample_rate)
