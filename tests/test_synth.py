"""Synthetic sounds: repeatable, audible, with the physics they claim; scenes whose times and levels are right."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest

from audioformer.data.synth import (
    CLASSES,
    ESC10_CLASSES,
    SOURCES,
    Event,
    Scene,
    dsp,
    iter_clips,
    room,
    synth_clip,
    synth_event,
    synth_scene,
)
from audioformer.errors import AudioformerError

ESC50_TARGETS = dict(zip(ESC10_CLASSES, (0, 1, 10, 11, 12, 20, 21, 38, 40, 41), strict=True))


def rms_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) + 1e-20))


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.fft.rfftfreq(len(samples), 1 / 24000), np.abs(np.fft.rfft(samples)) ** 2


# ---- classes -------------------------------------------------------------------------------------------------------


def test_there_are_many_classes_and_esc10_comes_first_with_its_own_numbers():
    assert len(CLASSES) >= 28
    assert {name: SOURCES[name].target for name in CLASSES[:10]} == ESC50_TARGETS
    targets = [source.target for source in SOURCES.values()]
    assert len(set(targets)) == len(targets)
    assert min(targets[10:]) >= 100


@pytest.mark.parametrize("label", CLASSES)
def test_every_class_gives_sound_clips(label: str):
    clips = [synth_clip(label, seed, duration_s=2.0) for seed in range(3)]
    low, high = SOURCES[label].peak
    for clip in clips:
        assert clip.dtype == np.float32
        assert clip.shape == (48000,)
        assert np.isfinite(clip).all()
        assert 0.99 * low <= np.abs(clip).max() <= 1.01 * high
        assert rms_db(clip) > -65
        assert abs(clip.mean()) < 0.02  # no offset
    np.testing.assert_array_equal(clips[0], synth_clip(label, 0, duration_s=2.0))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(clips[one], clips[other])[0, 1]) < 0.5


@pytest.mark.parametrize("label", CLASSES)
def test_every_class_gives_dry_events(label: str):
    event = synth_event(label, np.random.default_rng(5), sample_rate=16000, max_s=3.0)
    assert 0.03 * 16000 < len(event) <= 3.0 * 16000
    assert np.abs(event).max() == pytest.approx(1.0, abs=1e-6)
    assert abs(event[0]) < 0.05
    assert abs(event[-1]) < 0.05


@pytest.mark.parametrize(("sample_rate", "duration_s"), [(8000, 0.1), (48000, 0.37)])
def test_any_rate_and_length_gives_a_clip(sample_rate: int, duration_s: float):
    for label in CLASSES:
        clip = synth_clip(label, 1, duration_s, sample_rate)
        assert len(clip) == round(duration_s * sample_rate)
        assert np.abs(clip).max() > 0.05


def test_a_clip_does_not_depend_on_the_process():
    code = (
        "from audioformer.data.synth import synth_clip; import hashlib; "
        "print(hashlib.sha256(synth_clip('dog', 4)).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(synth_clip("dog", 4)).hexdigest()


def test_sounds_have_the_physics_they_claim():
    hz, power = spectrum(synth_event("cricket", np.random.default_rng(0)))
    assert 2500 < hz[power.argmax()] < 7000
    hz, power = spectrum(synth_event("cow", np.random.default_rng(0)))
    assert power[hz < 1500].sum() > 0.8 * power.sum()
    envelope = np.abs(synth_event("clock_tick", np.random.default_rng(3), max_s=5.0)).reshape(-1)
    assert np.mean(envelope < 0.05) > 0.7  # mostly silence between ticks
    rain = synth_event("rain", np.random.default_rng(1))
    blocks = rain[: len(rain) // 2400 * 2400].reshape(-1, 2400).std(axis=1)[1:-1]
    assert blocks.std() / blocks.mean() < 0.5  # steady


# ---- building blocks -----------------------------------------------------------------------------------------------


def test_pulses_have_the_pitch_they_are_given():
    samples = dsp.pulses(np.random.default_rng(0), np.full(24000, 220.0), 24000, jitter=0.0)
    hz, power = spectrum(samples)
    harmonic = np.abs(hz / 220 - np.round(hz / 220)) < 0.01
    assert power[harmonic].sum() > 0.99 * power.sum()
    assert hz[power.argmax()] == pytest.approx(220, abs=1)


def test_ring_decays_and_sounds_at_its_mode():
    samples = dsp.ring(dsp.impulse(24000), 24000, [1000.0], [0.1], [1.0])
    hz, power = spectrum(samples)
    assert hz[power.argmax()] == pytest.approx(1000, abs=2)
    assert np.abs(samples[2400:4800]).max() / np.abs(samples[:2400]).max() == pytest.approx(np.exp(-1), rel=0.05)


def test_shaped_noise_follows_its_points():
    samples = dsp.shaped_noise(
        np.random.default_rng(0), 240000, 24000, [(100, 0), (1000, 0), (1001, -40), (12000, -40)]
    )
    hz, power = spectrum(samples)
    drop = power[(hz > 200) & (hz < 900)].mean() / power[(hz > 1500) & (hz < 9000)].mean()
    assert 10 * np.log10(drop) == pytest.approx(40, abs=0.5)
    assert samples.std() == pytest.approx(1, rel=1e-6)


def test_filter_frames_with_unit_gain_changes_nothing():
    samples = np.random.default_rng(0).standard_normal(5000)
    same = dsp.filter_frames(samples, 24000, lambda position, hz: np.ones((len(position), len(hz))))
    np.testing.assert_allclose(same, samples, atol=1e-9)


def test_sparse_has_the_rate_it_is_given():
    train = dsp.sparse(np.random.default_rng(0), 24000 * 60, 24000, 50.0)
    assert np.count_nonzero(train) == pytest.approx(3000, rel=0.08)


def test_room_keeps_the_direct_sound_first():
    response = room.impulse_response(np.random.default_rng(0), 24000, wetness=0.0)
    np.testing.assert_allclose(room.reverberate(dsp.impulse(100), response)[:100], dsp.impulse(100), atol=1e-12)
    assert room.impulse_response(np.random.default_rng(1), 24000)[0] == 1.0


# ---- scenes --------------------------------------------------------------------------------------------------------


def test_scene_is_repeatable_and_well_formed():
    scene, again, other = synth_scene(11), synth_scene(11), synth_scene(12)
    np.testing.assert_array_equal(scene.samples, again.samples)
    assert scene.events == again.events
    assert not np.array_equal(scene.samples, other.samples)
    assert scene.samples.shape == (240000,)
    assert 0.25 < np.abs(scene.samples).max() < 1
    assert scene.main_label in scene.labels


@pytest.mark.parametrize("seed", range(12))
def test_event_times_and_levels_match_the_sound(seed: int):
    scene = synth_scene(seed, duration_s=10.0, max_events=1, classes=["dog", "siren", "piano", "rain", "sneezing"])
    (event,) = scene.events
    on, off = round(event.onset_s * 24000), round(event.offset_s * 24000)
    assert 0 <= on < off <= len(scene.samples)
    inside, outside = scene.samples[on:off], np.concatenate([scene.samples[:on], scene.samples[off:]])
    assert rms_db(inside) > rms_db(outside) + 6
    assert rms_db(inside) == pytest.approx(event.level_db, abs=1.5)


def test_scenes_hold_up_to_max_events_and_overlap():
    scenes = [synth_scene(seed, max_events=5) for seed in range(25)]
    counts = [len(scene.events) for scene in scenes]
    assert min(counts) == 1
    assert max(counts) == 5
    assert all(scene.events == sorted(scene.events, key=lambda e: e.onset_s) for scene in scenes)
    assert any(a.offset_s > b.onset_s for s in scenes for a, b in zip(s.events, s.events[1:], strict=False))


def test_main_label_is_the_one_with_most_energy():
    events = [Event("dog", 0.0, 1.0, -10.0), Event("rain", 0.0, 9.0, -15.0), Event("cow", 2.0, 3.0, -30.0)]
    assert Scene(np.zeros(1, np.float32), 24000, events, 0).main_label == "rain"


def test_iter_clips_can_be_shared_between_workers():
    whole = list(iter_clips(6, 3, ["dog", "cow"], duration_s=0.5))
    second_half = list(iter_clips(3, 3, ["dog", "cow"], duration_s=0.5, start=3))
    assert [label for _, label in whole] == ["dog", "cow"] * 3
    for (one, label), (other, other_label) in zip(whole[3:], second_half, strict=True):
        assert label == other_label
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: synth_clip("unicorn", 0), "no synthetic class 'unicorn'; choose from dog"),
        (lambda: synth_clip("dog", -1), "seed=-1 must be a whole number"),
        (lambda: synth_clip("dog", 1.5), "seed=1.5 must be a whole number"),
        (lambda: synth_clip("dog", 2**32), "seed=4294967296 must be"),
        (lambda: synth_clip("dog", True), "seed=True must be"),
        (lambda: synth_clip("dog", 0, duration_s=0), "duration_s=0 must be between"),
        (lambda: synth_clip("dog", 0, duration_s=float("nan")), "duration_s=nan must be between"),
        (lambda: synth_clip("dog", 0, sample_rate=100), "sample_rate=100 must be between"),
        (lambda: synth_event("dog", np.random.default_rng(0), max_s=1e6), "duration_s=1000000.0 must"),
        (lambda: synth_scene(0, max_events=0), "max_events=0 must be between 1 and 32"),
        (lambda: synth_scene(0, classes=[]), "classes is empty"),
        (lambda: next(iter_clips(-1, 0)), "n=-1 and start=0 must not be negative"),
    ],
)
def test_bad_requests_are_refused(call, message: str):
    with pytest.raises(AudioformerError, match=re.escape(message)):
        call()
