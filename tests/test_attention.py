"""Self-attention: the equation, rotary positions, both paths, padding."""

import math

import pytest
import torch

from audioformer import attention as module
from audioformer.attention import SelfAttention, attend, rotary_table, rotate
from audioformer.recipes import preset


def attention(**changes):
    torch.manual_seed(0)
    return SelfAttention(preset("test", **changes)).eval()


def test_rotation_by_hand():
    table = rotary_table(4, 4)
    turned = rotate(torch.tensor([[1.0, 0.0, 0.0, 1.0]]).expand(4, 4), table)
    for m in range(4):
        slow = m / 10000**0.5
        expected = [math.cos(m), math.sin(m), -math.sin(slow), math.cos(slow)]
        assert turned[m].tolist() == pytest.approx(expected, abs=1e-6)


def test_rotation_keeps_length_and_sees_only_distance():
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 8, generator=generator)
    table = rotary_table(50, 8)
    turned_q, turned_k = rotate(q.expand(50, 8), table), rotate(k.expand(50, 8), table)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm().expand(50))
    products = turned_q @ turned_k.T
    for distance in (-7, 0, 3):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-5, rtol=1e-5)


def test_rotation_keeps_the_number_format():
    table = rotary_table(5, 4)
    vectors = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
    low = rotate(vectors.bfloat16(), table)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), rotate(vectors, table), atol=0.03, rtol=0.03)


@pytest.mark.parametrize("rotary_value", [False, True])
def test_against_the_equation_in_loops(rotary_value):
    layer, table = attention(rotary_value=rotary_value), rotary_table(6, 16)
    hidden = torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(1))
    output, weights = layer(hidden, table, need_weights=True)
    q, k, v = layer.qkv(hidden).split(32, dim=-1)
    for b in range(2):
        heads = []
        for h in range(2):
            part = slice(16 * h, 16 * h + 16)
            queries, keys = rotate(q[b, :, part], table), rotate(k[b, :, part], table)
            values = rotate(v[b, :, part], table) if rotary_value else v[b, :, part]
            shares = torch.stack([torch.stack([(x @ y) / 4.0 for y in keys]).softmax(0) for x in queries])
            torch.testing.assert_close(weights[b, h], shares, atol=1e-6, rtol=1e-5)
            heads.append(shares @ values)
        torch.testing.assert_close(output[b], layer.out(torch.cat(heads, -1)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
def test_fused_path_equals_weights_path_with_gradients(padded):
    layer, table = attention(), rotary_table(9, 16)
    padding = torch.zeros(3, 9, dtype=torch.bool)
    padding[1, 5:] = padding[2, 8:] = True
    hidden = torch.randn(3, 9, 32, generator=torch.Generator().manual_seed(1))
    results = []
    for need_weights in (False, True):
        leaf = hidden.clone().requires_grad_()
        output, weights = layer(leaf, table, padding if padded else None, need_weights)
        output.square().sum().backward()
        results.append((output, leaf.grad))
        assert (weights is not None) == need_weights
    for fused, explicit in zip(*results, strict=True):
        torch.testing.assert_close(fused, explicit, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 9))
    if padded:
        assert weights[1, :, :, 5:].abs().max() == 0


@pytest.mark.parametrize("fused", [False, True])
def test_both_ways_of_16_bits_stay_close_to_32_with_gradients(fused, monkeypatch):
    monkeypatch.setattr(module, "FUSED_BEYOND", 0 if fused else 9 * 9)
    kernels = []
    real = module.F.scaled_dot_product_attention
    monkeypatch.setattr(
        module.F, "scaled_dot_product_attention", lambda *a, **o: kernels.append(a[0].dtype) or real(*a, **o)
    )
    padding = torch.zeros(3, 9, dtype=torch.bool)
    padding[1, 5:] = True
    exact = torch.randn(3, 3, 2, 9, 16, generator=torch.Generator().manual_seed(1))
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        leaf = exact.to(dtype, copy=True).requires_grad_()
        mixed, weights = attend(*leaf, padding, need_weights=False)
        assert (mixed.dtype, weights) == (dtype, None)
        mixed.float().square().sum().backward()
        results.append((mixed.float(), leaf.grad.float()))
    assert kernels == [torch.float32] + [torch.bfloat16] * fused
    for plain, rough in zip(*results, strict=True):
        torch.testing.assert_close(rough, plain, atol=0.05, rtol=0.05)
    assert results[1][1][1:, 1, :, 5:].abs().max() == 0, "nobody looks at padding"


def test_dropout_only_in_training():
    layer, table = attention(attention_dropout=0.5), rotary_table(9, 16)
    hidden = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(1))
    quiet = layer(hidden, table)[0]
    torch.testing.assert_close(quiet, layer(hidden, table, need_weights=True)[0])
    layer.train()
    assert not torch.allclose(quiet, layer(hidden, table)[0])
    dropped, weights = layer(hidden, table, need_weights=True)
    assert not torch.allclose(quiet, dropped)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 9))
