"""Pictures of what an answer hangs on: importance over time, deletion and insertion curves.

Shapes: T frames, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import INK, OKABE_ITO, as_array, finish, lines, palette, same_length


def over_time(
    maps: Mapping[str, Sequence[float]],
    frame_rate: float,
    label: str,
    *,
    events: Iterable[tuple[str, float, float]] = (),
    even: float = 0.0,
    theme: str = "light",
) -> go.Figure:
    """How important each moment is, by one or several ways of asking.

    Args:
        maps: name to (T,) importance, all of one length.
        frame_rate: Hz.
        label: what is measured, with its unit.
        events: (label, start, end) in seconds: shaded.
        even: where a line is drawn that means "no importance".
        theme: "light" or "dark".

    Returns:
        Figure with one line a map.

    Raises:
        AudioformerError: nothing to draw, lengths that differ, or values that are not finite.

    Example:
        >>> over_time({"occlusion": [0.0, 0.4, 0.1]}, 75, "Fall of the probability").layout.meta["alt"]
        'Fall of the probability over 0.04 s; occlusion is highest at 0.02 s.'
    """
    if not maps:
        raise AudioformerError("maps is empty; give at least one")
    n_frames, highest = len(next(iter(maps.values()))), []
    times = (np.arange(n_frames) + 0.5) / frame_rate
    for name, values in maps.items():
        same_length(len(as_array(values, name, 1)), n_frames, name, next(iter(maps)))
        highest.append(f"{name} is highest at {times[int(np.asarray(values).argmax())]:.2f} s")
    figure = lines(maps, times, "%{x:.2f} s<br>%{y:.4g}")
    figure.add_hline(even, line={"width": 1, "color": INK[theme][1], "dash": "dot"})
    for event, start, end in events:
        name = {"annotation_text": event.replace("_", " "), "annotation_position": "top left"}
        figure.add_vrect(start, end, fillcolor=OKABE_ITO[2], opacity=0.18, line_width=0, **name)
    alt = f"{label} over {n_frames / frame_rate:.2f} s; {'; '.join(highest)}."
    return finish(figure, alt, x="Time (s)", y=label, theme=theme).update_layout(showlegend=len(maps) > 1)


def faithfulness(curves, chance, label: str, *, theme: str = "light") -> go.Figure:
    """Deletion and insertion curves of a map beside those of a random order.

    Args:
        curves: `audioformer.explain.faithfulness.Curves`: (P,) share, deletion and insertion, and the areas under them.
        chance: the same of a random order.
        label: whose probability it is.
        theme: "light" or "dark".

    Returns:
        Figure with four lines: what is hidden first and what is shown first, for both orders.

    Raises:
        AudioformerError: lengths that differ.
    """
    figure, blue, warm = go.Figure(), palette(theme)[0], palette(theme)[5]
    lines = [
        ("only these shown", curves.share, curves.insertion, blue, "solid"),
        ("these hidden", curves.share, curves.deletion, warm, "solid"),
        ("shown, random", chance.share, chance.insertion, blue, "dot"),
        ("hidden, random", chance.share, chance.deletion, warm, "dot"),
    ]
    for name, share, values, colour, dash in lines:
        share, values = as_array(share, "share", 1), as_array(values, name, 1)
        same_length(len(share), len(values), "share", name)
        figure.add_scatter(
            x=100 * share,
            y=values,
            mode="lines+markers",
            name=name,
            line={"width": 2, "dash": dash, "color": colour},
            marker={"size": 5, "symbol": "circle" if dash == "solid" else "circle-open"},
            hovertemplate=f"{name}<br>%{{x:.0f}} % of the clip<br>p = %{{y:.3f}}<extra></extra>",
        )
    alt = (
        f"Probability of {label.replace('_', ' ')} by share of the clip, most important first: "
        f"area {curves.insertion_area:.2f} if only that is shown, {curves.deletion_area:.2f} if it is hidden; "
        f"in random order {chance.insertion_area:.2f} and {chance.deletion_area:.2f}."
    )
    finish(figure, alt, x="Share of the clip (%)", y="Probability", theme=theme)
    return figure.update_yaxes(range=[-0.03, 1.03])
