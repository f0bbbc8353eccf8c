"""Label tracks: planted scores give known times, and the files are those that Audacity and Raven read."""

import json

import numpy as np
import pytest
import soundfile
from app_weights import make_weights

from audioformer import load
from audioformer.cli import main
from audioformer.data.synth import synth_clip
from audioformer.errors import AudioformerError
from audioformer.explain.label_tracks import Moment, audacity, label_track, raven, stretches

RATE = 24_000


def test_planted_scores_give_the_planted_times():
    scores = np.full((100, 2), 0.1)
    scores[10:30, 0], scores[50:80, 1], scores[90:91, 0] = 0.9, 0.7, 0.99  # the last one is too short
    silent = np.zeros(100, bool)
    silent[70:] = True
    assert stretches(scores, 10.0, ["dog", "rain"], 0.5, silent) == [
        Moment(1.0, 3.0, "dog", 0.9),
        Moment(5.0, 7.0, "rain", 0.7),
    ]
    assert stretches(scores, 10.0, ["dog", "rain"], 0.8) == [Moment(1.0, 3.0, "dog", 0.9)]


def test_of_several_labels_at_once_each_has_its_own_moments():
    scores = np.full((20, 2), 0.6)
    scores[10:, 1] = 0.2
    both = [Moment(0.0, 1.0, "b", 0.6), Moment(0.0, 2.0, "a", 0.6)]
    assert stretches(scores, 10.0, ["a", "b"], multi_label=True) == sorted(both, key=lambda m: m.label)
    assert stretches(scores, 10.0, ["a", "b"]) == [Moment(0.0, 2.0, "a", 0.6)]


def test_the_files_have_the_columns_that_the_programs_ask_for():
    moments = [Moment(1.0, 2.5, "crying\tbaby", 0.75)]
    assert audacity(moments) == "1.000000\t2.500000\tcrying baby 0.75\n"
    head, row = raven(moments, "a b.wav", RATE).splitlines()
    assert head.split("\t")[:5] == ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"]
    assert row.split("\t") == [
        "1",
        "Spectrogram 1",
        "1",
        "1.000000",
        "2.500000",
        "0.0",
        "12000.0",
        "a b.wav",
        "1.000000",
        "crying baby",
        "0.7500",
    ]


def test_a_sound_planted_in_silence_is_found_where_it_is(tmp_path):
    """A computed baby from 6 to 9 s of 15 s of digital silence: nothing is said outside, and something of it inside."""
    sound = np.zeros(15 * RATE, np.float32)
    sound[6 * RATE : 9 * RATE] = synth_clip("crying_baby", 11, 3.0, RATE)
    soundfile.write(tmp_path / "scene.wav", sound, RATE)
    found = label_track(load("esc10"), tmp_path / "scene.wav", 0.3)
    assert found
    assert all(5.7 <= moment.start_s < moment.end_s <= 9.3 for moment in found)


@pytest.mark.parametrize("threshold", [0.0, 1.5, -1.0])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(AudioformerError, match="threshold="):
        label_track(None, "x.wav", threshold)


def test_the_command_writes_them(tmp_path, capsys):
    _, checkpoints, _ = make_weights(tmp_path / "weights")
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", 0.3 * np.sin(np.arange(2 * RATE) / 7), RATE)
    a, b = str(tmp_path / "a.wav"), str(tmp_path / "b.wav")
    known = ["--checkpoint", checkpoints[0], "--threshold", "0.05"]
    out = tmp_path / "a.txt"
    assert main(["classify", a, *known, "--labels", str(out), "--json"]) == 0
    (moment, *_) = json.loads(capsys.readouterr().out)[0]["moments"]
    start, end, label = out.read_text().splitlines()[0].split("\t")
    assert (float(start), float(end)) == (pytest.approx(moment["start_s"]), pytest.approx(moment["end_s"]))
    assert label.startswith(moment["label"])
    assert main(["classify", a, *known, "--labels", str(tmp_path / "a.selections.txt")]) == 0
    assert (tmp_path / "a.selections.txt").read_text().startswith("Selection\tView")
    assert main(["classify", a, b, *known, "--labels", str(tmp_path / "tracks")]) == 0
    assert sorted(path.name for path in (tmp_path / "tracks").iterdir()) == ["a.txt", "b.txt"]
    capsys.readouterr()
    assert main(["classify", a, b, *known, "--labels", str(tmp_path / "both.txt")]) == 2
    assert "need a folder" in capsys.readouterr().err
