"""Our dropout: the share, the scale and the gradient are those of its definition, and the seed decides everything."""

import pytest
import torch

from audioformer.encoder import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_a_share_p_is_dropped_and_the_mean_stays(p):
    torch.manual_seed(0)
    y = Dropout(p)(torch.ones(200, 333))
    assert float((y == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float(y.mean()) == pytest.approx(1, abs=0.02)
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-4)


def test_numbers_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(1)
    dropped = (Dropout(0.5)(torch.ones(100_000)) == 0).float() - 0.5
    for lag in (1, 2, 3, 4, 5):
        assert abs(float((dropped[lag:] * dropped[:-lag]).mean()) / 0.25) < 0.02


def test_the_gradient_goes_where_the_numbers_went():
    x = torch.randn(5, 7, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert torch.allclose(x.grad * x, y)
    assert torch.equal(x.grad == 0, y == 0)


def test_the_seed_decides_and_evaluation_does_nothing():
    layer, x = Dropout(0.3), torch.randn(50)
    draws = [(torch.manual_seed(seed), layer(x))[1] for seed in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert layer.eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(Dropout(1.0)(x), torch.zeros(50))
    assert Dropout(0.5)(x.bfloat16()).dtype == torch.bfloat16
