"""Training a codec: losses fall, a resumed run is an uninterrupted one, crops and distances are what they say."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import RATE, tone, tone_folder

from audioformer.audio import save_audio
from audioformer.codecs import load_codec
from audioformer.codecs import train_compact as module
from audioformer.codecs.compact import CompactCodec
from audioformer.codecs.crops import CropSampler
from audioformer.codecs.distances import colour_distance, complex_distance, mel_distance, texture_distance
from audioformer.codecs.train_compact import PRESETS, CodecTrainConfig, CodecTraining
from audioformer.errors import AudioformerError
from audioformer.train import load_state, train

RECIPE = PRESETS["test"]
CRITIC = {"adversarial_from": 3, "critic_width": 4}


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> CropSampler:
    return CropSampler([tone_folder(tmp_path_factory.mktemp("tones"))], RATE)


def task(sampler: CropSampler, start=None, **changes) -> CodecTraining:
    return CodecTraining(sampler, replace(RECIPE, train=replace(RECIPE.train, **changes)), start=start)


def run(made: CodecTraining, folder=None, n_records: int | None = None) -> list:
    """Records of a run that is left after some steps."""
    loop = train(made, made.config, folder)
    records = list(islice(loop, n_records))
    loop.close()
    return records


def losses(records) -> list[dict]:
    return [record.losses for record in records]


@pytest.mark.parametrize("changes", [{}, CRITIC], ids=["plain", "critic"])
def test_a_resumed_run_gives_the_numbers_and_the_codec_of_an_uninterrupted_one(sampler, tmp_path, changes):
    expected = run(task(sampler, **changes), tmp_path / "whole")
    parts = []
    for _ in range(3):  # two steps at a time: before, across and after the codebooks are placed; then with the critic
        parts += run(task(sampler, **changes), tmp_path / "parts", 2)
    assert len(expected) == 6
    assert losses(parts) == losses(expected)
    assert run(task(sampler, **changes), tmp_path / "parts") == []
    whole, there = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(value, there[name]) for name, value in whole.items())


def test_what_is_saved_is_a_codec_of_averaged_weights_and_present_codebooks(sampler, tmp_path):
    made = task(sampler, average=0.5)
    records = run(made, tmp_path)
    codec = load_codec(tmp_path)
    assert codec.encode(tone(440.0), RATE).shape == (1, 3, 38)
    assert torch.equal(codec.codebooks(), made.codec.codebooks().half().float())
    assert not torch.allclose(codec.leave.weight, made.codec.leave.weight, atol=1e-4)
    about = json.loads((tmp_path / "config.json").read_text())
    assert (about["steps"], about["losses"], about["training"]["average"]) == (6, records[-1].losses, 0.5)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["losses"] for record in log] == losses(records)


def test_the_distance_to_the_original_falls(sampler):
    made = task(sampler, n_steps=25, warm_up_share=0.1, unquantised_steps=20, learning_rate=5e-3)
    sound = sampler.batch(4, 19 * 320, np.random.default_rng(5))

    @torch.no_grad()
    def distance() -> float:
        return float(mel_distance(made.codec.synthesise(made.codec.frame_latents(sound)), sound, RATE))

    before = distance()
    records = run(made)
    assert distance() < 0.85 * before
    assert [record.losses["commitment"] > 0 for record in records] == [False] * 20 + [True] * 5
    rates = [record.learning_rate / made.config.learning_rate for record in records]
    assert max(rates) == pytest.approx(1)
    assert 0.05 < rates[-1] < 0.06


def test_ctrl_c_keeps_state_and_records_of_all_whole_steps(sampler, tmp_path):
    loop = train(task(sampler), RECIPE.train, tmp_path)
    done = losses([next(loop), next(loop)])
    with pytest.raises(KeyboardInterrupt):
        loop.throw(KeyboardInterrupt)
    assert load_state(tmp_path)["step"] == 2
    assert [json.loads(line)["losses"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == done


def test_a_step_broken_off_after_the_codebooks_moved_is_not_saved(sampler, tmp_path, monkeypatch):
    loop = train(task(sampler, save_every=1), replace(RECIPE.train, save_every=1), tmp_path)
    for _ in range(3):
        next(loop)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "complex_distance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(loop)
    monkeypatch.undo()
    assert load_state(tmp_path)["step"] == 3
    assert losses(run(task(sampler, save_every=1), tmp_path)) == losses(run(task(sampler)))[3:]


def test_another_recipe_or_codec_does_not_continue_a_run(sampler, tmp_path):
    run(task(sampler), tmp_path, 1)
    with pytest.raises(AudioformerError, match=r"train.learning_rate is 0.0007 there, 0.5 here"):
        run(task(sampler, learning_rate=0.5), tmp_path)
    other = CodecTraining(sampler, replace(RECIPE, codec=replace(RECIPE.codec, d_latent=4)))
    with pytest.raises(AudioformerError, match=r"codec.d_latent is 8 there, 4 here"):
        run(other, tmp_path)
    run(task(sampler, validate_every=3), tmp_path, 1)  # looking more often changes no number


def test_the_critic_joins_at_its_step_and_changes_nothing_before(sampler):
    records = losses(run(task(sampler, **CRITIC)))
    assert ["critic" in entry for entry in records] == [False] * 3 + [True] * 3
    last = records[-1]
    terms = last["mel"] + last["complex"] + last["commitment"]
    assert last["total"] == pytest.approx(terms + last["adversarial"] / 15 + last["features"] * 2 / 15, rel=1e-5)
    assert records[:3] == losses(run(task(sampler)))[:3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_s": 0.0}, "crop_s=0.0"),
        ({"adversarial_from": -1}, "0 for never"),
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


def test_a_file_that_cannot_be_read_is_named_with_its_folder_and_the_way_out(tmp_path):
    save_audio(tmp_path / "dog" / "a.wav", tone(1000, 0.5), RATE)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.wav").write_bytes(b"<html>")
    with pytest.raises(
        AudioformerError, match=r"cat.a\.wav: not a readable .* is a web page.*or leave it out: --exclude"
    ):
        CropSampler([tmp_path], RATE)


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
    run(task(sampler), tmp_path / "first")
    before = load_codec(tmp_path / "first")
    second = task(sampler, before, decoder_only=True, texture=1.0, colour=1.0, learning_rate=1e-2)
    records = run(second, tmp_path / "second")
    after = load_codec(tmp_path / "second")
    sound = tone(440.0)
    codes = before.encode(sound, RATE)
    assert after.fingerprint == before.fingerprint
    assert torch.equal(after.encode(sound, RATE), codes)
    assert not torch.allclose(after.decode(codes), before.decode(codes))
    assert all(record.losses["texture"] > 0 and record.losses["colour"] > 0 for record in records)


def test_a_decoder_alone_needs_a_codec_to_start_from(sampler):
    with pytest.raises(AudioformerError, match="--start"):
        task(sampler, decoder_only=True)
    with pytest.raises(AudioformerError, match="other sizes"):
        task(sampler, CompactCodec(replace(RECIPE.codec, d_latent=4)))


def test_texture_distance_ignores_when_but_not_how_much():
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    other = torch.randn(1, RATE, generator=torch.Generator().manual_seed(1))
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
