"""Codes that stay when a sound changes a little: known answers."""

import numpy as np
import pytest
import torch

from audioformer import load_codec
from audioformer.audio import load_audio
from audioformer.errors import AudioformerError
from audioformer.explain.stability import CHANGES, Change, changed_sound, stability
from audioformer.files import samples_folder

RATE_HZ, HOP = 24_000, 320


@pytest.fixture(scope="module")
def codec():
    return load_codec("compact")


@pytest.fixture(scope="module")
def sound():
    """Two seconds of a gliding tone between silences, so that no edge of the file tells the two codings apart."""
    times_s = np.arange(2 * RATE_HZ) / RATE_HZ
    glide = 0.4 * np.sin(2 * np.pi * (200 * times_s + 150 * times_s**2)) * np.hanning(len(times_s))
    return np.concatenate([np.zeros(RATE_HZ), glide, np.zeros(RATE_HZ)]).astype(np.float32)


def test_a_sound_moved_by_one_frame_has_the_same_codes_one_frame_later(codec, sound):
    moved = codec.encode(np.pad(sound, (HOP, 0)), RATE_HZ)[0]
    found = stability(codec, sound, RATE_HZ, [Change("moved", HOP), Change("moved", 0)])
    same = (moved[:, 1:301] == codec.encode(sound, RATE_HZ)[0])[:, found.counted].float().mean(1)
    torch.testing.assert_close(found.stay[0], same)
    assert found.stay[0].min() > 0.99  # the same frames, but for rounding
    assert torch.equal(found.stay[1], torch.ones(8))


def test_row_by_row_fewer_codes_stay(codec):
    found = stability(codec, load_audio(sorted((samples_folder() / "audio").iterdir())[0], mono=True))
    assert found.stay.shape == (len(CHANGES), 8)
    for change, stay in zip(found.changes, found.stay, strict=True):
        if change != Change("moved", HOP):
            assert stay[0] > stay[-1]
    one, middle = (found.stay[found.changes.index(Change("moved", n))] for n in (1, 160))
    assert one[0] > middle[0]


def test_silence_counts_for_nothing(codec, sound):
    found = stability(codec, sound, RATE_HZ, [Change("moved", 160)])
    assert 0.4 < found.counted.float().mean() < 0.8  # two of four seconds, and the half seconds at the edges
    assert found.changed[0].shape == found.codes.shape
    nothing = stability(codec, np.zeros(RATE_HZ, np.float32), RATE_HZ, [Change("moved", 160)])
    assert nothing.stay.isnan().all()


def test_the_changes_are_what_they_say(sound):
    samples = torch.from_numpy(sound)
    assert torch.equal(changed_sound(samples, Change("moved", 5))[5:], samples)
    louder = changed_sound(samples, Change("louder", 3))
    assert float(20 * (louder.norm() / samples.norm()).log10()) == pytest.approx(3, abs=1e-4)
    noise = changed_sound(samples, Change("noise", 30)) - samples
    assert float(20 * (samples.norm() / noise.norm()).log10()) == pytest.approx(30, abs=0.1)
    assert torch.equal(changed_sound(samples, Change("noise", 30)), samples + noise)  # seeded


@pytest.mark.parametrize("kind_amount", [("moved", 1.5), ("moved", -1), ("faster", 1), ("noise", float("nan"))])
def test_a_change_that_there_is_not_is_refused(kind_amount):
    with pytest.raises(AudioformerError, match="kinds are"):
        Change(*kind_amount)
