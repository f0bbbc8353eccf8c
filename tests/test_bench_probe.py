"""`bench probe` and `bench adapt`: folds as published, nothing computed twice, a table and a figure of what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import codec_about, tiny_codec, tone, tone_folder

from audioformer.audio import save_audio
from audioformer.checkpoint import save_checkpoint
from audioformer.classify import load
from audioformer.cli import main
from audioformer.codecs import load_codec
from audioformer.codecs.compact import save_compact
from audioformer.data.augment import AugmentConfig
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import AudioDataset, Clip, open_dataset
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import clip_features
from audioformer.evaluation.benches.adapt import RATES, AdaptBench, run_cells
from audioformer.evaluation.benches.cells import remembered, shipped, spread
from audioformer.evaluation.benches.probe import ProbeData, folds_of
from audioformer.evaluation.benches.vectors import ClipVectors, dataset_vectors, speeds
from audioformer.hear import summarise
from audioformer.model import AudioFormer
from audioformer.plots.probes import adaptations, probes
from audioformer.recipes import ADAPTATIONS, FINETUNE_PRESETS, preset


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Tones in two folds, and a small codec."""
    root = tmp_path_factory.mktemp("probe")
    tone_folder(root / "tones", n=16, duration_s=0.3, folds=2)
    save_compact(tiny_codec(), root / "codec")
    return root


def command(home: Path, output: str, *more: str) -> list[str]:
    features = f"statistics,log-mel,codec:{home / 'codec'},codes:{home / 'codec'}:rows=1"
    return [
        "bench",
        "probe",
        "--folder",
        str(home / "tones"),
        "-o",
        str(home / output),
        "--features",
        features,
        "--seeds",
        "2",
        *more,
    ]


def run(words: list[str], capsys) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_holds_every_feature_with_every_probe(home, capsys):
    document = run(command(home, "out", "--probes", "linear,svm"), capsys)
    assert document["name"] == "probe"
    assert len(document["rows"]) == 4 * 2
    first = {(row["features"], row["probe"]): row for row in document["rows"]}
    row = first["log-mel", "linear"]
    assert row["ours"] == pytest.approx(np.mean(list(row["folds"].values())))
    assert row["ours"] > 0.9  # high and low tones
    assert (row["unit"], row["chance"], row["n_folds"], row["n_seeds"]) == ("accuracy", 0.5, 2, 2)
    assert (row["n_features"], row["n_parameters"], row["probe_parameters"]) == (128, 0, 2 * 128 + 2)
    assert row["peer"] == first["statistics", "svm"]["ours"]
    assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    assert all(r["speed"] > 0 and r["speed_ratio"] > 0 for r in document["rows"])
    text = (home / "out" / "results.md").read_text()
    assert "chance 0.500" in text
    assert "| `log-mel` | 128 | 0 |" in text
    assert json.loads((home / "out" / "results.json").read_text())["rows"][0]["case"] == "folder: statistics, linear"
    assert "plotly" in (home / "out" / "results.html").read_text()[:100_000]


def test_the_best_layer_of_a_checkpoint_is_read(home, capsys):
    torch.manual_seed(0)
    about = {
        "kind": "pretrained",
        "model": preset("test", codebook_size=16, n_codebooks=3, rows="summed").to_dict(),
        "codec": codec_about(load_codec(str(home / "codec"))) | {"name": str(home / "codec")},
        "recipe": {"crop_s": 0.2},
    }
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows="summed"))
    save_checkpoint(home / "checkpoint", model.state_dict(), about, "a card")
    vectors = ClipVectors(f"{home / 'checkpoint'}:layer=best")
    sound = tone(440, 0.3)[0]
    every = vectors(sound, 24_000)
    assert every.shape == (3, 64)
    for layer in range(3):
        np.testing.assert_allclose(
            every[layer], ClipVectors(f"{home / 'checkpoint'}:layer={layer}")(sound, 24_000), atol=1e-5
        )
    words = command(home, "best", "--probes", "linear", "--no-speed")
    words[words.index("--features") + 1] = f"statistics,{home / 'checkpoint'}:layer=best"
    assert [row["n_features"] for row in run(words, capsys)["rows"]] == [338, 64]
    save_checkpoint(home / "named", model.state_dict(), about | {"layer": 1}, "a card")
    np.testing.assert_allclose(ClipVectors(str(home / "named"))(sound, 24_000), every[1], atol=1e-5)
    with pytest.raises(AudioformerError, match="layers are chosen of a checkpoint"):
        ClipVectors("log-mel:layer=best")


def test_nothing_is_computed_twice(home, capsys):
    words = command(home, "twice", "--probes", "knn", "--no-speed")
    first = run(words, capsys)
    written = {
        path: path.stat().st_mtime_ns
        for path in (home / "twice").rglob("*.*")
        if path.parent.name in ("vectors", "cells")
    }
    assert len([path for path in written if path.parent.name == "vectors"]) == 4
    assert len([path for path in written if path.parent.name == "cells"]) == 4 * 2 * 2
    assert run(words, capsys) == first
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert first["rows"][0]["speed"] is None


def test_vectors_follow_the_sounds_and_the_model(home, tmp_path):
    root = tone_folder(tmp_path / "tones", n=4, duration_s=0.2)
    model, asked = ClipVectors("log-mel"), []
    vectors = dataset_vectors(
        model, open_dataset("folder", root), tmp_path / "kept", lambda done, _: asked.append(done)
    )
    again = dataset_vectors(model, open_dataset("folder", root), tmp_path / "kept", lambda done, _: asked.append(done))
    assert asked == [1, 2, 3, 4]
    assert np.array_equal(vectors, again)
    clip = open_dataset("folder", root)[0]
    expected = summarise(model.encoder(clip.load(mono=True).samples))[0]
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-5)
    save_audio(clip.path, tone(3000, 0.25), 24_000)
    changed = dataset_vectors(model, open_dataset("folder", root), tmp_path / "kept")
    assert not np.allclose(changed[0], vectors[0])
    for path in (tmp_path / "kept").iterdir():
        path.write_bytes(b"broken")
    assert np.array_equal(dataset_vectors(model, open_dataset("folder", root), tmp_path / "kept"), changed)
    save_compact(tiny_codec(seed=5), tmp_path / "codec")
    assert ClipVectors(f"codec:{tmp_path / 'codec'}").identity != ClipVectors(f"codec:{home / 'codec'}").identity


def test_statistics_are_the_baselines(home):
    clip = open_dataset("folder", home / "tones")[0].load(mono=True)
    found = ClipVectors("statistics")(clip.samples[0], clip.sample_rate)
    np.testing.assert_allclose(found, clip_features(clip.samples[0], clip.sample_rate), rtol=1e-5)


def test_speed_is_sound_per_time(home):
    fast = speeds(
        [ClipVectors("log-mel"), ClipVectors(f"codec:{home / 'codec'}")],
        open_dataset("folder", home / "tones").clips[:3],
    )
    assert len(fast) == 2
    assert min(fast) > 1


def dataset(*clips: Clip) -> AudioDataset:
    return AudioDataset("made", Path(), clips, ("a", "b"))


def test_published_folds_are_held_out_one_by_one_and_the_official_test_set_stays_out():
    clips = [Clip(str(i), Path(), ("a",), fold=1 + i % 3, split="test" if i >= 9 else "train") for i in range(12)] + [
        Clip("x", Path())
    ]
    folds = folds_of(dataset(*clips), [clip.id for clip in clips])
    assert [name for name, _, _ in folds] == ["1", "2", "3"]
    for k, (_, train, test) in enumerate(folds):
        assert test.tolist() == [k, k + 3, k + 6]
        assert sorted([*train, *test]) == list(range(9))


def test_without_folds_the_test_split_is_held_out():
    clips = [Clip(str(i), Path(), ("a",), split="test" if i < 2 else "train") for i in range(6)]
    [(name, train, test)] = folds_of(dataset(*clips), [clip.id for clip in clips])
    assert (name, train.tolist(), test.tolist()) == ("test", [2, 3, 4, 5], [0, 1])


def test_without_folds_and_splits_whole_sources_are_held_out():
    groups = [f"g{i // 2}" for i in range(20)]
    folds = folds_of(dataset(*(Clip(str(i), Path(), ("a",)) for i in range(20))), groups)
    assert sorted(i for _, _, test in folds for i in test) == list(range(20))
    assert len(folds) == 5
    for _, train, test in folds:
        assert len(test) == 4
        assert not {groups[i] for i in train} & {groups[i] for i in test}


def test_several_labels_a_clip_are_scored_by_map(tmp_path):
    tone_folder(tmp_path, n=4, duration_s=0.1)
    table = tmp_path / "clips.csv"
    table.write_text(table.read_text().replace(",low,", ",low;high,"))
    data = ProbeData.open("folder", tmp_path)
    assert data.metric == "mAP"
    assert data.targets.sum(1).tolist() == [2, 1, 2, 1]
    assert data.chance() == pytest.approx(0.75)  # each fold: one class always there, one in half of the clips
    with pytest.raises(AudioformerError, match="no fold among .9."):
        ProbeData.open("folder", tmp_path, only=[9])


def test_a_damaged_record_is_measured_again(tmp_path):
    path = tmp_path / "cells" / "a.json"
    assert remembered(path, lambda: {"score": 1}) == {"score": 1}
    assert remembered(path, lambda: {"score": 2}) == {"score": 1}
    path.write_text("{")
    assert remembered(path, lambda: {"score": 3}) == {"score": 3}


def test_spreads_are_over_seeds_and_over_folds():
    found = spread({(1, 0): 0.4, (2, 0): 0.6, (1, 1): 0.6, (2, 1): 0.8})
    assert found["seed_std"] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert found["fold_std"] == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert spread({(1, 0): 0.4})["seed_std"] is None


def test_the_figures_say_what_they_show(home, capsys):
    rows = run(command(home, "out", "--probes", "linear,svm"), capsys)["rows"]
    figure = probes(rows, theme="dark")
    assert [trace.name for trace in figure.data] == ["linear", "svm"]
    assert list(figure.data[0].x) == [row["ours"] for row in rows if row["probe"] == "linear"]
    assert "best 1.00" in figure.layout.meta["alt"]
    assert "Accuracy" in figure.layout.xaxis.title.text
    with pytest.raises(AudioformerError, match="no rows"):
        probes([])
    with pytest.raises(AudioformerError, match="no rows"):
        adaptations([])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "x"], "nothing to measure on"),
        (["-o", "x", "--folder", "nowhere"], "no such folder"),
        (["-o", "x", "--folder", "{home}/tones", "--probes", "liner"], "nearest: linear"),
        (["-o", "x", "--folder", "{home}/tones", "--features", "nothing"], "neither a folder nor bundled"),
    ],
)
def test_what_cannot_be_measured_is_refused(home, capsys, words, message):
    assert main(["bench", "probe", *(word.format(home=home) for word in words)]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def corpus(home) -> Path:
    """The tones as codes, and a pre-trained model for them."""
    codec = load_codec(home / "codec")
    list(prepare(open_dataset("folder", home / "tones"), codec, home / "codes"))
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows="summed"))
    about = {"kind": "pretrained", "model": model.config.to_dict(), "codec": codec_about(codec)}
    save_checkpoint(home / "pretrained", model.state_dict(), about, "")
    return home / "codes"


def test_every_way_to_adapt_is_measured_beside_full_fine_tuning(home, corpus, capsys):
    words = [
        "bench",
        "adapt",
        str(corpus),
        "--from",
        str(home / "pretrained"),
        "-o",
        str(home / "adapt"),
        "--preset",
        "test",
        "--set",
        "train.n_steps=2",
        "--folds",
        "1",
        "--per-class",
        "3",
    ]
    document = run(words, capsys)
    rows = {row["case"]: row for row in document["rows"]}
    assert list(rows) == list(ADAPTATIONS)
    assert (
        rows["linear"]["trainable"] < rows["bias"]["trainable"] < rows["lora"]["trainable"] < rows["full"]["trainable"]
    )
    assert all(row["peer"] == rows["full"]["ours"] for row in rows.values())
    assert all(row["n_train"] == 6 and row["chance"] == 0.5 for row in rows.values())
    written = {path: path.stat().st_mtime_ns for path in (home / "adapt" / "cells").iterdir()}
    assert len(written) == len(ADAPTATIONS)
    record = json.loads(next(iter(written)).read_text())
    assert len(record["tried"]) == 3
    assert run(words, capsys) == document
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert "| lora |" in (home / "adapt" / "results.md").read_text()
    figure = adaptations(document["rows"])
    assert list(figure.data[0].x) == [row["trainable"] for row in document["rows"]]
    assert "chance 0.50" in figure.layout.meta["alt"]


def mixing_bench(home: Path, folder: str, change: Callable = lambda data: data, **options) -> AdaptBench:
    """The tones in four codings, most of them mixtures with other tones."""
    from audioformer.pretrain import load_pretrained

    config = {"variants": 4, "augment": AugmentConfig(mixup_chance=0.9)} | options
    list(prepare(change(open_dataset("folder", home / "tones")), load_codec(home / "codec"), home / folder, **config))
    recipe = FINETUNE_PRESETS["test"]
    recipe = replace(recipe, train=replace(recipe.train, n_steps=1))
    return AdaptBench(Corpus.open(home / folder), load_pretrained(home / "pretrained")[0], "start", recipe, per_class=3)


def test_nothing_learns_from_a_mixture_with_clips_that_are_not_to_be_learned_from(home, corpus, monkeypatch):  # noqa: ARG001
    bench, asked = mixing_bench(home, "mixed"), []

    def learn(*given) -> dict:
        asked.append(given[-2:])
        return {"score": given[2]}

    monkeypatch.setattr(AdaptBench, "_learn", learn)
    record = bench.measure({"adaptation": "bias", "fold": 1, "seed": 0})
    assert record["rate"] == max(RATES["bias"])
    *tried, (rest, _) = asked
    for clips, test in [*tried, (rest, tried[0][1])]:
        assert 0 < (clips.column("partner") != "").sum() < (clips.column("variant") > 0).sum()
        assert set(clips.column("partner")) <= set(clips.column("id")) | {""}
        assert clips is rest or not set(clips.column("group")) & set(test.column("group"))
    assert len(set(rest.column("id"))) == 6
    assert record["n_train"] == len(rest) < 6 * 4


def test_the_official_test_set_has_no_part_in_the_comparison_of_adaptations(home, corpus):  # noqa: ARG001
    def change(data: AudioDataset) -> AudioDataset:
        places = [{"fold": None, "split": "test"}, {"split": "test"}, *[{"split": "train"}] * 14]
        return replace(data, clips=tuple(replace(clip, **place) for clip, place in zip(data, places, strict=True)))

    bench = mixing_bench(home, "with-test", change, variants=1, augment=None)
    assert len(bench.corpus) == 14
    assert bench.folds == [1, 2]
    assert set(bench.corpus.column("split")) == {"train"}


def test_results_of_another_corpus_of_the_same_size_are_not_taken_up(home, corpus, tmp_path):  # noqa: ARG001
    bench, other = mixing_bench(home, "mixed"), mixing_bench(home, "mixed otherwise", seed=1)
    assert len(bench.corpus) == len(other.corpus)

    def cells(one: AdaptBench) -> int:
        list(run_cells(one, ["linear"], [1], [0], tmp_path, str))
        return len(list((tmp_path / "cells").iterdir()))

    assert [cells(bench), cells(bench), cells(other)] == [1, 1, 2]


def test_finetune_takes_the_name_of_an_adaptation(home, corpus, capsys):
    words = ["finetune", str(corpus), "--from", str(home / "pretrained"), "--preset", "test", "-o", str(home / "lora")]
    document = run([*words, "--adapt", "lora", "--set", "adapt.rank=3", "--set", "train.n_steps=1"], capsys)
    assert (document["adapt"]["name"], document["adapt"]["rank"]) == ("lora", 3)
    assert document["adapt"]["trainable"] < document["adapt"]["parameters"] / 2
    run(
        [
            *words[:-1],
            str(home / "adapter"),
            "--adapt",
            "adapter",
            "--set",
            "adapt.width=5",
            "--set",
            "train.n_steps=1",
        ],
        capsys,
    )
    on = [
        "finetune",
        str(corpus),
        "--from",
        str(home / "adapter"),
        "--preset",
        "test",
        "-o",
        str(home / "on"),
        "--set",
        "train.n_steps=1",
    ]
    assert main([*on, "--adapt", "adapter"]) == 2
    assert "adapters of width 5 already" in capsys.readouterr().err
    document = run(on, capsys)
    assert (document["adapt"]["name"], document["adapt"]["width"], document["adapt"]["encoders"]) == ("full", 5, [0])
    assert load(home / "on", codec=load_codec(home / "codec")).label_names == ["high", "low"]
    for probing in (["--method", "probe"], ["--preset", "probe"]):
        assert main([*words, *probing, "--adapt", "lora"]) == 2
        assert "goes with ft1 or ft2" in capsys.readouterr().err
    assert main(["finetune", str(corpus), "--from", "none", "--adapt", "bias", "-o", str(home / "no")]) == 2
    assert "needs a pre-trained model to adapt" in capsys.readouterr().err


def test_the_results_that_ship_are_whole():
    rows = shipped("probe")["rows"]
    assert {row["data"] for row in rows} == {"esc10", "digits", "scenes"}
    assert all(row["ours"] == pytest.approx(np.mean(list(row["folds"].values())), abs=2e-4) for row in rows)
    assert all(row["n_seeds"] == (1 if row["probe"] == "mlp" and row["data"] != "esc10" else 3) for row in rows)
    assert "best" in probes(rows).layout.meta["alt"]
    with pytest.raises(AudioformerError, match="there are: .*probe"):
        shipped("moon")


def test_the_comparison_of_adaptations_that_ships_is_whole():
    rows = shipped("adapt")["rows"]
    assert [row["case"] for row in rows] == list(ADAPTATIONS)
    assert all(
        row["ours"] == pytest.approx(np.mean(list(row["folds"].values())), abs=2e-4) and row["n_folds"] >= 3
        for row in rows
    )
    learned = {row["case"]: row["trainable"] for row in rows}
    assert learned["linear"] < learned["bias"] < learned["lora"] < learned["full"] == rows[-1]["parameters"]
    assert "chance 0.10" in adaptations(rows).layout.meta["alt"]
