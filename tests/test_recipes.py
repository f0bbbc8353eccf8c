"""The authors' recipes on tiny made-up copies of the published layouts: what is chosen is chosen on validation clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_datasets import audioset, fsd50k, sound
from tiny import tiny_codec

from audioformer.config import preset
from audioformer.corpus import Corpus, prepare
from audioformer.datasets import open_dataset
from audioformer.finetune import FineTuning, finetune_preset
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling, pretrain_preset
from audioformer.train import train


def audioset_whole(root):
    """With the video that is gone in the other tests: its checksum makes it a validation clip."""
    sound(root / "audio" / "bal_train" / "_gone_video.wav")
    return audioset(root)


RECIPES = {"paper-as20k": ("audioset", audioset_whole, {"validation_share": 0.5}), "paper-fsd50k": ("fsd50k", fsd50k, {})}


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request, tmp_path_factory):
    """Name of the recipe and the corpus of its data set."""
    layout, make, options = RECIPES[request.param]
    root = tmp_path_factory.mktemp(layout)
    list(prepare(open_dataset(layout, make(root), **options), tiny_codec(), root / "corpus"))
    return request.param, Corpus.open(root / "corpus")


def test_recipes_are_those_of_the_authors(recipe):
    config = finetune_preset(recipe[0])
    assert (config.crop_s, config.train.learning_rate, config.train.batch_size, config.train.patience) == (10.0, 1e-4, 16, 3)
    assert config.train.schedule == "constant"
    assert config.token_mask == (0.1 if recipe[0] == "paper-fsd50k" else 0.0)
    paper = pretrain_preset("paper")
    assert (paper.crop_s, paper.mask.mask_ratio, paper.train.batch_size, paper.train.learning_rate) == (10.0, 0.25, 66, 1e-4)


@pytest.mark.parametrize("method", ["ft1", "ft2"])
def test_a_recipe_runs_on_its_layout_and_never_sees_the_evaluation_set(recipe, method):
    name, corpus = recipe
    parts = {split: corpus.select(split=split) for split in ("train", "val", "test")}
    ids = {split: set(part.column("id").tolist()) for split, part in parts.items()}
    assert not ids["train"] & ids["val"]
    assert not (ids["train"] | ids["val"]) & ids["test"]
    config = finetune_preset(name)
    config = replace(config, method=method, train=replace(config.train, n_steps=4, batch_size=2, validate_every=2))
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3))
    task = FineTuning(config, model, parts["train"], corpus.label_names, corpus.multi_label, corpus.codec, held_out=parts["val"])
    seen = {item.id for step in range(4) for item in task.sampler.draw(step)[0]}
    assert seen <= ids["train"]
    records = list(train(task, config.train))
    assert [record.step for record in records if record.validation] == [2, 4]
    assert 0 <= records[-1].validation["mAP"] <= 1
    assert {"mAP", "mAUC", "d_prime"} <= set(task.measure(parts["test"]))


def test_pretraining_runs_on_both_layouts_together_with_evaluation_sound_left_out(recipe):
    _, corpus = recipe
    paper = pretrain_preset("paper")
    config = replace(
        paper, model=preset("test", codebook_size=16, n_codebooks=2),
        train=replace(paper.train, n_steps=2, batch_size=2, bf16=False),
    )  # fmt: skip
    task = MaskedModelling(config, corpus.select(split=["train", "val"]), corpus.codec, rows=[0])
    assert [record.step for record in train(task, config.train)] == [1, 2]
    assert "test" not in {item.split for item in task.sampler.clips}
