"""A picture of the ablation: accuracy of every row with its spread, beside chance and the baseline.

Shapes: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import finish

NAME_CHARACTERS = 40  # of a row's name in a line
SYMBOLS = ("circle", "diamond", "square", "cross")


def _told(row: dict) -> str:
    """Spread over seeds and distance from the row it varies, where they are known."""
    seeds = "" if row["seed_std"] is None else f"<br>± {row['seed_std']:.3f} over seeds"
    return seeds + ("" if row["gain"] is None else f"<br>{row['gain']:+.3f} against {row['versus']}")


def ablation(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """Accuracy by row, a mark for each data set.

    Args:
        rows: of the document of `bench ablation`; the bar is the deviation over what is held out.
        theme: "light" or "dark".

    Returns:
        Figure; the first row stands on top.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("the ablation has no rows yet; run some of its cells first")
    figure, parts = go.Figure(), []
    names = {row["title"]: "<br>".join(wrap(row["title"], NAME_CHARACTERS, break_on_hyphens=False)) for row in rows}
    for place, data in enumerate(dict.fromkeys(row["data"] for row in rows)):
        mine = [row for row in rows if row["data"] == data]
        figure.add_scatter(
            x=[row["ours"] for row in mine],
            y=[names[row["title"]] for row in mine],
            name=data,
            mode="markers",
            marker={"size": 9, "symbol": SYMBOLS[place % len(SYMBOLS)]},
            error_x={"type": "data", "array": [row["fold_std"] or 0 for row in mine], "thickness": 1.2, "width": 3},
            customdata=[[row["n_cells"], _told(row)] for row in mine],
            hovertemplate=data + "<br>%{y}<br>accuracy %{x:.3f}, %{customdata[0]} runs%{customdata[1]}<extra></extra>",
        )
        best = max(mine, key=lambda row: row["ours"])
        parts.append(f"{data}: best {best['ours']:.2f} ({best['title']}), chance {mine[0]['chance']:.2f}")
    for chance in sorted({row["chance"] for row in rows}):
        figure.add_vline(x=chance, annotation_text="chance", annotation_position="top right")
    n_lines = len(names) + sum(name.count("<br>") for name in names.values())
    alt = f"Accuracy of each row of the ablation. {'; '.join(parts)}."
    finish(figure, alt, x="Accuracy (share of clips)", y="", theme=theme, height=120 + 14 * (len(names) + n_lines))
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_xaxes(range=[0, 1.02])
