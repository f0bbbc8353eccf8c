"""The room Sight: what it answers, what it refuses, and that it works in a browser."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import numpy as np
import pytest
from app_page import Tab

from audioformer.audiovisual.digits import digit_pictures
from audioformer.audiovisual.show import CLIP_S, RATE, open_scenes, show_scene
from audioformer.checkpoint import bundled_names
from audioformer.errors import AudioformerError
from audioformer_app.rooms import sight

pytestmark = pytest.mark.skipif(not sight.is_here(), reason=f"needs {sight.SCENES}; there are {bundled_names()}")


@pytest.fixture(scope="module")
def shown():
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    return SimpleNamespace(token="here", samples=samples, sample_rate=RATE)


def unpacked(text, shape):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)


def test_a_scene_comes_with_the_sound_and_the_map_of_each_thing(shown):
    answer = sight.look(shown, {"seed": 3}, None)
    again = show_scene(open_scenes(), 3)
    frames = unpacked(answer["frames"], (15, 32, 32, 3))
    assert np.abs(frames / 255 - again.frames.transpose(0, 2, 3, 1)).max() < 0.01
    assert len(answer["wavs"]) == len(answer["things"]) + 1 == len(answer["pointed"])
    maps = unpacked(answer["maps"], (4, 15, 32, 32))
    assert (maps.max((1, 2, 3)) == 255).all()
    assert answer["pointed"][:3] == [again.pointed(number) for number in range(3)]
    assert all(len(sound) == CLIP_S * RATE for sound in again.sounds)


def test_most_sounds_point_at_their_thing():
    """What the results page says in many scenes holds here in a few: far more than one in three."""
    model, right, n = open_scenes(), 0, 0
    for seed in range(100, 112):
        scene = show_scene(model, seed)
        for number in range(3):
            right, n = right + (scene.pointed(number) == number), n + 1
    assert right / n > 0.5


def test_sounds_and_scenes_are_matched(shown):
    answer = sight.match(shown, {"seed": 0}, None)
    scores = np.array(answer["scores"])
    assert answer["to_scene"] == (scores.argmax(1) == np.arange(4)).sum()
    assert answer["to_sound"] == (scores.argmax(0) == np.arange(4)).sum()
    assert [len(answer[name]) for name in ("frames", "wavs", "kinds")] == [4, 4, 4]


def test_a_drawn_digit_is_as_near_as_the_same_picture(shown):
    first = sight.draw(shown, {}, None)
    assert first["drawn"] is None
    best = first["nearest"][0]
    drawn = sight.draw(shown, {"picture": best["picture"]}, None)["drawn"]
    assert drawn["cosine"] == pytest.approx(best["cosine"], abs=1e-3)
    assert drawn["ahead_of"] > 0.95
    assert len(digit_pictures("test")[0]) == 382


@pytest.mark.parametrize(
    ("answer", "data", "says"),
    [
        (sight.look, {}, "seed="),
        (sight.look, {"seed": 1_000_000}, "from 0 to 999999"),
        (sight.match, {"seed": True}, "seed="),
        (sight.draw, {"picture": [2.0] * 64}, "64 numbers from 0 to 1"),
        (sight.draw, {"picture": [0.5] * 63}, "64 numbers from 0 to 1"),
        (sight.draw, {"picture": ["x"] * 64}, "64 numbers from 0 to 1"),
    ],
)
def test_what_the_browser_sends_is_checked(shown, answer, data, says):
    with pytest.raises(AudioformerError, match=says):
        answer(shown, data, None)


def test_a_scene_plays_and_sounds_are_swapped_in_a_browser(browser, address):
    tab = Tab(browser, f"{address}#room=sight&seed=3")
    page, room = tab.page, ".af-room[data-room=sight]"
    page.wait_for_selector(f"{room}[data-painted^='3:0:']:not([data-painted='3:0:0'])")
    page.click(f"{room} .af-sounds button:nth-child(2)")
    page.wait_for_selector(f"{room}[data-painted^='3:1:']")
    page.locator(f"{room} .af-time").fill("7")
    page.wait_for_selector(f"{room}[data-painted='3:1:7']")
    assert "While it sounds, it points at" in tab.text(f"{room} .af-points")
    page.click(f"{room} .af-new")
    page.wait_for_selector(f"{room}[data-painted^='4:']")
    page.wait_for_selector(f"{room} .af-fits tr:nth-child(5)")
    page.wait_for_selector(f"{room}[data-wrote=nothing]")
    page.locator(f"{room} .af-draw").hover()
    page.mouse.down()
    page.mouse.up()
    page.wait_for_selector(f"{room}[data-wrote=drawn]")
    assert "of the 382 pictures" in tab.text(f"{room} .af-drawn")
    tab.close()
