"""The codec's STFT: exact inverse, its own frame grid, one hop of look-ahead and no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audioformer.codecs.spectra import HOPS_PER_WINDOW, overlap_add, stft_frames

HOP = 32


@pytest.mark.parametrize("n_samples", [1, 31, 32, 33, 320, 1000])
def test_analysis_then_synthesis_gives_the_sound_back(n_samples):
    torch.manual_seed(n_samples)
    samples = torch.randn(2, n_samples)
    back = overlap_add(stft_frames(samples, HOP), HOP)
    assert back.shape == (2, -(-n_samples // HOP) * HOP)
    torch.testing.assert_close(back[:, :n_samples], samples, atol=2e-5, rtol=0)
    torch.testing.assert_close(back[:, n_samples:], torch.zeros(2, back.shape[1] - n_samples), atol=2e-5, rtol=0)


def test_shape_and_values_are_those_of_the_definition():
    samples = torch.randn(1, 5 * HOP, generator=torch.Generator().manual_seed(1))
    spectrum = stft_frames(samples, HOP)
    assert spectrum.shape == (1, 5, HOPS_PER_WINDOW * HOP // 2 + 1)
    padded = np.pad(samples[0].numpy(), HOP)
    n = np.arange(HOPS_PER_WINDOW * HOP)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / n.size)
    for t in range(5):
        expected = np.fft.rfft(padded[t * HOP : t * HOP + n.size] * hann)
        np.testing.assert_allclose(spectrum[0, t].numpy(), expected, atol=1e-4)


def test_a_frame_looks_one_hop_ahead_and_one_back():
    base, changed = torch.zeros(1, 10 * HOP), torch.zeros(1, 10 * HOP)
    changed[0, 5 * HOP : 6 * HOP] = 1.0  # the fifth hop, counted from 0
    touched = (stft_frames(changed, HOP) - stft_frames(base, HOP)).abs().amax(-1)[0] > 1e-6
    assert touched.nonzero()[:, 0].tolist() == [4, 5, 6]


def test_squared_windows_add_up_to_nine_eighths():
    window = torch.hann_window(HOPS_PER_WINDOW * HOP).square().view(HOPS_PER_WINDOW, HOP)
    torch.testing.assert_close(window.sum(0), torch.full((HOP,), 9 / 8))


def test_gradients_reach_the_spectrum():
    spectrum = stft_frames(torch.randn(1, 3 * HOP), HOP).detach().requires_grad_(True)
    overlap_add(spectrum, HOP).square().sum().backward()
    assert torch.isfinite(torch.view_as_real(spectrum.grad)).all()
    assert spectrum.grad.abs().sum() > 0
