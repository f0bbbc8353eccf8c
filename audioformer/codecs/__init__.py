"""The codecs behind `load_codec`: compact and EnCodec, streaming, training and their measures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.codec import Codec


def load_codec(
    name: str | os.PathLike = "compact", device: str = "cpu", weights: str | os.PathLike | None = None
) -> Codec:
    """Open a codec by name or folder.

    Args:
        name: "compact" (bundled), "encodec_24khz", "encodec_48khz", or a folder written by `audioformer train-codec`; a
            folder with one of these names is opened as "./compact".
        device: torch device.
        weights: for EnCodec, the folder or file of its published checkpoint.

    Returns:
        Codec in evaluation mode.

    Raises:
        AudioformerError: unknown name or device, missing or damaged weights (the message says which file to put where).
    """
    if name in ("encodec_24khz", "encodec_48khz"):
        from audioformer.codecs.encodec import load_encodec

        codec = load_encodec(name, weights)
    else:
        from audioformer.codecs.compact_files import load_compact

        codec = load_compact(name)
    try:
        return codec.to(device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise AudioformerError(f"device={device!r} cannot be used ({str(error).splitlines()[0]}); try cpu") from error
