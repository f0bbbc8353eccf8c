"""Figures of importance: units, values, alternative text; what does not fit is refused."""

import numpy as np
import pytest
import torch

from audioformer import plots
from audioformer.errors import AudioformerError
from audioformer.explain.faithfulness import Curves

SHARE = torch.linspace(0, 1, 3)
FOUND = Curves(SHARE, torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.8, 0.9]))
CHANCE = Curves(SHARE, torch.tensor([0.9, 0.5, 0.1]), torch.tensor([0.1, 0.5, 0.9]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_importance_over_time_has_times_units_and_events(theme):
    maps = {"occlusion": torch.tensor([0.0, 0.4, 0.1]), "rollout": [1.0, 0.5, 2.0]}
    figure = plots.importance.over_time(maps, 10.0, "Importance (nats)", events=[("dog_bark", 0.1, 0.2)], theme=theme)
    assert [trace.name for trace in figure.data] == ["occlusion", "rollout"]
    np.testing.assert_allclose(figure.data[0].x, [0.05, 0.15, 0.25])
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("Time (s)", "Importance (nats)")
    assert figure.layout.meta["alt"].endswith("occlusion is highest at 0.15 s; rollout is highest at 0.25 s.")
    assert [note.text for note in figure.layout.annotations] == ["dog bark"]
    assert len(figure.layout.shapes) == 2  # the line of no importance, and the event


def test_four_curves_and_their_areas():
    figure = plots.importance.faithfulness(FOUND, CHANCE, "sea_waves")
    assert [trace.name for trace in figure.data] == [
        "only these shown",
        "these hidden",
        "shown, random",
        "hidden, random",
    ]
    np.testing.assert_allclose(figure.data[0].x, [0, 50, 100])
    np.testing.assert_allclose(figure.data[1].y, FOUND.deletion)
    assert figure.data[0].line.dash != figure.data[2].line.dash  # told apart without colour
    assert "sea waves" in figure.layout.meta["alt"]
    assert (
        "area 0.65 if only that is shown, 0.35 if it is hidden; in random order 0.50 and 0.50"
        in figure.layout.meta["alt"]
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(AudioformerError, match="empty"):
        plots.importance.over_time({}, 10.0, "x")
    with pytest.raises(AudioformerError, match="3"):
        plots.importance.over_time({"a": [1.0, 2.0, 3.0], "b": [1.0]}, 10.0, "x")
    with pytest.raises(AudioformerError, match="finite"):
        plots.importance.over_time({"a": [1.0, float("nan")]}, 10.0, "x")
