"""The encoder: shapes, both norms, padding, recomputation, low precision, parameter count."""

import pytest
import torch

from audioformer.encoder import Encoder
from audioformer.errors import AudioformerError
from audioformer.heads import MLMHead
from audioformer.recipes import preset


def encoder(seed=0, **changes):
    torch.manual_seed(seed)
    return Encoder(preset("test", codebook_size=20, n_codebooks=3, **changes)).eval()


def tokens(n_clips=2, n_rows=1, n_positions=9, seed=0):
    return torch.randint(0, 24, (n_clips, n_rows, n_positions), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_what_comes_out(norm):
    output = encoder(norm=norm)(tokens(), need_weights=True, need_hidden=True)
    assert output.hidden.shape == (2, 9, 32)
    assert [h.shape for h in output.all_hidden] == [(2, 9, 32)] * 3
    assert [a.shape for a in output.attention] == [(2, 2, 9, 9)] * 2
    assert torch.equal(output.all_hidden[-1], output.hidden)
    # a LayerNorm comes last in both layouts
    torch.testing.assert_close(output.hidden.mean(-1), torch.zeros(2, 9), atol=1e-5, rtol=0)
    bare = encoder(norm=norm)(tokens())
    assert bare.all_hidden is None
    assert bare.attention is None
    torch.testing.assert_close(bare.hidden, output.hidden, atol=1e-5, rtol=1e-5)


def test_pre_norm_block_by_hand():
    model = encoder(norm="pre")
    block = model.blocks[0]
    hidden = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    middle = hidden + block.attention(block.attention_norm(hidden), model.rotary[:, :9])[0]
    inner = torch.nn.functional.gelu(block.expand(block.feed_forward_norm(middle)))
    torch.testing.assert_close(block(hidden, model.rotary[:, :9], None, False)[0], middle + block.contract(inner))


def test_summed_rows_all_count():
    summed = encoder(rows="summed")
    three = tokens(1, n_rows=3)
    base = summed(three).hidden
    for k in range(3):
        other = three.clone()
        other[:, k, 4] = (other[:, k, 4] + 1) % 20
        assert not torch.allclose(summed(other).hidden, base, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "rows", "message"),
    [
        ((2, 9), "separate", r"\(2, 9\) must be \(clips, 1, positions\)"),
        ((2, 2, 9), "separate", r"must be \(clips, 1, positions\)"),
        ((2, 1, 9), "summed", r"must be \(clips, 3, positions\)"),
        ((2, 1, 21), "separate", "21 positions are more than max_positions=20"),
    ],
)
def test_refuses(shape, rows, message):
    with pytest.raises(AudioformerError, match=message):
        encoder(rows=rows, max_positions=20)(torch.zeros(shape, dtype=torch.long))


def test_paper_preset_has_the_parameters_of_roformer_base():
    config = preset("paper")
    with torch.device("meta"):
        model, head = Encoder(config), MLMHead(config)
    width, inner, vocabulary = 768, 3072, 1024 + 4
    embeddings = vocabulary * width + width + 2 * width  # tokens, the one row vector, LayerNorm
    attention = 4 * (width * width + width)
    feed_forward = width * inner + inner + inner * width + width
    block = attention + feed_forward + 2 * 2 * width
    assert sum(p.numel() for p in model.parameters()) == embeddings + 12 * block == 85_846_272
    assert sum(p.numel() for p in head.parameters()) == width * width + width + 2 * width + vocabulary


def test_fresh_weights_follow_bert():
    torch.manual_seed(0)
    model = Encoder(preset("tiny", n_layers=1))
    assert model.blocks[0].expand.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.embeddings.tables[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.blocks[0].attention.qkv.bias.abs().max() == 0
    assert (model.embeddings.norm.weight == 1).all()
