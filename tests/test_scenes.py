"""Pictures for sounds: whose digits, which scenes, and that things move as their sounds do."""

from __future__ import annotations

import numpy as np
import pytest

from audioformer.audiovisual import digits, scenes
from audioformer.errors import AudioformerError

KNOCKS = (30, 105, 180)  # frames of 75 Hz: pictures 2, 7 and 12


def bands(onsets=KNOCKS, band: int = 20, length: int = 225, decay: float = 0.5) -> np.ndarray:
    """(64, 225) log energies: a short sound in one band at each onset."""
    found = np.full((64, length), -16.0, np.float32)
    for onset in onsets:
        found[band, onset : onset + 10] = -decay * np.arange(min(10, length - onset))
    return found


def thing(kind: str, motion: scenes.Motion) -> scenes.Thing:
    return scenes.Thing(kind, "red", 0.5, 0.5, motion)


def test_writers_are_held_out_whole():
    parts = {name: digits.digit_pictures(name) for name in digits.PARTS}
    assert [len(pictures) for pictures, _ in parts.values()] == [1157, 258, 382]
    assert sum(len(pictures) for pictures, _ in parts.values()) == 1797
    assert all(set(written) == set(range(10)) for _, written in parts.values())
    assert digits.WRITERS[len(digits.PARTS["train"])] == 1157
    with pytest.raises(AudioformerError, match="nearest: test"):
        digits.digit_pictures("tests")


@pytest.mark.parametrize("pairing", digits.PAIRINGS)
def test_a_recording_gets_its_picture(pairing):
    spoken = np.arange(200) % 10
    pairs = digits.DigitPairs(spoken, "train", pairing)
    pictures, written = digits.digit_pictures("train")
    known = digits.for_tower(pictures)

    def of(seed: int) -> np.ndarray:
        drawn = pairs.draw(range(200), [np.random.default_rng([seed, i]) for i in range(200)])
        moved = np.stack([np.roll(known, (y, x), (-2, -1)) for y in (-1, 0, 1) for x in (-1, 0, 1)])
        best = [np.square(moved - one).sum((2, 3, 4, 5)).min(0).argmin() for one in drawn]
        return np.array(best)

    first, second = of(0), of(1)
    if pairing == "shuffled":
        assert 0.02 < (written[first] == spoken).mean() < 0.25
    else:
        assert (written[first] == spoken).all()
    assert (first == second).all() == (pairing == "fixed")


def test_fewer_pixels_keep_the_mean_of_each_square():
    pictures, _ = digits.digit_pictures("val")
    assert digits.for_tower(pictures).shape == (258, 1, 1, 16, 16)
    seen = digits.for_tower(pictures, 2)[:, 0, 0]
    assert np.allclose(seen[:, :8, :8], pictures[:, :4, :4].mean((1, 2))[:, None, None], atol=1e-6)
    with pytest.raises(AudioformerError, match="resolution=3 must divide the 8 pixels"):
        digits.for_tower(pictures, 3)
    with pytest.raises(AudioformerError, match="classes are the digits 0 to 9"):
        digits.DigitPairs([3, -1])


def test_the_curves_of_a_sound_are_where_it_sounds():
    motion = scenes.motion_of(bands())
    heard = [2, 7, 12]
    assert np.flatnonzero(motion.onset).tolist() == heard
    assert np.flatnonzero(motion.audible).tolist() == heard
    assert np.allclose(motion.height[heard], 20 / 63, atol=0.01)
    high = scenes.motion_of(bands(band=50))
    assert (high.height[heard] > motion.height[heard] + 0.3).all()
    short = scenes.motion_of(bands(onsets=(0,), length=30))
    assert np.flatnonzero(short.audible).tolist() == [0]
    assert not scenes.motion_of(np.zeros((64, 0))).audible[1:].any()


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_a_thing_stays_in_its_place_and_moves_only_with_its_sound(kind):
    loud, silent = scenes.motion_of(bands(decay=0.1)), scenes.motion_of(bands(onsets=()))
    cover = scenes.drawn(thing(kind, loud))
    place = scenes.Scene((thing(kind, loud),), (0, 0, 0)).places()[0]
    assert cover.shape == (15, 32, 32)
    assert cover.max((1, 2)).min() > 0.4  # it is always to be seen
    assert (cover.max(0) * ~place).max() < 0.5
    changes = np.abs(np.diff(cover, axis=0)).sum((1, 2))
    around = [frame - 1 for frame in range(1, 15) if {frame, frame - 1} & {2, 7, 12}]
    assert changes[around].max() > 1.5
    if kind not in ("rain", "helicopter"):  # a texture flickers and a rotor turns a little all the time
        still = np.abs(np.diff(scenes.drawn(thing(kind, silent)), axis=0)).sum((1, 2))
        assert still[2:].max() < 0.5


def test_a_disc_jumps_at_each_knock_and_a_texture_follows_the_level():
    disc = scenes.drawn(thing("door_knock", scenes.motion_of(bands())))
    rows = (disc * np.arange(32)[:, None]).sum((1, 2)) / disc.sum((1, 2))
    assert set(np.argsort(rows)[:3]) == {2, 7, 12}
    texture = scenes.drawn(thing("rain", scenes.motion_of(bands(decay=0.0)))).sum((1, 2))
    assert set(np.argsort(-texture)[:3]) == {2, 7, 12}


def test_colours_kept_for_testing_are_never_drawn_in_training():
    pairs = {(kind, colour) for kind in scenes.KINDS for colour in scenes.COLOURS}
    kept = {pair for pair in pairs if scenes.is_held_out(*pair)}
    assert len(kept) == len(pairs) // 6
    motions = [scenes.motion_of(bands())] * 12
    for held_out in (False, True):
        found = set()
        for seed in range(60):
            rng = np.random.default_rng(seed)
            kinds = rng.permutation(list(scenes.KINDS))[:3]
            scene = scenes.make_scene(list(zip(kinds, motions, strict=False)), rng, held_out)
            found |= {(one.kind, one.colour) for one in scene.things}
            apart = [np.hypot(a.x - b.x, a.y - b.y) for a in scene.things for b in scene.things if a is not b]
            assert min(apart) >= scenes.APART - 1e-6
            assert not (scene.places().sum(0) > 1).any()
        assert (found <= kept) == held_out
        assert bool(found & kept) == held_out


def test_scenes_are_the_same_for_the_same_seed_and_refuse_what_has_no_shape():
    kinds = ["bell", "dog", "bell"]
    pairs = scenes.ScenePairs(kinds, lambda i: bands(band=10 + i))
    draws = [pairs.draw([0, 1], [np.random.default_rng([5, i]) for i in range(2)]) for _ in range(2)]
    assert draws[0].shape == (2, 15, 3, 32, 32)
    assert (draws[0] == draws[1]).all()
    scene, numbers = pairs.scene(1, np.random.default_rng(0))
    assert [one.kind for one in scene.things] == [kinds[number] for number in numbers]
    assert scene.things[0].kind == "dog"
    with pytest.raises(AudioformerError, match="no object is drawn for the classes violin; scenes need a corpus of"):
        scenes.ScenePairs(["violin"], bands)
    with pytest.raises(AudioformerError, match="one to three things"):
        scenes.make_scene([], np.random.default_rng(0))
