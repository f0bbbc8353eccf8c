"""Pictures of codes: the grid of code numbers, and what each further codebook adds.

A code is a name, not a size: code 418 is no more than code 417. So the grid never colours by the number. With the
codebooks at hand it colours by where a code's vector lies along the main direction of its codebook, so that a similar
colour means a similar vector; without them it uses a few distinct colours that only tell neighbours apart.

Shapes: K codebooks (rows), T frames (columns), V entries per codebook, D width of a codebook vector.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.theme import CODE_SCALE, OKABE_ITO, as_array, finish, flat_steps, same_length


def colour_ranks(codebooks) -> np.ndarray:
    """Order the entries of each codebook along the direction in which they differ most.

    That direction is the first principal component of the V vectors. Its share of the variance may be small, so a
    similar colour is a hint, a different colour is the firmer statement.

    Args:
        codebooks: (K, V, D) vectors.

    Returns:
        (K, V) int16, each row a permutation of 0..V-1.

    Raises:
        AudioformerError: not three axes.

    Example:
        >>> colour_ranks([[[3.0], [1.0], [2.0]]])
        array([[2, 0, 1]], dtype=int16)
    """
    codebooks = as_array(codebooks, "codebooks", 3).astype(np.float64)
    ranks = []
    for entries in codebooks:
        direction = np.linalg.svd(entries - entries.mean(0), full_matrices=False)[2][0]
        direction = direction * np.sign(direction[np.abs(direction).argmax()])  # SVD leaves the sign open
        ranks.append((entries @ direction).argsort(kind="stable").argsort(kind="stable"))
    return np.asarray(ranks, dtype=np.int16)


def code_grid(codes, frame_rate: float, *, ranks=None, theme: str = "light") -> go.Figure:
    """The codes of one clip: rows are codebooks (the coarse sketch on top), columns are frames.

    Args:
        codes: (K, T) integers.
        frame_rate: columns per second, Hz.
        ranks: (K', V) from `colour_ranks`, K' >= K; None colours by code mod 7.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap; `customdata` holds the codes, hover tells row, time and code.

    Raises:
        AudioformerError: not (K, T) integers, or codes that `ranks` does not cover (both shapes are printed).
    """
    codes = as_array(codes, "codes", 2)
    if not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0 or frame_rate <= 0:
        raise AudioformerError(
            f"codes are {codes.dtype} from {codes.min()} at frame_rate={frame_rate}; "
            "expected integers >= 0 and a rate > 0"
        )
    n_rows, n_frames = codes.shape
    shade, scale, top = _shades(codes, ranks)
    return grid(
        shade,
        frame_rate,
        f"Code grid: {n_rows} codebooks by {n_frames} frames ({n_frames / frame_rate:.2f} s), "
        f"{len(np.unique(codes[0]))} different codes in codebook 1.",
        "code %{customdata}",
        theme=theme,
        customdata=codes.astype(np.int32),
        zmin=0,
        zmax=top,
        colorscale=scale,
        showscale=False,
        name="codes",
    )


def grid(z, frame_rate: float, alt: str, hover: str, *, theme: str, **trace) -> go.Figure:
    """A finished figure with a cell for each code of a clip.

    Args:
        z: (K, T) numbers that give the colours.
        frame_rate: columns per second, Hz.
        alt: one sentence.
        hover: what the pointer tells below row and time.
        theme: "light" or "dark".
        trace: further properties of the heatmap.
    """
    n_rows, n_frames = z.shape
    hover = f"codebook %{{y}}<br>%{{x:.3f}} s<br>{hover}<extra></extra>"
    rows = {"y": np.arange(1, n_rows + 1), "ygap": 1 if n_rows <= 16 else 0}
    figure = go.Figure(go.Heatmap(z=z, x0=0.5 / frame_rate, dx=1 / frame_rate, hovertemplate=hover, **rows, **trace))
    finish(figure, alt, x=TIME, y="Codebook (row)", theme=theme, height=120 + 20 * min(n_rows, 16))
    figure.update_xaxes(range=[0, n_frames / frame_rate], showgrid=False)
    return figure.update_yaxes(autorange="reversed", tickmode="array", tickvals=row_ticks(n_rows), showgrid=False)


def _shades(codes: np.ndarray, ranks) -> tuple[np.ndarray, object, int]:
    """Colour value of every cell, the colour scale, and the largest value."""
    if ranks is None:
        return (codes % 7).astype(np.int16), flat_steps(OKABE_ITO[:7]), 6
    ranks = as_array(ranks, "ranks", 2)
    if ranks.shape[0] < codes.shape[0] or ranks.shape[1] <= codes.max():
        raise AudioformerError(
            f"codes {codes.shape} reach code {codes.max()} but ranks have shape {ranks.shape}; "
            "give ranks of the codec that made them"
        )
    return np.take_along_axis(ranks[: codes.shape[0]], codes, 1).astype(np.int16), CODE_SCALE, ranks.shape[1] - 1


def row_ticks(n_rows: int) -> list[int]:
    """Numbers to write at the rows of a grid: all of up to 8, else the first and every fourth."""
    return list(range(1, n_rows + 1)) if n_rows <= 8 else [1, *range(4, n_rows + 1, 4)]


def error_by_codebooks(error_db, n_codebooks, *, theme: str = "light", label: str = "error") -> go.Figure:
    """How the error shrinks as codebooks are added.

    Args:
        error_db: (P,) error relative to the signal, decibel (0 dB: as large as the signal).
        n_codebooks: (P,) codebooks used for each value.
        theme: "light" or "dark".
        label: what the error is of, for the axis.

    Returns:
        Figure with one line.

    Raises:
        AudioformerError: the two have different lengths.
    """
    error_db, n_codebooks = as_array(error_db, "error_db", 1), as_array(n_codebooks, "n_codebooks", 1)
    same_length(len(error_db), len(n_codebooks), "error_db", "n_codebooks")
    figure = go.Figure(
        go.Scatter(
            x=n_codebooks,
            y=error_db,
            mode="lines+markers",
            name=label,
            hovertemplate=f"%{{x}} codebooks<br>{label} %{{y:.1f}} dB<extra></extra>",
        )
    )
    ends = " and ".join(f"{error_db[end]:.1f} dB with {n_codebooks[end]}" for end in (0, -1))
    alt = f"{label.capitalize()} against the number of codebooks: {ends}."
    finish(figure, alt, x="Codebooks used", y=f"{label.capitalize()} (dB)", theme=theme)
    return figure.update_xaxes(dtick=1 if len(n_codebooks) <= 12 else 4)
