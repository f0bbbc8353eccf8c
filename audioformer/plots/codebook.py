"""Pictures of a codebook: how evenly it is used, where its entries lie, which a clip uses, which tell a class.

`audioformer.explain.codebook` computes what is drawn here. Shapes: K codebooks (rows), V entries, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.audio import TIME
from audioformer.plots.theme import INK, SOUND_SCALE, as_array, finish, palette, same_length


def usage(counts, *, theme: str = "light") -> go.Figure:
    """How often the entries of each row are used, the most used first; flat is even, steep means few do the work.

    Args:
        counts: (K, V) how often each entry occurs.
        theme: "light" or "dark".

    Returns:
        Figure with one line a row, on logarithmic axes; entries that never occur are left out.

    Raises:
        AudioformerError: not (K, V), or a row without any code.
    """
    shares = _shares(counts)
    n_rows, size = shares.shape
    figure = go.Figure()
    for k, row in enumerate(shares, 1):
        used = np.sort(row[row > 0])[::-1]
        figure.add_scatter(
            x=np.arange(1, len(used) + 1),
            y=100 * used,
            name=f"row {k}",
            mode="lines" if len(used) > 1 else "markers",
            line={"dash": ("solid", "dash", "dot")[(k - 1) // 8 % 3]},
            hovertemplate=f"row {k}: the %{{x}}. most used<br>%{{y:.3f}} % of frames<extra></extra>",
        )
    in_use = (shares > 0).sum(1)
    alt = f"Use of {size} entries by rank in {n_rows} rows; in use are {', '.join(map(str, in_use))} of them."
    finish(figure, alt, x="Entries, most used first (rank)", y="Share of frames (%)", theme=theme, height=340)
    figure.update_layout(margin={"t": 56})
    figure.update_xaxes(type="log", dtick=1, range=[-0.05, np.log10(size) + 0.05])
    return figure.update_yaxes(type="log", dtick=1)


def perplexities(values, in_use, codebook_size: int, *, theme: str = "light") -> go.Figure:
    """How many equally frequent entries would say as much as each row does, beside how many occur at all.

    Args:
        values: (K,) perplexity of each row.
        in_use: (K,) entries of each row that occur.
        codebook_size: V, the most that both can be.
        theme: "light" or "dark".

    Returns:
        Figure with two bars a row.

    Raises:
        AudioformerError: lengths differ, or more than V.
    """
    values, in_use = as_array(values, "values", 1), as_array(in_use, "in_use", 1)
    same_length(len(values), len(in_use), "values", "in_use")
    if max(values.max(), in_use.max()) > codebook_size * (1 + 1e-6):
        raise AudioformerError(
            f"perplexity {values.max():.0f} or entries in use {in_use.max()} exceed the codebook size {codebook_size}"
        )
    rows = np.arange(1, len(values) + 1)
    figure = go.Figure()
    for name, heights, unit in (("entries in use", in_use, "entries"), ("perplexity", values, "perplexity")):
        figure.add_bar(x=rows, y=heights, name=name, hovertemplate=f"row %{{x}}<br>%{{y:.0f}} {unit}<extra></extra>")
    figure.add_hline(
        y=codebook_size, annotation_text=f"all {codebook_size} entries", annotation_position="bottom right"
    )
    alt = (
        f"Perplexity of rows 1 to {len(rows)}, out of {codebook_size}: {', '.join(f'{value:.0f}' for value in values)}."
    )
    finish(figure, alt, x="Codebook (row)", y="Entries (number)", theme=theme, height=300)
    figure.update_layout(barmode="group", margin={"t": 36})
    return figure.update_xaxes(dtick=1 if len(rows) <= 12 else 4)


def entry_map(points, shares, counts, *, clip=None, marked: int | None = None, theme: str = "light") -> go.Figure:
    """The entries of one codebook in the plane, coloured by use; those of a clip stand out.

    Args:
        points: (V, 2) from `codebook.entry_map`.
        shares: (2,) of the variance that the axes show.
        counts: (V,) how often each occurs.
        clip: (T,) codes of one clip in this row; None shows the whole codebook alike.
        marked: an entry to point at.
        theme: "light" or "dark".

    Returns:
        Figure whose points carry the entry as `customdata[0]`: unused ones hollow, the clip's in rings as large as it
        uses them.

    Raises:
        AudioformerError: shapes that do not fit each other, or codes outside the codebook.
    """
    points, shares, counts = as_array(points, "points", 2), as_array(shares, "shares", 1), as_array(counts, "counts", 1)
    same_length(len(points), len(counts), "points", "counts")
    in_clip = np.zeros(len(points), np.int64) if clip is None else _clip_counts(clip, len(points))
    if marked is not None and not 0 <= marked < len(points):
        raise AudioformerError(f"marked={marked}; entries are 0..{len(points) - 1}")
    figure, used, about = go.Figure(), counts > 0, np.stack([np.arange(len(points)), counts, in_clip], 1)
    uses = "entry %{customdata[0]}<br>used %{customdata[1]} times<extra></extra>"
    frames = "entry %{customdata[0]}<br>%{customdata[2]} frames of this clip<extra></extra>"
    colour, sizes = np.log10(np.maximum(counts[used], 1)), 9 + 4 * np.log2(1 + in_clip[in_clip > 0])
    edge = {"width": 0.5, "color": INK[theme][1]}
    shade = {"color": colour, "colorscale": SOUND_SCALE, "cmin": 0, "colorbar": _ticks(counts.max())}
    ring = {"symbol": "circle-open", "line": {"width": 2}, "color": palette(theme)[5]}
    groups = [
        ("never used", ~used, uses, {"size": 5, "symbol": "circle-open", "color": INK[theme][1], "opacity": 0.5}),
        ("used", used, uses, {"size": 7, "line": edge, **shade}),
        ("in this clip", in_clip > 0, frames, {"size": sizes, **ring}),
    ]
    for name, members, text, marker in groups:
        if members.any():
            x, y = points[members].T
            place = {"x": x, "y": y, "customdata": about[members], "hovertemplate": text}
            figure.add_scatter(**place, mode="markers", name=name, marker=marker)
    if marked is not None:
        x, y = points[marked]
        arrow = {"showarrow": True, "arrowhead": 2, "ax": 36, "ay": -36, "arrowcolor": INK[theme][0]}
        figure.add_annotation(x=x, y=y, text=f"entry {marked}", font={"color": INK[theme][0]}, **arrow)
    axes = [f"Principal component {i} ({share:.0%} of variance)" for i, share in enumerate(shares, 1)]
    alt = (
        f"Map of {len(points)} entries, {used.sum()} of them used; the plane shows {shares.sum():.0%} of their variance"
        + (f"; this clip uses {(in_clip > 0).sum()}." if clip is not None else ".")
    )
    finish(figure, alt, x=axes[0], y=axes[1], theme=theme, height=440)
    return figure.update_layout(margin={"t": 40}, legend={"itemsizing": "constant"})


def entries_over_time(
    codes, points, frame_rate: float, *, marked: int | None = None, theme: str = "light"
) -> go.Figure:
    """Which entries of one codebook a clip uses, when: their place along the first principal component.

    Args:
        codes: (T,) of one row.
        points: (V, 2) from `codebook.entry_map`.
        frame_rate: Hz.
        marked: an entry whose frames stand out.
        theme: "light" or "dark".

    Returns:
        Figure with one point a frame; `customdata` is the entry.

    Raises:
        AudioformerError: codes outside the codebook, or frame_rate not above 0.
    """
    points, codes = as_array(points, "points", 2), as_array(codes, "codes", 1)
    n_used = int((_clip_counts(codes, len(points)) > 0).sum())
    if not frame_rate > 0:
        raise AudioformerError(f"frame_rate={frame_rate} must be above 0 Hz")
    middle_s, heights = (np.arange(len(codes)) + 0.5) / frame_rate, points[codes, 0]
    figure, colours = go.Figure(), palette(theme)
    hover = "%{x:.3f} s<br>entry %{customdata}<extra></extra>"
    here = codes == (-1 if marked is None else marked)
    for name, members, colour, size in (("frames", ~here, colours[0], 5), (f"entry {marked}", here, colours[5], 9)):
        if members.any():
            figure.add_scatter(
                x=middle_s[members],
                y=heights[members],
                customdata=codes[members],
                mode="markers",
                name=name,
                hovertemplate=hover,
                marker={"size": size, "color": colour, "symbol": "circle" if name == "frames" else "diamond"},
            )
    alt = f"{len(codes)} frames use {n_used} entries, drawn at their place on the first principal component."
    finish(figure, alt, x=TIME, y="Principal component 1", theme=theme)
    figure.update_xaxes(range=[0, len(codes) / frame_rate])
    return figure.update_layout(showlegend=bool(here.any()), margin={"t": 36})


def typical_entries(delta, z, label_names: Sequence[str], *, n_entries: int = 8, theme: str = "light") -> go.Figure:
    """The entries that are most typical for each class, by z of the log-odds ratio (`codebook.log_odds`).

    Args:
        delta: (C, V) log-odds ratio, natural log units.
        z: (C, V) the same over its standard deviation.
        label_names: C names.
        n_entries: shown for each class.
        theme: "light" or "dark".

    Returns:
        Figure with C rows of points, each labelled with its entry; hover tells how many times likelier it is.

    Raises:
        AudioformerError: shapes that do not fit each other.
    """
    delta, z = as_array(delta, "delta", 2), as_array(z, "z", 2)
    same_length(len(z), len(label_names), "z", "label_names")
    same_length(delta.size, z.size, "delta", "z")
    figure, names = go.Figure(), [str(name).replace("_", " ") for name in label_names]
    for c, name in enumerate(names):
        best = z[c].argsort(kind="stable")[::-1][:n_entries]
        figure.add_scatter(
            x=z[c, best],
            y=[name] * len(best),
            mode="markers",
            name=name,
            marker={"size": 9, "color": palette(theme)[0], "opacity": 0.8},
            customdata=np.stack([best, np.exp(delta[c, best])], 1),
            showlegend=False,
            hovertemplate=f"{name}<br>entry %{{customdata[0]}}<br>%{{customdata[1]:.1f}} times the odds elsewhere"
            "<br>z %{x:.1f}<extra></extra>",
        )
        figure.add_annotation(x=z[c, best[0]], y=name, text=str(best[0]), xanchor="left", xshift=8)
    tops = ", ".join(f"{name}: {z[c].argmax()}" for c, name in enumerate(names[:10]))
    alt = f"The {n_entries} most typical entries of {len(names)} classes by log-odds; the first of each is {tops}."
    height = 110 + 30 * len(names)
    finish(figure, alt, x="Typical (z of the log-odds ratio)", y="Class", theme=theme, height=height)
    return figure.update_yaxes(autorange="reversed", title_standoff=12, automargin=True)


def _shares(counts) -> np.ndarray:
    """(K, V) counts to shares that sum to 1 in each row."""
    counts = as_array(counts, "counts", 2).astype(np.float64)
    if (counts < 0).any() or (counts.sum(1) == 0).any():
        raise AudioformerError(
            "counts must be 0 or more, with at least one code in each row; count the codes of some clip first"
        )
    return counts / counts.sum(1, keepdims=True)


def _clip_counts(codes, size: int) -> np.ndarray:
    """(V,) how often each entry occurs in (T,) codes."""
    codes = as_array(codes, "codes", 1)
    if not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0 or codes.max() >= size:
        raise AudioformerError(f"codes range over {codes.min()}..{codes.max()}; the codebook has entries 0..{size - 1}")
    return np.bincount(codes, minlength=size)


def _ticks(largest: int) -> dict:
    """Colour bar of log10 counts with plain numbers at it."""
    powers = np.arange(int(np.log10(max(largest, 1))) + 1)
    return {
        "title": {"text": "Times used"},
        "tickvals": powers,
        "ticktext": [f"{10**p:,}" for p in powers],
        "thickness": 12,
    }
