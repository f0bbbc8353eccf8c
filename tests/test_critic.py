"""The critic: its losses against the equations, its gradients, and that it learns."""

from __future__ import annotations

import pytest
import torch

from audioformer.codecs.critic import WINDOWS, Adversary, Discriminator


@pytest.fixture(scope="module")
def sounds() -> tuple[torch.Tensor, torch.Tensor]:
    """(2, N) noise, and the same with its upper half of frequencies gone."""
    noise = 0.3 * torch.randn(2, 6_000, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(noise)
    spectrum[:, 1_500:] = 0
    return noise, torch.fft.irfft(spectrum, 6_000)


def test_losses_are_those_of_the_equations(sounds):
    torch.manual_seed(0)
    discriminator, (original, decoded) = Discriminator(4), sounds
    with torch.no_grad():
        real, fake = discriminator(original), discriminator(decoded)
        own = sum(
            (1 - r).clamp_min(0).mean() + (1 + f).clamp_min(0).mean() for (r, _), (f, _) in zip(real, fake, strict=True)
        ) / len(real)
        fooled = sum((1 - f).clamp_min(0).mean() for f, _ in fake) / len(fake)
        layers = [pair for (_, r), (_, f) in zip(real, fake, strict=True) for pair in zip(r, f, strict=True)]
        ratios = [(a - b).abs().mean() / a.abs().mean() for a, b in layers]
    assert (len(real), len(layers)) == (len(WINDOWS), 5 * len(WINDOWS))
    losses = discriminator.decoder_losses(original, decoded)
    assert float(discriminator.own_loss(original, decoded).detach()) == pytest.approx(float(own), rel=1e-5)
    assert float(losses["adversarial"].detach()) == pytest.approx(float(fooled), rel=1e-5)
    assert float(losses["features"].detach()) == pytest.approx(float(sum(ratios) / len(ratios)), rel=1e-4)
    assert float(discriminator.decoder_losses(original, original)["features"]) == 0


def test_gradients_reach_the_decoded_sound_and_only_through_the_decoders_losses(sounds):
    adversary, original = Adversary(4, 1e-3), sounds[0]
    decoded = sounds[1].clone().requires_grad_(True)
    losses = adversary.losses(original, decoded, 1e-3)
    assert decoded.grad is None
    (losses["adversarial"] + losses["features"]).backward()
    assert float(decoded.grad.abs().sum()) > 0
    assert all(p.grad is None and not p.requires_grad for p in adversary.parameters())
    assert not losses["critic"].requires_grad


def test_it_learns_to_tell_them_apart(sounds):
    torch.manual_seed(0)
    adversary = Adversary(4, 2e-3)
    history = [float(adversary.losses(*sounds, 2e-3)["critic"]) for _ in range(25)]
    assert history[0] == pytest.approx(2, abs=0.3)
    assert history[-1] < 0.85 * history[0]
