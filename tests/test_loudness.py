"""The listening proxy: what an ear would not notice costs nothing, what it would notice costs the more the worse it is."""

from __future__ import annotations

import pytest
import torch

from audioformer.codecs.loudness import N_BANDS, loudness_distance, specific_loudness
from audioformer.data.synth import synth_clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.opus import opus_rates, through_opus

RATE = 24_000


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    return torch.from_numpy(synth_clip("dog", 3, 2.0))


def noisy(clip: torch.Tensor, snr_db: float) -> torch.Tensor:
    noise = torch.randn(len(clip), generator=torch.Generator().manual_seed(0))
    return clip + noise * clip.norm() / noise.norm() * 10 ** (-snr_db / 20)


def low_passed(clip: torch.Tensor, hz: float) -> torch.Tensor:
    spectrum = torch.fft.rfft(clip)
    return torch.fft.irfft(spectrum * (torch.fft.rfftfreq(len(clip), 1 / RATE) < hz), len(clip))


def test_the_same_sound_is_no_distance_and_silence_is_one(clip):
    assert float(loudness_distance(clip, clip, RATE)) == 0
    assert float(loudness_distance(torch.zeros_like(clip), clip, RATE)) == pytest.approx(1)
    assert float(loudness_distance(torch.zeros(RATE), torch.zeros(RATE), RATE)) == 0


def test_polarity_and_a_delay_of_a_few_samples_are_not_heard(clip):
    assert float(loudness_distance(-clip, clip, RATE)) == pytest.approx(0, abs=1e-6)
    assert float(loudness_distance(torch.roll(clip, 5), clip, RATE)) < 0.02


def test_noise_and_missing_treble_cost_the_more_the_worse_they_are(clip):
    by_noise = [float(loudness_distance(noisy(clip, snr), clip, RATE)) for snr in (40, 20, 10)]
    by_treble = [float(loudness_distance(low_passed(clip, hz), clip, RATE)) for hz in (8_000, 3_000, 1_000)]
    assert by_noise == sorted(by_noise)
    assert by_treble == sorted(by_treble)
    assert by_noise[-1] > 5 * by_noise[0]


def test_buzz_at_the_same_level_is_heard():
    steady = 0.1 * torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)
    buzzing = steady * (1 + 0.5 * torch.sin(2 * torch.pi * 75 * torch.arange(RATE) / RATE))
    buzzing = buzzing * steady.norm() / buzzing.norm()
    assert float(loudness_distance(buzzing, steady, RATE)) > 4 * float(loudness_distance(steady * 1.05, steady, RATE))


def test_loudness_follows_the_ear():
    tones = torch.stack([a * torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE) for a in (0.001, 0.01, 0.1)])
    total = specific_loudness(tones, RATE)[..., 20:-20].mean(-1).sum(-1)
    assert total[1] / total[0] == pytest.approx(
        10**0.46, rel=0.35
    )  # ten times the amplitude: about twice or thrice as loud
    assert total[2] / total[1] == pytest.approx(10**0.46, rel=0.25)
    peak = specific_loudness(tones[2], RATE).mean(-1).argmax()
    assert 0.3 * N_BANDS < peak < 0.7 * N_BANDS  # 1 kHz is about half-way along the cochlea
    inaudible = 1e-5 * torch.sin(2 * torch.pi * 60 * torch.arange(RATE) / RATE)
    assert float(specific_loudness(inaudible, RATE).max()) < 0.01


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_any_rate_and_any_length(rate):
    for n in (1, 50, rate // 10, rate):
        sound = 0.1 * torch.randn(2, n, generator=torch.Generator().manual_seed(n))
        distance = loudness_distance(sound * 0.5, sound, rate)
        assert distance.shape == (2,)
        assert torch.isfinite(distance).all()


@pytest.mark.skipif(not opus_rates(), reason="opus-tools are not installed: apt-get install opus-tools")
def test_opus_sounds_better_with_more_bits(clip):
    distances = [float(loudness_distance(through_opus(clip, RATE, kbps), clip, RATE)) for kbps in (6, 12, 24)]
    assert distances == sorted(distances, reverse=True)


def test_lengths_that_differ_are_refused(clip):
    with pytest.raises(AudioformerError, match="cut both to one length"):
        loudness_distance(clip[:-1], clip, RATE)
