"""The look of every figure, in a light and a dark variant, and how to show one.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers too; magnitudes use viridis or cividis. A look is
a plotly template given to each figure, never registered globally, so other people's figures stay as they are.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio

from audioformer.errors import AudioformerError

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#777777")
ON_DARK = ("#56B4E9", "#E69F00", "#2FC79B", "#E29BC4", "#8CC8F0", "#F0803C", "#F0E442", "#AAAAAA")
SOUND_SCALE, CODE_SCALE = "Viridis", "Cividis"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
MAX_WRITTEN = 12  # columns of a matrix, beyond which numbers in the cells cannot be read
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
GROUND = {"light": "#ffffff", "dark": "#111111"}  # of a figure in a notebook: JupyterLab's own
SHOWN = {"light": "#c9d6e2", "dark": "#33475b"}  # a code that is not hidden
COVER = {"light": "#8a8f98", "dark": "#5b6470"}  # over a frame that is left out
BLANK = {"light": "#f3f4f6", "dark": "#20262e"}  # where there is nothing to see
INK = {"light": ("#1f2933", "#52606d", "#d9e0e7"), "dark": ("#e6ebf0", "#a3b1bf", "#2f3b47")}  # text, axes, grid


def template(theme: str = "light") -> go.layout.Template:
    """The look as a plotly template; figures stand on a transparent ground.

    Args:
        theme: "light" or "dark".

    Raises:
        AudioformerError: another theme.
    """
    if theme not in INK:
        raise AudioformerError(f"theme={theme!r} is not known; use 'light' or 'dark'")
    ink, axis_ink, grid = INK[theme]
    axis = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "ticks": "outside",
        "tickcolor": grid,
        "ticklen": 4,
        "tickfont": {"color": axis_ink},
        "title": {"font": {"color": axis_ink, "size": 12}, "standoff": 6},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 12, "color": ink},
            "title": {"font": {"size": 15, "color": ink}, "x": 0, "xref": "paper"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(OKABE_ITO if theme == "light" else ON_DARK),
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": "#102a43" if theme == "light" else "#f0f4f8",
                "bordercolor": "rgba(0,0,0,0)",
                "font": {"family": FONT, "color": "#ffffff" if theme == "light" else "#102a43"},
            },
            "legend": {"font": {"color": axis_ink}, "orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": axis_ink, "activecolor": ink},
            "shapedefaults": {"line": {"color": axis_ink, "dash": "dot", "width": 1}},
            "annotationdefaults": {"font": {"color": axis_ink, "size": 11}, "showarrow": False},
        }
    )


def palette(theme: str) -> Sequence[str]:
    """Eight colours that can be told apart on a light or a dark ground."""
    return OKABE_ITO if theme == "light" else ON_DARK


def finish(figure: go.Figure, alt: str, *, x: str, y: str, theme: str = "light", height: int = 260) -> go.Figure:
    """Give a figure its look, axis titles and alternative text.

    Args:
        figure: changed in place.
        alt: one sentence saying what the figure shows.
        x: title of the horizontal axis, with unit.
        y: title of the vertical axis, with unit.
        theme: "light" or "dark".
        height: pixels.

    Returns:
        The same figure.
    """
    margin = {"l": 64, "r": 16, "t": 16, "b": 48}
    figure.update_layout(template=template(theme), meta={"alt": alt}, height=height, autosize=True, margin=margin)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y)
    return figure


def titled(figure: go.Figure, title: str) -> go.Figure:
    """A finished figure with a title in 32 pixels more above it, for pages that have no heading of their own."""
    top = (figure.layout.margin.t or 0) + 32
    above = {"text": title, "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8}}
    return figure.update_layout(title=above, margin={"t": top}, height=(figure.layout.height or 260) + 32)


def lines(series: Mapping[str, Sequence[float]], x, hover: str, *, markers: bool = False) -> go.Figure:
    """A figure of lines that are told apart by their dashes, too.

    Args:
        series: name to (P,) values, one line each; NaN leaves a gap.
        x: (P,) places of the values; of a longer one the beginning.
        hover: what the pointer tells below the name of a line, for instance "step %{x}<br>%{y:.3f} nats".
        markers: whether a symbol stands at each value.

    Raises:
        AudioformerError: a line with more values than places.
    """
    figure = go.Figure()
    for place, (name, values) in enumerate(series.items()):
        if len(values) > len(x):
            same_length(len(values), len(x), name, "x")
        figure.add_scatter(
            x=x[: len(values)],
            y=np.asarray(values),
            name=name,
            mode="lines+markers" if markers else "lines",
            marker={"size": 7, "symbol": place} if markers else None,
            line={"width": 2, "dash": DASHES[place % len(DASHES)]},
            hovertemplate=f"{name}<br>{hover}<extra></extra>",
        )
    return figure


def matrix(z, alt: str, *, x: str, y: str, unit: str, hover: str, theme: str, height: int = 420, **trace) -> go.Figure:
    """A finished figure of a matrix, its first line on top, with the numbers in the cells where they can be read.

    Args:
        z: (lines, columns) numbers; NaN leaves a blank.
        alt: one sentence.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        unit: of the numbers, beside the colours.
        hover: what the pointer tells.
        theme: "light" or "dark".
        height: pixels.
        trace: further properties of the heatmap.
    """
    written = "%{z:.2f}" if np.shape(z)[1] <= MAX_WRITTEN else None
    bar = {"title": {"text": unit}, "thickness": 12}
    hover = f"{hover}<extra></extra>"
    heatmap = go.Heatmap(z=z, colorbar=bar, texttemplate=written, hoverongaps=False, hovertemplate=hover, **trace)
    figure = finish(go.Figure(heatmap), alt, x=x, y=y, theme=theme, height=height)
    return figure.update_xaxes(showgrid=False).update_yaxes(autorange="reversed", showgrid=False, automargin=True)


def plot_config() -> dict:
    """Plotly's options for every place a figure appears: no logo, no upload button, SVG export, keeps to its frame."""
    return {
        "displaylogo": False,
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "responsive": True,
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "svg", "filename": "audioformer"},
    }


def renderer() -> str | None:
    """Name of the plotly renderer that fits where this code runs; None leaves the choice to plotly.

    The variable AUDIOFORMER_RENDERER decides where it is set (for instance `notebook` to inline the scripts for an
    exported page, or `png`); otherwise a Jupyter kernel gets `plotly_mimetype` and Google Colab its own.
    """
    if chosen := os.environ.get("AUDIOFORMER_RENDERER"):
        return chosen
    if "google.colab" in sys.modules:
        return "colab"
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return "plotly_mimetype" if shell is not None and hasattr(shell, "kernel") else None


def notebook_theme() -> str:
    """Whether JupyterLab is "light" or "dark" now, as its settings of this user say; elsewhere "light".

    A lab that follows the system's own theme does not say which it is, and counts as light.
    """
    home = os.environ.get("JUPYTER_CONFIG_DIR") or Path.home() / ".jupyter"
    folder = os.environ.get("JUPYTERLAB_SETTINGS_DIR") or Path(home) / "lab" / "user-settings"
    file = Path(folder) / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    if renderer() != "plotly_mimetype" or os.environ.get("AUDIOFORMER_RENDERER") or not file.is_file():
        return "light"
    text = file.read_text(encoding="utf-8", errors="replace")
    chosen = re.search(r'^\s*"theme"\s*:\s*"([^"]*)"', text, re.MULTILINE)  # not in a comment
    follows = re.search(r'^\s*"adaptive-theme"\s*:\s*true', text, re.MULTILINE)
    return "dark" if chosen and "dark" in chosen[1].lower() and not follows else "light"


def in_dark(figure: go.Figure) -> go.Figure:
    """A finished light figure in the colours of the dark look.

    Args:
        figure: made with theme="light"; stays as it is.
    """
    pairs = [(one["light"], one["dark"]) for one in (GROUND, SHOWN, COVER, BLANK)]
    pairs += [*zip(OKABE_ITO, ON_DARK, strict=True), *zip(INK["light"], INK["dark"], strict=True)]
    exchange, text = dict(pairs), figure.to_json()
    text = re.sub("|".join(re.escape(f'"{light}"') for light in exchange), lambda m: f'"{exchange[m[0][1:-1]]}"', text)
    return pio.from_json(text, skip_invalid=True)


def show(figure: go.Figure) -> None:
    """Show a figure in a notebook with our configuration; the only function here with a visible effect.

    A figure with dark ink gets the ground that fits it: white, or where JupyterLab is dark now (`notebook_theme`)
    light ink on JupyterLab's black. So it can be read after the theme is changed, too.

    Args:
        figure: any plotly figure.

    Raises:
        AudioformerError: AUDIOFORMER_RENDERER names a renderer plotly does not have.
    """
    if figure.layout.paper_bgcolor is None and figure.layout.template.layout.font.color == INK["light"][0]:
        figure.update_layout(paper_bgcolor=GROUND["light"])
        figure = in_dark(figure) if notebook_theme() == "dark" else figure
    chosen = renderer()
    # JupyterLab resizes figures by itself; one that also follows its frame shrinks to nothing when the theme is changed
    config = plot_config() | ({"responsive": False} if chosen == "plotly_mimetype" else {})
    try:
        figure.show(renderer=chosen, config=config)
    except ValueError as error:
        raise AudioformerError(
            f"figure cannot be shown ({str(error).splitlines()[0]}); unset AUDIOFORMER_RENDERER"
        ) from error


def flat_steps(colours: Sequence[str]) -> list[list]:
    """A colour scale without blends: one flat step for each of the kinds 0, 1, 2, ...

    Args:
        colours: one a kind.

    Returns:
        Pairs of place and colour, for a heatmap with zmin = -0.5 and zmax = len(colours) - 0.5.

    Example:
        >>> flat_steps(["red", "blue"])
        [[0.0, 'red'], [0.5, 'red'], [0.5, 'blue'], [1.0, 'blue']]
    """
    n = len(colours)
    return [[(kind + end) / n, colour] for kind, colour in enumerate(colours) for end in (0, 1)]


def as_array(values, name: str, ndim: int) -> np.ndarray:
    """A numpy array of that rank, or an error that prints both.

    Args:
        values: array or nested list of finite numbers.
        name: what to call it in the message.
        ndim: number of axes.

    Raises:
        AudioformerError: another rank, empty, or not finite.
    """
    array = np.asarray(values)
    if array.ndim != ndim or array.size == 0:
        raise AudioformerError(f"{name} has shape {array.shape}; expected {ndim} axes, none of length 0")
    if not np.isfinite(array.astype(np.float64)).all():
        raise AudioformerError(f"{name} holds NaN or infinite values; remove them before drawing")
    return array


def same_length(first: int, second: int, first_name: str, second_name: str) -> None:
    """Refuse two lengths that must agree, printing both.

    Raises:
        AudioformerError: they differ.
    """
    if first != second:
        raise AudioformerError(
            f"{first_name} has length {first} but {second_name} has length {second}; they must agree"
        )
