"""`bench labels`: as many labels as asked for, the same for all ways, and a table and a figure of what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import RATE, codec_about, tiny_codec, tone

from audioformer.audio import save_audio
from audioformer.checkpoint import save_checkpoint
from audioformer.cli import main
from audioformer.codecs import load_codec
from audioformer.codecs.compact_files import save_compact
from audioformer.evaluation.benches.adapt import RATES
from audioformer.evaluation.benches.labels import LabelsBench, ProbeData
from audioformer.model import AudioFormer
from audioformer.recipes import FINETUNE_PRESETS, preset


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Six words of two digits by each of two speakers, a small codec, a fresh "pre-trained" model."""
    root = tmp_path_factory.mktemp("labels")
    for speaker in ("ann", "bob"):
        for digit, hz in ((0, 300), (1, 2400)):
            for take in range(5, 11):
                sound = tone(hz * (1 + 0.02 * take), 0.2, seed=take)
                save_audio(root / "fsdd" / "recordings" / f"{digit}_{speaker}_{take}.wav", sound, RATE)
    save_compact(tiny_codec(), root / "codec")
    torch.manual_seed(0)
    shape = preset("test", codebook_size=16, n_codebooks=3, rows="summed", subsampling=2)
    about = {
        "kind": "pretrained",
        "model": shape.to_dict(),
        "codec": codec_about(load_codec(str(root / "codec"))) | {"name": str(root / "codec")},
        "recipe": {"crop_s": 0.2, "init_from_codebooks": True},
    }
    save_checkpoint(root / "model", AudioFormer(shape).state_dict(), about, "a card")
    return root


@pytest.mark.slow
def test_the_table_holds_every_way_with_every_number_of_labels(home, capsys, monkeypatch):
    monkeypatch.setitem(RATES, "full", (1e-3, 3e-3))
    words = ["bench", "labels", "--digits", str(home / "fsdd"), "--from", str(home / "model"), "-o", str(home / "out")]
    words += ["--labels", "1,5,all", "--seeds", "1", "--codings", "2", "--set", "train.n_steps=2", "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["labels"], row["way"]) for row in document["rows"]] == [
        (labels, way) for labels in ("1", "5", "all") for way in ("finetuned", "scratch", "linear", "svm")
    ]
    by_case = {row["case"]: row for row in document["rows"]}
    assert by_case["digits: svm, all"]["ours"] > 0.9
    assert by_case["digits: linear, 5"]["peer"] == by_case["digits: scratch, 5"]["ours"]
    assert "| all |" in (home / "out" / "results.md").read_text()
    written = {path: path.stat().st_mtime_ns for path in (home / "out" / "cells").iterdir()}
    assert len(written) == 3 * 4 * 2
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in (home / "out" / "cells").iterdir()} == written
    capsys.readouterr()
    assert main([*words[:-1], "--labels", "0"]) == 2
    assert "--labels 0: how many a class" in capsys.readouterr().err


def test_labels_are_drawn_by_the_seed_and_evenly(home):
    data = ProbeData.open("digits", home / "fsdd")
    codec = load_codec(str(home / "codec"))
    bench = LabelsBench(data, str(home / "model"), codec, FINETUNE_PRESETS["test"], 1, home / "out", print)
    _, train, _ = data.folds[0]
    drawn = [bench.labelled(train, 3, seed) for seed in (0, 0, 1)]
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()
    assert data.targets[drawn[0]].sum(0).tolist()[:2] == [3, 3]
    assert set(drawn[0]) <= set(train)
    assert np.array_equal(bench.labelled(train, None, 0), train)
