"""Training a codec: losses fall, a resumed run is an uninterrupted one, crops and distances are what they say."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import RATE, tone, tone_folder

from audioformer.audio import save_audio
from audioformer.codecs import load_codec
from audioformer.codecs import train_compact as module
from audioformer.codecs.compact import CompactCodec
from audioformer.codecs.crops import CropSampler
from audioformer.codecs.distances import colour_distance, complex_distance, mel_distance, texture_distance
from audioformer.codecs.train_compact import PRESETS, CodecTrainConfig, CodecTrainer, train_codec
from audioformer.errors import AudioformerError

SIZES, RECIPE = PRESETS["test"]


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> CropSampler:
    return CropSampler([tone_folder(tmp_path_factory.mktemp("tones"))], RATE)


def trainer(sampler: CropSampler, **changes) -> CodecTrainer:
    return CodecTrainer(sampler, SIZES, replace(RECIPE, **changes))


def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(sampler, tmp_path):
    whole = trainer(sampler)
    expected = [record.losses for record in train_codec(whole, tmp_path / "whole")]
    found = []
    for _ in range(3):  # two steps at a time: before, across and after the codebooks are placed
        part = trainer(sampler)
        part.resume(tmp_path / "parts")
        run = train_codec(part, tmp_path / "parts")
        found += [next(run).losses, next(run).losses]
        run.close()
    assert len(expected) == RECIPE.n_steps == 6
    assert found == expected
    last = trainer(sampler)
    assert last.resume(tmp_path / "parts")
    assert last.step == 6
    for name, value in whole.codec.state_dict().items():
        assert torch.equal(value, last.codec.state_dict()[name]), name
    for name, value in whole.averaged_codec().state_dict().items():
        assert torch.equal(value, last.averaged_codec().state_dict()[name]), name


def test_what_is_saved_is_a_codec(sampler, tmp_path):
    list(train_codec(trainer(sampler), tmp_path))
    codec = load_codec(tmp_path)
    codes = codec.encode(tone(440.0), RATE)
    assert codes.shape == (1, 3, 38)
    about = json.loads((tmp_path / "config.json").read_text())
    assert about["steps_done"] == 6
    assert about["training"]["batch_size"] == RECIPE.batch_size
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 6
    assert all(math.isfinite(log[-1][name]) for name in ("total", "mel", "complex", "commitment"))


def test_the_distance_to_the_original_falls(sampler):
    run = trainer(sampler, n_steps=30, warm_up_steps=3, unquantised_steps=20, learning_rate=5e-3)
    sound = sampler.batch(4, 19 * 320, np.random.default_rng(5))

    @torch.no_grad()
    def distance() -> float:
        return float(mel_distance(run.codec.synthesise(run.codec.frame_latents(sound)), sound, RATE))

    before = distance()
    records = [run.train_step() for _ in range(25)]
    assert distance() < 0.85 * before
    assert [record.losses["commitment"] > 0 for record in records] == [False] * 20 + [True] * 5


def test_learning_rate_warms_up_then_falls_to_a_twentieth(sampler):
    run = trainer(sampler, n_steps=100, warm_up_steps=10)
    rates = []
    for run.step in range(101):
        rates.append(run.learning_rate() / RECIPE.learning_rate)
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.05)
    assert all(later <= earlier for earlier, later in zip(rates[10:], rates[11:], strict=False))


def test_ctrl_c_saves_the_last_whole_step(sampler, tmp_path):
    run = trainer(sampler)
    records = train_codec(run, tmp_path, save_every=1000)
    next(records)
    next(records)
    with pytest.raises(KeyboardInterrupt):
        records.throw(KeyboardInterrupt)
    again = trainer(sampler)
    assert again.resume(tmp_path)
    assert again.step == 2


def test_a_step_broken_off_in_the_middle_is_not_saved(sampler, tmp_path, monkeypatch):
    run = trainer(sampler)
    records = train_codec(run, tmp_path, save_every=1)
    next(records)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "complex_distance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(records)
    again = trainer(sampler)
    assert again.resume(tmp_path)
    assert again.step == 1


def test_another_recipe_or_codec_does_not_go_on_with_it(sampler, tmp_path):
    run = trainer(sampler)
    run.save(tmp_path)
    with pytest.raises(AudioformerError, match=r"other settings \(learning_rate\)"):
        trainer(sampler, learning_rate=0.5).resume(tmp_path)
    with pytest.raises(AudioformerError, match=r"other settings \(d_latent\)"):
        CodecTrainer(sampler, replace(SIZES, d_latent=4), RECIPE).resume(tmp_path)
    (tmp_path / "state.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(AudioformerError, match="damaged training state"):
        run.resume(tmp_path)
    assert not run.resume(tmp_path / "empty")


def test_a_loss_that_is_not_finite_stops_the_run(sampler):
    run = trainer(sampler)
    with torch.no_grad():
        run.codec.leave.weight.fill_(float("nan"))
    with pytest.raises(AudioformerError, match="step 0: the loss is nan, not finite; try a learning_rate"):
        run.train_step()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_steps": 0}, "n_steps=0"),
        ({"batch_size": 1.5}, "batch_size=1.5"),
        ({"crop_s": 0.0}, "crop_s=0.0"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"mels_per_step": 5}, "mels_per_step=5 must be 1 to 4"),
        ({"all_rows_share": 2.0}, "all_rows_share"),
    ],
)
def test_recipes_that_cannot_train_are_refused(changes, message):
    with pytest.raises(AudioformerError, match=message):
        CodecTrainConfig(**changes)


def test_crops_come_from_all_folders_at_usable_levels(tmp_path):
    for i, folder in enumerate(("few", "many")):
        for j in range(1 + 4 * i):
            save_audio(tmp_path / folder / f"{j}.flac", tone(1000 * (1 + 3 * i), 0.5), RATE)
    sampler = CropSampler([tmp_path / "few", tmp_path / "many"], RATE)
    assert sampler.hours == pytest.approx(6 * 0.5 / 3600)
    crops = sampler.batch(200, 4800, np.random.default_rng(0))
    assert crops.shape == (200, 4800)
    assert crops.dtype == torch.float32
    assert crops.abs().max() <= 0.98
    peaks_hz = torch.fft.rfft(crops).abs().argmax(1) * RATE / 4800
    low, high = (peaks_hz < 2000).float().mean(), (peaks_hz > 3000).float().mean()
    assert 0.35 < low < 0.65
    assert 0.35 < high < 0.65
    again = sampler.batch(200, 4800, np.random.default_rng(0))
    assert torch.equal(crops, again)


def test_a_share_of_the_crops_is_varied_and_the_others_stay_what_they_were(tmp_path):
    save_audio(tmp_path / "tone.flac", tone(1000, 4.0), RATE)
    sampler = CropSampler([tmp_path], RATE)
    plain, varied = (sampler.batch(24, RATE, np.random.default_rng(5), share) for share in (0.0, 1.0))
    assert varied.shape == plain.shape == (24, RATE)
    peaks = {
        name: torch.fft.rfft(crops).abs().argmax(1) for name, crops in (("plain", plain), ("varied", varied))
    }  # bins of 1 Hz
    assert ((peaks["plain"] - 1000).abs() <= 2).all()
    assert 4 <= ((peaks["varied"] - 1000).abs() > 20).sum() <= 22  # at another speed
    assert varied.abs().max() <= 1
    torch.testing.assert_close(sampler.batch(24, RATE, np.random.default_rng(5)), plain)


def test_files_can_be_left_out_by_name(tmp_path):
    for name in ("1-a.wav", "4-a.wav", "4-b.wav"):
        save_audio(tmp_path / name, tone(440), RATE)
    (tmp_path / "notes.txt").write_text("no sound")
    assert len(CropSampler([tmp_path], RATE, ("4-*",)).folders[0]) == 1
    with pytest.raises(AudioformerError, match="holds no sound files after leaving out"):
        CropSampler([tmp_path], RATE, ("*",))
    with pytest.raises(AudioformerError, match="no such folder"):
        CropSampler([tmp_path / "absent"], RATE)


def test_a_sound_shorter_than_the_crop_is_padded(tmp_path):
    save_audio(tmp_path / "click.wav", torch.ones(1, 10), RATE)
    crops = CropSampler([tmp_path], RATE).batch(20, 2400, np.random.default_rng(0))
    assert torch.isfinite(crops).all()
    assert 0 < (crops != 0).sum(1).max() <= 20


def test_distances_are_zero_for_equal_sounds_and_known_for_simple_changes():
    sound = torch.randn(2, RATE // 2, generator=torch.Generator().manual_seed(0)) * 0.1
    assert mel_distance(sound, sound, RATE) == 0
    assert mel_distance(2 * sound, sound, RATE).item() == pytest.approx(math.log(2), abs=0.01)
    assert complex_distance(sound, sound, 320) < 0.02
    assert complex_distance(torch.zeros_like(sound), sound, 320).item() == pytest.approx(1.0, abs=0.02)
    assert complex_distance(-sound, sound, 320).item() == pytest.approx(2.0, abs=0.04)


def test_distances_have_gradients_at_silence():
    silent = torch.zeros(1, 4800, requires_grad=True)
    (mel_distance(silent, torch.zeros(1, 4800), RATE) + complex_distance(silent, torch.zeros(1, 4800), 320)).backward()
    assert torch.isfinite(silent.grad).all()


def test_a_decoder_learned_alone_leaves_the_codes_as_they_are(sampler, tmp_path):
    list(train_codec(trainer(sampler), tmp_path / "first"))
    before = load_codec(tmp_path / "first")
    second = CodecTrainer(
        sampler, SIZES, replace(RECIPE, decoder_only=True, texture=1.0, colour=1.0, learning_rate=1e-2), start=before
    )
    records = list(train_codec(second, tmp_path / "second"))
    after = load_codec(tmp_path / "second")
    sound = tone(440.0)
    codes = before.encode(sound, RATE)
    assert after.fingerprint == before.fingerprint
    assert torch.equal(after.encode(sound, RATE), codes)
    assert not torch.allclose(after.decode(codes), before.decode(codes))
    assert all(record.losses["texture"] > 0 and record.losses["colour"] > 0 for record in records)


def test_a_decoder_alone_needs_a_codec_to_start_from(sampler):
    with pytest.raises(AudioformerError, match="--start"):
        trainer(sampler, decoder_only=True)
    other = CompactCodec(replace(SIZES, d_latent=4))
    with pytest.raises(AudioformerError, match="other sizes"):
        CodecTrainer(sampler, SIZES, RECIPE, start=other)


def test_texture_distance_ignores_when_but_not_how_much():
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    other = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1))
    steady = tone(440.0)
    steady = tone(440.0)
    swelling = noise * torch.linspace(0.01, 1, RATE)
    assert texture_distance(noise, other, RATE) < 0.08  # two noises fluctuate alike
    assert texture_distance(noise, steady, RATE) > 0.1
    assert texture_distance(noise, swelling, RATE) > 0.3
    assert texture_distance(noise, noise, RATE) == 0


def test_texture_distance_hears_whether_bands_move_together_or_each_for_itself():
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    slow = torch.randn(1, 1, 200, generator=torch.Generator().manual_seed(2))
    together = tone(440.0, 1.0) * torch.nn.functional.interpolate(slow, RATE, mode="linear")[0].exp()
    assert texture_distance(noise, together, RATE) > 3 * texture_distance(noise, noise.flip(-1), RATE)


def test_colour_distance_hears_a_lasting_bias_but_not_what_comes_when():
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    assert colour_distance(noise, noise.flip(-1), RATE) < 0.02
    assert colour_distance(noise, 2 * noise, RATE) == pytest.approx(math.log(2), abs=1e-3)
    assert colour_distance(noise, noise.cumsum(-1), RATE) > 1
