"""The classic baseline: what its vectors hold, and that they classify."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audioformer.audio import Waveform
from audioformer.data.datasets import open_dataset
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import (
    N_CEPSTRA,
    N_MELS,
    N_SEGMENTS,
    accuracy,
    clip_features,
    dataset_features,
    fit_svm,
)

RATE = 24_000
LEVELS = slice(3 * N_CEPSTRA, 3 * N_CEPSTRA + N_MELS)


def tone(hz: float, seconds: float = 0.5, rate: int = RATE) -> torch.Tensor:
    """(N,) a sine of half full scale."""
    return 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("n_samples", [1, 100, 2_000, 24_000, 120_000])
def test_a_clip_of_any_length_gives_one_finite_vector(n_samples):
    vector = clip_features(torch.rand(n_samples, generator=torch.Generator().manual_seed(n_samples)) - 0.5, RATE)
    assert vector.shape == (338,)
    assert np.isfinite(vector).all()
    silent = clip_features(torch.zeros(n_samples), RATE)
    assert np.abs(silent[N_CEPSTRA : 3 * N_CEPSTRA]).max() < 1e-9


@pytest.mark.parametrize("rate", [8_000, RATE])
def test_the_mean_level_is_highest_where_the_tone_is_whatever_the_rate(rate):
    places = [clip_features(tone(hz, rate=rate), rate)[LEVELS].argmax() for hz in (400, 3_000)]
    assert places == [clip_features(tone(hz), RATE)[LEVELS].argmax() for hz in (400, 3_000)]
    assert 0 < places[0] < places[1] < N_MELS


def test_gain_moves_level_but_not_shape():
    sound = torch.randn(RATE, generator=torch.Generator().manual_seed(1)) * torch.linspace(0, 0.3, RATE)
    loud, soft = clip_features(sound, RATE), clip_features(sound / 8, RATE)
    assert np.abs(loud - soft)[LEVELS] == pytest.approx(np.log(8), abs=1e-3)
    assert loud[1:N_CEPSTRA] == pytest.approx(soft[1:N_CEPSTRA], abs=1e-3)
    assert loud[N_CEPSTRA : 3 * N_CEPSTRA] == pytest.approx(soft[N_CEPSTRA : 3 * N_CEPSTRA], abs=1e-3)


def test_dither_far_below_the_sound_changes_nothing():
    sound = torch.cat(
        [torch.zeros(RATE // 2), 0.3 * torch.randn(RATE // 2, generator=torch.Generator().manual_seed(2))]
    )
    dither = 1e-5 * torch.randn(RATE, generator=torch.Generator().manual_seed(3))
    assert clip_features(sound + dither, RATE) == pytest.approx(clip_features(sound, RATE), abs=5e-3)


def test_order_in_time_counts():
    rising, falling = torch.cat([tone(300), tone(3_000)]), torch.cat([tone(3_000), tone(300)])
    stretches = slice(-20 * N_SEGMENTS, None)
    first, second = clip_features(rising, RATE), clip_features(falling, RATE)
    assert np.abs(first - second)[stretches].max() > 10 * np.abs(first - second)[:N_CEPSTRA].max()


def test_it_tells_synthetic_classes_apart():
    rng = np.random.default_rng(0)
    sounds = [tone(hz) + 0.1 * torch.from_numpy(rng.standard_normal(RATE // 2)).float() for hz in [300, 900, 2700] * 8]
    features, labels = np.stack([clip_features(s, RATE) for s in sounds]), ["low", "middle", "high"] * 8
    svm = fit_svm(features[:12], labels[:12])
    assert accuracy(svm, features[12:], labels[12:]) == 1.0
    assert accuracy(svm, features[12:], labels[13:] + labels[12:13]) == 0.0


def test_a_treatment_is_applied_before_the_vector():
    class Clip:
        id = "tone"

        def load(self, mono: bool):
            assert mono
            return Waveform(tone(500)[None], RATE)

    doubled = dataset_features([Clip()], lambda samples, rate: (2 * samples, rate))
    assert doubled[0] == pytest.approx(clip_features(2 * tone(500), RATE))


def test_what_is_no_clip_or_cannot_be_fitted_is_refused():
    for samples in (torch.zeros(2, 100), torch.zeros(0), torch.tensor([float("nan")] * 50)):
        with pytest.raises(AudioformerError, match="expected|0 samples|NaN"):
            clip_features(samples, RATE)
    for labels in (["a", "a"], ["a", "b", "c"]):
        with pytest.raises(AudioformerError, match="give one each"):
            fit_svm(np.zeros((2, 3)), labels)


def test_real_digits_of_known_speakers_are_told_apart(data_root):
    takes = {"5", "14", "15", "16", "17"}
    clips = [clip for clip in open_dataset("fsdd", data_root / "fsdd") if clip.id.split("_")[-1] in takes]
    features, labels = dataset_features(clips), [clip.labels[0] for clip in clips]
    train = np.array([clip.fold != 1 for clip in clips])
    svm = fit_svm(features[train], np.array(labels)[train])
    assert accuracy(svm, features[~train], np.array(labels)[~train]) >= 0.9
