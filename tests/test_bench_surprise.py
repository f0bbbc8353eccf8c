"""`bench surprise`: what is counted, what is measured, and a table of it."""

from __future__ import annotations

import json

import pytest
import torch
from tiny import RATE, codec_about, tiny_codec, tone

from audioformer.audio import save_audio
from audioformer.checkpoint import save_checkpoint
from audioformer.cli import main
from audioformer.codecs import load_codec
from audioformer.codecs.compact_files import save_compact
from audioformer.data.corpus import prepare
from audioformer.data.datasets import open_dataset
from audioformer.evaluation.benches.surprise import middle
from audioformer.model import AudioFormer
from audioformer.recipes import preset


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Codes of tones, two of six held out, and a fresh model with groups of two frames."""
    root = tmp_path_factory.mktemp("surprise")
    save_compact(tiny_codec(name=str(root / "codec")), root / "codec")  # found again by its name
    codec = load_codec(str(root / "codec"))
    lines = ["filename,label,split,group"]
    for i in range(6):
        save_audio(root / "tones" / f"{i}.wav", tone(300 * (1 + i % 5), 2.0, seed=i), RATE)
        lines.append(f"{i}.wav,tone,{'val' if i > 3 else 'train'},source {i}")
    (root / "tones" / "clips.csv").write_text("\n".join(lines))
    list(prepare(open_dataset("folder", root / "tones"), codec, root / "codes"))
    torch.manual_seed(0)
    shape = preset("test", codebook_size=16, n_codebooks=3, rows="summed", subsampling=2)
    about = {
        "kind": "pretrained",
        "model": shape.to_dict(),
        "codec": codec_about(codec) | {"name": str(root / "codec")},
    }
    save_checkpoint(root / "model", AudioFormer(shape).state_dict(), about, "a card")
    return root


def test_every_held_out_source_has_its_lines(home, capsys):
    words = [
        "bench",
        "surprise",
        str(home / "codes"),
        "--checkpoint",
        str(home / "model"),
        "--rows",
        "2",
        "--codec",
        str(home / "codec"),
    ]
    assert main([*words, "--on", str(home / "codes"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {(row["data"], row["span"], row["row"]) for row in rows} == {
        (data, span, row) for data in ("source 4", "source 5", "folder") for span in (1, 5) for row in (1, 2)
    }
    for row in rows:
        counted = {name: row[name] for name in ("unigram", "repeat", "nearest", "bigram", "both")}
        assert row["peer"] == min(counted.values()) == counted[row["peer_name"]]
        assert 0 <= row["right"] <= 1
        assert row["ours"] > 0


def test_middles():
    codes = torch.arange(10)[None]
    assert middle(codes, 4).tolist() == [[3, 4, 5, 6]]
    assert middle(codes, 20).tolist() == codes.tolist()


def test_nothing_to_measure_on_is_told(home, capsys):
    list(
        prepare(
            open_dataset("folder", home / "tones").select(splits=["train"]),
            load_codec(str(home / "codec")),
            home / "train",
        )
    )
    assert main(["bench", "surprise", str(home / "train"), "--checkpoint", str(home / "model")]) == 2
    assert "give --on CORPUS" in capsys.readouterr().err
