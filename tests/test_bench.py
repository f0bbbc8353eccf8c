"""The codec benchmark: its figures are those of the functions it names, and its peer is the real Opus."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from audioformer.audio import load_audio, save_audio
from audioformer.benches import sound_files
from audioformer.benches.codec import bench_codec
from audioformer.benches.opus import through_opus
from audioformer.cli import main
from audioformer.codec import load_codec
from audioformer.distances import mel_distance, si_sdr_db
from audioformer.errors import AudioformerError
from audioformer.paths import samples_folder
from audioformer.synth import synth_clip


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


def test_on_the_bundled_samples_every_further_codebook_brings_the_sound_closer():
    files = sound_files([samples_folder()])[::6]
    rows = bench_codec(load_codec("compact"), files)["rows"]
    ladder = [row["ours"] for row in rows if "codebooks," in row["case"] and "kbit/s" in row["case"]]
    assert len(ladder) == 8
    assert ladder[7] < 0.8 * ladder[0]
    assert all(later < earlier + 0.01 for earlier, later in zip(ladder, ladder[1:], strict=False))


@pytest.mark.skipif(shutil.which("opusenc") is None, reason="opus-tools are not installed: apt-get install opus-tools")
def test_opus_at_more_bits_is_closer(folder):
    clip = load_audio(sound_files([folder], ["*rain*"])[0]).samples[0]
    distances = [float(mel_distance(through_opus(clip, 24_000, kbps)[None], clip[None], 24_000)) for kbps in (6, 24)]
    assert distances[1] < distances[0]


def test_on_the_command_line_it_prints_one_json_document(folder, capsys):
    assert main(["bench", "codec", str(folder), "--include", "0-*", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n_files"] == 1
    assert set(document["rows"][0]) >= {"case", "ours", "peer", "unit", "ratio"}


@pytest.mark.parametrize("arguments", [["nowhere"], ["{folder}", "--include", "none*"]])
def test_a_missing_folder_or_no_files_is_a_user_error(folder, capsys, arguments):
    assert main(["bench", "codec", *(a.format(folder=folder) for a in arguments)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_sound_files_names_the_missing_folder(tmp_path):
    with pytest.raises(AudioformerError, match="no such folder"):
        sound_files([tmp_path / "nowhere"])
