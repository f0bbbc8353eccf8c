"""The critic: its losses against the equations, that it learns, that a codec's training with it is exact on resume."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tiny import RATE, tone_folder

from audioformer.codecs.critic import WINDOWS, Adversary, Discriminator
from audioformer.codecs.crops import CropSampler
from audioformer.codecs.train_compact import PRESETS, CodecTrainConfig, CodecTrainer, train_codec
from audioformer.errors import AudioformerError

CPU = torch.device("cpu")
SIZES, RECIPE = PRESETS["test"]


@pytest.fixture(scope="module")
def sounds() -> tuple[torch.Tensor, torch.Tensor]:
    """(2, N) noise, and the same with its upper half of frequencies gone."""
    noise = 0.3 * torch.randn(2, 6_000, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(noise)
    spectrum[:, 1_500:] = 0
    return noise, torch.fft.irfft(spectrum, 6_000)


def critics(width: int = 4) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(width)


def test_every_critic_gives_verdicts_and_activations(sounds):
    found = critics()(sounds[0])
    assert len(found) == len(WINDOWS)
    for window, (verdict, activations) in zip(WINDOWS, found, strict=True):
        n_frames = 1 + 6_000 // (window // 4)
        assert verdict.shape[:3] == (2, 1, n_frames)
        assert len(activations) == 5
        assert all(a.shape[:3] == (2, 4, n_frames) for a in activations)


def test_losses_are_those_of_the_equations(sounds):
    discriminator, (original, decoded) = critics(), sounds
    with torch.no_grad():
        real, made = discriminator(original), discriminator(decoded)
        own = sum(
            (1 - r).clamp_min(0).mean() + (1 + m).clamp_min(0).mean() for (r, _), (m, _) in zip(real, made, strict=True)
        ) / len(real)
        fooled = sum((1 - m).clamp_min(0).mean() for m, _ in made) / len(made)
        layers = [pair for (_, r), (_, m) in zip(real, made, strict=True) for pair in zip(r, m, strict=True)]
        ratios = [(a - b).abs().mean() / a.abs().mean() for a, b in layers]
    found = discriminator.decoder_losses(original, decoded)
    assert float(discriminator.own_loss(original, decoded)) == pytest.approx(float(own), rel=1e-5)
    assert float(found["adversarial"]) == pytest.approx(float(fooled), rel=1e-5)
    assert float(found["features"]) == pytest.approx(float(sum(ratios) / len(ratios)), rel=1e-4)
    assert float(discriminator.decoder_losses(original, original)["features"]) == 0


def test_gradients_reach_the_decoded_sound_and_only_through_the_decoders_losses(sounds):
    adversary, original = Adversary(4, 1e-3, CPU, bf16=False), sounds[0]
    decoded = sounds[1].clone().requires_grad_(True)
    losses = adversary.losses(original, decoded, 1e-3)
    assert decoded.grad is None
    before = [p.grad.clone() for p in adversary.discriminator.parameters()]
    (losses["adversarial"] + losses["features"]).backward()
    assert float(decoded.grad.abs().sum()) > 0
    after = [p.grad for p in adversary.discriminator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not losses["critic"].requires_grad


def test_it_learns_to_tell_them_apart(sounds):
    torch.manual_seed(0)
    adversary = Adversary(4, 2e-3, CPU, bf16=False)
    history = [float(adversary.losses(*sounds, 2e-3)["critic"]) for _ in range(25)]
    assert history[0] == pytest.approx(2, abs=0.3)
    assert history[-1] < 0.85 * history[0]


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> CropSampler:
    return CropSampler([tone_folder(tmp_path_factory.mktemp("tones"))], RATE)


def trainer(sampler: CropSampler, **changes) -> CodecTrainer:
    return CodecTrainer(sampler, SIZES, replace(RECIPE, **{"adversarial_from": 3, "critic_width": 4, **changes}))


def test_the_critic_joins_at_its_step_and_a_resumed_run_gives_the_same_numbers(sampler, tmp_path):
    whole = trainer(sampler)
    expected = [record.losses for record in train_codec(whole, tmp_path / "whole")]
    assert ["critic" in losses for losses in expected] == [False] * 3 + [True] * 3
    last = expected[-1]
    terms = last["mel"] + RECIPE.waveform * last["complex"] + RECIPE.commitment * last["commitment"]
    assert last["total"] == pytest.approx(terms + last["adversarial"] / 15 + last["features"] * 2 / 15, rel=1e-5)
    found = []
    for _ in range(3):
        part = trainer(sampler)
        part.resume(tmp_path / "parts")
        run = train_codec(part, tmp_path / "parts")
        found += [next(run).losses, next(run).losses]
        run.close()
    assert found == expected
    after = trainer(sampler)
    after.resume(tmp_path / "parts")
    for name, value in whole.adversary.discriminator.state_dict().items():
        assert torch.equal(value, after.adversary.discriminator.state_dict()[name]), name
    line = json.loads((tmp_path / "whole" / "log.jsonl").read_text())
    assert line["critic"] == pytest.approx(sum(losses["critic"] for losses in expected[3:]) / 3)


def test_without_it_nothing_changes(sampler):
    plain, late = CodecTrainer(sampler, SIZES, RECIPE), trainer(sampler, adversarial_from=100)
    assert plain.adversary is None
    assert [plain.train_step().losses for _ in range(3)] == [late.train_step().losses for _ in range(3)]


def test_a_run_of_before_it_can_go_on_but_not_with_a_critic(sampler, tmp_path):
    part = CodecTrainer(sampler, SIZES, RECIPE)
    run = train_codec(part, tmp_path)
    next(run)
    run.close()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["adversary"]
    for name in ("adversarial_from", "adversarial", "features", "critic_width"):
        del state["recipe"][name]
    torch.save(state, tmp_path / "state.pt")
    assert CodecTrainer(sampler, SIZES, RECIPE).resume(tmp_path)
    with pytest.raises(AudioformerError, match="adversarial_from"):
        trainer(sampler).resume(tmp_path)


def test_only_the_gpu_preset_has_it():
    assert [name for name, (_, recipe) in PRESETS.items() if recipe.adversarial_from] == ["gpu"]
    assert PRESETS["gpu"][1].adversarial_from < PRESETS["gpu"][1].n_steps
    with pytest.raises(AudioformerError, match="0 for never"):
        CodecTrainConfig(adversarial_from=-1)
