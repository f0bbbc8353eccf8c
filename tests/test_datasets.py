"""datasets/: each published layout rebuilt small, its folds, and everything that can be wrong with it."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioformer.data.datasets import DATASETS, AudioDataset, open_dataset
from audioformer.data.datasets.base import load_told
from audioformer.errors import AudioformerError
from audioformer.files import samples_folder

RATE = 8000


def sound(path: Path, seconds: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(len(path.name)).uniform(-0.1, 0.1, round(seconds * RATE))
    soundfile.write(str(path), samples, RATE)
    return path


def table(path: Path, rows: list[list], header: list[str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(([header] if header else []) + rows)
    return path


ESC_HEADER = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
ESC_ROWS = [
    ["1-100032-A-0.wav", 1, 0, "dog", "True", "100032", "A"],
    ["1-100038-A-14.wav", 1, 14, "chirping_birds", "False", "100038", "A"],
    ["1-17367-A-10.wav", 1, 10, "rain", "True", "17367", "A"],
    ["2-114280-A-0.wav", 2, 0, "dog", "True", "114280", "A"],
    ["2-114280-B-0.wav", 2, 0, "dog", "True", "114280", "B"],
]


def esc(root: Path, rows=ESC_ROWS, header=ESC_HEADER) -> Path:
    table(root / "meta" / "esc50.csv", rows, header)
    for row in rows:
        sound(root / "audio" / row[0])
    return root


def fsdd(root: Path, speakers=("theo", "george"), takes=(0, 4, 5, 13, 14, 49)) -> Path:
    for digit in (3, 0):
        for speaker in speakers:
            for take in takes:
                sound(root / "recordings" / f"{digit}_{speaker}_{take}.wav")
    return root


def fsd50k(root: Path) -> Path:
    truth = root / "FSD50K.ground_truth"
    table(truth / "vocabulary.csv", [[0, "Bark", "/m/05tny_"], [1, "Dog", "/m/0bt9lr"], [2, "Rain", "/m/06mb1"]])
    table(
        truth / "dev.csv",
        [[11, "Bark,Dog", "/m/05tny_,/m/0bt9lr", "train"], [12, "Rain", "/m/06mb1", "val"]],
        ["fname", "labels", "mids", "split"],
    )
    table(truth / "eval.csv", [[37, "Dog", "/m/0bt9lr"]], ["fname", "labels", "mids"])
    for part, names in {"dev": (11, 12), "eval": (37,)}.items():
        for name in names:
            sound(root / f"FSD50K.{part}_audio" / f"{name}.wav")
    return root


def segments(path: Path, rows: list[str]) -> Path:
    comments = [
        "# Segments csv created Sun Mar  5 10:54:25 2017",
        "# num_ytids=4",
        "# YTID, start_seconds, end_seconds, positive_labels",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(comments + rows) + "\n")
    return path


def audioset(root: Path) -> Path:
    table(
        root / "class_labels_indices.csv",
        [[0, "/m/09x0r", "Speech"], [1, "/m/05zppz", "Male speech, man speaking"]],
        ["index", "mid", "display_name"],
    )
    segments(
        root / "balanced_train_segments.csv",
        ['--aE2O5G5WE, 0.000, 10.000, "/m/09x0r,/m/05zppz"', '-0DLPzsiXXE, 30.000, 40.000, "/m/09x0r"'],
    )
    segments(
        root / "unbalanced_train_segments.csv",
        ['_gone_video, 5.000, 15.000, "/m/05zppz"', 'abcdefghijk, 1.000, 11.000, "/m/05zppz"'],
    )
    segments(root / "eval_segments.csv", ['zzzzzzzzzzz, 130.000, 140.000, "/m/09x0r"'])
    sound(root / "audio" / "bal_train" / "--aE2O5G5WE.wav")
    sound(root / "audio" / "bal_train" / "-0DLPzsiXXE_30.flac")
    sound(root / "audio" / "unbal" / "00" / "Yabcdefghijk.wav")
    sound(root / "audio" / "eval" / "zzzzzzzzzzz_130000_140000.ogg")
    return root


MAKERS = {"esc50": esc, "fsdd": fsdd, "fsd50k": fsd50k, "audioset": audioset}


def by_id(data: AudioDataset) -> dict:
    return {clip.id: clip for clip in data}


@pytest.mark.parametrize("name", MAKERS)
def test_every_layout_opens_in_order_and_loads(tmp_path, name):
    data = open_dataset(name, MAKERS[name](tmp_path / "räume und zeit 犬"))
    assert data.name == name
    assert len(data) == len(by_id(data)) > 0
    assert [clip.id for clip in data] == [clip.id for clip in open_dataset(name, str(data.root))]
    for clip in data:
        wave = clip.load(16000, mono=True)
        assert wave.samples.shape == (1, 1600)
        assert clip.group
        assert [data.label_names[i] for i in data.label_indices(clip)] == list(clip.labels)


def test_esc_reads_folds_sources_and_targets(tmp_path):
    data = open_dataset("esc50", esc(tmp_path))
    assert data.label_names == ("dog", "rain", "chirping_birds")  # in the order of targets 0, 10, 14
    assert not data.multi_label
    clip = by_id(data)["2-114280-B-0"]
    assert (clip.labels, clip.fold, clip.group) == (("dog",), 2, "114280")
    folds = {}
    for clip in data:
        assert folds.setdefault(clip.group, clip.fold) == clip.fold, "a source in two folds"


def test_esc10_is_a_part_of_esc50(tmp_path):
    data = open_dataset("esc50", esc(tmp_path), esc10_only=True)
    assert data.label_names == ("dog", "rain")
    assert len(data) == 4
    assert data.notes == ()
    table(tmp_path / "meta" / "esc50.csv", [row[:4] for row in ESC_ROWS], ESC_HEADER[:4])
    assert open_dataset("esc50", tmp_path)[0].group == "1-100032-A-0"
    with pytest.raises(AudioformerError, match="no clip is marked esc10=True; leave esc10_only out"):
        open_dataset("esc50", tmp_path, esc10_only=True)


def test_esc_with_events_is_multi_label(tmp_path):
    events = [
        ["1-100032-A-0.wav", "siren", 0.05, 0.09, -3],
        ["1-100032-A-0.wav", "dog", 0.0, 0.04, -6],
        ["2-114280-A-0.wav", "dog", 0, 0.1, 0],
    ]
    table(esc(tmp_path) / "meta" / "events.csv", events, ["filename", "label", "onset_s", "offset_s", "level_db"])
    data = open_dataset("esc50", tmp_path)
    assert data.multi_label
    assert data.label_names == ("dog", "rain", "chirping_birds", "siren")
    clip = by_id(data)["1-100032-A-0"]
    assert clip.labels == ("dog", "siren")
    assert clip.events == (("dog", 0.0, 0.04), ("siren", 0.05, 0.09))
    assert by_id(data)["1-17367-A-10"].labels == ("rain",)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (["a.wav", "dog", 0.5, 0.5], "the offset must be later"),
        (["a.wav", "dog", "soon", 0.5], "onset_s='soon' is not a time in seconds"),
        (["a.wav", "dog", -1, 0.5], "onset_s='-1' is not a time"),
        (["a.wav", "dog", 0, "nan"], "offset_s='nan' is not a time"),
    ],
)
def test_esc_refuses_impossible_events(tmp_path, event, message):
    table(esc(tmp_path) / "meta" / "events.csv", [event], ["filename", "label", "onset_s", "offset_s"])
    with pytest.raises(AudioformerError, match=message):
        open_dataset("esc50", tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["../../secret.wav", 1, 0, "dog"], r"'../../secret.wav' leads out of"),
        (["/etc/passwd", 1, 0, "dog"], "leads out of"),
        (["..\\x.wav", 1, 0, "dog"], "leads out of"),
        (["C:\\x.wav", 1, 0, "dog"], "leads out of"),
        (["", 1, 0, "dog"], "leads out of"),
        (["a.wav", "one", 0, "dog"], "fold='one' is not a whole number"),
        (["a.wav", 1, 5, "dog"], "'dog' has targets 0 and 5; keep one"),
        (["a.wav", 1], "2 values for 4 columns; complete the line"),
        (
            ["gone.wav", 1, 0, "dog"],
            r"gone.wav: listed in esc50.csv but not there \(1 of 2 clips missing\); complete the download, or pass",
        ),
        (["ok.wav", 1, 0, "dog"], "lists 'ok' twice"),
    ],
)
def test_esc_refuses_bad_lines(tmp_path, row, message):
    table(tmp_path / "meta" / "esc50.csv", [["ok.wav", 1, 0, "dog"], row], ESC_HEADER[:4])
    sound(tmp_path / "audio" / "ok.wav")
    if row[0] == "a.wav":
        sound(tmp_path / "audio" / "a.wav")
    with pytest.raises(AudioformerError, match=message):
        open_dataset("esc50", tmp_path)


def test_esc_clips_without_a_category_have_no_label(tmp_path):
    rows = [[*row[:3], "" if row[3] == "rain" else row[3]] for row in ESC_ROWS]
    data = open_dataset("esc50", esc(tmp_path, rows, ESC_HEADER[:4]))
    assert data.multi_label
    assert by_id(data)["1-17367-A-10"].labels == ()
    assert data.label_names == ("dog", "chirping_birds")


def test_bundled_samples_open_with_their_events():
    data = open_dataset("esc50", samples_folder())
    assert len(data) >= 40
    for clip in data:
        assert {label for label, _, _ in clip.events} <= set(clip.labels) <= set(data.label_names)
    assert any(len(clip.labels) > 1 for clip in data)


def test_esc_can_do_without_missing_files(tmp_path):
    (esc(tmp_path) / "audio" / "1-17367-A-10.wav").unlink()
    data = open_dataset("esc50", tmp_path, allow_missing=True)
    assert data.missing == ("1-17367-A-10",)
    assert len(data) == 4
    assert "rain" not in data.label_names


def test_fsdd_official_split_and_both_kinds_of_folds(tmp_path):
    data = open_dataset("fsdd", fsdd(tmp_path))
    assert data.label_names == tuple("0123456789")
    assert [clip.id for clip in data][:3] == ["0_george_0", "0_george_4", "0_george_5"]
    takes = {clip.id.split("_")[2]: (clip.split, clip.fold) for clip in data}
    assert takes == {
        "0": ("test", None),
        "4": ("test", None),
        "5": ("train", 1),
        "13": ("train", 1),
        "14": ("train", 2),
        "49": ("train", 5),
    }
    by_speaker = open_dataset("fsdd", tmp_path, fold="speaker")
    assert {(clip.group, clip.fold) for clip in by_speaker} == {("george", 1), ("theo", 2)}
    assert "group" in data.mix_within
    with pytest.raises(AudioformerError, match="fold='room'"):
        open_dataset("fsdd", tmp_path, fold="room")


def test_fsdd_refuses_strange_names_and_ignores_hidden_files(tmp_path):
    (fsdd(tmp_path) / "recordings" / "._0_theo_5.wav").write_bytes(b"x")
    (tmp_path / "recordings" / "notes.txt").touch()
    assert len(open_dataset("fsdd", tmp_path)) == 24
    sound(tmp_path / "recordings" / "hello.wav")
    with pytest.raises(
        AudioformerError, match=r"hello.wav: not named \{digit\}_\{speaker\}_\{take\}; rename or remove it"
    ):
        open_dataset("fsdd", tmp_path)


def test_fsd50k_reads_splits_labels_and_uploaders(tmp_path):
    data = open_dataset("fsd50k", fsd50k(tmp_path))
    assert data.multi_label
    assert data.label_names == ("Bark", "Dog", "Rain")
    assert {clip.id: (clip.split, clip.labels) for clip in data} == {
        "11": ("train", ("Bark", "Dog")),
        "12": ("val", ("Rain",)),
        "37": ("test", ("Dog",)),
    }
    info = {"11": {"uploader": "ann"}, "12": {"uploader": "bob"}}
    (tmp_path / "FSD50K.metadata").mkdir()
    (tmp_path / "FSD50K.metadata" / "dev_clips_info_FSD50K.json").write_text(json.dumps(info))
    assert [clip.group for clip in open_dataset("fsd50k", tmp_path)] == ["ann", "bob", "37"]
    assert [clip.id for clip in open_dataset("fsd50k", tmp_path, parts="eval")] == ["37"]
    assert [clip.id for clip in data.select(splits=["val"])] == ["12"]


def test_fsd50k_refuses_what_does_not_fit(tmp_path):
    truth = fsd50k(tmp_path) / "FSD50K.ground_truth"
    (tmp_path / "FSD50K.dev_audio" / "12.wav").unlink()
    with pytest.raises(AudioformerError, match=r"12.wav: listed in dev.csv but not there \(1 of 2 clips missing\)"):
        open_dataset("fsd50k", tmp_path)
    assert open_dataset("fsd50k", tmp_path, allow_missing=True).missing == ("12",)
    table(truth / "eval.csv", [[11, "Dog", "x"]], ["fname", "labels", "mids"])
    sound(tmp_path / "FSD50K.eval_audio" / "11.wav")
    with pytest.raises(AudioformerError, match="'11' twice"):
        open_dataset("fsd50k", tmp_path, allow_missing=True)
    table(truth / "eval.csv", [[37, "Cat", "x"]], ["fname", "labels", "mids"])
    with pytest.raises(AudioformerError, match=r"37: label 'Cat' is not in vocabulary.csv"):
        open_dataset("fsd50k", tmp_path, parts=["eval"])
    table(truth / "dev.csv", [[11, "Dog", "x", "holdout"]], ["fname", "labels", "mids", "split"])
    with pytest.raises(AudioformerError, match="split='holdout'; expected train or val"):
        open_dataset("fsd50k", tmp_path, parts=("dev",))
    table(truth / "dev.csv", [[11, "Dog", "x"]], ["fname", "labels", "mids"])
    with pytest.raises(AudioformerError, match=r"column split is missing \(has fname, labels, mids\)"):
        open_dataset("fsd50k", tmp_path, parts=("dev",))
    with pytest.raises(AudioformerError, match="FSD50K has 'dev' and 'eval'"):
        open_dataset("fsd50k", tmp_path, parts=("test",))


def test_audioset_finds_files_under_all_usual_names(tmp_path):
    data = open_dataset("audioset", audioset(tmp_path), validation_share=0)
    assert data.label_names == ("Speech", "Male speech, man speaking")
    assert {clip.id: (clip.split, clip.labels, clip.path.name) for clip in data} == {
        "--aE2O5G5WE": ("train", ("Speech", "Male speech, man speaking"), "--aE2O5G5WE.wav"),
        "-0DLPzsiXXE": ("train", ("Speech",), "-0DLPzsiXXE_30.flac"),
        "abcdefghijk": ("train", ("Male speech, man speaking",), "Yabcdefghijk.wav"),
        "zzzzzzzzzzz": ("test", ("Speech",), "zzzzzzzzzzz_130000_140000.ogg"),
    }
    assert data.missing == ("_gone_video",)
    assert [clip.id for clip in open_dataset("audioset", tmp_path, parts="eval")] == ["zzzzzzzzzzz"]


def test_audioset_whole_videos_are_cut_at_the_segment(tmp_path):
    audioset(tmp_path)
    sound(tmp_path / "audio" / "unbal" / "00" / "Yabcdefghijk.wav", seconds=3.0)
    clip = by_id(open_dataset("audioset", tmp_path, full_videos=True))["abcdefghijk"]
    assert (clip.start_s, clip.duration_s) == (1.0, 10.0)
    assert clip.load().duration_s == 2.0


def test_audioset_sets_validation_clips_aside_by_id(tmp_path):
    table(tmp_path / "class_labels_indices.csv", [[0, "/m/1", "Speech"]], ["index", "mid", "display_name"])
    ids = [f"video{i:06d}" for i in range(400)]
    segments(tmp_path / "balanced_train_segments.csv", [f'{ytid}, 0.000, 10.000, "/m/1"' for ytid in ids])
    source = sound(tmp_path / f"{ids[0]}.wav")
    for ytid in ids[1:]:
        (tmp_path / f"{ytid}.wav").hardlink_to(source)
    splits = [clip.split for clip in open_dataset("audioset", tmp_path, validation_share=0.25)]
    assert splits == [clip.split for clip in open_dataset("audioset", tmp_path, validation_share=0.25)]
    assert 70 <= splits.count("val") <= 130
    assert splits.count("val") + splits.count("train") == 400
    with pytest.raises(AudioformerError, match="validation_share=0.9 must be 0 to 0.5"):
        open_dataset("audioset", tmp_path, validation_share=0.9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('xxxxxxxxxxx, 0.000, 10.000, "/m/unheard"', "class /m/unheard is not in class_labels_indices.csv"),
        ("xxxxxxxxxxx, 0.000", 'is not "YTID, start, end, labels"'),
        ('xxxxxxxxxxx, 10.000, 0.000, "/m/09x0r"', "runs from 10.0 to 0.0 s"),
        ('zzzzzzzzzzz, 130.000, 140.000, "/m/09x0r"', "zzzzzzzzzzz is in balanced_train_segments.csv too"),
    ],
)
def test_audioset_refuses_damaged_lists(tmp_path, line, message):
    segments(audioset(tmp_path) / "balanced_train_segments.csv", [line])
    sound(tmp_path / "xxxxxxxxxxx.wav")
    with pytest.raises(AudioformerError, match=message):
        open_dataset("audioset", tmp_path)


def test_audioset_without_lists_or_files(tmp_path):
    audioset(tmp_path)
    for path in list((tmp_path / "audio").rglob("*.*")):
        path.unlink()
    with pytest.raises(AudioformerError, match="none of 5 listed clips has a sound file"):
        open_dataset("audioset", tmp_path)
    for path in tmp_path.glob("*_segments.csv"):
        path.unlink()
    with pytest.raises(AudioformerError, match="AudioSet's lists are balanced_train_segments.csv"):
        open_dataset("audioset", tmp_path)


def test_folder_of_folders(tmp_path):
    for name in ("b/one.wav", "b/deep/er/two.flac", "ä ö/üml aut.ogg", ".hidden/x.wav", "b/.hidden.wav"):
        sound(tmp_path / name)
    (tmp_path / "b" / "readme.txt").touch()
    (tmp_path / "empty").mkdir()
    data = open_dataset("folder", tmp_path)
    assert data.label_names == ("b", "ä ö")
    assert [clip.id for clip in data] == ["b/deep/er/two.flac", "b/one.wav", "ä ö/üml aut.ogg"]
    assert not data.multi_label


def test_folder_with_a_csv(tmp_path):
    for name in ("x/a.wav", "b.wav", "c.wav"):
        sound(tmp_path / name)
    rows = [["x/a.wav", "dog; rain", 1, "train", "ann"], ["b.wav", "dog", 2, "test", ""], ["c.wav", "", "", "", ""]]
    table(tmp_path / "labels.csv", rows, ["filename", "label", "fold", "split", "group"])
    data = open_dataset("folder", tmp_path)
    assert data.multi_label
    assert data.label_names == ("dog", "rain")
    first, second, third = data
    assert (first.labels, first.fold, first.split, first.group) == (("dog", "rain"), 1, "train", "ann")
    assert (second.labels, second.fold, second.split, second.group) == (("dog",), 2, "test", "b.wav")
    assert (third.labels, third.fold, third.split) == ((), None, None)


def test_folder_csv_errors(tmp_path):
    sound(tmp_path / "a.wav")
    path = table(tmp_path / "one.csv", [["a.wav", "dog", "later"]], ["filename", "label", "split"])
    with pytest.raises(AudioformerError, match="split='later'; expected one of train, val, test"):
        open_dataset("folder", tmp_path)
    table(path, [["a.wav", ""]], ["filename", "label"])
    with pytest.raises(AudioformerError, match="no clip has a label; fill the label column"):
        open_dataset("folder", tmp_path)
    table(tmp_path / "two.csv", [["a.wav", "dog"]], ["filename", "label"])
    with pytest.raises(AudioformerError, match=r"holds 2 CSV files; choose one, e.g. csv='one.csv'"):
        open_dataset("folder", tmp_path)
    assert open_dataset("folder", tmp_path, csv="two.csv").label_names == ("dog",)
    with pytest.raises(AudioformerError, match="leads out of"):
        open_dataset("folder", tmp_path, csv="../two.csv")


@pytest.mark.parametrize("spelled", ["NFC", "NFD"])
def test_accents_are_found_however_they_are_spelled(tmp_path, spelled):
    other = {"NFC": "NFD", "NFD": "NFC"}[spelled]
    sound(tmp_path / unicodedata.normalize(spelled, "aboyé.wav"))
    table(tmp_path / "l.csv", [[unicodedata.normalize(other, "aboyé.wav"), "chien"]], ["filename", "label"])
    assert open_dataset("folder", tmp_path)[0].load().samples.shape == (1, 800)


@pytest.mark.parametrize("name", DATASETS)
def test_no_folder_a_file_and_an_empty_folder(tmp_path, name):
    with pytest.raises(AudioformerError, match="no such folder for .*; expected"):
        open_dataset(name, tmp_path / "gone")
    with pytest.raises(AudioformerError, match="is a file, .* is a folder; expected"):
        open_dataset(name, sound(tmp_path / "a.wav"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        AudioformerError, match=r"no such f|no sound files in its sub-folders|no such folder|put one there"
    ):
        open_dataset(name, tmp_path / "empty")


def test_unknown_names_and_options(tmp_path):
    with pytest.raises(
        AudioformerError, match="dataset 'esc' is unknown; choose one of esc50, fsdd, fsd50k, audioset, folder"
    ):
        open_dataset("esc", tmp_path)
    with pytest.raises(AudioformerError, match="fsdd has no option 'folds'; it takes fold"):
        open_dataset("fsdd", tmp_path, folds=3)
    with pytest.raises(
        AudioformerError, match=r"folds=\[7\], splits=None: no clip of esc50 is left; it has folds \[1, 2\]"
    ):
        open_dataset("esc50", esc(tmp_path)).select(folds=[7])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00junk", b'filename,label\n"unclosed', b"", b"filename,label\n"])
def test_a_csv_that_is_none(tmp_path, content):
    sound(tmp_path / "a.wav")
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(AudioformerError, match=r"not a readable CSV|is missing|lists no clips|values for 2 columns"):
        open_dataset("folder", tmp_path)


def test_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "x.csv").write_bytes("\ufefffilename, label\r\n\r\na.wav , dog\r\n".encode())
    assert open_dataset("folder", tmp_path)[0].labels == ("dog",)


def test_real_esc10(data_root):
    data = open_dataset("esc50", data_root / "esc10")
    assert len(data.label_names) == 10
    assert data.label_names[0] == "dog"
    sources: dict[str, int] = {}
    for clip in data:
        assert sources.setdefault(clip.group, clip.fold) == clip.fold
        assert clip.id.split("-")[0] == str(clip.fold)
    per_fold = {fold: sum(clip.fold == fold for clip in data) for fold in sorted({clip.fold for clip in data})}
    assert set(per_fold.values()) == {80}
    assert 0.9 < data[0].load().duration_s <= 5.1


def test_real_fsdd(data_root):
    data = open_dataset("fsdd", data_root / "fsdd")
    assert len({clip.group for clip in data}) == 6
    assert {clip.load().sample_rate for clip in data.clips[::300]} == {8000}
    train = [clip for clip in data if clip.split == "train"]
    assert {sum(clip.fold == fold for clip in train) for fold in range(1, 6)} == {540}


# as people have them


def test_folders_called_train_and_test_are_splits(tmp_path):
    for name in ("train/dog/a.wav", "train/cat/b.wav", "Test/dog/c.wav", "Test/cat/d.wav", "valid/dog/e.wav"):
        sound(tmp_path / name)
    data = open_dataset("folder", tmp_path)
    assert data.label_names == ("cat", "dog")
    assert {clip.id: (clip.labels, clip.split) for clip in data} == {
        "train/dog/a.wav": (("dog",), "train"),
        "train/cat/b.wav": (("cat",), "train"),
        "Test/dog/c.wav": (("dog",), "test"),
        "Test/cat/d.wav": (("cat",), "test"),
        "valid/dog/e.wav": (("dog",), "val"),
    }


def test_what_lies_beside_folders_of_splits_is_no_class(tmp_path):
    for name in ("train/dog/a.wav", "train/cat/b.wav", "test/dog/c.wav", "noise/d.wav"):
        sound(tmp_path / name)
    data = open_dataset("folder", tmp_path)
    assert [clip.split for clip in data] == ["test", "train", "train"]
    assert data.label_names == ("cat", "dog")
    assert data.notes == ("1 sound file is left out, for no list and no folder gives a class, e.g. noise/d.wav",)


def test_sounds_of_a_split_without_classes_are_no_class(tmp_path):
    """As in competitions, which keep the labels of the test; as UrbanSound8K, whose labels are elsewhere."""
    for name in ("train/dog/a.wav", "train/cat/b.wav", "test/c.wav"):
        sound(tmp_path / "a" / name)
    data = open_dataset("folder", tmp_path / "a")
    assert [(clip.labels, clip.split) for clip in data] == [(("cat",), "train"), (("dog",), "train")]
    assert data.notes == ("1 sound file is left out, for no list and no folder gives a class, e.g. test/c.wav",)
    for name in ("audio/fold1/a.wav", "audio/fold2/b.wav"):
        sound(tmp_path / "b" / name)
    with pytest.raises(AudioformerError, match="fold1 and fold2 are called like parts .* nothing gives the classes"):
        open_dataset("folder", tmp_path / "b")


def test_classes_are_found_below_and_above_and_beside(tmp_path):
    """An archive with two levels more; splits within the classes; a list beside the folder of its sounds."""
    for name in ("a/x/y/dog/a.wav", "a/x/y/cat/b.wav", "b/dog/train/a.wav", "b/dog/test/b.wav", "b/cat/train/c.wav"):
        sound(tmp_path / name)
    assert open_dataset("folder", tmp_path / "a").label_names == ("cat", "dog")
    assert [(clip.labels[0], clip.split) for clip in open_dataset("folder", tmp_path / "b")] == [
        ("cat", "train"),
        ("dog", "test"),
        ("dog", "train"),
    ]
    for name in ("c/sounds/a.wav", "c/sounds/b.wav", "c/others/c.wav"):
        sound(tmp_path / name)
    table(
        tmp_path / "c" / "list.csv",
        [["a.wav", "dog|rain", "Training"], ["b.wav", "nan", "validation"]],
        ["filename", "label", "split"],
    )
    data = open_dataset("folder", tmp_path / "c")
    assert [clip.split for clip in data] == ["train", "val"]
    assert all(clip.path.is_file() for clip in data)
    assert data.notes == (
        "1 sound file is left out, for no list and no folder gives a class, e.g. others/c.wav",
        "'dog|rain' is taken for the name of one class; separate several with ;",
        "'nan' is taken for the name of a class; is it an empty cell?",
    )


def test_folders_called_fold_are_folds(tmp_path):
    for name in ("fold1/dog/a.wav", "fold1/cat/b.wav", "Fold_2/dog/c.wav"):
        sound(tmp_path / name)
    data = open_dataset("folder", tmp_path)
    assert {clip.id: (clip.labels, clip.fold) for clip in data} == {
        "fold1/dog/a.wav": (("dog",), 1),
        "fold1/cat/b.wav": (("cat",), 1),
        "Fold_2/dog/c.wav": (("dog",), 2),
    }


def test_links_are_followed_once_and_never_upwards(tmp_path):
    sound(tmp_path / "elsewhere" / "a.wav")
    for name in ("set/dog/b.wav", "set/cat/c.wav"):
        sound(tmp_path / name)
    os.symlink(tmp_path / "elsewhere", tmp_path / "set" / "dog" / "more")
    os.symlink(tmp_path / "set", tmp_path / "set" / "cat" / "up")
    os.symlink(tmp_path / "elsewhere", tmp_path / "set" / "bird")
    data = open_dataset("folder", tmp_path / "set")
    assert [clip.id for clip in data] == ["bird/a.wav", "cat/c.wav", "dog/b.wav", "dog/more/a.wav"]


def test_one_class_in_two_spellings_is_one_or_named(tmp_path):
    """Accents composed and decomposed, as Linux and Macs write them; a space at the end; capital letters."""
    forms = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    for name in (*forms, "dog", "dog ", "Cat", "cat"):
        sound(tmp_path / name / "a.wav")
    data = open_dataset("folder", tmp_path)
    assert data.label_names == ("Cat", "caf\u00e9", "cat", "dog")
    assert len(data) == 6
    assert data.notes == ("the classes 'Cat' and 'cat' differ in capitals only: spell them alike if they are one",)
    rows = [[".\\dog\\a.wav", forms[0]], ["cat/a.wav", forms[1]], ["dog /a.wav", "x"]]
    table(tmp_path / "a.csv", rows, ["filename", "label"])
    data = open_dataset("folder", tmp_path)
    assert data.label_names == ("caf\u00e9", "x")
    assert by_id(data)[".\\dog\\a.wav"].path == tmp_path / "dog" / "a.wav"


def test_a_class_may_be_called_test(tmp_path):
    sound(tmp_path / "test" / "a.wav")
    sound(tmp_path / "rest" / "b.wav")
    data = open_dataset("folder", tmp_path)
    assert data.label_names == ("rest", "test")
    assert {clip.split for clip in data} == {None}


def test_every_ending_that_can_be_decoded_counts_and_the_others_are_counted(tmp_path):
    for number, ending in enumerate(("flac", "au", "aiff", "caf", "ogg", "mp3", "w64", "WAV")):
        sound(tmp_path / "dog" / f"{number}.{ending}")
    sound(tmp_path / "cat" / "a.au")
    for name in ("dog/1.xyz", "dog/2.xyz", "cat/readme.txt"):
        (tmp_path / name).write_bytes(b"x")
    sound(tmp_path / "loose.wav")
    data = open_dataset("folder", tmp_path)
    assert len(data) == 9
    assert {clip.load().samples.shape[1] > 0 for clip in data} == {True}
    others, loose = data.notes
    assert others == "3 files are left out, not a sound that can be decoded here: 2 .xyz, 1 .txt"
    assert loose == "1 sound file is left out, for no list and no folder gives a class, e.g. loose.wav"
    assert data.select(splits=[None]).notes == data.notes


def test_phones_recordings_count_where_they_can_be_decoded_and_are_named_elsewhere(tmp_path, monkeypatch):
    sound(tmp_path / "dog" / "a.wav")
    (tmp_path / "dog" / "b.m4a").write_bytes(b"x")
    monkeypatch.setattr("audioformer.reading.files.has_pyav", lambda: True)
    assert len(open_dataset("folder", tmp_path)) == 2
    monkeypatch.setattr("audioformer.reading.files.has_pyav", lambda: False)
    data = open_dataset("folder", tmp_path)
    assert len(data) == 1
    assert data.notes[0].startswith(
        "1 file is left out, not a sound that can be decoded here: 1 .m4a; phones' formats need `pip"
    )


SPREADSHEETS = {
    "semicolons": b"filename;label;fold\na.wav;dog;1\nb.wav;cat;2\n",
    "tabs": b"filename\tlabel\tfold\na.wav\tdog\t1\nb.wav\tcat\t2\n",
    "Excel's first line": b"sep=;\r\nfilename;label;fold\r\na.wav;dog;1\r\nb.wav;cat;2\r\n",
    "UTF-16": "filename\tlabel\tfold\na.wav\tdog\t1\nb.wav\tcat\t2\n".encode("utf-16"),
    "UTF-16 without its mark": "filename\tlabel\tfold\na.wav\tdog\t1\nb.wav\tcat\t2\n".encode("utf-16-le"),
    "whole numbers as 1.0": b"filename,label,fold\na.wav,dog,1.0\nb.wav,cat,2.0\n",
    "an index column": b",filename,label,fold\n0,a.wav,dog,1\n1,b.wav,cat,2\n",
    "other names of columns": b"File_Name,Category,fold\na.wav,dog,1\nb.wav,cat,2\n",
    "names without endings": b"filename,label,fold\na,dog,1\nb,cat,2\n",
    "another ending": b"filename,label,fold\na.flac,dog,1\nb.mp3,cat,2\n",
    "empty lines at the end": b"filename,label,fold\na.wav,dog,1\nb.wav,cat,2\n,,\n,,\n",
}


@pytest.mark.parametrize("kind", SPREADSHEETS)
def test_a_spreadsheets_copy_of_a_list_is_read(tmp_path, kind):
    for name in ("a.wav", "b.wav"):
        sound(tmp_path / name)
    (tmp_path / "list.csv").write_bytes(SPREADSHEETS[kind])
    data = open_dataset("folder", tmp_path)
    assert [(clip.path.name, clip.labels, clip.fold) for clip in data] == [
        ("a.wav", ("dog",), 1),
        ("b.wav", ("cat",), 2),
    ]
    assert data.notes == ()


def test_windows_own_letters_are_read(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_bytes("filename;label\na.wav;Vögel\n".encode("cp1252"))
    assert open_dataset("folder", tmp_path).label_names == ("Vögel",)


@pytest.mark.parametrize("where", ["root", "one level down", "one level down, in the root"])
def test_esc50_as_people_unpack_and_copy_it(tmp_path, where):
    root = tmp_path / "ESC-50-master" if "down" in where else tmp_path
    esc(root)
    if "root" in where:
        (root / "meta" / "esc50.csv").rename(root / "esc50.csv")
    data = open_dataset("esc50", tmp_path)
    assert len(data) == len(ESC_ROWS)
    assert data[0].load().samples.shape[1] == 800


def test_esc50_with_numbers_of_a_spreadsheet(tmp_path):
    rows = [[row[0], f"{row[1]}.0", f"{row[2]}.0", row[3], row[4], f"{row[5]}.0", row[6]] for row in ESC_ROWS]
    data = open_dataset("esc50", esc(tmp_path, rows))
    assert [(clip.fold, clip.group) for clip in data] == [(row[1], row[5]) for row in ESC_ROWS]


def test_fsd50k_as_flac_and_with_ids_of_a_spreadsheet(tmp_path):
    fsd50k(tmp_path / "FSD50K")
    for path in (tmp_path / "FSD50K").glob("*/*.wav"):
        sound(path.with_suffix(".flac"))
        path.unlink()
    truth = tmp_path / "FSD50K" / "FSD50K.ground_truth" / "eval.csv"
    table(truth, [["37.0", "Dog", "/m/0bt9lr"]], ["fname", "labels", "mids"])
    data = open_dataset("fsd50k", tmp_path)
    assert [(clip.id, clip.path.name) for clip in data] == [("11", "11.flac"), ("12", "12.flac"), ("37", "37.flac")]


def test_audioset_keeps_both_windows_of_a_video(tmp_path):
    audioset(tmp_path)
    lines = [f'vvvvvvvvvvv, {start}.000, {start + 10}.000, "/m/09x0r"' for start in (30, 30, 90, 200)]
    segments(tmp_path / "balanced_train_segments.csv", lines)
    sound(tmp_path / "vvvvvvvvvvv.wav")
    sound(tmp_path / "vvvvvvvvvvv_90.wav")
    data = open_dataset("audioset", tmp_path, parts="balanced")
    assert [(clip.id, clip.path.name, clip.group) for clip in data] == [
        ("vvvvvvvvvvv", "vvvvvvvvvvv.wav", "vvvvvvvvvvv"),
        ("vvvvvvvvvvv_90", "vvvvvvvvvvv_90.wav", "vvvvvvvvvvv"),
    ]
    assert data.missing == ("vvvvvvvvvvv_200",)
    whole = open_dataset("audioset", tmp_path, parts="balanced", full_videos=True)
    assert [(clip.id, clip.start_s) for clip in whole] == [
        ("vvvvvvvvvvv", 30.0),
        ("vvvvvvvvvvv_90", 90.0),
        ("vvvvvvvvvvv_200", 200.0),
    ]


def test_classes_that_windows_cannot_unpack_are_named(tmp_path):
    """Its Explorer leaves out folders called aux or con, with all their clips."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("set/aux/1.wav", "set/Con/2.wav", "set/auxiliary/3.wav", "set/dog/con.wav"):
            archive.writestr(name, b"x")
    with pytest.raises(AudioformerError) as refused:
        open_dataset("folder", tmp_path / "set.zip")
    assert "unpack it first; Windows cannot unpack what is called 'Con', 'aux', 'con.wav': rename" in str(refused.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
def test_a_class_may_be_called_aux(tmp_path):
    for name in ("aux/a.wav", "con/b.wav"):
        sound(tmp_path / name)
    assert open_dataset("folder", tmp_path).label_names == ("aux", "con")


def test_measurements_that_return_numbers_log_what_is_missing(tmp_path, caplog):
    path = sound(tmp_path / "dog" / "a.wav", 1.0)
    path.write_bytes(path.read_bytes()[:-2000])
    (clip,) = open_dataset("folder", tmp_path)
    assert load_told(clip).samples.shape == (1, RATE - 1000)
    assert caplog.messages == [
        "dog/a.wav: 1000 of 8000 samples (0.12 s) are missing: the file was cut short; copy or download it again"
    ]


def test_what_returns_numbers_alone_logs_what_is_missing_of_its_files(tmp_path, caplog):
    """Codes and vectors of a file, label tracks, the listening log of a codec, and the benchmarks of files."""
    from app_weights import make_weights

    from audioformer.classify import load
    from audioformer.evaluation.benches.codec import bench_codec
    from audioformer.evaluation.listening_log import ListeningLog
    from audioformer.explain.label_tracks import label_track

    path = sound(tmp_path / "a.wav", 1.0)
    path.write_bytes(path.read_bytes()[:-2000])
    _, (checkpoint, *_), _ = make_weights(tmp_path / "weights")
    classifier = load(checkpoint)
    for read in (
        lambda: classifier.codes(path),
        lambda: classifier.embed(path),
        lambda: label_track(classifier, path),
        lambda: ListeningLog(tmp_path / "run", [path]),
        lambda: bench_codec(classifier.codec, [path]),
    ):
        caplog.clear()
        read()
        assert any("1000 of 8000 samples (0.12 s) are missing" in message for message in caplog.messages)


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"PK")
    with pytest.raises(AudioformerError, match="is a file, a data set is a folder; unpack it first; expected"):
        open_dataset("folder", tmp_path / "set.zip")
