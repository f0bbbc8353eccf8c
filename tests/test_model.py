"""AudioFormer: the three ways to use rows, pre-training loss, pooling, frozen rows."""

import math

import pytest
import torch

from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.masking import mask_tokens, positions_of
from audioformer.model import AudioFormer, mean_pool
from audioformer.pretrain import mlm_loss
from audioformer.recipes import preset
from audioformer.tokens import collate, wrap

V = 20
ROWS = ["separate", "shared", "summed"]


def make(rows="separate", seed=0, **changes):
    torch.manual_seed(seed)
    return AudioFormer(preset("test", **{"codebook_size": V, "n_codebooks": 3, "rows": rows} | changes)).eval()


def batch(lengths=(12, 7, 3), n_rows=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return collate([torch.randint(0, V, (n_rows, n), generator=generator) for n in lengths], V)


def masked_batch(rows, **changes):
    b = batch(**changes)
    config = MaskConfig(mask_ratio=0.3)
    return b, *mask_tokens(b, config, torch.Generator().manual_seed(0), same_frames=rows == "summed")


@pytest.mark.parametrize("rows", ROWS)
def test_shapes(rows):
    b, n = batch(), 1 if rows == "summed" else 3
    output = make(rows)(b.tokens, b.padding, need_weights=True, need_hidden=True)
    assert output.hidden.shape == (3, n, 14, 32)
    assert [x.shape for x in output.all_hidden] == [(3, n, 14, 32)] * 3
    assert [x.shape for x in output.attention] == [(3, n, 2, 14, 14)] * 2
    assert torch.equal(output.all_hidden[-1], output.hidden)
    assert make(rows).row_embeddings(b.tokens, b.padding).shape == (3, n, 32)
    assert make(rows).embedding(b.tokens, b.padding).shape == (3, 32)


@pytest.mark.parametrize("rows", ["separate", "shared"])
def test_asking_for_one_row_gives_that_row(rows):
    model, b = make(rows), batch()
    everything = model(b.tokens, b.padding).hidden
    for wanted in ([1], [2, 0]):
        some = model(b.tokens, b.padding, wanted).hidden
        torch.testing.assert_close(some, everything[:, wanted], atol=1e-5, rtol=1e-5)


def test_rows_are_encoded_by_whom():
    same = wrap(torch.arange(9).expand(1, 3, 9), codebook_size=V)
    for rows in ("separate", "shared"):
        hidden = make(rows)(same.tokens).hidden
        assert not torch.allclose(hidden[:, 0], hidden[:, 1], atol=1e-3)
    assert [len(make(rows).encoders) for rows in ROWS] == [3, 1, 1]
    assert [len(make(rows).heads) for rows in ROWS] == [3, 1, 3]
    shared = make("shared")
    torch.nn.init.zeros_(shared.encoders[0].embeddings.row_table.weight)
    hidden = shared(same.tokens).hidden
    torch.testing.assert_close(hidden[:, 0], hidden[:, 1])


@pytest.mark.parametrize("rows", ROWS)
def test_more_rows_than_used_are_not_read(rows):
    model, wide = make(rows), batch(n_rows=5)
    torch.testing.assert_close(model(wide.tokens, wide.padding).hidden, model(wide.tokens[:, :3], wide.padding).hidden)


@pytest.mark.parametrize("rows", ROWS)
def test_padding_and_batch_order_change_nothing(rows):
    model, b = make(rows), batch()
    together = model.row_embeddings(b.tokens, b.padding)
    for i, n in enumerate((12, 7, 3)):
        alone = model.row_embeddings(b.tokens[i : i + 1, :, : n + 2])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)
    backwards = model.row_embeddings(b.tokens.flip(0), b.padding.flip(0))
    torch.testing.assert_close(backwards.flip(0), together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", ROWS)
def test_mlm_loss_is_the_loss_over_all_logits_at_targets(rows):
    model = make(rows)
    b, masked, target_mask = masked_batch(rows)
    output = mlm_loss(model, b.tokens, b.padding, masked, target_mask)
    hidden = model(masked, b.padding).hidden
    for k in range(3):
        logits = model.mlm_logits(hidden[:, 0 if rows == "summed" else k], k)
        assert logits.shape == (3, 14, V + 4)
        wrong = logits.log_softmax(-1).gather(-1, b.tokens[:, k, :, None])[..., 0][target_mask[:, k]]
        assert output.row_losses[k].item() == pytest.approx(-wrong.mean().item(), rel=1e-5)
        right = (logits.argmax(-1) == b.tokens[:, k])[target_mask[:, k]].float().mean()
        assert output.row_accuracy[k].item() == pytest.approx(right.item())
    torch.testing.assert_close(output.loss, output.row_losses.mean())
    one = mlm_loss(model, b.tokens, b.padding, masked, target_mask, rows=[1])
    torch.testing.assert_close(one.row_losses, output.row_losses[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", ROWS)
def test_guesses_are_scored_against_the_row_own_embeddings(rows):
    model, hidden = make(rows), torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
    for k in range(3):
        head = model.heads[0 if rows == "shared" else k]
        tables = [table for encoder in model.encoders for table in encoder.embeddings.tables]
        expected = head(hidden, tables[0 if rows == "shared" else k].weight)
        assert torch.equal(model.mlm_logits(hidden, k), expected)


@pytest.mark.parametrize("rows", ROWS)
def test_loss_at_the_start_is_about_chance(rows):
    model = make(rows, codebook_size=1024)
    codes = torch.randint(0, 1024, (8, 3, 60), generator=torch.Generator().manual_seed(0))
    b = wrap(codes)
    masked, target_mask = mask_tokens(b, MaskConfig(), torch.Generator().manual_seed(0))
    output = mlm_loss(model, b.tokens, b.padding, masked, target_mask)
    assert output.chance == math.log(1024)
    assert output.loss.item() == pytest.approx(output.chance, abs=0.1)


@pytest.mark.parametrize(("rows", "norm"), [("separate", "post"), ("shared", "pre"), ("summed", "post")])
def test_every_weight_learns_and_a_tiny_batch_is_learned_by_heart(rows, norm):
    model = make(rows, norm=norm, n_codebooks=2).train()
    b, masked, target_mask = masked_batch(rows, n_rows=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        output = mlm_loss(model, b.tokens, b.padding, masked, target_mask)
        output.loss.backward()
        optimizer.step()
    assert output.loss < 0.1 * output.chance
    assert output.row_accuracy.min() == 1
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_mean_pool_by_hand():
    hidden = torch.arange(12.0).reshape(1, 6, 2)  # BOA, 3 codes, EOA, PAD
    padding = torch.tensor([[False] * 5 + [True]])
    assert mean_pool(hidden, padding).tolist() == [[4.0, 5.0]]
    hidden[0, 0] = 100.0
    assert mean_pool(hidden, padding).tolist() == [[24.0, pytest.approx(24.8)]]
    rows = torch.stack([hidden, 2 * hidden], 1)
    torch.testing.assert_close(mean_pool(rows, padding)[:, 1], 2 * mean_pool(hidden, padding))
    whole = torch.zeros(1, 6, dtype=torch.bool)
    torch.testing.assert_close(mean_pool(rows), mean_pool(rows, whole))


def test_clip_embedding_by_kind_of_rows():
    b = batch()
    separate, shared = make("separate"), make("shared")
    first = separate.row_embeddings(b.tokens, b.padding)[:, 0]
    torch.testing.assert_close(separate.embedding(b.tokens, b.padding), first, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(separate.embedding(b.tokens[:, :1], b.padding), first, atol=1e-5, rtol=1e-5)
    rows = shared.row_embeddings(b.tokens, b.padding)
    torch.testing.assert_close(shared.embedding(b.tokens, b.padding), rows.mean(1), atol=1e-5, rtol=1e-5)


def test_frozen_rows_stay_as_they_are():
    model = make(dropout=0.5).train()
    model.freeze_rows([1, 2])
    b = batch()
    assert [encoder.training for encoder in model.encoders] == [True, False, False]
    vectors = model.row_embeddings(b.tokens, b.padding)
    again = model.row_embeddings(b.tokens, b.padding)
    assert torch.equal(vectors[:, 1:], again[:, 1:])
    assert not torch.equal(vectors[:, 0], again[:, 0])
    vectors.square().sum().backward()
    grads = [[p.grad is not None for p in encoder.parameters()] for encoder in model.encoders]
    assert all(grads[0])
    assert not any(grads[1] + grads[2])
    assert not model(b.tokens, b.padding, rows=[1]).hidden.requires_grad
    model.eval()
    assert not model.encoders[0].training
    model.freeze_rows([])
    model.train()
    assert all(encoder.training for encoder in model.encoders)
    assert all(p.requires_grad for p in model.parameters())


def test_refuses():
    model, b = make(), batch()
    with pytest.raises(AudioformerError, match=r"rows \[3\] must be among 0 to 2"):
        model(b.tokens, rows=[3])
    with pytest.raises(AudioformerError, match=r"rows \[\] must be"):
        model(b.tokens, rows=[])
    with pytest.raises(AudioformerError, match="at least 3 rows; encode with n_codebooks=3"):
        model(b.tokens[:, :2])
    with pytest.raises(AudioformerError, match="must be \\(clips, rows, positions\\)"):
        model(b.tokens[0])
    with pytest.raises(AudioformerError, match="reads all rows at once"):
        make("summed")(b.tokens, rows=[0])
    with pytest.raises(AudioformerError, match="at least 3 rows"):
        make("summed")(b.tokens[:, :2])
    with pytest.raises(AudioformerError, match="cannot be frozen: needs rows='separate' \\(is 'shared'\\)"):
        make("shared").freeze_rows([1])
    with pytest.raises(AudioformerError, match="numbers from 0 to 2"):
        model.freeze_rows([5])
    with pytest.raises(AudioformerError, match="no prediction heads"):
        AudioFormer(model.config, mlm=False).mlm_logits(torch.zeros(1, 32))
    nothing = torch.zeros_like(b.tokens, dtype=torch.bool)
    with pytest.raises(AudioformerError, match="no position to predict"):
        mlm_loss(model, b.tokens, b.padding, b.tokens, nothing)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_vectors_at_some_positions_are_those_of_the_whole(rows, norm):
    model, b = make(rows, norm=norm, rotary_value=True), batch()
    n_read = 1 if rows == "summed" else 3
    mask = torch.rand(3, n_read, 14, generator=torch.Generator().manual_seed(1)) < 0.3
    at = positions_of(mask)
    whole, part = model(b.tokens, b.padding).hidden, model(b.tokens, b.padding, positions=at).hidden
    expected = whole.gather(2, at[..., None].expand(-1, -1, -1, 32))
    real = ~b.padding[:, None].expand(-1, n_read, -1).gather(2, at)
    assert at.shape[2] < 14
    torch.testing.assert_close(part[real], expected[real], atol=1e-5, rtol=1e-5)
