"""augment.py, effects.py, variants.py: each change does what it says, by the numbers; the seed decides all."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioformer.data import effects
from audioformer.data.augment import PRESETS, AugmentConfig, TimeMap, augment, augment_preset, augment_with_times
from audioformer.data.datasets.base import AudioDataset, Clip
from audioformer.data.variants import VariantMaker
from audioformer.errors import AudioformerError

RATE = 24000
EVERYTHING = AugmentConfig(**{name: 1.0 for name in AugmentConfig.__dataclass_fields__ if name.endswith("_chance")})


def tone(hz: float = 440.0, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def noise(seconds: float = 1.0, level: float = 0.1, seed: int = 9) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def peak_hz(x: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(x * np.hanning(x.size))).argmax()) * RATE / x.size


def band_db(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(x.size, 1 / RATE)
    return 10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean())


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.18])
def test_speed_changes_pitch_and_length(factor):
    out = effects.change_speed(tone(), factor)
    assert out.size == pytest.approx(RATE / factor, abs=2)
    assert peak_hz(out) == pytest.approx(440 * factor, abs=2)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.18])
def test_tempo_changes_length_alone(factor):
    out = effects.change_tempo(tone(), RATE, factor)
    assert out.size == round(RATE / factor)
    assert peak_hz(out) == pytest.approx(440, abs=2)
    middle = out[2000:-2000]
    assert effects.rms(middle) == pytest.approx(0.5 / 2**0.5, rel=0.03)  # frames that fit join without dips
    others = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    hz = np.fft.rfftfreq(middle.size, 1 / RATE)
    assert others[np.abs(hz - 440) > 40].max() < 0.02 * others.max()


def test_tempo_one_gives_the_sound_back():
    x = noise()
    np.testing.assert_allclose(effects.change_tempo(x, RATE, 1.0)[:-1000], x[:-1000], atol=1e-5)


@pytest.mark.parametrize("by", [0, 3, -3, 100, -100])
def test_shift_moves_and_fills_with_silence(by):
    x = np.arange(1, 11, dtype=np.float32)
    expected = [x[i - by] if 0 <= i - by < 10 else 0 for i in range(10)]
    np.testing.assert_array_equal(effects.shift(x, by), expected)


def test_padding_puts_silence_around_and_moves_events():
    x = tone(seconds=1.0)
    config = AugmentConfig(pad_chance=1.0, pad_s=(0.1, 0.3))
    out, times = augment_with_times(x, RATE, rng(5), config)
    before = np.flatnonzero(out)[0] - 1  # a sine begins with 0
    after = out.size - before - x.size
    assert 0.1 * RATE <= before <= 0.3 * RATE
    assert 0.1 * RATE <= after <= 0.3 * RATE
    np.testing.assert_allclose(out[before : before + x.size], x, atol=1e-6)
    assert times.event(0.2, 0.5) == [pytest.approx((0.2 + before / RATE, 0.5 + before / RATE))]
    with pytest.raises(AudioformerError, match="pad_s"):
        AugmentConfig(pad_s=(-1.0, 0.5))


def test_equaliser_stays_within_its_limits_and_moves_nothing():
    x = noise(2.0)
    out = effects.equalise(x, RATE, rng(3), 6.0)
    changes = [band_db(out, low, 1.3 * low) - band_db(x, low, 1.3 * low) for low in np.geomspace(60, 9000, 12)]
    assert max(map(abs, changes)) < 6.5
    assert max(changes) - min(changes) > 2
    click = np.zeros(4800, np.float32)
    click[2400] = 1
    assert np.abs(effects.equalise(click, RATE, rng(3), 6.0)).argmax() == 2400


def test_band_limit_cuts_outside_only():
    x = noise(2.0)
    out = effects.band_limit(x, RATE, 300, 3000)
    assert band_db(out, 800, 1200) - band_db(x, 800, 1200) == pytest.approx(0, abs=0.5)
    assert band_db(out, 70, 80) - band_db(x, 70, 80) == pytest.approx(-24, abs=2)
    assert band_db(out, 11500, 12000) - band_db(x, 11500, 12000) == pytest.approx(-24, abs=2)


@pytest.mark.parametrize(("colour", "slope_db"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_has_its_colour_and_level(colour, slope_db):
    made = effects.coloured_noise(RATE * 4, rng(), colour)
    per_octave = (band_db(made, 4000, 8000) - band_db(made, 500, 1000)) / 3
    assert per_octave == pytest.approx(slope_db, abs=0.3)
    x = tone()
    added = effects.add_noise(x, rng(), 12.0, colour) - x
    assert 20 * np.log10(effects.rms(x) / effects.rms(added)) == pytest.approx(12, abs=0.01)


def test_reverb_adds_a_tail_of_the_right_length_and_level():
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    wet = effects.reverb(click, RATE, rng(), 0.5, -10.0) - click
    assert 20 * np.log10(effects.rms(wet) / effects.rms(click)) == pytest.approx(-10, abs=0.1)
    assert np.abs(wet[:99]).max() < 1e-5
    early, late = effects.rms(wet[100 : 100 + 1200]), effects.rms(wet[100 + 6000 : 100 + 7200])
    assert 20 * np.log10(late / early) == pytest.approx(-30, abs=2)  # 60 dB in 0.5 s
    assert np.abs(wet[100 + RATE // 2 + 10 :]).max() < 1e-5


def test_soft_clip_keeps_the_peak_and_adds_harmonics():
    x = tone(300)
    out = effects.soft_clip(x, 12.0)
    assert np.abs(out).max() == pytest.approx(0.5, abs=1e-3)
    assert band_db(out, 890, 910) > band_db(x, 890, 910) + 40


def test_mixup_matches_levels_and_places_the_second():
    first, second = tone(440, 1.0, 0.5), tone(2000, 0.5, 0.01)
    mixed = effects.mixup(first, second, 0.5, start=-RATE // 4)
    quarter = RATE // 4
    np.testing.assert_allclose(mixed[: quarter - 1], 0.5 * first[: quarter - 1], atol=1e-6)
    added = mixed - 0.5 * first
    assert effects.rms(added) == pytest.approx(0.5 * effects.rms(first), rel=1e-3)
    assert np.abs(added[3 * quarter :]).max() == 0
    np.testing.assert_array_equal(effects.mixup(first, first, 1.0), first)
    silence = np.zeros(RATE, np.float32)
    np.testing.assert_allclose(effects.mixup(first, silence, 0.7), 0.7 * first)
    np.testing.assert_allclose(effects.mixup(silence, first, 0.7), 0.3 * first, atol=1e-7)


def test_nothing_happens_by_default():
    x = tone()
    np.testing.assert_array_equal(augment(x, RATE, rng(), AugmentConfig()), x)
    assert augment_preset("none") == AugmentConfig()


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "none"])
def test_the_seed_decides(name):
    config, x = augment_preset(name), noise()
    outs = [augment(x, RATE, rng(seed), config) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(outs[0], outs[1])
    assert outs[0].shape != outs[2].shape or np.abs(outs[0] - outs[2]).max() > 1e-3
    np.testing.assert_array_equal(x, noise())  # the input is not written to


@pytest.mark.parametrize("n", [1, 2, 3, 50, 2000, 12001])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "loud"])
def test_any_input_stays_finite_and_within_full_scale(n, kind):
    x = {"silence": np.zeros(n), "constant": np.ones(n), "noise": noise(1)[:n], "loud": 50 * noise(1)[:n]}[kind].astype(
        np.float32
    )
    for seed in range(6):
        out = augment(x, RATE, rng(seed), EVERYTHING if seed % 2 else augment_preset("strong"))
        assert out.dtype == np.float32
        assert out.ndim == 1
        assert out.size >= 1
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1
        assert kind != "silence" or np.abs(out).max() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed_chance": 1.5}, "speed_chance=1.5 must be a probability"),
        ({"noise_snr_db": (30, 5)}, r"noise_snr_db=\(30, 5\) must be \(least, most\)"),
        ({"speed": (0.1, 1.0)}, "must lie between 0.5 and 2"),
        ({"crop": (0.0, 1.0)}, "crop=.* above 0"),
        ({"shift": 2.0}, "shift=2.0 must be 0 to 1"),
        ({"gain_db": (float("nan"), 1.0)}, "must be"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(AudioformerError, match=message):
        AugmentConfig(**settings)


def test_bad_calls():
    with pytest.raises(AudioformerError, match="augmentation 'wild' is unknown; choose one of none, light"):
        augment_preset("wild")
    for shape in [(2, 100), (0,), ()]:
        with pytest.raises(AudioformerError, match="takes one channel"):
            augment(np.zeros(shape, np.float32), RATE, rng(), AugmentConfig())


def click_at(seconds: float, of_s: float = 2.0) -> np.ndarray:
    x = np.zeros(round(of_s * RATE), np.float32)
    at = round(seconds * RATE)
    x[at : at + 48] = np.hanning(48)
    return x


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_event_times_follow_the_sound(seed, circular):
    config = AugmentConfig(
        speed_chance=0.7,
        tempo_chance=0.5,
        crop_chance=0.5,
        shift_chance=0.8,
        shift=0.5,
        circular=circular,
        flip_chance=0.5,
    )
    out, times = augment_with_times(click_at(0.8), RATE, rng(seed), config)
    assert times.duration_s == pytest.approx(out.size / RATE)
    pieces = times.event(0.8, 0.802)
    heard = np.abs(out) > 0.3
    if not pieces or sum(off - on for on, off in pieces) < 0.001:
        assert heard.sum() < 48
    else:
        at_s = (np.flatnonzero(heard) / RATE).mean()
        assert min(abs(at_s - (on + off) / 2) for on, off in pieces) < 0.03  # overlap-add moves frames by up to 10 ms


def test_time_map_drops_cuts_and_wraps():
    assert TimeMap(1, -1.0, 2.0).event(0.5, 0.9) == []
    assert TimeMap(1, -1.0, 2.0).event(0.5, 1.5) == [(0.0, 0.5)]
    assert TimeMap(2.0, 0.0, 1.0).event(0.5, 1.0) == [(0.25, 0.5)]
    assert TimeMap(1, 0.5, 2.0, circular=True).event(1.0, 1.8) == [(0.0, pytest.approx(0.3)), (1.5, 2.0)]


def test_it_is_quick():
    x, config = noise(5.0), augment_preset("strong")
    augment(x, RATE, rng(), config)
    times = []
    for seed in range(12):
        started = time.perf_counter()
        augment(x, RATE, rng(seed), config)
        times.append(time.perf_counter() - started)
    assert np.median(times) < 0.05  # measured 4 ms for 5 s of sound; loose, for a busy machine


def clips(folder: Path, multi_label: bool, events: bool) -> AudioDataset:
    made = []
    for i, (label, hz) in enumerate([("low", 300.0), ("high", 3000.0), ("low", 330.0), ("high", 3300.0)]):
        soundfile.write(str(folder / f"{i}.wav"), tone(hz, 1.0), RATE, subtype="FLOAT")
        own = ((label, 0.2, 0.6),) if events else ()
        made.append(Clip(str(i), folder / f"{i}.wav", (label,), fold=1 + i // 2, events=own))
    return AudioDataset("made", folder, tuple(made), ("low", "high"), multi_label)


def test_variants_begin_with_the_clip_itself(tmp_path):
    data = clips(tmp_path, False, False)
    maker = VariantMaker(data, RATE, 3, augment_preset("strong"), 0, None)
    numbers, samples, content = zip(*maker.variants_of(data[0]), strict=True)
    assert numbers == (0, 1, 2)
    np.testing.assert_array_equal(samples[0], tone(300.0)[None])
    assert content[0].weights == {0: 1.0}
    again = [x for _, x, _ in VariantMaker(data, RATE, 3, augment_preset("strong"), 0, None).variants_of(data[0])]
    for first, second in zip(samples, again, strict=True):
        np.testing.assert_array_equal(first, second)
    other_seed = [x for _, x, _ in VariantMaker(data, RATE, 3, augment_preset("strong"), 1, None).variants_of(data[0])]
    assert other_seed[1].shape != samples[1].shape or np.abs(other_seed[1] - samples[1]).max() > 1e-3


def test_mixing_shares_the_label_and_never_crosses_folds(tmp_path):
    data = clips(tmp_path, False, False)
    maker = VariantMaker(data, RATE, 30, AugmentConfig(mixup_chance=1.0, mixup_weight=(0.7, 0.7)), 0, None)
    seen = set()
    for number, samples, content in maker.variants_of(data[0]):
        if not number:
            continue
        assert sum(content.weights.values()) == pytest.approx(1)
        assert next(iter(content.weights)) == 0  # the clip's own label comes first
        assert content.weights[0] in (pytest.approx(0.7), pytest.approx(1.0))
        loud = {hz for hz in (330, 3000, 3300) if band_db(samples[0], hz - 5, hz + 5) > 20}
        assert loud <= {3000}, "a clip of the other fold can be heard"
        seen |= set(content.weights)
    assert seen == {0, 1}


def test_mixing_several_labels_keeps_all_and_their_events(tmp_path):
    data = clips(tmp_path, True, True)
    maker = VariantMaker(data, RATE, 8, AugmentConfig(mixup_chance=1.0), 0, None)
    for number, _, content in maker.variants_of(data[0]):
        if number:
            assert set(content.weights.values()) == {1.0}
            assert {label for label, _, _ in content.events} == set(content.weights)
            assert (0, 0.2, 0.6) in content.events


def test_a_label_whose_event_is_cut_away_goes(tmp_path):
    data = clips(tmp_path, True, True)
    maker = VariantMaker(data, RATE, 20, AugmentConfig(gain_chance=1.0), 0, clip_s=0.15)
    lengths = set()
    for number, samples, content in maker.variants_of(data[0]):
        lengths.add(samples.shape[1])
        assert bool(content.events) == bool(content.weights)
        if number == 0:
            assert content.weights == {}  # the first 0.15 s; the event starts at 0.2
        for _, onset_s, offset_s in content.events:
            assert 0 <= onset_s < offset_s <= 0.15 + 1e-9
    assert lengths == {3600}


@pytest.mark.parametrize("n", [1, 3, RATE])
def test_a_lower_rate_keeps_length_and_cuts_sharply(n):
    samples = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    heard = effects.low_rate(samples, RATE, 8000.0)
    assert (heard.shape, heard.dtype) == ((n,), np.float32)
    if n == RATE:
        spectrum, hz = np.abs(np.fft.rfft(heard)), np.fft.rfftfreq(n, 1 / RATE)
        assert spectrum[hz > 4500].mean() < 0.02 * spectrum[hz < 3500].mean()
