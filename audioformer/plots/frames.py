"""Pictures of EnCodecMAE: which frames are hidden, and which codes are guessed there, how surely and how rightly.

Shapes: F numbers in a frame, K codebook rows, T frames.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.codes import grid
from audioformer.plots.theme import BLANK, COVER, as_array, finish, palette


def hidden_frames(
    frames, target_mask, frame_rate: float, *, what: str = "Number in the frame", theme: str = "light"
) -> go.Figure:
    """What the model is shown: its input with the hidden frames covered.

    Args:
        frames: (F, T) latents or log-mel bands.
        target_mask: (T,) bool, True = taken away.
        frame_rate: columns per second, Hz.
        what: of the vertical axis, with its unit if it has one.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap of the visible frames and a grey cover over each gap.

    Raises:
        AudioformerError: shapes disagree, or a rate that is not positive.
    """
    frames, mask = (
        as_array(frames, "frames", 2).astype(np.float32),
        as_array(target_mask, "target_mask", 1).astype(bool),
    )
    _check(frames.shape[1], mask, frame_rate)
    low, high = np.percentile(frames, [1, 99])
    shown = np.where(mask, np.nan, frames)
    frame_s = 1 / frame_rate
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x0=frame_s / 2,
            dx=frame_s,
            zmin=low,
            zmax=high,
            colorscale="Cividis",
            name="visible",
            colorbar={"thickness": 12},
            hovertemplate="%{x:.3f} s<br>number %{y}<br>%{z:.2f}<extra></extra>",
            hoverongaps=False,
        )
    )
    _cover(figure, mask, frame_rate, theme)
    alt = f"{int(mask.sum())} of {mask.size} frames are hidden ({mask.mean():.0%}), in {len(gaps(mask))} gaps."
    finish(figure, alt.replace("%)", " %)"), x=TIME, y=what, theme=theme)
    figure.update_xaxes(range=[0, mask.size / frame_rate], showgrid=False)
    return figure.update_yaxes(showgrid=False)


def guesses(codes, guessed, confidence, target_mask, frame_rate: float, *, theme: str = "light") -> go.Figure:
    """True against guessed codes: the colour says right or wrong, its strength how sure the model was.

    Args:
        codes: (K, T) integers, the truth.
        guessed: (K, T) integers.
        confidence: (K, T) probability of the guess, 0 to 1.
        target_mask: (T,) bool, True = hidden; a thin line above the grid marks the frames that the model was shown.
        frame_rate: columns per second, Hz.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap; hover tells both codes and the confidence.

    Raises:
        AudioformerError: shapes disagree, a rate that is not positive, or a confidence outside 0 to 1.
    """
    codes, guessed = as_array(codes, "codes", 2), as_array(guessed, "guessed", 2)
    confidence, mask = as_array(confidence, "confidence", 2), as_array(target_mask, "target_mask", 1).astype(bool)
    _check(codes.shape[1], mask, frame_rate)
    if not codes.shape == guessed.shape == confidence.shape or confidence.min() < 0 or confidence.max() > 1:
        raise AudioformerError(
            f"codes {codes.shape}, guessed {guessed.shape} and confidence {confidence.shape} must agree, "
            "confidence from 0 to 1"
        )
    right = codes == guessed
    colours = palette(theme)
    right_there = right[:, mask].mean(1) if mask.any() else []
    shares = ", ".join(f"codebook {k} {100 * share:.0f} %" for k, share in enumerate(right_there, 1)) or "none hidden"
    figure = grid(
        np.where(right, confidence, -confidence).astype(np.float32),
        frame_rate,
        f"Guessed codes in {int(mask.sum())} hidden of {mask.size} frames, share that is right: {shares}.",
        "%{text}<br>true code %{customdata[0]}<br>guess %{customdata[1]}<br>confidence %{z:.2f} (minus: wrong)",
        theme=theme,
        text=np.broadcast_to(np.where(mask, "hidden", "visible"), codes.shape),
        customdata=np.stack([codes, guessed], -1).astype(np.int32),
        zmin=-1,
        zmax=1,
        colorscale=[[0.0, colours[5]], [0.5, BLANK[theme]], [1.0, colours[0]]],
        colorbar={"thickness": 12, "tickvals": [-1, 0, 1], "ticktext": ["surely wrong", "unsure", "surely right"]},
        name="guesses",
    )
    line = {"color": COVER[theme], "width": 4}
    for first, stop in gaps(~mask):
        figure.add_shape(type="line", x0=first / frame_rate, x1=stop / frame_rate, y0=0.4, y1=0.4, line=line)
    return figure.update_yaxes(autorange=None, range=[len(codes) + 0.6, 0.2])


def gaps(mask) -> list[tuple[int, int]]:
    """First frame and end of each unbroken run of True.

    Example:
        >>> gaps([False, True, True, False, True])
        [(1, 3), (4, 5)]
    """
    edges = np.diff(np.concatenate([[0], np.asarray(mask, dtype=np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _check(n_frames: int, mask: np.ndarray, frame_rate: float) -> None:
    if mask.size != n_frames or frame_rate <= 0:
        raise AudioformerError(
            f"target_mask has {mask.size} of {n_frames} frames at frame_rate={frame_rate}; lengths must agree, rate > 0"
        )


def _cover(figure: go.Figure, mask: np.ndarray, frame_rate: float, theme: str) -> None:
    """A grey plate over each gap."""
    for first, stop in gaps(mask):
        figure.add_vrect(
            x0=first / frame_rate, x1=stop / frame_rate, fillcolor=COVER[theme], opacity=1, line_width=0, layer="above"
        )
