"""A picture of token sequences: which positions hold codes, and where BOA, EOA, MASK and PAD stand.

Shapes: B sequences, S positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import as_array, finish, flat_steps, palette, same_length

KINDS = ("code", "PAD", "BOA", "EOA", "MASK")
COLOURS = (0, 7, 2, 5, 1)  # of OKABE_ITO: codes blue, PAD grey, BOA green, EOA vermilion, MASK orange
MAX_WRITTEN = 40  # positions, beyond which numbers in the cells cannot be read


def strip(tokens, codebook_size: int, names: Sequence[str] | None = None, *, theme: str = "light") -> go.Figure:
    """Sequences above one another, a cell a token, coloured by kind.

    Args:
        tokens: (B, S) integers; below V a code, then PAD, BOA, EOA, MASK.
        codebook_size: V.
        names: of the sequences; None counts them from 1.
        theme: "light" or "dark".

    Returns:
        Figure with one heatmap; short sequences show the token in its cell, hover tells it always.

    Raises:
        AudioformerError: not (B, S), a token outside [0, V + 4), or names that do not fit.

    Example:
        >>> list(strip([[11, 7, 9, 12]], 10).data[0].text[0])
        ['BOA', '7', '9', 'EOA']
    """
    tokens = as_array(tokens, "tokens", 2)
    names = [str(n + 1) for n in range(len(tokens))] if names is None else list(names)
    same_length(len(tokens), len(names), "tokens", "names")
    if not np.issubdtype(tokens.dtype, np.integer) or tokens.min() < 0 or tokens.max() >= codebook_size + 4:
        raise AudioformerError(
            f"tokens are {tokens.dtype} in {tokens.min()}..{tokens.max()}; expected integers in 0..{codebook_size + 3}"
        )
    kinds = np.clip(tokens - codebook_size + 1, 0, 4)
    written = np.where(kinds == 0, tokens.astype(str), np.asarray(KINDS)[kinds])
    written_out = tokens.shape[1] <= MAX_WRITTEN
    figure = go.Figure(
        go.Heatmap(
            z=kinds.astype(np.int8),
            text=written,
            y=names,
            zmin=-0.5,
            zmax=4.5,
            xgap=int(written_out),
            ygap=2,
            name="tokens",
            texttemplate="%{text}" if written_out else None,
            colorscale=flat_steps([palette(theme)[colour] for colour in COLOURS]),
            colorbar={"tickvals": list(range(5)), "ticktext": KINDS, "thickness": 12},
            hovertemplate="sequence %{y}<br>position %{x}<br>%{text}<extra></extra>",
        )
    )
    counts = ", ".join(f"{int((kinds == k).sum())} {kind}" for k, kind in enumerate(KINDS) if (kinds == k).any())
    alt = f"{len(tokens)} token sequences of {tokens.shape[1]} positions: {counts}."
    finish(figure, alt, x="Position", y="Sequence", theme=theme, height=150 + 34 * min(len(tokens), 10))
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, automargin=True)
    return figure.update_xaxes(showgrid=False, dtick=1 if written_out else None)
