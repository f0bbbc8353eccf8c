"""Figures of EnCodecMAE: covers over the gaps, colours of right and wrong, axes with units, clear refusals."""

import numpy as np
import pytest

from audioformer import plots
from audioformer.errors import AudioformerError

HIDDEN = np.array([False, True, True, False, True, False])
CODES = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
GUESSED = np.array([[3, 1, 0, 1, 5, 9], [2, 0, 0, 3, 0, 8]])
CONFIDENCE = np.linspace(0.1, 0.9, 12).reshape(2, 6)
DRAW = {
    "hidden": lambda **o: plots.frames.hidden_frames(np.arange(18.0).reshape(3, 6), HIDDEN, 75.0, **o),
    "guesses": lambda **o: plots.frames.guesses(CODES, GUESSED, CONFIDENCE, HIDDEN, 75.0, **o),
}


@pytest.mark.parametrize("name", DRAW)
def test_figures_have_titles_hover_alternative_text_and_two_themes(name):
    light, dark = DRAW[name](), DRAW[name](theme="dark")
    assert light.layout.template != dark.layout.template
    for figure in (light, dark):
        assert figure.layout.xaxis.title.text == "Time (s)"
        assert figure.layout.yaxis.title.text
        assert figure.layout.meta["alt"].endswith(".")
        assert all(trace.hovertemplate for trace in figure.data)


def test_every_gap_is_covered_and_nothing_else():
    figure = DRAW["hidden"]()
    spans = [(shape.x0, shape.x1) for shape in figure.layout.shapes]
    assert spans == [(pytest.approx(1 / 75), pytest.approx(3 / 75)), (pytest.approx(4 / 75), pytest.approx(5 / 75))]
    assert np.isnan(figure.data[0].z[:, HIDDEN]).all()
    np.testing.assert_array_equal(figure.data[0].z[:, ~HIDDEN], np.arange(18.0).reshape(3, 6)[:, ~HIDDEN])
    assert "3 of 6 frames are hidden (50 %), in 2 gaps" in figure.layout.meta["alt"]


def test_colour_tells_right_from_wrong_and_how_surely():
    figure = DRAW["guesses"]()
    signed = np.where(CODES == GUESSED, CONFIDENCE, -CONFIDENCE)
    np.testing.assert_allclose(figure.data[0].z, signed, rtol=1e-6)
    assert figure.data[0].customdata[1, 1].tolist() == [6, 0]
    assert figure.data[0].text[0].tolist() == ["visible", "hidden", "hidden", "visible", "hidden", "visible"]
    assert "codebook 1 67 %, codebook 2 0 %" in figure.layout.meta["alt"]
    assert len(figure.layout.shapes) == 3  # the visible stretches
    nothing = plots.frames.guesses(CODES, GUESSED, CONFIDENCE, np.zeros(6), 75.0)
    assert "none hidden" in nothing.layout.meta["alt"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.frames.hidden_frames(np.zeros((3, 5)), HIDDEN, 75.0),
        lambda: plots.frames.hidden_frames(np.zeros((3, 6)), HIDDEN, 0.0),
        lambda: plots.frames.guesses(CODES, GUESSED[:1], CONFIDENCE, HIDDEN, 75.0),
        lambda: plots.frames.guesses(CODES, GUESSED, CONFIDENCE + 1, HIDDEN, 75.0),
        lambda: plots.frames.guesses(CODES, GUESSED, CONFIDENCE, HIDDEN[1:], 75.0),
    ],
)
def test_what_does_not_fit_is_refused(draw):
    with pytest.raises(AudioformerError, match="must"):
        draw()
