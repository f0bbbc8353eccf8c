"""The lane "Score" against sounds whose times are known."""

import numpy as np
import pytest
import torch

from audioformer import load
from audioformer.data.synth import synth_clip
from audioformer.explain.moments import moment_scores, silent_frames
from audioformer.widgets import lanes

RATE_HZ, START_S, END_S = 24_000, 2.0, 3.0


@pytest.fixture(scope="module")
def clf():
    return load("esc10")


def planted(label, noise_db):
    """One second of a sound in five seconds of noise, (N,) float32; None: of digital silence."""
    sound = synth_clip(label, seed=1, duration_s=END_S - START_S, sample_rate=RATE_HZ)
    level = 0 if noise_db is None else 10 ** (noise_db / 20)
    samples = level * np.random.default_rng(0).standard_normal(5 * RATE_HZ).astype(np.float32)
    samples[int(START_S * RATE_HZ) : int(END_S * RATE_HZ)] += 0.7 * sound / np.abs(sound).max()
    return samples


@pytest.mark.parametrize("noise_db", [None, -55])
@pytest.mark.parametrize("label", ["dog", "rooster", "sea_waves", "crackling_fire", "crying_baby", "helicopter"])
def test_a_label_scores_where_its_sound_was_planted(clf, label, noise_db):
    samples = planted(label, noise_db)
    scores = moment_scores(clf, clf.codes(samples, RATE_HZ))[:, clf.label_names.index(label)]
    middles_s = (torch.arange(len(scores)) + 0.5) / clf.codec.frame_rate
    inside = scores[(middles_s > START_S) & (middles_s < END_S)].mean()
    outside = scores[(middles_s < START_S - 0.5) | (middles_s > END_S + 0.5)].mean()
    assert inside > 2.5 * outside


def test_the_lane_has_no_line_in_silence_and_the_labels_that_are_named(clf):
    samples = planted("sneezing", None)
    scores = moment_scores(clf, clf.codes(samples, RATE_HZ))
    silent = silent_frames(samples, RATE_HZ, clf.codec.frame_rate, len(scores))
    lane = lanes.scores(scores, clf.codec.frame_rate, clf.label_names, ["rain", "sneezing"], silent)
    assert [line["name"] for line in lane["lines"]] == ["rain", "sneezing"]
    gaps = np.array([value is None for value in lane["lines"][1]["values"]])
    times_s = lane["start_s"] + np.arange(len(gaps)) * lane["step_s"]
    assert gaps[(times_s < START_S - 0.25) | (times_s > END_S + 0.3)].all()
    assert not gaps[(times_s > START_S + 0.1) & (times_s < START_S + 0.4)].any()


def test_a_frame_head_that_learned_event_times_is_asked_itself():
    clf = load("scenes")
    codes = torch.randint(0, clf.codec.codebook_size, (clf.codec.n_codebooks, 80))
    torch.testing.assert_close(moment_scores(clf, codes), clf.scan(codes).frames)


def test_a_clip_shorter_than_half_a_second_has_one_answer(clf):
    scores = moment_scores(clf, clf.codes(planted("dog", -55)[:6000], RATE_HZ))
    assert scores.shape == (19, 10)
    assert (scores == scores[0]).all()
