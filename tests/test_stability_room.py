"""Small changes, in Listen, without a browser."""

import numpy as np
import pytest
import torch

from audioformer.audio import save_audio
from audioformer.errors import AudioformerError
from audioformer.explain.stability import CHANGES, Change, stability
from audioformer_app import analysis
from audioformer_app.rooms import stability as room


def test_the_table_is_the_librarys(glide, offered):
    reply = room.look(glide, {}, offered)
    found = stability(offered.codec("small"), glide.samples, 24_000)
    np.testing.assert_allclose([row["stay"] for row in reply["changes"]], found.stay, atol=1e-4)
    assert reply["counted"] == 1
    names = [row["name"] for row in reply["changes"]]
    assert names[0] == "1 sample later, 0.042 ms"
    assert names[-3:] == ["320 samples later: one whole frame", "3 dB louder", "noise, 30 dB below it"]


def test_what_is_heard_is_what_is_drawn(glide, offered):
    number = CHANGES.index(Change("moved", 160))
    reply = room.hear(glide, {"change": number}, offered)
    changed = stability(offered.codec("small"), glide.samples, 24_000, [CHANGES[number]]).changed[0]
    drawn = np.array(reply["lanes"]["codes"]["codes"])
    there = changed.numpy() >= 0
    np.testing.assert_array_equal(drawn[there], changed.numpy()[there])
    np.testing.assert_array_equal(drawn[~there], glide.codes[~there])
    label = reply["label"]
    p = offered.classifier("animals").classify_codes(torch.from_numpy(drawn)).probabilities
    assert label["probability"] == pytest.approx(float(p.max()), abs=1e-6)
    for wrong in (-1, 99, None, "1"):
        with pytest.raises(AudioformerError):
            room.hear(glide, {"change": wrong}, offered)


def test_silence_has_no_shares(offered, tmp_path):
    save_audio(tmp_path / "silence.wav", torch.zeros(1, 24_000), 24_000)
    silent = analysis.analyse(analysis.open_clip(tmp_path / "silence.wav"), -1, "small", "animals", offered)
    assert room.look(silent, {}, offered)["changes"][0]["stay"] == [None] * 3
