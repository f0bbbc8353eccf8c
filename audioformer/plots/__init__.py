"""Figures: numpy arrays in, `plotly.graph_objects.Figure` out. Nothing here shows, saves or computes a model.

    plots.audio        waveform, log-mel picture
    plots.codes        code grid, error by number of codebooks
    plots.codebook     use of entries, their map, a clip's entries, entries of a class
    plots.plane        vectors in two dimensions: codebook entries, arrows, sounds
    plots.tokens       token sequences with BOA, EOA, MASK and PAD
    plots.attention    who looks at whom, rotary scores by distance
    plots.layers       where the parameters are, a quantity by layer
    plots.masking      hidden codes, guessed and missed
    plots.frames       hidden frames, and codes guessed there (EnCodecMAE)
    plots.sight        pictures that belong to sounds: similarities, maps over frames, the benchmark's grid
    plots.contrast     similarity of all (clip, row) vectors
    plots.training     losses step by step
    plots.importance   what an answer hangs on, and whether that is so
    plots.predictions  top labels, scores over time
    plots.probes       what simple learners read out of features; ways to adapt a model
    plots.ablation     which part of the recipe helps
    plots.growth       time and memory by length
    plots.ladder       a codec's training
    plots.theme        light and dark look, configuration, `show` for notebooks

Every figure names its units on the axes, tells values under the pointer, and carries one sentence of alternative text
in `figure.layout.meta["alt"]`. Importing this package registers nothing globally and needs neither torch nor a model.
"""

from audioformer.plots import (
    ablation,
    attention,
    audio,
    codebook,
    codes,
    contrast,
    frames,
    importance,
    layers,
    masking,
    plane,
    predictions,
    probes,
    sight,
    theme,
    tokens,
    training,
)
from audioformer.plots.theme import plot_config, show

__all__ = [
    "ablation",
    "attention",
    "audio",
    "codebook",
    "codes",
    "contrast",
    "frames",
    "importance",
    "layers",
    "masking",
    "plane",
    "plot_config",
    "predictions",
    "probes",
    "show",
    "sight",
    "theme",
    "tokens",
    "training",
]
