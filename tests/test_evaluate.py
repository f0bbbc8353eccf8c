"""Evaluation: classes by name, scores against known answers, scores written down with their command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny import RATE, codec_about, coded_clips, tiny_codec, tone, tone_folder
from torch import nn

from audioformer.audio import save_audio
from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier, load
from audioformer.data.datasets import open_dataset
from audioformer.errors import AudioformerError
from audioformer.evaluation.evaluate import choose_thresholds, evaluate
from audioformer.evaluation.scores import add_score, add_thresholds
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.recipes import finetune_preset, preset


def classifier(
    names: list[str], multi_label: bool = False, frame_head: bool = False, always: int | None = None
) -> AudioClassifier:
    """A seeded classifier; `always` makes it give the same class whatever it hears."""
    torch.manual_seed(0)
    model = Classifier(preset("test", codebook_size=16, n_codebooks=2, rows="summed"), len(names), frame_head)
    heads = [head for head in (model.head, model.frame_head) if head is not None]
    if always is not None:
        for head in heads:
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, -5.0)
            with torch.no_grad():
                head.bias[always] = 5.0
    config = {"label_names": names, "multi_label": multi_label, "window_s": 1.0, "frame_head": frame_head}
    return AudioClassifier(model, tiny_codec(), config, "mine")


@pytest.fixture
def tones(tmp_path) -> Path:
    """Six clips, "low" and "high" in turn."""
    return tone_folder(tmp_path / "tones")


@pytest.mark.parametrize(
    ("names", "always"), [(["high", "low"], 1), (["low", "dog", "high"], 0), (["LOW", "x", "y", "z"], 0)]
)
def test_classes_are_matched_by_name(tones, names, always):
    report = evaluate(classifier(names, always=always), open_dataset("folder", tones))
    n = 3 if "high" not in names else 6
    assert report["n"] == n
    assert report["metric"] == report["accuracy"] == (1.0 if n == 3 else 0.5)
    assert report["metric_name"] == "accuracy"
    assert report["per_class"][names[always]] == 1.0
    assert report["labels"] == names
    assert report["left_out"] == ({} if n == 6 else {"high": 3})
    assert np.array(report["confusion"]).sum() == n
    assert np.array(report["confusion"])[:, always].sum() == n
    json.dumps(report)


def test_what_is_missing_of_a_clip_or_too_quiet_is_told(tones):
    clips = open_dataset("folder", tones)
    cut, silent = clips[0].path, clips[1].path
    cut.write_bytes(cut.read_bytes()[:-200])
    soundfile.write(silent, np.zeros(2000), 24_000)
    notes = evaluate(classifier(["low", "high"]), clips)["notes"]
    assert notes.keys() == {clips[0].id, clips[1].id}
    assert "100 of" in notes[clips[0].id][0]
    assert notes[clips[1].id][0].startswith("silence: nothing in it is above -100 dB")


def test_no_class_in_common_is_refused_with_both_lists(tones):
    with pytest.raises(AudioformerError, match="mine knows dog, rain; .*tones has high, low: no class in common"):
        evaluate(classifier(["dog", "rain"]), open_dataset("folder", tones))


def test_progress_is_told_and_an_unreadable_clip_is_named(tones):
    seen = []
    evaluate(classifier(["low", "high"]), open_dataset("folder", tones), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)
    (tones / "low 2.wav").write_bytes(b"no sound")
    with pytest.raises(AudioformerError, match="clip low 2.wav: .*not a readable sound file"):
        evaluate(classifier(["low", "high"]), open_dataset("folder", tones))


def test_a_multi_label_model_on_single_labels_gives_map(tones):
    report = evaluate(classifier(["low", "high"], multi_label=True), open_dataset("folder", tones))
    assert report["metric_name"] == "mAP"
    assert 0 <= report["metric"] == report["mAP"] <= 1
    assert report["chance"] == pytest.approx(0.5)


def scenes(root: Path) -> Path:
    """Two clips of 1 s: a dog in the first half of one, rain throughout the other."""
    for name in ("1-1-A-0", "1-2-A-1"):
        save_audio(root / "audio" / f"{name}.wav", tone(440, 1.0), RATE)
    (root / "meta").mkdir()
    (root / "meta" / "esc50.csv").write_text(
        "filename,fold,target,category\n1-1-A-0.wav,1,0,dog\n1-2-A-1.wav,1,1,rain\n"
    )
    (root / "meta" / "events.csv").write_text(
        "filename,label,onset_s,offset_s\n1-1-A-0.wav,dog,0.0,0.5\n1-2-A-1.wav,rain,0.0,1.0\n"
    )
    return root


def test_event_times_are_scored_in_segments(tmp_path):
    report = evaluate(classifier(["rain", "dog"], True, True, always=0), open_dataset("esc50", scenes(tmp_path)))
    # rain is marked in all 20 segments: 10 right, 10 wrong, and dog's 5 are missed
    assert report["segment_f1"] == pytest.approx(2 * 10 / (2 * 10 + 10 + 5))
    assert report["segment_f1_per_class"]["dog"] == 0
    assert report["segment_s"] == 0.1
    assert report["labels"] == ["rain", "dog"]


def test_thresholds_are_chosen_on_one_part_and_used_on_another(tmp_path):
    model, data = classifier(["rain", "dog"], True, True, always=0), open_dataset("esc50", scenes(tmp_path))
    chosen = choose_thresholds(model, data)
    assert set(chosen) == {"rain", "dog"}
    before = evaluate(model, data)
    model.about["frame_thresholds"] = {"rain": chosen["rain"], "dog": 0.0}
    after = evaluate(model, data)
    # dog is now marked everywhere: its 5 segments are found, 15 others are wrong
    assert after["segment_f1_per_class"]["dog"] == pytest.approx(2 * 5 / (2 * 5 + 15))
    assert before["segment_f1_per_class"]["dog"] == 0
    assert after["metric"] == before["metric"]
    model.about["frame_thresholds"] = {"rain": 1.1}
    assert evaluate(model, data)["segment_f1"] == 0


def test_thresholds_need_event_times(tones):
    with pytest.raises(AudioformerError, match="frame head and clips with event times"):
        choose_thresholds(classifier(["low", "high"], False, False, always=0), open_dataset("folder", tones))


def test_scores_are_written_down_with_their_command(tones, tmp_path):
    codec = tiny_codec()
    task = FineTuning(
        finetune_preset("test"),
        AudioFormer(preset("test", codebook_size=16, n_codebooks=2)),
        coded_clips(4),
        ["low", "high"],
        False,
        codec_about(codec),
    )
    task.export(tmp_path / "c", None, None)
    report = evaluate(load(tmp_path / "c", codec=codec), open_dataset("folder", tones)) | {
        "command": "audioformer evaluate tones ..."
    }
    for _ in range(2):  # the second takes the place of the first
        add_score(tmp_path / "c", "tones", report)
    add_score(tmp_path / "c", "other tones", report)
    scores = json.loads((tmp_path / "c" / "config.json").read_text())["scores"]
    assert [score["data"] for score in scores] == ["tones", "other tones"]
    assert scores[0]["value"] == report["accuracy"]
    assert scores[0]["command"] == "audioformer evaluate tones ..."
    assert "| tones | accuracy |" in (tmp_path / "c" / "README.md").read_text()
    add_thresholds(tmp_path / "c", {"low": 0.25}, "audioformer evaluate ...")
    assert load(tmp_path / "c", codec=codec).about["frame_thresholds"] == {"low": 0.25}
    with pytest.raises(AudioformerError, match="neither a folder nor bundled"):
        add_score(tmp_path / "nothing", "tones", report)
