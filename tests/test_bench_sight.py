"""Measures of sound and sight on planted answers, and `bench sight` from corpora to a page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import RATE, tiny_codec, tone

from audioformer.audio import save_audio
from audioformer.audiovisual import measure, scenes
from audioformer.audiovisual.config import AudioVisualConfig
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.where import where_from
from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.evaluation.benches import sight


def bands(onsets=(30, 105, 180), band: int = 20) -> np.ndarray:
    found = np.full((64, 225), -16.0, np.float32)
    for onset in onsets:
        found[band, onset : onset + 12] = 0
    return found


def test_retrieval_finds_what_is_planted_and_only_that():
    rng = np.random.default_rng(0)
    spoken, written = np.arange(60) % 10, np.arange(90) % 10
    perfect = measure.retrieval(np.eye(10)[spoken], spoken, np.eye(10)[written], written)
    assert set(perfect.values()) == {1.0}
    noise = measure.retrieval(rng.normal(size=(60, 5)), spoken, rng.normal(size=(90, 5)), written, rounds=300)
    assert noise["sound_to_picture_r1"] == pytest.approx(0.1, abs=0.05)
    assert noise["picture_to_sound_r5"] == pytest.approx(0.5, abs=0.08)
    blind = measure.retrieval(np.ones((60, 1)), spoken, np.ones((90, 1)), written)
    assert blind["sound_to_picture_r1"] == 0  # equal scores are no find
    assert measure.recalls(np.ones((10, 10)), 5).all()


def test_warping_does_not_mind_slowness_and_agrees_with_the_plain_recursion():
    word = np.array([[0.0], [1.0], [3.0], [2.0]])
    slow, other = word.repeat(2, 0), np.array([[3.0], [0.0], [1.0]])
    distances = measure.warped_distances([word], [slow, other])
    assert distances[0, 0] == 0
    total = np.full((5, 4), np.inf)
    total[0, 0] = 0
    for i in range(4):
        for j in range(3):
            total[i + 1, j + 1] = abs(word[i, 0] - other[j, 0]) + min(total[i, j], total[i, j + 1], total[i + 1, j])
    assert distances[0, 1] == pytest.approx(total[4, 3] / 7)


def test_the_rival_of_one_shot_matching_knows_tones_and_pixels():
    rng, spoken = np.random.default_rng(0), np.arange(40) % 10
    sounds = [bands((0, 60), band=6 * digit) + 0.1 * rng.normal(size=(64, 225)) for digit in spoken]
    pictures = measure.digit_pictures("test")
    shots = measure.one_shot(
        [one[:, ::8] for one in sounds], spoken, np.eye(10)[spoken], np.eye(10)[pictures[1]], rounds=8
    )
    assert (shots["direct"], shots["through_pairs"]) == (1, 1)
    assert 0.4 < shots["classic"] < 1  # the sounds are plain, single pictures of a digit are not


def planted() -> tuple[scenes.Scene, np.ndarray]:
    """A disc that jumps with its sound, and a square that grows at other times."""
    heard, silent = scenes.motion_of(bands()), scenes.motion_of(bands((70, 140)))
    things = (
        scenes.Thing("door_knock", "red", 0.25, 0.25, heard),
        scenes.Thing("crying_baby", "blue", 0.75, 0.75, silent),
    )
    scene = scenes.Scene(things, (0.1, 0.1, 0.1))
    return scene, scene.frames()


def test_a_map_that_points_at_the_heard_thing_is_right_and_another_wrong():
    scene, frames = planted()
    maps = np.zeros((15, 32, 32), np.float32)
    maps[:, 4:12, 4:12] = 1
    right = measure.judge_map(maps, scene, frames, maps[:, ::4, ::4])
    assert right["places"] == 1
    assert (right["pointing"], right["pointing_frames"]) == (1, 1)
    assert right["iou"] > 0.5
    wrong = measure.judge_map(maps[:, ::-1, ::-1], scene, frames)
    assert (wrong["pointing"], wrong["iou"]) == (0, 0)
    assert right["area"] == pytest.approx(np.pi * scenes.REACH**2, rel=0.1)
    assert right["motion_with_sound"] == 1  # the rival knows when things move
    assert right["one_of"] == 0.5
    assert right["same_kind"] == 0


def test_bare_ground_and_silent_moments_say_nothing():
    torch.manual_seed(0)
    model = AudioVisual(AudioVisualConfig(picture="scenes", channels=4, d_model=16, shared_width=16)).eval()
    scene, frames = planted()
    maps = where_from(model, torch.from_numpy(bands((30,)))[None], torch.from_numpy(frames)[None])[0].numpy()
    assert maps.shape == (15, 32, 32)
    assert maps.min() >= 0
    things = np.stack([scenes.drawn(thing) for thing in scene.things]).max(0) > 0
    near = (
        torch.nn.functional.max_pool2d(torch.from_numpy(things[:, None].astype(np.float32)), 5, 1, 2)[:, 0].numpy() > 0
    )
    assert maps[~near].max() < 1e-9
    assert maps[2].max() > 0
    assert maps[5:].max() == 0  # frames meet their neighbours twice
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_shift_is_noticed_by_who_hears_the_moment_and_not_by_who_hears_the_kind():
    class Ear(AudioVisual):
        def __init__(self, by_moment: bool):
            super().__init__(AudioVisualConfig(picture="scenes", channels=2, d_model=8, shared_width=8))
            self.by_moment = by_moment

        def sound_vectors(self, bands, *_):
            loud = bands.amax(1).unflatten(1, (15, 15)).amax(2) > -5
            loud = loud if self.by_moment else torch.ones_like(loud)
            return torch.stack([loud, ~loud], -1).float()[:, :, None]

        def picture_vectors(self, pictures):
            moved = pictures.amax((2, 3, 4)) > 0.5
            moved = moved if self.by_moment else torch.ones_like(moved)
            return torch.stack([moved, ~moved], -1).float()[:, :, None]

    heard = torch.from_numpy(np.stack([bands((30, 120, 170)), bands((20, 65))]))
    moved = (heard.amax(1).unflatten(1, (15, 15)).amax(2) > -5).float()
    pictures = moved[:, :, None, None, None].expand(-1, -1, 3, 4, 4)
    assert measure.shift_auc(Ear(True), heard, pictures) == 1
    assert measure.shift_auc(Ear(False), heard, pictures) == 0.5


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Corpora with mel frames: tones named as digits by three speakers, and sounds of two kinds of things."""
    root = tmp_path_factory.mktemp("sight")
    save_compact(tiny_codec(name=str(root / "codec")), root / "codec")
    for name, labels in (("digits", "0123456789"), ("scenes", ("dog", "bell"))):
        lines = ["filename,label,group"]
        for i in range(60 if name == "digits" else 6):
            label = labels[i % len(labels)]
            length = 0.4 if name == "digits" else 3.0
            save_audio(root / name / f"{i}.wav", tone(200 * (1 + i % 10), length, seed=i), RATE)
            lines.append(f"{i}.wav,{label},speaker {i // 20}")
        (root / name / "clips.csv").write_text("\n".join(lines))
        parts = [str(root / name), "--dataset", "folder", "--codec", str(root / "codec"), "--frames", "mel256"]
        assert main(["prepare", *parts, "-o", str(root / f"{name}-codes"), "--json"]) == 0
    return root


def test_the_benchmark_trains_cells_once_and_measures_a_checkpoint(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sight, "CROSS", [(8, 32, False), (8, 32, True)])
    monkeypatch.setattr(sight, "MODEL", replace(sight.MODEL, channels=2, d_model=8, shared_width=8))
    monkeypatch.setattr(sight, "SPEAKERS_OUT", 1)
    recipe = ["--method", "audiovisual", "--preset", "test", "--set", "model.picture=scenes", "--set", "sound_s=3"]
    assert main(["pretrain", str(home / "scenes-codes"), *recipe, "-o", str(tmp_path / "model")]) == 0
    parts = ["bench", "sight", "--scenes", str(home / "scenes-codes"), "--checkpoint", str(tmp_path / "model")]
    capsys.readouterr()
    assert main([*parts, "-o", str(tmp_path / "maps"), "--json"]) == 0
    maps = json.loads(capsys.readouterr().out)["rows"]
    assert "random pixel" in (tmp_path / "maps" / "results.md").read_text()
    parts = ["bench", "sight", "--digits", str(home / "digits-codes"), "--steps", "2", "--seeds", "2"]
    parts += ["-o", str(tmp_path / "out")]
    assert main([*parts, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    document["rows"] += maps
    cases = [row["case"] for row in document["rows"]]
    assert cases[:2] == ["8 pixels, batch 32", "8 pixels, batch 32, mixed"]
    assert set(sight.CONTROLS) < set(cases)
    assert {"pointing: all scenes", "a shift by 1 s noticed"} < set(cases)
    assert all(0 <= row["ours"] <= 1 and row["chance"] for row in document["rows"])
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()}
    assert len(cells) == 2 * 5
    assert main([*parts, "--json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()} == cells
    page = (tmp_path / "out" / "results.md").read_text()
    assert "warping and pixels" in page


def test_a_model_is_trained_for_each_resolution_of_scenes_once(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sight, "MODEL", replace(sight.MODEL, channels=2, d_model=8, shared_width=8))
    monkeypatch.setattr(sight, "SCENE_RESOLUTIONS", (50, 8))
    monkeypatch.setattr(sight, "SCENE_BATCH", 4)
    corpus = str(home / "scenes-codes")
    parts = ["bench", "sight", "--scenes", corpus, "--learn-from", corpus, "--steps", "2", "--seeds", "2"]
    assert main([*parts, "-o", str(tmp_path), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["rows"]
    assert (first["resolution"], second["resolution"], first["n_seeds"]) == (50, 8, 2)
    assert first["chance"] == pytest.approx(np.pi * scenes.REACH**2, rel=0.1)  # of pixels, fine or coarse
    assert "pointing_std" in first
    assert (tmp_path / "results.md").read_text().count("| 50 |") == 1
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}
    assert len(cells) == 4
    assert main([*parts, "-o", str(tmp_path), "--json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()} == cells


def test_places_stand_where_their_pixels_are_in_fine_pictures_too():
    """A tower's place i is about the pixels around 4 i, whatever the size of the picture."""
    for size in (32, 50):
        places = np.zeros((1, -(-size // 4), -(-size // 4)))
        places[0, 5, 2] = 1
        assert np.unravel_index(measure.enlarged(places, size)[0].argmax(), (size, size)) == (20, 8)


def test_a_finished_model_of_digits_is_measured_on_chosen_speakers(home, tmp_path, capsys):
    parts = ["--method", "audiovisual", "--preset", "test", "-o", str(tmp_path / "model")]
    assert main(["pretrain", str(home / "digits-codes"), *parts]) == 0
    capsys.readouterr()
    parts = ["--checkpoint", str(tmp_path / "model"), "--speakers", "speaker 1", "-o", str(tmp_path / "out"), "--json"]
    assert main(["bench", "sight", "--digits", str(home / "digits-codes"), *parts]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["case"], row["n_seeds"], row["chance"]) == ("model", 1, 0.1)
    assert main(["bench", "sight", "--scenes", str(home / "scenes-codes"), *parts]) == 2
    assert "is no model of scenes" in capsys.readouterr().err


def test_nothing_to_measure_is_said(tmp_path, capsys):
    assert main(["bench", "sight", "-o", str(tmp_path)]) == 2
    assert "give --digits CORPUS" in capsys.readouterr().err
