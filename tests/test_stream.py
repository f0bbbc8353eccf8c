"""Codes of a sound that comes in chunks of any size: exactly those of the whole clip, for each codec."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encodec_files import published, tone
from tiny import tiny_codec

from audioformer.audio import Waveform, load_audio
from audioformer.codec import Codec
from audioformer.errors import AudioformerError

LENGTHS = [1, 319, 320, 321, 640, 700, 1920, 2239, 2240, 2241, 5120, 5121, 11_000]  # around 1, 6, 7 and 16 frames


@pytest.fixture(scope="module")
def compact() -> Codec:
    codec = tiny_codec(n_encoder_blocks=2)
    with torch.no_grad():  # entries where the tone is, so that many occur
        codec.rvq.start_from(codec.frame_latents(tone(codec, 2.5)[0])[0], n_rounds=2)
    return codec


@pytest.fixture(scope="module")
def encodec(tmp_path_factory):
    """EnCodec at 24 kHz from a seeded file of the published format."""
    with published("encodec_24khz", tmp_path_factory.mktemp("weights")) as (codec, _):
        yield codec


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    """EnCodec at 48 kHz, likewise."""
    with published("encodec_48khz", tmp_path_factory.mktemp("weights")) as (codec, _):
        yield codec


@pytest.fixture(params=["compact", "encodec"])
def codec(request) -> Codec:
    """Either codec whose frames are known one by one."""
    return request.getfixturevalue(request.param)


def streamed(
    codec: Codec, samples: torch.Tensor, sizes, n_codebooks: int | None = None, every_s: float = 0.0
) -> torch.Tensor:
    """Codes of (C, N) samples pushed in chunks of the sizes that an endless iterator gives."""
    stream, parts, start = codec.stream(n_codebooks, every_s), [], 0
    while start < samples.shape[-1]:
        size = next(sizes)
        parts.append(stream.push(samples[:, start : start + size]))
        start += size
    parts.append(stream.finish())
    assert stream.n_frames == sum(part.shape[-1] for part in parts)
    return torch.cat(parts, -1)


def chunk_sizes(seed: int, longest: int):
    """Endless: mostly uneven, now and then 0 or 1 sample."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.choice([0, 1, rng.integers(0, longest)], p=[0.1, 0.1, 0.8]))


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_random_chunks_give_the_codes_of_the_whole_clip(codec, n_samples):
    samples = tone(codec, 0.5)[0, :, :n_samples]
    whole = codec.encode(samples, codec.sample_rate, n_codebooks=3)
    assert whole.shape == (1, 3, -(-n_samples // codec.hop_length))
    for seed, longest in ((n_samples, 1500), (n_samples + 1, 6000)):
        assert torch.equal(streamed(codec, samples, chunk_sizes(seed, longest), n_codebooks=3), whole), (seed, longest)


def test_many_blocks_in_one_push_and_in_many(codec):
    samples = tone(codec, 2.5)[0]  # 188 frames: 5 blocks of either codec
    whole = codec.encode(samples, codec.sample_rate, n_codebooks=2)
    assert torch.equal(streamed(codec, samples, iter([60_000]), n_codebooks=2), whole)
    assert torch.equal(streamed(codec, samples, chunk_sizes(3, 20_000), n_codebooks=2), whole)
    assert len(whole.unique()) > 2  # a comparison of constants would mean nothing


def test_one_sample_at_a_time_gives_each_code_as_soon_as_it_can_be_known():
    codec = tiny_codec(n_encoder_blocks=1)
    samples, stream, counts = tone(codec, 1300 / 24_000)[0], codec.stream(), []
    for n in range(samples.shape[-1]):
        stream.push(samples[:, n : n + 1])
        counts.append(stream.n_frames)
    ahead = round(stream.look_ahead_s * codec.sample_rate)
    assert counts == [max(0, n + 1 - ahead) // codec.hop_length for n in range(len(counts))]
    assert stream.finish().shape[-1] == 5 - 3


def test_encodec_gives_the_first_seven_frames_together_and_then_each_when_it_is_whole(encodec):
    samples, stream, counts = tone(encodec, 0.2)[0], encodec.stream(1), []
    for start in range(0, 10 * 320, 160):
        stream.push(samples[:, start : start + 160])
        counts.append(stream.n_frames)
    assert counts == [0] * 13 + [7, 7, 8, 8, 9, 9, 10]


def test_waiting_longer_changes_when_codes_come_not_which(codec):
    samples = tone(codec, 0.4)[0]
    whole = codec.encode(samples, codec.sample_rate, n_codebooks=1)
    stream, given = codec.stream(1, every_s=0.1), []
    for start in range(0, samples.shape[-1], 320):
        given.append(stream.push(samples[:, start : start + 320]))
    assert torch.equal(torch.cat([*given, stream.finish()], -1), whole)
    assert 2 <= sum(part.shape[-1] > 0 for part in given) <= 6  # of 30 pushes


@pytest.mark.parametrize("sound", ["silence", "full scale", "steps"])
def test_silence_and_extremes(codec, sound):
    samples = {
        "silence": torch.zeros(1, 5000),
        "full scale": torch.ones(1, 5000),
        "steps": torch.arange(5000)[None].div(700, rounding_mode="floor").remainder(2) - 0.5,
    }[sound]
    whole = codec.encode(samples, codec.sample_rate, n_codebooks=2)
    assert torch.equal(streamed(codec, samples, chunk_sizes(1, 3000), n_codebooks=2), whole)


def test_48_khz_stereo_comes_segment_by_segment_with_its_levels(stereo):
    samples = tone(stereo, 1.02)[0] * torch.linspace(0.05, 1, 48_960)  # 2 segments, the second short
    codes, scales = stereo.encode_scaled(samples, 48_000, n_codebooks=2)
    stream = stereo.stream(2)
    assert stream.scales.shape == (1, 0)
    parts = [stream.push(samples[:, :47_999]), stream.push(samples[:, 47_999:48_000]), stream.push(samples[:, 48_000:])]
    assert [part.shape[-1] for part in parts] == [0, 150, 0]
    assert torch.equal(torch.cat([*parts, stream.finish()], -1), codes)
    assert torch.equal(stream.scales, scales)


def test_bad_chunks_are_refused_and_nothing_is_lost(compact):
    samples = tone(compact, 0.1)[0]
    stream = compact.stream()
    first = stream.push(samples[0, :1000])
    with pytest.raises(AudioformerError, match="NaN or infinite"):
        stream.push(torch.tensor([0.1, float("nan")]))
    with pytest.raises(AudioformerError, match=r"chunk has shape \(2, 5\); tiny takes \(N,\) or \(1, N\)"):
        stream.push(torch.zeros(2, 5))
    with pytest.raises(AudioformerError, match="chunk at 16000 Hz: this stream takes 24000 Hz"):
        stream.push(Waveform(torch.zeros(1, 5), 16_000))
    rest = stream.push(Waveform(samples[:, 1000:], 24_000))
    assert torch.equal(torch.cat([first, rest, stream.finish()], -1), compact.encode(samples, 24_000))


def test_after_the_end_a_stream_takes_nothing_more(compact):
    stream = compact.stream(2)
    assert stream.push(np.zeros(0, np.float32)).shape == (1, 2, 0)
    assert stream.finish().shape == (1, 2, 0)
    for call in (stream.finish, lambda: stream.push(torch.zeros(5))):
        with pytest.raises(AudioformerError, match="the stream is finished"):
            call()
    with pytest.raises(AudioformerError, match="n_codebooks=4"):
        compact.stream(4)
    with pytest.raises(AudioformerError, match="every_s=-1"):
        compact.stream(every_s=-1)


def test_memory_does_not_grow_with_the_sound(compact):
    stream, chunk = compact.stream(1, every_s=1), tone(compact, 0.7)[0]
    held = []
    for _ in range(12):
        stream.push(chunk)
        held.append(stream._samples.untyped_storage().nbytes())
    assert max(held) <= 4 * 130 * compact.hop_length  # one block of 128 frames and its two neighbours, float32


def test_real_recordings(codec, data_root):
    paths = sorted((data_root / "esc10" / "audio").glob("*.ogg"))[::67]
    assert paths
    for seed, path in enumerate(paths):
        samples = load_audio(path, codec.sample_rate, mono=True, duration_s=3.0).samples
        whole = codec.encode(samples, codec.sample_rate)
        assert torch.equal(streamed(codec, samples, chunk_sizes(seed, 24_000)), whole), path.name
