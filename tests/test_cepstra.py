"""The linear path: an orthonormal transform, and a spectrum that gives the log-mel frame it was made from."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct

from audioformer.codecs.compact import CompactCodec
from audioformer.codecs.spectra import cosine_transform, log_mel, mel_filters, mel_to_bins


def test_cosine_transform_is_scipys():
    frames = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    ours = frames @ cosine_transform(32, 64).numpy().T
    np.testing.assert_allclose(ours, dct(frames, norm="ortho")[:, :32], atol=1e-5)


def test_cosine_transform_rows_are_orthonormal():
    transform = cosine_transform(64, 64)
    torch.testing.assert_close(transform @ transform.T, torch.eye(64), atol=1e-5, rtol=0)


def test_a_flat_spectrum_comes_back():
    filters = mel_filters(24_000, 960, 64)
    spectrum = torch.full((481,), 0.3)
    weight, bias = mel_to_bins(filters)
    back = weight @ (filters @ spectrum).log() + bias
    torch.testing.assert_close(back, spectrum.log(), atol=1e-3, rtol=0)


def test_a_sloping_spectrum_nearly_comes_back():
    filters = mel_filters(24_000, 960, 64)
    spectrum = torch.linspace(0, -4, 481).exp()
    weight, bias = mel_to_bins(filters)
    back = weight @ (filters @ spectrum).log() + bias
    assert (back - spectrum.log())[5:-20].abs().max() < 0.05


def test_bands_without_a_bin_stay_finite():
    weight, bias = mel_to_bins(mel_filters(24_000, 16, 64))
    assert weight.isfinite().all()
    assert bias.isfinite().all()


def test_an_untrained_codec_already_keeps_the_spectrum():
    torch.manual_seed(0)
    codec = CompactCodec().eval()
    noise = torch.randn(1, 24_000) * torch.linspace(0.02, 0.4, 24_000)
    with torch.no_grad():
        latents = codec.frame_latents(noise)
        decoded = codec.synthesise(latents)[:, :24_000]
    heard, wanted = (log_mel(sound, 24_000)[0, :, 5:-5].mean(0) for sound in (decoded, noise))
    difference = heard - wanted
    assert difference.std() < 0.15  # natural-log units: the level follows frame by frame, while it grows by log(20) = 3
