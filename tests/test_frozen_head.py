"""A last layer learnt on vectors that are computed once is the layer that a checkpoint holds."""

import math
from pathlib import Path

import pytest
import torch
from app_weights import make_weights

from audioformer import load
from audioformer.codecs import load_codec
from audioformer.data.corpus import Item, describe_codec
from audioformer.errors import AudioformerError
from audioformer.evaluation.frozen_head import FrozenHead, quick
from audioformer.predict import predict_codes
from audioformer.start import load_start
from audioformer.train import train


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A codec, a pre-trained model, and six examples: tones of two heights, of different lengths."""
    codecs, _, pretrained = make_weights(tmp_path_factory.mktemp("weights"))
    codec = load_codec(codecs[0])
    items = []
    for n in range(6):
        times_s = torch.arange(12_000 + 6_000 * n) / 24_000
        sound = 0.4 * torch.sin(2 * torch.pi * (300 + 1500 * (n % 2) + 20 * n) * times_s)
        items.append(
            Item(str(n), codec.encode(sound[None], 24_000)[0], (n % 2,), (1.0,), None, None, "", 0, (), 1.0, len(sound))
        )
    return codec, pretrained[0], items


def fresh(parts, held_out=(), **changes):
    """A task that has read its examples."""
    codec, start, items = parts
    config = quick("probe", len(items), crop_s=1.0)
    config = type(config)(config.train.with_changes(n_steps=60, **changes), method="probe", crop_s=1.0, min_crop_s=1.0)
    about = {**describe_codec(codec), "name": str(Path(start).parent / "small")}
    task = FrozenHead(config, load_start(start), items, ["low", "high"], about, held_out, {"title": "Two tones"})
    assert list(task.listen()) == [1, 2, 3, 4, 5, 6]
    return task


def learnt(parts, **changes):
    task = fresh(parts, **changes)
    return task, list(train(task, task.config.train))


def test_it_learns_and_the_rest_stays_as_it_was(parts):
    task, records = learnt(parts)
    assert records[0].losses["mlc"] == pytest.approx(math.log(2), abs=0.1)
    assert records[-1].losses["mlc"] < 0.6 * math.log(2)
    before = load_start(parts[1]).encoders.state_dict()
    assert all(value.equal(before[name]) for name, value in task.classifier.backbone.encoders.state_dict().items())


def test_the_folded_layer_says_of_raw_vectors_what_the_layer_said_of_scaled_ones(parts):
    task, _ = learnt(parts)
    scaled = task.classifier.head((task.vectors - task.mean) / task.scale)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    folded = task.folded()
    raw = task.vectors @ folded["classifier.head.weight"].T + folded["classifier.head.bias"]
    torch.testing.assert_close(raw, scaled, atol=1e-4, rtol=1e-4)
    assert all(value.equal(before[name]) for name, value in task.state_dict().items())


def test_the_checkpoint_is_a_normal_one(parts, tmp_path):
    task, _ = learnt(parts)
    task.export(tmp_path / "mine", None, None)
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    clf = load(tmp_path / "mine")
    assert clf.label_names == ["low", "high"]
    assert clf.about["recipe"]["method"] == "probe"
    codec, _, items = parts
    found = predict_codes(clf.classifier, [item.codes for item in items], clf.window, False)
    before = task.classifier.head((task.vectors - task.mean) / task.scale)  # 16 bits and windows change little
    after = torch.stack([one.embedding for one in found]) @ clf.classifier.head.weight.T + clf.classifier.head.bias
    torch.testing.assert_close(after, before, atol=0.02, rtol=0.02)
    assert sum(int(one.probabilities.argmax()) == n % 2 for n, one in enumerate(found)) >= 5
    assert "Two tones" in (tmp_path / "mine" / "README.md").read_text()


def test_what_it_cannot_do_is_said(parts):
    codec, start, items = parts
    with pytest.raises(AudioformerError, match="method 'probe'"):
        FrozenHead(quick("ft1"), load_start(start), items, ["low", "high"], describe_codec(codec))
    task = FrozenHead(quick("probe", 6, 1.0), load_start(start), items, ["low", "high"], describe_codec(codec))
    with pytest.raises(AudioformerError, match="listen"):
        task.batch(0)


def test_exports_on_the_way_and_a_stop_change_nothing(parts, tmp_path):
    whole, _ = learnt(parts)
    task = fresh(parts, keep_every=20, save_every=20)
    for record in train(task, task.config.train, tmp_path / "run"):
        if record.step == 30:
            break
    resumed = fresh(parts, keep_every=20, save_every=20)
    list(train(resumed, resumed.config.train, tmp_path / "run"))
    assert resumed.classifier.head.weight.equal(whole.classifier.head.weight)
    final, early = (load(tmp_path / "run" / name) for name in (".", "steps/000020"))
    torch.testing.assert_close(
        final.classifier.head.weight, whole.folded()["classifier.head.weight"], atol=2e-3, rtol=2e-3
    )
    assert not early.classifier.head.weight.equal(final.classifier.head.weight)


def test_held_out_clips_are_measured_with_the_layer_that_the_checkpoint_gets(parts, tmp_path):
    task = fresh(parts, held_out=parts[2], validate_every=30, average=0.5)
    records = list(train(task, task.config.train, tmp_path / "run"))
    assert [record.step for record in records if record.validation] == [30, 60]
    clf = load(tmp_path / "run")
    found = predict_codes(clf.classifier, [item.codes for item in parts[2]], clf.window, False)
    right = sum(int(one.probabilities.argmax()) == n % 2 for n, one in enumerate(found)) / 6
    assert records[-1].validation["accuracy"] == pytest.approx(right)
    assert right > 0.5
