"""Residual vector quantisation against exhaustive search, and its learning rules against plain loops."""

from __future__ import annotations

import pytest
import torch

from audioformer.rvq import ResidualVQ

K, V, D = 3, 16, 4


def made(seed: int = 0, **options) -> ResidualVQ:
    torch.manual_seed(seed)
    return ResidualVQ(K, V, D, **options)


def test_codes_are_those_of_exhaustive_search():
    rvq = made().eval()
    latents = torch.randn(2, 9, D)
    codes = rvq.quantise(latents, K)
    assert codes.shape == (2, K, 9)
    assert codes.dtype == torch.int64
    for b in range(2):
        for t in range(9):
            residual = latents[b, t].double()
            for k in range(K):
                distances = [float((residual - entry.double()).square().sum()) for entry in rvq.codebooks[k]]
                best = min(range(V), key=distances.__getitem__)
                assert int(codes[b, k, t]) == best
                residual = residual - rvq.codebooks[k][best].double()


def test_dequantising_adds_the_chosen_entries():
    rvq = made()
    codes = torch.randint(V, (2, K, 5))
    expected = torch.stack(
        [torch.stack([sum(rvq.codebooks[k, codes[b, k, t]] for k in range(K)) for t in range(5)]) for b in range(2)]
    )
    torch.testing.assert_close(rvq.dequantise(codes), expected)
    torch.testing.assert_close(rvq.dequantise(codes[:, :1]), rvq.codebooks[0][codes[:, 0]])


def test_every_row_lessens_the_error_once_the_codebooks_follow_the_data():
    rvq, data = made(), torch.randn(2000, D) * torch.tensor([3.0, 1.0, 0.5, 0.1])
    before = (data[None] - rvq.dequantise(rvq.quantise(data[None], K))).square().sum(-1).mean()
    rvq.start_from(data)
    errors = [float(data.square().sum(1).mean())]
    for k in range(1, K + 1):
        errors.append(float((data[None] - rvq.dequantise(rvq.quantise(data[None], k))).square().sum(-1).mean()))
    assert all(later < earlier for earlier, later in zip(errors, errors[1:], strict=False)), errors
    assert errors[-1] < 0.1 * float(before)


def test_k_means_ends_at_the_means_of_its_clusters():
    centres = torch.tensor([[0.0, 0, 0, 0], [10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]])
    data = centres.repeat_interleave(200, 0) + 0.05 * torch.randn(800, D, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)
    rvq = ResidualVQ(1, 4, D)
    for seed in range(5):  # k-means may start badly; one of a few starts finds all four
        torch.manual_seed(seed)
        rvq.start_from(data, n_rounds=20)
        if torch.cdist(centres, rvq.codebooks[0]).amin(1).max() < 0.1:
            break
    means = data.view(4, 200, D).mean(1)
    assert torch.cdist(means, rvq.codebooks[0]).amin(1).max() < 1e-3


def test_fewer_vectors_than_entries_are_enough_to_start_from():
    rvq, data = made(), torch.randn(5, D)
    rvq.start_from(data)
    assert torch.isfinite(rvq.codebooks).all()
    torch.testing.assert_close(rvq.dequantise(rvq.quantise(data[None], 1))[0], data, atol=0.01, rtol=0)


def test_training_lets_gradients_straight_through_and_all_rows_learn():
    rvq = made().train()
    latents = torch.randn(2, 9, D, requires_grad=True)
    before = rvq.codebooks.clone()
    out = rvq(latents, torch.tensor([1, K]))
    out.latents.sum().backward()
    torch.testing.assert_close(latents.grad, torch.ones_like(latents))
    assert all((rvq.codebooks[k] != before[k]).any() for k in range(K))


def test_the_decoder_sees_only_the_rows_that_are_kept():
    rvq = made().eval()
    latents = torch.randn(3, 9, D)
    out = rvq(latents, torch.tensor([1, 2, 3]))
    codes = rvq.quantise(latents, K)
    assert torch.equal(out.codes, codes)
    for clip, kept in enumerate([1, 2, 3]):
        torch.testing.assert_close(out.latents[clip], rvq.dequantise(codes[clip : clip + 1, :kept])[0])
    everything = rvq.dequantise(codes)
    torch.testing.assert_close(out.commitment, (latents - everything).square().sum(-1).mean())


def test_an_entry_moves_to_the_running_mean_of_what_it_wins():
    rvq = ResidualVQ(1, 2, 1, decay=0.75, revive_below=0.0).train()
    rvq.codebooks.copy_(torch.tensor([[[0.0], [10.0]]]))
    rvq.sums.copy_(rvq.codebooks)
    rvq.counts.fill_(1.0)
    latents = torch.tensor([[[1.0], [3.0], [8.0]]])  # entry 0 wins 1 and 3, entry 1 wins 8
    rvq(latents, torch.tensor([1]))
    # counts 0.75 * 1 + 0.25 * 2 and 0.75 * 1 + 0.25 * 1; sums 0.75 * 0 + 0.25 * 4 and 0.75 * 10 + 0.25 * 8
    torch.testing.assert_close(rvq.codebooks[0, :, 0], torch.tensor([1.0 / 1.25, 9.5]))


def test_an_unused_entry_is_moved_to_where_it_is_needed():
    rvq = made(revive_below=0.5, decay=0.5).train()
    rvq.codebooks[0, 1:] = 1e6  # never nearest
    rvq.sums.copy_(rvq.codebooks)
    latents = torch.randn(4, 20, D)
    for _ in range(4):
        rvq(latents, torch.full((4,), K))
    assert (rvq.codebooks[0].abs().amax(1) < 100).all()


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e6])
def test_extreme_latents_stay_finite(scale):
    rvq = made().train()
    out = rvq(torch.randn(2, 9, D) * scale, torch.tensor([1, K]))
    assert torch.isfinite(out.latents).all()
    assert torch.isfinite(rvq.codebooks).all()
