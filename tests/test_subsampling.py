"""Subsampling: groups of positions by hand, padding, what is spread out again, what it refuses."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from audioformer.checkpoint import load_checkpoint
from audioformer.classifier import Classifier
from audioformer.encoder import Encoder, Subsampling
from audioformer.errors import AudioformerError
from audioformer.explain.attention import attention_maps
from audioformer.finetune import FineTuning
from audioformer.methods import read_config
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import PRETRAIN_PRESETS, preset
from audioformer.train import train
from tests.test_encoder import tokens
from tests.test_finetune import NAMES, codec_about, coded_clips, recipe

FACTORS = [2, 4]


def encoder(factor, **changes):
    torch.manual_seed(0)
    return Encoder(preset("test", codebook_size=20, n_codebooks=3, subsampling=factor, **changes)).eval()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("n_positions", [3, 8, 11])
def test_a_group_by_hand(factor, n_positions):
    torch.manual_seed(1)
    layer = Subsampling(6, factor, 1e-12).eval()
    hidden = torch.randn(1, n_positions, 6)
    values, real = torch.cat([hidden[0], torch.zeros(-n_positions % factor, 6)]), n_positions
    for convolution in layer.convolutions:
        values[real:] = 0
        real = -(-real // 2)
        padded = torch.cat([torch.zeros(1, 6), values, torch.zeros(1, 6)])
        values = torch.stack(
            [
                F.gelu(convolution.bias + sum(convolution.weight[:, :, k] @ padded[i + k] for k in range(4)))
                for i in range(0, len(values), 2)
            ]
        )
    groups, padding = layer(hidden, None)
    assert padding is None
    assert groups.shape == (1, -(-n_positions // factor), 6)
    torch.testing.assert_close(groups[0], layer.norm(values), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_what_comes_out(factor, norm):
    output = encoder(factor, norm=norm)(tokens(), need_weights=True, need_hidden=True)
    assert output.hidden.shape == (2, 9, 32)
    assert [h.shape for h in output.all_hidden] == [(2, 9, 32)] * 3
    assert [a.shape for a in output.attention] == [(2, 2, 9, 9)] * 2
    assert torch.equal(output.all_hidden[-1], output.hidden)
    for i in range(9):  # one vector a group
        assert torch.equal(output.hidden[:, i], output.hidden[:, i - i % factor])
    for weights in output.attention:
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 9))
        torch.testing.assert_close(weights[..., 0], weights[..., 1])  # two positions of one group, looked at alike
    torch.testing.assert_close(encoder(factor, norm=norm)(tokens()).hidden, output.hidden, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("n_positions", [9, 10, 11, 12])
def test_padding_never_changes_a_clip(factor, n_positions):
    model, short = encoder(factor), tokens(3, n_positions=n_positions)
    longer = torch.cat([short, torch.full((3, 1, 7), 20)], -1)
    padding = torch.arange(n_positions + 7).expand(3, -1) >= n_positions
    alone, padded = model(short, need_weights=True), model(longer, padding, need_weights=True)
    torch.testing.assert_close(padded.hidden[:, :n_positions], alone.hidden, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(padded.attention, alone.attention, strict=True):
        torch.testing.assert_close(ours[:, :, :n_positions, :n_positions], theirs, atol=1e-5, rtol=1e-5)
        assert (ours[..., n_positions:] == 0).all()


@pytest.mark.parametrize("factor", FACTORS)
def test_only_some_positions(factor):
    model, clips = encoder(factor), tokens()
    positions = torch.tensor([[0, 3, 8], [1, 1, 7]])
    whole = model(clips).hidden
    assert torch.equal(
        model(clips, positions=positions).hidden, torch.stack([whole[0, positions[0]], whole[1, positions[1]]])
    )


def test_every_clip_position_counts():
    model = encoder(4, rows="summed")
    three = tokens(1, n_rows=3)
    base = model(three).hidden
    for position in range(9):
        other = three.clone()
        other[:, 1, position] = (other[:, 1, position] + 1) % 20
        assert not torch.allclose(model(other).hidden, base, atol=1e-4)


def test_a_classifier_gives_scores_per_frame_and_maps():
    torch.manual_seed(0)
    classifier = Classifier(
        preset("test", codebook_size=20, n_codebooks=3, rows="summed", subsampling=4), 5, time_bins=2
    ).eval()
    clips = [torch.randint(0, 20, (3, n)) for n in (13, 30)]
    batch = classifier.collate(clips)
    output = classifier(batch.tokens, batch.padding, need_frames=True)
    assert output.frame_logits.shape == (2, 30, 5)
    assert output.frame_padding.sum(1).tolist() == [17, 0]
    alone = classifier(classifier.collate(clips[:1]).tokens)
    torch.testing.assert_close(alone.logits[0], output.logits[0], atol=1e-5, rtol=1e-5)
    assert attention_maps(classifier, clips[1]).shape == (2, 2, 32, 32)
    classifier.train()
    classifier(batch.tokens, batch.padding).logits.sum().backward()
    assert all(c.weight.grad.abs().sum() > 0 for c in classifier.backbone.encoders[0].subsampling.convolutions)


def test_the_card_of_a_classifier_from_scratch_tells_the_groups(tmp_path):
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows="summed", subsampling=4), mlm=False)
    task = FineTuning(recipe(n_steps=2, keep_tables=True), model, coded_clips(6), NAMES, False, codec_about())
    records = list(train(task, task.config.train))
    assert records[-1].losses["mlc"] > 0
    task.export(tmp_path / "clf", None, None)
    assert "3 codebooks, 4 frames a position of" in (tmp_path / "clf" / "README.md").read_text()
    state, about = load_checkpoint(tmp_path / "clf")
    opened = Classifier(read_config(about), len(NAMES))
    opened.load_state_dict(state)
    tokens = task.batch(0)[0].tokens
    torch.testing.assert_close(
        opened.eval()(tokens).logits, task.classifier.eval()(tokens).logits, atol=2e-2, rtol=2e-2
    )


def test_codes_of_a_group_cannot_be_guessed():
    shape = preset("test", codebook_size=16, n_codebooks=3, subsampling=2)
    with pytest.raises(AudioformerError, match="subsampling=2: one vector for 2 frames"):
        AudioFormer(shape)
    assert len(AudioFormer(shape, mlm=False).encoders) == 3
    with pytest.raises(AudioformerError, match="pre-train with 1"):
        MaskedModelling(replace(PRETRAIN_PRESETS["test"], model=shape), coded_clips(1), codec_about())
