"""A map of many sounds as a figure: what each is called, what a model calls it, how sure it is, where it is wrong.

`audioformer.evaluation.embedding_map` computes what is drawn here. Shapes: n clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots import plane
from audioformer.plots.theme import SOUND_SCALE, as_array, finish, same_length

COLOURS = ("label", "prediction", "confidence", "error")
RIGHT, WRONG = "right", "wrong"


def sounds(
    points,
    labels: Sequence[str],
    *,
    predictions: Sequence[str] | None = None,
    confidence=None,
    names: Sequence[str] | None = None,
    shares=None,
    colour: str = "label",
    theme: str = "light",
    title: str | None = None,
) -> go.Figure:
    """Sounds in a plane, coloured by what is asked.

    Args:
        points: (n, 2) from `embedding_map.project`.
        labels: n names, what they are.
        predictions: n names, what a model says; None if none was asked.
        confidence: (n,) probability of that, 0 to 1.
        names: n file names for the hover text; None numbers them.
        shares: (2,) of the variance that the axes of a PCA show; None for axes without meaning (UMAP).
        colour: "label", "prediction", "confidence" or "error".
        theme: "light" or "dark".
        title: above the figure.

    Returns:
        Figure whose points carry their number as `customdata[0]`.

    Raises:
        AudioformerError: lengths disagree, unknown colour, or one that needs predictions or confidence.
    """
    points = as_array(points, "points", 2)
    columns = {"labels": labels, "predictions": predictions, "confidence": confidence, "names": names}
    for name, column in columns.items():
        if column is not None:
            same_length(len(points), len(column), "points", name)
    needs = {"label": labels, "prediction": predictions, "confidence": confidence, "error": predictions}
    if needs.get(colour) is None:
        raise AudioformerError(
            f"colour={colour!r} must be one of {', '.join(COLOURS)}, and what it shows must be given"
        )
    groups = {"label": labels, "prediction": predictions, "confidence": [""] * len(points)}.get(colour)
    if colour == "error":
        groups = [RIGHT if label == said else WRONG for label, said in zip(labels, predictions, strict=True)]
    figure = plane.points(points, groups, theme=theme, title=title)
    about = _about(labels, predictions, confidence, names)
    for trace in figure.data:
        numbers = np.asarray(trace.customdata).ravel().astype(int)
        trace.customdata = [[int(i), about[i]] for i in numbers]
        trace.hovertemplate = "%{customdata[1]}<extra></extra>"
        if colour == "confidence":
            scale = {
                "colorscale": SOUND_SCALE,
                "cmin": 0,
                "cmax": 1,
                "colorbar": {"title": {"text": "Probability"}, "thickness": 12},
            }
            trace.marker = {"size": 9, "color": np.asarray(confidence)[numbers], **scale}
            trace.showlegend = False
    axes = ["Map, axis 1 (no unit)", "Map, axis 2 (no unit)"]
    if shares is not None:
        axes = [f"Principal component {i} ({share:.0%} of variance)" for i, share in enumerate(shares, 1)]
    alt = f"Map of {len(points)} sounds, coloured by {colour}."
    if predictions is not None:
        alt += f" {np.mean([a == b for a, b in zip(labels, predictions, strict=True)]):.0%} are given their label."
    return finish(figure, alt, x=axes[0], y=axes[1], theme=theme, title=title, height=440).update_layout(
        margin={"t": 68}
    )


def _about(labels, predictions, confidence, names) -> list[str]:
    """Hover text of each point."""
    told = []
    for i, label in enumerate(labels):
        lines = [str(label).replace("_", " ")]
        if predictions is not None:
            sure = f" ({confidence[i]:.0%})" if confidence is not None else ""
            lines.append(f"taken for {str(predictions[i]).replace('_', ' ')}{sure}")
        lines.append(str(names[i]) if names is not None else f"number {i}")
        told.append("<br>".join(line.replace("<", "&lt;") for line in lines))
    return told
