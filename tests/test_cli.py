"""Every verb as users and scripts call it: results, JSON, exit status, bad input, Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny import RATE, tiny_codec, tone, tone_folder

from audioformer.audio import save_audio
from audioformer.checkpoint import load_checkpoint
from audioformer.cli import main
from audioformer.cli.bench_options import BENCHES
from audioformer.cli.console import Progress
from audioformer.cli.parser import build_parser
from audioformer.codecs import load_codec
from audioformer.codecs.codes_file import load_codes
from audioformer.codecs.compact import save_compact
from audioformer.model import codebook_vectors

ROOT = Path(__file__).parents[1]
VERBS = build_parser().verbs


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with all a user has made so far: a codec, sounds, a corpus, a pre-trained model, two classifiers."""
    desk = tmp_path_factory.mktemp("my desk é")
    save_compact(tiny_codec(name="codec"), desk / "codec")
    tone_folder(desk / "tones", n=8, duration_s=0.6)
    codec = ["--codec", str(desk / "codec")]
    assert main(["prepare", str(desk / "tones"), "--dataset", "folder", "-o", str(desk / "corpus"), *codec]) == 0
    assert (
        main(["pretrain", str(desk / "corpus"), "--preset", "test", "--rows", "summed", "-o", str(desk / "pre")]) == 0
    )
    finetune = ["finetune", str(desk / "corpus"), "--from", str(desk / "pre"), "--preset", "test"]
    assert main([*finetune, "-o", str(desk / "classifier"), "--title", "Low or high"]) == 0
    return desk


@pytest.fixture(autouse=True)
def _at_desk(desk, monkeypatch) -> None:
    """The same, as the present folder."""
    monkeypatch.chdir(desk)


def run_json(capsys, *words: str, status: int = 0):
    """The document a verb prints; nothing else may be on standard output."""
    capsys.readouterr()
    assert main([*words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *words: str) -> str:
    """The one line a user's mistake is answered with."""
    capsys.readouterr()
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert lines[-1].startswith("audioformer: ")
    assert len([line for line in lines if line.startswith("audioformer: ")]) == 1
    assert "Traceback" not in err
    return lines[-1]


CLASSIFIER = ("--checkpoint", "classifier", "--codec", "codec")
ENCODE = ("encode", "-o", "c.safetensors", "--codec", "codec")


# help


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    return below(build_parser())


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices


def test_the_verbs_are_those_of_the_interface():
    promised = "info encode decode classify embed prepare pretrain finetune evaluate synth train-codec push app lab"
    assert set(promised.split()) <= set(verb_parsers())


@pytest.mark.parametrize("verb", [*(verb for verb in VERBS if verb != "bench"), *(f"bench {name}" for name in BENCHES)])
def test_help_explains_every_option_and_gives_an_example(verb, capsys):
    assert main([*verb.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"example:\n  audioformer {verb}" in out
    parser = verb_parsers()[verb.split()[0]]
    parser = below(parser)[verb.split()[1]] if " " in verb else parser
    assert parser.description
    for action in parser._actions:
        assert action.help, f"{verb} {action.dest} has no help"
    assert any("--json" in action.option_strings for action in parser._actions) == (verb not in ("app", "lab"))


def test_help_and_version_of_the_whole(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"    {verb}" in out for verb in VERBS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("audioformer ")


def test_presets_in_the_help_are_those_there_are(capsys):
    from audioformer.codecs.train_compact import PRESETS
    from audioformer.recipes import FINETUNE_PRESETS, PRETRAIN_PRESETS

    for verb, presets in (("pretrain", PRETRAIN_PRESETS), ("finetune", FINETUNE_PRESETS), ("train-codec", PRESETS)):
        assert main([verb, "--help"]) == 0
        out = "".join(capsys.readouterr().out.split())  # lines are wrapped at hyphens
        assert [name for name in presets if name not in out] == []


def test_help_needs_nothing_heavy():
    code = (
        "import sys; from audioformer.cli import main; main(['finetune', '--help']);"
        "print([name for name in ('torch', 'numpy', 'datasets', 'gradio') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stderr.strip() == "[]"


def test_a_wrong_command_line_is_a_mistake_of_one_line(capsys):
    assert "there is no verb 'clasify'; nearest: classify" in refusal(capsys, "clasify", "x.wav")
    assert "required: file, -o/--output; see `audioformer encode --help`" in refusal(capsys, "encode")
    assert "required: VERB" in refusal(capsys)
    assert "unrecognized arguments: --loud" in refusal(capsys, "info", "--loud")
    assert "'0' must be a whole number of at least 1" in refusal(capsys, "classify", "x.wav", "--top-k", "0")
    assert "'-1' must be a whole number of 0 or more" in refusal(
        capsys, "synth", "-o", "x", "--clips", "1", "--seed=-1"
    )
    assert "'x' must be whole numbers like 1,2,3 or 1-3" in refusal(
        capsys, "evaluate", "r", "--dataset", "d", "--checkpoint", "c", "--folds", "x"
    )
    assert "'3' must be i/n" in refusal(capsys, "prepare", "r", "--dataset", "fsdd", "-o", "c", "--shard", "3")


# info, encode, decode


def test_info_lists_versions_codecs_and_checkpoints(capsys):
    document = run_json(capsys, "info")
    assert set(document) >= {"audioformer", "python", "platform", "packages", "device", "codecs", "checkpoints"}
    assert document["packages"]["torch"] == torch.__version__
    assert {"encodec_24khz", "encodec_48khz"} <= {codec["name"] for codec in document["codecs"]}
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert f"audioformer {document['audioformer']}" in out
    assert "encodec_24khz" in out


def test_info_shows_scores_with_the_commands_that_give_them(capsys, tmp_path, monkeypatch, desk):
    shutil.copytree(desk / "classifier", tmp_path / "checkpoints" / "mine")
    shutil.copytree(desk / "codec", tmp_path / "codecs" / "small")
    (tmp_path / "checkpoints" / "broken").mkdir()
    (tmp_path / "checkpoints" / "broken" / "config.json").write_text("{")
    config = json.loads((tmp_path / "checkpoints" / "mine" / "config.json").read_text())
    score = {"data": "tones, fold 2", "metric": "accuracy", "value": 0.75, "spread": "± 0.1", "chance": 0.5}
    score["command"] = "audioformer evaluate x"
    config["scores"] = [score]
    (tmp_path / "checkpoints" / "mine" / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr("audioformer.files.assets_folder", lambda: tmp_path)
    document = run_json(capsys, "info")
    (found,) = document["checkpoints"]
    assert (found["name"], found["kind"], found["scores"]) == ("mine", "classifier", [score])
    assert document["codecs"][0]["name"] == "small"
    assert document["codecs"][0]["bandwidth_kbps"] == pytest.approx(0.9)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "mine: accuracy 0.750, ± 0.1 (chance 0.500) on tones, fold 2" in out
    assert "audioformer evaluate x" in out


def test_encode_then_decode_gives_a_sound_of_the_same_length(capsys, tmp_path):
    codes, sound = str(tmp_path / "new" / "a b.safetensors"), str(tmp_path / "é.flac")
    document = run_json(capsys, "encode", "tones/low 0.wav", "-o", codes, "--codec", "codec")
    assert document["n_codebooks"] == 3
    assert document["n_frames"] == 45
    assert document["duration_s"] == 0.6
    assert document["bandwidth_kbps"] == pytest.approx(0.9)
    assert load_codes(codes).codes.shape == (1, 3, 45)
    document = run_json(capsys, "decode", codes, "-o", sound, "--codec", "codec", "--codebooks", "2")
    assert (document["n_codebooks"], document["sample_rate"], document["duration_s"]) == (2, RATE, 0.6)
    assert soundfile.info(sound).frames == 14_400
    assert main(["encode", "tones/low 0.wav", "-o", codes, "--codec", "codec", "--codebooks", "1"]) == 0
    assert "1 rows x 45 frames, 0.60 s, 0.3 kbit/s, codec codec" in capsys.readouterr().out


def test_codes_of_another_codec_are_refused_by_name(capsys, tmp_path):
    save_compact(tiny_codec(seed=1, name="other"), tmp_path / "other")
    assert main(["encode", "tones/low 0.wav", "-o", str(tmp_path / "c.safetensors"), "--codec", "codec"]) == 0
    said = refusal(
        capsys,
        "decode",
        str(tmp_path / "c.safetensors"),
        "-o",
        str(tmp_path / "s.wav"),
        "--codec",
        str(tmp_path / "other"),
    )
    assert "c.safetensors (codec codec) belongs to a codec with fingerprint" in said
    assert "but other has" in said
    assert not (tmp_path / "s.wav").exists()


def test_encode_and_decode_refuse_what_they_cannot_do(capsys, tmp_path):
    out = str(tmp_path / "c.safetensors")
    assert "end the name in that" in refusal(capsys, "encode", "tones/low 0.wav", "-o", "codes.npy", "--codec", "codec")
    assert "codec has 1 to 3" in refusal(
        capsys, "encode", "tones/low 0.wav", "-o", out, "--codec", "codec", "--codebooks", "9"
    )
    assert "is not known" in refusal(capsys, "encode", "tones/low 0.wav", "-o", out, "--codec", "mp3")
    assert "cannot be written" in refusal(
        capsys, "encode", "tones/low 0.wav", "-o", "tones/low 0.wav/c.safetensors", "--codec", "codec"
    )
    assert "no such file" in refusal(capsys, "decode", "nothing.safetensors", "-o", "x.wav")
    assert "not a file of codes" in refusal(capsys, "decode", "tones/low 0.wav", "-o", "x.wav")
    assert main(["encode", "tones/low 0.wav", "-o", out, "--codec", "codec", "--codebooks", "2"]) == 0
    assert "holds 2; choose 1 to that" in refusal(
        capsys, "decode", out, "-o", "x.wav", "--codec", "codec", "--codebooks", "3"
    )
    assert "end it in .wav, .flac or .ogg" in refusal(capsys, "decode", out, "-o", "x.mp3", "--codec", "codec")
    assert list(tmp_path.iterdir()) == [tmp_path / "c.safetensors"]


# classify, embed


def test_classify_prints_the_promised_document(capsys):
    document = run_json(capsys, "classify", "tones/low 0.wav", "tones/high 1.wav", *CLASSIFIER, "--top-k", "1")
    assert [set(entry) for entry in document] == [{"file", "checkpoint", "labels", "duration_s"}] * 2
    assert document[0]["file"] == "tones/low 0.wav"
    assert document[0]["checkpoint"] == "classifier"
    assert document[0]["duration_s"] == 0.6
    assert [set(label) for label in document[0]["labels"]] == [{"label", "probability"}]
    assert document[0]["labels"][0]["label"] in ("low", "high")


def test_classify_for_people(capsys):
    assert main(["classify", "tones/low 0.wav", *CLASSIFIER]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tones/low 0.wav  (0.60 s, classifier)"
    assert sorted(line.split()[-1] for line in lines[1:]) == ["high", "low"]
    assert sum(float(line.split()[0]) for line in lines[1:]) == pytest.approx(100, abs=0.2)


def test_one_bad_file_among_good_ones_does_not_stop_the_others(capsys):
    capsys.readouterr()
    assert main(["classify", "tones/low 0.wav", "nothing.wav", "tones", "tones/high 1.wav", *CLASSIFIER, "--json"]) == 2
    out, err = capsys.readouterr()
    assert [entry["file"] for entry in json.loads(out)] == ["tones/low 0.wav", "tones/high 1.wav"]
    assert "audioformer: nothing.wav: no such file" in err
    assert "audioformer: tones: is a folder" in err
    assert main(["classify", "nothing.wav", "nothing either.wav", *CLASSIFIER, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "none of 2 files could be used" in err


def spoiled(folder: Path) -> dict[str, str]:
    """Bad files by name, with a word of the answer."""
    save_audio(folder / "good.wav", tone(440), RATE)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.ogg").write_text("no sound\n" * 50)
    (folder / "cut.wav").write_bytes((folder / "good.wav").read_bytes()[:40])
    soundfile.write(folder / "nan.wav", np.array([0.0, np.nan]), RATE, subtype="FLOAT")
    soundfile.write(folder / "inf.wav", np.array([0.0, np.inf]), RATE, subtype="FLOAT")
    soundfile.write(folder / "0 samples.wav", np.zeros(0), RATE)
    (folder / "a folder").mkdir()
    return {
        "absent.wav": "no such file",
        "a folder": "is a folder",
        "empty.wav": "empty (0 bytes)",
        "text.ogg": "not a readable sound file",
        "cut.wav": "",
        "nan.wav": "NaN or infinite",
        "inf.wav": "NaN or infinite",
        "0 samples.wav": "0 samples",
    }


def test_every_kind_of_bad_sound_is_refused_by_name_wherever_sound_goes_in(capsys, tmp_path):
    for name, word in spoiled(tmp_path).items():
        for verb, *options in (["classify", *CLASSIFIER], ["embed", "-o", "e.npz", *CLASSIFIER], ENCODE):
            said = refusal(capsys, verb, str(tmp_path / name), *options)
            assert name in said
            assert word in said
    assert not (Path() / "e.npz").exists()
    assert not (Path() / "c.safetensors").exists()


def test_wrong_checkpoints_are_refused_by_name(capsys, tmp_path):
    sound = "tones/low 0.wav"
    assert "neither a folder nor bundled" in refusal(capsys, "classify", sound, "--checkpoint", "nothing")
    assert "pre: is pretrained, not a classifier" in refusal(
        capsys, "classify", sound, "--checkpoint", "pre", "--codec", "codec"
    )
    assert "has no config.json" in refusal(capsys, "classify", sound, "--checkpoint", "tones")
    save_compact(tiny_codec(seed=1, name="other"), tmp_path / "other")
    said = refusal(capsys, "classify", sound, "--checkpoint", "classifier", "--codec", str(tmp_path / "other"))
    assert "checkpoint classifier belongs to a codec with fingerprint" in said
    shutil.copytree("classifier", tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "cut: damaged checkpoint" in refusal(
        capsys, "classify", sound, "--checkpoint", str(tmp_path / "cut"), "--codec", "codec"
    )


def test_embed_writes_one_vector_a_file(capsys, tmp_path):
    files = ["tones/low 0.wav", "tones/high 1.wav"]
    document = run_json(capsys, "embed", *files, "-o", str(tmp_path / "e.npz"), *CLASSIFIER)
    assert document["shape"] == [2, 32]
    with np.load(tmp_path / "e.npz", allow_pickle=False) as found:
        assert found["files"].tolist() == files
        vectors = found["embeddings"]
    assert vectors.shape == (2, 32)
    assert vectors.dtype == np.float32
    assert main(["embed", *files, "-o", str(tmp_path / "e.npy"), *CLASSIFIER]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy", allow_pickle=False), vectors)


def test_embed_writes_one_vector_a_frame(capsys, tmp_path):
    out = str(tmp_path / "e.safetensors")
    document = run_json(capsys, "embed", "tones/low 0.wav", "tones/high 1.wav", "-o", out, "--frames", *CLASSIFIER)
    assert document["shape"] == [90, 32]
    with safe_open(out, framework="np") as file:
        assert json.loads(file.metadata()["files"]) == document["files"]
        assert file.get_tensor("clip").tolist() == [0] * 45 + [1] * 45
        times = file.get_tensor("time_s")
    assert times[0] == pytest.approx(0.5 / 75)
    assert times[44] == pytest.approx(44.5 / 75)
    assert "end the name in one of these" in refusal(capsys, "embed", "tones/low 0.wav", "-o", "e.csv", *CLASSIFIER)


# prepare, pretrain, finetune, evaluate


def test_prepare_says_what_there_is_and_goes_on_where_it_stopped(capsys, tmp_path):
    words = ["prepare", "tones", "--dataset", "folder", "-o", str(tmp_path / "c"), "--codec", "codec", "--shards", "4"]
    document = run_json(capsys, *words, "--shard", "1/2")
    assert document["finished"] is False
    assert document["clips"] == 4
    document = run_json(capsys, *words)
    assert document["finished"] is True
    assert (document["clips"], document["rows"], document["n_codebooks"]) == (8, 8, 3)
    assert document["label_names"] == ["high", "low"]
    assert document["per_fold"] == {"1": 4, "2": 4}
    assert "holds another corpus: n_codebooks 3 there, 2 asked for" in refusal(capsys, *words, "--codebooks", "2")


def test_prepare_varies_clips_and_takes_readers_options(capsys, tmp_path):
    (tmp_path / "more.csv").write_text("filename,label\nlow 0.wav,a\nhigh 1.wav,b\nlow 2.wav,a;b\n")
    shutil.copytree("tones", tmp_path / "tones")
    shutil.copy(tmp_path / "more.csv", tmp_path / "tones" / "more.csv")
    words = ["prepare", str(tmp_path / "tones"), "--dataset", "folder", "--codec", "codec", "-o"]
    assert "holds 2 CSV files; choose one" in refusal(capsys, *words, str(tmp_path / "c"))
    options = ["--option", "csv=more.csv", "--variants", "3", "--augment", "light", "--clip-s", "0.3"]
    document = run_json(capsys, *words, str(tmp_path / "c"), *options)
    assert (document["clips"], document["rows"], document["variants"]) == (3, 9, 3)
    assert document["label_names"] == ["a", "b"]
    assert "has no option 'cvs'" in refusal(capsys, *words, str(tmp_path / "d"), "--option", "cvs=x")
    assert "expected name=value" in refusal(capsys, *words, str(tmp_path / "d"), "--option", "x")
    assert "choose one of esc50" in refusal(
        capsys, "prepare", "tones", "--dataset", "esc51", "-o", str(tmp_path / "d"), "--codec", "codec"
    )
    assert "no such folder" in refusal(
        capsys, "prepare", "nowhere", "--dataset", "esc50", "-o", str(tmp_path / "d"), "--codec", "codec"
    )


def test_pretrain_reports_losses_beside_chance(capsys, tmp_path):
    document = run_json(
        capsys,
        "pretrain",
        "corpus",
        "--preset",
        "test",
        "--rows",
        "shared",
        "-o",
        str(tmp_path / "p"),
        "--held-out-share",
        "0.2",
        "--set",
        "train.n_steps=2",
        "--set",
        "mask.span=3",
    )
    assert (document["kind"], document["steps"], document["n_clips"], document["n_held_out"]) == ("pretrained", 2, 6, 2)
    assert document["chance"]["mlm"] == pytest.approx(np.log(16))
    assert set(document["losses"]) >= {"mlm", "row1", "row2"}
    assert document["validation"]["mlm"] > 0
    config = json.loads((tmp_path / "p" / "config.json").read_text())
    assert config["recipe"]["mask"]["span"] == 3
    assert config["model"]["rows"] == "shared"


def test_separate_rows_are_trained_one_after_the_other_and_joined(capsys, tmp_path):
    words = ["pretrain", "corpus", "--preset", "test", "-o", str(tmp_path / "p"), "--set", "train.n_steps=1"]
    document = run_json(capsys, *words, "--only-row", "2")
    assert document["row"] == 2
    assert not (tmp_path / "p" / "config.json").exists()
    document = run_json(capsys, *words)
    assert set(document["losses"]) == {"row1", "row2", "mlm"}
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "row1",
        "row2",
    ]
    finetune = [
        "finetune",
        "corpus",
        "--from",
        str(tmp_path / "p"),
        "--method",
        "ft2",
        "--preset",
        "test",
        "--set",
        "train.n_steps=1",
    ]
    assert run_json(capsys, *finetune, "-o", str(tmp_path / "f"))["method"] == "ft2"
    assert "the model has rows 1 to 2" in refusal(capsys, *words, "--only-row", "3")
    assert "only separate rows are trained one by one" in refusal(capsys, *words, "--only-row", "1", "--rows", "summed")


def test_pretraining_goes_on_from_a_model_of_the_same_codec(capsys, tmp_path):
    words = [
        "pretrain",
        "corpus",
        "--preset",
        "test",
        "--from",
        "pre",
        "--set",
        "train.n_steps=1",
        "-o",
        str(tmp_path / "p"),
    ]
    assert run_json(capsys, *words)["steps"] == 1
    assert json.loads((tmp_path / "p" / "config.json").read_text())["model"]["rows"] == "summed"
    assert "sizes of that model are fixed" in refusal(capsys, *words, "--set", "model.d_ff=32")
    assert "is a classifier; expected a folder of `audioformer pretrain`" in refusal(
        capsys, *words[:5], "classifier", *words[6:]
    )


def test_fine_tuning_goes_on_from_a_classifier_under_a_fresh_head(capsys, tmp_path):
    words = [
        "finetune",
        "corpus",
        "--from",
        "classifier",
        "--preset",
        "test",
        "--set",
        "train.n_steps=1",
        "-o",
        str(tmp_path / "f"),
    ]
    assert run_json(capsys, *words, "--set", "train.learning_rate=1e-12")["steps"] == 1
    before, after = (load_file(folder / "model.safetensors") for folder in (Path("classifier"), tmp_path / "f"))
    assert all(
        torch.allclose(before[name], value, atol=1e-6) for name, value in after.items() if name.startswith("backbone.")
    )
    assert not torch.allclose(before["head.weight"], after["head.weight"], atol=1e-3)


def test_finetune_holds_folds_out_and_measures_on_them(capsys, tmp_path):
    words = ["finetune", "corpus", "--from", "pre", "--preset", "test", "-o", str(tmp_path / "f")]
    card = ["--title", "Tones", "--limits", "Two tones only."]
    document = run_json(capsys, *words, "--held-out-folds", "2", "--set", "train.n_steps=2", *card)
    assert (document["kind"], document["method"], document["n_clips"], document["n_held_out"]) == (
        "classifier",
        "ft1",
        4,
        4,
    )
    assert document["label_names"] == ["high", "low"]
    assert document["validation"]["n"] == 4
    assert set(document["validation"]) >= {"accuracy", "chance", "low", "high"}
    card = (tmp_path / "f" / "README.md").read_text()
    assert "# Tones" in card
    assert "Two tones only." in card


@pytest.mark.parametrize(
    ("choice", "n_clips"),
    [
        (["corpus", "--folds", "1"], 4),
        (["corpus:folds=1"], 4),
        (["corpus", "--not-folds", "1"], 4),
        (["corpus:groups=g0,g1,g2"], 3),
        (["corpus:folds=1", "corpus:folds=2:groups=g2,g3"], 6),
        (["corpus:folds=2", "--folds", "1"], 4),
        (["corpus", "--not-groups", "g0"], 7),
    ],
)
def test_clips_are_chosen_by_fold_and_group(capsys, tmp_path, choice, n_clips):
    words = ["finetune", *choice, "--from", "pre", "--preset", "test", "--method", "probe", "-o", str(tmp_path)]
    assert run_json(capsys, *words, "--set", "train.n_steps=1")["n_clips"] == n_clips


def test_a_probe_reads_every_clip_once_unless_something_changes_from_step_to_step(capsys, tmp_path):
    words = [
        "finetune",
        "corpus",
        "--from",
        "pre",
        "--preset",
        "probe",
        "--set",
        "train.n_steps=5",
        "--set",
        "crop_s=0.5",
    ]
    words += ["--set", "min_crop_s=0.5"]
    run_json(capsys, *words, "-o", str(tmp_path / "once"))
    assert main([*words, "--set", "token_mask=0.1", "-o", str(tmp_path / "anew")]) == 0
    assert "clips read" not in capsys.readouterr().err
    losses = [
        json.loads((tmp_path / run / "log.jsonl").read_text().splitlines()[-1])["losses"]["mlc"]
        for run in ("once", "anew")
    ]
    assert losses[0] < losses[1]  # centred and scaled vectors are learnt faster
    assert (
        main(["classify", str(next(Path("tones").rglob("*.wav"))), "--checkpoint", str(tmp_path / "once"), "--json"])
        == 0
    )


def test_a_probe_with_held_out_clips_is_the_same_probe_and_is_measured(capsys, tmp_path):
    words = [
        "finetune",
        "corpus",
        "--from",
        "pre",
        "--preset",
        "probe",
        "--set",
        "train.n_steps=8",
        "--set",
        "crop_s=0.5",
    ]
    words += ["--set", "min_crop_s=0.5"]
    alone = run_json(capsys, *words, "--not-folds", "2", "-o", str(tmp_path / "alone"))
    watched = run_json(capsys, *words, "--held-out-folds", "2", "-o", str(tmp_path / "watched"))
    assert (watched["validation"]["n"], watched["losses"]) == (4, alone["losses"])
    alone, watched = (load_checkpoint(tmp_path / name)[0] for name in ("alone", "watched"))
    assert all(value.equal(watched[name]) for name, value in alone.items())


def test_another_selection_does_not_go_on_with_a_run(capsys, tmp_path):
    words = ["finetune", "corpus", "--from", "pre", "--preset", "test", "-o", str(tmp_path / "f")]
    run_json(capsys, *words, "--folds", "1")
    assert "other settings (clips is" in refusal(capsys, *words, "--folds", "2")


def test_training_from_scratch_starts_where_its_seed_says(capsys, tmp_path):
    words = [
        "finetune",
        "corpus",
        "--from",
        "none",
        "--model",
        "test",
        "--preset",
        "test",
        "--set",
        "train.learning_rate=1e-9",
    ]
    for seed in ("1", "2"):
        run_json(capsys, *words, "--set", f"train.seed={seed}", "-o", str(tmp_path / seed))
    first, second = (
        load_checkpoint(tmp_path / seed)[0]["backbone.encoders.0.blocks.0.contract.weight"] for seed in ("1", "2")
    )
    assert not torch.allclose(first.float(), second.float(), atol=1e-2)


def test_training_from_scratch_takes_the_sizes_of_a_preset(capsys, tmp_path):
    words = ["finetune", "corpus", "--from", "none", "--model", "test", "--preset", "test", "--set", "train.n_steps=1"]
    run_json(capsys, *words, "-o", str(tmp_path / "f"), "--set", "model.rows=summed", "--set", "model.n_codebooks=3")
    assert json.loads((tmp_path / "f" / "config.json").read_text())["model"]["n_codebooks"] == 3
    assert "needs a pre-trained model to probe" in refusal(capsys, *words, "-o", "x", "--method", "probe")
    assert "needs a pre-trained model to probe" in refusal(capsys, *words, "-o", "x", "--preset", "probe")
    assert "sizes of a pre-trained model are fixed" in refusal(
        capsys, "finetune", "corpus", "--from", "pre", "-o", "x", "--set", "model.d_ff=8"
    )


def test_training_from_scratch_starts_from_the_codecs_vectors_where_its_preset_does(capsys, tmp_path):
    small = "n_codebooks=3 d_model=32 n_layers=1 n_heads=2 d_ff=32 dropout=0".split()
    words = [
        "finetune",
        "corpus",
        "--from",
        "none",
        "--model",
        "bundled",
        "--preset",
        "test",
        "--set",
        "train.learning_rate=1e-9",
    ]
    words += ["--codec", "codec"]
    run_json(capsys, *words, *(w for change in small for w in ("--set", f"model.{change}")), "-o", str(tmp_path / "f"))
    tables = "backbone.encoders.0.embeddings.tables."
    state = {name: value for name, value in load_checkpoint(tmp_path / "f")[0].items() if name.startswith(tables)}
    codebooks = load_codec("codec").codebooks()[:3]
    for k, vectors in enumerate(codebook_vectors(codebooks, 32, same_scale=True)):
        torch.testing.assert_close(
            state[f"{tables}{k}.weight"][: codebooks.shape[1]].float(), vectors, atol=1e-2, rtol=1e-2
        )


def test_training_refuses_what_it_cannot_do(capsys, tmp_path):
    finetune = ["finetune", "corpus", "--from", "pre", "--preset", "test", "-o", str(tmp_path / "f")]
    assert "no 'esc01'; nearest: esc10" in refusal(capsys, *finetune, "--preset", "esc01")
    assert "no 'bundeld'; nearest: bundled" in refusal(capsys, "pretrain", "corpus", "--preset", "bundeld", "-o", "x")
    assert "--set has no 'n_step'; nearest: train.n_steps" in refusal(capsys, *finetune, "--set", "n_step=3")
    assert "train.n_steps takes a whole number" in refusal(capsys, *finetune, "--set", "train.n_steps=many")
    assert "expected name=value" in refusal(capsys, *finetune, "--set", "alpha")
    assert "alpha=3.0" in refusal(capsys, *finetune, "--set", "alpha=3")
    assert "is no corpus" in refusal(capsys, "finetune", "tones", *finetune[2:])
    assert "no clip of the corpus" in refusal(capsys, *finetune, "--folds", "9")
    assert "nothing is held out" in refusal(capsys, *finetune, "--held-out-folds", "9")
    assert "leaves no clip to train on" in refusal(capsys, *finetune, "--folds", "1", "--held-out-folds", "1")
    assert "--held-out-share 0.9 must lie above 0 and up to 0.5" in refusal(
        capsys, *finetune, "--held-out-share", "0.9"
    )
    assert "the corpus has none; use --set frame_head=false" in refusal(capsys, *finetune, "--set", "frame_head=true")
    assert "ft2 ties separate rows together" in refusal(capsys, *finetune, "--method", "ft2")
    assert "must be whole numbers" in refusal(capsys, "finetune", "corpus:folds=x", *finetune[2:])
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refusal(capsys, *finetune[:-1], str(tmp_path / "file" / "f"))
    assert not (tmp_path / "f" / "config.json").exists()


def test_corpora_of_different_codecs_are_not_trained_on_together(capsys, tmp_path):
    save_compact(tiny_codec(seed=1, name="other"), tmp_path / "other")
    assert (
        main(["prepare", "tones", "--dataset", "folder", "-o", str(tmp_path / "c"), "--codec", str(tmp_path / "other")])
        == 0
    )
    said = refusal(capsys, "pretrain", "corpus", str(tmp_path / "c"), "--preset", "test", "-o", str(tmp_path / "p"))
    assert "prepare both with one codec" in said
    said = refusal(
        capsys, "finetune", str(tmp_path / "c"), "--from", "pre", "--preset", "test", "-o", str(tmp_path / "f")
    )
    assert "pre: was trained on codes of codec" in said


def test_evaluate_prints_the_promised_document(capsys):
    document = run_json(capsys, "evaluate", "tones", "--dataset", "folder", *CLASSIFIER, "--folds", "1,2")
    assert set(document) >= {"metric", "metric_name", "accuracy", "per_class", "confusion", "labels", "n", "chance"}
    assert document["metric"] == document["accuracy"]
    assert document["metric_name"] == "accuracy"
    assert document["n"] == 8
    assert document["chance"] == 0.5
    assert np.array(document["confusion"]).sum() == 8
    assert set(document["per_class"]) == set(document["labels"]) == {"low", "high"}
    assert document["command"] == "audioformer evaluate tones --dataset folder --checkpoint classifier --folds 1,2"
    assert main(["evaluate", "tones", "--dataset", "folder", *CLASSIFIER]) == 0
    out = capsys.readouterr().out
    assert f"accuracy {document['metric']:.3f} on 8 clips (chance 0.500, 95 % interval" in out
    assert "true \\ given" in out
    assert "no clip of folder is left" in refusal(
        capsys, "evaluate", "tones", "--dataset", "folder", *CLASSIFIER, "--folds", "7"
    )


def test_evaluate_can_write_the_score_down(capsys, tmp_path):
    shutil.copytree("classifier", tmp_path / "mine")
    words = ["evaluate", "tones", "--dataset", "folder", "--checkpoint", str(tmp_path / "mine"), "--codec", "codec"]
    document = run_json(capsys, *words, "--folds", "2", "--record", "tones, fold 2")
    (score,) = json.loads((tmp_path / "mine" / "config.json").read_text())["scores"]
    assert score["value"] == document["metric"]
    assert score["command"] == "audioformer evaluate tones --dataset folder --checkpoint mine --folds 2"
    assert "tones, fold 2" in (tmp_path / "mine" / "README.md").read_text()


def test_push_refuses_what_is_no_checkpoint_and_tells_what_the_hub_says(capsys):
    assert "neither a folder nor bundled" in refusal(capsys, "push", "nothing", "ann/model")
    assert "log in with `hf auth login`" in refusal(capsys, "push", "classifier", "ann/model")


# synth, train-codec


def test_synth_writes_a_data_set_that_prepare_reads(capsys, tmp_path):
    words = [
        "synth",
        "-o",
        str(tmp_path / "s"),
        "--clips",
        "3",
        "--seed",
        "7",
        "--duration",
        "0.5",
        "--classes",
        "dog,rain",
    ]
    document = run_json(capsys, *words)
    assert (document["n_clips"], document["kind"], document["seed"]) == (3, "scenes", 7)
    assert document["n_events"] >= 3
    assert set(document["clips_per_label"]) <= {"dog", "rain"}
    assert len(list((tmp_path / "s" / "audio").iterdir())) == 3
    assert run_json(capsys, *words) == document
    document = run_json(
        capsys, "prepare", str(tmp_path / "s"), "--dataset", "esc50", "-o", str(tmp_path / "c"), "--codec", "codec"
    )
    assert document["clips"] == 3
    assert "other settings" in refusal(capsys, *words[:6], "8", *words[7:])
    assert "no synthetic class 'unicorn'" in refusal(
        capsys, "synth", "-o", str(tmp_path / "u"), "--clips", "1", "--classes", "unicorn"
    )


def test_synth_makes_single_sounds_of_the_ten_classes_too(capsys, tmp_path):
    words = [
        "synth",
        "-o",
        str(tmp_path),
        "--clips",
        "10",
        "--kind",
        "clips",
        "--duration",
        "0.3",
        "--classes",
        "esc10",
    ]
    document = run_json(capsys, *words)
    assert len(document["clips_per_label"]) == 10
    assert document["n_events"] == 0


def test_train_codec_makes_a_codec_that_encode_takes(capsys, tmp_path):
    words = ["train-codec", "tones", "-o", str(tmp_path / "tiny codec"), "--preset", "test", "--exclude", "low*"]
    document = run_json(capsys, *words, "--set", "train.n_steps=2", "--set", "codec.n_codebooks=2")
    assert (document["name"], document["steps"], document["n_codebooks"]) == ("tiny codec", 2, 2)
    assert document["hours_of_sound"] == pytest.approx(4 * 0.6 / 3600, abs=0.001)
    document = run_json(
        capsys,
        "encode",
        "tones/low 0.wav",
        "-o",
        str(tmp_path / "c.safetensors"),
        "--codec",
        str(tmp_path / "tiny codec"),
    )
    assert document["codec"] == "tiny codec"
    assert "no 'labtop'; nearest: laptop" in refusal(capsys, *words, "--preset", "labtop")
    assert "other settings (n_steps" in refusal(capsys, *words, "--set", "codec.n_codebooks=2")
    assert "holds no sound files" in refusal(capsys, *words, "--exclude", "*")
    assert "batch_size=0" in refusal(capsys, *words, "--set", "train.batch_size=0")


# Ctrl-C


def interrupt_after(monkeypatch, n_lines: int) -> None:
    """Ctrl-C as the n-th line of progress is shown."""
    seen = []

    def show(_progress, text):
        seen.append(text)
        if len(seen) == n_lines:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "show", show)


@pytest.mark.parametrize(
    "words",
    [
        ["pretrain", "corpus", "--preset", "test", "--rows", "summed"],
        ["pretrain", "corpus", "--preset", "test"],
        ["finetune", "corpus", "--from", "pre", "--preset", "test"],
        ["train-codec", "tones", "--preset", "test"],
        ["prepare", "tones", "--dataset", "folder", "--codec", "codec", "--shards", "4"],
        ["synth", "--clips", "4", "--duration", "0.2", "--classes", "dog"],
    ],
)
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(capsys, tmp_path, monkeypatch, words):
    assert main([*words, "-o", str(tmp_path / "whole")]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patched:
        interrupt_after(patched, 3)
        assert main([*words, "-o", str(tmp_path / "parts")]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "the same command continues from there" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert main([*words, "-o", str(tmp_path / "parts")]) == 0
    for whole in sorted((tmp_path / "whole").rglob("*")):
        part = tmp_path / "parts" / whole.relative_to(tmp_path / "whole")
        if whole.suffix == ".ogg":  # every Ogg file has a serial number of its own
            np.testing.assert_array_equal(soundfile.read(part)[0], soundfile.read(whole)[0])
        elif whole.suffix in (".safetensors", ".arrow", ".csv"):
            assert part.read_bytes() == whole.read_bytes(), whole.name
    assert not list((tmp_path / "parts").rglob(".writing-*"))


def test_a_real_ctrl_c_in_a_process_of_its_own(tmp_path):
    words = [
        "pretrain",
        "corpus",
        "--preset",
        "test",
        "--rows",
        "summed",
        "--set",
        "train.n_steps=1000000",
        "-o",
        str(tmp_path / "p"),
    ]
    command = [sys.executable, "-m", "audioformer", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("step"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert f"audioformer: stopped; the state is saved in {tmp_path / 'p'}: the same command continues from there" in err
    assert "Traceback" not in err
    assert (tmp_path / "p" / "state.pt").is_file()


# several processes


def test_two_processes_share_a_step_and_give_the_numbers_of_one(tmp_path):
    words = ["finetune", "corpus", "--from", "pre", "--preset", "test", "--method", "probe", "--json"]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "audioformer"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, *words, "-o", str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 4
    assert main([*words, "-o", str(tmp_path / "one")]) == 0
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert [record["losses"]["mlc"] for record in two] == pytest.approx(
        [record["losses"]["mlc"] for record in one], abs=1e-5
    )


# our bugs, missing packages, pipes


def test_a_bug_of_ours_is_told_shortly_and_in_full_on_request(capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr("audioformer.classify.load", broken)
    monkeypatch.delenv("AUDIOFORMER_TRACEBACK", raising=False)
    assert main(["classify", "tones/low 0.wav", *CLASSIFIER]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert (
        err.strip()
        == "audioformer: a bug of ours: RuntimeError: boom; set AUDIOFORMER_TRACEBACK=1 to see where, and please report it"
    )
    monkeypatch.setenv("AUDIOFORMER_TRACEBACK", "1")
    assert main(["classify", "tones/low 0.wav", *CLASSIFIER]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_extra_is_named_with_the_command_that_installs_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    said = refusal(capsys, "pretrain", "corpus", "--preset", "test", "--rows", "summed", "-o", str(tmp_path / "p"))
    assert 'pip install "audioformer[train]"' in said


def test_too_little_memory_is_told_as_such(capsys, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr("audioformer.classify.load", greedy)
    assert "not enough memory" in refusal(capsys, "classify", "tones/low 0.wav", *CLASSIFIER)


def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-m", "audioformer", "info", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert err == ""
    assert process.returncode == 0


def test_the_installed_command_works_with_any_encoding_of_the_terminal(tmp_path):
    shutil.copy("tones/low 0.wav", tmp_path / "süß ☂.wav")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "audioformer", "classify", str(tmp_path / "süß ☂.wav"), *CLASSIFIER]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("%") == 2


# app and lab


def test_the_app_refuses_a_port_that_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refusal(capsys, "app", "--port", str(taken.getsockname()[1]))
    assert "cannot be used" in said
    assert "must be a whole number from 1 to 65535" in refusal(capsys, "app", "--port", "70000")


def test_lab_opens_the_notebooks_offline(tmp_path):
    from audioformer.cli.serve import lab_command

    assert not any("default_url" in word for word in lab_command(tmp_path, 8899, browser=False))
    (tmp_path / "index.ipynb").touch()
    command = lab_command(tmp_path, 8899, browser=False)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/index.ipynb" in command
    assert f"--notebook-dir={tmp_path}" in command
    assert "--port=8899" in command
    assert "--no-browser" in command
    assert "--LabApp.news_url=None" in command
    assert any("NeverCheckForUpdate" in word for word in command)
    assert "--LabApp.extension_manager=readonly" in command


def test_lab_starts_and_ends_with_its_process(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
    }
    command = [sys.executable, "-m", "audioformer", "lab", "--no-browser", "--port", str(port)]
    environment = {**os.environ, **home}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        seen = []
        for line in process.stderr:
            seen.append(line)
            if f"http://127.0.0.1:{port}/lab" in line:
                break
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert f"http://127.0.0.1:{port}/lab" in seen[-1], "".join(seen)
    assert out == ""


def test_lab_of_an_installed_package_copies_the_notebooks_once(tmp_path, monkeypatch):
    from audioformer import files as paths
    from audioformer.cli.serve import lab_folder

    package = tmp_path / "site" / "audioformer"
    (package / "notebooks" / "src").mkdir(parents=True)
    (package / "notebooks" / "01.ipynb").write_text("{}")
    (package / "notebooks" / "src" / "01.py").write_text("# 1")
    monkeypatch.setattr(paths, "PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    folder = lab_folder()
    assert folder == tmp_path / "audioformer-notebooks"
    assert (folder / "src" / "01.py").read_text() == "# 1"
    (folder / "01.ipynb").write_text("my answers")
    assert lab_folder() == folder
    assert (folder / "01.ipynb").read_text() == "my answers"


def test_lab_of_a_clone_opens_its_own_folder(tmp_path, monkeypatch):
    from audioformer import files as paths
    from audioformer.cli.serve import lab_folder

    (tmp_path / "clone" / "notebooks").mkdir(parents=True)
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "clone" / "audioformer")
    assert lab_folder() == tmp_path / "clone" / "notebooks"
