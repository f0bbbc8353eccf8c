"""Figures of the notebooks: the right numbers, axes with units, alternative text, and clear refusals."""

import numpy as np
import pytest

from audioformer import plots
from audioformer.errors import AudioformerError

ANGLES = np.radians([0.0, 90.0, 180.0])
PLANE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
COSINES = np.array([[1, 0.9, 0.1, 0], [0.9, 1, 0, 0.2], [0.1, 0, 1, 0.8], [0, 0.2, 0.8, 1]])
DRAW = {
    "entries": lambda **o: plots.plane.entries([[0.0, 1.0], [2.0, 2.0]], [[0.0, 0.0], [2.0, 3.0]], [0, 1], **o),
    "points": lambda **o: plots.plane.points(PLANE, ["a", "b", "a"], **o),
    "arrows": lambda **o: plots.plane.arrows(PLANE, ["a", "b", "c"], [0, 0, 1], **o),
    "strip": lambda **o: plots.tokens.strip([[11, 7, 9, 12], [11, 13, 12, 10]], 10, ["dog", "rain"], **o),
    "attention": lambda **o: plots.attention.attention_map([[0.25, 0.75], [1.0, 0.0]], ["BOA", "7"], **o),
    "likeness": lambda **o: plots.attention.likeness(COSINES, **o),
    "distance": lambda **o: plots.attention.score_by_distance([0, 1], {"slow": [1.0, 0.9], "fast": [1.0, 0.5]}, **o),
    "hidden": lambda **o: plots.masking.hidden_codes(np.eye(2, 4), 75.0, np.eye(2, 4), **o),
    "similarity": lambda **o: plots.contrast.similarity(COSINES, 2, ["A", "B"], **o),
    "parameters": lambda **o: plots.layers.parameters({"embeddings": 30, "blocks": 70}, **o),
    "by_layer": lambda **o: plots.layers.by_layer({"dog": [0.1, 0.2], "rain": [0.3, 0.1]}, "Cosine", **o),
    "losses": lambda **o: plots.training.losses({"mlm": [7.0, 6.0], "later": []}, {"chance": 6.93}, **o),
}


@pytest.mark.parametrize("name", DRAW)
def test_every_figure_has_titles_hover_alternative_text_and_two_themes(name):
    light, dark = DRAW[name](), DRAW[name](theme="dark")
    assert light.layout.template != dark.layout.template
    for figure in (light, dark):
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text
        assert figure.layout.meta["alt"].endswith(".")
        assert len(figure.layout.meta["alt"]) > 30
        assert all(trace.hovertemplate for trace in figure.data if trace.hoverinfo != "skip")


def test_threads_lead_from_each_vector_to_its_entry():
    threads, vectors, entries = DRAW["entries"]().data
    np.testing.assert_array_equal(threads.x[[0, 1, 3, 4]], [0, 0, 2, 2])
    np.testing.assert_array_equal(threads.y[[0, 1, 3, 4]], [1, 0, 2, 3])
    assert list(vectors.customdata) == [0, 1]
    assert list(entries.text) == ["0", "1"]
    assert "distance to the chosen entry 1.00" in DRAW["entries"]().layout.meta["alt"]


def test_arrows_of_a_group_share_colour_and_dash():
    _, a, b, c = DRAW["arrows"]().data
    assert (a.line.color, a.line.dash) == (b.line.color, b.line.dash)
    assert (a.line.color, a.line.dash) != (c.line.color, c.line.dash)
    assert "c points to 180 degrees" in DRAW["arrows"]().layout.meta["alt"]


def test_tokens_are_written_by_kind():
    trace = DRAW["strip"]().data[0]
    assert trace.text.tolist() == [["BOA", "7", "9", "EOA"], ["BOA", "MASK", "EOA", "PAD"]]
    assert trace.z.tolist() == [[2, 0, 0, 3], [2, 4, 3, 1]]
    long = plots.tokens.strip(np.zeros((1, 300), dtype=int), 4).data[0]
    assert long.texttemplate is None
    assert long.xgap == 0  # gaps would hide the cells


def test_attention_rows_are_those_who_look():
    figure = DRAW["attention"]()
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"  # "1 7" is no date
    assert figure.data[0].z.tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert figure.layout.yaxis.title.text == "Looking (position)"
    assert figure.layout.yaxis.autorange == "reversed"


def test_hidden_codes_are_guessed_or_missed():
    correct = np.zeros((2, 4))
    correct[0, 0] = 1
    figure = plots.masking.hidden_codes(np.eye(2, 4), 75.0, correct)
    assert figure.data[0].z.tolist() == [[2, 0, 0, 0], [0, 3, 0, 0]]
    assert figure.layout.meta["alt"] == "2 of 8 codes are hidden (25 %), 1 of them guessed."


def test_similarity_leaves_each_vector_itself_out_and_frames_the_positives():
    figure = DRAW["similarity"]()
    z = np.asarray(figure.data[0].z)
    assert list(figure.data[0].y) == ["A1", "B1"]
    assert np.isnan(z[0, 0])
    assert np.isnan(z[1, 2])
    assert z[0, 1] == 0.9
    assert figure.data[0].customdata[1].tolist()[2:] == ["itself: left out", "positive: pulled together"]
    assert [(s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes] == [(-0.5, 1.5, -0.5, 0.5), (1.5, 3.5, 0.5, 1.5)]
    assert "0.85 among positives, 0.05 among negatives" in figure.layout.meta["alt"]
    assert len(plots.contrast.similarity(COSINES, 2, ["A", "B"], "all").data[0].y) == 4


def test_losses_show_levels_and_leave_empty_curves_out():
    figure = DRAW["losses"]()
    assert [trace.name for trace in figure.data] == ["mlm"]
    assert figure.layout.shapes[0].y0 == 6.93
    assert list(plots.training.losses({"a": [1.0]}, first_step=31).data[0].x) == [31]
    assert plots.training.losses({"a": []}).layout.meta["alt"] == "Loss by step: none yet."


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.plane.entries([[0.0, 1.0]], [[0.0, 0.0]], [1]), r"codes range over 1\.\.1.*entries 0\.\.0"),
        (lambda: plots.plane.entries(np.ones((1, 3)), np.ones((1, 3)), [0]), "two features"),
        (lambda: plots.plane.arrows(np.ones((2, 3)), ["a", "b"]), "two features"),
        (lambda: plots.plane.points(np.ones((2, 3)), ["a", "b"]), "two features"),
        (lambda: plots.plane.points(np.ones((2, 2)), ["a"]), "points has length 2 but labels has length 1"),
        (lambda: plots.tokens.strip([[99]], 10), r"99\.\.99; expected integers in 0\.\.13"),
        (lambda: plots.attention.attention_map([[0.5, 0.6], [1, 0]]), "rows that sum to 1"),
        (lambda: plots.attention.attention_map([[1.0]], ["a", "b"]), "must agree"),
        (lambda: plots.attention.score_by_distance([1], {}), "no scores"),
        (lambda: plots.masking.hidden_codes([[1]], 0), "frame_rate=0 must be positive"),
        (lambda: plots.masking.hidden_codes([[1]], 75.0, [[1, 0]]), "must agree"),
        (lambda: plots.contrast.similarity(COSINES, 3, ["A", "B"]), "must agree"),
        (lambda: plots.contrast.similarity(COSINES, 2, ["A", "B"], "none"), "must be row1 or all"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(AudioformerError, match=message):
        draw()
