"""Pictures of a prediction: the most probable labels, and how their scores move along the clip.

Shapes: C classes, W windows (the stretches a clip is cut into before it is classified).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.theme import as_array, finish, same_length

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def top_labels(
    labels: Sequence[str], probabilities, *, chance: float | None = None, theme: str = "light", title: str | None = None
) -> go.Figure:
    """Horizontal bars, the most probable label on top, beside the chance level.

    Args:
        labels: names, most probable first.
        probabilities: (k,) one for each label, 0 to 1.
        chance: what guessing would give (1 / C where exactly one label is right); None draws no line.
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure with one bar trace.

    Raises:
        AudioformerError: lengths disagree, or a value outside 0..1.
    """
    probabilities = as_array(probabilities, "probabilities", 1).astype(np.float64)
    same_length(len(labels), len(probabilities), "labels", "probabilities")
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise AudioformerError(
            f"probabilities range over {probabilities.min():.3g}..{probabilities.max():.3g}; expected 0..1"
        )
    names = [str(label).replace("_", " ") for label in labels]
    figure = go.Figure(
        go.Bar(
            x=probabilities, y=[_plain(name) for name in names], orientation="h", name="probability",
            text=[f"{p:.1%}" for p in probabilities], textposition="auto",
            hovertemplate="%{y}<br>probability %{x:.3f}<extra></extra>",
        )
    )  # fmt: skip
    alt = f"Most probable labels: {', '.join(f'{n} {p:.0%}' for n, p in zip(names, probabilities, strict=True))}"
    finish(
        figure, alt + (f"; chance is {chance:.0%}." if chance else "."), x="Probability (0 to 1)", y="Label",
        theme=theme, title=title, height=110 + 34 * len(names),
    )  # fmt: skip
    if chance:
        figure.add_vline(x=chance, annotation_text=f"chance {chance:.0%}", annotation_position="bottom right")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return figure.update_xaxes(range=[0, 1])


def window_scores(
    window_start_s, windows, label_names: Sequence[str], duration_s: float, *,
    top_k: int = 3, theme: str = "light", title: str | None = None,
) -> go.Figure:  # fmt: skip
    """Score of the leading labels in each window of the clip, as steps along time.

    Args:
        window_start_s: (W,) where each window begins, seconds, rising.
        windows: (W, C) score of each class in each window, 0 to 1.
        label_names: C names.
        duration_s: length of the clip, seconds; the last window is drawn up to it.
        top_k: labels shown, those with the highest mean score.
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure with one line per label.

    Raises:
        AudioformerError: shapes disagree; both are printed.
    """
    starts, windows = as_array(window_start_s, "window_start_s", 1), as_array(windows, "windows", 2)
    if windows.shape != (len(starts), len(label_names)):
        raise AudioformerError(
            f"windows have shape {windows.shape}; expected {(len(starts), len(label_names))} from the starts and label names"
        )
    leading = windows.mean(0).argsort()[::-1][:top_k]
    edges = np.append(starts, max(duration_s, starts[-1])).astype(np.float32)
    figure = go.Figure()
    for place, index in enumerate(leading):
        name = _plain(str(label_names[index]).replace("_", " "))
        figure.add_scatter(
            x=edges, y=np.append(windows[:, index], windows[-1, index]).astype(np.float32), name=name, mode="lines",
            line={"shape": "hv", "width": 2, "dash": DASHES[place % len(DASHES)]},
            hovertemplate=f"{name}<br>from %{{x:.2f}} s<br>score %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    best = str(label_names[leading[0]]).replace("_", " ")
    alt = (
        f"Scores of {len(leading)} labels in {len(starts)} windows over {duration_s:.2f} s; highest on average: {best}."
    )
    finish(figure, alt, x=TIME, y="Score (0 to 1)", theme=theme, title=title)
    figure.update_xaxes(range=[0, duration_s])
    return figure.update_yaxes(range=[-0.02, 1.05])


def _plain(text: str) -> str:
    """Names as text: plotly would read some tags in them as formatting."""
    return text.replace("<", "‹").replace(">", "›")
