"""A picture of cost: time and memory against the number of tokens, both axes logarithmic.

Shapes: none.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from audioformer.errors import AudioformerError
from audioformer.plots.theme import DASHES, finish

NAMES = {
    "length": "one clip, read, 1 s to 10 min",
    "windows": "the same, in windows of 5 s",
    "batch": "clips of 5 s, training step",
}


def growth(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """Time and peak memory of each case of `bench growth`.

    Args:
        rows: of its document.
        theme: "light" or "dark".

    Returns:
        Figure with two panels; a straight line of slope 1 is growth in proportion, of slope 2 with the square.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("nothing was measured yet; run `audioformer bench growth`")
    figure, parts = make_subplots(rows=1, cols=2, horizontal_spacing=0.14), []
    for place, (kind, name) in enumerate(NAMES.items()):
        if not (mine := [row for row in rows if row["kind"] == kind]):
            continue
        for column, (key, unit) in enumerate((("ours", "s"), ("peak_mb", "MB")), 1):
            figure.add_scatter(
                x=[row["tokens"] for row in mine],
                y=[row[key] for row in mine],
                name=name,
                mode="lines+markers",
                legendgroup=kind,
                showlegend=column == 1,
                line={"dash": DASHES[place % len(DASHES)]},
                marker={"symbol": ("circle", "square", "diamond")[place]},
                text=[row["case"] for row in mine],
                hovertemplate=f"%{{text}}<br>%{{x}} tokens<br>%{{y:.3g}} {unit}<extra></extra>",
                row=1,
                col=column,
            )
        first, last = mine[0], mine[-1]
        parts.append(
            f"{name}: {first['ours']:.3g} s for {first['tokens']} tokens, {last['ours']:.3g} s for {last['tokens']}"
        )
    finish(
        figure,
        f"Time and memory against the number of tokens. {'; '.join(parts)}.",
        x="Tokens",
        y="Time (s)",
        theme=theme,
        height=320,
    )
    figure.update_yaxes(title_text="Peak memory (MB)", row=1, col=2)
    return figure.update_xaxes(type="log").update_yaxes(type="log")
