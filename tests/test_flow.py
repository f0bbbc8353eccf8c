"""The way from codes to a label, number by number, against the model itself."""

import pytest
import torch

from audioformer import load
from audioformer.adapt import adapt
from audioformer.classifier import Classifier
from audioformer.errors import AudioformerError
from audioformer.explain.flow import BLOCK_STEPS, STEPS, arithmetic, trace
from audioformer.files import samples_folder
from audioformer.recipes import AdaptConfig, preset

SIZE, FRAMES = 16, 22
SHAPES = [
    {"rows": "summed"},
    {"rows": "shared"},
    {"rows": "separate"},
    {"norm": "pre", "rotary_value": True},
    {"subsampling": 2},
    {"subsampling": 4},
]


def classifier(time_bins=1, **shape):
    torch.manual_seed(1)
    made = Classifier(preset("test", n_codebooks=3, codebook_size=SIZE, **shape), 4, time_bins=time_bins).eval()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


@pytest.fixture
def codes():
    return torch.randint(0, SIZE, (3, FRAMES), generator=torch.Generator().manual_seed(0))


def encoded(one, codes, row):
    """What the model itself says, with every layer's output and every weight."""
    tokens = one.collate([codes]).tokens
    rows = None if one.config.rows == "summed" else [row]
    return one.backbone(tokens, rows=rows, need_hidden=True, need_weights=True), one(tokens)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("time_bins", [1, 3])
def test_every_number_is_the_models_own(shape, time_bins, codes):
    one = classifier(time_bins, **shape)
    row = 1 if one.config.rows == "shared" else 0
    made = trace(one, codes, row)
    output, said = encoded(one, codes, row)

    def single(vectors):
        return vectors.repeat_interleave(made.group, 0)[: FRAMES + 2]

    for after, layer in zip(made.blocks[:-1], output.all_hidden[1:-1], strict=True):
        torch.testing.assert_close(single(after.after), layer[0, 0])
    torch.testing.assert_close(single(made.hidden), output.hidden[0, 0])
    for block, weights in zip(made.blocks, output.attention, strict=True):
        looked = single(block.weights.transpose(0, 1)).transpose(0, 1)
        together = torch.zeros(*looked.shape[:2], block.weights.shape[-1])
        held = torch.arange(FRAMES + 2) // made.group
        torch.testing.assert_close(together.index_add(2, held, weights[0, 0]), looked)
    torch.testing.assert_close(made.logits, said.logits[0])
    torch.testing.assert_close(made.mean, said.embedding[0])
    torch.testing.assert_close(made.hidden.T @ made.shares, made.row_means[row])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_products_that_are_shown_give_the_outputs_that_are_shown(shape, codes):
    one = classifier(3, **shape)
    made, block, head, place = trace(one, codes), 1, 1, 4
    there = [name for name in STEPS if name != "join" or made.to_join is not None]
    steps = {name: arithmetic(one, made, name, place, block, head) for name in there}
    for step in steps.values():
        torch.testing.assert_close(step.matrix @ step.vector + step.bias, step.output)
        assert not any(value.requires_grad for value in vars(step).values() if torch.is_tensor(value))
    layer, norm = one.backbone.encoders[0].blocks[block], torch.nn.functional.layer_norm
    pre = layer.pre_norm

    def scaled(vector, by):
        return vector if pre else norm(vector, vector.shape, by.weight, by.bias, by.eps)

    torch.testing.assert_close(steps["query"].result.norm(), steps["query"].output.norm())  # a turn keeps the length
    torch.testing.assert_close(steps["fit"].output.softmax(0), steps["fit"].result)
    torch.testing.assert_close(steps["mix"].vector, steps["fit"].result)
    d = one.config.head_dim
    torch.testing.assert_close(steps["out"].vector[head * d : (head + 1) * d], steps["mix"].output)
    middle = scaled(made.blocks[block].before[place] + steps["out"].output, layer.attention_norm)
    torch.testing.assert_close(steps["out"].result, middle)
    torch.testing.assert_close(torch.nn.functional.gelu(steps["units"].output), steps["units"].result)
    torch.testing.assert_close(steps["back"].vector, steps["units"].result)
    torch.testing.assert_close(steps["back"].result, scaled(middle + steps["back"].output, layer.feed_forward_norm))
    torch.testing.assert_close(steps["label"].vector, made.mean)
    torch.testing.assert_close(steps["label"].result, one(one.collate([codes]).tokens).logits[0].softmax(-1))
    torch.testing.assert_close(steps["vectors"].output, made.looked_up[:, place].sum(0) + made.row_vector)


def test_what_an_adapter_adds_is_counted(codes):
    one = classifier()
    adapt(one, AdaptConfig(name="adapter", width=4))
    for parameter in one.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    made = trace(one.eval(), codes)
    torch.testing.assert_close(made.logits, one(one.collate([codes]).tokens).logits[0])
    for name in ("out", "back"):
        step = arithmetic(one, made, name, 3)
        torch.testing.assert_close(step.matrix @ step.vector + step.bias, step.output)


@pytest.mark.parametrize("name", ["esc10", "digits", "scenes"])
def test_the_label_of_a_bundled_model_is_the_one_that_classify_gives(name):
    clf = load(name)
    codes = clf.codes(sorted((samples_folder() / "audio").iterdir())[0])[:, : clf.window]
    made = trace(clf.classifier, codes)
    step = arithmetic(clf.classifier, made, "label", 0, multi_label=clf.multi_label)
    torch.testing.assert_close(step.result, clf.classify_codes(codes).probabilities)


def test_a_frame_has_its_position():
    codes = torch.zeros(3, FRAMES, dtype=torch.long)
    assert trace(classifier(), codes).position(0) == 1  # BOA stands before it
    four = trace(classifier(subsampling=4), codes)
    assert [four.position(frame) for frame in (0, 2, 3, 21)] == [0, 0, 1, 5]
    assert len(four.joined) == 6
    torch.testing.assert_close(four.shares.sum(), torch.tensor(1.0))


def test_what_there_is_not_is_refused(codes):
    one = classifier()
    made = trace(one, codes)
    for arguments in [("join", 0), ("query", 99), ("query", 0, 9), ("query", 0, 0, 9), ("x", 0), ("query", -1)]:
        with pytest.raises(AudioformerError):
            arithmetic(one, made, *arguments)
    with pytest.raises(AudioformerError, match="row=1"):
        trace(one, codes, row=1)
    with pytest.raises(AudioformerError, match="other steps"):
        trace(load("encodecmae-esc10").classifier, codes)
    assert set(BLOCK_STEPS) < set(STEPS)
