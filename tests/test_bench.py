"""The codec benchmark: its figures are those of the functions it names, and its peer is the real Opus."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from tiny import RATE, tiny_codec, tone

from audioformer.audio import load_audio, save_audio
from audioformer.cli import main
from audioformer.codecs import load_codec
from audioformer.codecs.distances import mel_distance, si_sdr_db
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import synth_clip
from audioformer.evaluation.baseline import accuracy, clip_features, fit_svm
from audioformer.evaluation.benches.codec import SECTIONS, bench_codec, code_counts, usage_rows
from audioformer.evaluation.benches.codec_classification import ClassifierTest, classifier_rows
from audioformer.evaluation.benches.opus import through_opus
from audioformer.files import samples_folder
from audioformer.reading.files import sound_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("bench")
    for seed, label in enumerate(("dog", "rain")):
        save_audio(root / f"{seed}-{label}.wav", torch.from_numpy(synth_clip(label, seed, 1.0)), 24_000)
    return root


def test_si_sdr_is_the_signal_to_noise_ratio_and_ignores_scale():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 48_000, generator=generator)
    y = x + noise * x.norm() / noise.norm() * 10 ** (-10 / 20)
    assert float(si_sdr_db(y, x)) == pytest.approx(10, abs=0.1)
    assert float(si_sdr_db(7 * y, x)) == pytest.approx(float(si_sdr_db(y, x)), abs=1e-3)
    assert torch.isfinite(si_sdr_db(torch.zeros(100), torch.zeros(100)))


def test_the_figures_are_medians_of_the_distances_of_each_number_of_codebooks(folder):
    codec, files = load_codec("compact"), sound_files([folder])
    result = bench_codec(codec, files)
    clips = [load_audio(path).samples for path in files]
    for k in (1, 8):
        heard = [codec.decode(codec.encode(clip, 24_000, k), clip.shape[1])[0] for clip in clips]
        expected = np.median([float(mel_distance(h, c, 24_000)) for h, c in zip(heard, clips, strict=True)])
        row = next(r for r in result["rows"] if r["case"].startswith(f"{k} codebooks"))
        assert row["ours"] == pytest.approx(expected, rel=1e-4)
    assert (result["name"], result["n_files"], result["fingerprint"]) == ("codec", 2, codec.fingerprint)


@pytest.mark.slow
def test_on_the_bundled_samples_every_further_codebook_brings_the_sound_closer():
    files = sound_files([samples_folder()])[::6]
    rows = bench_codec(load_codec("compact"), files)["rows"]
    ladder = [row["ours"] for row in rows if "codebooks," in row["case"] and "kbit/s" in row["case"]]
    assert len(ladder) == 8
    assert ladder[7] < 0.8 * ladder[0]
    assert all(later < earlier + 0.01 for earlier, later in zip(ladder, ladder[1:], strict=False))


def test_codes_in_use_are_counted_over_all_frames(folder):
    codec, files = tiny_codec(), sound_files([folder])
    counts = code_counts(codec, files, print)
    codes = [codec.encode(load_audio(path)) for path in files]
    for k in range(codec.n_codebooks):
        everything = torch.cat([c[0, k] for c in codes]).tolist()
        assert counts[k].tolist() == [everything.count(entry) for entry in range(codec.codebook_size)]
    rows = usage_rows(counts)
    assert rows[0]["ours"] == pytest.approx(len({int(c) for clip in codes for c in clip[0, 0]}) / codec.codebook_size)
    assert rows[0]["n_frames"] == sum(c.shape[2] for c in codes)


def test_cost_names_size_and_silence(folder):
    rows = {row["case"]: row for row in bench_codec(tiny_codec(), sound_files([folder], ["0-*"]), max_s=0.3)["rows"]}
    size = sum(t.numel() * 2 for t in tiny_codec().state_dict().values()) / 1e6
    assert rows["weights, 16-bit"]["ours"] == pytest.approx(size)
    codec, silence = tiny_codec(), torch.zeros(48_000)
    peak = float(codec.decode(codec.encode(silence, 24_000)).abs().max())
    assert rows["silence after coding, peak"]["ours"] == pytest.approx(20 * np.log10(peak), abs=1e-3)
    assert rows["encoding speed"]["ours"] > 0


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Six low and six high tones, a sub-folder a class; numbers 0 and 1 are for the test."""
    root = tmp_path_factory.mktemp("tones")
    for label, hz in (("low", 200), ("high", 3_000)):
        for number in range(6):
            save_audio(root / label / f"{number}-{label}.wav", tone(hz * (1 + number / 50), 0.4), RATE)
    return root


def test_the_loss_is_counted_from_originals_and_averaged_over_resampled_machines(tones):
    codec, test = tiny_codec(), ClassifierTest(open_dataset("folder", tones), ["0-*", "1-*"])
    parts = test.split()
    assert list(map(len, parts)) == [8, 4]
    known, labels = (np.array([clip.labels[0] for clip in clips]) for clips in parts)
    features, originals = (np.stack([clip_features(c.load().samples[0], RATE) for c in clips]) for clips in parts)
    sounds = [codec.decode(codec.encode(c.load(), n_codebooks=2), c.load().samples.shape[1])[0, 0] for c in parts[1]]
    decoded = np.stack([clip_features(sound, RATE) for sound in sounds])
    random, losses = np.random.default_rng(0), []
    for _ in range(50):
        clips = np.concatenate([random.choice(np.flatnonzero(known == label), 4) for label in ("high", "low")])
        svm = fit_svm(features[clips], known[clips])
        losses.append(100 * (accuracy(svm, originals, labels) - accuracy(svm, decoded, labels)))
    first, *rows = classifier_rows(codec, test, print)
    assert [first[key] for key in ("case", "ours", "n")] == ["folder: originals", 1.0, 4]
    assert [row["case"] for row in rows[:3]] == [f"folder: {k} codebooks" for k in (1, 2, 3)]
    assert all(row["loss_points"] == pytest.approx(100 * (row["peer"] - row["ours"])) for row in rows)
    assert rows[1]["ours"] == accuracy(fit_svm(features, known), decoded, labels)
    assert rows[1]["mean_loss_points"] == pytest.approx(np.mean(losses))
    assert rows[1]["loss_std"] == pytest.approx(np.std(losses))


@pytest.mark.parametrize("patterns", ["*", "nothing*"])
def test_a_split_with_an_empty_side_is_a_user_error(folder, tones, capsys, patterns):
    assert main(["bench", "codec", str(folder), "--classify", "folder", str(tones), patterns]) == 2
    assert "some must be tested, but not all" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("opusenc") is None, reason="opus-tools are not installed: apt-get install opus-tools")
def test_opus_at_more_bits_is_closer(folder):
    clip = load_audio(sound_files([folder], ["*rain*"])[0]).samples[0]
    distances = [float(mel_distance(through_opus(clip, 24_000, kbps)[None], clip[None], 24_000)) for kbps in (6, 24)]
    assert distances[1] < distances[0]


def test_on_the_command_line_it_prints_one_document_or_a_table_a_section(folder, tones, capsys):
    words = ["bench", "codec", str(folder), "--include", "0-*"]
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n_files"] == 1
    assert all(set(row) >= {"section", "case", "ours", "peer", "unit", "ratio"} for row in document["rows"])
    of_codes = ["--codes-of", str(folder), "--exclude", "1-*"]
    assert main([*words, *of_codes, "--classify", "folder", str(tones), "0-*"]) == 0
    output = capsys.readouterr().out
    assert all(title in output for title, _ in SECTIONS.values())
    assert "folder: 8 codebooks" in output
    assert "codebook 8, entries in use" in output


@pytest.mark.parametrize("arguments", [["nowhere"], ["{folder}", "--include", "none*"]])
def test_a_missing_folder_or_no_files_is_a_user_error(folder, capsys, arguments):
    assert main(["bench", "codec", *(a.format(folder=folder) for a in arguments)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
