"""Predictions that are kept, held against the truth, handed in; and blind listening tests."""

import json

import pytest
import torch

from audioformer import plots, teaching
from audioformer.errors import AudioformerError
from audioformer.teaching import blind, predictions


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIOFORMER_RENDERER", raising=False)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "show", figures.append)
    return figures


def test_a_prediction_is_kept_and_shown_beside_the_truth(here, capsys):
    teaching.predict("06.row1", 0.3, within=0.05)
    teaching.reveal("06.row1", torch.tensor(0.34))
    teaching.predict("06.last_row", 0.5)
    teaching.reveal("06.last_row", 0.01)
    kept, beside, _, missed = capsys.readouterr().out.splitlines()
    assert kept == "✓ 06.row1: kept, 0.30, give or take 0.05"
    assert beside == "06.row1: you said 0.30, give or take 0.05; measured 0.340, inside your range"
    assert missed.endswith("measured 0.010, outside your range")
    assert json.loads((here / "my answers.json").read_text())["predictions"]["06.row1"] == {
        "share": 0.3,
        "within": 0.05,
        "truth": pytest.approx(0.34),
    }


def test_the_first_prediction_stays_when_the_truth_is_out_and_may_change_before(here, capsys):
    for share in (0.3, 0.4):
        teaching.predict("01.rate", share)
    teaching.reveal("01.rate", 0.0156)
    teaching.predict("01.rate", 0.0156, within=0.0)
    teaching.predict("01.rate", 0.4)  # the cell is run once more
    teaching.reveal("01.rate", 0.9)
    assert predictions.read(here / "my answers.json")["predictions"]["01.rate"] == {
        "share": 0.4,
        "within": 0.1,
        "truth": 0.0156,
    }
    assert "the truth is out, so your first prediction stays: 0.40" in capsys.readouterr().out


@pytest.mark.parametrize("share", [..., None])
def test_an_open_prediction_leaves_no_file_and_the_truth_is_told(share, here, capsys):
    teaching.predict("09.classic", share)
    teaching.reveal("09.classic", 0.9)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("… 09.classic: not yet")
    assert second == "09.classic: 0.900 is the share of the test clips that the classic method names rightly"
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("share", [30, -0.1, "a third", float("nan"), [0.3]])
def test_what_is_no_share_is_refused_with_an_example(share, here, capsys):
    teaching.predict("09.classic", share)
    assert capsys.readouterr().out.startswith("✗ 09.classic: ")
    teaching.predict("nothing", 0.3)
    assert "there is no prediction 'nothing'; there are 00.quiet" in capsys.readouterr().out
    with pytest.raises(AudioformerError, match="nothing"):
        teaching.reveal("nothing", 0.3)
    with pytest.raises(AudioformerError, match="share from 0 to 1"):
        teaching.reveal("09.classic", 30)
    assert list(here.iterdir()) == []


def test_calibration_counts_ranges_that_hold_the_truth(drawn, capsys):
    teaching.calibration()
    assert "no prediction has met its truth yet" in capsys.readouterr().out
    for number, name in enumerate(list(predictions.PREDICTIONS)[:10]):
        teaching.predict(name, 0.5, within=0.2)
        teaching.reveal(name, 0.6 if number < 3 else 0.9)
    capsys.readouterr()
    teaching.calibration()
    assert "3 of 10 ranges hold the truth: 30%, meant to be 80%: too narrow" in capsys.readouterr().out
    inside, outside, _ = drawn[0].data
    assert (len(inside.x), len(outside.x)) == (3, 7)
    assert "the ranges of 3 hold the truth" in drawn[0].layout.meta["alt"]


def test_a_room_is_pooled_from_files_without_names(here, drawn, capsys):
    with pytest.raises(AudioformerError, match="there are no answers yet"):
        teaching.hand_in()
    with pytest.raises(AudioformerError, match="learners make one with hand_in"):
        teaching.room(here / "handed in")
    for share, right in ((0.2, 3), (0.4, 2), (0.9, 1)):
        (here / "my answers.json").unlink(missing_ok=True)
        teaching.predict("13.torn", share)
        teaching.reveal("13.torn", 0.9)
        blind.result("01.rows", {"1 of 8 rows": [right, 3]}, {"1 of 8 rows": 8.0}, "Difference (dB)")
        teaching.hand_in()
    drawn.clear()
    capsys.readouterr()
    teaching.room("handed in")
    printed = capsys.readouterr().out
    assert printed.startswith("3 people\n")
    assert "3 predictions; half of the room between 0.30 and 0.65, middle 0.40, truth 0.90" in printed
    assert "01.rows 1 of 8 rows: 6 of 9 right, 0.67" in printed
    assert len(drawn[0].data[0].x) + len(drawn[0].data[1].x) == 3


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"predictions": {}}', '{"predictions": {"x": {"share": 0, "within": 0}}, "ears": {}}']
    + ['{"predictions": {}, "ears": {"01.rows": {"1": [4, 3]}}}', '{"predictions": {"06.row1": 3}, "ears": {}}'],
)
def test_another_file_is_named_and_left_alone(content, here):
    (here / "my answers.json").write_text(content)
    with pytest.raises(AudioformerError, match=r"my answers\.json: is no file of answers"):
        teaching.predict("06.row1", 0.3)
    assert (here / "my answers.json").read_text() == content


def test_rounds_are_balanced_by_version_and_drawn_blindly():
    rounds = blind.Rounds(["a", "b"], n_each=50, seed=1)
    names = [name for name, _ in rounds.left]
    assert (names.count("a"), names.count("b")) == (50, 50)
    assert 30 < sum(x_is_a for _, x_is_a in rounds.left) < 70
    for _, truth in list(rounds.left):
        rounds.answer(truth)
    assert rounds.tally == {"a": [50, 50], "b": [50, 50]}
    assert rounds.left == []


def form(displayed):
    players, buttons, _ = displayed[0].children
    return players, buttons.children


def test_a_listener_who_hears_everything_is_told_so_and_the_answers_add_up(here, drawn, capsys, monkeypatch):
    display = pytest.importorskip("IPython.display", reason='needs ipython: pip install "audioformer[notebooks]"')
    tone = torch.sin(torch.arange(2400) / 5)
    versions, measure = {"loud": tone, "half": tone / 2}, {"loud": 0.5, "half": 6.0}
    for _ in range(2):
        displayed = []
        monkeypatch.setattr(display, "display", displayed.append)
        teaching.ears("01.rows", tone / 3, versions, measure, 24_000, n_each=4)
        players, (is_a, is_b) = form(displayed)
        assert "Round 1 of 8" in players.value
        for _ in range(8):
            a, _, x = [part.split('"')[1] for part in players.value.split("<audio")[1:]]
            (is_a if x == a else is_b).click()
        assert is_a.disabled
        assert is_b.disabled
    assert predictions.read(here / "my answers.json")["ears"] == {"01.rows": {"loud": [8, 8], "half": [8, 8]}}
    assert capsys.readouterr().out.count("you hear it") == 4
    assert list(drawn[-1].data[0].x) == [0.5, 6.0]


def test_a_page_to_read_has_no_listening_test_and_wrong_versions_are_refused(monkeypatch, capsys):
    monkeypatch.setenv("AUDIOFORMER_RENDERER", "png")
    teaching.ears("01.rows", torch.ones(2400), {"a": torch.ones(2400)}, {"a": 1.0}, 24_000)
    assert "(a listening test in the notebook)" in capsys.readouterr().out
    with pytest.raises(AudioformerError, match="have a measure each"):
        teaching.ears("01.rows", torch.ones(2400), {"a": torch.ones(2400)}, {"b": 1.0}, 24_000)
    with pytest.raises(AudioformerError, match="must be one of 01.rows"):
        teaching.ears("nothing", torch.ones(2400), {}, {}, 24_000)
