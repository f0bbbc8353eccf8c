"""A picture of training: losses step by step, beside the level of knowing nothing and the least possible.

Shapes: N steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from audioformer.plots.predictions import DASHES
from audioformer.plots.theme import as_array, finish

PLACES = ("top right", "top", "top left")


def losses(
    curves: Mapping[str, Sequence[float]],
    levels: Mapping[str, float] | None = None,
    *,
    first_step: int = 1,
    theme: str = "light",
    title: str | None = None,
) -> go.Figure:
    """Loss curves with their reference levels.

    Args:
        curves: name to the loss of each step, nats; a curve may be empty.
        levels: name to a value drawn as a horizontal line, for instance {"chance": log V}.
        first_step: number of the first value.
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure with one line per curve.

    Raises:
        AudioformerError: a curve that is not a list of finite numbers.

    Example:
        >>> losses({"mlm": [7.0, 6.5]}, {"chance": 6.93}).layout.meta["alt"]
        'Loss by step: mlm from 7.00 to 6.50 in 2 steps; chance at 6.93.'
    """
    figure = go.Figure()
    told = []
    for place, (name, values) in enumerate(curves.items()):
        if not len(values):
            continue
        values = as_array(values, name, 1)
        figure.add_scatter(
            x=list(range(first_step, first_step + len(values))),
            y=values,
            mode="lines",
            name=name,
            line={"width": 2, "dash": DASHES[place % len(DASHES)]},
            hovertemplate=f"{name}<br>step %{{x}}<br>%{{y:.3f}} nats<extra></extra>",
        )
        told.append(f"{name} from {values[0]:.2f} to {values[-1]:.2f} in {len(values)} steps")
    for place, (name, value) in enumerate((levels or {}).items()):  # side by side: low levels lie close together
        figure.add_hline(
            y=value, annotation_text=f"{name} {value:.2f}", annotation_position=PLACES[place % len(PLACES)]
        )
        told.append(f"{name} at {value:.2f}")
    finish(
        figure, f"Loss by step: {'; '.join(told) or 'none yet'}.", x="Step", y="Loss (nats)", theme=theme, title=title
    )
    return figure.update_layout(showlegend=len(figure.data) > 1)
