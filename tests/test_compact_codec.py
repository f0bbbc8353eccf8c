"""The compact codec: lengths, prefixes, causality, silence, and an hour at a time."""

from __future__ import annotations

import pytest
import torch
from tiny import RATE, tiny_codec

from audioformer.codecs import compact as compact_codec
from audioformer.codecs.compact import CompactCodec, CompactConfig

HOP = 320


@pytest.fixture(scope="module")
def codec() -> CompactCodec:
    return tiny_codec(n_encoder_blocks=2, n_decoder_blocks=2)


def sound(n_samples: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(n_samples, generator=torch.Generator().manual_seed(seed))


def test_the_default_sizes_are_those_the_kit_promises():
    config = CompactConfig()
    assert (config.sample_rate, config.hop_length, config.n_codebooks, config.codebook_size) == (24_000, 320, 8, 1024)
    full = CompactCodec(config)
    assert full.frame_rate == 75
    assert full.bandwidth_kbps(8) == pytest.approx(6.0)
    assert full.look_ahead_s == pytest.approx(320 / 24_000)


@pytest.mark.parametrize("n_samples", [1, 2, 319, 320, 321, 24_000, 24_001])
def test_length_is_rounded_up_to_whole_frames(codec, n_samples):
    codes = codec.encode(sound(n_samples), RATE)
    n_frames = -(-n_samples // HOP)
    assert codes.shape == (1, 3, n_frames)
    assert codec.latents(sound(n_samples), RATE).shape == (1, codec.config.d_latent, n_frames)
    assert codec.decode(codes).shape == (1, 1, n_frames * HOP)
    assert codec.decode(codes, n_samples=n_samples).shape == (1, 1, n_samples)


def test_fewer_codebooks_are_a_prefix_of_more(codec):
    everything = codec.encode(sound(5000), RATE)
    for k in (1, 2, 3):
        assert torch.equal(codec.encode(sound(5000), RATE, n_codebooks=k), everything[:, :k])


def test_a_clip_is_coded_alike_alone_and_in_a_batch(codec):
    batch = torch.stack([sound(5000, seed) for seed in range(3)])[:, None]
    codes = codec.encode(batch, RATE)
    for one, alone in zip(codes, batch, strict=True):
        assert (codec.encode(alone, RATE)[0] == one).float().mean() > 0.98  # sums may round differently


def test_codes_do_not_depend_on_sound_beyond_the_look_ahead(codec):
    first, second = sound(40 * HOP), sound(40 * HOP)
    changed_from = 20 * HOP
    second[changed_from:] = sound(20 * HOP, seed=9)
    untouched = changed_from // HOP - round(
        codec.look_ahead_s * codec.frame_rate
    )  # frames whose look-ahead ends before
    latents = [codec.latents(x, RATE) for x in (first, second)]
    assert torch.equal(latents[0][..., :untouched], latents[1][..., :untouched])
    assert not torch.allclose(latents[0][..., untouched], latents[1][..., untouched])
    codes = [codec.encode(x, RATE) for x in (first, second)]
    assert torch.equal(codes[0][..., :untouched], codes[1][..., :untouched])


def test_the_decoder_looks_as_far_ahead_as_its_blocks_say(codec):
    codes = codec.encode(sound(40 * HOP), RATE)
    changed = codes.clone()
    changed[..., 20] = (codes[..., 20] + 1) % codec.codebook_size
    touched = (codec.decode(codes) - codec.decode(changed)).abs()[0, 0].view(40, HOP).amax(1) > 1e-7
    ahead = codec.config.n_decoder_blocks * codec.config.decoder_look_ahead + 1  # one more by overlap-add
    assert int(touched.nonzero()[0]) == 20 - ahead


@pytest.mark.parametrize("n_samples", [1, 5000])
def test_silence_and_full_scale_stay_finite(codec, n_samples):
    for samples in (torch.zeros(n_samples), torch.ones(n_samples), -torch.ones(n_samples), 1e-8 * sound(n_samples)):
        assert torch.isfinite(codec.latents(samples, RATE)).all()
        assert torch.isfinite(codec.decode(codec.encode(samples, RATE))).all()


def test_silence_is_coded_steadily(codec):
    codes = codec.encode(torch.zeros(60 * HOP), RATE)[0]
    settled = codes[:, 20:-1]
    assert (settled == settled[:, :1]).all()


def test_long_sounds_are_decoded_piece_by_piece_with_the_same_result(codec, monkeypatch):
    codes = codec.encode(sound(100 * HOP + 77), RATE)
    decoded = codec.decode(codes)
    for length in (9, 30, 101):
        monkeypatch.setattr(compact_codec, "PIECE_FRAMES", length)
        torch.testing.assert_close(codec.decode(codes), decoded, atol=1e-5, rtol=1e-5)
