"""The listening log of a codec in training: sounds, ladder and page are those of the codec as it was."""

from __future__ import annotations

import json
import re

import pytest
import torch
from tiny import RATE, tiny_codec, tone, tone_folder

from audioformer.audio import load_audio, save_audio
from audioformer.cli import main
from audioformer.codecs.distances import mel_distance
from audioformer.errors import AudioformerError
from audioformer.evaluation.listening_log import ListeningLog
from audioformer.plots.ladder import ladder, loss_terms


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    root = tmp_path_factory.mktemp("held-out")
    for name, hz in (("low & slow", 200), ("high", 2_000)):
        save_audio(root / f"{name}.wav", tone(hz, 0.4), RATE)
    return sorted(root.iterdir())


@pytest.fixture(scope="module")
def visited(files, tmp_path_factory):
    """A log after three visits, the last one again at the step of the second, and what it returned."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "log.jsonl").write_text('{"step": 5, "losses": {"total": 2.0, "mel": 1.5}}\n')
    log = ListeningLog(folder, files)
    log.add(tiny_codec(seed=1), 10)
    log.add(tiny_codec(seed=1), 20)
    return folder, log.add(tiny_codec(), 20)


def test_the_ladder_is_the_mean_distance_with_each_number_of_codebooks(visited, files):
    codec, (folder, metrics) = tiny_codec(), visited
    for k in (1, 3):
        distances = []
        for path in files:
            original = load_audio(path).samples
            decoded = codec.decode(codec.encode(original, RATE, k), original.shape[1])[0]
            distances.append(float(mel_distance(decoded, original, RATE)))
        assert metrics[f"mel_{k}"] == pytest.approx(sum(distances) / 2, abs=1e-3)
    visits = [json.loads(line) for line in (folder / "listen" / "ladder.jsonl").read_text().splitlines()]
    assert [visit["step"] for visit in visits] == [10, 20]  # a visit of a resumed run replaces that of the first
    assert visits[-1]["mel"] == list(metrics.values())


def test_the_sounds_are_those_of_the_last_visit(visited, files):
    codec, (folder, _) = tiny_codec(), visited
    for path in files:
        original = load_audio(path).samples
        for k, title in ((1, "1-codebook"), (2, "2-codebooks"), (3, "3-codebooks")):
            heard = load_audio(folder / "listen" / f"{path.stem}-{title}.flac")
            expected = codec.decode(codec.encode(original, RATE, k), original.shape[1])[0].clamp(-1, 1)
            assert torch.allclose(heard.samples, expected, atol=1e-3)
        assert torch.allclose(load_audio(folder / "listen" / f"{path.stem}-original.flac").samples, original, atol=1e-3)


def test_the_page_holds_all_sounds_and_pictures_and_needs_nothing_else(visited):
    page = (visited[0] / "listen" / "index.html").read_text()
    body = page[page.rindex("<h1>") :]
    assert body.count("data:audio/flac;base64,") == 2 * 4
    assert body.count('role="img"') == 2 + 2 * 4
    assert "low &amp; slow" in body
    assert not re.search(r'(src|href)="(?!data:)', body)
    assert "Plotly.newPlot" in body


def test_no_files_or_one_name_twice_is_refused(files, tmp_path):
    with pytest.raises(AudioformerError, match="give at least one"):
        ListeningLog(tmp_path, [])
    with pytest.raises(AudioformerError, match="no name twice"):
        ListeningLog(tmp_path, [files[0], files[0]])


def test_train_codec_can_be_heard(files, tmp_path, capsys):
    words = ["train-codec", str(tone_folder(tmp_path / "data")), "-o", str(tmp_path / "run"), "--preset", "test"]
    assert main([*words, "--listen", str(files[0]), "--listen-every", "4"]) == 0
    capsys.readouterr()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {entry["step"]: list(entry["validation"]) for entry in log if entry["validation"]} == {
        4: ["mel_1", "mel_2", "mel_3"],
        6: ["mel_1", "mel_2", "mel_3"],
    }
    assert "high, 2 codebooks" in (tmp_path / "run" / "listen" / "index.html").read_text()


def test_the_ladder_figure_draws_the_first_and_the_last_moment():
    figure = ladder([[1.0, 0.5 / step] for step in range(1, 11)], range(100, 1_100, 100), "Distance", max_lines=4)
    assert len(figure.data) == 4
    assert (figure.data[0].name, figure.data[-1].name) == ("step 100", "step 1000")
    assert list(figure.data[-1].y) == [1.0, 0.05]
    assert figure.data[-1].line.width > figure.data[0].line.width
    assert "0.050 with 2" in figure.layout.meta["alt"]
    with pytest.raises(AudioformerError, match="must agree"):
        ladder([[1.0, 0.5]], [1, 2], "Distance")


def test_loss_terms_have_a_line_each_from_where_they_begin():
    figure = loss_terms([1, 2], {"mel": [2.0, 1.0], "feature": [float("nan"), 0.5]})
    assert [trace.name for trace in figure.data] == ["mel", "feature"]
    assert list(figure.data[0].y) == [2.0, 1.0]
    assert "feature 0.500" in figure.layout.meta["alt"]
