"""Sound in, labels out: windows, embeddings, frames, and everything that is no usable sound."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
import torch
from tiny import RATE, codec_about, coded_clips, tiny_codec, tone

from audioformer.audio import Waveform, save_audio
from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier, as_waveform, load
from audioformer.errors import AudioformerError
from audioformer.evaluation.codings import classify_codings
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.predict import predict_codes, window_starts
from audioformer.recipes import finetune_preset, preset
from audioformer.tokens import collate


def made(
    rows: str = "summed", multi_label: bool = False, frame_head: bool = False, window_s: float = 1.0
) -> AudioClassifier:
    torch.manual_seed(4)
    codec = tiny_codec()
    classifier = Classifier(preset("test", codebook_size=16, n_codebooks=2, rows=rows), 3, frame_head)
    names = ["dog", "rain", "süßer Ton"]
    return AudioClassifier(
        classifier, codec, {"label_names": names, "multi_label": multi_label, "window_s": window_s}, "made"
    )


@pytest.fixture(scope="module")
def clf() -> AudioClassifier:
    return made()


def test_a_prediction_says_what_where_and_how_sure(clf):
    found = clf.classify(tone(440, 2.6), top_k=2, sample_rate=RATE)
    assert len(found.labels) == len(found.probabilities) == 2
    assert found.probabilities == sorted(found.probabilities, reverse=True)
    assert found.label_names == clf.label_names
    assert found.window_probabilities.shape == (5, 3)
    np.testing.assert_allclose(found.window_probabilities.sum(1), 1, atol=1e-5)
    starts = (195 - 75) / 75
    np.testing.assert_allclose(found.window_start_s[[0, -1]], [0, starts], atol=0.01)
    assert found.duration_s == pytest.approx(2.6)
    assert (found.checkpoint, found.multi_label, found.window_s) == ("made", False, 1.0)
    assert set(found.to_dict("a b.ogg")) == {
        "file",
        "checkpoint",
        "answer",
        "labels",
        "duration_s",
        "level_db",
        "notes",
    }
    every = clf.classify(tone(440), top_k=50, sample_rate=RATE)
    assert sorted(every.labels) == sorted(clf.label_names)
    assert sum(every.probabilities) == pytest.approx(1, abs=1e-5)


def test_several_codings_of_a_sound_are_averaged(clf):
    sound = tone(440, 2.6)[0].numpy()
    padded = [np.pad(sound[start:], (0, start)) for start in (0, clf.codec.hop_length // 2)]
    single = [clf.classify(one, 3, RATE) for one in padded]
    assert not np.allclose(single[0].window_probabilities, single[1].window_probabilities, atol=1e-6)
    found = classify_codings(clf, sound, 2, 3, RATE)
    expected = np.mean([one.window_probabilities for one in single], 0)
    np.testing.assert_allclose(found.window_probabilities, expected, atol=1e-6)
    means = [
        np.mean([dict(zip(one.labels, one.probabilities, strict=True))[label] for one in single])
        for label in found.labels
    ]
    np.testing.assert_allclose(found.probabilities, means, atol=1e-6)
    assert len(classify_codings(clf, sound[:1], 4, 3, RATE).labels) == 3  # a single sample
    with pytest.raises(AudioformerError, match="codings=0 must be a whole number"):
        classify_codings(clf, sound, 0, sample_rate=RATE)


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", None])
def test_top_k_must_be_a_count(clf, top_k):
    with pytest.raises(AudioformerError, match="top_k=.* must be a whole number"):
        clf.classify(tone(440), top_k=top_k, sample_rate=RATE)


def test_a_file_a_waveform_and_samples_are_the_same_sound(clf, tmp_path):
    sound = tone(440, 0.7)
    soundfile.write(tmp_path / "ein Ton é.wav", sound[0].numpy(), RATE, subtype="FLOAT")
    found = [
        clf.classify(tmp_path / "ein Ton é.wav"),
        clf.classify(str(tmp_path / "ein Ton é.wav")),
        clf.classify(Waveform(sound, RATE)),
        clf.classify(sound[0], sample_rate=RATE),
        clf.classify(sound.numpy(), sample_rate=RATE),
        clf.classify(sound.expand(2, -1), sample_rate=RATE),
    ]
    assert all(entry.probabilities == found[0].probabilities for entry in found)


@pytest.mark.parametrize("samples", [torch.zeros(1), torch.zeros(30_000), torch.ones(1), torch.full((400,), 1e6)])
def test_one_sample_silence_and_overload_still_get_an_answer(clf, samples):
    found = clf.classify(samples, sample_rate=RATE)
    assert np.isfinite(found.probabilities).all()


@pytest.mark.parametrize(
    ("level", "answer", "said"),
    [
        (0, "silence", "silence: nothing in it is above -100 dB"),
        (0.005, "too quiet", "very quiet .-51 dB"),
        (0.5, None, None),
    ],
)
def test_silence_and_very_quiet_sounds_have_an_answer_of_their_own(clf, tmp_path, level, answer, said):
    path = tmp_path / "a.wav"
    save_audio(path, 2 * level * tone(440), RATE)
    found = clf.classify(path)
    assert found.answer == (answer or found.labels[0])
    assert found.to_dict()["answer"] == found.answer
    assert len(found.notes) == (said is not None)
    if said:
        assert re.match(said, found.notes[0])


def test_numbers_beyond_full_scale_are_brought_to_it_whether_from_a_file_or_an_array(clf, tmp_path):
    sine = tone(440)
    numbers = (sine * 32768).round()
    soundfile.write(tmp_path / "a.wav", numbers.numpy().reshape(-1), RATE, subtype="FLOAT")
    from_array, from_file = clf.classify(numbers, sample_rate=RATE), clf.classify(tmp_path / "a.wav")
    assert from_array.notes == from_file.notes == ("its numbers are 16-bit ones stored as floats; scaled to +-1",)
    np.testing.assert_allclose(from_array.probabilities, from_file.probabilities, atol=1e-6)
    assert from_file.level_db < 0


def test_missing_files_folders_and_other_things_are_refused(clf, tmp_path):
    with pytest.raises(AudioformerError, match="no such file"):
        clf.classify(tmp_path / "absent.wav")
    with pytest.raises(AudioformerError, match="a list is not a sound"):
        clf.classify([0.0, 1.0])
    with pytest.raises(AudioformerError, match="sample_rate is missing"):
        clf.classify(torch.zeros(100))
    with pytest.raises(AudioformerError, match="batch of 2 sounds"):
        as_waveform(torch.zeros(2, 1, 100), RATE, RATE)


@pytest.mark.parametrize("rows", ["separate", "shared", "summed"])
def test_the_clip_vector_is_what_the_decision_is_linear_in(rows):
    clf = made(rows)
    sound = tone(440, 0.8)
    vector = torch.from_numpy(clf.embed(sound, sample_rate=RATE))
    assert vector.shape == (32,)
    probabilities = clf.classifier.head(vector).softmax(-1)
    found = clf.classify_codes(clf.codes(sound, RATE)).probabilities
    torch.testing.assert_close(probabilities, found, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", ["separate", "shared", "summed"])
@pytest.mark.parametrize("duration_s", [0.01, 0.8, 2.6])
def test_there_is_a_vector_and_a_probability_for_every_frame(rows, duration_s):
    clf = made(rows)
    codes = clf.codes(tone(440, duration_s), RATE)
    vectors = clf.embed(tone(440, duration_s), frames=True, sample_rate=RATE)
    assert vectors.shape == (codes.shape[1], 32)
    assert np.isfinite(vectors).all()
    shares = clf.frame_probabilities(codes)
    assert shares.shape == (codes.shape[1], 3)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_the_vector_of_a_frame_is_the_one_at_its_place():
    clf = made("separate")
    codes = clf.codes(tone(440, 0.8), RATE)
    batch = collate([codes], 16)
    expected = (
        clf.classifier.backbone(batch.tokens, batch.padding, [0]).hidden[0, 0, 1:-1].detach()
    )  # without BOA and EOA
    found = torch.from_numpy(clf.embed(tone(440, 0.8), frames=True, sample_rate=RATE))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_multi_label_model_judges_each_class_on_its_own():
    clf = made(multi_label=True, frame_head=True)
    found = clf.classify(tone(440), top_k=3, sample_rate=RATE)
    assert found.multi_label
    codes = clf.codes(tone(440), RATE)
    embedding = clf.classify_codes(codes).embedding
    expected = clf.classifier.head(embedding).sigmoid()
    assert dict(zip(found.labels, found.probabilities, strict=True)) == pytest.approx(
        dict(zip(clf.label_names, expected.tolist(), strict=True)), abs=1e-5
    )


@pytest.mark.parametrize(
    ("n_frames", "window"), [(1, 40), (40, 40), (41, 40), (79, 40), (80, 40), (100, 40), (101, 7), (3, 1), (750, 375)]
)
def test_windows_cover_every_frame_and_end_flush(n_frames, window):
    starts = window_starts(n_frames, window)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    covered = {frame for start in starts for frame in range(start, min(start + window, n_frames))}
    assert covered == set(range(n_frames))
    assert starts[-1] == max(0, n_frames - window)
    if window > 1:
        assert all(0 < later - earlier <= (window + 1) // 2 for earlier, later in zip(starts, starts[1:], strict=False))


def test_long_clips_are_the_weighted_mean_of_their_windows(clf):
    codes = torch.randint(16, (2, 190))
    found = predict_codes(clf.classifier, [codes], clf.window, multi_label=False)[0]
    alone = [
        predict_codes(clf.classifier, [codes[:, s : s + 75]], 75, False)[0].probabilities
        for s in found.window_starts.tolist()
    ]
    torch.testing.assert_close(found.probabilities, torch.stack(alone).mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.window_probabilities, torch.stack(alone), atol=1e-5, rtol=1e-4)


def test_clips_are_predicted_alike_alone_and_together(clf):
    clips = [torch.randint(16, (2, n)) for n in (5, 75, 190, 40)]
    together = predict_codes(clf.classifier, clips, clf.window, False, batch_size=3)
    for codes, found in zip(clips, together, strict=True):
        alone = predict_codes(clf.classifier, [codes], clf.window, False)[0]
        torch.testing.assert_close(found.probabilities, alone.probabilities, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.embedding, alone.embedding, atol=1e-4, rtol=1e-4)


def test_load_opens_what_finetuning_wrote(tmp_path):
    codec = tiny_codec()
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=2))
    task = FineTuning(finetune_preset("test"), model, coded_clips(4), ["low", "high"], False, codec_about(codec))
    task.export(tmp_path / "c", None, None)
    clf = load(tmp_path / "c", codec=codec)
    assert (clf.label_names, clf.window) == (["low", "high"], 75)
    assert len(clf.classify(tone(440, 3.0), sample_rate=RATE).labels) == 2
