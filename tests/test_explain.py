"""Looking into a model: attention and what is made of it."""

import math

import pytest
import torch

from audioformer.classifier import Classifier
from audioformer.errors import AudioformerError
from audioformer.explain.attention import attention_maps, mean_distance, mean_entropy, rollout, shrink
from audioformer.predict import predict_codes
from audioformer.recipes import preset
from audioformer.tokens import special_ids, wrap

SIZE = 16


def classifier(rows="summed"):
    torch.manual_seed(1)
    made = Classifier(preset("test", rows=rows, n_codebooks=3, codebook_size=SIZE), 4).eval()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


@pytest.fixture
def codes():
    return torch.randint(0, SIZE, (3, 20), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rows", ["summed", "shared", "separate"])
def test_maps_are_those_of_the_model_and_sum_to_one(rows, codes):
    one = classifier(rows)
    maps = attention_maps(one, codes)
    config = one.config
    assert maps.shape == (config.n_layers, config.n_heads, 22, 22)
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    tokens = wrap(codes[None], codebook_size=SIZE).tokens
    expected = one.backbone(tokens, rows=None if rows == "summed" else [0], need_weights=True).attention
    torch.testing.assert_close(maps[-1], expected[-1][0, 0])


def test_distance_and_entropy_by_hand():
    uniform = torch.full((3, 3), 1 / 3)
    assert float(mean_distance(uniform)) == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert float(mean_entropy(uniform)) == pytest.approx(math.log(3))
    one_back = torch.zeros(4, 4)
    one_back[0, 0] = one_back[1, 0] = one_back[2, 1] = one_back[3, 2] = 1
    assert float(mean_distance(one_back)) == pytest.approx(0.75)
    assert float(mean_entropy(one_back)) == pytest.approx(0, abs=1e-6)


def test_rollout_by_hand():
    first, second = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    total = rollout(torch.stack([first, second])[:, None])
    step = [0.5 * layer + 0.5 * torch.eye(2) for layer in (first, second)]
    torch.testing.assert_close(total, step[1] @ step[0])
    torch.testing.assert_close(total.sum(-1), torch.ones(2))
    with pytest.raises(AudioformerError, match="must be"):
        rollout(first)


def test_small_maps_keep_the_mean():
    maps = torch.rand(2, 3, 30, 30)
    small = shrink(maps, 10)
    assert small.shape == (2, 3, 10, 10)
    torch.testing.assert_close(small.mean((-1, -2)), maps.mean((-1, -2)))
    assert shrink(maps, 99).equal(maps)


def test_a_classifier_can_be_asked_with_codes_hidden(codes):
    one = classifier()
    hidden = torch.zeros(3, 20, dtype=torch.bool)
    hidden[:, 5:9] = True
    found, untouched = predict_codes(one, [codes, codes], 75, False, target_masks=[hidden, torch.zeros_like(hidden)])
    tokens = wrap(codes[None], codebook_size=SIZE).tokens
    torch.testing.assert_close(untouched.probabilities, one(tokens).logits.softmax(-1)[0].detach())
    tokens[0, :, 6:10] = special_ids(SIZE).mask
    torch.testing.assert_close(found.probabilities, one(tokens).logits.softmax(-1)[0].detach())
    in_windows = predict_codes(one, [codes], 8, False, target_masks=[hidden])[0]
    assert not in_windows.probabilities.equal(predict_codes(one, [codes], 8, False)[0].probabilities)
