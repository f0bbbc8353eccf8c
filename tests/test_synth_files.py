"""Folders of synthetic clips, the bundled samples, and what synthetic clips teach about real ones."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioformer.data.synth import ESC10_CLASSES, SOURCES, iter_clips, synth_clip, write_samples, write_scenes
from audioformer.data.synth.samples import main
from audioformer.errors import AudioformerError

SAMPLES = Path(__file__).parents[1] / "data_samples"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def rms_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) + 1e-20))


# ---- folders -------------------------------------------------------------------------------------------------------


def test_write_scenes_layout(tmp_path: Path):
    seen = []
    items = write_scenes(tmp_path, 6, seed=2, duration_s=2.0, progress=lambda done, total: seen.append((done, total)))
    table, events = rows(tmp_path / "meta" / "esc50.csv"), rows(tmp_path / "meta" / "events.csv")
    assert seen == [(done, 6) for done in range(1, 7)]
    assert list(table[0]) == ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    assert list(events[0]) == ["filename", "label", "onset_s", "offset_s", "level_db"]
    assert [row["filename"] for row in table] == [item.filename for item in items]
    assert sorted(path.name for path in (tmp_path / "audio").iterdir()) == sorted(item.filename for item in items)
    for row in table:
        fold, source, take, target = row["filename"].removesuffix(".ogg").split("-")
        assert (fold, source, take, target) == (row["fold"], row["src_file"], row["take"], row["target"])
        assert int(target) == SOURCES[row["category"]].target
        assert row["category"] in {event["label"] for event in events if event["filename"] == row["filename"]}
        info = soundfile.info(tmp_path / "audio" / row["filename"])
        assert (info.samplerate, info.channels, info.frames) == (24000, 1, 48000)
    assert all(0 <= float(e["onset_s"]) < float(e["offset_s"]) <= 2.0 for e in events)


def test_write_clips_gives_every_fold_every_class(tmp_path: Path):
    write_scenes(tmp_path, 10, seed=0, duration_s=0.3, kind="clips", classes=["dog", "rain"])
    table = rows(tmp_path / "meta" / "esc50.csv")
    assert {(row["fold"], row["category"]) for row in table} == {
        (str(f), c) for f in range(1, 6) for c in ("dog", "rain")
    }
    assert {row["esc10"] for row in table} == {"True"}
    assert not (tmp_path / "meta" / "events.csv").exists()


def test_interrupted_run_goes_on_and_ends_the_same(tmp_path: Path):
    class Stop(Exception):  # noqa: N818
        pass

    def stop_at_3(done: int, _: int) -> None:
        if done == 3:
            raise Stop

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    write_scenes(whole, 5, seed=9, duration_s=1.0)
    with pytest.raises(Stop):
        write_scenes(broken, 5, seed=9, duration_s=1.0, progress=stop_at_3)
    log = broken / "meta" / "clips.jsonl"
    log.write_text(log.read_text()[:-20])  # the third line was cut short when the power failed
    stamps = {path: path.stat().st_mtime_ns for path in sorted((broken / "audio").iterdir())}
    write_scenes(broken, 5, seed=9, duration_s=1.0)
    for name in ("esc50.csv", "events.csv"):
        assert (whole / "meta" / name).read_bytes() == (broken / "meta" / name).read_bytes()
    kept = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns == stamp]
    assert len(kept) == 2
    assert [json.loads(line)["index"] for line in log.read_text().splitlines() if line.endswith("}")] == [0, 1, 2, 3, 4]
    more = write_scenes(broken, 6, seed=9, duration_s=1.0)
    assert len(more) == len(rows(broken / "meta" / "esc50.csv")) == 6
    for path in sorted((whole / "audio").iterdir()):
        one, other = (soundfile.read(folder / "audio" / path.name)[0] for folder in (whole, broken))
        np.testing.assert_array_equal(one, other)


def test_write_scenes_refuses(tmp_path: Path):
    write_scenes(tmp_path / "made", 1, seed=0, duration_s=0.5)
    with pytest.raises(AudioformerError, match="other settings"):
        write_scenes(tmp_path / "made", 1, seed=1, duration_s=0.5)
    (tmp_path / "real" / "meta").mkdir(parents=True)
    (tmp_path / "real" / "meta" / "esc50.csv").write_text("filename\n")
    with pytest.raises(AudioformerError, match="not made by synth"):
        write_scenes(tmp_path / "real", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioformerError, match="is a file, not a folder"):
        write_scenes(tmp_path / "file", 1)
    with pytest.raises(AudioformerError, match="kind='noise' must be one of scenes, clips"):
        write_scenes(tmp_path / "new", 1, kind="noise")
    with pytest.raises(AudioformerError, match="n_clips=0 must be a whole number"):
        write_scenes(tmp_path / "new", 0)
    with pytest.raises(AudioformerError, match="seed=-4 must be"):
        write_scenes(tmp_path / "new", 1, seed=-4)
    assert not (tmp_path / "new").exists()


# ---- the bundled samples -------------------------------------------------------------------------------------------


def test_bundled_samples_are_whole():
    table, events = rows(SAMPLES / "meta" / "esc50.csv"), rows(SAMPLES / "meta" / "events.csv")
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    on_disk = {path.name for path in (SAMPLES / "audio").iterdir()}
    assert on_disk == {row["filename"] for row in table}
    assert 35 <= len(table) <= 50
    assert {row["category"] for row in table if row["esc10"] == "True"} == set(ESC10_CLASSES)
    assert len({event["filename"] for event in events}) >= 4
    assert {event["filename"] for event in events} <= on_disk
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 8e6
    for row in table:
        path = SAMPLES / "audio" / row["filename"]
        assert f"| {path.name} |" in readme
        assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] in readme
        samples, sample_rate = soundfile.read(path)
        assert sample_rate == 24000
        assert rms_db(samples) > -65


def test_bundled_samples_are_what_the_command_makes():
    listed = re.findall(r"^\| (\S+\.ogg) \| (\S+) \| 5 \| (\d+) \|", (SAMPLES / "README.md").read_text(), re.MULTILINE)
    assert len(listed) == 34
    for name, label, seed in listed[::5]:
        stored, _ = soundfile.read(SAMPLES / "audio" / name)
        fresh = synth_clip(label, int(seed))
        assert rms_db(stored - fresh) < rms_db(fresh) - 5  # Vorbis is lossy


def test_write_samples_and_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr("audioformer.data.synth.samples.ESC10_CLASSES", ("dog",))
    monkeypatch.setattr("audioformer.data.synth.samples.OTHER_CLASSES", ("cow",))
    monkeypatch.setattr("audioformer.data.synth.samples.N_SCENES", 1)
    assert main([str(tmp_path), "--seed", "3"]) == 0
    assert "4 clips in" in capsys.readouterr().out
    assert [row["category"] for row in rows(tmp_path / "meta" / "esc50.csv")][:3] == ["dog", "dog", "cow"]
    with pytest.raises(AudioformerError, match="seed=-1 must be"):
        write_samples(tmp_path, seed=-1)
    assert main([str(tmp_path), "--seed", "-1"]) == 2
    assert "seed=-1 must be" in capsys.readouterr().err


# ---- against real recordings ---------------------------------------------------------------------------------------


def band_statistics(samples: np.ndarray) -> np.ndarray:
    """Mean, spread and change over time of 24 log band energies: enough to tell a bark from rain."""
    frames = samples[: len(samples) // 600 * 600].reshape(-1, 600)
    power = np.abs(np.fft.rfft(frames * np.hanning(600))) ** 2
    edges = np.unique(np.geomspace(1, 280, 25).round().astype(int))
    log_bands = np.log(np.add.reduceat(power, edges, axis=1)[:, :-1] / np.abs(samples).max() ** 2 + 1e-5)
    return np.concatenate([log_bands.mean(0), log_bands.std(0), np.diff(log_bands, axis=0).std(0)])


def test_a_classifier_of_synthetic_clips_knows_real_ones(data_root: Path):
    svm = pytest.importorskip("sklearn.svm")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from audioformer.audio import load_audio

    train = list(iter_clips(120, seed=0, classes=ESC10_CLASSES))
    model = make_pipeline(StandardScaler(), svm.SVC(C=5))
    model.fit([band_statistics(samples) for samples, _ in train], [label for _, label in train])
    real = rows(data_root / "esc10" / "meta" / "esc50.csv")[::8]
    names = [data_root / "esc10" / "audio" / row["filename"] for row in real]
    clips = [load_audio(name, sample_rate=24000, mono=True).samples[0].numpy() for name in names]
    right = np.mean(model.predict([band_statistics(clip) for clip in clips]) == [row["category"] for row in real])
    assert right > 0.4, f"{right:.2f} of {len(real)} real clips; chance is 0.10"
