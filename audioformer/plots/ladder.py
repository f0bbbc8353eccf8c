"""Pictures of a codec's training: the ladder (how much closer each further codebook brings a sound) and its losses.

Shapes: S moments of training, K codebooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from audioformer.plots.theme import CODE_SCALE, as_array, finish, lines, same_length


def ladder(distances, steps, label: str, *, theme: str = "light", max_lines: int = 6) -> go.Figure:
    """Distance to the original by number of codebooks, one line a moment of training, the latest the thickest.

    Args:
        distances: (S, K) with 1..K codebooks after each of the steps.
        steps: (S,) training steps, rising.
        label: what the distance is, with unit, for the axis.
        theme: "light" or "dark".
        max_lines: of more moments, this many are drawn, the first and the last among them.

    Returns:
        Figure with one line for each moment drawn.

    Raises:
        AudioformerError: shapes disagree, or a value is not finite.
    """
    distances, steps = as_array(distances, "distances", 2), as_array(steps, "steps", 1)
    same_length(len(distances), len(steps), "distances", "steps")
    drawn = np.unique(np.linspace(0, len(steps) - 1, min(max_lines, len(steps))).round().astype(int))
    places = np.linspace(0.05, 0.85, len(drawn)) if theme == "light" else np.linspace(0.25, 1, len(drawn))
    n_codebooks = np.arange(1, distances.shape[1] + 1)
    figure = go.Figure()
    for index, colour in zip(drawn, sample_colorscale(CODE_SCALE, places.tolist()), strict=True):
        figure.add_scatter(
            x=n_codebooks,
            y=distances[index],
            mode="lines+markers",
            name=f"step {steps[index]}",
            line={"color": colour, "width": 3 if index == drawn[-1] else 1.5},
            hovertemplate=f"step {steps[index]}<br>%{{x}} codebooks<br>%{{y:.3f}}<extra></extra>",
        )
    first, last = distances[-1][[0, -1]]
    alt = f"{label} after step {steps[-1]}: {first:.3f} with 1 codebook, {last:.3f} with {distances.shape[1]}."
    finish(figure, alt, x="Codebooks used", y=label, theme=theme)
    return figure.update_xaxes(dtick=1 if len(n_codebooks) <= 12 else 4)


def loss_terms(steps, curves: Mapping[str, Sequence[float]], *, theme: str = "light") -> go.Figure:
    """The terms of a loss over training; each has a unit of its own, so read slopes, not heights.

    Args:
        steps: (S,) training steps.
        curves: name to (S,) values; NaN where a term was not yet there.
        theme: "light" or "dark".

    Returns:
        Figure with one line a term.

    Raises:
        AudioformerError: lengths disagree.
    """
    steps = as_array(steps, "steps", 1)
    for name, values in curves.items():
        same_length(len(values), len(steps), name, "steps")
    ends = [f"{name} {values[-1]:.3f}" for name, values in curves.items()]
    figure = lines(curves, steps, "step %{x}<br>%{y:.3f}")
    alt = f"Terms of the loss up to step {steps[-1]}, at the end: {', '.join(ends)}."
    return finish(figure, alt, x="Training step", y="Loss term (own unit each)", theme=theme)
