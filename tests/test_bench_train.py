"""Benchmarks of speed: both sides do the same work, figures follow their definitions. No time is judged."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import pytest
import torch

from audioformer.cli import main
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches.growth import PeakMemory, bench_growth
from audioformer.evaluation.benches.train import bench_train, gigaflops, rivals
from audioformer.plots.growth import growth
from audioformer.recipes import preset

needs_transformers = pytest.mark.skipif(
    find_spec("transformers") is None, reason='needs transformers: pip install "audioformer[dev]"'
)
SIZES = preset("test", n_codebooks=1, codebook_size=64, dropout=0.1)


@needs_transformers
@pytest.mark.parametrize("bf16", [False, True])
def test_both_models_have_the_same_losses_step_after_step(bf16):
    ours, theirs = rivals(SIZES, 3, 20, dropout=0.0)
    for group in theirs.optimizer.param_groups:
        group["weight_decay"] = 0.0
    for group in ours.optimizer.param_groups:
        group.update(weight_decay=0.0, betas=(0.9, 0.999))
    for _ in range(4):
        assert ours.step(bf16)[1] == pytest.approx(theirs.step(bf16)[1], rel=0.02 if bf16 else 2e-4)


@needs_transformers
def test_tokens_per_second_stand_beside_the_peers(capsys):
    assert main("bench train --preset test --batch 2 --positions 12 --steps 2 --json".split()) == 0
    document = json.loads(capsys.readouterr().out)
    *measured, limit, limit_16 = document["rows"]
    assert [row["case"] for row in measured] == ["MLM step, fp32", "MLM step, bf16 autocast", "MLM step, best of each"]
    for row in document["rows"]:
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    assert document["rows"][0]["loss"] == pytest.approx(document["rows"][0]["loss_peer"], rel=1e-4)
    for row in (limit, limit_16):
        assert row["gflop"] * row["ours"] == pytest.approx(row["gflops"])
    assert document["rows"][2]["ours"] == max(row["ours"] for row in document["rows"][:2])


@needs_transformers
def test_the_arithmetic_of_a_step_is_counted():
    sizes = SIZES.with_changes(d_model=32, n_heads=2, d_ff=64, n_layers=3)
    batch, positions = 2, 50
    ours, theirs = rivals(sizes, batch, positions, dropout=0.0)
    block = 4 * 32**2 + 2 * 32 * 64  # weights of a block's matrices
    head = 32**2 + 32 * sizes.vocabulary_size
    scores = 2 * positions * 32  # of a token: Q K^T and a V
    forward = 2 * batch * positions * (3 * (block + scores) + head)
    assert gigaflops(theirs) == pytest.approx(3 * forward / 1e9, rel=1e-6)  # backward costs twice the forward pass
    hidden = (positions - 2) // 4  # the last block asks for these alone, but looks at all positions; so does the head
    whole = batch * positions * 2 * (block + scores)
    last = batch * positions * 2 * 32**2 + batch * hidden * (block - 2 * 32**2 + scores)
    expected = 2 * (whole + last + batch * hidden * head)
    assert gigaflops(ours) == pytest.approx(3 * expected / 1e9, rel=1e-6)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(AudioformerError, match=r"pip install .audioformer\[dev\]"):
        bench_train(SIZES, 2, 12, 1)


def test_growth_counts_tokens_and_says_how_time_grows():
    document = bench_growth(preset("test", n_codebooks=1), longest_s=10, largest=4, repeats=1)
    assert [row["tokens"] for row in document["rows"]] == [77, 152, 377, 752, 752, 377, 754, 1508]
    rows = document["rows"]
    assert [row["kind"] for row in rows] == ["length"] * 4 + ["windows"] + ["batch"] * 3
    assert [row["growth"] is None for row in rows] == [True, False, False, False, True, True, False, False]
    assert rows[0]["tokens_per_s"] == pytest.approx(77 / rows[0]["ours"])
    expected = torch.tensor(rows[1]["ours"] / rows[0]["ours"]).log() / torch.tensor(152 / 77).log()
    assert rows[1]["growth"] == pytest.approx(expected.item(), rel=1e-4)
    alt = growth(rows).layout.meta["alt"]
    assert "for 752" in alt
    assert "for 1508" in alt


def test_peak_memory_sees_what_was_there_for_a_moment():
    with PeakMemory() as memory:
        if memory.peak is None:
            pytest.skip("needs /proc, which this system does not have")
        block = torch.ones(64 << 20, dtype=torch.uint8)
        for _ in range(20):
            block.max()
        del block
    assert 60 << 20 < memory.peak < 400 << 20
