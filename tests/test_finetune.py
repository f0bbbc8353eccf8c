"""Fine-tuning: each method learns a tiny labelled set, and what shall not move does not move."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CodedClip, codec_about, coded_clips

from audioformer.checkpoint import load_checkpoint
from audioformer.classifier import Classifier
from audioformer.errors import AudioformerError
from audioformer.finetune import FineTuning
from audioformer.losses import mpc_chance
from audioformer.model import AudioFormer
from audioformer.recipes import FINETUNE_PRESETS, METHODS, FinetuneConfig, TrainConfig, finetune_preset, preset
from audioformer.train import train

NAMES = ["low", "high"]


def recipe(method: str = "ft1", n_steps: int = 40, **changes) -> FinetuneConfig:
    settings = TrainConfig(n_steps=n_steps, batch_size=8, learning_rate=3e-3, warm_up_share=0.1)
    return replace(FinetuneConfig(settings, method=method, crop_s=0.5, min_crop_s=0.5), **changes)


def model(rows: str = "separate", **changes) -> AudioFormer:
    torch.manual_seed(1)
    return AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows=rows, dropout=0.0, **changes))


def made(
    config: FinetuneConfig, rows: str = "separate", clips=None, names=None, multi_label: bool = False, **options
) -> FineTuning:
    clips = clips if clips is not None else coded_clips(8)
    return FineTuning(config, model(rows), clips, names or NAMES, multi_label, codec_about(), **options)


@pytest.mark.parametrize(
    ("method", "rows"),
    [("ft1", "separate"), ("ft1", "shared"), ("ft1", "summed"), ("ft2", "separate"), ("probe", "summed")],
)
def test_every_method_learns_a_tiny_labelled_set(method, rows):
    config = recipe(method, n_steps=40 if method == "ft1" else 70)
    if method == "probe":
        config = replace(config, train=replace(config.train, learning_rate=0.1))
    task = made(config, rows, held_out=coded_clips(6, seed=3))
    records = list(train(task, config.train))
    assert records[0].losses["mlc"] == pytest.approx(math.log(2), rel=0.4)
    assert records[-1].losses["mlc"] < 0.2
    assert task.measure(task.held_out)["accuracy"] == 1.0


ENCODER, TABLES = "backbone.encoders.0.", ".embeddings.tables."


@pytest.mark.parametrize(
    ("rows", "changes", "learns"),
    [
        ("separate", {"method": "ft1"}, lambda name: name.startswith(("head.", ENCODER))),
        ("separate", {"method": "ft2"}, lambda name: name.startswith(("head.", ENCODER))),
        ("separate", {"method": "probe"}, lambda name: name.startswith("head.")),
        ("separate", {"keep_tables": True}, lambda name: name.startswith(("head.", ENCODER)) and TABLES not in name),
        ("summed", {"keep_tables": True}, lambda name: TABLES not in name),
    ],
)
def test_frozen_weights_do_not_move(rows, changes, learns):
    config = recipe(n_steps=3, **changes)
    task = made(config, rows)
    before = {name: value.clone() for name, value in task.classifier.state_dict().items()}
    list(train(task, config.train))
    moved = {name for name, value in task.classifier.state_dict().items() if not torch.equal(value, before[name])}
    assert "head.weight" in moved
    assert (ENCODER + "blocks.0.contract.weight" in moved) == (changes.get("method") != "probe")
    assert all(map(learns, moved)), moved


def test_time_bins_tell_a_sound_from_its_reverse(tmp_path):
    """Half of the clips fall, half rise: only the order differs."""
    rng = np.random.default_rng(0)
    rising = [np.sort(rng.integers(0, 16, (3, 20)), 1) for _ in range(32)]
    clips = [
        CodedClip(torch.from_numpy(codes if i % 2 else codes[:, ::-1].copy()), (i % 2,), id=f"{i}")
        for i, codes in enumerate(rising)
    ]
    config = recipe(n_steps=30, time_bins=4)
    task = made(config, "summed", clips[:24], held_out=clips[24:])
    records = list(train(task, config.train))
    assert records[-1].losses["mlc"] < 0.2
    assert task.measure(task.held_out)["accuracy"] == 1.0
    task.export(tmp_path / "clf", None, None)
    state, about = load_checkpoint(tmp_path / "clf")
    opened = Classifier(task.classifier.config, 2, time_bins=about["time_bins"])
    opened.load_state_dict(state)
    tokens = task.batch(0)[0]
    torch.testing.assert_close(
        opened.eval()(tokens.tokens).logits, task.classifier.eval()(tokens.tokens).logits, atol=2e-2, rtol=2e-2
    )
    assert "4 time bins" in (tmp_path / "clf" / "README.md").read_text()


def test_method_2_adds_the_contrast_with_its_share():
    config = recipe("ft2", alpha=0.8, n_steps=1)
    task = made(config)
    losses = {name: value.detach() for name, value in task(task.batch(0)).items()}
    assert float(losses["total"]) == pytest.approx(0.8 * float(losses["mlc"]) + 0.2 * float(losses["mpc"]), rel=1e-5)
    assert task.chance["mpc"] == pytest.approx(mpc_chance(8, 3))
    assert task.chance["mlc"] == pytest.approx(math.log(2))


def test_method_2_does_not_push_a_clip_from_its_other_codings():
    config = recipe("ft2", n_steps=1)
    task = made(config, clips=[replace(item, id=f"clip {i // 2}") for i, item in enumerate(coded_clips(8))])
    batch = task.batch(0)
    assert sorted(batch[3].unique(return_counts=True)[1].tolist()) == [2, 2, 2, 2]
    task.eval()
    apart = (*batch[:3], torch.arange(8))
    assert float(task(batch)["mpc"]) < float(task(apart)["mpc"])
    assert len(made(config).batch(0)[3].unique()) == 8


@pytest.mark.parametrize("rows", ["shared", "summed"])
def test_method_2_needs_separate_rows(rows):
    with pytest.raises(AudioformerError, match=f"ft2 ties separate rows together; this model has rows='{rows}'"):
        made(recipe("ft2"), rows)


def several_labels(n: int = 8) -> list[CodedClip]:
    """Two kinds of sound one after the other in a clip; a clip may have one, both or none."""
    rng, clips = np.random.default_rng(0), []
    for i in range(n):
        labels = [(0,), (1,), (0, 1), ()][i % 4]
        ranges = [(0, 5) if 0 in labels else (10, 16), (5, 10) if 1 in labels else (10, 16)]
        codes = np.concatenate([rng.integers(low, high, (3, 20)) for low, high in ranges], 1)
        events = tuple((label, label * 20 / 75, (label + 1) * 20 / 75) for label in labels)
        clips.append(CodedClip(torch.from_numpy(codes), labels, (1.0,) * len(labels), events))
    return clips


def test_several_labels_and_their_times_are_learned():
    config = recipe(n_steps=100, frame_head=True, crop_s=0.6, min_crop_s=0.6)
    task = made(config, "summed", several_labels(), multi_label=True)
    records = list(train(task, config.train))
    assert records[0].losses["mlc"] == pytest.approx(math.log(2), rel=0.3)
    assert records[-1].losses["frames"] < 0.3
    found = task.measure(several_labels())
    assert found["mAP"] > 0.95
    assert found["score"] == found["mAP"]


def test_frame_targets_follow_the_crop():
    task = made(recipe(frame_head=True), "summed", several_labels(), multi_label=True)
    clip = several_labels(3)[2]
    whole = task._frame_targets([clip], [slice(0, 40)])[0]
    assert whole[:, 0].nonzero()[:, 0].tolist() == list(range(20))
    assert whole[:, 1].nonzero()[:, 0].tolist() == list(range(20, 40))
    cropped = task._frame_targets([clip], [slice(15, 25)])[0]
    assert cropped[:, 0].nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert cropped[:, 1].nonzero()[:, 0].tolist() == [5, 6, 7, 8, 9]


def test_mixed_clips_have_shared_targets():
    mixed = replace(coded_clips(1)[0], labels=(1, 0), weights=(0.7, 0.3))
    task = made(recipe())
    assert task._targets([mixed, coded_clips(2)[1]]).tolist() == [[pytest.approx(0.3), pytest.approx(0.7)], [0, 1]]
    assert task._targets(coded_clips(2)).tolist() == [0, 1]


def test_heads_of_rare_labels_start_at_their_base_rates():
    clips, names = several_labels(), [f"class {i}" for i in range(40)]
    task = made(
        recipe(frame_head=True, base_rates=True, crop_s=60.0, min_crop_s=60.0), "summed", clips, names, multi_label=True
    )
    labels = np.mean([len(clip.labels) for clip in clips]) / 40
    seconds = sum(clip.codes.shape[1] for clip in clips) / codec_about()["frame_rate"]
    events = sum(off - on for clip in clips for _, on, off in clip.events) / seconds / 40
    assert task.classifier.head.bias.sigmoid().tolist() == pytest.approx([labels] * 40, rel=1e-3)
    assert task.classifier.frame_head.bias.sigmoid().tolist() == pytest.approx([events] * 40, rel=1e-3)
    plain = made(recipe(frame_head=True), "summed", clips, names, multi_label=True)
    assert not plain.classifier.head.bias.any()


@pytest.mark.parametrize("labels", [(), (0, 1)])
def test_a_clip_without_exactly_one_label_is_refused_by_name(labels):
    clip = replace(coded_clips(1)[0], labels=labels, weights=(1.0,) * len(labels), id="rain 7")
    with pytest.raises(AudioformerError, match=f"clip 'rain 7' has {len(labels)} labels"):
        made(recipe())._targets([clip])


def test_hidden_codes_are_only_for_training():
    task = made(recipe(token_mask=0.5))
    hidden = (task.batch(0)[0].tokens == 19).float().mean()
    assert 0.4 < float(hidden) < 0.55
    finer = (made(recipe(row_dropout=1.0)).batch(0)[0].tokens == 19).any(-1)
    assert not finer[:, 0].any()
    assert finer[:, -1].all()
    assert (made(recipe()).batch(0)[0].tokens != 19).all()


def test_what_is_exported_is_the_classifier_with_its_card(tmp_path):
    config = recipe(n_steps=2)
    task = made(config, held_out=coded_clips(2), card={"title": "Low or high", "limits": "Two tones."})
    list(train(task, replace(config.train, validate_every=1), tmp_path))
    state, about = load_checkpoint(tmp_path)
    assert about["kind"] == "classifier"
    assert about["label_names"] == NAMES
    assert about["window_s"] == pytest.approx(38 / 75)
    assert about["scores"] == []
    assert about["validation"]["n"] == 2
    for name, value in task.classifier.state_dict().items():
        torch.testing.assert_close(state[name], value, atol=1e-3, rtol=1e-3)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("# Low or high")
    assert "Two tones." in card
    assert "not measured" in card


def test_the_start_and_the_labels_are_part_of_the_recipe():
    first = made(recipe()).identity()
    assert first == made(recipe()).identity()
    assert made(recipe(), names=["a", "b"]).identity() != first
    assert made(recipe(), held_out=coded_clips(2)).identity() != first
    other = FineTuning(recipe(), model(d_ff=32), coded_clips(8), NAMES, False, codec_about())
    assert other.identity()["start"] != first["start"]


@pytest.mark.parametrize("name", list(FINETUNE_PRESETS))
def test_every_preset_is_whole(name):
    config = finetune_preset(name)
    assert config.min_crop_s <= config.crop_s
    assert config.to_dict()["method"] in METHODS
    with pytest.raises(AudioformerError, match="nearest"):
        finetune_preset(name + "x")
