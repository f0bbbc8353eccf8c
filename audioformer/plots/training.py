"""A picture of training: losses step by step, beside the level of knowing nothing and the least possible.

Shapes: N steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from audioformer.plots.theme import as_array, finish, lines

PLACES = ("top right", "top", "top left")


def losses(
    curves: Mapping[str, Sequence[float]],
    levels: Mapping[str, float] | None = None,
    *,
    first_step: int = 1,
    theme: str = "light",
) -> go.Figure:
    """Loss curves with their reference levels.

    Args:
        curves: name to the loss of each step, nats; a curve may be empty.
        levels: name to a value drawn as a horizontal line, for instance {"chance": log V}.
        first_step: number of the first value.
        theme: "light" or "dark".

    Returns:
        Figure with one line per curve.

    Raises:
        AudioformerError: a curve that is not a list of finite numbers.

    Example:
        >>> losses({"mlm": [7.0, 6.5]}, {"chance": 6.93}).layout.meta["alt"]
        'Loss by step: mlm from 7.00 to 6.50 in 2 steps; chance at 6.93.'
    """
    curves = {name: as_array(values, name, 1) for name, values in curves.items() if len(values)}
    n_most = max(map(len, curves.values()), default=0)
    figure = lines(curves, list(range(first_step, first_step + n_most)), "step %{x}<br>%{y:.3f} nats")
    parts = [f"{name} from {line[0]:.2f} to {line[-1]:.2f} in {len(line)} steps" for name, line in curves.items()]
    for place, (name, value) in enumerate((levels or {}).items()):  # side by side: low levels lie close together
        figure.add_hline(
            y=value, annotation_text=f"{name} {value:.2f}", annotation_position=PLACES[place % len(PLACES)]
        )
        parts.append(f"{name} at {value:.2f}")
    finish(figure, f"Loss by step: {'; '.join(parts) or 'none yet'}.", x="Step", y="Loss (nats)", theme=theme)
    return figure.update_layout(showlegend=len(figure.data) > 1)
