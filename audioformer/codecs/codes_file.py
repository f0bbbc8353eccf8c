"""Files of codes: a safetensors file with the codes of a clip, and what is needed to turn them back into sound.

Shapes: B clips, K codebooks, T frames, S scales.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audioformer.audio import MAX_DURATION_S
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer.files import open_tensors, write_tensors
from audioformer.reading.sound import MAX_RATE_HZ

FORMAT = "audioformer-codes-1"
INTEGERS = ("I64", "I32", "I16", "I8", "U8")  # safetensors' names
MAX_ROWS = 64
MAX_FRAMES = 1_100_000  # of all clips together: two hours of EnCodec at 48 kHz, the codec with most frames a second
MAX_SAMPLES = int(MAX_DURATION_S * MAX_RATE_HZ)


@dataclass(frozen=True)
class CodesFile:
    """Codes read from a file.

    Attributes:
        codes: (B, K, T) int64.
        codec: name of the codec.
        fingerprint: of its codebooks.
        n_samples: length of the clip before coding, samples at the codec's rate.
        scales: (B, S) float32 for `Codec.decode`, or None.
    """

    codes: Tensor
    codec: str
    fingerprint: str
    n_samples: int
    scales: Tensor | None = None


def save_codes(
    path: str | os.PathLike, codes: Tensor, codec: Codec, n_samples: int, scales: Tensor | None = None
) -> None:
    """Write codes as a safetensors file whose metadata names the codec.

    Args:
        path: its folder is made if missing.
        codes: (B, K, T).
        codec: that made them.
        n_samples: length of the clip before coding, samples at the codec's rate.
        scales: (B, S) from `Codec.encode_scaled`; without them a codec that divides levels out decodes at unit level.

    Raises:
        AudioformerError: the folder cannot be written.
    """
    metadata = {"codec": codec.name, "fingerprint": codec.fingerprint, "n_samples": str(n_samples), "format": FORMAT}
    tensors = {"codes": codes.cpu().to(torch.int32)}
    if scales is not None and scales.numel():
        tensors["scales"] = scales.cpu().float()
    write_tensors(path, tensors, metadata)


def load_codes(path: str | os.PathLike) -> CodesFile:
    """Read a file of `save_codes`. What its header promises is checked before anything is read.

    Raises:
        AudioformerError: missing, damaged, not a file of codes, or more than `MAX_ROWS` rows or `MAX_FRAMES` frames.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioformerError(f"{path}: no such file; give a .safetensors file made by `audioformer encode`")
    try:
        with open_tensors(path) as tensors:
            header, metadata = tensors.get_slice("codes"), tensors.metadata() or {}
            _check_header(header.get_shape(), header.get_dtype())
            codes = tensors.get_tensor("codes").to(torch.int64)
            scales = tensors.get_tensor("scales") if "scales" in tensors.keys() else None  # noqa: SIM118 - not a dict
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']!r:.40}, not {FORMAT!r}")
        file = CodesFile(codes, metadata["codec"], metadata["fingerprint"], int(metadata["n_samples"]), scales)
        _check_content(file)
    except (KeyError, ValueError, OSError) as error:
        raise AudioformerError(
            f"{path.name}: not a file of codes ({error}); make one with `audioformer encode`"
        ) from error
    return file


def _check_header(shape: list[int], kind: str) -> None:
    if len(shape) != 3 or kind not in INTEGERS or 0 in shape:
        raise ValueError(
            f"codes of shape {tuple(shape)}, {kind}; expected integers (clips, rows, frames), none of them 0"
        )
    if shape[1] > MAX_ROWS or shape[0] * shape[2] > MAX_FRAMES:
        raise ValueError(
            f"{shape[0]} clips of {shape[1]} rows and {shape[2]} frames; "
            f"at most {MAX_ROWS} rows, and {MAX_FRAMES} frames in all, are read"
        )


def _check_content(file: CodesFile) -> None:
    if not 1 <= file.n_samples <= MAX_SAMPLES:
        raise ValueError(f"n_samples={file.n_samples} must be 1 to {MAX_SAMPLES}")
    scales = file.scales
    if scales is not None and not (
        scales.is_floating_point() and scales.dim() == 2 and torch.isfinite(scales).all() and (scales > 0).all()
    ):
        raise ValueError("scales are not numbers above 0 of shape (clips, segments)")
