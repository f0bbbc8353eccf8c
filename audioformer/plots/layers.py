"""Pictures of the encoder: where its parameters are, and how a quantity changes from block to block.

Shapes: P parts, L + 1 layers (the embeddings, then each block).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from audioformer.plots.theme import as_array, finish, lines

MOST_TICKS = 24  # numbers under an axis, beyond which they touch


def parameters(
    counts: Mapping[str, int], *, what: str = "parameters", of: str = "part", whole: bool = True, theme: str = "light"
) -> go.Figure:
    """How many numbers each part of a model learns, or how many of something else there are of each kind.

    Args:
        counts: part to number of parameters, drawn from top to bottom.
        what: is counted.
        of: kind of part.
        whole: whether the counts are parts of a whole; then the share of each is written, too.
        theme: "light" or "dark".

    Returns:
        Figure with one bar a part.

    Raises:
        AudioformerError: nothing to draw.

    Example:
        >>> parameters({"embeddings": 30, "blocks": 70}).layout.meta["alt"]
        '100 parameters; most of them, 70 %, in blocks.'
        >>> parameters({"sound": 928, "codes": 12}, what="gigabytes", whole=False).layout.meta["alt"]
        'Gigabytes: sound 928, codes 12.'
    """
    values = as_array(list(counts.values()), "counts", 1)
    total = values.sum()
    figure = go.Figure(
        go.Bar(
            x=values,
            y=list(counts),
            orientation="h",
            text=[f"{n:,} ({n / total:.0%})" if whole else f"{n:,}" for n in values.tolist()],
            textposition="auto",
            name=what,
            hovertemplate=f"%{{y}}<br>%{{x:,}} {what}<extra></extra>",
        )
    )
    most = max(counts, key=counts.get)
    alt = f"{total:,} {what}; most of them, {counts[most] / total * 100:.0f} %, in {most}."
    if not whole:
        alt = f"{what.capitalize()}: {', '.join(f'{name} {n:,}' for name, n in counts.items())}."
    finish(figure, alt, x=what.capitalize(), y=of.capitalize(), theme=theme, height=110 + 34 * len(counts))
    return figure.update_yaxes(autorange="reversed", type="category", automargin=True)


def by_layer(
    values: Mapping[str, Sequence[float]],
    label: str,
    *,
    x: str = "Layer (0: embeddings)",
    first: int = 0,
    places: Sequence | None = None,
    theme: str = "light",
) -> go.Figure:
    """One quantity after the embeddings and after every block, or for each of other numbered things.

    Args:
        values: name to L + 1 numbers, one line each.
        label: the quantity, with its unit where it has one.
        x: what is numbered.
        first: number of the first.
        places: what stands below the values, side by side, where it does not count from `first`.
        theme: "light" or "dark".

    Returns:
        Figure with one line per name.

    Raises:
        AudioformerError: values that are not a list of finite numbers.
    """
    n_most = max((len(as_array(line, name, 1)) for name, line in values.items()), default=0)
    below = list(range(first, first + n_most)) if places is None else [str(place) for place in places]
    figure = lines(values, below, f"{x} %{{x}}<br>%{{y:.3f}}", markers=True)
    ends = "; ".join(f"{name} from {line[0]:.2f} to {line[-1]:.2f}" for name, line in values.items())
    finish(figure, f"{label} by {x.split(' (')[0].lower()}: {ends}.", x=x, y=label, theme=theme)
    if places is not None:
        figure.update_xaxes(type="category")
    elif n_most <= MOST_TICKS:
        figure.update_xaxes(dtick=1)
    return figure.update_layout(showlegend=len(values) > 1)
