"""Figures: numpy arrays in, `plotly.graph_objects.Figure` out. Nothing here shows, saves or computes a model.

    plots.audio        waveform, log-mel picture
    plots.codes        code grid, error by number of codebooks
    plots.predictions  top labels, scores over time
    plots.timeline     the above on one shared time axis
    plots.theme        light and dark look, configuration, `show` for notebooks

Every figure names its units on the axes, tells values on hover, and carries one sentence of alternative text in
`figure.layout.meta["alt"]`. Importing this package registers nothing globally and needs neither torch nor a model.
"""

from audioformer.plots import audio, codes, predictions, theme, timeline
from audioformer.plots.theme import plot_config, show

__all__ = ["audio", "codes", "plot_config", "predictions", "show", "theme", "timeline"]
