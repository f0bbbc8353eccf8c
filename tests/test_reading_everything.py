"""Any sound, in any format, damaged in any way: samples that come and samples told missing are all that were there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fuzz_sounds import Campaign
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sounds import coded

from audioformer.audio import load_audio
from audioformer.errors import AudioformerError

QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
COUNTED = {  # formats whose header counts the samples, and their codings
    "WAV": ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
    "WAVEX": ("PCM_16", "PCM_24", "FLOAT"),
    "RF64": ("PCM_16", "PCM_24", "FLOAT"),
    "AIFF": ("PCM_16", "PCM_24", "FLOAT"),  # an odd number of bytes is padded, and the padding counted
    "AU": ("PCM_16", "PCM_24", "FLOAT", "ULAW"),
    "CAF": ("PCM_16", "PCM_24", "FLOAT"),
    "W64": ("PCM_16", "PCM_24", "FLOAT"),
    "FLAC": ("PCM_16", "PCM_24"),
    "NIST": ("PCM_16", "PCM_24"),
}
KINDS = [(form, subtype) for form, subtypes in COUNTED.items() for subtype in subtypes]


def noise(n: int, channels: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-0.5, 0.5, (n, channels)).astype(np.float32)


def missing_in(notes: tuple[str, ...]) -> int:
    """Samples that the notes say are missing."""
    return sum(int(found[1]) for note in notes if (found := re.match(r"(\d+) of \d+ samples", note)))


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sounds") / "a.bin"


@QUICK
@given(
    some.sampled_from(KINDS),
    some.sampled_from([8000, 16_000, 22_050, 44_100, 96_000]),
    some.integers(1, 8),
    some.integers(1, 20_000),
)
def test_whole_files_come_whole(path, kind, rate, channels, n):
    path.write_bytes(coded(noise(n, channels), rate, *kind))
    found = load_audio(path)
    assert found.samples.shape == (channels, n)
    assert found.sample_rate == rate
    assert found.notes == ()
    np.testing.assert_allclose(found.samples.T.numpy(), noise(n, channels), atol=0.03)


@QUICK
@given(
    some.sampled_from(KINDS), some.integers(1, 4), some.integers(2000, 20_000), some.floats(0.05, 1.0, exclude_max=True)
)
def test_of_cut_files_samples_and_missing_samples_are_all_there_were(path, kind, channels, n, share):
    content = coded(noise(n, channels), 16_000, *kind)
    path.write_bytes(content[: int(share * len(content))])
    try:
        found = load_audio(path)
    except AudioformerError:
        return  # nothing of it can be decoded
    came = found.samples.shape[1]
    assert came + missing_in(found.notes) == n
    whole = noise(n, channels)[:came]
    np.testing.assert_allclose(found.samples.T.numpy(), whole, atol=0.03)


@QUICK
@given(
    some.sampled_from(["WAV", "FLAC", "OGG"]),
    some.lists(some.integers(500, 8000), min_size=1, max_size=4),
    some.floats(0.0, 1.0),
    some.floats(0.01, 1.0),
)
def test_any_stretch_of_joined_files_is_that_of_the_whole(path, form, lengths, start, length):
    path.write_bytes(b"".join(coded(noise(n, 1), 8000, form) for n in lengths))
    found = load_audio(path)
    assert found.samples.shape == (1, sum(lengths))
    assert found.notes == ()
    first = min(int(start * sum(lengths)), sum(lengths) - 1)
    n = max(1, round(length * sum(lengths)))
    part = load_audio(path, start_s=first / 8000, duration_s=n / 8000)
    expected = found.samples[:, first : first + n]
    assert part.samples.shape == expected.shape
    assert float((part.samples - expected).abs().max()) < 1e-3


def test_some_hundred_damaged_files(tmp_path):
    """The short form of `python -m tests.fuzz_sounds`."""
    campaign = Campaign(seed=0, folder=tmp_path)
    for _ in range(300):
        campaign.one()
    assert campaign.findings == []
    assert min(campaign.counts.values()) > 20
