"""The ablation: held-out clips are never heard, finished cells are not measured again, the table repeats them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.stats
import torch
from tiny import RATE, tiny_codec, tone

from audioformer.audio import save_audio
from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.data.corpus import Item
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import ablation
from audioformer.evaluation.benches.ablation import Bench, Cell, RowView, cells_of
from audioformer.evaluation.benches.ablation_rows import ABLATION_PRESETS, REFERENCE, VARIANTS, ablation_preset
from audioformer.evaluation.benches.ablation_table import ablation_table, as_markdown, reading
from audioformer.evaluation.benches.cells import remembered, shipped
from audioformer.plots.ablation import ablation as ablation_figure

SPEAKERS = ("ann", "bob", "eve")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Two digits by three speakers, low and high tones."""
    root = tmp_path_factory.mktemp("fsdd")
    for s, speaker in enumerate(SPEAKERS):
        for digit, hz in enumerate((300, 2400)):
            for take in (5, 6):
                save_audio(
                    root / "recordings" / f"{digit}_{speaker}_{take}.wav",
                    tone(hz * (1 + 0.1 * s), 0.6, seed=take + 9 * s),
                    RATE,
                )
    return root


def bench(digits, folder, **changes) -> Bench:
    config = replace(ablation_preset("test"), **changes)
    return Bench(config.data()["digits"], config, digits, folder, tiny_codec(), lambda _: None)


def run_cells(made: Bench, cells) -> list[dict]:
    return [remembered(made.path(cell), partial(made.measure, cell)) for cell in cells]


def test_every_row_runs_and_shares_pretraining(digits, tmp_path):
    made = bench(digits, tmp_path)
    records = run_cells(made, cells_of(made, list(VARIANTS), [2], [0]))
    assert [r["row"] for r in records] == list(VARIANTS)
    assert {(r["n"], r["n_classes"], r["fold"]) for r in records} == {(4, 10, 2)}
    assert all(0 <= r["accuracy"] <= 1 for r in records)
    assert next(r for r in records if r["row"] == "svm")["accuracy"] == 1.0
    trained = sorted(
        p.name.rsplit("-", 1)[0] for p in (tmp_path / "pretrained").rglob("*") if (p / "config.json").is_file()
    )
    # rows 1-3 once; row 1 again for two ratios, spans and without synthesis; shared, summed, and summed by our recipe
    assert trained == sorted(["separate1"] * 5 + ["separate2", "separate3", "shared", "summed", "summed"])


def test_the_held_out_speaker_is_in_nothing_that_is_trained_on(digits, tmp_path, monkeypatch):
    heard = {"train": [], "test": []}
    for name in ("MaskedModelling", "FineTuning"):
        real = getattr(ablation, name)

        def spy(config, *arguments, real=real, **options):
            clips = next(a for a in arguments if hasattr(a, "__len__") and hasattr(a[0], "codes"))
            heard["train"] += [clips[i].group for i in range(len(clips))]
            held = options.get("held_out", ())
            heard["test"] += [(held[i].group, held[i].variant) for i in range(len(held))]
            return real(config, *arguments, **options)

        monkeypatch.setattr(ablation, name, spy)
    made = bench(digits, tmp_path)
    run_cells(made, cells_of(made, ["ft1", "summed"], [2], [0]))
    assert set(heard["train"]) & set(SPEAKERS) == {"ann", "eve"}
    assert set(heard["test"]) == {("bob", 0)}
    assert any(group not in SPEAKERS for group in heard["train"]), "synthetic clips take part in pre-training"


def test_the_same_cell_gives_the_same_number(digits, tmp_path):
    values = []
    for name in "ab":
        made = bench(digits, tmp_path / name)
        values.append([r["accuracy"] for r in run_cells(made, [Cell("digits", "ft2", 1, 3)])])
    assert values[0] == values[1]


def test_cells_of_other_settings_are_files_of_their_own(digits, tmp_path):
    cell = Cell("digits", "svm", 1, 0)
    assert bench(digits, tmp_path).path(cell) != bench(digits, tmp_path, codings=1).path(cell)
    assert {cell.seed for cell in cells_of(bench(digits, tmp_path), ["svm"], None, [0, 1])} == {0}


def test_a_row_view_keeps_one_row():
    codes = torch.arange(12).view(3, 4)
    view = RowView([Item("x", codes, (0,), (1.0,), 1, None, "group", 0, (), 1.0, 1)], 2)
    assert torch.equal(view[0].codes, codes[2:])
    assert len(view) == 1


def records(row: str, values: dict, data: str = "esc10") -> list[dict]:
    return [
        {"data": data, "row": row, "fold": f, "seed": s, "accuracy": v, "n": 80, "n_classes": 10}
        for (f, s), v in values.items()
    ]


def test_the_table_is_the_statistics_of_its_cells():
    ft1 = {(1, 0): 0.70, (2, 0): 0.80, (1, 1): 0.74, (2, 1): 0.86}
    ft2 = {(1, 0): 0.72, (2, 0): 0.81, (1, 1): 0.75}
    document = ablation_table(
        [*records("svm", {(1, 0): 0.8, (2, 0): 0.9}), *records("ft1", ft1), *records("ft2", ft2)], ["esc10/x"]
    )
    line = {row["row"]: row for row in document["rows"]}
    assert line["ft1"]["ours"] == pytest.approx(0.775)
    assert line["ft1"]["seed_std"] == pytest.approx(np.std([0.75, 0.80], ddof=1))
    assert line["ft1"]["fold_std"] == pytest.approx(np.std([0.72, 0.83], ddof=1))
    assert (line["ft1"]["peer"], line["ft1"]["chance"]) == (pytest.approx(0.85), pytest.approx(0.1))
    assert line["ft1"]["ratio"] == pytest.approx(0.775 / 0.85)
    assert line["ft2"]["accuracies"] == [[0.72, 0.75], [0.81, None]]
    gains = [0.02, 0.01, 0.01]
    assert line["ft2"]["gain"] == pytest.approx(np.mean(gains))
    assert line["ft2"]["gain_error"] == pytest.approx(np.std(gains, ddof=1) / 3**0.5)
    half = scipy.stats.t.ppf(0.975, 2) * line["ft2"]["gain_error"]
    told = f"MLM, then FT2 (MPC): no difference that shows, +1.3 ± {100 * half:.1f} points against FT1 over 3 cells."
    assert reading(line["ft2"]) == told
    clear = {**line["ft2"], "gain": 0.02}
    assert ": better, +2.0 ± " in reading(clear)
    assert ": worse, -2.0 ± " in reading({**clear, "gain": -0.02})
    assert reading({**clear, "gain_error": None}).endswith("measured once.")
    assert line["ft2"]["seed_std"] is None, "one seed alone has all folds"
    text = as_markdown(document)
    assert "| esc10 | MLM, then FT2 (MPC) | 0.760 | - |" in text
    assert "+0.013 ± 0.003 on ft1" in text
    assert "Missing (1): esc10/x" in text
    assert "best 0.85" in ablation_figure(document["rows"]).layout.meta["alt"]


def test_presets_and_references_are_whole():
    assert set(REFERENCE.values()) == {"ft1", "ft2"}
    for name, config in ABLATION_PRESETS.items():
        assert set(config.data()) == {"esc10", "digits"}, name
        assert all(spec.finetune.train.patience == 0 for spec in config.data().values()), (
            "nothing is chosen on a held-out fold"
        )
    with pytest.raises(AudioformerError, match="laptop"):
        ablation_preset("labtop")


def test_after_ctrl_c_the_table_of_what_is_there_is_written_and_the_same_command_goes_on(
    digits, tmp_path, capsys, monkeypatch
):
    save_compact(tiny_codec(), tmp_path / "codec")
    words = ["bench", "ablation", "--digits", str(digits), "-o", str(tmp_path / "out"), "--preset", "test"]
    words += ["--seeds", "1", "--json", "--codec", str(tmp_path / "codec"), "--only", "svm,scratch", "--folds", "1"]
    real = Bench.measure

    def killed(self, cell):
        if cell.row == "scratch":
            raise KeyboardInterrupt
        return real(self, cell)

    with monkeypatch.context() as patched:
        patched.setattr(Bench, "measure", killed)
        assert main(words) == 130
    output, errors = capsys.readouterr()
    assert (output, "the same command" in errors) == ("", True)
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["row"] for row in written["rows"]] == ["svm"]
    (first,) = (tmp_path / "out" / "cells").rglob("*.json")
    changed = first.stat().st_mtime_ns
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert first.stat().st_mtime_ns == changed
    assert [row["row"] for row in document["rows"]] == ["svm", "scratch"]
    assert set(document["rows"][0]) >= {"case", "ours", "peer", "unit", "ratio"}
    assert len(document["missing"]) == 3 * len(VARIANTS) - 2
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == document
    assert "SVM" in (tmp_path / "out" / "results.md").read_text()
    assert "plotly" in (tmp_path / "out" / "results.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --esc10 DIR or --digits DIR"),
        (["--esc10", "x", "--only", "ft3"], "has no 'ft3'"),
        (["--digits", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_a_user_error(tmp_path, capsys, words, message):
    assert main(["bench", "ablation", "-o", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


def test_the_results_that_ship_are_whole():
    document = shipped("ablation")
    assert document["n_missing"] == 0
    rows = {(line["data"], line["row"]): line for line in document["rows"]}
    assert set(rows) == {(data, name) for data in ("esc10", "digits") for name in VARIANTS}
    for (data, name), line in rows.items():
        n_folds = {"esc10": 4, "digits": 6}[data]
        assert line["n_cells"] == n_folds * (1 if name == "svm" else len(line["seeds"]))
        assert line["title"] == VARIANTS[name].title
    assert "chance" in ablation_figure(document["rows"]).layout.meta["alt"]
