"""Pictures of attention: who looks at whom, who is like whom, and how a rotary score falls with distance.

A weight says where a position takes from, not why a model decides: see it as a wiring diagram, not as an explanation.
Shapes: S positions, P distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import SOUND_SCALE, as_array, finish, lines, matrix, same_length


def attention_map(
    weights, names: Sequence[str] | None = None, *, step_s: float | None = None, theme: str = "light"
) -> go.Figure:
    """One head's weights: a row for each position that looks, a column for each that is looked at.

    Args:
        weights: (S, S), rows sum to 1.
        names: of the positions; None counts them from 0.
        step_s: seconds from position to position; then both axes are times.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap; up to 12 positions the weights stand in the cells.

    Raises:
        AudioformerError: not square, a row that does not sum to 1, or names that do not fit.

    Example:
        >>> attention_map([[1.0, 0.0], [0.5, 0.5]]).layout.xaxis.title.text
        'Looked at (position)'
    """
    weights = as_array(weights, "weights", 2).astype(np.float64)
    n = len(weights)
    if weights.shape != (n, n) or weights.min() < 0 or np.abs(weights.sum(1) - 1).max() > 1e-3:
        raise AudioformerError(
            f"weights {weights.shape} must be square with rows that sum to 1; softmax over the last axis gives that"
        )
    if names is not None:
        same_length(n, len(names), "weights", "names")
    labels = list(range(n)) if names is None else [f"{i} {name}" for i, name in enumerate(names)]
    entropy = -(weights * np.log(np.maximum(weights, 1e-12))).sum(1).mean()
    figure = matrix(
        np.round(weights, 4),
        f"Attention of {n} positions; on average a position spreads its weight over {np.exp(entropy):.1f} of them.",
        x="Looked at (position)",
        y="Looking (position)",
        unit="Weight",
        hover="position %{y}<br>looks at %{x}<br>weight %{z:.3f}",
        theme=theme,
        colorscale=SOUND_SCALE,
        zmin=0,
        name="attention",
    )
    if step_s is not None:
        places = np.round(np.arange(n) * step_s, 4)
        figure.update_traces(x=places, y=places, hovertemplate="%{y:.2f} s<br>looks at %{x:.2f} s<br>weight %{z:.3f}")
        return figure.update_xaxes(title_text="Looked at (s)").update_yaxes(title_text="Looking (s)")
    figure.update_traces(x=labels, y=labels)
    kind = None if names is None else "category"  # "1 7" is a name, and plotly would take it for a date
    return figure.update_xaxes(type=kind).update_yaxes(type=kind)


def likeness(cosines, *, theme: str = "light") -> go.Figure:
    """How much alike the vectors of all positions are.

    Args:
        cosines: (S, S), -1 to 1.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap.

    Raises:
        AudioformerError: not square, or no cosines.

    Example:
        >>> likeness([[1.0, 0.5], [0.5, 1.0]]).layout.meta["alt"]
        'Likeness of 2 positions; mean cosine of neighbours 0.50, of all pairs 0.50.'
    """
    cosines = as_array(cosines, "cosines", 2).astype(np.float64)
    n = len(cosines)
    if cosines.shape != (n, n) or n < 2 or np.abs(cosines).max() > 1.001:
        raise AudioformerError(f"cosines {cosines.shape} must be square, from -1 to 1; multiply vectors of length 1")
    pairs, beside = cosines[~np.eye(n, dtype=bool)].mean(), np.diagonal(cosines, 1).mean()
    return matrix(
        np.round(cosines, 3),
        f"Likeness of {n} positions; mean cosine of neighbours {beside:.2f}, of all pairs {pairs:.2f}.",
        x="Compared with (position)",
        y="Position",
        unit="Cosine",
        hover="positions %{y} and %{x}<br>cosine %{z:.3f}",
        theme=theme,
        colorscale=SOUND_SCALE,
        zmin=float(cosines.min()),
        zmax=1,
        name="likeness",
    )


def score_by_distance(distances, scores: Mapping[str, Sequence[float]], *, theme: str = "light") -> go.Figure:
    """Score of a query and a key against how far apart they stand.

    Args:
        distances: (P,) positions between query and key.
        scores: name to (P,) scores, one line each.
        theme: "light" or "dark".

    Returns:
        Figure with one line per name.

    Raises:
        AudioformerError: nothing to draw, or lengths disagree.
    """
    distances = as_array(distances, "distances", 1)
    if not scores:
        raise AudioformerError("no scores to draw; give at least one name with its scores")
    for name, values in scores.items():
        same_length(len(distances), len(as_array(values, name, 1)), "distances", name)
    figure = lines(scores, distances, "distance %{x}<br>score %{y:.3f}")
    alt = f"Score against distance from {distances.min()} to {distances.max()} positions for {', '.join(scores)}."
    finish(figure, alt, x="Distance (positions)", y="Score (query · key)", theme=theme)
    return figure.update_layout(showlegend=True)
