"""Every verb as users and scripts call it: results, JSON, exit status, bad input, Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import shlex
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
from tiny import RATE, tiny_codec, tone, tone_folder

from audioformer import files
from audioformer.audio import save_audio
from audioformer.checkpoint import load_checkpoint
from audioformer.cli import main
from audioformer.cli.bench_options import BENCHES
from audioformer.cli.console import Progress
from audioformer.cli.parser import build_parser
from audioformer.cli.serve import lab_command, lab_folder
from audioformer.codecs import load_codec
from audioformer.codecs.codes_file import load_codes
from audioformer.codecs.compact_files import save_compact
from audioformer.codecs.train_compact import PRESETS as CODEC_PRESETS
from audioformer.recipes import FINETUNE_PRESETS, PRETRAIN_PRESETS
from audioformer.start import codebook_vectors

VERBS, N_THREADS = build_parser().verbs, torch.get_num_threads()
CLASSIFIER = "--checkpoint classifier --codec codec"
PREPARE = "prepare tones --dataset folder --codec codec"
FINETUNE = "finetune corpus --from pre --preset test"


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with all a user has made so far: two codecs, sounds, a corpus, a pre-trained model, a classifier."""
    desk = tmp_path_factory.mktemp("my desk é")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        save_compact(tiny_codec(name="codec"), desk / "codec")
        save_compact(tiny_codec(seed=1, name="other"), desk / "other")
        tone_folder(desk / "tones", n=8, duration_s=0.6)
        assert main(shlex.split(f"{PREPARE} -o corpus")) == 0
        assert main(shlex.split("pretrain corpus --preset test --rows summed -o pre")) == 0
        assert main([*shlex.split(f"{FINETUNE} -o classifier --title"), "Low or high"]) == 0
    shutil.copytree(desk / "classifier", desk / "cut")
    weights = desk / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return desk


@pytest.fixture(autouse=True)
def _at_desk(desk, monkeypatch) -> None:
    """The same, as the present folder."""
    monkeypatch.chdir(desk)


@pytest.fixture
def out(tmp_path) -> str:
    """A place to write to, as a word of a command."""
    return shlex.quote(str(tmp_path / "out"))


def result(capsys, command: str, status: int = 0):
    """The document a verb prints; nothing else may be on standard output."""
    capsys.readouterr()
    assert main([*shlex.split(command), "--json"]) == status
    return json.loads(capsys.readouterr().out)


def refusal(capsys, command: str) -> str:
    """The one line a user's mistake is answered with."""
    capsys.readouterr()
    assert main(shlex.split(command)) == 2
    output, errors = capsys.readouterr()
    (line,) = (line for line in errors.splitlines() if line.startswith("audioformer: "))
    assert (output, line) == ("", errors.strip().splitlines()[-1])
    assert "Traceback" not in errors
    return line


def config(out: str) -> dict:
    return json.loads((Path(shlex.split(out)[0]) / "config.json").read_text())


# help


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices


def test_the_verbs_are_those_of_the_interface():
    promised = (
        "info encode decode classify embed prepare pretrain finetune evaluate synth bench train-codec check bundle"
    )
    assert {*promised.split(), "app", "lab"} <= set(VERBS)


@pytest.mark.parametrize("verb", [*(verb for verb in VERBS if verb != "bench"), *(f"bench {name}" for name in BENCHES)])
def test_help_explains_every_option_and_gives_an_example(verb, capsys):
    assert main([*verb.split(), "--help"]) == 0
    assert f"example:\n  audioformer {verb}" in capsys.readouterr().out
    parser = build_parser()
    for name in verb.split():
        parser = below(parser)[name]
    assert parser.description
    assert [action.dest for action in parser._actions if not action.help] == []
    assert any("--json" in action.option_strings for action in parser._actions) == (verb not in ("app", "lab"))


def test_help_and_version_of_the_whole(capsys):
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    assert all(f"    {verb}" in output for verb in VERBS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("audioformer ")


@pytest.mark.parametrize(
    ("verb", "presets"),
    [("pretrain", PRETRAIN_PRESETS), ("finetune", FINETUNE_PRESETS), ("train-codec", CODEC_PRESETS)],
)
def test_presets_in_the_help_are_those_there_are(verb, presets, capsys):
    assert main([verb, "--help"]) == 0
    output = "".join(capsys.readouterr().out.split())  # lines are wrapped at hyphens
    assert [name for name in presets if name not in output] == []


def test_help_needs_nothing_heavy():
    code = (
        "import sys; from audioformer.cli import main; main(['bench', 'probe', '--help']);"
        "print([name for name in ('torch', 'numpy', 'datasets', 'gradio') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip() == "[]"


# what is wrong, by name

SOUND = "'tones/low 0.wav'"
MISTAKES = [
    # the command line
    ("clasify x.wav", "nearest: classify"),
    ("encode", "file, -o/--output"),
    ("", "VERB"),
    ("info --loud", "--loud"),
    ("classify x.wav --top-k 0", "'0' must be a whole number of at least 1"),
    ("synth -o x --clips 1 --seed=-1", "'-1'"),
    ("evaluate r --dataset d --checkpoint c --folds x", "'x' must be whole numbers"),
    ("prepare r --dataset fsdd -o c --shard 3", "'3' must be i/n"),
    ("app --port 70000", "from 1 to 65535"),
    # files and codecs
    (f"encode {SOUND} -o codes.npy --codec codec", "codes.npy"),
    (f"encode {SOUND} -o {{out}} --codec codec", "end the name in that"),
    (f"encode {SOUND} -o x.safetensors --codec codec --codebooks 9", "1 to 3"),
    (f"encode {SOUND} -o x.safetensors --codec mp3", "mp3"),
    (f"encode {SOUND} -o {SOUND}/c.safetensors --codec codec", "cannot be written"),
    ("decode nothing.safetensors -o x.wav", "no such file"),
    (f"decode {SOUND} -o x.wav", "not a file of codes"),
    (f"embed {SOUND} -o e.csv {CLASSIFIER}", "e.csv"),
    # checkpoints
    (f"classify {SOUND} --checkpoint nothing", "neither a folder nor bundled"),
    (f"classify {SOUND} --checkpoint pre --codec codec", "not a classifier"),
    (f"classify {SOUND} --checkpoint tones", "no config.json"),
    (f"classify {SOUND} --checkpoint classifier --codec other", "fingerprint"),
    (f"classify {SOUND} --checkpoint cut --codec codec", "cut: damaged"),
    ("push nothing ann/model", "neither a folder nor bundled"),
    ("push classifier ann/model", "log in with `hf auth login`"),
    # data sets
    (f"{PREPARE} -o {{out}} --option cvs=x", "has no option 'cvs'"),
    (f"{PREPARE} -o {{out}} --option x", "expected name=value"),
    ("prepare tones --dataset esc51 -o x --codec codec", "esc50"),
    ("prepare nowhere --dataset esc50 -o x --codec codec", "nowhere"),
    (f"evaluate tones --dataset folder {CLASSIFIER} --folds 7", "no clip of folder is left"),
    ("synth -o {out} --clips 1 --classes unicorn", "unicorn"),
    # recipes
    (f"{FINETUNE} -o {{out}} --preset esc01", "nearest: esc10"),
    ("pretrain corpus --preset bundeld -o x", "nearest: bundled"),
    (f"{FINETUNE} -o {{out}} --set n_step=3", "nearest: train.n_steps"),
    (f"{FINETUNE} -o {{out}} --set train.n_steps=many", "takes a whole number"),
    (f"{FINETUNE} -o {{out}} --set alpha=3", "alpha=3.0"),
    (f"{FINETUNE} -o {{out}} --set model.d_ff=8", "sizes of a pre-trained model are fixed"),
    (f"{FINETUNE} -o {{out}} --set frame_head=true", "frame_head=false"),
    (f"{FINETUNE} -o {{out}} --method ft2", "separate rows"),
    (f"{FINETUNE} -o {{out}} --method probe --adapt lora", "goes with ft1 or ft2"),
    ("finetune corpus --from none -o x --preset probe", "needs a pre-trained model to probe"),
    ("finetune corpus --from none -o x --adapt bias", "needs a pre-trained model to adapt"),
    ("pretrain corpus --preset test -o {out} --from pre --set model.d_ff=32", "sizes of that model are fixed"),
    ("pretrain corpus --preset test -o {out} --from classifier", "is a classifier"),
    ("pretrain corpus --preset test -o {out} --only-row 3", "rows 1 to 2"),
    ("pretrain corpus --preset test -o {out} --only-row 1 --rows summed", "--only-row 1"),
    ("train-codec tones -o {out} --preset labtop", "nearest: laptop"),
    ("train-codec tones -o {out} --preset test --exclude '*'", "no sound files"),
    ("train-codec tones -o {out} --preset test --set train.batch_size=0", "batch_size=0"),
    # corpora and what is held out
    ("finetune tones --from pre --preset test -o x", "tones"),
    ("finetune corpus:folds=x --from pre --preset test -o x", "must be whole numbers"),
    (f"{FINETUNE} -o {{out}} --folds 9", "no clip of the corpus"),
    (f"{FINETUNE} -o {{out}} --held-out-folds 9", "nothing is held out"),
    (f"{FINETUNE} -o {{out}} --folds 1 --held-out-folds 1", "leaves no clip to train on"),
    (f"{FINETUNE} -o {{out}} --held-out-share 0.9", "up to 0.5"),
    (f"{FINETUNE} -o {SOUND}/f", "cannot be written"),
]


@pytest.mark.parametrize(("command", "word"), MISTAKES)
def test_a_mistake_is_told_in_one_line_that_names_it(command, word, capsys, out, tmp_path):
    assert word in refusal(capsys, command.replace("{out}", out))
    assert not list(tmp_path.rglob("config.json"))


def test_every_kind_of_bad_sound_is_refused_by_name_wherever_sound_goes_in(capsys, tmp_path):
    good = tmp_path / "good.wav"
    save_audio(good, tone(440), RATE)
    for name, content in (("empty.wav", b""), ("text.ogg", b"no sound\n" * 50), ("cut.wav", good.read_bytes()[:40])):
        (tmp_path / name).write_bytes(content)
    for name, samples in (("nan.wav", [0.0, np.nan]), ("inf.wav", [0.0, np.inf]), ("0 samples.wav", [])):
        soundfile.write(tmp_path / name, np.array(samples), RATE, subtype="FLOAT")
    (tmp_path / "a folder").mkdir()
    reasons = {
        "absent.wav": "no such file",
        "a folder": "is a folder",
        "empty.wav": "empty",
        "text.ogg": "not a readable sound file",
        "cut.wav": "cut.wav",
        "nan.wav": "NaN or infinite",
        "inf.wav": "NaN or infinite",
        "0 samples.wav": "0 samples",
    }
    for name, reason in reasons.items():
        sound = shlex.quote(str(tmp_path / name))
        embed, encode = f"embed {sound} -o e.npz {CLASSIFIER}", f"encode {sound} -o c.safetensors --codec codec"
        for command in (f"classify {sound} {CLASSIFIER}", embed, encode):
            line = refusal(capsys, command)
            assert name in line
            assert reason in line
    assert not Path("e.npz").exists()
    assert not Path("c.safetensors").exists()


# info, encode, decode


def test_info_lists_what_there_is_and_scores_with_their_commands(capsys, tmp_path, monkeypatch, desk):
    shutil.copytree(desk / "classifier", tmp_path / "checkpoints" / "mine")
    shutil.copytree(desk / "codec", tmp_path / "codecs" / "small")
    (tmp_path / "checkpoints" / "broken").mkdir()
    (tmp_path / "checkpoints" / "broken" / "config.json").write_text("{")
    path = tmp_path / "checkpoints" / "mine" / "config.json"
    score = {"data": "tones, fold 2", "metric": "accuracy", "value": 0.75, "spread": "± 0.1", "chance": 0.5}
    score["command"] = "audioformer evaluate x"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scores": [score]}))
    monkeypatch.setattr(files, "assets_folder", lambda: tmp_path)
    document = result(capsys, "info")
    assert set(document) >= {"audioformer", "python", "platform", "packages", "device", "codecs", "checkpoints"}
    assert document["packages"]["torch"] == torch.__version__
    (found,) = document["checkpoints"]
    assert (found["name"], found["kind"], found["scores"]) == ("mine", "classifier", [score])
    assert [codec["name"] for codec in document["codecs"]] == ["small", "encodec_24khz", "encodec_48khz"]
    assert document["codecs"][0]["bandwidth_kbps"] == pytest.approx(0.9)
    assert main(["info"]) == 0
    output = capsys.readouterr().out
    assert "mine: accuracy 0.750, ± 0.1 (chance 0.500) on tones, fold 2" in output
    assert "audioformer evaluate x" in output


def test_encode_then_decode_gives_a_sound_of_the_same_length(capsys, tmp_path):
    codes, sound = tmp_path / "new" / "a b.safetensors", tmp_path / "é.flac"
    document = result(capsys, f"encode {SOUND} -o '{codes}' --codec codec")
    assert [document[key] for key in ("n_codebooks", "n_frames", "duration_s")] == [3, 45, 0.6]
    assert document["bandwidth_kbps"] == pytest.approx(0.9)
    assert load_codes(codes).codes.shape == (1, 3, 45)
    document = result(capsys, f"decode '{codes}' -o '{sound}' --codec codec --codebooks 2")
    assert [document[key] for key in ("n_codebooks", "sample_rate", "duration_s")] == [2, RATE, 0.6]
    assert soundfile.info(sound).frames == 14_400


def test_decode_refuses_what_the_codes_do_not_give(capsys, tmp_path):
    codes = f"'{tmp_path / 'c.safetensors'}'"
    assert main(shlex.split(f"encode {SOUND} -o {codes} --codec codec --codebooks 2")) == 0
    assert "holds 2" in refusal(capsys, f"decode {codes} -o x.wav --codec codec --codebooks 3")
    assert "x.mp3" in refusal(capsys, f"decode {codes} -o x.mp3 --codec codec")
    line = refusal(capsys, f"decode {codes} -o x.wav --codec other")
    assert "c.safetensors" in line
    assert "fingerprint" in line
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]
    assert not Path("x.wav").exists()


# classify, embed


def test_classify_answers_programs_and_people(capsys):
    document = result(capsys, f"classify {SOUND} 'tones/high 1.wav' {CLASSIFIER} --top-k 1")
    keys = {"file", "checkpoint", "answer", "labels", "duration_s", "level_db", "notes"}
    assert [set(entry) for entry in document] == [keys] * 2
    assert [document[0][key] for key in ("file", "checkpoint", "duration_s")] == ["tones/low 0.wav", "classifier", 0.6]
    assert [set(label) for label in document[0]["labels"]] == [{"label", "probability"}]
    assert main(shlex.split(f"classify {SOUND} {CLASSIFIER}")) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("tones/low 0.wav  (0.60 s")
    assert sorted(line.split()[-1] for line in lines) == ["high", "low"]
    assert sum(float(line.split()[0]) for line in lines) == pytest.approx(100, abs=0.2)


def test_one_bad_file_among_good_ones_does_not_stop_the_others(capsys):
    Path("hollow").mkdir(exist_ok=True)
    words = ["tones/low 0.wav", "nothing.wav", "hollow", "tones/high 1.wav", *CLASSIFIER.split(), "--json"]
    assert main(["classify", *words]) == 2
    output, errors = capsys.readouterr()
    assert [entry["file"] for entry in json.loads(output)] == ["tones/low 0.wav", "tones/high 1.wav"]
    assert {line.split(":")[1] for line in errors.splitlines() if "audioformer:" in line} == {" nothing.wav", " hollow"}
    assert main(shlex.split(f"classify nothing.wav neither.wav {CLASSIFIER} --json")) == 2
    output, errors = capsys.readouterr()
    assert (output, "none of 2 files" in errors) == ("", True)


def test_embed_writes_one_vector_a_file_or_a_frame(capsys, tmp_path):
    embed = f"embed {SOUND} 'tones/high 1.wav' {CLASSIFIER} -o '{tmp_path}'"
    assert result(capsys, f"{embed}/e.npz")["shape"] == [2, 32]
    with np.load(tmp_path / "e.npz", allow_pickle=False) as found:
        assert found["files"].tolist() == ["tones/low 0.wav", "tones/high 1.wav"]
        vectors = found["embeddings"]
    assert (vectors.shape, vectors.dtype) == ((2, 32), np.float32)
    assert result(capsys, f"{embed}/e.npy")["shape"] == [2, 32]
    np.testing.assert_array_equal(np.load(tmp_path / "e.npy", allow_pickle=False), vectors)
    document = result(capsys, f"{embed}/e.safetensors --frames")
    assert document["shape"] == [90, 32]
    with safe_open(tmp_path / "e.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["files"]) == document["files"]
        assert file.get_tensor("clip").tolist() == [0] * 45 + [1] * 45
        np.testing.assert_allclose(file.get_tensor("time_s")[[0, 44]], [0.5 / 75, 44.5 / 75], rtol=1e-5)


@pytest.fixture
def recordings(tmp_path, _at_desk) -> Path:
    """Sounds in a folder and below it, damaged ones among them, one large enough to be read alone, and other files."""
    folder = tmp_path / "recordings"
    for place in ("a/low 0.wav", "a/low 2.wav", "b/c/high 1.wav"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(f"tones/{Path(place).name}", folder / place)
    shutil.copy("tones/low 0.wav", folder / "b")
    save_audio(folder / "long.wav", tone(440, 90), RATE)
    (folder / "a" / "broken.wav").write_bytes(b"")
    (folder / "b" / "notes.txt").write_text("no sound")
    return folder


def test_of_a_folder_every_sound_below_is_named_as_it_is_by_itself(capsys, recordings, tmp_path):
    expected = ["a/low 0.wav", "a/low 2.wav", "b/c/high 1.wav", "b/low 0.wav", "long.wav"]
    command = ["classify", str(recordings), *CLASSIFIER.split(), "--json", "--labels", str(tmp_path / "tracks")]
    assert main(command) == 2
    output, errors = capsys.readouterr()
    document = json.loads(output)
    assert [entry["file"] for entry in document] == [str(recordings / place) for place in expected]
    assert [line for line in errors.splitlines() if line.startswith("audioformer: ")] == [
        "audioformer: broken.wav: the file is empty (0 bytes); give a WAV, FLAC, Ogg or MP3 file"
    ]
    assert "1 file is left out, not a sound that can be decoded here: 1 .txt" in errors
    assert "6 of 6 files" in errors
    for place, entry in zip(expected, document, strict=True):
        assert (tmp_path / "tracks" / place).with_suffix(".txt").is_file()
        alone = result(capsys, f"classify {shlex.quote(entry['file'])} {CLASSIFIER}")[0]
        moments = entry.pop("moments")
        assert entry == alone
        assert all(0 <= one["start_s"] < one["end_s"] <= entry["duration_s"] + 0.02 for one in moments)
    one = shlex.quote(str(recordings / "a" / "low 0.wav"))
    assert main(shlex.split(f"embed '{recordings}' {one} {CLASSIFIER} -o '{tmp_path}/e.npz'")) == 2
    with np.load(tmp_path / "e.npz", allow_pickle=False) as found:
        assert [Path(name).name for name in found["files"]] == [*(Path(name).name for name in expected), "low 0.wav"]
        np.testing.assert_array_equal(found["embeddings"][0], found["embeddings"][5])


def test_ctrl_c_among_many_files_keeps_what_is_done(capsys, recordings, tmp_path, monkeypatch):
    def count(_progress, done, _total, _what="clips"):
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "count", count)
    assert main(["classify", str(recordings), *CLASSIFIER.split(), "--json"]) == 130
    output, errors = capsys.readouterr()
    assert [Path(entry["file"]).name for entry in json.loads(output)] == ["low 0.wav", "low 2.wav"]
    assert "stopped by Ctrl-C after 3 files of 6; those are kept" in errors
    assert main(["embed", str(recordings), *CLASSIFIER.split(), "-o", str(tmp_path / "e.npy")]) == 130
    assert len(np.load(tmp_path / "e.npy")) == 2
    assert torch.get_num_threads() == N_THREADS


# prepare, pretrain, finetune, evaluate


def test_prepare_says_what_there_is_and_continues_where_it_stopped(capsys, out):
    document = result(capsys, f"{PREPARE} -o {out} --shards 4 --shard 1/2")
    assert (document["finished"], document["clips"]) == (False, 4)
    document = result(capsys, f"{PREPARE} -o {out} --shards 4")
    assert [document[key] for key in ("finished", "clips", "rows", "n_codebooks")] == [True, 8, 8, 3]
    assert (document["label_names"], document["per_fold"]) == (["high", "low"], {"1": 4, "2": 4})
    assert "n_codebooks 3" in refusal(capsys, f"{PREPARE} -o {out} --shards 4 --codebooks 2")


def test_prepare_augments_clips_and_takes_readers_options(capsys, tmp_path, out):
    shutil.copytree("tones", tmp_path / "tones")
    (tmp_path / "tones" / "more.csv").write_text("filename,label\nlow 0.wav,a\nhigh 1.wav,b\nlow 2.wav,a;b\n")
    prepare = f"prepare '{tmp_path / 'tones'}' --dataset folder --codec codec -o {out}"
    assert "2 CSV files" in refusal(capsys, prepare)
    document = result(capsys, f"{prepare} --option csv=more.csv --variants 3 --augment light --clip-s 0.3")
    assert [document[key] for key in ("clips", "rows", "label_names")] == [3, 9, ["a", "b"]]


def test_pretrain_reports_losses_beside_chance(capsys, out):
    pretrain = f"pretrain corpus --preset test --rows shared -o {out} --held-out-share 0.2"
    document = result(capsys, f"{pretrain} --set train.n_steps=2 --set mask.span=3")
    found = [document[key] for key in ("kind", "steps", "n_clips", "n_held_out")]
    assert found == ["pretrained", 2, 6, 2]
    assert document["chance"]["mlm"] == pytest.approx(np.log(16))
    assert set(document["losses"]) >= {"mlm", "row1", "row2"}
    assert document["validation"]["mlm"] > 0
    assert (config(out)["recipe"]["mask"]["span"], config(out)["model"]["rows"]) == (3, "shared")


def test_separate_rows_are_trained_one_after_the_other_and_joined(capsys, tmp_path):
    pretrain = f"pretrain corpus --preset test -o '{tmp_path / 'p'}' --set train.n_steps=1"
    assert result(capsys, f"{pretrain} --only-row 2")["row"] == 2
    assert not (tmp_path / "p" / "config.json").exists()
    assert set(result(capsys, pretrain)["losses"]) == {"row1", "row2", "mlm"}
    files_there = {"README.md", "config.json", "model.safetensors", "row1", "row2"}
    assert {path.name for path in (tmp_path / "p").iterdir()} == files_there
    finetune = f"finetune corpus --from '{tmp_path / 'p'}' --method ft2 --preset test --set train.n_steps=1"
    assert result(capsys, f"{finetune} -o '{tmp_path / 'f'}'")["method"] == "ft2"


def test_pretraining_starts_from_a_model_of_the_same_codec(capsys, out):
    document = result(capsys, f"pretrain corpus --preset test --from pre --set train.n_steps=1 -o {out}")
    assert (document["steps"], config(out)["model"]["rows"]) == (1, "summed")


def test_fine_tuning_starts_from_a_classifier_under_a_fresh_head(capsys, tmp_path, out):
    finetune = f"finetune corpus --from classifier --preset test --set train.n_steps=1 -o {out}"
    assert result(capsys, f"{finetune} --set train.learning_rate=1e-12")["steps"] == 1
    before, after = (load_checkpoint(folder)[0] for folder in (Path("classifier"), tmp_path / "out"))
    for name, value in after.items():
        if name.startswith("backbone."):
            torch.testing.assert_close(before[name], value, atol=1e-6, rtol=0)
    assert not torch.allclose(before["head.weight"], after["head.weight"], atol=1e-3)


def test_finetune_holds_folds_out_and_measures_on_them(capsys, tmp_path, out):
    card = "--title Tones --limits 'Two tones only.'"
    document = result(capsys, f"{FINETUNE} -o {out} --held-out-folds 2 --set train.n_steps=2 {card}")
    found = [document[key] for key in ("kind", "method", "n_clips", "n_held_out", "label_names")]
    assert found == ["classifier", "ft1", 4, 4, ["high", "low"]]
    assert document["validation"]["n"] == 4
    assert set(document["validation"]) >= {"accuracy", "chance", "low", "high"}
    text = (tmp_path / "out" / "README.md").read_text()
    assert "# Tones" in text
    assert "Two tones only." in text
    line = refusal(capsys, f"{FINETUNE} -o {out} --folds 1 --set train.n_steps=2")  # another selection of clips
    assert "clips" in line


@pytest.mark.parametrize(
    ("choice", "n_clips"),
    [
        ("corpus:folds=1", 4),
        ("corpus --not-folds 1", 4),
        ("corpus:folds=1 corpus:folds=2:groups=g2,g3", 6),
        ("corpus:folds=2 --folds 1", 4),
        ("corpus --not-groups g0", 7),
    ],
)
def test_clips_are_chosen_by_fold_and_group(capsys, out, choice, n_clips):
    finetune = f"finetune {choice} --from pre --preset test --method probe -o {out} --set train.n_steps=1"
    assert result(capsys, finetune)["n_clips"] == n_clips


def test_a_probe_reads_every_clip_once_unless_something_changes_from_step_to_step(capsys, tmp_path):
    probe = "finetune corpus --from pre --preset probe --set train.n_steps=5 --set crop_s=0.5 --set min_crop_s=0.5"
    result(capsys, f"{probe} -o '{tmp_path / 'once'}'")
    assert main(shlex.split(f"{probe} --set token_mask=0.1 -o '{tmp_path / 'every step'}'")) == 0
    assert "clips read" not in capsys.readouterr().err
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("once", "every step")]
    once, every_step = (json.loads(lines[-1])["losses"]["mlc"] for lines in logs)
    assert once < every_step  # centred and scaled vectors are learnt faster
    assert result(capsys, f"classify {SOUND} --checkpoint '{tmp_path / 'once'}'")
    alone = result(capsys, f"{probe} --not-folds 2 -o '{tmp_path / 'alone'}'")
    watched = result(capsys, f"{probe} --held-out-folds 2 -o '{tmp_path / 'watched'}'")
    assert (watched["validation"]["n"], watched["losses"]) == (4, alone["losses"])
    alone, watched = (load_checkpoint(tmp_path / name)[0] for name in ("alone", "watched"))
    assert all(value.equal(watched[name]) for name, value in alone.items())


def test_training_from_scratch_starts_where_its_seed_says(capsys, tmp_path):
    finetune = "finetune corpus --from none --model test --preset test --set train.learning_rate=1e-9"
    states = []
    for seed in "12":
        result(capsys, f"{finetune} --set train.seed={seed} -o '{tmp_path / seed}'")
        states.append(load_checkpoint(tmp_path / seed)[0]["backbone.encoders.0.blocks.0.contract.weight"])
    assert not torch.allclose(states[0].float(), states[1].float(), atol=1e-2)


def test_training_from_scratch_takes_sizes_and_the_codecs_vectors_from_a_preset(capsys, tmp_path, out):
    sizes = "n_codebooks=3 d_model=32 n_layers=1 n_heads=2 d_ff=32 dropout=0".split()
    sets = " ".join(f"--set model.{size}" for size in sizes)
    finetune = "finetune corpus --from none --model bundled --preset test --set train.learning_rate=1e-9"
    result(capsys, f"{finetune} {sets} --codec codec -o {out}")
    assert config(out)["model"]["n_codebooks"] == 3
    state, codebooks = load_checkpoint(tmp_path / "out")[0], load_codec("codec").codebooks()[:3]
    for k, vectors in enumerate(codebook_vectors(codebooks, 32, same_scale=True)):
        table = state[f"backbone.encoders.0.embeddings.tables.{k}.weight"][: codebooks.shape[1]].float()
        torch.testing.assert_close(table, vectors, atol=1e-2, rtol=1e-2)


def test_corpora_of_different_codecs_are_not_trained_on_together(capsys, out):
    assert main(shlex.split(f"prepare tones --dataset folder -o {out} --codec other")) == 0
    assert "one codec" in refusal(capsys, f"pretrain corpus {out} --preset test -o x")
    assert "pre: was trained on codes of codec" in refusal(
        capsys, f"finetune {out} --from pre --preset test -o {out}/f"
    )


def test_evaluate_prints_the_promised_document(capsys):
    evaluate = f"evaluate tones --dataset folder {CLASSIFIER} --folds 1,2"
    document = result(capsys, evaluate)
    assert document["metric"] == document["accuracy"]
    assert [document[key] for key in ("metric_name", "n", "chance")] == ["accuracy", 8, 0.5]
    assert np.array(document["confusion"]).sum() == 8
    assert set(document["per_class"]) == set(document["labels"]) == {"low", "high"}
    assert document["command"] == "audioformer evaluate tones --dataset folder --checkpoint classifier --folds 1,2"
    assert main(shlex.split(evaluate)) == 0
    output = capsys.readouterr().out
    assert f"accuracy {document['metric']:.3f} on 8 clips (chance 0.500, 95 % interval" in output
    assert "true \\ given" in output


def test_evaluate_can_write_the_score_down(capsys, tmp_path):
    mine = shutil.copytree("classifier", tmp_path / "mine")
    evaluate = f"evaluate tones --dataset folder --checkpoint '{mine}' --codec codec --folds 2"
    document = result(capsys, f"{evaluate} --record 'tones, fold 2'")
    (score,) = json.loads((mine / "config.json").read_text())["scores"]
    assert score["value"] == document["metric"]
    assert score["command"] == "audioformer evaluate tones --dataset folder --checkpoint mine --folds 2"
    assert "tones, fold 2" in (mine / "README.md").read_text()


# synth, train-codec


def test_synth_writes_a_data_set_that_prepare_reads(capsys, tmp_path):
    synth = f"synth -o '{tmp_path / 's'}' --clips 3 --duration 0.5 --classes dog,rain"
    document = result(capsys, f"{synth} --seed 7")
    assert [document[key] for key in ("n_clips", "kind", "seed")] == [3, "scenes", 7]
    assert document["n_events"] >= 3
    assert set(document["clips_per_label"]) <= {"dog", "rain"}
    assert result(capsys, f"{synth} --seed 7") == document
    prepare = f"prepare '{tmp_path / 's'}' --dataset esc50 -o '{tmp_path / 'c'}' --codec codec"
    assert result(capsys, prepare)["clips"] == 3
    assert "other settings" in refusal(capsys, f"{synth} --seed 8")
    clips = f"synth -o '{tmp_path / 'ten'}' --clips 10 --kind clips --duration 0.3 --classes esc10"
    document = result(capsys, clips)
    assert (len(document["clips_per_label"]), document["n_events"]) == (10, 0)


def test_train_codec_makes_a_codec_that_encode_takes(capsys, tmp_path):
    train = f"train-codec tones -o '{tmp_path / 'tiny codec'}' --preset test --exclude 'low*'"
    document = result(capsys, f"{train} --set train.n_steps=2 --set codec.n_codebooks=2")
    assert [document[key] for key in ("name", "steps", "n_codebooks")] == ["tiny codec", 2, 2]
    assert document["hours_of_sound"] == pytest.approx(4 * 0.6 / 3600, abs=0.001)
    encode = f"encode {SOUND} -o '{tmp_path / 'c.safetensors'}' --codec '{tmp_path / 'tiny codec'}'"
    assert result(capsys, encode)["codec"] == "tiny codec"
    assert "n_steps" in refusal(capsys, f"{train} --set codec.n_codebooks=2")


# Ctrl-C


@pytest.mark.parametrize(
    "command",
    [
        "pretrain corpus --preset test --rows summed",
        "pretrain corpus --preset test",
        FINETUNE,
        "train-codec tones --preset test",
        f"{PREPARE} --shards 4",
        "synth --clips 4 --duration 0.2 --classes dog",
    ],
)
def test_ctrl_c_keeps_what_is_done_and_the_same_command_continues(capsys, tmp_path, monkeypatch, command):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main([*command.split(), "-o", str(whole)]) == 0
    capsys.readouterr()
    shown = []

    def show(_progress, text):  # Ctrl-C as the third line of progress is shown
        shown.append(text)
        if len(shown) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "show", show)
        assert main([*command.split(), "-o", str(parts)]) == 130
    output, errors = capsys.readouterr()
    assert (output, "Traceback" in errors) == ("", False)
    assert "the same command" in errors.splitlines()[-1]
    assert main([*command.split(), "-o", str(parts)]) == 0
    for path in sorted(whole.rglob("*")):
        part = parts / path.relative_to(whole)
        if path.suffix == ".ogg":  # every Ogg file has a serial number of its own
            np.testing.assert_array_equal(soundfile.read(part)[0], soundfile.read(path)[0])
        elif path.suffix in (".safetensors", ".arrow", ".csv"):
            assert part.read_bytes() == path.read_bytes(), path.name
    assert not list(parts.rglob(".writing-*"))


def test_a_real_ctrl_c_in_a_process_of_its_own(tmp_path):
    pretrain = "pretrain corpus --preset test --rows summed --set train.n_steps=1000000 -o".split()
    command = [sys.executable, "-m", "audioformer", *pretrain, str(tmp_path / "p")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if line.startswith("step"))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert (process.returncode, output, "Traceback" in errors) == (130, "", False)
    assert f"the state is saved in {tmp_path / 'p'}" in errors
    assert (tmp_path / "p" / "state.pt").is_file()


# several processes


@pytest.mark.slow
def test_two_processes_share_a_step_and_give_the_numbers_of_one(tmp_path):
    launch = "-m torch.distributed.run --standalone --nproc-per-node 2 -m audioformer".split()
    words = [*f"{FINETUNE} --method probe --json -o".split()]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, *words, str(tmp_path / "two")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 4
    assert main([*words, str(tmp_path / "one")]) == 0
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "two")]
    one, two = ([json.loads(line)["losses"]["mlc"] for line in lines] for lines in logs)
    assert two == pytest.approx(one, abs=1e-5)


# our bugs, missing packages, pipes


def test_a_bug_of_ours_is_told_shortly_and_in_full_on_request(capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr("audioformer.classify.load", broken)
    monkeypatch.delenv("AUDIOFORMER_TRACEBACK", raising=False)
    command = shlex.split(f"classify {SOUND} {CLASSIFIER}")
    assert main(command) == 1
    output, errors = capsys.readouterr()
    assert (output, len(errors.splitlines())) == ("", 1)
    assert "RuntimeError: boom" in errors
    monkeypatch.setenv("AUDIOFORMER_TRACEBACK", "1")
    assert main(command) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_extra_is_named_with_the_command_that_installs_it(capsys, monkeypatch, out):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    line = refusal(capsys, f"pretrain corpus --preset test --rows summed -o {out}")
    assert 'pip install "audioformer[train]"' in line


def test_too_little_memory_is_told_as_such(capsys, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr("audioformer.classify.load", greedy)
    assert "not enough memory" in refusal(capsys, f"classify {SOUND} {CLASSIFIER}")


def test_a_reader_that_leaves_early_is_no_error():
    command = [sys.executable, "-m", "audioformer", "info", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (errors, process.returncode) == ("", 0)


def test_the_installed_command_works_with_any_encoding_of_the_terminal(tmp_path):
    shutil.copy("tones/low 0.wav", tmp_path / "süß ☂.wav")
    command = [sys.executable, "-m", "audioformer", "classify", str(tmp_path / "süß ☂.wav"), *CLASSIFIER.split()]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("%") == 2


# app and lab


def test_the_app_refuses_a_port_that_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} cannot be used" in refusal(capsys, f"app --port {port}")


def test_lab_opens_the_notebooks_offline(tmp_path):
    assert not any("default_url" in word for word in lab_command(tmp_path, 8899, browser=False))
    (tmp_path / "index.ipynb").touch()
    command = lab_command(tmp_path, 8899, browser=False)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    expected = {f"--notebook-dir={tmp_path}", "--port=8899", "--no-browser", "--LabApp.news_url=None"}
    expected |= {"--LabApp.default_url=/lab/tree/index.ipynb", "--LabApp.extension_manager=readonly"}
    assert expected <= set(command)
    assert any("NeverCheckForUpdate" in word for word in command)


@pytest.mark.slow
def test_lab_starts_and_ends_with_its_process(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}
    home = {"HOME": str(tmp_path), **{name: str(tmp_path / folder) for name, folder in folders.items()}}
    command = [sys.executable, "-m", "audioformer", "lab", "--no-browser", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, **home}, **pipes) as process:
        address = next((line for line in process.stderr if f"http://127.0.0.1:{port}/lab" in line), None)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert address
    assert output == ""


@pytest.mark.parametrize("clone", [False, True])
def test_lab_opens_a_copy_that_keeps_what_a_learner_wrote(tmp_path, monkeypatch, clone):
    """A clone's own notebooks are tracked by git: written into, they fail the tests and stand in the way of a pull."""
    package = tmp_path / "site" / "audioformer"
    source = package.parent / "notebooks" if clone else package / "notebooks"
    package.mkdir(parents=True)
    for name in ("01.ipynb", "02.ipynb", "solutions/01.ipynb", "src/01.py", "build.py", "INSTRUCTOR.md"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(f"{name}, as it came")
    monkeypatch.setattr(files, "PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    folder = lab_folder()
    assert folder == (tmp_path / "site" if clone else tmp_path) / "audioformer-notebooks"
    copied = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert copied == [".copied.json", "01.ipynb", "02.ipynb", "solutions/01.ipynb"]
    (folder / "01.ipynb").write_text("my answers")
    for name in ("01.ipynb", "02.ipynb"):
        (source / name).write_text(f"{name}, newer")
    assert lab_folder() == folder
    assert (folder / "01.ipynb").read_text() == "my answers"
    assert (folder / "02.ipynb").read_text() == "02.ipynb, newer"
    assert (source / "01.ipynb").read_text() == "01.ipynb, newer"
