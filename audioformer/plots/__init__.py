"""Figures: numpy arrays in, `plotly.graph_objects.Figure` out. Nothing here shows, saves or computes a model.

    plots.audio        waveform, log-mel picture
    plots.codes        code grid, error by number of codebooks
    plots.plane        vectors in two dimensions: codebook entries, arrows
    plots.tokens       token sequences with BOA, EOA, MASK and PAD
    plots.attention    who looks at whom, rotary scores by distance
    plots.layers       where the parameters are, a quantity by layer
    plots.masking      hidden codes, guessed and missed
    plots.contrast     similarity of all (clip, row) vectors
    plots.training     losses step by step
    plots.predictions  top labels, scores over time
    plots.timeline     the above on one shared time axis
    plots.theme        light and dark look, configuration, `show` for notebooks

Every figure names its units on the axes, tells values on hover, and carries one sentence of alternative text in
`figure.layout.meta["alt"]`. Importing this package registers nothing globally and needs neither torch nor a model.
"""

from audioformer.plots import (
    attention,
    audio,
    codes,
    contrast,
    layers,
    masking,
    plane,
    predictions,
    theme,
    timeline,
    tokens,
    training,
)
from audioformer.plots.theme import plot_config, show

__all__ = [
    "attention", "audio", "codes", "contrast", "layers", "masking", "plane", "plot_config", "predictions", "show", "theme",
    "timeline", "tokens", "training",
]  # fmt: skip
