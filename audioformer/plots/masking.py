"""A picture of masked prediction: which codes were hidden, and which of them were guessed.

Shapes: K codebook rows, T frames.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.codes import grid
from audioformer.plots.theme import SHOWN, as_array, flat_steps, palette

STATES = ("shown", "hidden", "guessed", "missed")


def hidden_codes(target_mask, frame_rate: float, correct=None, *, theme: str = "light") -> go.Figure:
    """The grid of one clip's codes with the hidden ones marked.

    Args:
        target_mask: (K, T) bool, True = hidden.
        frame_rate: columns per second, Hz.
        correct: (K, T) bool, True where the guess was right; None marks hidden codes only.
        theme: "light" or "dark".

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
    return grid(
        states,
        frame_rate,
        f"{alt}.",
        "%{text}",
        theme=theme,
        text=np.asarray(STATES)[states],
        zmin=-0.5,
        zmax=3.5,
        colorscale=flat_steps([SHOWN[theme], *(palette(theme)[place] for place in (1, 0, 5))]),
        colorbar={"tickvals": list(range(4)), "ticktext": STATES, "thickness": 12},
        name="codes",
    )
