"""A picture of masked prediction: which codes were hidden, and which of them were guessed.

Shapes: K codebook rows, T frames.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.codes import row_ticks
from audioformer.plots.theme import OKABE_ITO, ON_DARK, as_array, finish, flat_steps

STATES = ("shown", "hidden", "guessed", "missed")
LIGHT = ("#c9d6e2", OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[5])
DARK = ("#33475b", ON_DARK[1], ON_DARK[0], ON_DARK[5])


def hidden_codes(
    target_mask, frame_rate: float, correct=None, *, theme: str = "light", title: str | None = None
) -> go.Figure:
    """The grid of one clip's codes with the hidden ones marked.

    Args:
        target_mask: (K, T) bool, True = hidden.
        frame_rate: columns per second, Hz.
        correct: (K, T) bool, True where the guess was right; None marks hidden codes only.
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure with one heatmap; the states are named beside it and on hover.

    Raises:
        AudioformerError: shapes disagree, or a rate that is not positive.

    Example:
        >>> hidden_codes([[True, False]], 75.0).layout.meta["alt"]
        '1 of 2 codes are hidden (50 %).'
    """
    mask = as_array(target_mask, "target_mask", 2).astype(bool)
    if frame_rate <= 0:
        raise AudioformerError(f"frame_rate={frame_rate} must be positive; give codes per second")
    states = mask.astype(np.int8)
    alt = f"{int(mask.sum())} of {mask.size} codes are hidden ({mask.mean():.0%})".replace("%)", " %)")
    if correct is not None:
        right = as_array(correct, "correct", 2).astype(bool)
        if right.shape != mask.shape:
            raise AudioformerError(f"correct has shape {right.shape}, target_mask {mask.shape}; they must agree")
        states = np.where(mask, np.where(right, 2, 3), 0).astype(np.int8)
        alt += f", {int((right & mask).sum())} of them guessed"
    frame_s = 1 / frame_rate
    n_rows, n_frames = mask.shape
    figure = go.Figure(
        go.Heatmap(
            z=states,
            text=np.asarray(STATES)[states],
            x0=frame_s / 2,
            dx=frame_s,
            y=np.arange(1, n_rows + 1),
            zmin=-0.5,
            zmax=3.5,
            colorscale=flat_steps(LIGHT if theme == "light" else DARK),
            ygap=1 if n_rows <= 16 else 0,
            name="codes",
            colorbar={"tickvals": list(range(4)), "ticktext": STATES, "thickness": 12},
            hovertemplate="codebook %{y}<br>%{x:.3f} s<br>%{text}<extra></extra>",
        )
    )
    finish(figure, f"{alt}.", x=TIME, y="Codebook (row)", theme=theme, title=title, height=130 + 20 * min(n_rows, 16))
    figure.update_xaxes(range=[0, n_frames / frame_rate], showgrid=False)
    return figure.update_yaxes(autorange="reversed", tickmode="array", tickvals=row_ticks(n_rows), showgrid=False)
