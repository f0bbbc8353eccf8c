"""Several pictures of one clip above one another, sharing one time axis: what is above a code is the sound it stands for.

Each lane is a figure of this package; the traces are its own, only the placing is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.theme import template

LEGEND_SHARE = 0.045  # of the height, kept free above a lane of several lines


@dataclass(frozen=True)
class Lane:
    """One figure of a stack.

    Attributes:
        name: short title of its vertical axis, with the unit where there is one.
        figure: with time in seconds along x.
        weight: relative height.
    """

    name: str
    figure: go.Figure
    weight: float = 1.0


def stack(lanes: Sequence[Lane], duration_s: float, *, theme: str = "light", height: int = 460) -> go.Figure:
    """Put figures over time on one shared time axis.

    Args:
        lanes: from top to bottom.
        duration_s: length of the time axis, seconds.
        theme: "light" or "dark".
        height: of the whole, pixels.

    Returns:
        Figure whose `layout.meta["alt"]` joins the sentences of the lanes and `layout.meta["lanes"]` names them.

    Raises:
        AudioformerError: no lane, a figure that has no time axis, or a duration that is not positive.

    Example:
        >>> import torch
        >>> from audioformer.plots.audio import waveform
        >>> stack([Lane("sound", waveform(torch.zeros(48000), 24000))], 2.0).layout.meta["lanes"]
        ['sound']
    """
    if not lanes or duration_s <= 0:
        raise AudioformerError(
            f"{len(lanes)} lanes over {duration_s} s cannot be drawn; give at least one lane and a duration > 0"
        )
    for lane in lanes:
        if lane.figure.layout.xaxis.title.text != TIME:
            raise AudioformerError(
                f"lane {lane.name!r} has x axis {lane.figure.layout.xaxis.title.text!r}; expected {TIME!r}"
            )
    whole = make_subplots(
        rows=len(lanes), shared_xaxes=True, vertical_spacing=0.035, row_heights=[lane.weight for lane in lanes]
    )
    for row, lane in enumerate(lanes, start=1):
        _place(whole, lane, row)
    whole.update_xaxes(range=[0, duration_s], showgrid=False)
    whole.update_xaxes(title_text=TIME, row=len(lanes), col=1)
    whole.update_layout(
        template=template(theme),
        height=height,
        hovermode="closest",
        margin={"l": 64, "r": 12, "t": 8, "b": 42},
        meta={
            "alt": " ".join(lane.figure.layout.meta["alt"] for lane in lanes),
            "lanes": [lane.name for lane in lanes],
        },
    )
    return whole


def _place(whole: go.Figure, lane: Lane, row: int) -> None:
    """Copy the traces and the vertical axis of a lane into a row; several lines share a legend above them."""
    several = len(lane.figure.data) > 1
    for trace in lane.figure.data:
        whole.add_trace(trace, row=row, col=1)
        whole.data[-1].showlegend = several
        if trace.type == "heatmap":
            whole.data[-1].showscale = False
    axis = lane.figure.layout.yaxis.to_plotly_json()
    whole.update_yaxes({**axis, "title": {"text": lane.name}}, row=row, col=1)
    if several:
        bottom, top = next(whole.select_yaxes(row=row, col=1)).domain
        whole.update_yaxes(domain=[bottom, top - LEGEND_SHARE], row=row, col=1)
        whole.update_layout(legend={"x": 1, "xanchor": "right", "y": top, "yanchor": "top", "font": {"size": 11}})
