"""Results: sounds that the page's classifier has not learnt from: what is taken for what, how sure, how right.

Shapes: n clips, C classes.
"""

from __future__ import annotations

import numpy as np

from audioformer.evaluation.calibration import calibration_error
from audioformer.evaluation.held_out import HeldOut
from audioformer_app.answers import words
from audioformer_app.rooms.drawn import drawn

THRESHOLDS = np.linspace(0, 0.95, 20)


def confusion(held: HeldOut, sure: float) -> dict:
    """The table of true classes against what they are taken for, with a column for "none, not sure".

    Args:
        held: from `read_held_out`.
        sure: probability from which a label is given.

    Returns:
        What `drawn` gives, and sentences `told`.
    """
    from plotly import graph_objects as go

    from audioformer.plots.theme import finish

    counts = held.confusion(sure)
    names = [words(name) for name in held.label_names]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    text = np.where(counts > 0, counts.astype(str), "")
    taken = [*names, "none: not sure"]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=taken,
            y=names,
            text=text,
            texttemplate="%{text}",
            colorscale="Cividis",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="%{y} taken for %{x}: %{text} sounds<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(automargin=True, tickangle=-40)
    answered, right = held.answered(sure)
    said = (
        f"With a label from {sure:.0%} on, {answered:.0%} of {len(held.truth)} sounds get one, "
        f"and {right:.0%} of these are right."
    )
    finish(
        figure, f"Confusion matrix of held-out sounds. {said}", x="taken for", y="it is", height=90 + 30 * len(names)
    )
    worst = sorted(
        ((int(counts[i, j]), names[i], names[j]) for i in range(len(names)) for j in range(len(names)) if i != j),
        reverse=True,
    )[:3]
    often = "; ".join(f"{n} of {given} taken for {other}" for n, given, other in worst if n)
    told = [said, f"Most often wrong: {often}." if often else "None is taken for another."]
    return {"told": told, "command": held.commands[0] if held.commands else "", **drawn(figure)}


def reliability(held: HeldOut, sure: float) -> dict:
    """How right the classifier is where it is so and so sure, and what each threshold for a label costs."""
    from plotly import graph_objects as go

    from audioformer.plots.theme import finish

    said = held.reliability()
    confidence, right, counts = zip(*said, strict=True)
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="as sure as right", line={"dash": "dot"}))
    figure.add_scatter(
        x=confidence,
        y=right,
        mode="lines+markers",
        name="right where it is so sure",
        marker={"size": [6 + 14 * (n / max(counts)) ** 0.5 for n in counts]},
        customdata=counts,
        hovertemplate="sure %{x:.0%}, right %{y:.0%} of %{customdata} sounds<extra></extra>",
    )
    costs = [held.answered(t) for t in THRESHOLDS]
    figure.add_scatter(
        x=THRESHOLDS, y=[one[0] for one in costs], mode="lines", name="get a label, from this threshold on"
    )
    figure.add_vline(x=sure, line_width=2, annotation_text="your threshold")
    error = calibration_error(held.probabilities, held.truth)
    answered, hits = held.answered(sure)
    lean = held.probabilities.max(1).mean() - held.right.mean()
    alt = f"Reliability of {len(held.truth)} held-out sounds: calibration error {error:.2f}."
    finish(figure, alt, x="how sure it is", y="share", height=380)
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    told = [
        f"It is {'too sure' if lean > 0 else 'not sure enough'} by {abs(lean):.0%} on the whole; calibration error "
        f"{error:.2f}.",
        f"At your threshold, {sure:.0%}: {answered:.0%} of the sounds get a label, and {hits:.0%} of these are right. "
        "Move it on the left, under “Who listens”: it holds in every room.",
    ]
    return {"told": told, "command": held.commands[0] if held.commands else "", **drawn(figure)}
