"""Weights from elsewhere: equality with Hugging Face's RoFormer, and embeddings from codebooks."""

import pytest
import torch

from audioformer.codecs.encodec_files import torchaudio_or_stand_in
from audioformer.encoder import INIT_STD
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.train import hf_names, load_hf_roformer_state
from audioformer.model import AudioFormer
from audioformer.pretrain import mlm_loss
from audioformer.recipes import preset
from audioformer.start import codebook_vectors, init_from_codebooks
from audioformer.tokens import collate, special_ids

V = 50
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


def their_model(**changes):
    """A seeded RoFormerForMaskedLM of our "test" size, every weight (biases and norms too) away from its start."""
    pytest.importorskip("transformers", reason='needs transformers: pip install "audioformer[dev]"')
    with torchaudio_or_stand_in():  # transformers will not import beside a torchaudio that does not load
        from transformers import RoFormerConfig, RoFormerForMaskedLM
    torch.manual_seed(3)
    config = RoFormerConfig(
        vocab_size=V + 4,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=V,
        **changes,
    )
    model = RoFormerForMaskedLM(config).eval()
    for name, parameter in model.named_parameters():
        if "embed_positions" not in name:
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["", "rotary_value"])
def pair(request):
    """Theirs, ours with their weights, a padded batch and what to predict in it."""
    theirs = their_model(rotary_value=request.param)
    config = preset(
        "test", codebook_size=V, n_codebooks=2, n_layers=3, max_positions=64, rotary_value=request.param, dropout=0.1
    )
    ours = AudioFormer(config).eval()
    load_hf_roformer_state(ours.encoders[1], ours.heads[1], theirs.state_dict())
    generator = torch.Generator().manual_seed(4)
    batch = collate([torch.randint(0, V, (2, n), generator=generator) for n in (30, 11, 1)], V)
    target_mask = torch.zeros_like(batch.tokens, dtype=torch.bool)
    target_mask[:, 1, 1::4] = batch.code_positions[:, 1::4]
    masked = batch.tokens.masked_fill(target_mask, special_ids(V).mask)
    return theirs, ours, batch, masked, target_mask


def test_hidden_states_attention_and_logits_equal_hugging_face(pair):
    theirs, ours, batch, masked, _ = pair
    with torch.no_grad():
        expected = theirs(masked[:, 1], (~batch.padding).long(), output_hidden_states=True, output_attentions=True)
        fused = ours(masked, batch.padding, rows=[1])
        output = ours(masked, batch.padding, rows=[1], need_weights=True, need_hidden=True)
        logits = ours.mlm_logits(output.hidden[:, 0], row=1)
    assert len(output.all_hidden) == len(expected.hidden_states) == 4
    for mine, hers in zip(output.all_hidden, expected.hidden_states, strict=True):
        torch.testing.assert_close(mine[:, 0], hers, **TOLERANCE)
    for mine, hers in zip(output.attention, expected.attentions, strict=True):
        torch.testing.assert_close(mine[:, 0], hers, **TOLERANCE)
    torch.testing.assert_close(logits, expected.logits, **TOLERANCE)
    torch.testing.assert_close(fused.hidden[:, 0], expected.hidden_states[-1], **TOLERANCE)


def test_loss_and_gradients_equal_hugging_face(pair):
    theirs, ours, batch, masked, target_mask = pair
    labels = batch.tokens[:, 1].masked_fill(~target_mask[:, 1], -100)
    theirs.zero_grad()
    ours.zero_grad()
    expected = theirs(masked[:, 1], (~batch.padding).long(), labels=labels).loss
    expected.backward()
    loss = mlm_loss(ours, batch.tokens, batch.padding, masked, target_mask, rows=[1]).loss
    loss.backward()
    torch.testing.assert_close(loss, expected, **TOLERANCE)
    their_gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    named = [(f"encoder.{n}", p) for n, p in ours.encoders[1].named_parameters()]
    named += [(f"head.{n}", p) for n, p in ours.heads[1].named_parameters()]
    compared = 0
    for name, parameter in named:
        wanted = torch.cat([their_gradients[source] for source in hf_names(name)])[: len(parameter)]
        torch.testing.assert_close(parameter.grad, wanted, **TOLERANCE)
        compared += parameter.numel()
    assert compared == sum(p.numel() for p in ours.encoders[1].parameters()) + sum(
        p.numel() for p in ours.heads[1].parameters()
    )
    assert all(p.grad is None for p in ours.encoders[0].parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"n_layers": 4}, "layer.3.* not in the state"), ({"d_ff": 128}, r"\(64, 32\), ours is \(128, 32\)")],
)
def test_other_sizes_are_refused(changes, message):
    ours = AudioFormer(preset("test", codebook_size=V, n_codebooks=1, **({"n_layers": 3} | changes)))
    with pytest.raises(AudioformerError, match=message):
        load_hf_roformer_state(ours.encoders[0], ours.heads[0], their_model().state_dict())


@pytest.mark.parametrize("width", [8, 32, 48])
def test_codebook_vectors_keep_distances_and_scale(width):
    codebooks = (
        torch.randn(3, V, width, generator=torch.Generator().manual_seed(0))
        * torch.tensor([4.0, 2.0, 1.0])[:, None, None]
    )
    vectors = codebook_vectors(codebooks, 32, same_scale=True)
    assert vectors.shape == (3, V, 32)
    assert vectors.square().mean().sqrt().item() == pytest.approx(INIT_STD, rel=1e-4)
    each = codebook_vectors(codebooks, 32, same_scale=False)
    assert each.square().mean((1, 2)).sqrt().tolist() == pytest.approx([INIT_STD] * 3, rel=1e-4)
    if width <= 32:
        ratio = torch.pdist(vectors[0]) / torch.pdist(codebooks[0] / codebooks.var(1).sum(0).sqrt())
        torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(vectors, codebook_vectors(codebooks + 5, 32, same_scale=True))  # common mean taken out
    assert not torch.equal(vectors, codebook_vectors(codebooks, 32, same_scale=True, seed=1))
    loud = codebooks * torch.cat(
        [torch.full((1,), 30.0), torch.ones(width - 1)]
    )  # one dimension far wider than the others
    torch.testing.assert_close(vectors, codebook_vectors(loud, 32, same_scale=True))


@pytest.mark.parametrize("rows", ["separate", "summed"])
def test_init_from_codebooks(rows):
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=V, n_codebooks=3, rows=rows))
    codebooks = torch.randn(8, V, 16, generator=torch.Generator().manual_seed(0))
    tables = [table.weight for encoder in model.encoders for table in encoder.embeddings.tables]
    specials = [table[V:].clone() for table in tables]
    init_from_codebooks(model, codebooks)
    expected = codebook_vectors(codebooks[:3], 32, same_scale=rows == "summed")
    for table, special, vectors in zip(tables, specials, expected, strict=True):
        assert torch.equal(table[:V], vectors)
        assert torch.equal(table[V:], special)


def test_init_from_codebooks_refuses():
    codebooks = torch.zeros(2, V, 16)
    with pytest.raises(AudioformerError, match="rows not 'shared'"):
        init_from_codebooks(AudioFormer(preset("test", codebook_size=V, n_codebooks=2, rows="shared")), codebooks)
    with pytest.raises(AudioformerError, match=r"\(2, 50, 16\) must be \(3 or more, 50, width\)"):
        init_from_codebooks(AudioFormer(preset("test", codebook_size=V, n_codebooks=3)), codebooks)
