"""A plotly figure as `static/plotly_view.js` takes it.

Shapes: none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


def drawn(figure: go.Figure) -> dict:
    """{"figure", "dark", "config"}: the figure in its own look, the template of the dark one, what plotly may offer."""
    from audioformer import plots

    dark = plots.theme.template("dark").to_plotly_json()
    return {"figure": json.loads(figure.to_json()), "dark": dark, "config": plots.plot_config()}
