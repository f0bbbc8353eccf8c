"""Handwritten digits to go with spoken ones: 1,797 pictures of 8 x 8 pixels by 14 writers, which scikit-learn carries.

A word is heard from one person and a digit is written by another, so nothing but the digit connects them. Which
recording goes with which picture is told by the label: weak supervision, not self-supervision. The label itself is
never shown to the model.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (the test part, from other writers
than its training part). The blocks of writers follow from the order in which the pictures stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from audioformer.errors import AudioformerError, check_names

# where each writer's pictures begin, and the end
WRITERS = (0, 130, 256, 386, 516, 646, 776, 915, 1029, 1157, 1287, 1415, 1545, 1667, 1797)
PARTS = {"train": range(9), "val": range(9, 11), "test": range(11, 14)}  # writers, counted from 0
PAIRINGS = {
    "digit": "a new picture of the spoken digit each time",
    "fixed": "the same picture of the spoken digit for a recording, always",
    "shuffled": "the control: a picture of any digit, so that there is nothing to learn",
}
SIZE = 16  # pixels a side that the tower sees: every pixel of the 8 x 8 is doubled
FIXED_SEED = 4099


@lru_cache(maxsize=1)
def _all() -> tuple[np.ndarray, np.ndarray]:
    """(1797, 8, 8) float32 from 0 to 1, and (1797,) the digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32), found.target.astype(np.int64)


def digit_pictures(part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Pictures and their digits.

    Args:
        part: "train" (writers 1 to 9), "val" (10, 11) or "test" (12 to 14).

    Returns:
        (n, 8, 8) float32, ink 1 on 0, and (n,) int64.

    Raises:
        AudioformerError: unknown part.

    Example:
        >>> [len(digit_pictures(part)[0]) for part in PARTS]
        [1157, 258, 382]
    """
    check_names([part], list(PARTS), "the list of parts")
    images, digits = _all()
    kept = slice(WRITERS[PARTS[part].start], WRITERS[PARTS[part].stop])
    return images[kept], digits[kept]


def coarser(pictures: np.ndarray, resolution: int) -> np.ndarray:
    """Pictures seen with fewer pixels: the mean of each square, put back to the size they had.

    Args:
        pictures: (..., S, S) or, with colours, (..., S, S) for each colour.
        resolution: pixels a side that are left, a divisor of S.

    Raises:
        AudioformerError: not a divisor.
    """
    size = pictures.shape[-1]
    if resolution < 1 or size % resolution:
        raise AudioformerError(f"resolution={resolution} must divide the {size} pixels of a side")
    step = size // resolution
    squares = pictures.reshape(*pictures.shape[:-2], resolution, step, resolution, step).mean((-3, -1))
    return squares.repeat(step, -1).repeat(step, -2)


def for_tower(pictures: np.ndarray, resolution: int = 8) -> np.ndarray:
    """(n, 8, 8) pictures as the tower sees them: (n, 1, 1, 16, 16) float32, one frame and one colour."""
    seen = coarser(pictures, resolution)
    return seen.repeat(2, -1).repeat(2, -2)[:, None, None].astype(np.float32)


class DigitPairs:
    """Draws a picture for each recording of a spoken digit.

    Args:
        digits: (n,) the digit of each recording.
        part: whose pictures: "train", "val" or "test".
        pairing: a name of PAIRINGS.
        resolution: 8, 4 or 2 pixels a side.

    Raises:
        AudioformerError: unknown name, a resolution that does not divide 8, or labels that are no digits.
    """

    def __init__(self, digits: Sequence[int], part: str = "train", pairing: str = "digit", resolution: int = 8):
        check_names([pairing], list(PAIRINGS), "the list of pairings")
        pictures, written = digit_pictures(part)
        self.digits, self.pairing = np.asarray(digits), pairing
        if len(self.digits) and not (0 <= self.digits.min() and self.digits.max() <= 9):
            raise AudioformerError("pictures of digits need a corpus whose classes are the digits 0 to 9, such as fsdd")
        self.pictures = for_tower(pictures, resolution)
        self.of_digit = [np.flatnonzero(written == digit) for digit in range(10)]

    def draw(self, indices: Sequence[int], rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """(B, 1, 1, 16, 16): a picture for each of these recordings, moved by up to one pixel of the 16."""
        chosen = []
        for index, rng in zip(indices, rngs, strict=True):
            if self.pairing == "fixed":
                picture = np.random.default_rng([FIXED_SEED, int(index)]).choice(self.of_digit[self.digits[index]])
            elif self.pairing == "shuffled":
                picture = rng.integers(len(self.pictures))
            else:
                picture = rng.choice(self.of_digit[self.digits[index]])
            chosen.append(np.roll(self.pictures[picture], rng.integers(-1, 2, 2), (-2, -1)))
        return np.stack(chosen)
