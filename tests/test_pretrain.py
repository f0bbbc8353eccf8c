"""Pre-training: starts at chance, learns, keeps rows apart where the authors do, and refuses what does not fit."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CodedClip, codec_about, coded_clips, tiny_codec

from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling, combine_rows
from audioformer.recipes import PRETRAIN_PRESETS, TrainConfig, preset, pretrain_preset
from audioformer.start import load_pretrained
from audioformer.train import train

BASE = pretrain_preset("test")
ROWS = ("separate", "shared", "summed")


def recipe(rows: str = "separate", mask: MaskConfig | None = None, **train_changes):
    settings = {"n_steps": 4, "batch_size": 4, **train_changes}
    model = preset("test", codebook_size=16, n_codebooks=2, rows=rows, dropout=0.0)
    return replace(BASE, model=model, mask=mask or MaskConfig(), train=TrainConfig(**settings))


def made(config, clips=None, **options) -> MaskedModelling:
    return MaskedModelling(config, clips if clips is not None else coded_clips(8), codec_about(), **options)


@pytest.mark.parametrize("rows", ROWS)
def test_an_untrained_model_knows_nothing(rows):
    task = made(recipe(rows)).eval()
    with torch.no_grad():
        losses = task(task.batch(0))
    assert task.chance == {"mlm": pytest.approx(math.log(16))}
    for name in ("total", "mlm", "row1", "row2"):
        assert float(losses[name]) == pytest.approx(math.log(16), rel=0.15), name


@pytest.mark.parametrize("rows", ROWS)
def test_it_learns_a_tiny_corpus(rows):
    """Sounds whose codes repeat every four frames can be guessed from their neighbours."""
    rng = np.random.default_rng(0)
    clips = [CodedClip(torch.from_numpy(np.tile(rng.integers(0, 16, (2, 4)), (1, 10)))) for _ in range(2)]
    config = recipe(rows, n_steps=60, learning_rate=5e-3, batch_size=8, warm_up_share=0.1)
    records = list(train(made(config, clips), config.train))
    assert records[0].losses["mlm"] > 0.85 * math.log(16)
    assert records[-1].losses["mlm"] < 0.5 * math.log(16)


def test_losses_stand_beside_their_chance_level():
    config = recipe(validate_every=2)
    records = list(train(made(config, held_out=coded_clips(3, seed=9)), config.train))
    assert set(records[0].losses) == {"total", "mlm", "accuracy", "row1", "row2"}
    assert records[0].losses["mlm"] == pytest.approx((records[0].losses["row1"] + records[0].losses["row2"]) / 2)
    assert records[0].chance["mlm"] == pytest.approx(math.log(16))
    assert records[1].validation["score"] == pytest.approx(-records[1].validation["total"])


def test_held_out_clips_are_measured_under_the_same_masks_every_time():
    task = made(recipe(), held_out=coded_clips(20, seed=9)).eval()
    with torch.no_grad():
        assert task.validate() == task.validate()
        assert made(recipe()).validate() is None


def test_summed_rows_hide_whole_frames():
    _, masked, target_mask = made(recipe("summed")).batch(0)
    assert torch.equal(target_mask[:, 0], target_mask[:, 1])
    assert (masked[:, :2][target_mask[:, :2]] == 19).all()  # V + 3


@pytest.mark.parametrize("k", [0, 1])
def test_one_row_is_trained_and_the_others_stay(k):
    config = recipe(n_steps=2, average=0.9)
    task = made(config, rows=[k])
    assert {name.split(".")[1] for name, p in task.model.named_parameters() if p.requires_grad} == {str(k)}
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    records = list(train(task, config.train))
    assert set(records[0].losses) == {"total", "mlm", "accuracy", f"row{k + 1}"}
    for name, value in task.model.state_dict().items():
        mine = name.startswith((f"encoders.{k}.", f"heads.{k}."))
        assert torch.equal(value, before[name]) != mine, name


def test_runs_of_single_rows_join_into_one_model(tmp_path):
    config, parts = recipe(n_steps=2), []
    for k in range(2):
        task = made(config, rows=[k])
        list(train(task, config.train, tmp_path / f"row{k + 1}"))
        parts.append(task.model)
    about = combine_rows([tmp_path / "row1", tmp_path / "row2"], tmp_path / "joined")
    model, config_read = load_pretrained(tmp_path / "joined")
    for name, value in model.state_dict().items():
        k = int(name.split(".")[1])
        torch.testing.assert_close(value, parts[k].state_dict()[name].half().float(), atol=0, rtol=0)
    assert config_read["losses"]["mlm"] == pytest.approx((about["losses"]["row1"] + about["losses"]["row2"]) / 2)
    assert config_read["steps"] == 4
    with pytest.raises(AudioformerError, match="1 runs given, needed one for each of 2"):
        combine_rows([tmp_path / "row1"], tmp_path / "no")
    smaller = replace(config, model=replace(config.model, n_layers=1))
    list(train(made(smaller, rows=[1]), config.train, tmp_path / "other"))
    with pytest.raises(AudioformerError, match="other: has another model or codec than"):
        combine_rows([tmp_path / "row1", tmp_path / "other"], tmp_path / "no")


def test_it_goes_on_from_a_given_model(tmp_path):
    config = recipe(n_steps=1, learning_rate=1e-9)
    first = made(config)
    list(train(first, config.train, tmp_path / "first"))
    start, _ = load_pretrained(tmp_path / "first", expect=codec_about())
    second = made(recipe(seed=5), start=start)
    for name, value in second.model.state_dict().items():
        assert torch.equal(value, start.state_dict()[name])
    fresh = made(config)
    assert fresh.identity()["start"] is None
    assert second.identity()["start"] is not None


def test_embeddings_can_start_from_the_codebooks():
    codec = tiny_codec()
    config = replace(recipe("summed"), init_from_codebooks=True)
    task, plain = (made(config, codebooks=books) for books in (codec.codebooks(), None))
    table, other = (t.model.encoders[0].embeddings.tables[0].weight[:16] for t in (task, plain))
    assert not torch.allclose(table, other)
    books = codec.codebooks()
    whitened = books[0] / (books - books.mean(1, keepdim=True)).var(1).sum(0).sqrt()  # each dimension on one scale
    a, b = (torch.cdist(x, x).flatten() for x in (table, whitened))
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.99


def test_what_is_exported_opens_again_with_its_card(tmp_path):
    config = recipe(n_steps=2, average=0.5, validate_every=1)
    task = made(config, held_out=coded_clips(2))
    list(train(task, config.train, tmp_path))
    model, about = load_pretrained(tmp_path, expect=codec_about())
    assert isinstance(model, AudioFormer)
    assert not model.training
    assert about["kind"] == "pretrained"
    assert about["steps"] == 2
    assert about["validation"]["total"] > 0
    card = (tmp_path / "README.md").read_text()
    assert "chance 2.773" in card
    assert "Limits:" in card
    assert about["recipe"]["mask"]["mask_ratio"] == 0.25
    other = codec_about(tiny_codec(seed=2, name="other"))
    with pytest.raises(AudioformerError, match=f"codes of tiny .*codes of other .{other['fingerprint']}"):
        load_pretrained(tmp_path, expect=other)
    about["model"]["n_layers"] = 3
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(AudioformerError, match="weights do not fit config.json"):
        load_pretrained(tmp_path)


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(AudioformerError, match="pre-training needs at least one clip"):
        made(recipe(), [])
    with pytest.raises(AudioformerError, match="codebook_size=1024 of the model must be the codec's, 16"):
        made(replace(recipe(), model=preset("test")))
    with pytest.raises(AudioformerError, match="reads 2 codebooks and the corpus holds 1"):
        made(recipe(), coded_clips(2, n_rows=1))
    with pytest.raises(AudioformerError, match="no 'bundeld'; nearest: bundled"):
        pretrain_preset("bundeld")


@pytest.mark.parametrize("name", list(PRETRAIN_PRESETS))
def test_every_preset_fits_the_bundled_codec(name):
    config = pretrain_preset(name)
    assert config.model.codebook_size == 1024
    assert config.model.n_codebooks <= 8
    assert round(config.crop_s * 75) + 2 <= config.model.max_positions
    assert config.min_crop_s <= config.crop_s
    assert config.to_dict()["train"]["n_steps"] == config.train.n_steps


def test_rows_count_by_their_weights():
    config = replace(recipe("summed"), row_weights=(0.75, 0.25))
    task = made(config).eval()
    with torch.no_grad():
        losses = task(task.batch(0))
    assert float(losses["total"]) == pytest.approx(0.75 * float(losses["row1"]) + 0.25 * float(losses["row2"]))
    with pytest.raises(AudioformerError, match="row_weights=.* a number above 0 for each of the model's rows"):
        replace(config, row_weights=(1.0,))


def test_joined_batches_are_full_of_codes_and_resume_as_uninterrupted(tmp_path):
    clips = [
        CodedClip(torch.randint(0, 16, (2, n), generator=torch.Generator().manual_seed(n)))
        for n in (9, 12, 15, 20, 300)
    ]
    config = replace(recipe("summed", n_steps=6, save_every=3), join=True, crop_s=2.0, min_crop_s=0.2)
    task = made(config, clips)
    for step in range(10):
        assert task.batch(step)[0].code_positions.float().mean() > 0.85
    whole = [record.losses["total"] for record in train(task, config.train)]
    for _ in zip(range(2), train(made(config, clips), config.train, tmp_path), strict=False):
        pass
    rest = [record.losses["total"] for record in train(made(config, clips), config.train, tmp_path)]
    assert rest == whole[-len(rest) :]
    assert len(rest) < len(whole)
