"""Configurations: presets, checks, round trip through a dict."""

import json

import pytest

from audioformer.checkpoint import bundled_names, load_checkpoint
from audioformer.cli.settings import override
from audioformer.config import EncoderConfig, MaskConfig
from audioformer.encodecmae.pretrain import MAE_RECIPES
from audioformer.errors import AudioformerError
from audioformer.recipes import FINETUNE_PRESETS, MODEL_PRESETS, PRETRAIN_PRESETS, FinetuneConfig, TrainConfig, preset


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layer": 3}, "n_layers"),
        ({"d_model": 30, "n_heads": 4}, "multiple of 2 \\* n_heads = 8"),
        ({"d_model": 0}, "d_model=0"),
        ({"n_layers": 2.5}, "n_layers=2.5"),
        ({"n_heads": True}, "n_heads=True"),
        ({"dropout": 1.5}, "dropout=1.5"),
        ({"norm": "middle"}, "norm='middle'.*post, pre"),
        ({"rows": "joined"}, "separate, shared, summed"),
        ({"max_positions": 2}, "max_positions=2"),
        ({"rotary_value": "yes"}, "rotary_value='yes'"),
    ],
)
def test_encoder_config_refuses(changes, message):
    with pytest.raises(AudioformerError, match=message):
        preset("test", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_ratio": 0.0}, "between 0 and 1"),
        ({"mask_ratio": 1.0}, "between 0 and 1"),
        ({"mask_ratio": "half"}, "mask_ratio='half'"),
        ({"span": 0}, "span=0"),
        ({"replace_mask": 0.8}, "= 0.8 must be 1"),
        ({"replace_random": -0.1}, "replace_random=-0.1"),
        ({"spam": 3}, "no 'spam'; nearest: span"),
    ],
)
def test_mask_config_refuses(changes, message):
    with pytest.raises(AudioformerError, match=message):
        MaskConfig.from_dict(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.seed=-1", "seed=-1 must be a whole number from 0 to"),
        ("train.seed=99999999999", "seed=99999999999 must be"),
        ("train.clip_norm=0", "clip_norm=0.0 must be above 0; try 1"),
        ("train.clip_norm=nan", "clip_norm=nan"),
        ("train.head_factor=-1", "head_factor=-1.0 must be above 0"),
        ("train.validate_every=-1", "validate_every=-1 must be a whole"),
        ("train.patience=-2", "patience=-2 must be a whole"),
        ("train.keep_every=-1", "keep_every=-1 must be a whole"),
        ("min_crop_s=0", "min_crop_s=0.0 must be at least 0.1 seconds"),
        ("crop_s=inf", "crop_s=inf must be"),
        ("crop_s=nan", "crop_s=nan"),
    ],
)
@pytest.mark.parametrize("recipe", [FINETUNE_PRESETS["test"], PRETRAIN_PRESETS["test"], MAE_RECIPES["test"]])
def test_recipes_refuse_what_would_fail_on_the_way(recipe, change, message):
    with pytest.raises(AudioformerError, match=message):
        override(recipe, [change])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["label_smoothing=2"], r"label_smoothing=2.0 must lie in \[0, 1\)"),
        (["label_smoothing=-0.1"], "label_smoothing=-0.1"),
        (["temperature=0"], "temperature=0.0 must be above 0"),
        (["token_span=0"], "token_span=0 must be a whole"),
        (["method=ft2", "frame_head=true"], "ft2 weighs two losses"),
    ],
)
def test_fine_tuning_refuses_what_would_fail_on_the_way(changes, message):
    with pytest.raises(AudioformerError, match=message):
        override(FINETUNE_PRESETS["test"], changes)


def test_recipes_of_what_ships_are_within_the_limits():
    for name in bundled_names():
        recipe = load_checkpoint(name)[1].get("recipe", {})
        TrainConfig.from_dict(recipe.get("train", {}))
        told = {
            key: recipe[key]
            for key in ("crop_s", "min_crop_s", "temperature", "label_smoothing", "method")
            if key in recipe
        }
        made = FinetuneConfig(TrainConfig(), **told)
        assert made.min_crop_s <= made.crop_s


def test_unknown_preset_names_the_nearest():
    with pytest.raises(AudioformerError, match="'smal'.*small"):
        preset("smal")


def test_from_dict_wants_a_dict():
    with pytest.raises(AudioformerError, match="not a list"):
        MaskConfig.from_dict([0.25])
