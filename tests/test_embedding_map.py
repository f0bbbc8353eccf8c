"""Maps of sounds: vectors, neighbours, and planes against what they say they are."""

import shutil

import numpy as np
import pytest
import torch
from app_weights import make_weights

from audioformer import load
from audioformer.audio import Waveform
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import clip_features
from audioformer.evaluation.embedding_map import Space, align, describer, fresh, place, project, purity, vote
from audioformer.evaluation.features import open_encoder
from audioformer.metrics import chance, retrieval_at_k

GROUPS = np.repeat([0, 1, 2], 8)
LABELS = [("dog", "rain", "bell")[group] for group in GROUPS]


@pytest.fixture(scope="module")
def vectors():
    """Three clouds in ten dimensions, of very different scales."""
    rng = np.random.default_rng(3)
    centres = 4 * rng.standard_normal((3, 10))
    return (centres[GROUPS] + rng.standard_normal((24, 10))) * 10.0 ** np.arange(-2, 8)


@pytest.fixture(scope="module")
def tone():
    return Waveform(0.4 * torch.sin(torch.arange(36_000)[None] / 20), 24_000)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    _, checkpoints, pretrained = make_weights(tmp_path_factory.mktemp("weights"))
    return {"classifier": checkpoints[0], "pretrained": pretrained[0]}


def test_a_classifier_gives_its_own_vector_and_probabilities(weights, tone):
    clf = load(weights["classifier"])
    for model in (clf, weights["classifier"]):
        found = describer(model)(tone)
        np.testing.assert_allclose(found.vector, clf.embed(tone), atol=1e-6)
        np.testing.assert_allclose(found.probabilities, clf.classify_codes(clf.codes(tone)).probabilities, atol=1e-6)


def test_a_path_with_a_drive_letter_names_a_checkpoint(weights, tone, tmp_path, monkeypatch):
    shutil.copytree(weights["classifier"], tmp_path / r"C:\models\mine")
    monkeypatch.chdir(tmp_path)
    found = describer(r"C:\models\mine")(tone)
    np.testing.assert_allclose(found.vector, load(weights["classifier"]).embed(tone), atol=1e-6)
    assert found.probabilities is not None


def test_other_models_give_the_mean_of_their_frames(weights, tone):
    encoder = open_encoder(weights["pretrained"])
    found = describer(weights["pretrained"])(tone)
    np.testing.assert_allclose(found.vector, encoder(tone.samples)[0].mean(0), atol=1e-6)
    assert found.probabilities is None
    np.testing.assert_allclose(describer("statistics")(tone).vector, clip_features(tone.samples[0], 24_000), rtol=1e-6)


def test_random_weights_are_others_and_follow_the_seed(weights, tone):
    name = f"random:{weights['pretrained']}"
    trained, one, same, other = (describer(*a)(tone).vector for a in ((name[7:],), (name,), (name, 0), (name, 1)))
    assert np.array_equal(one, same)
    assert np.abs(one - trained).max() > 1e-3
    assert np.abs(one - other).max() > 1e-3
    with pytest.raises(AudioformerError, match="transformer"):
        fresh(open_encoder("log-mel"))


def test_purity_is_what_the_metrics_say(vectors):
    space = Space.of(vectors)
    for k in (1, 5):
        share, blind, counted = purity(space.neighbours(k), LABELS)
        assert share == pytest.approx(retrieval_at_k((vectors - space.mean) / space.scale, GROUPS, k))
        assert blind == pytest.approx(chance("retrieval_at_k", GROUPS))
        assert counted == 24
    assert share > 0.9
    alone = purity(space.neighbours(1), ["a", *["b"] * 22, "c"])
    assert alone[2] == 22
    assert purity(space.neighbours(1), list(map(str, range(24)))) == (0.0, 0.0, 0)


def test_neighbours_do_not_hang_on_the_scale_of_a_feature(vectors):
    np.testing.assert_array_equal(
        Space.of(vectors).neighbours(3), Space.of(vectors * 10.0 ** -np.arange(10)).neighbours(3)
    )
    with pytest.raises(AudioformerError, match="1 to 23"):
        Space.of(vectors).neighbours(24)


def test_a_clip_of_the_set_is_its_own_nearest_unless_passed_over(vectors):
    space = Space.of(vectors)
    near, cosines = space.nearest(vectors[7], 3)
    assert near[0] == 7
    assert cosines[0] == pytest.approx(1)
    near, _ = space.nearest(vectors[7], 3, without=7)
    np.testing.assert_array_equal(near, space.neighbours(3)[7])


def test_votes():
    said, shares = vote(np.array([[1, 2, 3], [0, 2, 3]]), ["a", "b", "b", "a"])
    assert said == ["b", "a"]
    assert shares == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_a_map_keeps_clouds_apart_and_comes_out_the_same_again(vectors, method):
    points, shares = project(vectors, method, seed=1)
    assert points.shape == (24, 2)
    assert (shares is None) == (method == "umap")
    middles = np.stack([points[GROUPS == group].mean(0) for group in range(3)])
    nearest = ((points[:, None] - middles) ** 2).sum(-1).argmin(1)
    assert (nearest == GROUPS).mean() > 0.9
    np.testing.assert_array_equal(project(vectors, method, seed=1)[0], points)


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_two_or_three_clips_are_no_map(method):
    for n in (2, 3):
        with pytest.raises(AudioformerError, match=f"{n} clips are too few for a map; give at least 4"):
            project(np.eye(n), method)


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.slow)])
def test_few_or_equal_clips_have_places_that_can_be_drawn(vectors, method):
    line = np.arange(12.0)[:, None] % 3 * [1.0, 2.0, 3.0]  # three kinds of clips, four of each, on one line
    for some in (vectors[:4], vectors[:5], np.full((4, 3), 3.7), np.full((20, 3), 0.0), line):
        points, _ = project(some, method)
        assert points.shape == (len(some), 2)
        assert np.isfinite(points).all()
    assert not project(np.full((20, 3), 3.7), method)[0].any()


def test_maps_that_cannot_be_made_are_refused(vectors):
    for bad, says in (
        (vectors[:2], "too few"),
        (vectors[:3], "too few"),
        (vectors[:, 0], "must be finite"),
        (vectors * np.nan, "must be finite"),
    ):
        with pytest.raises(AudioformerError, match=says):
            project(bad, "pca")
    with pytest.raises(AudioformerError, match="umap"):
        project(vectors, "ump")


def test_a_turned_and_mirrored_map_is_laid_back_where_it_was():
    points = np.random.default_rng(0).standard_normal((9, 2))
    turned = 3 * points @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [5, -2]
    np.testing.assert_allclose(align(turned, points), points, atol=1e-9)


def test_a_new_sound_lies_amid_its_neighbours():
    points = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    np.testing.assert_allclose(place(points, np.array([0, 1]), np.array([0.5, 0.5])), [1, 0])
    np.testing.assert_allclose(place(points, np.array([0, 1]), np.array([0.9, -0.3])), [0, 0], atol=1e-4)
