"""A picture of the contrast, as AudioFormer's authors draw it: all (clip, row) vectors compared with each other.

Same clip, another row: a positive (framed). The vector itself: left out (blank). Everything else: a negative.
Shapes: B clips, R rows, M = B * R vectors, A anchors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import CODE_SCALE, as_array, matrix, same_length


def similarity(
    cosines, n_rows: int, clip_names: Sequence[str], anchors: str = "row1", *, theme: str = "light"
) -> go.Figure:
    """Similarity matrix over all (clip, row) pairs, with the positives framed.

    Args:
        cosines: (M, M) of all pairs, -1 to 1, clip by clip and in each clip row by row.
        n_rows: R.
        clip_names: B of them.
        anchors: "row1" draws the lines of the first rows only (those the loss is over), "all" draws every line.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap and a frame around each clip's positives.

    Raises:
        AudioformerError: not square, not R vectors for each name, or unknown anchors.

    Example:
        >>> similarity(np.eye(4), 2, ["A", "B"]).data[0].y
        ('A1', 'B1')
    """
    cosines = as_array(cosines, "cosines", 2).astype(np.float64)
    same_length(cosines.shape[0], cosines.shape[1], "lines", "columns")
    same_length(len(cosines), n_rows * len(clip_names), f"cosines {cosines.shape}", "clips x rows")
    if anchors not in ("row1", "all"):
        raise AudioformerError(f"anchors={anchors!r} must be row1 or all")
    names = [f"{clip}{row}" for clip in clip_names for row in range(1, n_rows + 1)]
    lines = np.arange(0, len(names), n_rows if anchors == "row1" else 1)
    shown = cosines[lines].copy()
    shown[np.arange(len(lines)), lines] = np.nan
    clip_of = np.arange(len(names)) // n_rows
    kind = np.where(clip_of[lines][:, None] == clip_of, "positive: pulled together", "negative: pushed apart").astype(
        object
    )
    kind[np.arange(len(lines)), lines] = "itself: left out"
    positive = clip_of[lines][:, None] == clip_of
    figure = matrix(
        np.round(shown, 4),
        f"Similarity of {len(lines)} anchors with {len(names)} vectors of {len(clip_names)} clips; mean cosine "
        f"{np.nanmean(shown[positive]):.2f} among positives, {np.nanmean(shown[~positive]):.2f} among negatives.",
        x="Compared with (clip, row)",
        y="Anchor (clip, row)",
        unit="Cosine",
        hover="%{y} and %{x}<br>cosine %{z:.3f}<br>%{customdata}",
        theme=theme,
        height=max(240, 130 + min(34, 700 // len(names)) * len(lines)),
        colorscale=CODE_SCALE,
        zmin=-1,
        zmax=1,
        xgap=1,
        ygap=1,
        customdata=kind,
        name="similarity",
    )
    figure.update_traces(x=names, y=[names[line] for line in lines])
    per_clip = 1 if anchors == "row1" else n_rows
    for clip in range(len(clip_names)):
        figure.add_shape(
            type="rect",
            x0=clip * n_rows - 0.5,
            x1=(clip + 1) * n_rows - 0.5,
            y0=clip * per_clip - 0.5,
            y1=(clip + 1) * per_clip - 0.5,
            line={"width": 3, "dash": "solid", "color": "#D55E00"},
        )
    return figure.update_xaxes(type="category").update_yaxes(type="category")
