"""Parts that are off, against models that are built without them."""

import pytest
import torch
from tiny import tiny_codec
from torch import nn

from audioformer import load
from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.flow import trace
from audioformer.explain.moments import moment_scores
from audioformer.explain.occlusion import hidden_probabilities, row_falls
from audioformer.explain.switches import Off, in_turn, sizes, strongest_moments, switched, unit_activations, unit_falls
from audioformer.recipes import preset

SIZE, FRAMES = 16, 40


def made(**shape):
    """An untrained classifier with strong weights, so that every part matters."""
    torch.manual_seed(1)
    shape = {"n_codebooks": 3, "codebook_size": SIZE, "rows": "summed", **shape}
    model = Classifier(preset("test", **shape), 4).eval()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    about = {"label_names": list("abcd"), "multi_label": False, "window_s": 0.4}
    return AudioClassifier(model, tiny_codec(), about, "made for tests")


@pytest.fixture
def codes():
    return torch.randint(0, SIZE, (3, FRAMES), generator=torch.Generator().manual_seed(0))


def logits(clf, codes):
    return clf.classifier(clf.classifier.collate([codes]).tokens).logits[0]


@pytest.mark.parametrize("shape", [{"rows": "summed"}, {"rows": "shared"}, {"norm": "pre"}, {"subsampling": 4}])
def test_a_head_that_is_off_is_a_head_whose_output_weights_are_zero(shape, codes):
    clf, by_hand = made(**shape), made(**shape)
    out, d = by_hand.classifier.backbone.encoders[0].blocks[1].attention.out, by_hand.classifier.config.head_dim
    with torch.no_grad():
        out.weight[:, d : 2 * d] = 0
    before = logits(clf, codes)
    less = switched(clf, Off(heads=frozenset({(1, 1)})))
    assert torch.equal(logits(less, codes), logits(by_hand, codes))
    assert not torch.equal(logits(less, codes), before)
    assert torch.equal(logits(clf, codes), before)  # the model itself stays as it is


def test_a_unit_that_is_off_is_a_unit_whose_output_weights_are_zero(codes):
    clf, by_hand = made(), made()
    with torch.no_grad():
        by_hand.classifier.backbone.encoders[0].blocks[0].contract.weight[:, 5] = 0
    assert torch.equal(logits(switched(clf, Off(units=frozenset({(0, 5)}))), codes), logits(by_hand, codes))


def test_a_block_that_is_off_is_a_model_without_it(codes):
    clf, by_hand = made(n_layers=3), made(n_layers=3)
    encoder = by_hand.classifier.backbone.encoders[0]
    encoder.blocks = nn.ModuleList([encoder.blocks[0], encoder.blocks[2]])
    less = switched(clf, Off(blocks=frozenset({1})))
    assert torch.equal(logits(less, codes), logits(by_hand, codes))
    hidden = less.classifier.backbone(less.classifier.collate([codes]).tokens, need_weights=True)
    assert torch.equal(hidden.attention[1][0, 0, 0], torch.eye(FRAMES + 2))


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_with_all_heads_and_units_off_the_residual_stream_is_left_alone(norm, codes):
    clf = made(norm=norm)
    n = sizes(clf)
    every = Off(
        heads=frozenset((b, h) for b in range(n["blocks"]) for h in range(n["heads"])),
        units=frozenset((b, u) for b in range(n["blocks"]) for u in range(n["units"])),
    )
    less = switched(clf, every)
    kept = trace(less.classifier, codes)
    expected = kept.embedded
    for block in clf.classifier.backbone.encoders[0].blocks:
        attention, feed_forward = block.attention.out.bias, block.contract.bias
        if norm == "pre":
            expected = expected + attention + feed_forward
        else:
            expected = block.feed_forward_norm(block.attention_norm(expected + attention) + feed_forward)
    expected = clf.classifier.backbone.encoders[0].final_norm(expected)
    torch.testing.assert_close(kept.hidden, expected.detach())
    elsewhere = codes.clone()
    elsewhere[:, 30] = (elsewhere[:, 30] + 1) % SIZE
    moved = trace(less.classifier, elsewhere).hidden
    changed = (moved != kept.hidden).any(1)
    assert changed.nonzero().flatten().tolist() == [31]  # a position hears of no other


@pytest.mark.parametrize("rows", ["summed", "shared", "separate"])
def test_a_row_that_is_off_is_hidden_behind_mask(rows, codes):
    clf = made(rows=rows)
    hidden = torch.zeros_like(codes, dtype=torch.bool)
    hidden[0] = True
    less = switched(clf, Off(rows=frozenset({0})))
    expected = hidden_probabilities(clf, codes, [hidden])[0]
    torch.testing.assert_close(less.classify_codes(codes).probabilities, expected)
    assert not torch.allclose(expected, clf.classify_codes(codes).probabilities)
    assert sizes(clf)["rows"] == (1 if rows == "separate" else 3)


def test_nothing_off_changes_nothing_and_all_that_a_classifier_answers_is_answered(codes):
    clf = made()
    assert torch.equal(logits(switched(clf, Off()), codes), logits(clf, codes))
    assert not Off()
    less = switched(clf, Off(heads=frozenset({(0, 0)}), rows=frozenset({1})))
    assert moment_scores(less, codes).shape == (FRAMES, 4)
    assert less.scan(codes).frames.shape == (FRAMES, 4)
    weights = [id(one) for one in clf.classifier.parameters()]
    shared = [id(one) for one in less.classifier.parameters()]
    assert sum(a != b for a, b in zip(weights, shared, strict=True)) == 1  # one matrix is its own


def test_each_in_turn_finds_the_head_that_does_the_work(codes):
    """A planted head: the others' output weights are zero, so only its fall is not 0."""
    clf = made()
    d = clf.classifier.config.head_dim
    with torch.no_grad():
        for number, block in enumerate(clf.classifier.backbone.encoders[0].blocks):
            kept = block.attention.out.weight[:, :d].clone()
            block.attention.out.weight.zero_()
            if number == 1:
                block.attention.out.weight[:, :d] = kept
    found = in_turn(clf, codes, label=2)
    assert found.heads.shape == (2, 2)
    assert found.heads[1, 0].abs() > 1e-4
    assert found.heads.flatten()[[0, 1, 3]].abs().max() == 0
    torch.testing.assert_close(found.rows, row_falls(clf, codes, 2))
    off = Off(heads=frozenset({(1, 0)}))
    assert in_turn(clf, codes, 2, off).heads[1, 0] == 0  # it is off already


def test_a_unit_that_alone_is_heard_is_found_and_so_is_its_moment(codes):
    """A planted unit: it answers to code 3 of row 1 alone, which one clip holds at one frame."""
    clf = made(rows="summed")
    block = clf.classifier.backbone.encoders[0].blocks[0]
    quiet = codes.clone()
    quiet[0] = 1
    planted = quiet.clone()
    planted[0, 17] = 3
    clips = [quiet, planted, quiet.flip(1)]
    with torch.no_grad():
        block.attention.out.weight.zero_()
        block.attention.out.bias.zero_()
        kept = trace(clf.classifier, planted[:, : clf.window]).blocks[0].fed
        others = kept[torch.arange(len(kept)) != 18].mean(0)
        direction = kept[18] - others
        block.expand.weight[7] = direction / direction.norm()
        block.expand.bias[7] = -(kept @ block.expand.weight[7])[torch.arange(len(kept)) != 18].max()
    found = strongest_moments(clf, clips, 2)
    assert (found.clips[0, 7, 0], found.frames[0, 7, 0]) == (1, 17)
    activations = unit_activations(clf, planted)
    assert activations.shape == (2, FRAMES, clf.classifier.config.d_ff)
    assert float(found.values[0, 7, 0]) == pytest.approx(float(activations[0, 17, 7]))
    with torch.no_grad():
        block.contract.weight.zero_()
        block.contract.weight[:, 7] = 3.0 * torch.randn(block.contract.weight.shape[0])
    falls = unit_falls(clf, planted, 0, 0, [7, 8])
    assert falls[0].abs() > 1e-5
    assert falls[1] == 0


def test_what_there_is_not_is_refused():
    clf = made()
    wrong = [{"rows": {3}}, {"blocks": {2}}, {"heads": {(0, 2)}}, {"heads": {(-1, 0)}}, {"units": {(0, 10**6)}}]
    for parts in wrong:
        with pytest.raises(AudioformerError, match="counted from 0"):
            switched(clf, Off().also(**parts))
    with pytest.raises(AudioformerError, match="only parts of an AudioFormer"):
        switched(load("encodecmae-esc10"), Off())
    with pytest.raises(AudioformerError, match="no clips"):
        strongest_moments(clf, [])
