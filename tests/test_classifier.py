"""The classifier: what it reads, frames, frozen rows for method 2, learning."""

import pytest
import torch

from audioformer.classifier import Classifier, bin_weights
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer
from audioformer.recipes import preset
from audioformer.tokens import collate

V = 20
ROWS = ["separate", "shared", "summed"]


def config(rows="separate", **changes):
    return preset("test", **{"codebook_size": V, "n_codebooks": 3, "rows": rows} | changes)


def make(rows="separate", frame_head=False, **changes):
    torch.manual_seed(0)
    return Classifier(config(rows, **changes), 5, frame_head).eval()


def batch(lengths=(12, 7, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return collate([torch.randint(0, V, (3, n), generator=generator) for n in lengths], V)


@pytest.mark.parametrize("rows", ROWS)
def test_clip_logits_are_the_head_on_the_clip_vector(rows):
    model, b = make(rows), batch()
    output = model(b.tokens, b.padding)
    assert output.logits.shape == (3, 5)
    assert output.frame_logits is None
    assert output.row_embeddings is None
    torch.testing.assert_close(output.embedding, model.backbone.embedding(b.tokens, b.padding))
    torch.testing.assert_close(output.logits, model.head(output.embedding))


@pytest.mark.parametrize("rows", ROWS)
def test_clip_logits_are_the_mean_of_position_logits(rows):
    model, b = make(rows), batch((12,))
    output = model(b.tokens, b.padding, need_frames=True)
    assert output.frame_logits.shape == (1, 12, 5)
    assert not output.frame_padding.any()
    hidden = model.backbone(b.tokens, rows=[0] if rows == "separate" else None).hidden.mean(1)
    edges = model.head(hidden[:, [0, -1]])  # BOA and EOA count too
    torch.testing.assert_close(torch.cat([output.frame_logits, edges], 1).mean(1), output.logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frame_head", [False, True])
def test_frames_of_padded_clips(frame_head):
    model, b = make(frame_head=frame_head), batch()
    output = model(b.tokens, b.padding, need_frames=True)
    assert (~output.frame_padding).sum(1).tolist() == [12, 7, 3]
    assert not output.frame_padding[1, :7].any()
    alone = model(b.tokens[1:2, :, :9], need_frames=True)
    torch.testing.assert_close(output.frame_logits[1:2, :7], alone.frame_logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.logits[1:2], alone.logits, atol=1e-5, rtol=1e-5)
    shares_head = torch.allclose(
        output.frame_logits[0], model.head(model.backbone(b.tokens, b.padding, [0]).hidden[0, 0, 1:-1]), atol=1e-5
    )
    assert shares_head != frame_head


def test_time_bins_are_equal_stretches_of_each_clip():
    counts = torch.ones(2, 80)
    counts[1, 40:] = 0  # a clip of half the length: bins of half the length
    weights = bin_weights(counts, 4)
    assert weights.shape == (2, 80, 4)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 4))
    assert not weights[1, 40:].any()
    place = torch.arange(80) + 0.5
    middles = (weights * place[None, :, None]).sum(1)  # where each bin lies
    torch.testing.assert_close(middles[0, 1:3], torch.tensor([30.0, 50.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(middles[1] * 2, middles[0], atol=0.6, rtol=0)
    assert torch.isfinite(bin_weights(torch.zeros(1, 3), 2)).all()


def test_frames_that_do_not_count_move_no_bin():
    word = torch.rand(1, 30) + 0.1
    pause = torch.zeros(1, 50)
    late = bin_weights(torch.cat([pause, word, pause], 1), 4)
    torch.testing.assert_close(late[:, 50:80], bin_weights(word, 4))
    assert not late[:, :50].any()
    assert not late[:, 80:].any()


@pytest.mark.parametrize("rows", ROWS)
def test_time_bins_hear_the_order_and_add_up_over_positions(rows):
    torch.manual_seed(2)
    model = Classifier(config(rows), 5, time_bins=3).eval()
    b = batch((12, 7))
    output = model(b.tokens, b.padding, need_frames=True)
    alone = model(b.tokens[1:, :, :9], need_frames=True)
    torch.testing.assert_close(output.logits[1:], alone.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.frame_logits[1:, :7], alone.frame_logits, atol=1e-5, rtol=1e-5)
    hidden = model.backbone(b.tokens[:1], rows=[0] if rows == "separate" else None).hidden.mean(1)
    edges = model.head(hidden[:, [0, -1]])
    torch.testing.assert_close(
        torch.cat([output.frame_logits[:1], edges], 1).mean(1), output.logits[:1], atol=1e-5, rtol=1e-5
    )
    by_hand = model.head(output.embedding[0])
    weights = bin_weights(model.gate(hidden[0, 1:-1]).sigmoid().T, 3)[0]
    for g in range(3):
        matrix = model.head_of_bins.weight[:, g * 32 : (g + 1) * 32]
        by_hand = by_hand + matrix @ (weights[:, g] @ hidden[0, 1:-1])
    torch.testing.assert_close(output.logits[0], by_hand, atol=1e-5, rtol=1e-5)
    with pytest.raises(AudioformerError, match="time_bins=0"):
        Classifier(config(rows), 5, time_bins=0)


@pytest.mark.parametrize("rows", ROWS)
def test_from_pretrained_copies_the_encoders(rows):
    torch.manual_seed(1)
    model = AudioFormer(config(rows)).eval()
    classifier = Classifier.from_pretrained(model, 5).eval()
    b = batch()
    torch.testing.assert_close(classifier(b.tokens, b.padding).embedding, model.embedding(b.tokens, b.padding))
    assert len(classifier.backbone.heads) == 0
    with torch.no_grad():
        classifier.backbone.encoders[0].embeddings.row_table.weight.add_(1)
    assert not torch.equal(
        classifier.backbone.encoders[0].embeddings.row_table.weight, model.encoders[0].embeddings.row_table.weight
    )


def test_refuses():
    b = batch()
    with pytest.raises(AudioformerError, match="one vector per clip"):
        make("summed")(b.tokens, b.padding, need_rows=True)
    with pytest.raises(AudioformerError, match="n_classes=0"):
        Classifier(config(), 0)
