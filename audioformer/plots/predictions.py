"""Pictures of predictions: a model's most probable labels, its scores along a clip; a learner's, beside the truth.

Shapes: C classes, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.metrics import wilson_interval
from audioformer.plots.audio import TIME
from audioformer.plots.theme import as_array, finish, lines, same_length

MOST_NAMES = 24  # marks, beyond which their names would cover each other


def top_labels(
    labels: Sequence[str],
    probabilities,
    *,
    chance: float | None = None,
    what: str = "Probability",
    of: str = "Label",
    theme: str = "light",
) -> go.Figure:
    """Horizontal bars, the most probable label on top, beside the chance level; or another share of something else.

    Args:
        labels: names, most probable first.
        probabilities: (k,) one for each label, 0 to 1.
        chance: what guessing would give (1 / C where exactly one label is right); None draws no line.
        what: the share, for instance "Accuracy".
        of: what has that share, for instance "Method"; "" writes nothing.
        theme: "light" or "dark".

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
            x=probabilities,
            y=[_plain(name) for name in names],
            orientation="h",
            name=what,
            text=[f"{p:.1%}" for p in probabilities],
            textposition="auto",
            hovertemplate=f"%{{y}}<br>{what} %{{x:.3f}}<extra></extra>",
        )
    )
    subject = "Most probable labels" if what == "Probability" else what
    alt = f"{subject}: {', '.join(f'{n} {p:.0%}' for n, p in zip(names, probabilities, strict=True))}"
    finish(
        figure,
        alt + (f"; chance is {chance:.0%}." if chance else "."),
        x=f"{what} (0 to 1)",
        y=of,
        theme=theme,
        height=110 + 34 * len(names),
    )
    if chance:
        figure.add_vline(x=chance, annotation_text=f"chance {chance:.0%}", annotation_position="top")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return figure.update_xaxes(range=[0, 1])


def against_truth(names: Sequence[str], share, within, truth, *, theme: str = "light") -> go.Figure:
    """Predictions made before a measurement, beside what was measured; on the diagonal they agree.

    Args:
        names: (P,) what was predicted.
        share: (P,) predictions, 0 to 1.
        within: (P,) half the range around each prediction in which the truth was expected.
        truth: (P,) measured shares, 0 to 1.
        theme: "light" or "dark".

    Returns:
        Figure with the predictions whose range holds the truth, the others, and the diagonal.

    Raises:
        AudioformerError: lengths disagree.
    """
    share, within, truth = (
        as_array(values, name, 1) for values, name in ((share, "share"), (within, "within"), (truth, "truth"))
    )
    for values, name in ((share, "share"), (within, "within"), (truth, "truth")):
        same_length(len(names), len(values), "names", name)
    inside = abs(share - truth) <= within + 1e-9
    places = np.where(truth.argsort().argsort() % 2, "bottom center", "top center")  # names of neighbours, apart
    figure = go.Figure()
    for label, chosen, symbol in (("range holds the truth", inside, "circle"), ("range misses it", ~inside, "x")):
        figure.add_scatter(
            x=share[chosen],
            y=truth[chosen],
            error_x={"type": "data", "array": within[chosen], "thickness": 1.2, "width": 3},
            mode="markers+text" if len(names) <= MOST_NAMES else "markers",
            text=[name for name, one in zip(names, chosen, strict=True) if one],
            textposition=places[chosen].tolist(),
            marker={"size": 9, "symbol": symbol},
            name=label,
            hovertemplate="%{text}<br>predicted %{x:.2f}, measured %{y:.2f}<extra></extra>",
        )
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot"}, name="agree", hoverinfo="skip")
    alt = f"{len(names)} predictions beside what was measured; the ranges of {inside.sum()} hold the truth."
    finish(figure, alt, x="Predicted (0 to 1)", y="Measured (0 to 1)", theme=theme, height=420)
    return figure.update_xaxes(range=[-0.05, 1.05]).update_yaxes(range=[-0.05, 1.1])


def by_ear(names: Sequence[str], measure, right, n, *, label: str, theme: str = "light") -> go.Figure:
    """How often each degree of a change was heard in a blind test, over a measure of that change.

    Args:
        names: (P,) of the degrees.
        measure: (P,) of each, for instance decibel.
        right: (P,) answers that were right.
        n: (P,) answers.
        label: the measure, with its unit.
        theme: "light" or "dark".

    Returns:
        Figure with a mark and a 95 % interval for each degree, and the level of guessing.

    Raises:
        AudioformerError: lengths disagree.
    """
    measure, right, n = (as_array(v, k, 1) for v, k in ((measure, "measure"), (right, "right"), (n, "n")))
    for values, name in ((measure, "measure"), (right, "right"), (n, "n")):
        same_length(len(names), len(values), "names", name)
    share, edges = right / n, np.array([wilson_interval(*both) for both in zip(right, n, strict=True)])
    figure = go.Figure(
        go.Scatter(
            x=measure,
            y=share,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": edges[:, 1] - share,
                "arrayminus": share - edges[:, 0],
                "width": 4,
            },
            mode="markers+text",
            text=list(names),
            textposition="middle right",
            marker={"size": 9},
            customdata=np.stack([right, n], 1),
            hovertemplate="%{text}<br>%{customdata[0]} of %{customdata[1]} right<extra></extra>",
        )
    )
    parts = ", ".join(f"{name} {one:.0%}" for name, one in zip(names, share, strict=True))
    finish(figure, f"Right in a blind test: {parts}; guessing gives 50%.", x=label, y="Right (0 to 1)", theme=theme)
    figure.add_hline(y=0.5, line_dash="dot", annotation_text="guessing", annotation_position="bottom left")
    span = max(float(np.ptp(measure)), 1e-3)
    figure.update_xaxes(range=[measure.min() - 0.15 * span, measure.max() + 0.4 * span])
    return figure.update_yaxes(range=[-0.05, 1.1])


def frame_scores(
    scores,
    frame_rate: float,
    label_names: Sequence[str],
    *,
    top_k: int = 3,
    theme: str = "light",
    max_points: int = 6_000,
) -> go.Figure:
    """Score of the leading labels in every frame of the clip.

    Args:
        scores: (T, C) score of each class in each frame, 0 to 1.
        frame_rate: frames per second, Hz.
        label_names: C names.
        top_k: labels shown, those with the highest mean score.
        theme: "light" or "dark".
        max_points: per label; longer clips show the mean of neighbouring frames.

    Returns:
        Figure with one line per label.

    Raises:
        AudioformerError: shapes disagree (both are printed), or frame_rate is not positive.
    """
    scores = as_array(scores, "scores", 2)
    if scores.shape[1] != len(label_names) or frame_rate <= 0:
        raise AudioformerError(
            f"scores have shape {scores.shape} at frame_rate={frame_rate}; "
            f"expected (T, {len(label_names)}) and a rate > 0"
        )
    n_frames = len(scores)
    leading = scores.mean(0).argsort()[::-1][:top_k]
    step = -(-n_frames // max_points)
    starts = np.arange(0, n_frames, step)
    ends = np.append(starts[1:], n_frames)
    means = np.add.reduceat(scores[:, leading], starts, axis=0) / (ends - starts)[:, None]
    times_s = ((starts + ends) / 2 / frame_rate).astype(np.float32)
    names = [_plain(str(label_names[index]).replace("_", " ")) for index in leading]
    figure = lines(dict(zip(names, means.astype(np.float32).T, strict=True)), times_s, "%{x:.3f} s<br>score %{y:.3f}")
    alt = f"Scores of {len(leading)} labels in each of {n_frames} frames; highest on average: {names[0]}."
    finish(figure, alt, x=TIME, y="Score (0 to 1)", theme=theme)
    figure.update_xaxes(range=[0, n_frames / frame_rate])
    return figure.update_yaxes(range=[-0.05, 1.08])


def _plain(text: str) -> str:
    """Names as text: plotly would read some tags in them as formatting."""
    return text.replace("<", "‹").replace(">", "›")
