"""Configurations: presets, checks, round trip through a dict."""

import json
from dataclasses import fields, replace

import pytest

from audioformer.checkpoint import bundled_names, load_checkpoint
from audioformer.config import EncoderConfig, MaskConfig
from audioformer.encodecmae.pretrain import mae_recipe
from audioformer.errors import AudioformerError
from audioformer.recipes import (
    MODEL_PRESETS,
    AdaptConfig,
    FinetuneConfig,
    TrainConfig,
    finetune_preset,
    preset,
    pretrain_preset,
)


@pytest.mark.parametrize("name", list(MODEL_PRESETS))
def test_preset_survives_json(name):
    config = preset(name, rows="summed", n_codebooks=8)
    assert EncoderConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.rows == "summed"
    assert preset(name) == MODEL_PRESETS[name]


def test_defaults_are_the_authors():
    assert EncoderConfig().rows == "separate"
    assert EncoderConfig().norm == "post"
    assert not EncoderConfig().rotary_value
    assert MaskConfig() == MaskConfig(mask_ratio=0.25, span=1, replace_mask=1.0, replace_random=0.0, replace_keep=0.0)
    paper = preset("paper")
    sizes = (paper.d_model, paper.n_layers, paper.n_heads, paper.d_ff, paper.max_positions, paper.dropout)
    assert sizes == (768, 12, 12, 3072, 1536, 0.1)


def test_derived_sizes():
    config = EncoderConfig(codebook_size=1024, d_model=256, n_heads=4)
    assert config.vocabulary_size == 1028
    assert config.head_dim == 64


REFUSED = [
    (EncoderConfig, {"n_layer": 3}, "no 'n_layer'; nearest: n_layers"),
    (EncoderConfig, {"d_model": 30, "n_heads": 4}, r"multiple of 2 \* n_heads = 8"),
    (EncoderConfig, {"d_model": 0}, "d_model=0"),
    (EncoderConfig, {"n_layers": 2.5}, "n_layers=2.5"),
    (EncoderConfig, {"n_heads": True}, "n_heads=True"),
    (EncoderConfig, {"dropout": 1.5}, "dropout=1.5"),
    (EncoderConfig, {"norm": "middle"}, "norm='middle'.*post, pre"),
    (EncoderConfig, {"rows": "joined"}, "separate, shared, summed"),
    (EncoderConfig, {"max_positions": 2}, "max_positions=2"),
    (EncoderConfig, {"rotary_value": "yes"}, "rotary_value='yes'"),
    *((EncoderConfig, {"subsampling": n}, "subsampling=.* must be one of 1, 2, 4") for n in (0, 3, "4", 4.0)),
    (MaskConfig, {"mask_ratio": 0.0}, "between 0 and 1"),
    (MaskConfig, {"mask_ratio": 1.0}, "between 0 and 1"),
    (MaskConfig, {"mask_ratio": "half"}, "mask_ratio='half'"),
    (MaskConfig, {"span": 0}, "span=0"),
    (MaskConfig, {"replace_mask": 0.8}, "= 0.8 must be 1"),
    (MaskConfig, {"replace_random": -0.1}, "replace_random=-0.1"),
    (TrainConfig, {"n_steps": 0}, "n_steps=0 must be a whole number"),
    (TrainConfig, {"batch_size": 3, "accumulate": 2}, "batch_size=3 must be a multiple of accumulate=2"),
    (TrainConfig, {"schedule": "step"}, "schedule='step' must be cosine or constant"),
    (TrainConfig, {"learning_rate": 0}, "learning_rate=0"),
    (TrainConfig, {"average": 1.5}, "average=1.5"),
    (TrainConfig, {"seed": -1}, "seed=-1 must be a whole number from 0 to"),
    (TrainConfig, {"seed": 99999999999}, "seed=99999999999 must be"),
    (TrainConfig, {"clip_norm": 0.0}, "clip_norm=0.0 must be above 0; try 1"),
    (TrainConfig, {"clip_norm": float("nan")}, "clip_norm=nan"),
    (TrainConfig, {"head_factor": -1.0}, "head_factor=-1.0 must be above 0"),
    (TrainConfig, {"validate_every": -1}, "validate_every=-1 must be a whole"),
    (TrainConfig, {"patience": -2}, "patience=-2 must be a whole"),
    (TrainConfig, {"keep_every": -1}, "keep_every=-1 must be a whole"),
    (AdaptConfig, {"name": "lorra"}, "nearest: lora"),
    (AdaptConfig, {"rank": 0}, "rank=0"),
    (AdaptConfig, {"scale": 0.0}, "scale=0"),
    *(
        (recipe, {"crop_s": value} | change, message)
        for recipe in (finetune_preset("test"), pretrain_preset("test"), mae_recipe("test"))
        for value, change, message in [
            (5.0, {"min_crop_s": 0.0}, "min_crop_s=0.0 must be at least 0.1 seconds"),
            (float("inf"), {}, "crop_s=inf must be"),
            (float("nan"), {}, "crop_s=nan"),
        ]
    ),
    *(
        (finetune_preset("test"), change, message)
        for change, message in [
            ({"method": "ft3"}, "no 'ft3'; nearest: ft1|ft2"),
            ({"alpha": 1.5}, "alpha=1.5"),
            ({"token_mask": 1.0}, "token_mask=1.0"),
            ({"token_span": 0}, "token_span=0 must be a whole"),
            ({"row_dropout": 2}, "row_dropout=2"),
            ({"time_bins": 0}, "time_bins=0"),
            ({"label_smoothing": 2.0}, r"label_smoothing=2.0 must lie in \[0, 1\)"),
            ({"label_smoothing": -0.1}, "label_smoothing=-0.1"),
            ({"temperature": 0.0}, "temperature=0.0 must be above 0"),
            ({"method": "probe", "time_bins": 4}, "a probe reads one vector a clip"),
            ({"method": "ft2", "frame_head": True}, "ft2 weighs two losses"),
        ]
    ),
    (mae_recipe("test"), {"mask_ratio": 1.0}, "mask_ratio"),
    (mae_recipe("test"), {"gap": 0}, "gap"),
    (mae_recipe("test"), {"masked_share": 1.5}, "masked_share"),
]


@pytest.mark.parametrize(("config", "changes", "message"), REFUSED)
def test_settings_that_cannot_work_are_refused_with_their_value(config, changes, message):
    least = {"n_steps": 4} if config is TrainConfig else {}
    with pytest.raises(AudioformerError, match=message):
        config.from_dict(least | changes) if isinstance(config, type) else replace(config, **changes)


def test_recipes_of_what_ships_are_within_the_limits():
    names = {field.name for field in fields(FinetuneConfig)} - {"train", "adapt"}
    for name in bundled_names():
        recipe = load_checkpoint(name)[1].get("recipe", {})
        TrainConfig.from_dict(recipe.get("train", {}))
        made = FinetuneConfig(TrainConfig(), **{key: recipe[key] for key in names & set(recipe)})
        assert made.min_crop_s <= made.crop_s


@pytest.mark.parametrize("names", [preset, pretrain_preset, finetune_preset, mae_recipe])
def test_an_unknown_preset_names_the_nearest(names):
    with pytest.raises(AudioformerError, match="no 'tesst'; nearest: test"):
        names("tesst")


def test_from_dict_wants_a_dict():
    with pytest.raises(AudioformerError, match="not a list"):
        MaskConfig.from_dict([0.25])
