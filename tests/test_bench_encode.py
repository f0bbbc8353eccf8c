"""Coding many clips: the codes of the package, in the order asked for, and arithmetic counted as it is done."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest
import torch
from tiny import RATE, tiny_codec, tone

from audioformer.cli import main
from audioformer.codecs.encode_many import encode_many
from audioformer.codecs.encodec import EncodecCodec
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.encode import gigaflops, identical, matrix_rate, random_model, sounds


def test_clips_of_all_lengths_come_back_in_order_with_their_own_codes():
    codec = tiny_codec()
    clips = [tone(200 + 100 * i, 0.2 + 0.1 * (i % 3), seed=i) for i in range(7)]
    together = encode_many(codec, clips, RATE, 2, batch_size=2)
    assert [codes.shape for codes in together] == [codec.encode(clip, RATE, 2)[0].shape for clip in clips]
    assert identical(together, [codec.encode(clip, RATE, 2)[0] for clip in clips]) > 0.999
    assert encode_many(codec, [], RATE) == []
    with pytest.raises(AudioformerError, match="n_codebooks=9"):
        encode_many(codec, clips, RATE, 9)


@pytest.fixture(scope="module")
def model():
    if find_spec("encodec") is None:
        pytest.skip('needs encodec: pip install "audioformer[encodec]"')
    return random_model()


def test_codes_together_are_those_of_the_package_clip_by_clip(model):
    model.set_target_bandwidth(6.0)
    clips = sounds(3, 0.5, 24_000)
    with torch.no_grad():
        expected = [model.encode(clip[None])[0][0][0] for clip in clips]
    found = encode_many(EncodecCodec(model, "encodec_24khz"), clips, 24_000, 8)
    assert identical(found, expected) == 1.0
    assert len(expected[0].unique()) > 20


def test_the_arithmetic_is_that_of_the_published_sizes(model):
    # convolutions 2.35, LSTM 4 x 2 x 2048 x 512 x 75 / 1e9 = 0.63, search 8 x 2 x 128 x 1024 x 75 / 1e9 = 0.16
    assert gigaflops(model, 8) == pytest.approx(2.35 + 0.63 + 0.16, rel=0.01)
    assert gigaflops(model, 8) - gigaflops(model, 1) == pytest.approx(7 * 2 * 128 * 1024 * 75 / 1e9)
    assert matrix_rate(64, 2) > 0


def test_on_the_command_line_it_prints_one_json_document(model, capsys):  # noqa: ARG001 - skips where encodec is missing
    assert main(["bench", "encode", "--clips", "2", "--seconds", "0.2", "--repeats", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["identical"] for row in rows[:2]] == [1.0, 1.0]
    assert rows[1]["ratio"] == pytest.approx(rows[1]["ours"] / rows[1]["peer"])
    assert rows[-1]["ours"] == pytest.approx(rows[-1]["gflops"] / rows[-1]["gflop_per_s_of_sound"])
