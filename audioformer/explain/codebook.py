"""What the entries of a codebook are: which are used, which lie close together, which tell a class, how they sound.

Numbers and sounds only; `plots.codebook` draws them. Whatever concerns row k of a residual quantiser concerns what rows
1 to k - 1 left over: an entry of row 1 is a sound, one of row 5 a small correction to one.

Shapes: K codebooks (rows), V entries each, D width, T frames, C classes, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from audioformer.codec import Codec
from audioformer.errors import AudioformerError

HOLD_S, FADE_S = 0.4, 0.01  # how long a single code is held when it is played, and how long each end is faded


def count(clips: Iterable, codebook_size: int) -> np.ndarray:
    """How often each entry of each row occurs.

    Args:
        clips: (K, T) integer codes of each clip, arrays or tensors.
        codebook_size: V.

    Returns:
        (K, V) int64.

    Raises:
        AudioformerError: no clip, clips with different numbers of rows, or codes outside [0, V).

    Example:
        >>> count([[[0, 2, 2]], [[2]]], 3)
        array([[1, 0, 3]])
    """
    total = None
    for codes in clips:
        codes = _checked(codes, codebook_size)
        counts = np.stack([np.bincount(row, minlength=codebook_size) for row in codes])
        if total is not None and counts.shape != total.shape:
            raise AudioformerError(
                f"one clip has {len(total)} rows of codes, another {len(counts)}; count clips of the same rows"
            )
        total = counts if total is None else total + counts
    if total is None:
        raise AudioformerError("no clip to count the codes of; give at least one (K, T) array")
    return total


def class_counts(clips: Iterable, labels: Iterable, n_classes: int, codebook_size: int) -> np.ndarray:
    """How often each entry occurs in the clips of each class; a clip with several labels counts for each of them.

    Args:
        clips: (K, T) codes of each clip; of a corpus: `[item.codes for item in corpus]`.
        labels: class number, or several, of each clip; of a corpus: `[item.labels for item in corpus]`.
        n_classes: C.
        codebook_size: V.

    Returns:
        (C, K, V) int64; zeros for a class without clips.

    Raises:
        AudioformerError: lengths differ, a label outside [0, C), or codes that `count` refuses.
    """
    clips, labels = list(clips), [np.atleast_1d(np.asarray(label, dtype=np.int64)) for label in labels]
    if not clips or len(clips) != len(labels):
        raise AudioformerError(
            f"{len(clips)} clips but {len(labels)} labels; give one label, or one list of labels, a clip"
        )
    total = np.zeros((n_classes, *np.shape(clips[0])[:1], codebook_size), np.int64)
    for codes, numbers in zip(clips, labels, strict=True):
        if numbers.size and (numbers.min() < 0 or numbers.max() >= n_classes):
            raise AudioformerError(
                f"label {numbers.tolist()} is outside 0..{n_classes - 1}; n_classes must cover all labels"
            )
        counts = count([codes], codebook_size)
        if counts.shape != total.shape[1:]:
            raise AudioformerError(
                f"one clip has {total.shape[1]} rows of codes, another {len(counts)}; count clips of the same rows"
            )
        total[np.unique(numbers)] += counts
    return total


def log_odds(inside: np.ndarray, outside: np.ndarray, strength: float = 500.0) -> tuple[np.ndarray, np.ndarray]:
    """Which entries are typical for a class: log-odds ratio against the rest, kept honest by a prior.

    With counts y (inside), y' (outside), their sums n, n', and a prior a_v = strength * (y_v + y'_v) / (n + n'):

        delta_v = log (y_v + a_v) / (n + a_0 - y_v - a_v)  -  log (y'_v + a_v) / (n' + a_0 - y'_v - a_v)
        var_v  ~= 1 / (y_v + a_v) + 1 / (y'_v + a_v),        z_v = delta_v / sqrt(var_v)

    Source: Monroe, Colaresi and Quinn 2008, "Fightin' Words", Political Analysis 16(4), equations 16, 20 and 22: the
    informative Dirichlet prior draws rare entries to the common usage, so that one chance occurrence makes no hero.
    Frames next to each other are alike, so z overstates how sure one can be: it is for ranking, not for testing.

    Args:
        inside: (..., V) counts in the class.
        outside: (..., V) counts in all others.
        strength: a_0, the prior's weight in frames.

    Returns:
        delta (natural log units) and z (no unit), (..., V) float64; both 0 for entries that never occur.

    Raises:
        AudioformerError: shapes differ, nothing on one side, or strength not above 0.
    """
    inside, outside = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    if inside.shape != outside.shape or not strength > 0:
        raise AudioformerError(
            f"counts {inside.shape} and {outside.shape}, strength={strength}; shapes must agree, strength exceed 0"
        )
    totals = inside.sum(-1, keepdims=True), outside.sum(-1, keepdims=True)
    if (totals[0] == 0).any() or (totals[1] == 0).any():
        raise AudioformerError(
            "one side has no codes at all; compare a class that has clips with others that have some"
        )
    occurs = inside + outside > 0
    prior = np.where(occurs, strength * (inside + outside) / (totals[0] + totals[1]), 1.0)
    sides = [
        np.log(y + prior) - np.log(np.maximum(n + strength - y - prior, 1e-9))
        for y, n in zip((inside, outside), totals, strict=True)
    ]
    delta = np.where(occurs, sides[0] - sides[1], 0.0)
    return delta, delta / np.sqrt(1 / (inside + prior) + 1 / (outside + prior))


@dataclass(frozen=True)
class EntryMap:
    """A codebook in the plane.

    Attributes:
        points: (V, 2) in the units of the codebook.
        shares: (2,) of the variance that each axis shows, 0 to 1.
    """

    points: np.ndarray
    shares: np.ndarray


def entry_map(entries) -> EntryMap:
    """Lay the entries of one codebook into the plane in which they spread most (principal components).

    Args:
        entries: (V, D) vectors, V and D at least 2.

    Returns:
        EntryMap. Neighbours on the map may lie far apart in what it leaves out: `shares` says how much that is.

    Raises:
        AudioformerError: another shape, not finite, or scikit-learn is not installed.
    """
    try:
        from sklearn.decomposition import PCA
    except ImportError as error:
        raise AudioformerError('maps need scikit-learn: pip install "audioformer[app]"') from error
    entries = np.asarray(torch.as_tensor(entries).detach().cpu(), np.float64)
    if entries.ndim != 2 or min(entries.shape) < 2 or not np.isfinite(entries).all():
        raise AudioformerError(f"entries have shape {entries.shape}; expected finite (V, D), both at least 2")
    if not np.ptp(entries, axis=0).any():  # all entries alike: they have no spread to share out
        return EntryMap(np.zeros((len(entries), 2)), np.zeros(2))
    plane = PCA(2, svd_solver="full")
    return EntryMap(plane.fit_transform(entries), plane.explained_variance_ratio_)


def entry_column(clips: Iterable, row: int, entry: int, codebook_size: int) -> np.ndarray:
    """What to hear an entry with: itself under the codes of the rows above that it most often stands under.

    Args:
        clips: (K, T) codes of each clip.
        row: 1 to K.
        entry: 0 to V - 1.
        codebook_size: V.

    Returns:
        (row,) int64, the last one `entry`. The commonest whole column above it, of equally common ones the smallest.
        Rows below are left out: they would only correct it.

    Raises:
        AudioformerError: no such row or entry, or an entry of row 2 or later that none of the clips uses.
    """
    if row == 1:
        _in_range(entry, codebook_size)
        return np.array([entry], np.int64)
    parts = []
    for codes in clips:
        codes = _checked(codes, codebook_size)
        _in_range(entry, codebook_size, row, len(codes))
        parts.append(codes[: row - 1, codes[row - 1] == entry].T)
    columns = np.concatenate(parts) if parts else np.zeros((0, row - 1), np.int64)
    if not len(columns):
        raise AudioformerError(
            f"no clip here uses entry {entry} of row {row}, and it means nothing without the rows above; choose another"
        )
    columns, times = np.unique(columns, axis=0, return_counts=True)
    return np.append(columns[times.argmax()], entry)


def held_code(column, codec: Codec, hold_s: float = HOLD_S) -> np.ndarray:
    """One code as a sound: held for a moment together with the codes above it in its column.

    A code of row k corrects what rows 1 to k - 1 left over, so alone it is not a sound; with them it is.

    Args:
        column: (k,) codes of rows 1 to k, for instance from `entry_column`.
        codec: that made them.
        hold_s: seconds.

    Returns:
        (N,) float32 at the codec's rate, faded at both ends so that it does not click.

    Raises:
        AudioformerError: codes that the codec does not have.
    """
    n_frames = max(1, round(hold_s * codec.frame_rate))
    codes = torch.as_tensor(np.asarray(column, dtype=np.int64))[:, None].expand(-1, n_frames)
    sound = codec.decode(codes)[0].mean(0).cpu().numpy()
    n_fade = min(len(sound) // 2, round(FADE_S * codec.sample_rate))
    ends = np.ones(len(sound), dtype=np.float32)
    ends[:n_fade] = np.linspace(0, 1, n_fade, dtype=np.float32)
    return sound * ends * ends[::-1]


def _checked(codes, codebook_size: int) -> np.ndarray:
    """(K, T) int64, or an error."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.size == 0 or not np.issubdtype(codes.dtype, np.integer):
        raise AudioformerError(f"codes have shape {codes.shape}, {codes.dtype}; expected integers (K, T) of one clip")
    if codes.min() < 0 or codes.max() >= codebook_size:
        raise AudioformerError(f"codes range over {codes.min()}..{codes.max()}; entries are 0..{codebook_size - 1}")
    return codes.astype(np.int64)


def _in_range(entry: int, codebook_size: int, row: int = 1, n_rows: int = 1) -> None:
    if not 1 <= row <= n_rows or not 0 <= entry < codebook_size:
        raise AudioformerError(
            f"row={row}, entry={entry}: rows are 1..{n_rows}, entries 0..{codebook_size - 1}; choose one of those"
        )
