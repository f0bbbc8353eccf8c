"""Pictures of attention: who looks at whom, who is like whom, and how a rotary score falls with distance.

A weight says where a position takes from, not why a model decides: see it as a wiring diagram, not as an explanation.
Shapes: S positions, P distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.predictions import DASHES
from audioformer.plots.theme import SOUND_SCALE, as_array, finish, same_length

MAX_WRITTEN = 12  # positions, beyond which numbers in the cells cannot be read


def attention_map(
    weights, names: Sequence[str] | None = None, *, theme: str = "light", title: str | None = None
) -> go.Figure:
    """One head's weights: a row for each position that looks, a column for each that is looked at.

    Args:
        weights: (S, S), rows sum to 1.
        names: of the positions; None counts them from 0.
        theme: "light" or "dark".
        title: above the figure.

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
    figure = go.Figure(
        go.Heatmap(
            z=np.round(weights, 4),
            x=labels,
            y=labels,
            zmin=0,
            colorscale=SOUND_SCALE,
            name="attention",
            texttemplate="%{z:.2f}" if n <= MAX_WRITTEN else None,
            colorbar={"title": {"text": "Weight"}, "thickness": 12},
            hovertemplate="position %{y}<br>looks at %{x}<br>weight %{z:.3f}<extra></extra>",
        )
    )
    entropy = -(weights * np.log(np.maximum(weights, 1e-12))).sum(1).mean()
    alt = f"Attention of {n} positions; on average a position spreads its weight over {np.exp(entropy):.1f} of them."
    finish(figure, alt, x="Looked at (position)", y="Looking (position)", theme=theme, title=title, height=420)
    kind = None if names is None else "category"  # "1 7" is a name, and plotly would take it for a date
    figure.update_yaxes(autorange="reversed", type=kind, showgrid=False, automargin=True)
    return figure.update_xaxes(type=kind, showgrid=False)


def likeness(cosines, *, theme: str = "light", title: str | None = None) -> go.Figure:
    """How much alike the vectors of all positions are.

    Args:
        cosines: (S, S), -1 to 1.
        theme: "light" or "dark".
        title: above the figure.

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
    figure = go.Figure(
        go.Heatmap(
            z=np.round(cosines, 3),
            zmin=float(cosines.min()),
            zmax=1,
            colorscale=SOUND_SCALE,
            name="likeness",
            colorbar={"title": {"text": "Cosine"}, "thickness": 12},
            hovertemplate="positions %{y} and %{x}<br>cosine %{z:.3f}<extra></extra>",
        )
    )
    pairs = cosines[~np.eye(n, dtype=bool)].mean()
    alt = f"Likeness of {n} positions; mean cosine of neighbours {np.diagonal(cosines, 1).mean():.2f}, of all pairs {pairs:.2f}."
    finish(figure, alt, x="Compared with (position)", y="Position", theme=theme, title=title, height=420)
    return figure.update_yaxes(autorange="reversed", showgrid=False).update_xaxes(showgrid=False)


def score_by_distance(
    distances, scores: Mapping[str, Sequence[float]], *, theme: str = "light", title: str | None = None
) -> go.Figure:
    """Score of a query and a key against how far apart they stand.

    Args:
        distances: (P,) positions between query and key.
        scores: name to (P,) scores, one line each.
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure with one line per name.

    Raises:
        AudioformerError: nothing to draw, or lengths disagree.
    """
    distances = as_array(distances, "distances", 1)
    if not scores:
        raise AudioformerError("no scores to draw; give at least one name with its scores")
    figure = go.Figure()
    for place, (name, values) in enumerate(scores.items()):
        values = as_array(values, name, 1)
        same_length(len(distances), len(values), "distances", name)
        figure.add_scatter(
            x=distances,
            y=values,
            mode="lines",
            name=name,
            line={"width": 2, "dash": DASHES[place % len(DASHES)]},
            hovertemplate=f"{name}<br>distance %{{x}}<br>score %{{y:.3f}}<extra></extra>",
        )
    alt = f"Score against distance from {distances.min()} to {distances.max()} positions for {', '.join(scores)}."
    finish(figure, alt, x="Distance (positions)", y="Score (query · key)", theme=theme, title=title)
    return figure.update_layout(showlegend=True)
