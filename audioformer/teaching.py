"""What the notebooks need besides the library: checks of exercises, hints, a quiz, and sounds that play in place.

A check never raises: it says *not yet* while an answer is still `...`, names the first difference when it is wrong, and
prints a tick when it is right. The right answer always comes from the library itself, so that the two cannot drift.

Shapes: B clips, N samples, K codebooks, T frames, V entries per codebook, D width of a codebook vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audioformer.audio import Waveform, to_batch
from audioformer.errors import AudioformerError
from audioformer.paths import samples_folder
from audioformer.rvq import ResidualVQ

__all__ = ["check", "hint", "listen", "quiz", "sample", "show"]


@dataclass(frozen=True)
class Check:
    """One exercise: what to try it on, what the library says, and a hint.

    Attributes:
        cases: function without arguments giving a list of argument tuples.
        reference: the library's answer to one case.
        hint: one or two sentences.
    """

    cases: Callable[[], list[tuple]]
    reference: Callable
    hint: str


def sample(label: str = "dog") -> Path:
    """Path of the first bundled clip of a label.

    Args:
        label: as in `data_samples/meta/esc50.csv`, for instance "dog" or "crying_baby".

    Raises:
        AudioformerError: no clip of that label, or this installation has none at all.

    Example:
        >>> sample("dog").suffix
        '.ogg'
    """
    import csv

    folder = samples_folder()
    with open(folder / "meta" / "esc50.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    for row in rows:
        if row["category"] == label:
            return folder / "audio" / row["filename"]
    known = sorted({row["category"] for row in rows})
    raise AudioformerError(f"label={label!r} has no bundled clip; there are {', '.join(known)}")


def listen(sound, sample_rate: int | None = None, title: str = "") -> None:
    """Put a player into the notebook.

    The level is kept: a quiet sound stays quiet, so that sounds can be compared.

    Args:
        sound: Waveform, or samples (N,), (C, N) or (1, C, N).
        sample_rate: Hz, for bare samples.
        title: printed above the player.

    Raises:
        AudioformerError: unusable samples, or no sample_rate.
    """
    from IPython.display import Audio, display

    rate = sound.sample_rate if isinstance(sound, Waveform) else sample_rate
    samples = to_batch(sound, sample_rate, rate or 0)[0, 0].clamp(-1, 1)
    if title:
        print(title)
    display(Audio(samples.numpy(), rate=rate, normalize=False))


def show(figure) -> None:
    """Show a plotly figure where this notebook runs (`audioformer.plots.show`)."""
    from audioformer import plots

    plots.show(figure)


def check(name: str, answer) -> None:
    """Say whether an exercise is solved.

    Args:
        name: of the exercise, as the notebook gives it.
        answer: the learner's function.
    """
    if name not in CHECKS:
        print(f"✗ there is no exercise {name!r}; there are {', '.join(CHECKS)}")
        return
    one = CHECKS[name]
    for number, arguments in enumerate(one.cases(), start=1):
        try:
            given = answer(*arguments)
        except NotImplementedError:
            given = None
        except Exception as error:  # a learner's function may fail in any way; a notebook goes on
            print(f"✗ {name}: your function stopped with {type(error).__name__}: {error}. hint({name!r}) may help.")
            return
        if given is None or given is Ellipsis:
            print(f"… {name}: not yet. Replace the dots, run the cell, then this one. hint({name!r}) may help.")
            return
        problem = difference(given, one.reference(*arguments))
        if problem:
            print(f"✗ {name}: case {number}, {problem}. hint({name!r}) may help.")
            return
    print(f"✓ {name}")


def difference(given, expected) -> str:
    """The first way in which an answer differs from the right one, in words; "" if it does not.

    Args:
        given: number, list or tensor, as the learner returned it.
        expected: number or tensor.

    Example:
        >>> difference([1, 2, 9], torch.tensor([1, 2, 3]))
        'at [2]: yours 9, expected 3'
    """
    expected = torch.as_tensor(expected)
    try:
        given = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        return f"yours is a {type(given).__name__}, expected {'a number' if expected.dim() == 0 else 'a tensor'}"
    if given.shape != expected.shape:
        return f"yours has shape {tuple(given.shape)}, expected {tuple(expected.shape)}"
    wrong = ~torch.isclose(given.double(), expected.double(), rtol=1e-4, atol=1e-6)
    if not wrong.any():
        return ""
    place = tuple(wrong.nonzero()[0].tolist())
    yours, right = (_short(value[place].item()) for value in (given, expected))
    return f"{f'at {list(place)}: ' if place else ''}yours {yours}, expected {right}"


def _short(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def hint(name: str) -> None:
    """Print the hint of an exercise."""
    print(CHECKS[name].hint if name in CHECKS else f"there is no exercise {name!r}; there are {', '.join(CHECKS)}")


def quiz(name: str, answer) -> None:
    """Say whether a quiz answer is right, and why.

    Args:
        name: of the question, as the notebook gives it.
        answer: a letter, or `...` while it is open.
    """
    if name not in QUIZ:
        print(f"✗ there is no question {name!r}; there are {', '.join(QUIZ)}")
        return
    right, why = QUIZ[name]
    if answer is Ellipsis or answer is None:
        print(f"… {name}: not yet. Replace the dots with a letter in quotes.")
    elif str(answer).strip().lower() == right:
        print(f"✓ {name}: {why}")
    else:
        print(f"✗ {name}: not {str(answer)[:20]!r}. Think again, or try it out in a cell.")


# --- notebook 01: from sound to codes


def _latents_and_codebooks() -> tuple[Tensor, Tensor]:
    """(T=6, D=3) vectors and (K=3, V=5, D=3) codebooks, small enough to print."""
    made = torch.Generator().manual_seed(1)
    return torch.randn(6, 3, generator=made), torch.randn(3, 5, 3, generator=made)


def _quantiser(codebooks: Tensor) -> ResidualVQ:
    quantiser = ResidualVQ(*codebooks.shape)
    quantiser.codebooks.copy_(codebooks)
    return quantiser


def _nearest_cases() -> list[tuple]:
    latents, codebooks = _latents_and_codebooks()
    return [(latents, codebook) for codebook in codebooks]


def _residual_cases() -> list[tuple]:
    latents, codebooks = _latents_and_codebooks()
    return [(latents, codebooks[:n]) for n in (1, 2, 3)]


def _small_codec(n_codebooks: int = 8, codebook_size: int = 1024, hop_length: int = 320):
    from audioformer.compact_codec import CompactCodec, CompactConfig

    sizes = CompactConfig(
        hop_length=hop_length, n_codebooks=n_codebooks, codebook_size=codebook_size, d_latent=2, d_encoder=2,
        n_encoder_blocks=1, d_decoder=2, n_decoder_blocks=1,
    )  # fmt: skip
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
        "Divide, and round up: a begun frame counts. -(-a // b) rounds a / b up without leaving whole numbers.",
    ),
    "codec.bandwidth_kbps": Check(
        lambda: [(8, 1024, 75.0), (1, 1024, 75.0), (4, 256, 150.0)],
        _bandwidth,
        "One code out of V needs log2(V) bits. There are n_codebooks of them per frame. kbit/s is bit/s divided by 1000.",
    ),
    "rvq.nearest": Check(
        _nearest_cases,
        lambda latents, codebook: _quantiser(codebook[None]).nearest(latents, 0),
        "torch.cdist(latents, codebook) is a (T, V) table of distances; you want the place of the smallest in each row.",
    ),
    "rvq.residual_codes": Check(
        _residual_cases,
        lambda latents, codebooks: _quantiser(codebooks).quantise(latents[None], len(codebooks))[0],
        "Loop over the codebooks: find the nearest entries, note them, subtract those entries, go on with the rest.",
    ),
}
QUIZ = {
    "codes.longer_clip": (
        "b",
        "the frame rate is fixed, so twice the seconds are twice the columns; the rows are a property of the codec.",
    ),
    "codes.bigger_codebook": (
        "a",
        "1024 entries need 10 bits, 2048 need 11: a tenth more, not twice as much. A ninth codebook would cost an eighth.",
    ),
    "codes.missing_row": (
        "c",
        "rows 2 to 8 are corrections of row 1. Without it they correct something that is not there.",
    ),
}
