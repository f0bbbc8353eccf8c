"""Exercises and quiz of notebook 01, from a sound to codes.

Shapes: N samples, K codebooks, T frames, V entries per codebook, D width of a codebook vector.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.rvq import nearest, quantise
from audioformer.teaching.answers import Check, Question


def _latents_and_codebooks() -> tuple[Tensor, Tensor]:
    """(T=6, D=3) vectors and (K=3, V=5, D=3) codebooks, small enough to print."""
    made = torch.Generator().manual_seed(1)
    return torch.randn(6, 3, generator=made), torch.randn(3, 5, 3, generator=made)


def _nearest_cases() -> list[tuple]:
    latents, codebooks = _latents_and_codebooks()
    return [(latents, codebook) for codebook in codebooks]


def _residual_cases() -> list[tuple]:
    latents, codebooks = _latents_and_codebooks()
    return [(latents, codebooks[:n]) for n in (1, 2, 3)]


def _small_codec(n_codebooks: int = 8, codebook_size: int = 1024, hop_length: int = 320):
    from audioformer.codecs.compact import CompactCodec, CompactConfig

    sizes = CompactConfig(
        hop_length=hop_length,
        n_codebooks=n_codebooks,
        codebook_size=codebook_size,
        d_latent=2,
        d_encoder=2,
        n_encoder_blocks=1,
        d_decoder=2,
        n_decoder_blocks=1,
    )
    return CompactCodec(sizes).eval()


def _n_frames(n_samples: int, hop_length: int) -> int:
    codec = _small_codec(1, 4, hop_length)
    return codec.encode(torch.zeros(n_samples), codec.sample_rate).shape[-1]


def _bandwidth(n_codebooks: int, codebook_size: int, frame_rate: float) -> float:
    codec = _small_codec(n_codebooks, codebook_size, round(24_000 / frame_rate))
    return codec.bandwidth_kbps(n_codebooks)


CHECKS = {
    "codec.n_frames": Check(
        lambda: [(24_000, 320), (320, 320), (321, 320), (1, 320), (120_000, 640)],
        _n_frames,
        "Divide, and round up: a partial frame counts as a whole one. "
        "-(-a // b) rounds a / b up without leaving whole numbers.",
        "Try 320, 321 and 640 samples with 320 a frame: when does one more frame begin?",
    ),
    "codec.bandwidth_kbps": Check(
        lambda: [(8, 1024, 75.0), (1, 1024, 75.0), (4, 256, 150.0)],
        _bandwidth,
        "One code out of V needs log2(V) bits. There are n_codebooks of them per frame. "
        "kbit/s is bit/s divided by 1000.",
        "How many yes-or-no questions name one entry? How many entries are named in a second?",
    ),
    "rvq.nearest": Check(
        _nearest_cases,
        nearest,
        "torch.cdist(latents, codebook) is a (T, V) table of distances; "
        "you want the place of the smallest in each row.",
        "For each frame, measure how far away every entry is, and take the closest.",
    ),
    "rvq.residual_codes": Check(
        _residual_cases,
        lambda latents, codebooks: quantise(latents[None], codebooks)[0],
        "Loop over the codebooks: find the nearest entries, note them, subtract those entries, go on with the rest.",
        "Each codebook sees only what the ones before it could not say.",
    ),
}
QUIZ = {
    "codes.longer_clip": Question(
        "d",
        "the frame rate is fixed, so twice the seconds are twice the columns; the rows are a property of the codec.",
        {
            "a": "a longer sound needs more numbers: 75 columns for every second",
            "b": "only time got longer, so only the columns grow",
            "c": "the rows are the codebooks: the codec has eight, however long the clip",
        },
    ),
    "codes.bigger_codebook": Question(
        "b",
        "1024 entries need 10 bits, 2048 need 11: a tenth more, not twice as much. A ninth codebook would cost an "
        "eighth.",
        {
            "a": "twice the entries are one bit more, not twice the bits",
            "c": "a code now chooses among more entries, and that costs",
            "d": "10 bits become 11: a tenth",
        },
    ),
    "codes.missing_row": Question(
        "a",
        "rows 2 to 8 are corrections of row 1. Without it they correct something that is not there.",
        {
            "b": "pitch is in no single row; what is missing is the sketch",
            "c": "rows 2 to 8 have entries that are not zero: there is sound",
            "d": "row 1 carries most of the energy; without it much more than brightness is gone",
        },
    ),
}
