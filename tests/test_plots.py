"""Figures: the right numbers on axes with units, alternative text, honest colours, and clear refusals."""

import json
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import plotly.io
import pytest

from audioformer import plots
from audioformer.codecs.spectra import mel_filters
from audioformer.errors import AudioformerError

RATE_HZ = 24_000


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def figures(rng):
    """One of each, from a clip of two seconds."""
    band_hz = np.linspace(50, 11_000, 20)
    codes = rng.integers(0, 16, (4, 150))
    return {
        "waveform": plots.audio.waveform(rng.uniform(-1, 1, 48_000), RATE_HZ),
        "log_mel": plots.audio.log_mel(rng.normal(size=(20, 151)), 320 / RATE_HZ, band_hz),
        "code_grid": plots.codes.code_grid(codes, 75.0),
        "error": plots.codes.error_by_codebooks([-3.0, -6.0], [1, 2]),
        "top_labels": plots.predictions.top_labels(["dog", "rain"], [0.8, 0.2], chance=0.1),
        "scores": plots.predictions.frame_scores(rng.uniform(size=(150, 3)), 75.0, ["a", "b", "c"]),
    }


@pytest.mark.parametrize("name", ["waveform", "log_mel", "code_grid", "error", "top_labels", "scores"])
def test_every_figure_has_axis_titles_hover_and_alternative_text(figures, name):
    figure = figures[name]
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.title.text
    assert figure.layout.meta["alt"].endswith(".")
    assert len(figure.layout.meta["alt"]) > 30
    assert all(trace.hovertemplate for trace in figure.data)
    assert json.loads(figure.to_json())["data"]


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("waveform", "Time (s)", "Amplitude (1 = full scale)"),
        ("log_mel", "Time (s)", "Frequency (Hz, mel scale)"),
        ("code_grid", "Time (s)", "Codebook (row)"),
        ("error", "Codebooks used", "Error (dB)"),
        ("top_labels", "Probability (0 to 1)", "Label"),
    ],
)
def test_axes_name_quantity_and_unit(figures, name, x, y):
    assert (figures[name].layout.xaxis.title.text, figures[name].layout.yaxis.title.text) == (x, y)


def test_nothing_is_registered_globally(figures):
    assert figures
    assert not [name for name in plotly.io.templates if "audioformer" in name]


def test_dark_theme_differs_only_in_its_template(rng):
    samples = rng.uniform(-1, 1, 1000)
    light, dark = (plots.audio.waveform(samples, RATE_HZ, theme=theme) for theme in ("light", "dark"))
    assert light.layout.template != dark.layout.template
    dark.layout.template = light.layout.template
    assert light == dark


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


def test_frame_scores_average_neighbours_of_a_long_clip():
    scores = np.stack([np.arange(10) / 10, np.full(10, 0.2)], 1)
    figure = plots.predictions.frame_scores(scores, 10.0, ["up", "flat"], top_k=1, max_points=5)
    assert [trace.name for trace in figure.data] == ["up"]
    np.testing.assert_allclose(figure.data[0].x, [0.1, 0.3, 0.5, 0.7, 0.9], rtol=1e-6)
    np.testing.assert_allclose(figure.data[0].y, [0.05, 0.25, 0.45, 0.65, 0.85], rtol=1e-6)


def test_stack_shares_one_time_axis_and_joins_the_sentences(figures):
    names = ["waveform", "log_mel", "code_grid", "scores"]
    lanes = [plots.timeline.Lane(name, figures[name]) for name in names]
    whole = plots.timeline.stack(lanes, 2.0)
    axes = [whole.layout[name] for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4")]
    assert all(tuple(axis.range) == (0, 2.0) for axis in axes)
    assert len({axis.matches or "x4" for axis in axes}) == 1
    assert [axis.title.text for axis in axes] == [None, None, None, "Time (s)"]
    assert whole.layout.yaxis2.type == "category"
    assert whole.layout.yaxis3.autorange == "reversed"
    assert whole.layout.meta["lanes"] == names
    for name in names:
        assert figures[name].layout.meta["alt"] in whole.layout.meta["alt"]


def test_stack_refuses_a_figure_without_time_axis(figures):
    with pytest.raises(AudioformerError, match="'bars' has x axis 'Probability"):
        plots.timeline.stack([plots.timeline.Lane("bars", figures["top_labels"])], 2.0)
    with pytest.raises(AudioformerError, match="0 lanes"):
        plots.timeline.stack([], 2.0)


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
    ],
)
def test_mismatches_are_refused_with_both_shapes(draw, message):
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
