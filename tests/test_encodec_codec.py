"""EnCodec through the real loading path, with seeded weights in files of the published format, against the package."""

from __future__ import annotations

import math

import pytest
import torch
from encodec_files import publish, published, tone

from audioformer.audio import load_audio, save_audio
from audioformer.cli import main
from audioformer.codecs import encodec as encodec_codec
from audioformer.codecs.codes_file import load_codes
from audioformer.codecs.encodec import load_encodec
from audioformer.codecs.encodec_files import RELEASES
from audioformer.errors import AudioformerError


@pytest.fixture(scope="module")
def pair_24(tmp_path_factory):
    """24 kHz: (codec loaded from a file in a folder, the package's model with the same weights)."""
    with published("encodec_24khz", tmp_path_factory.mktemp("weights")) as pair:
        yield pair


@pytest.fixture(scope="module")
def pair_48(tmp_path_factory):
    """48 kHz: (codec loaded from a file in a folder, the package's model with the same weights)."""
    with published("encodec_48khz", tmp_path_factory.mktemp("weights")) as pair:
        yield pair


@pytest.fixture(params=["pair_24", "pair_48"])
def pair(request):
    """Either of them: what holds for both."""
    return request.getfixturevalue(request.param)


def test_what_it_says_about_itself(pair):
    codec, model = pair
    rate, rows, look_ahead_s = {"encodec_24khz": (75, 32, 0.0), "encodec_48khz": (150, 16, 1.0)}[codec.name]
    assert (codec.frame_rate, codec.n_codebooks, codec.codebook_size) == (rate, rows, 1024)
    assert (codec.sample_rate, codec.channels) == (model.sample_rate, model.channels)
    assert codec.look_ahead_s == look_ahead_s
    assert codec.bandwidth_kbps(rows) == 24
    assert "CC BY-NC 4.0" in codec.licence
    assert "not for commercial use" in codec.licence
    assert not codec.training
    assert not any(parameter.requires_grad for parameter in codec.parameters())


@torch.no_grad()
def test_codes_are_those_of_the_package_at_every_bandwidth(pair):
    codec, model = pair
    samples = tone(model, 0.5, clips=2)
    for bandwidth_kbps in model.target_bandwidths:
        model.set_target_bandwidth(bandwidth_kbps)
        expected = model.encode(samples)[0][0]
        codes = codec.encode(samples, codec.sample_rate, n_codebooks=expected.shape[1])
        assert codec.bandwidth_kbps(codes.shape[1]) == bandwidth_kbps
        assert codes.dtype == torch.int64
        assert torch.equal(codes, expected)
    assert len(codes.unique()) > 200  # the comparison means something only where many codes occur


@torch.no_grad()
def test_decoding_is_that_of_the_package(pair_24):
    codec, model = pair_24
    samples = tone(model, 0.3)
    model.set_target_bandwidth(6.0)
    frames = model.encode(samples)
    codes = codec.encode(samples, codec.sample_rate, n_codebooks=8)
    assert torch.equal(codec.decode(codes), model.decode(frames))
    assert codec.decode(codes, n_samples=samples.shape[-1]).shape == samples.shape


@torch.no_grad()
def test_latents_block_by_block_are_those_of_the_package(pair_24):
    codec, model = pair_24
    for n_samples in (16_800, 16_911):  # 53 frames in blocks of 16, 16 and 32, the last one whole or not
        samples = tone(model, 0.71)[..., :n_samples]
        torch.testing.assert_close(codec.latents(samples, 24_000), model.encoder(samples), rtol=1e-4, atol=1e-5)


def test_a_long_clip_decoded_in_pieces_is_the_clip_in_one(pair_24, monkeypatch):
    codec, _ = pair_24
    codes = torch.randint(0, 1024, (1, 4, 53), generator=torch.Generator().manual_seed(3))  # pieces of 20, 20 and 13
    sound = codec.decode(codes)
    monkeypatch.setattr(encodec_codec, "PIECE_FRAMES", 20)
    torch.testing.assert_close(codec.decode(codes), sound, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(encodec_codec, "CONTEXT_FRAMES", 0)  # without the context it is another sound
    assert not torch.allclose(codec.decode(codes), sound, rtol=1e-2, atol=1e-3)


def test_the_global_random_state_is_left_alone(pair, tmp_path):
    codec, model = pair
    path = publish(model.state_dict(), codec.name, tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    again = load_encodec(codec.name, weights=path)  # a file is as good as its folder
    again.encode(tone(model, 0.1), codec.sample_rate, n_codebooks=1)
    assert torch.equal(torch.rand(3), expected)
    assert again.fingerprint == codec.fingerprint


def test_unknown_names_and_devices_are_refused(pair):
    codec, _ = pair
    with pytest.raises(AudioformerError, match="'encodec_16khz': no such EnCodec; choose encodec_24khz or"):
        load_encodec("encodec_16khz")
    with pytest.raises(AudioformerError, match="codes range over 0..1024"):
        codec.decode(torch.tensor([[[0, 1024]]]))
    with pytest.raises(AudioformerError, match="scales have shape .* give the scales that encode_scaled returned"):
        codec.decode(torch.zeros(1, 1, 5, dtype=torch.int64), scales=torch.ones(1, 2))


@torch.no_grad()
def test_48_khz_codes_and_sound_of_several_segments_are_those_of_the_package(pair_48):
    codec, model = pair_48
    samples = tone(model, 1.2) * torch.linspace(0.05, 1, 57600)
    model.set_target_bandwidth(3.0)
    frames = model.encode(samples)
    codes, scales = codec.encode_scaled(samples, 48000, n_codebooks=2)
    assert [part.shape[-1] for part, _ in frames] == codec.segment_lengths(codes.shape[-1]) == [150, 32]
    assert torch.equal(codes, torch.cat([part for part, _ in frames], dim=-1))
    assert torch.equal(scales, torch.cat([scale for _, scale in frames], dim=-1))
    sound = codec.decode(codes, n_samples=57600, scales=scales)
    assert torch.equal(sound, model.decode(frames)[..., :57600])
    unit = model.decode([(part, torch.ones_like(scale)) for part, scale in frames])
    assert torch.equal(codec.decode(codes), unit)


def test_48_khz_borders_are_found_from_the_number_of_frames_alone(pair_48):
    codec, model = pair_48
    stride, length = model.segment_stride, model.segment_length
    assert (stride, length) == (47520, 48000)
    around = [m * stride + d for m in (1, 2, 5) for d in (-320, -1, 0, 1, 160, 161, 320, 321, 480, 481, 30000)]
    for n_samples in [1, 320, 321, *around]:
        parts = [min(length, n_samples - start) for start in range(0, n_samples, stride)]
        frames = [math.ceil(part / 320) for part in parts]
        assert codec.segment_lengths(sum(frames)) == frames, n_samples


def test_48_khz_keeps_its_level_on_the_way_through_a_file(pair_48, tmp_path_factory, tmp_path, capsys):
    codec, model = pair_48
    samples = tone(model, 1.2)[0] * torch.linspace(0.05, 1, 57600)
    save_audio(tmp_path / "in.wav", samples, 48_000)
    weights = next(tmp_path_factory.getbasetemp().glob(f"*/{RELEASES['encodec_48khz'].filename}"))
    codes, options = str(tmp_path / "c.safetensors"), ["--weights", str(weights)]
    assert main(["encode", str(tmp_path / "in.wav"), "-o", codes, "--codec", "encodec_48khz", *options]) == 0
    assert main(["decode", codes, "-o", str(tmp_path / "out.wav"), *options]) == 0
    capsys.readouterr()
    file, sound = load_codes(codes), load_audio(tmp_path / "in.wav")
    expected, scales = codec.encode_scaled(sound)
    assert torch.equal(file.codes, expected)
    assert torch.equal(file.scales, scales)
    decoded = codec.decode(expected, 57600, scales)[0].clamp(-1, 1)
    torch.testing.assert_close(load_audio(tmp_path / "out.wav").samples, decoded, atol=1e-3, rtol=0)
