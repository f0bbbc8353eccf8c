"""The benchmark of coding: the codes of the package, one by one and together, and arithmetic counted as it is done."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from audioformer.cli import main
from audioformer.evaluation.benches.encode import gigaflops, matrix_rate, random_model


@pytest.fixture(scope="module")
def model():
    if find_spec("encodec") is None:
        pytest.skip('needs encodec: pip install "audioformer[encodec]"')
    return random_model()


def test_the_arithmetic_is_that_of_the_published_sizes(model):
    # convolutions 2.35, LSTM 4 x 2 x 2048 x 512 x 75 / 1e9 = 0.63, search 8 x 2 x 128 x 1024 x 75 / 1e9 = 0.16
    model.set_target_bandwidth(6.0)
    assert gigaflops(model) == pytest.approx(2.35 + 0.63 + 0.16, rel=0.01)
    assert matrix_rate(64, 2) > 0


@pytest.mark.usefixtures("model")  # skips where encodec is missing
def test_on_the_command_line_it_prints_one_json_document(capsys):
    assert main(["bench", "encode", "--clips", "2", "--seconds", "1.1", "--repeats", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["identical"] for row in rows[:2]] == [1.0, 1.0]
    assert rows[1]["ratio"] == pytest.approx(rows[1]["ours"] / rows[1]["peer"])
    assert rows[-1]["ours"] == pytest.approx(rows[-1]["gflops"] / rows[-1]["gflop_per_s_of_sound"])
