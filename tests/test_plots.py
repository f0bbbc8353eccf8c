"""Figures: the right numbers on axes with units, alternative text, honest colours, and clear refusals."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import plotly.io
import pytest

from audioformer import plots
from audioformer.codecs.spectra import mel_filters
from audioformer.errors import AudioformerError
from audioformer.plots import codebook, growth, ladder

RATE_HZ = 24_000
RNG = np.random.default_rng(7)
BAND_HZ = np.linspace(50, 11_000, 20)
ANGLES = np.radians([0.0, 90.0, 180.0])
PLANE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
COSINES = np.array([[1, 0.9, 0.1, 0], [0.9, 1, 0, 0.2], [0.1, 0, 1, 0.8], [0, 0.2, 0.8, 1]])
HIDDEN = np.array([False, True, True, False, True, False])
CODES = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
GUESSED = np.array([[3, 1, 0, 1, 5, 9], [2, 0, 0, 3, 0, 8]])
CONFIDENCE = np.linspace(0.1, 0.9, 12).reshape(2, 6)
SHARE = np.linspace(0, 1, 3)
FOUND = SimpleNamespace(
    share=SHARE, deletion=[0.9, 0.2, 0.1], insertion=[0.1, 0.8, 0.9], deletion_area=0.35, insertion_area=0.65
)
CHANCE = SimpleNamespace(
    share=SHARE, deletion=[0.9, 0.5, 0.1], insertion=[0.1, 0.5, 0.9], deletion_area=0.5, insertion_area=0.5
)
MAPS = {"occlusion": [0.0, 0.4, 0.1], "rollout": [1.0, 0.5, 2.0]}
ENTRIES = RNG.normal(size=(16, 2))
COUNTS = np.append(np.zeros((2, 3), int), RNG.integers(1, 50, (2, 13)), 1)
IN_CLIP = RNG.integers(3, 16, 60)
COST = {"kind": "length", "tokens": 10, "ours": 1.0, "peak_mb": 5.0, "case": "1 s"}
CELL = {"data": "digits", "case": "8 pixels, batch 32", "resolution": 8, "batch": 32, "mix": False, "ours": 0.3}
CELL |= {"sound_to_picture_r1_std": 0.05}
DRAW = {
    "waveform": lambda **o: plots.audio.waveform(np.sin(np.arange(48_000)), RATE_HZ, **o),
    "log_mel": lambda **o: plots.audio.log_mel(RNG.normal(size=(20, 151)), 320 / RATE_HZ, BAND_HZ, **o),
    "code_grid": lambda **o: plots.codes.code_grid(RNG.integers(0, 16, (4, 150)), 75.0, **o),
    "error": lambda **o: plots.codes.error_by_codebooks([-3.0, -6.0], [1, 2], **o),
    "top_labels": lambda **o: plots.predictions.top_labels(["dog", "rain"], [0.8, 0.2], chance=0.1, **o),
    "scores": lambda **o: plots.predictions.frame_scores(RNG.uniform(size=(150, 3)), 75.0, ["a", "b", "c"], **o),
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
    "hidden_frames": lambda **o: plots.frames.hidden_frames(np.arange(18.0).reshape(3, 6), HIDDEN, 75.0, **o),
    "guesses": lambda **o: plots.frames.guesses(CODES, GUESSED, CONFIDENCE, HIDDEN, 75.0, **o),
    "over_time": lambda **o: plots.importance.over_time(MAPS, 10.0, "Nats", events=[("dog_bark", 0.1, 0.2)], **o),
    "faithfulness": lambda **o: plots.importance.faithfulness(FOUND, CHANCE, "sea_waves", **o),
    "usage": lambda **o: codebook.usage(COUNTS, **o),
    "perplexities": lambda **o: codebook.perplexities([9.0, 8.0], (COUNTS > 0).sum(1), 16, **o),
    "map": lambda **o: codebook.entry_map(ENTRIES, [0.4, 0.2], COUNTS[0], clip=IN_CLIP, marked=5, **o),
    "time": lambda **o: codebook.entries_over_time(IN_CLIP, ENTRIES, 75.0, marked=int(IN_CLIP[0]), **o),
    "typical": lambda **o: codebook.typical_entries(ENTRIES.T, ENTRIES.T, ["dog", "crying_baby"], **o),
    "ladder": lambda **o: ladder.ladder([[2.0, 1.0], [1.5, 0.9]], [0, 100], "Distance (natural log)", **o),
    "loss_terms": lambda **o: ladder.loss_terms([1, 2], {"mel": [2.0, 1.0], "late": [np.nan, 1.0]}, **o),
    "sight_pairs": lambda **o: plots.sight.pairs(np.eye(2), ["one", "two"], ["1", "2"], **o),
    "sight_film": lambda **o: plots.sight.film(RNG.uniform(size=(4, 3, 8, 8)), RNG.normal(size=(4, 2, 2)), **o),
    "sight_grid": lambda **o: plots.sight.grid([CELL, {**CELL, "batch": 512, "ours": 0.4}], **o),
    "growth": lambda **o: growth.growth([COST, {**COST, "tokens": 20, "ours": 2.0}], **o),
}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


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
        assert json.loads(figure.to_json())["data"]


def test_a_title_stands_above_the_figure_and_takes_nothing_of_its_height():
    plain, figure = DRAW["losses"](), plots.theme.titled(DRAW["losses"](), "Losses")
    assert figure.layout.title.text == "Losses"
    assert figure.layout.height - figure.layout.margin.t == plain.layout.height - plain.layout.margin.t


def test_nothing_is_registered_globally():
    assert DRAW["losses"]().data
    assert not [name for name in plotly.io.templates if "audioformer" in name]


def test_unknown_theme_is_refused():
    with pytest.raises(AudioformerError, match="theme='pink'.*light"):
        plots.theme.template("pink")


def test_config_has_no_logo_and_no_upload_button():
    config = plots.plot_config()
    assert config["displaylogo"] is False
    assert config["showSendToCloud"] is False


@pytest.mark.parametrize("n_samples", [1, 7, 20_000, 20_001, 50_000, 1_234_567])
def test_decimation_keeps_the_extremes_and_the_order(rng, n_samples):
    samples = rng.normal(size=n_samples).astype(np.float32)
    times_s, values = plots.audio.decimate(samples, RATE_HZ)
    assert len(values) == len(times_s) <= 20_000
    assert values.min() == samples.min()
    assert values.max() == samples.max()
    assert (np.diff(times_s) > 0).all()
    if n_samples <= 20_000:
        np.testing.assert_array_equal(values, samples)


def test_a_single_click_survives_decimation():
    samples = np.zeros(1_000_000)
    samples[654_321] = 0.9
    times_s, values = plots.audio.decimate(samples, RATE_HZ, max_points=500)
    assert times_s[values.argmax()] == pytest.approx(654_321 / RATE_HZ)


def test_log_mel_shows_decibels_at_the_right_times(rng):
    values = rng.normal(size=(6, 40))
    trace = plots.audio.log_mel(values, 0.01, np.arange(1, 7) * 100.0).data[0]
    np.testing.assert_allclose(trace.z, np.round(20 * np.log10(np.exp(values))))
    assert (trace.x0, trace.dx) == (0, 0.01)
    assert list(trace.y) == ["100 Hz", "200 Hz", "300 Hz", "400 Hz", "500 Hz", "600 Hz"]


def test_long_log_mel_keeps_the_loudest_of_neighbours():
    values = np.full((3, 5000), -9.0)
    values[1, 3333] = 0.0
    trace = plots.audio.log_mel(values, 0.01, [100.0, 200.0, 300.0], max_columns=500).data[0]
    assert trace.z.shape == (3, 500)
    column = int(np.argmax(trace.z[1]))
    assert trace.x0 + column * trace.dx == pytest.approx(33.33, abs=0.1)


def test_band_centres_lie_inside_their_filters():
    filters = mel_filters(RATE_HZ, 1024, 80).numpy()
    centres = plots.audio.band_centres_hz(filters, RATE_HZ)
    bins_hz = np.linspace(0, RATE_HZ / 2, filters.shape[1])
    assert (np.diff(centres) > 0).all()
    for row, centre in zip(filters, centres, strict=True):
        inside = bins_hz[row > 0]
        assert inside[0] <= centre <= inside[-1]


def test_code_grid_carries_the_codes_and_centres_each_frame(rng):
    codes = rng.integers(0, 1024, (8, 30))
    trace = plots.codes.code_grid(codes, 75.0).data[0]
    np.testing.assert_array_equal(trace.customdata, codes)
    assert trace.x0 == pytest.approx(0.5 / 75)
    assert trace.dx == pytest.approx(1 / 75)
    assert "code %{customdata}" in trace.hovertemplate


def test_colour_depends_on_the_vector_not_on_the_number():
    codebooks = np.zeros((1, 4, 2))
    codebooks[0, :, 0] = [30.0, 10.0, 40.0, 20.0]
    ranks = plots.codes.colour_ranks(codebooks)
    np.testing.assert_array_equal(ranks, [[2, 0, 3, 1]])
    shade = plots.codes.code_grid(np.array([[0, 1, 2, 3]]), 75.0, ranks=ranks).data[0].z
    np.testing.assert_array_equal(shade, [[2, 0, 3, 1]])


def test_colour_ranks_are_permutations(rng):
    ranks = plots.codes.colour_ranks(rng.normal(size=(3, 64, 5)))
    np.testing.assert_array_equal(np.sort(ranks, 1), np.tile(np.arange(64), (3, 1)))


def test_without_codebooks_equal_codes_share_a_colour_and_neighbours_do_not():
    trace = plots.codes.code_grid(np.array([[5, 5, 6, 7]]), 75.0).data[0]
    assert trace.z[0, 0] == trace.z[0, 1]
    assert len({int(v) for v in trace.z[0]}) == 3
    assert len({colour for _, colour in trace.colorscale}) == 7


def test_top_labels_are_text_and_name_the_chance_level():
    figure = plots.predictions.top_labels(["<img src=x>", "crying_baby"], [0.9, 0.1], chance=0.1)
    assert not any("<" in label for label in figure.data[0].y)
    assert figure.data[0].y[1] == "crying baby"
    assert figure.layout.annotations[0].text == "chance 10%"
    other = plots.predictions.top_labels(["FT1", "FT2"], [0.9, 0.75], chance=0.2, what="Accuracy", of="Method")
    assert other.layout.meta["alt"] == "Accuracy: FT1 90%, FT2 75%; chance is 20%."
    assert (other.layout.xaxis.title.text, other.layout.yaxis.title.text) == ("Accuracy (0 to 1)", "Method")


def test_the_word_chance_stands_above_the_bars_where_it_can_be_read():
    (word,) = plots.predictions.top_labels(["dog", "rain"], [0.6, 0.4], chance=0.1).layout.annotations
    assert (word.y, word.yref, word.yanchor) == (1, "y domain", "bottom")


def test_frame_scores_average_neighbours_of_a_long_clip():
    scores = np.stack([np.arange(10) / 10, np.full(10, 0.2)], 1)
    figure = plots.predictions.frame_scores(scores, 10.0, ["up", "flat"], top_k=1, max_points=5)
    assert [trace.name for trace in figure.data] == ["up"]
    np.testing.assert_allclose(figure.data[0].x, [0.1, 0.3, 0.5, 0.7, 0.9], rtol=1e-6)
    np.testing.assert_allclose(figure.data[0].y, [0.05, 0.25, 0.45, 0.65, 0.85], rtol=1e-6)


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


def test_every_gap_is_covered_and_nothing_else():
    figure = DRAW["hidden_frames"]()
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


def test_importance_over_time_has_times_units_and_events():
    figure = DRAW["over_time"]()
    np.testing.assert_allclose(figure.data[0].x, [0.05, 0.15, 0.25])
    assert figure.layout.meta["alt"].endswith("occlusion is highest at 0.15 s; rollout is highest at 0.25 s.")
    assert [note.text for note in figure.layout.annotations] == ["dog bark"]
    assert len(figure.layout.shapes) == 2  # the line of no importance, and the event


def test_four_curves_and_their_areas():
    figure = DRAW["faithfulness"]()
    np.testing.assert_allclose(figure.data[0].x, [0, 50, 100])
    np.testing.assert_allclose(figure.data[1].y, FOUND.deletion)
    assert figure.data[0].line.dash != figure.data[2].line.dash  # told apart without colour
    assert (
        "area 0.65 if only that is shown, 0.35 if it is hidden; in random order 0.50 and 0.50"
        in figure.layout.meta["alt"]
    )


def test_figures_of_a_codebook_draw_the_numbers_they_were_given():
    entries, time = DRAW["map"](), DRAW["time"]()
    assert "60% of their variance" in entries.layout.meta["alt"]
    assert "(40% of variance)" in entries.layout.xaxis.title.text
    unused = next(trace for trace in entries.data if trace.name == "never used")
    assert unused.customdata[:, 0].tolist() == [0, 1, 2]
    ringed = next(trace for trace in entries.data if trace.name == "in this clip")
    assert ringed.customdata[:, 2].sum() == sum(len(trace.x) for trace in time.data) == 60
    assert sum(DRAW["usage"]().data[0].y) == pytest.approx(100)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.audio.waveform(np.zeros((2, 10)), RATE_HZ), r"samples has shape \(2, 10\); expected 1"),
        (lambda: plots.audio.waveform([], RATE_HZ), r"samples has shape \(0,\)"),
        (lambda: plots.audio.waveform([np.nan], RATE_HZ), "NaN"),
        (lambda: plots.audio.waveform([0.0], 0), "sample_rate=0"),
        (lambda: plots.audio.log_mel(np.zeros((3, 4)), 0.1, [1.0, 2.0]), r"\(3, 4\).*length 3.*\(2,\).*length 2"),
        (lambda: plots.audio.log_mel(np.zeros((2, 4)), 0.0, [1.0, 2.0]), "hop_s=0.0"),
        (lambda: plots.codes.code_grid(np.zeros((2, 4)), 75.0), "expected integers"),
        (lambda: plots.codes.code_grid(np.array([3]), 75.0), r"codes has shape \(1,\); expected 2"),
        (
            lambda: plots.codes.code_grid(np.array([[9]]), 75.0, ranks=np.zeros((1, 4), int)),
            r"codes \(1, 1\) reach code 9 but ranks have shape \(1, 4\)",
        ),
        (lambda: plots.codes.error_by_codebooks([1.0], [1, 2]), "error_db has length 1 but n_codebooks has length 2"),
        (lambda: plots.predictions.top_labels(["a"], [0.5, 0.5]), "labels has length 1 but probabilities has length 2"),
        (lambda: plots.predictions.top_labels(["a"], [1.5]), r"1\.5.*expected 0\.\.1"),
        (lambda: plots.predictions.frame_scores(np.zeros((2, 3)), 75.0, ["a"]), r"\(2, 3\).*expected \(T, 1\)"),
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
        (lambda: plots.frames.hidden_frames(np.zeros((3, 5)), HIDDEN, 75.0), "must"),
        (lambda: plots.frames.hidden_frames(np.zeros((3, 6)), HIDDEN, 0.0), "must"),
        (lambda: plots.frames.guesses(CODES, GUESSED[:1], CONFIDENCE, HIDDEN, 75.0), "must"),
        (lambda: plots.frames.guesses(CODES, GUESSED, CONFIDENCE + 1, HIDDEN, 75.0), "must"),
        (lambda: plots.frames.guesses(CODES, GUESSED, CONFIDENCE, HIDDEN[1:], 75.0), "must"),
        (lambda: plots.importance.over_time({}, 10.0, "x"), "empty"),
        (lambda: plots.importance.over_time({"a": [1.0, 2.0, 3.0], "b": [1.0]}, 10.0, "x"), "3"),
        (lambda: plots.importance.over_time({"a": [1.0, float("nan")]}, 10.0, "x"), "NaN"),
        (lambda: codebook.entry_map(ENTRIES[:4], [0.5, 0.5], np.ones(4, int), clip=[0, 4]), "codes range over 0..4"),
        (lambda: codebook.entry_map(ENTRIES[:4], [0.5, 0.5], np.ones(4, int), marked=4), "marked=4"),
        (lambda: codebook.usage(np.zeros((1, 4))), "at least one code in each row"),
        (lambda: codebook.perplexities([5.0], [3], 4), "exceed the codebook size 4"),
        (lambda: codebook.typical_entries(np.zeros((2, 4)), np.zeros((2, 4)), ["a"]), "z has length 2 but label_names"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(AudioformerError, match=message):
        draw()


def test_show_uses_the_renderer_of_the_environment(monkeypatch):
    shown = []
    monkeypatch.setattr(go.Figure, "show", lambda _, **options: shown.append(options))
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "png")
    plots.show(go.Figure())
    monkeypatch.delenv("AUDIOFORMER_RENDERER")
    plots.show(go.Figure())
    assert [options["renderer"] for options in shown] == ["png", None]
    assert shown[0]["config"]["showSendToCloud"] is False


def test_a_light_figure_can_be_read_in_a_dark_notebook(monkeypatch):
    monkeypatch.setattr(go.Figure, "show", lambda *_, **__: None)
    light, dark = (plots.predictions.top_labels(["dog"], [0.5], theme=theme) for theme in ("light", "dark"))
    for figure in (light, dark):
        plots.show(figure)
    assert light.layout.paper_bgcolor == "#ffffff"
    assert dark.layout.paper_bgcolor is None


@pytest.mark.parametrize(
    ("settings", "theme"),
    [
        ('{\n  // "theme": "JupyterLab Dark",\n  "theme": "JupyterLab Light"\n}', "light"),
        ('{\n    // Theme\n    "theme": "JupyterLab Dark"\n}', "dark"),
        ('{\n  "theme": "JupyterLab Dark High Contrast"\n}', "dark"),
        ('{\n  "theme": "JupyterLab Dark",\n  "adaptive-theme": true\n}', "light"),
        (None, "light"),
    ],
)
def test_a_figure_follows_the_theme_of_jupyterlab(settings, theme, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(go.Figure, "show", lambda figure, **_: shown.append(figure))
    monkeypatch.setattr(plots.theme, "renderer", lambda: "plotly_mimetype")
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    monkeypatch.setenv("JUPYTERLAB_SETTINGS_DIR", str(tmp_path))
    if settings:
        (tmp_path / "@jupyterlab" / "apputils-extension").mkdir(parents=True)
        file = tmp_path / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        file.write_text(settings, encoding="utf-8")
    assert plots.theme.notebook_theme() == theme
    hidden = np.array([[True, False, True], [False, True, True]])
    plots.show(plots.masking.hidden_codes(hidden, 75.0, ~hidden))
    asked = plots.masking.hidden_codes(hidden, 75.0, ~hidden, theme=theme)
    assert shown[0].layout.paper_bgcolor == plots.theme.GROUND[theme]
    assert shown[0].layout.template.layout.font.color == asked.layout.template.layout.font.color
    assert shown[0].layout.template.layout.colorway == asked.layout.template.layout.colorway
    assert shown[0].data[0].colorscale == asked.data[0].colorscale
    assert json.loads(shown[0].to_json())["data"] == json.loads(asked.to_json())["data"]


def test_predictions_of_people_stand_beside_the_truth_and_ears_beside_a_measure():
    figure = plots.predictions.against_truth(["a", "b"], [0.3, 0.9], [0.1, 0.05], [0.35, 0.2])
    inside, outside, diagonal = figure.data
    assert (list(inside.text), list(outside.text)) == (["a"], ["b"])
    assert list(diagonal.x) == list(diagonal.y) == [0, 1]
    heard = plots.predictions.by_ear(["1 row", "8 rows"], [8.0, 3.0], [6, 3], [6, 6], label="Difference (dB)")
    mark = heard.data[0]
    assert list(mark.y) == [1.0, 0.5]
    assert mark.y[0] - mark.error_y.arrayminus[0] == pytest.approx(0.61, abs=0.01)
    assert "guessing gives 50%" in heard.layout.meta["alt"]
    with pytest.raises(AudioformerError, match="must agree"):
        plots.predictions.by_ear(["1 row"], [8.0, 3.0], [6, 3], [6, 6], label="")
    with pytest.raises(AudioformerError, match="must agree"):
        plots.predictions.against_truth(["a"], [0.3, 0.9], [0.1, 0.05], [0.35, 0.2])


def test_show_explains_an_unknown_renderer(monkeypatch):
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "hologram")
    with pytest.raises(AudioformerError, match="unset AUDIOFORMER_RENDERER"):
        plots.show(go.Figure())


def test_plots_need_no_torch():
    code = "import sys, audioformer.plots; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_levels_of_a_training_run_stand_side_by_side():
    figure = plots.training.losses({"mlc": [2.0, 1.0]}, {"chance mlc": 1.61, "chance mpc": 3.14, "floor mpc": 0.69})
    assert [note.xanchor for note in figure.layout.annotations] == ["right", "center", "left"]


def test_numbers_under_an_axis_are_written_while_they_have_room():
    short, long = (plots.layers.by_layer({"a": [0.0] * n}, "Share") for n in (5, 40))
    assert (short.layout.xaxis.dtick, long.layout.xaxis.dtick) == (1, None)
