"""Pictures of sound and sight: retrieval by batch and mixing, similarities of pairs, maps over frames.

Shapes: n sounds, m pictures, F frames, S pixels a side, p places a side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from audioformer.errors import AudioformerError
from audioformer.plots.theme import CODE_SCALE, as_array, finish, matrix, palette, same_length


def grid(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """How often the right picture is found, by batch size: a colour for each resolution, dashed with mixing.

    Args:
        rows: of the document of `bench sight`; the bar is the deviation over seeds.
        theme: "light" or "dark".

    Returns:
        Figure; chance is a dotted line.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("the benchmark has no rows; give it --digits or --scenes")
    cells = [row for row in rows if row["data"] == "digits" and "pixels" in row["case"]]
    figure, colours = go.Figure(), palette(theme)
    for place, resolution in enumerate(dict.fromkeys(row["resolution"] for row in cells)):
        for mix in (False, True):
            own = [row for row in cells if (row["resolution"], row["mix"]) == (resolution, mix)]
            figure.add_scatter(
                x=[str(row["batch"]) for row in own],
                y=[row["ours"] for row in own],
                name=f"{resolution} pixels{', mixed' if mix else ''}",
                mode="lines+markers",
                line={"color": colours[place], "dash": "dash" if mix else "solid"},
                error_y={"type": "data", "array": [row["sound_to_picture_r1_std"] or 0 for row in own], "width": 3},
                hovertemplate="batch %{x}: R@1 %{y:.3f}<extra>%{fullData.name}</extra>",
            )
    figure.add_hline(y=0.1, annotation_text="chance 0.10", annotation_position="bottom right")
    best = max(cells, key=lambda row: row["ours"]) if cells else None
    said = f"the best is {best['ours']:.2f} with {best['case']}" if best else "no cells yet"
    alt = f"Share of spoken digits whose picture is found among ten, by batch size; {said}; chance 0.1."
    return finish(figure, alt, x="Batch (clips)", y="R@1 of ten (share)", theme=theme, height=340)


def pairs(scores, sounds: Sequence[str], pictures: Sequence[str], *, theme: str = "light") -> go.Figure:
    """Similarity of every sound with every picture.

    Args:
        scores: (n, m), -1 to 1.
        sounds: n names.
        pictures: m names.
        theme: "light" or "dark".

    Raises:
        AudioformerError: not n x m numbers.
    """
    scores = as_array(scores, "scores", 2).astype(np.float64)
    same_length(scores.shape[0], len(sounds), "lines", "sounds")
    same_length(scores.shape[1], len(pictures), "columns", "pictures")
    own = np.diag(scores).mean() if scores.shape[0] == scores.shape[1] else float("nan")
    alt = f"Similarity of {len(sounds)} sounds with {len(pictures)} pictures; mean {scores.mean():.2f}"
    alt += f", {own:.2f} among those that belong together." if own == own else "."
    hover = "sound %{y}, picture %{x}: %{z:.2f}"
    figure = matrix(np.round(scores, 4), alt, x="Picture", y="Sound", unit="Cosine", hover=hover, theme=theme)
    return figure.update_traces(x=list(pictures), y=list(sounds), colorscale=CODE_SCALE)


def film(frames, maps=None, *, every: int = 1, theme: str = "light") -> go.Figure:
    """Frames of a scene side by side, and below them the map of the sound.

    Args:
        frames: (F, 3, S, S) from 0 to 1.
        maps: (F, p, p) similarities, or None.
        every: show each so-many-th frame.
        theme: "light" or "dark".

    Raises:
        AudioformerError: wrong shapes.
    """
    frames = as_array(frames, "frames", 4)
    if frames.shape[1] != 3 or (maps is not None and len(maps) != len(frames)):
        raise AudioformerError(f"frames {frames.shape} must be (frames, 3, pixels, pixels), with a map for each")
    shown = range(0, len(frames), every)
    n_rows = 1 if maps is None else 2
    figure = make_subplots(n_rows, len(shown), horizontal_spacing=0.006, vertical_spacing=0.03)
    for column, frame in enumerate(shown, 1):
        picture = np.round(255 * frames[frame].transpose(1, 2, 0)).astype(np.uint8)
        figure.add_trace(go.Image(z=picture, hovertemplate=f"{frame / 5:.1f} s<extra></extra>"), row=1, col=column)
        if maps is not None:
            low, high = float(np.min(maps)), float(np.max(maps))
            one = go.Heatmap(z=np.asarray(maps[frame])[::-1], zmin=low, zmax=high, colorscale=CODE_SCALE)
            one.update(showscale=frame == shown[-1], hovertemplate="similarity %{z:.2f}<extra></extra>")
            figure.add_trace(one, row=2, col=column)
    alt = f"{len(shown)} frames of a scene" + ("" if maps is None else ", and below each where the sound points")
    finish(figure, f"{alt}.", x="", y="", theme=theme, height=110 * n_rows + 40)
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    for axis, title in (("xaxis", f"{shown[0] / 5:.1f} s"), ("yaxis", "Picture")):
        figure.layout[axis].update(visible=True, showticklabels=False, ticks="", title_text=title)
    return figure
