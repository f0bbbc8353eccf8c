"""Pictures of vectors with two entries: points with the codebook entries they belong to, arrows, and maps of sounds.

Two dimensions are all a screen has; what is seen here holds in 32 or 256 as well. Shapes: M points, V entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import DASHES, INK, as_array, finish, palette, same_length

X, Y = "First feature", "Second feature"
SYMBOLS = "circle square diamond triangle-up triangle-down cross x star".split()
LINES = (0, 1, 2, 3, 5, 7)  # of the palette; with the symbols, the marks of the map that can be heard (`sound_map`)


def entries(points, codebook, codes, *, theme: str = "light") -> go.Figure:
    """Points, the entries of a codebook, and a thread from every point to the entry it was given.

    Args:
        points: (M, 2).
        codebook: (V, 2).
        codes: (M,) integers in [0, V).
        theme: "light" or "dark".

    Returns:
        Figure with threads, points and entries, in this order; both axes have the same scale.

    Raises:
        AudioformerError: not two features, or codes that do not fit points or codebook.

    Example:
        >>> len(entries([[0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]], [0]).data)
        3
    """
    points, codebook, codes = (
        as_array(points, "points", 2),
        as_array(codebook, "codebook", 2),
        as_array(codes, "codes", 1),
    )
    same_length(len(points), len(codes), "points", "codes")
    if points.shape[1] != 2 or codebook.shape[1] != 2:
        raise AudioformerError(
            f"points {points.shape} and codebook {codebook.shape} must have two features each to be drawn in a plane"
        )
    if codes.min() < 0 or codes.max() >= len(codebook):
        raise AudioformerError(
            f"codes range over {codes.min()}..{codes.max()}; the codebook has entries 0..{len(codebook) - 1}"
        )
    chosen = codebook[codes]
    gap = np.full(len(points), np.nan)
    x, y = (np.stack([points[:, i], chosen[:, i], gap], 1).ravel() for i in (0, 1))
    thread = {"line": {"width": 1, "color": INK[theme][1]}, "opacity": 0.5, "hoverinfo": "skip", "hovertemplate": ""}
    figure = go.Figure(go.Scatter(x=x, y=y, mode="lines", name="what is left over", **thread))
    figure.add_scatter(
        x=points[:, 0],
        y=points[:, 1],
        mode="markers",
        name="vectors",
        marker={"size": 6},
        customdata=codes,
        hovertemplate="(%{x:.2f}, %{y:.2f})<br>code %{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=codebook[:, 0],
        y=codebook[:, 1],
        mode="markers+text" if len(codebook) <= 32 else "markers",
        name="entries",
        text=[str(v) for v in range(len(codebook))],
        textposition="top center",
        marker={"size": 11, "symbol": "diamond"},
        hovertemplate="entry %{text}<br>(%{x:.2f}, %{y:.2f})<extra></extra>",
    )
    left_over = np.sqrt(((points - chosen) ** 2).sum(1).mean())
    alt = (
        f"{len(points)} vectors in a plane and {len(codebook)} entries; root mean square distance to the chosen entry "
        f"{left_over:.2f}."
    )
    return _square(finish(figure, alt, x=X, y=Y, theme=theme, height=380))


def arrows(vectors, names: Sequence[str], groups=None, *, theme: str = "light") -> go.Figure:
    """Vectors as arrows from the origin, with the circle of length 1.

    Args:
        vectors: (M, 2).
        names: M of them, written at the tips.
        groups: (M,) integers; arrows of one group share a colour and a line style. None gives each its own.
        theme: "light" or "dark".

    Returns:
        Figure with the circle and M arrows; both axes have the same scale.

    Raises:
        AudioformerError: not two features, or lengths disagree.
    """
    vectors = as_array(vectors, "vectors", 2)
    groups = np.arange(len(vectors)) if groups is None else as_array(groups, "groups", 1)
    same_length(len(vectors), len(names), "vectors", "names")
    same_length(len(vectors), len(groups), "vectors", "groups")
    if vectors.shape[1] != 2:
        raise AudioformerError(f"vectors {vectors.shape} must have two features each to be drawn in a plane")
    colours = palette(theme)
    turn = np.linspace(0, 2 * np.pi, 121)
    circle = {"width": 1, "dash": "dot", "color": INK[theme][1]}
    silent = {"mode": "lines", "hoverinfo": "skip", "hovertemplate": ""}
    figure = go.Figure(go.Scatter(x=np.cos(turn), y=np.sin(turn), line=circle, name="length 1", **silent))
    for (x, y), name, group in zip(vectors.tolist(), names, groups.tolist(), strict=True):
        colour = {"color": colours[group % 8]}
        figure.add_scatter(
            x=[0, x],
            y=[0, y],
            mode="lines+markers+text",
            text=["", name],
            textposition="top center",
            name=name,
            line={"width": 2.5, "dash": DASHES[group % 4], **colour},
            marker={"size": [0, 14], "symbol": "arrow", "angleref": "previous", "line": {"width": 0}, **colour},
            hovertemplate=f"{name}<br>(%{{x:.3f}}, %{{y:.3f}})<extra></extra>",
        )
    alt = f"{len(vectors)} arrows from the origin: " + ", ".join(
        f"{name} points to {np.degrees(np.arctan2(y, x)):.0f} degrees"
        for name, (x, y) in zip(names, vectors, strict=True)
    )
    figure = _square(finish(figure, f"{alt}.", x=X, y=Y, theme=theme, height=380))
    return figure.update_layout(showlegend=False)


def points(points, labels: Sequence[str], *, theme: str = "light") -> go.Figure:
    """A map of sounds: one mark each, colour and shape by label.

    Args:
        points: (M, 2), for instance principal components.
        labels: M names; each kind has its own colour and symbol.
        theme: "light" or "dark".

    Returns:
        Figure with one trace a label; both axes have the same scale.

    Raises:
        AudioformerError: not two features, or lengths disagree.

    Example:
        >>> [trace.name for trace in points([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]], ["dog", "rain", "dog"]).data]
        ['dog', 'rain']
    """
    points = as_array(points, "points", 2)
    same_length(len(points), len(labels), "points", "labels")
    if points.shape[1] != 2:
        raise AudioformerError(f"points {points.shape} must have two features each to be drawn in a plane")
    colours, kinds, figure = palette(theme), list(dict.fromkeys(labels)), go.Figure()
    for place, kind in enumerate(kinds):
        numbers = np.flatnonzero([label == kind for label in labels])
        symbol = SYMBOLS[(place + (len(SYMBOLS) - 1) * (place // len(LINES))) % len(SYMBOLS)]
        name = kind.replace("_", " ")
        figure.add_scatter(
            x=points[numbers, 0],
            y=points[numbers, 1],
            mode="markers",
            name=name,
            customdata=numbers,
            marker={"size": 9, "symbol": symbol, "color": colours[LINES[place % len(LINES)]]},
            hovertemplate=f"{name}<br>number %{{customdata}}<br>(%{{x:.2f}}, %{{y:.2f}})<extra></extra>",
        )
    alt = f"Map of {len(points)} sounds of {len(kinds)} kinds: {', '.join(kind.replace('_', ' ') for kind in kinds)}."
    figure = _square(finish(figure, alt, x=X, y=Y, theme=theme, height=440))
    return figure.update_layout(margin={"t": 68})


def _square(figure: go.Figure) -> go.Figure:
    """The same scale on both axes: distances look as long as they are."""
    return figure.update_yaxes(scaleanchor="x", scaleratio=1)
