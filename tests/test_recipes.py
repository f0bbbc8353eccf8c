"""The authors' recipes on tiny made-up copies of the published layouts; validation clips decide."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from test_datasets import audioset, fsd50k, sound
from tiny import tiny_codec, tone_folder

import audioformer as af
from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.finetune import FineTuning
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import finetune_preset, preset, pretrain_preset
from audioformer.train import train


def audioset_whole(root):
    """With the video that is gone in the other tests: its checksum makes it a validation clip."""
    sound(root / "audio" / "bal_train" / "_gone_video.wav")
    return audioset(root)


RECIPES = {
    "paper-as20k": ("audioset", audioset_whole, {"validation_share": 0.5}),
    "paper-fsd50k": ("fsd50k", fsd50k, {}),
}


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request, tmp_path_factory):
    """Name of the recipe and the corpus of its data set."""
    layout, make, options = RECIPES[request.param]
    root = tmp_path_factory.mktemp(layout)
    list(prepare(open_dataset(layout, make(root), **options), tiny_codec(), root / "corpus"))
    return request.param, Corpus.open(root / "corpus")


def test_recipes_are_those_of_the_authors(recipe):
    config, steps = finetune_preset(recipe[0]), finetune_preset(recipe[0]).train
    assert (config.crop_s, steps.learning_rate, steps.batch_size, steps.patience) == (10.0, 1e-4, 16, 3)
    assert steps.schedule == "constant"
    assert config.token_mask == (0.1 if recipe[0] == "paper-fsd50k" else 0.0)
    assert config.token_span == 1
    clips = 4 * 36_796 if recipe[0] == "paper-fsd50k" else 10 * 20_550
    assert steps.n_steps * 16 == pytest.approx(clips, rel=1e-3)
    paper = pretrain_preset("paper")
    assert (paper.crop_s, paper.mask.mask_ratio) == (10.0, 0.25)
    assert (paper.train.batch_size, paper.train.learning_rate) == (66, 1e-4)
    assert paper.train.n_steps * 66 == pytest.approx(12 * 1_932_574, rel=2e-3)
    assert (paper.model.rows, paper.mask.span, paper.mask.replace_mask) == ("separate", 1, 1.0)


def test_both_runs_of_ft2_are_those_of_the_authors():
    first, again = finetune_preset("paper-as20k-ft2"), finetune_preset("paper-as20k-ft2-again")
    assert (first.method, first.alpha, first.temperature, first.train.learning_rate) == ("ft2", 0.8, 0.05, 1e-4)
    assert (again.method, again.alpha, again.temperature, again.train.learning_rate) == ("ft2", 0.97, 0.03, 1e-5)
    assert first.train == finetune_preset("paper-as20k").train


@pytest.mark.parametrize("method", ["ft1", "ft2"])
def test_a_recipe_runs_on_its_layout_and_never_sees_the_evaluation_set(recipe, method):
    name, corpus = recipe
    parts = {split: corpus.select(split=split) for split in ("train", "val", "test")}
    ids = {split: set(part.column("id").tolist()) for split, part in parts.items()}
    assert not ids["train"] & ids["val"]
    assert not (ids["train"] | ids["val"]) & ids["test"]
    config = finetune_preset(name)
    config = replace(config, method=method, train=replace(config.train, n_steps=4, batch_size=2, validate_every=2))
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3))
    task = FineTuning(
        config, model, parts["train"], corpus.label_names, corpus.multi_label, corpus.codec, held_out=parts["val"]
    )
    seen = {item.id for step in range(4) for item in task.sampler.draw(step)[0]}
    assert seen <= ids["train"]
    records = list(train(task, config.train))
    assert [record.step for record in records if record.validation] == [2, 4]
    assert 0 <= records[-1].validation["mAP"] <= 1
    assert {"mAP", "mAUC", "d_prime"} <= set(task.measure(parts["test"]))


def test_pretraining_runs_on_both_layouts_together_with_evaluation_sound_left_out(recipe):
    _, corpus = recipe
    paper = pretrain_preset("paper")
    config = replace(
        paper,
        model=preset("test", codebook_size=16, n_codebooks=2),
        train=replace(paper.train, n_steps=2, batch_size=2, bf16=False),
    )
    task = MaskedModelling(config, corpus.select(split=["train", "val"]), corpus.codec, rows=[0])
    assert [record.step for record in train(task, config.train)] == [1, 2]
    assert "test" not in {item.split for item in task.sampler.clips}


SMALL = (
    "--set model.d_model=32 --set model.n_layers=1 --set model.n_heads=2 --set model.d_ff=64 "
    "--set train.n_steps=2 --set train.batch_size=2 --set train.bf16=false"
)
TWO_STEPS = "--set train.n_steps=2 --set train.batch_size=2"
SHORT = f"{TWO_STEPS} --set train.validate_every=1"


def test_from_the_published_folders_to_the_evaluation_set_on_the_command_line(tmp_path, capsys, monkeypatch):
    """AudioSet, then on to FSD50K, as the authors do; no command but the last ones reads what is evaluated."""
    audioset(tmp_path / "AudioSet")
    with (tmp_path / "AudioSet" / "balanced_train_segments.csv").open("a") as table:
        # its checksum makes it one of the 5 % that are set aside
        table.write('val_video04, 0.000, 10.000, "/m/09x0r"\n')
    sound(tmp_path / "AudioSet" / "audio" / "val_video04.wav")
    fsd50k(tmp_path / "FSD50K")
    save_compact(tiny_codec(), tmp_path / "codec")
    monkeypatch.chdir(tmp_path)

    def run(command: str) -> tuple[dict, str]:
        assert main([*command.split(), "--json"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), err

    run("prepare AudioSet --dataset audioset --codec codec -o codes")
    run("prepare AudioSet --dataset audioset --option parts=balanced,eval --codec codec -o as20k")
    run("prepare FSD50K --dataset fsd50k --codec codec -o fsd")
    document, err = run(f"pretrain codes --preset paper {SMALL} -o rows")
    assert "audioset: 1 coded clips of the split test are left out" in err
    assert document["n_clips"] == 4
    steps = [("rows", "paper-as20k"), ("rows", "paper-as20k-ft2"), ("paper-as20k-ft2", "paper-as20k-ft2-again")]
    for start, name in steps:
        document, err = run(f"finetune as20k --from {start} --preset {name} {SHORT} --held-out-split val -o {name}")
        assert (document["method"], document["n_held_out"]) == ("ft2" if "ft2" in name else "ft1", 1)
        assert "mAP" in document["validation"]
        assert "none are held out" not in err
    run(f"finetune fsd --from paper-as20k --preset paper-fsd50k {SHORT} --held-out-split val -o classifier")
    for root, data, checkpoint in (("AudioSet", "audioset", "paper-as20k"), ("FSD50K", "fsd50k", "classifier")):
        command = f"evaluate {root} --dataset {data} --option parts=eval --checkpoint {checkpoint} --codec codec"
        document, _ = run(command)
        assert (document["metric_name"], document["n"]) == ("mAP", 1)
        assert {"mAUC", "d_prime"} <= set(document)
    _, err = run(f"finetune as20k --from rows --preset paper-as20k {TWO_STEPS} -o unwatched")
    assert "it runs to the end; see --held-out-split val" in err
    run(f"pretrain codes --split test --preset paper {SMALL} --codebooks 1 -o named")
    run("prepare AudioSet --dataset audioset --option parts=eval --codec codec -o eval")
    assert main(f"pretrain eval --preset paper {SMALL} -o none".split()) == 2
    assert "all clips chosen are of the split test; --split test trains on them" in capsys.readouterr().err


def test_the_names_of_the_package_lead_from_a_folder_to_a_classifier(tmp_path):
    """What `help(audioformer)` promises to those who train their own."""
    assert all(getattr(af, name).__doc__ for name in af.__all__ if name != "__version__")
    sounds = af.open_dataset("folder", tone_folder(tmp_path / "tones", n=8))
    list(prepare(sounds, tiny_codec(), tmp_path / "codes"))
    corpus, recipe = af.Corpus.open(tmp_path / "codes"), af.pretrain_preset("test")
    recipe = replace(recipe, model=replace(recipe.model, codebook_size=16))
    learned = [
        record.losses["mlm"]
        for record in train(af.MaskedModelling(recipe, corpus, corpus.codec), recipe.train, tmp_path / "pre")
    ]
    assert len(learned) == recipe.train.n_steps
    model, _ = af.load_pretrained(tmp_path / "pre", expect=corpus.codec)
    config = af.finetune_preset("test")
    task = af.FineTuning(
        config, model, corpus.select(folds=1), corpus.label_names, False, corpus.codec, corpus.select(folds=2)
    )
    assert len(list(train(task, config.train, tmp_path / "classifier"))) == config.train.n_steps
    assert af.load(tmp_path / "classifier", codec=tiny_codec()).classify(sounds[0].path).labels[0] in ("low", "high")
