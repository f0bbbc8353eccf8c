"""Adapting a frozen model: only what is named learns, the start is the model itself, checkpoints load as any other."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from tiny import codec_about, coded_clips, tiny_codec, tone
from torch.nn.utils import parametrize

import audioformer as af
from audioformer.adapt import adapt, counts, describe, merged_state, rebuild
from audioformer.checkpoint import load_checkpoint
from audioformer.classifier import Classifier
from audioformer.codecs.compact_files import save_compact
from audioformer.encodecmae.config import mae_preset
from audioformer.errors import AudioformerError
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.recipes import ADAPTATIONS, AdaptConfig, FinetuneConfig, TrainConfig, preset
from audioformer.start import load_start
from audioformer.tokens import collate
from audioformer.train import train

D, D_FF, LAYERS = 32, 64, 2  # of the preset "test"
SETTINGS = AdaptConfig(rank=2, width=4)


def model(rows: str = "summed") -> AudioFormer:
    torch.manual_seed(1)
    return AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows=rows))


def classifier(name: str, rows: str = "summed") -> Classifier:
    torch.manual_seed(2)
    made = Classifier.from_pretrained(model(rows), 2)
    adapt(made, replace(SETTINGS, name=name))
    return made.eval()


def recipe(name: str, n_steps: int = 4, **changes) -> FinetuneConfig:
    settings = TrainConfig(n_steps=n_steps, batch_size=8, learning_rate=1e-2, warm_up_share=0.1)
    return FinetuneConfig(replace(settings, **changes), crop_s=0.5, min_crop_s=0.5, adapt=replace(SETTINGS, name=name))


def task(config: FinetuneConfig, rows: str = "summed", about: dict | None = None) -> FineTuning:
    return FineTuning(config, model(rows), coded_clips(8), ["low", "high"], False, about or codec_about())


@pytest.fixture(scope="module")
def batch():
    return collate([clip.codes for clip in coded_clips(3)], 16)


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_the_start_is_the_model_itself(name, batch):
    plain, adapted = classifier("full"), classifier(name)
    torch.testing.assert_close(adapted(batch.tokens).logits, plain(batch.tokens).logits)


@pytest.mark.parametrize(
    ("name", "rows"), [*((name, "summed") for name in ADAPTATIONS), ("bias", "separate"), ("lora", "separate")]
)
def test_only_what_is_named_learns(name, rows):
    config = recipe(name)
    learner = task(config, rows)
    before = {key: value.clone() for key, value in learner.classifier.state_dict().items()}
    list(train(learner, config.train))
    moved = {key for key, value in learner.classifier.state_dict().items() if not torch.equal(value, before[key])}
    assert {"head.weight", "head.bias"} <= moved
    inside = {key.removeprefix("backbone.encoders.0.") for key in moved if not key.startswith("head.")}
    learns = {
        "linear": str.isspace,  # nothing
        "bias": lambda key: key.endswith("bias"),
        "adapter": lambda key: ".down." in key or ".up." in key,
        "lora": lambda key: key.endswith(("weight.0.down", "weight.0.up")),
        "full": lambda key: not key.startswith("backbone"),  # and never the rows that rest
    }[name]
    assert all(learns(key) for key in inside), inside
    assert bool(inside) == (name != "linear")


def test_the_numbers_that_learn_are_as_many_as_they_should_be():
    head, matrices = 2 * D + 2, [(3 * D, D), (D, D), (D_FF, D), (D, D_FF)]
    expected = {
        "linear": head,
        "adapter": head + LAYERS * 2 * (D * 4 + 4 + 4 * D + D),
        "lora": head + LAYERS * sum(2 * (n_out + n_in) for n_out, n_in in matrices),
        "bias": head + LAYERS * (sum(n_out for n_out, _ in matrices) + 2 * D) + D,
    }
    whole = counts(classifier("full"))
    assert whole["trainable"] == whole["parameters"] == sum(p.numel() for p in classifier("full").parameters())
    for name, n in expected.items():
        assert counts(classifier(name))["trainable"] == n, name
    assert counts(classifier("lora"))["parameters"] == whole["parameters"] + expected["lora"] - head


def test_low_rank_updates_are_the_formula():
    lora = classifier("lora")
    linear = lora.backbone.encoders[0].blocks[0].expand
    update, original = linear.parametrizations.weight[0], linear.parametrizations.weight.original
    with torch.no_grad():
        update.up.normal_()
    torch.testing.assert_close(linear.weight, original + 16.0 / 2 * update.up @ update.down)


def test_merged_and_unmerged_answer_alike(batch):
    lora = classifier("lora")
    with torch.no_grad():
        for module in lora.modules():
            if parametrize.is_parametrized(module, "weight"):
                module.parametrizations.weight[0].up.normal_(std=0.05)
    plain = classifier("full")
    before = copy.deepcopy(lora.state_dict())
    plain.load_state_dict(merged_state(lora, lora.state_dict()))
    torch.testing.assert_close(plain(batch.tokens).logits, lora(batch.tokens).logits, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain(batch.tokens).logits, classifier("full")(batch.tokens).logits, atol=1e-3)
    assert all(torch.equal(value, before[key]) for key, value in lora.state_dict().items())


@pytest.fixture
def about(tmp_path) -> dict:
    """A codec that a checkpoint finds again."""
    codec = tiny_codec()
    save_compact(codec, tmp_path / "codec")
    return codec_about(codec) | {"name": str(tmp_path / "codec")}


@pytest.mark.parametrize(("name", "average"), [("linear", 0.0), ("adapter", 0.0), ("lora", 0.0), ("lora", 0.5)])
def test_a_checkpoint_loads_as_any_other(name, average, tmp_path, about, batch):
    config = recipe(name, n_steps=3, average=average)
    learner = task(config, about=about)
    list(train(learner, config.train, tmp_path / "run"))
    opened = af.load(tmp_path / "run")
    tokens = batch.tokens
    if not average:
        torch.testing.assert_close(
            opened.classifier(tokens).logits, learner.eval().classifier(tokens).logits, atol=2e-3, rtol=2e-2
        )
    assert opened.classify(tone(440), sample_rate=24_000).labels[0] in ("low", "high")
    told = load_checkpoint(tmp_path / "run")[1]["adapt"]
    assert (told["name"], told["trainable"]) == (name, counts(learner.classifier)["trainable"])
    assert bool(told["encoders"]) == (name == "adapter")


@pytest.mark.parametrize("name", ADAPTATIONS)
def test_a_classifier_with_adapters_is_gone_on_from(name, tmp_path, about, batch):
    config = recipe("adapter", n_steps=2)
    list(train(task(config, about=about), config.train, tmp_path / "first"))
    start = load_start(tmp_path / "first", about)
    first = af.load(tmp_path / "first").classifier
    tokens = batch.tokens
    torch.testing.assert_close(start(tokens).hidden, first.backbone(tokens).hidden)
    config = recipe(name, n_steps=2)
    with pytest.raises(AudioformerError, match="adapters of width 4 already, asked for are 8: .*--set adapt.width=4"):
        adapt(first, AdaptConfig("adapter", width=8))
    if name != "adapter":  # the width is that of the adapters there are, whatever is set for others
        config = replace(config, adapt=replace(config.adapt, width=9))
    learner = FineTuning(config, start, coded_clips(8), ["low", "high"], False, about)
    embedding = learner.eval().classifier(tokens).embedding
    torch.testing.assert_close(embedding, first(tokens).embedding)
    list(train(learner, config.train, tmp_path / "second"))
    assert torch.equal(start(tokens).hidden, first.backbone(tokens).hidden)  # a copy has learned
    assert torch.allclose(learner.eval().classifier(tokens).embedding, embedding, atol=1e-6) == (name == "linear")
    opened = af.load(tmp_path / "second").classifier
    torch.testing.assert_close(opened(tokens).embedding, learner.classifier(tokens).embedding, atol=2e-3, rtol=2e-2)
    learned = {key.split(".")[-2] for key, p in learner.classifier.backbone.named_parameters() if p.requires_grad}
    assert learned == {"down", "up"} if name == "adapter" else learned != {"down", "up"}


def test_a_stopped_run_goes_on(tmp_path):
    config = recipe("lora", n_steps=4, save_every=1)
    first = train(task(config), config.train, tmp_path)
    next(first)
    next(first)
    first.close()
    resumed = task(config)
    list(train(resumed, config.train, tmp_path))
    straight = task(config)
    list(train(straight, config.train))
    for key, value in straight.classifier.state_dict().items():
        torch.testing.assert_close(resumed.classifier.state_dict()[key], value)


@pytest.mark.parametrize(("name", "shared"), [("bias", False), ("adapter", False), ("adapter", True), ("lora", True)])
def test_encodecmae_is_adapted_alike(name, shared):
    torch.manual_seed(0)
    made = Classifier(mae_preset("test", shared_ff=shared, frame_width=8), 2).eval()
    frames = torch.randn(2, 8, 20)
    before = made(frames).logits.detach()
    adapt(made, replace(SETTINGS, name=name))
    torch.testing.assert_close(made(frames).logits, before)
    made(frames).logits.sum().backward()
    assert {name for name, p in made.named_parameters() if p.grad is not None} == {
        n for n, p in made.named_parameters() if p.requires_grad
    }
    fresh = Classifier(mae_preset("test", shared_ff=shared, frame_width=8), 2).eval()
    rebuild(fresh, {"adapt": describe(made, replace(SETTINGS, name=name))})
    fresh.load_state_dict(merged_state(made, made.state_dict()))
    torch.testing.assert_close(fresh(frames).logits, before)


def test_a_frozen_backbone_stays_in_evaluation_mode():
    assert not task(recipe("linear")).train().classifier.backbone.training
    assert task(recipe("lora")).train().classifier.backbone.training
