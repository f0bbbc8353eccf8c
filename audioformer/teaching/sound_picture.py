"""A small spectrogram below each player, so that a notebook can be followed without hearing it.

Shapes: N samples.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from torch import Tensor

from audioformer.codecs.spectra import log_mel

WIDTH, HEIGHT = 300, 64  # pixels: as wide as a browser's player, and one line for each mel band
TOP_DB, RANGE_DB = 10.0, 70.0  # fixed, so that a quiet sound looks quiet: no sample of these sounds goes higher
DARK_TO_LIGHT = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # viridis


def spectrogram_html(samples: Tensor, sample_rate: int) -> str:
    """An `<img>` of a sound's log-mel picture, low sounds below, as wide as the player above it.

    Args:
        samples: (N,) in -1..1.
        sample_rate: Hz.

    Returns:
        HTML with the picture inside and a sentence for who cannot see it.
    """
    from audioformer.plots.audio import DB_PER_NEPER

    hop_length = max(64, -(-len(samples) // WIDTH))
    level_db = DB_PER_NEPER * log_mel(samples, sample_rate, hop_length=hop_length, n_mels=HEIGHT).numpy()
    png = base64.b64encode(_png((level_db[::-1] - TOP_DB) / RANGE_DB + 1)).decode()
    top_khz, duration_s = sample_rate / 2000, len(samples) / sample_rate
    moment_s = level_db.max(0).argmax() * hop_length / sample_rate
    alt = f"Spectrogram of {duration_s:.2f} s, from 0 to {top_khz:g} kHz; loudest at {moment_s:.2f} s."
    size = f"display:block;width:{WIDTH}px;height:{HEIGHT}px;image-rendering:pixelated"
    return f'<img alt="{alt}" title="{alt}" style="{size}" src="data:image/png;base64,{png}">'


def _png(shares: np.ndarray) -> bytes:
    """A picture of shares of the colour scale, 0 to 1 and cut there, first line on top: a PNG with a palette."""
    stops = np.linspace(0, 255, len(DARK_TO_LIGHT))
    palette = np.stack([np.interp(range(256), stops, channel) for channel in zip(*DARK_TO_LIGHT, strict=True)], 1)
    pixels = (255 * shares.clip(0, 1)).round().astype(np.uint8)
    lines = np.concatenate([np.zeros((len(pixels), 1), np.uint8), pixels], 1)  # before each line its filter: none

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 3, 0, 0, 0)
    parts = (b"IHDR", head), (b"PLTE", palette.round().astype(np.uint8).tobytes())
    parts += (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
