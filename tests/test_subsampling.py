"""Subsampling: groups of positions by hand, padding, what is spread out again, what it refuses."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from audioformer.checkpoint import load_checkpoint
from audioformer.classifier import Classifier
from audioformer.config import MaskConfig
from audioformer.encoder import Encoder, Subsampling
from audioformer.explain.attention import attention_maps
from audioformer.finetune import FineTuning
from audioformer.masking import mask_tokens
from audioformer.methods import read_config
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling, mlm_loss
from audioformer.recipes import PRETRAIN_PRESETS, preset
from audioformer.start import load_pretrained
from audioformer.tokens import collate
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
    layer = Subsampling(preset("test", d_model=6, n_heads=1, subsampling=factor)).eval()
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


def guesser(factor, rows="summed", **changes):
    torch.manual_seed(0)
    return AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows=rows, subsampling=factor, **changes)).eval()


def hidden_batch(n_frames=(13, 22), span=3, rows="summed"):
    generator = torch.Generator().manual_seed(1)
    batch = collate([torch.randint(0, 16, (3, n), generator=generator) for n in n_frames], 16)
    masked, target_mask = mask_tokens(batch, MaskConfig(span=span), generator, same_frames=rows == "summed")
    return batch, masked, target_mask


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("rows", ["separate", "shared", "summed"])
def test_hidden_codes_do_not_leak_into_any_guess(factor, rows):
    model = guesser(factor, rows)
    batch, masked, target_mask = hidden_batch(rows=rows)
    other = batch.tokens.clone()
    other[target_mask] = (other[target_mask] + 5) % 16
    ours, theirs = (
        model.guessing_vectors(seen.masked_fill(target_mask, 19), batch.padding) for seen in (batch.tokens, other)
    )
    assert torch.equal(ours, theirs)
    assert torch.equal(ours, model.guessing_vectors(masked, batch.padding))


@pytest.mark.parametrize("factor", FACTORS)
def test_frames_of_a_group_get_vectors_of_their_own(factor):
    model = guesser(factor)
    batch, masked, _ = hidden_batch()
    vectors = model.guessing_vectors(masked, batch.padding)
    assert vectors.shape == (2, 1, 24, 32)
    for i in range(1, 24):
        assert not torch.allclose(vectors[1, 0, i], vectors[1, 0, i - 1], atol=1e-4)
    alone = model.guessing_vectors(masked[:1, :, :15])
    torch.testing.assert_close(vectors[:1, :, :15], alone, atol=1e-5, rtol=1e-5)
    at = torch.tensor([[[1, 4, 9]], [[2, 2, 20]]])
    torch.testing.assert_close(model.guessing_vectors(masked, batch.padding, positions=at)[1, 0, 2], vectors[1, 0, 20])


@pytest.mark.parametrize("factor", FACTORS)
def test_the_loss_is_that_of_the_guesses_written_out(factor):
    model = guesser(factor)
    batch, masked, target_mask = hidden_batch()
    out = mlm_loss(model, batch.tokens, batch.padding, masked, target_mask, row_weights=(3.0, 2.0, 1.0))
    vectors = model.guessing_vectors(masked, batch.padding)[:, 0]
    for k in range(3):
        here = target_mask[:, k]
        expected = F.cross_entropy(model.mlm_logits(vectors[here], k), batch.tokens[:, k][here])
        torch.testing.assert_close(out.row_losses[k], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.loss, (out.row_losses * torch.tensor([3.0, 2.0, 1.0])).sum() / 6)


def test_a_pretrained_model_with_groups_becomes_a_classifier(tmp_path):
    """The frame decoder is left behind; what the classifier reads are the groups."""
    config = replace(
        PRETRAIN_PRESETS["test"], model=preset("test", codebook_size=16, n_codebooks=3, rows="summed", subsampling=4)
    )
    task = MaskedModelling(replace(config, join=True, row_weights=(3, 2, 1)), coded_clips(6), codec_about())
    records = list(train(task, config.train, tmp_path / "mlm"))
    assert records[-1].losses["total"] > 0
    model, about = load_pretrained(tmp_path / "mlm")
    assert about["recipe"]["row_weights"] == [3, 2, 1]
    tuned = FineTuning(recipe(n_steps=1), model, coded_clips(6), NAMES, False, codec_about())
    assert not tuned.classifier.backbone.decoders
    for name, weight in tuned.classifier.backbone.encoders.state_dict().items():
        assert torch.equal(weight, model.encoders.state_dict()[name])
