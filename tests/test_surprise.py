"""Surprise beside counting: a trained model beats what it must, and silence does not count."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import CodedClip, codec_about, tiny_codec

from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.evaluation.counting import Counting
from audioformer.evaluation.surprise import silent_codes, surprise
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import TrainConfig, preset, pretrain_preset
from audioformer.train import train

SIZE = 16


def mirrored(seed: int) -> torch.Tensor:
    """(2, 48) codes: chance, then the same again; row 2 follows row 1. Neighbours alone do not tell the second half."""
    half = torch.randint(0, SIZE, (24,), generator=torch.Generator().manual_seed(seed))
    row = torch.cat([half, half])
    return torch.stack([row, (row + 1) % SIZE])


@pytest.mark.slow
def test_a_trained_model_beats_counting_and_counting_beats_a_fresh_model():
    clips = [mirrored(seed) for seed in range(4)]  # few: known by heart
    model = preset("test", codebook_size=SIZE, n_codebooks=2, rows="summed", dropout=0.0)
    config = replace(
        pretrain_preset("test"),
        model=model,
        mask=MaskConfig(span=2),
        train=TrainConfig(n_steps=600, batch_size=8, learning_rate=4e-3),
    )
    task = MaskedModelling(config, [CodedClip(codes) for codes in clips], codec_about())
    rulers = [Counting.of([codes[k] for codes in clips * 5], SIZE) for k in range(2)]
    fresh = surprise(task.model.eval(), clips, rulers, MaskConfig(span=2))
    list(train(task, config.train))
    trained = surprise(task.model.eval(), clips, rulers, MaskConfig(span=2))
    assert [(line["row"], line["name"]) for line in trained[:5]] == [
        (1, n) for n in ("model", "unigram", "repeat", "bigram", "both")
    ]
    for before, after in zip(fresh, trained, strict=True):
        if after["name"] != "model":
            assert before == after
            continue
        counted = [line["nats"] for line in trained if line["row"] == after["row"] and line["name"] != "model"]
        assert after["nats"] < min(counted)
        assert after["right"] > 0.5
        assert before["nats"] > min(counted)


def test_silence_does_not_count():
    codec = tiny_codec()
    silent = silent_codes(codec)
    assert silent.ndim == 1
    assert len(silent) >= 1
    shape = preset("test", codebook_size=SIZE, n_codebooks=2, rows="summed")
    recipe = replace(pretrain_preset("test"), model=shape)
    model = MaskedModelling(recipe, [CodedClip(mirrored(0))], codec_about(codec)).model.eval()
    rulers = [Counting.of([mirrored(0)[0], mirrored(1)[0]], SIZE)]
    codes = mirrored(5)
    all_lines, some = (surprise(model, [codes], rulers, MaskConfig(), silent=s) for s in (None, codes[0, :4]))
    assert some[0]["n"] < all_lines[0]["n"] == 12
    with pytest.raises(AudioformerError, match="no sounding frame"):
        surprise(model, [codes], rulers, MaskConfig(), silent=torch.arange(SIZE))
