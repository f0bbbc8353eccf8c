"""A picture of the probes: what each learner reads out of each kind of frozen feature, one panel a data set.

Shapes: none.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from audioformer.errors import AudioformerError
from audioformer.plots.theme import finish, template

SYMBOLS = {"linear": "circle", "knn": "diamond", "svm": "square", "mlp": "cross"}


def probes(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """Score by features, a mark for each probe, a panel for each data set.

    Args:
        rows: of the document of `bench probe`; the bar is the deviation over seeds.
        theme: "light" or "dark".

    Returns:
        Figure; the first features stand on top, chance is a dotted line.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("the benchmark has no rows; give it features, probes and a data set")
    data = list(dict.fromkeys(row["data"] for row in rows))
    names = list(dict.fromkeys(row["features"] for row in rows))
    figure = make_subplots(
        1, len(data), shared_yaxes=True, subplot_titles=data if len(data) > 1 else None, horizontal_spacing=0.04
    )
    colours, parts = template(theme).layout.colorway, []
    kinds = list(dict.fromkeys(row["probe"] for row in rows))
    for column, own in enumerate(data, 1):
        panel = [row for row in rows if row["data"] == own]
        for place, kind in enumerate(kinds):
            marks = [row for row in panel if row["probe"] == kind]
            figure.add_scatter(
                x=[row["ours"] for row in marks],
                y=[row["features"] for row in marks],
                name=kind,
                legendgroup=kind,
                mode="markers",
                showlegend=column == 1,
                marker={"size": 9, "symbol": SYMBOLS.get(kind, "x"), "color": colours[place % len(colours)]},
                error_x={
                    "type": "data",
                    "array": [row["seed_std"] or 0 for row in marks],
                    "thickness": 1.2,
                    "width": 3,
                },
                customdata=[[row["unit"], row["n_folds"], row["n_features"], row["n_parameters"]] for row in marks],
                hovertemplate=f"{own}, {kind}<br>%{{y}}<br>%{{customdata[0]}} %{{x:.3f}}, "
                "mean of %{customdata[1]} folds<br>%{customdata[2]} numbers a clip, "
                "%{customdata[3]:,} parameters<extra></extra>",
                row=1,
                col=column,
            )
        chance, best = panel[0]["chance"], max(panel, key=lambda row: row["ours"])
        figure.add_vline(
            x=chance, annotation_text=f"chance {chance:.2f}", annotation_position="bottom right", row=1, col=column
        )
        parts.append(f"{own}: best {best['ours']:.2f} ({best['features']}, {best['probe']}), chance {chance:.2f}")
    alt = f"Scores of simple learners on frozen features. {'; '.join(parts)}."
    finish(figure, alt, x="Score (0 to 1)", y="", theme=theme, height=150 + 30 * len(names))
    for column, own in enumerate(data, 1):
        unit = next(row["unit"] for row in rows if row["data"] == own)
        figure.update_xaxes(
            title_text="mAP (0 to 1)" if unit == "mAP" else "Accuracy (share of clips)",
            range=[0, 1.02],
            row=1,
            col=column,
        )
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    return figure.update_layout(legend={"y": 1.1}, margin={"t": 60})


def _beside(row: dict, rows: Sequence[dict]) -> str:
    """Where a mark has its name: to the right; of two marks nearly one above the other, higher and lower."""
    close = [one for one in rows if one is not row and 0.7 < one["trainable"] / row["trainable"] < 1.4]
    return (
        "middle right"
        if not close
        else "top right"
        if row["ours"] >= max(one["ours"] for one in close)
        else "bottom right"
    )


def adaptations(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """Score against how many numbers were learned, a mark for each way to adapt a model.

    Args:
        rows: of the document of `bench adapt`; the bar is the deviation over folds.
        theme: "light" or "dark".

    Returns:
        Figure; the horizontal axis is logarithmic.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("the benchmark has no rows; give it at least one way to adapt")
    figure = go.Figure()
    figure.add_scatter(
        x=[row["trainable"] for row in rows],
        y=[row["ours"] for row in rows],
        text=[row["case"] for row in rows],
        mode="markers+text",
        textposition=[_beside(row, rows) for row in rows],
        marker={"size": 10},
        showlegend=False,
        cliponaxis=False,
        error_y={"type": "data", "array": [row["fold_std"] or 0 for row in rows], "thickness": 1.2, "width": 3},
        customdata=[[row["unit"], row["parameters"], row["seconds"]] for row in rows],
        hovertemplate="%{text}<br>%{customdata[0]} %{y:.3f}<br>%{x:,} of %{customdata[1]:,} numbers learned, "
        "%{customdata[2]:.0f} s<extra></extra>",
    )
    unit, chance = rows[0]["unit"], rows[0]["chance"]
    figure.add_hline(y=chance, annotation_text=f"chance {chance:.2f}", annotation_position="top right")
    parts = ", ".join(f"{row['case']} {row['ours']:.2f} with {row['trainable']:,}" for row in rows)
    axis = "mAP (0 to 1)" if unit == "mAP" else "Accuracy (share of clips)"
    alt = f"Score by learned numbers: {parts}; chance {chance:.2f}."
    finish(figure, alt, x="Learned numbers", y=axis, theme=theme, height=340)
    figure.update_xaxes(type="log", dtick=1)
    return figure.update_yaxes(range=[0, 1.05])


def by_labels(rows: Sequence[dict], *, theme: str = "light") -> go.Figure:
    """Score against the number of labels a class, a line for each way to learn, a panel for each data set.

    Args:
        rows: of the document of `bench labels`; the bar is 1.96 standard errors over folds.
        theme: "light" or "dark".

    Returns:
        Figure.

    Raises:
        AudioformerError: no rows.
    """
    if not rows:
        raise AudioformerError("the benchmark has no rows; give it at least one data set")
    data, ways = (list(dict.fromkeys(row[key] for row in rows)) for key in ("data", "way"))
    figure = make_subplots(1, len(data), shared_yaxes=True, subplot_titles=data if len(data) > 1 else None)
    colours, parts = template(theme).layout.colorway, []
    for column, own in enumerate(data, 1):
        for place, way in enumerate(ways):
            mine = [row for row in rows if (row["data"], row["way"]) == (own, way)]
            figure.add_scatter(
                x=[row["labels"] for row in mine],
                y=[row["ours"] for row in mine],
                name=way,
                legendgroup=way,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": colours[place % len(colours)]},
                error_y={"type": "data", "array": [row["interval"] or 0 for row in mine], "thickness": 1.2, "width": 3},
                row=1,
                col=column,
            )
            parts += [f"{own}, {way}: " + ", ".join(f"{row['ours']:.2f} with {row['labels']}" for row in mine)]
        figure.update_xaxes(type="category", title_text="Labels a class", row=1, col=column)
    alt = f"Score by number of labels. {'; '.join(parts)}."
    finish(figure, alt, x="Labels a class", y="Score (0 to 1)", theme=theme, height=360)
    return figure.update_yaxes(range=[0, 1.02])
