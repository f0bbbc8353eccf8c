"""The codec's spectra: exact inverse, one hop of look-ahead, and a linear path that keeps the log-mel frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dct

from audioformer.codecs.compact import CompactCodec
from audioformer.codecs.spectra import (
    HOPS_PER_WINDOW,
    cosine_transform,
    log_mel,
    mel_filters,
    mel_to_bins,
    overlap_add,
    stft_frames,
)

HOP = 32


@pytest.mark.parametrize("n_samples", [1, 31, 32, 33, 1000])
def test_analysis_then_synthesis_gives_the_sound_back(n_samples):
    samples = torch.randn(2, n_samples, generator=torch.Generator().manual_seed(n_samples))
    back = overlap_add(stft_frames(samples, HOP), HOP)
    assert back.shape == (2, -(-n_samples // HOP) * HOP)
    expected = torch.nn.functional.pad(samples, (0, back.shape[1] - n_samples))
    torch.testing.assert_close(back, expected, atol=2e-5, rtol=0)


def test_a_spectrum_is_that_of_the_definition():
    samples = torch.randn(1, 5 * HOP, generator=torch.Generator().manual_seed(1))
    n = np.arange(HOPS_PER_WINDOW * HOP)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / n.size)
    padded = np.pad(samples[0].numpy(), HOP)
    expected = [np.fft.rfft(padded[t * HOP : t * HOP + n.size] * hann) for t in range(5)]
    np.testing.assert_allclose(stft_frames(samples, HOP)[0].numpy(), expected, atol=1e-4)


def test_a_frame_looks_one_hop_ahead_and_one_back():
    changed = torch.zeros(1, 10 * HOP)
    changed[0, 5 * HOP : 6 * HOP] = 1.0  # the fifth hop, counted from 0
    touched = stft_frames(changed, HOP).abs().amax(-1)[0] > 1e-6
    assert touched.nonzero()[:, 0].tolist() == [4, 5, 6]


def test_cosine_transform_is_scipys():
    frames = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    ours = frames @ cosine_transform(32, 64).numpy().T
    np.testing.assert_allclose(ours, dct(frames, norm="ortho")[:, :32], atol=1e-5)


@pytest.mark.parametrize(
    ("spectrum", "inside", "atol"),
    [(torch.full((481,), 0.3), slice(None), 1e-3), (torch.linspace(0, -4, 481).exp(), slice(5, -20), 0.05)],
    ids=["flat", "sloping"],
)
def test_a_smooth_spectrum_comes_back_from_its_log_mel_frame(spectrum, inside, atol):
    filters = mel_filters(24_000, 960, 64)
    weight, bias = mel_to_bins(filters)
    back = weight @ (filters @ spectrum).log() + bias
    torch.testing.assert_close(back[inside], spectrum.log()[inside], atol=atol, rtol=0)


def test_bands_without_a_bin_stay_finite():
    weight, bias = mel_to_bins(mel_filters(24_000, 16, 64))
    assert weight.isfinite().all()
    assert bias.isfinite().all()


def test_an_untrained_codec_already_keeps_the_spectrum():
    torch.manual_seed(0)
    codec = CompactCodec().eval()
    noise = torch.randn(1, 24_000) * torch.linspace(0.02, 0.4, 24_000)
    with torch.no_grad():
        decoded = codec.synthesise(codec.frame_latents(noise))[:, :24_000]
    levels = [log_mel(sound, 24_000)[0, :, 5:-5].mean(0) for sound in (decoded, noise)]
    assert (
        levels[0] - levels[1]
    ).std() < 0.15  # natural log: the level follows frame by frame, and grows by log(20) = 3
