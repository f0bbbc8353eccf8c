"""`bench probe` and `bench adapt`: folds as published, nothing computed twice, a table and a figure."""

from __future__ import annotations

import json
import shlex
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
from audioformer.codecs.compact_files import save_compact
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
    """Tones in two folds, a small codec, the tones as codes, and a pre-trained model for them."""
    root = tmp_path_factory.mktemp("probe")
    tone_folder(root / "tones", n=16, duration_s=0.3, folds=2)
    save_compact(tiny_codec(), root / "codec")
    codec = load_codec(root / "codec")
    list(prepare(open_dataset("folder", root / "tones"), codec, root / "codes"))
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3, rows="summed"))
    about = {"kind": "pretrained", "model": model.config.to_dict(), "codec": codec_about(codec)}
    save_checkpoint(root / "pretrained", model.state_dict(), about, "")
    return root


@pytest.fixture(autouse=True)
def _at_home(home, monkeypatch) -> None:
    monkeypatch.chdir(home)


PROBE = "bench probe --folder tones --features statistics,log-mel,codec:./codec,codes:./codec:rows=1 --seeds 2"


def run(command: str, capsys) -> dict:
    assert main([*shlex.split(command), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def times(folder: Path) -> dict[Path, int]:
    """When each vector and result was written."""
    written = [path for name in ("vectors", "cells") for path in (folder / name).glob("*")]
    return {path: path.stat().st_mtime_ns for path in written}


def test_the_table_holds_every_feature_with_every_probe_and_the_figure_shows_it(home, capsys):
    document = run(f"{PROBE} -o out --probes linear,svm", capsys)
    rows = {(row["features"], row["probe"]): row for row in document["rows"]}
    assert len(rows) == len(document["rows"]) == 4 * 2
    row = rows["log-mel", "linear"]
    assert row["ours"] == 1.0
    assert [row[key] for key in ("unit", "chance", "n_folds", "n_seeds")] == ["accuracy", 0.5, 2, 2]
    assert (row["n_features"], row["n_parameters"], row["probe_parameters"]) == (192, 0, 2 * 192 + 2)
    assert row["peer"] == rows["statistics", "svm"]["ours"]
    assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    assert all(r["speed"] > 0 and r["speed_ratio"] > 0 for r in document["rows"])
    text = (home / "out" / "results.md").read_text()
    assert "chance 0.500" in text
    assert "| `log-mel` | 192 | 0 |" in text
    assert json.loads((home / "out" / "results.json").read_text()) == document
    assert "plotly" in (home / "out" / "results.html").read_text()[:100_000]
    figure = probes(document["rows"], theme="dark")
    assert [trace.name for trace in figure.data] == ["linear", "svm"]
    assert list(figure.data[0].x) == [row["ours"] for row in document["rows"] if row["probe"] == "linear"]
    assert "best 1.00" in figure.layout.meta["alt"]


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
    assert every.shape == (3, 96)
    for layer in range(3):
        np.testing.assert_allclose(
            every[layer], ClipVectors(f"{home / 'checkpoint'}:layer={layer}")(sound, 24_000), atol=1e-5
        )
    command = PROBE.replace(PROBE.split()[5], "statistics,./checkpoint:layer=best")
    rows = run(f"{command} -o best --probes linear --no-speed", capsys)["rows"]
    assert [row["n_features"] for row in rows] == [338, 96]
    assert rows[0]["layer"] is None
    assert rows[1]["layer"] in range(3)
    save_checkpoint(home / "named", model.state_dict(), about | {"layer": 1}, "a card")
    np.testing.assert_allclose(ClipVectors(str(home / "named"))(sound, 24_000), every[1], atol=1e-5)
    with pytest.raises(AudioformerError, match="layers are chosen of a checkpoint"):
        ClipVectors("log-mel:layer=best")


def test_nothing_is_computed_twice(home, capsys):
    command = f"{PROBE} -o twice --probes knn --no-speed"
    first = run(command, capsys)
    written = times(home / "twice")
    assert len(written) == 4 + 4 * 2 * 2
    assert run(command, capsys) == first
    assert times(home / "twice") == written
    assert first["rows"][0]["speed"] is None


def test_vectors_follow_the_sounds_and_the_model(home, tmp_path):
    root = tone_folder(tmp_path / "tones", n=4, duration_s=0.2)
    model, done = ClipVectors("log-mel"), []

    def read() -> np.ndarray:
        return dataset_vectors(model, open_dataset("folder", root), tmp_path / "vectors", lambda n, _: done.append(n))

    vectors = read()
    assert np.array_equal(vectors, read())
    assert done == [1, 2, 3, 4]
    clip = open_dataset("folder", root)[0]
    expected = summarise(model.encoder(clip.load(mono=True).samples))[0]
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-5)
    save_audio(clip.path, tone(3000, 0.25), 24_000)
    changed = read()
    assert not np.allclose(changed[0], vectors[0])
    for path in (tmp_path / "vectors").iterdir():
        path.write_bytes(b"broken")
    assert np.array_equal(read(), changed)
    save_compact(tiny_codec(seed=5), tmp_path / "codec")
    assert ClipVectors(f"codec:{tmp_path / 'codec'}").identity != ClipVectors(f"codec:{home / 'codec'}").identity


def test_statistics_are_the_baselines():
    clip = open_dataset("folder", "tones")[0].load(mono=True)
    found = ClipVectors("statistics")(clip.samples[0], clip.sample_rate)
    np.testing.assert_allclose(found, clip_features(clip.samples[0], clip.sample_rate), rtol=1e-5)


def test_speed_is_sound_per_time():
    models = [ClipVectors("log-mel"), ClipVectors("codec:./codec")]
    assert min(speeds(models, open_dataset("folder", "tones").clips[:3])) > 1


def folds(clips: list[Clip], groups: list[str] | None = None) -> list:
    return folds_of(AudioDataset("made", Path(), tuple(clips), ("a", "b")), groups or [clip.id for clip in clips])


def test_published_folds_are_held_out_one_by_one_and_the_official_test_set_stays_out():
    clips = [Clip(str(i), Path(), ("a",), fold=1 + i % 3, split="test" if i >= 9 else "train") for i in range(12)]
    found = folds([*clips, Clip("x", Path())])
    assert [name for name, _, _ in found] == ["1", "2", "3"]
    for k, (_, train, test) in enumerate(found):
        assert test.tolist() == [k, k + 3, k + 6]
        assert sorted([*train, *test]) == list(range(9))


def test_without_folds_the_test_split_or_whole_sources_are_held_out():
    clips = [Clip(str(i), Path(), ("a",), split="test" if i < 2 else "train") for i in range(6)]
    [(name, train, test)] = folds(clips)
    assert (name, train.tolist(), test.tolist()) == ("test", [2, 3, 4, 5], [0, 1])
    groups = [f"g{i // 2}" for i in range(20)]
    found = folds([Clip(str(i), Path(), ("a",)) for i in range(20)], groups)
    assert sorted(i for _, _, test in found for i in test) == list(range(20))
    assert len(found) == 5
    assert not any({groups[i] for i in train} & {groups[i] for i in test} for _, train, test in found)


def test_several_labels_a_clip_are_scored_by_map(tmp_path):
    tone_folder(tmp_path, n=4, duration_s=0.1)
    table = tmp_path / "clips.csv"
    table.write_text(table.read_text().replace(",low,", ",low;high,"))
    data = ProbeData.open("folder", tmp_path)
    assert (data.metric, data.targets.sum(1).tolist()) == ("mAP", [2, 1, 2, 1])
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


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("", "nothing to measure on"),
        ("--folder nowhere", "no such folder"),
        ("--folder tones --probes liner", "nearest: linear"),
        ("--folder tones --features nothing", "neither a folder nor bundled"),
    ],
)
def test_what_cannot_be_measured_is_refused(capsys, options, word):
    assert main(["bench", "probe", "-o", "x", *options.split()]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("draw", [probes, adaptations])
def test_no_rows_are_no_figure(draw):
    with pytest.raises(AudioformerError, match="no rows"):
        draw([])


def test_every_way_to_adapt_is_measured_beside_full_fine_tuning(home, capsys):
    command = (
        "bench adapt codes --from ./pretrained -o adapt --preset test --set train.n_steps=2 --folds 1 --per-class 3"
    )
    document = run(command, capsys)
    rows = {row["case"]: row for row in document["rows"]}
    assert list(rows) == list(ADAPTATIONS)
    learned = [rows[name]["trainable"] for name in ("linear", "bias", "lora", "full")]
    assert learned == sorted(set(learned))
    assert all(row["peer"] == rows["full"]["ours"] for row in rows.values())
    assert all(row["n_train"] == 6 and row["chance"] == 0.5 for row in rows.values())
    written = times(home / "adapt")
    assert len(written) == len(ADAPTATIONS)
    assert len(json.loads(next(iter(written)).read_text())["tried"]) == 3
    assert run(command, capsys) == document
    assert times(home / "adapt") == written
    assert "| lora |" in (home / "adapt" / "results.md").read_text()
    figure = adaptations(document["rows"])
    assert list(figure.data[0].x) == [row["trainable"] for row in document["rows"]]
    assert "chance 0.50" in figure.layout.meta["alt"]


def mixing_bench(home: Path, folder: str, change: Callable = lambda data: data, **options) -> AdaptBench:
    """The tones in four codings, most of them mixtures with other tones."""
    from audioformer.start import load_pretrained

    config = {"variants": 4, "augment": AugmentConfig(mixup_chance=0.9)} | options
    list(prepare(change(open_dataset("folder", home / "tones")), load_codec(home / "codec"), home / folder, **config))
    recipe = FINETUNE_PRESETS["test"]
    recipe = replace(recipe, train=replace(recipe.train, n_steps=1))
    return AdaptBench(Corpus.open(home / folder), load_pretrained(home / "pretrained")[0], "start", recipe, per_class=3)


def test_nothing_learns_from_a_mixture_with_clips_that_are_not_to_be_learned_from(home, monkeypatch):
    bench, calls = mixing_bench(home, "mixed"), []

    def learn(*arguments) -> dict:
        calls.append(arguments[-2:])
        return {"score": arguments[2]}

    monkeypatch.setattr(AdaptBench, "_learn", learn)
    record = bench.measure({"adaptation": "bias", "fold": 1, "seed": 0})
    assert record["rate"] == max(RATES["bias"])
    *tried, (rest, _) = calls
    for clips, test in [*tried, (rest, tried[0][1])]:
        assert 0 < (clips.column("partner") != "").sum() < (clips.column("variant") > 0).sum()
        assert set(clips.column("partner")) <= set(clips.column("id")) | {""}
        assert clips is rest or not set(clips.column("group")) & set(test.column("group"))
    assert len(set(rest.column("id"))) == 6
    assert record["n_train"] == len(rest) < 6 * 4


def test_the_official_test_set_has_no_part_in_the_comparison_of_adaptations(home):
    def change(data: AudioDataset) -> AudioDataset:
        places = [{"fold": None, "split": "test"}, {"split": "test"}, *[{"split": "train"}] * 14]
        return replace(data, clips=tuple(replace(clip, **place) for clip, place in zip(data, places, strict=True)))

    bench = mixing_bench(home, "with-test", change, variants=1, augment=None)
    assert (len(bench.corpus), bench.folds) == (14, [1, 2])
    assert set(bench.corpus.column("split")) == {"train"}


def test_results_of_another_corpus_of_the_same_size_are_not_taken_up(home, tmp_path):
    bench, other = mixing_bench(home, "mixed"), mixing_bench(home, "mixed otherwise", seed=1)
    assert len(bench.corpus) == len(other.corpus)

    def cells(one: AdaptBench) -> int:
        list(run_cells(one, ["linear"], [1], [0], tmp_path, str))
        return len(list((tmp_path / "cells").iterdir()))

    assert [cells(bench), cells(bench), cells(other)] == [1, 1, 2]


def test_finetune_takes_the_name_of_an_adaptation(capsys):
    finetune = "finetune codes --preset test --set train.n_steps=1"
    lora = f"{finetune} --from ./pretrained -o lora --adapt lora --set adapt.rank=3"
    adapt = run(lora, capsys)["adapt"]
    assert (adapt["name"], adapt["rank"]) == ("lora", 3)
    assert adapt["trainable"] < adapt["parameters"] / 2
    run(f"{finetune} --from ./pretrained -o adapter --adapt adapter --set adapt.width=5", capsys)
    assert main(f"{finetune} --from ./adapter -o on --adapt adapter".split()) == 2
    assert "adapters of width 5 already" in capsys.readouterr().err
    adapt = run(f"{finetune} --from ./adapter -o on", capsys)["adapt"]
    assert (adapt["name"], adapt["width"], adapt["encoders"]) == ("full", 5, [0])
    assert load("./on", codec=load_codec("./codec")).label_names == ["high", "low"]


@pytest.mark.parametrize("name", ["probe", "adapt"])
def test_the_results_that_ship_are_whole(name):
    rows = shipped(name)["rows"]
    assert all(row["ours"] == pytest.approx(np.mean(list(row["folds"].values())), abs=2e-4) for row in rows)
    if name == "probe":
        assert {row["data"] for row in rows} == {"esc10", "digits", "scenes"}
        assert all(row["n_seeds"] == (1 if row["probe"] == "mlp" and row["data"] != "esc10" else 3) for row in rows)
        assert "best" in probes(rows).layout.meta["alt"]
    else:
        assert [row["case"] for row in rows] == list(ADAPTATIONS)
        assert all(row["n_folds"] >= 3 for row in rows)
        assert "chance 0.10" in adaptations(rows).layout.meta["alt"]
    with pytest.raises(AudioformerError, match=f"there are: .*{name}"):
        shipped("moon")
