"""The loop: resume equals uninterrupted bit for bit, Ctrl-C loses nothing, nothing trains on when it goes wrong."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import codec_about, coded_clips
from torch import nn

from audioformer.checkpoint import load_checkpoint, save_checkpoint
from audioformer.errors import AudioformerError
from audioformer.files import writable_folder
from audioformer.optim import make_optimizer, schedule_factor
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import TrainConfig, pretrain_preset
from audioformer.start import load_pretrained
from audioformer.train import Task, WeightAverage, finish_first, load_state, save_state, train

BASE = pretrain_preset("test")
CONFIG = replace(
    BASE,
    model=replace(BASE.model, codebook_size=16, dropout=0.1),
    train=TrainConfig(n_steps=4, batch_size=4, save_every=100, average=0.9, validate_every=2, learning_rate=1e-3),
)

CLIPS = coded_clips(10)


def task(**train_changes) -> MaskedModelling:
    config = replace(CONFIG, train=replace(CONFIG.train, **train_changes))
    return MaskedModelling(config, CLIPS, codec_about(), held_out=coded_clips(4, seed=5))


def run(folder, n_records: int | None = None, **train_changes) -> list:
    """Records of a run that is left after some steps."""
    made = task(**train_changes)
    records, loop = [], train(made, made.config.train, folder)
    for record in loop:
        records.append(record)
        if len(records) == n_records:
            break
    loop.close()
    return records


def numbers(records) -> list:
    """What must be the same in two runs: all but the time."""
    return [(r.step, r.losses, r.learning_rate, r.grad_norm, r.validation) for r in records]


@pytest.mark.parametrize(("stop_after", "changes"), [(1, {}), (3, {}), (2, {"accumulate": 2, "bf16": True})])
def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(tmp_path, stop_after, changes):
    whole = run(tmp_path / "whole", **changes)
    parts = run(tmp_path / "parts", stop_after, **changes)
    assert load_state(tmp_path / "parts")["step"] == stop_after
    parts += run(tmp_path / "parts", **changes)
    assert numbers(parts) == numbers(whole)
    a, b = load_state(tmp_path / "whole"), load_state(tmp_path / "parts")
    for name in ("task", "optimizer", "average", "best", "step"):
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    run(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    assert run(tmp_path) == []
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_ctrl_c_within_a_step_waits_for_its_end(tmp_path, monkeypatch):
    made = task()
    forward = made.forward

    def interrupted(batch):
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGINT)
        return forward(batch)

    loop = train(made, made.config.train, tmp_path)
    next(loop)
    monkeypatch.setattr(made, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(loop)
    assert load_state(tmp_path)["step"] == 2
    assert numbers(run(tmp_path)) == numbers(run(None))[2:]


def test_a_second_ctrl_c_breaks_off_and_the_last_saved_state_stays(tmp_path, monkeypatch):
    made = task(save_every=1)
    loop = train(made, made.config.train, tmp_path)
    next(loop)

    def interrupted_twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second Ctrl-C did nothing")

    monkeypatch.setattr(made, "validate", interrupted_twice)  # weights have moved, the record is not written yet
    with pytest.raises(KeyboardInterrupt):
        next(loop)
    assert load_state(tmp_path)["step"] == 1
    assert numbers(run(tmp_path, save_every=1)) == numbers(run(None))[1:]


def test_finish_first_puts_the_old_handler_back_and_keeps_out_of_other_threads():
    before = signal.getsignal(signal.SIGINT)
    with finish_first():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    seen = []

    def elsewhere():
        with finish_first():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_leaving_the_loop_saves_and_training_in_memory_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(run(None, 2)) == 2
    assert list(tmp_path.iterdir()) == []
    run(tmp_path / "run", 3)
    assert load_state(tmp_path / "run")["step"] == 3


def test_other_settings_or_another_corpus_do_not_continue_a_run(tmp_path):
    run(tmp_path, 1)
    for config, clips, message in [
        (replace(CONFIG, train=replace(CONFIG.train, learning_rate=1e-2)), CLIPS, "learning_rate is 0.001 there, 0.01"),
        (replace(CONFIG, train=replace(CONFIG.train, n_steps=5)), CLIPS, "n_steps"),
        (replace(CONFIG, mask=replace(CONFIG.mask, span=3)), CLIPS, "mask.span is 1 there, 3 here"),
        (replace(CONFIG, model=replace(CONFIG.model, d_ff=32)), CLIPS, "model.d_ff"),
        (CONFIG, CLIPS[:9], "n_clips is 10 there, 9 here"),
        (CONFIG, coded_clips(10, seed=1), "clips is '[0-9a-f]{16}' there"),
        (CONFIG, CLIPS[::-1], "clips is '[0-9a-f]{16}' there"),
    ]:
        other = MaskedModelling(config, clips, codec_about())
        with pytest.raises(AudioformerError, match=message):
            next(train(other, config.train, tmp_path))


class Explosive:
    """Pickles to a call of os.system: what must never run."""

    def __reduce__(self):
        return (os.system, ("echo exploded > exploded",))


def test_a_damaged_state_is_refused_and_no_code_in_one_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"recipe": Explosive()}, tmp_path / "state.pt")
    with pytest.raises(AudioformerError, match="damaged training state"):
        run(tmp_path)
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:100])
    with pytest.raises(AudioformerError, match="damaged training state"):
        run(tmp_path)
    assert not (tmp_path / "exploded").exists()


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_state(tmp_path):
    made = task(save_every=1)
    loop = train(made, made.config.train, tmp_path)
    next(loop)
    with torch.no_grad():
        next(made.model.parameters()).fill_(float("nan"))
    with pytest.raises(AudioformerError, match=r"step 1: .*nan.*not finite; try a learning_rate below 0.001"):
        next(loop)
    assert all(torch.isfinite(value).all() for value in load_state(tmp_path)["task"].values())


def test_checkpoints_from_under_way_stay_and_change_no_number(tmp_path):
    plain = run(tmp_path / "plain")
    assert numbers(run(tmp_path / "kept", keep_every=2)) == numbers(plain)
    assert [path.name for path in sorted((tmp_path / "kept" / "steps").iterdir())] == ["000002", "000004"]
    assert not (tmp_path / "plain" / "steps").exists()
    early, last = (load_pretrained(tmp_path / "kept" / "steps" / name)[0].state_dict() for name in ("000002", "000004"))
    finished = load_pretrained(tmp_path / "kept")[0].state_dict()
    assert all(value.equal(finished[name]) for name, value in last.items())
    assert not all(value.equal(finished[name]) for name, value in early.items())
    run(tmp_path / "on", 1, save_every=1)
    assert (
        numbers(run(tmp_path / "on", keep_every=3, save_every=1))[-1] == numbers(run(None))[-1]
    )  # a run may begin to keep some


def test_a_folder_that_cannot_be_made_is_told_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioformerError, match="cannot be written"):
        run(tmp_path / "file" / "run", 1)
    assert writable_folder(tmp_path / "new" / "one").is_dir()
    assert list((tmp_path / "new" / "one").iterdir()) == []


@pytest.mark.skipif(
    not hasattr(signal, "SIGXFSZ"), reason="needs limits on file sizes, which this system does not have"
)
def test_a_full_disk_is_told_as_such_and_what_was_there_stays(tmp_path):
    import resource

    about = {"kind": "pretrained", "model": {}, "codec": {"name": "tiny", "fingerprint": "0"}}
    large = {"weights": torch.zeros(100_000)}
    save_state(tmp_path, {"step": 1})
    save_checkpoint(tmp_path / "c", {"weights": torch.ones(2)}, about, "card")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(AudioformerError, match="cannot be written .*free space"):
            save_state(tmp_path, {"step": 2, **large})
        with pytest.raises(AudioformerError, match="cannot be written .*free space"):
            save_checkpoint(tmp_path / "c", large, about, "card")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_state(tmp_path) == {"step": 1}
    assert load_checkpoint(tmp_path / "c")[0]["weights"].tolist() == [1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "state.pt"]


class Scripted(Task):
    """One weight pulled towards 1; validation scores from a list."""

    chance = {}

    def __init__(self, scores):
        super().__init__()
        self.weight, self.scores, self.exported = nn.Parameter(torch.zeros(2, 2)), list(scores), None

    def batch(self, step, *_):
        return step

    def forward(self, batch):
        return {"total": (self.weight - 1).square().mean() + 0 * batch}

    def validate(self):
        return {"score": self.scores.pop(0), "seen": float(self.weight.detach().mean()), "odd": float("nan")}

    def export(self, _folder, last, weights):
        self.exported, self.last = weights, last


def test_training_stops_when_validation_has_not_improved_and_exports_the_best(tmp_path):
    made = Scripted([0.1, 0.5, 0.4, 0.3, 0.9])
    config = TrainConfig(n_steps=10, validate_every=1, patience=2, schedule="constant", learning_rate=0.1)
    records = list(train(made, config, tmp_path))
    assert [record.validation["score"] for record in records] == [0.1, 0.5, 0.4, 0.3]
    assert float(made.exported["weight"].mean()) == pytest.approx(records[1].validation["seen"])
    assert made.last["validation"]["score"] == 0.5  # what the card tells is of the same step
    assert "odd" not in records[0].validation


def test_validation_looks_at_the_average_and_training_goes_on_with_the_live_weights():
    made = Scripted([0.0] * 4)
    config = TrainConfig(n_steps=4, validate_every=1, average=0.9, schedule="constant", learning_rate=0.1)
    for record in train(made, config):
        live = float(made.weight.detach().mean())
        assert record.validation["seen"] < live


def test_the_average_is_the_one_of_its_formula():
    module = nn.Linear(1, 1, bias=False)
    module.register_buffer("count", torch.tensor(0))
    average, expected = WeightAverage(module, 0.5), float(module.weight.detach())
    for step in range(1, 6):
        with torch.no_grad():
            module.weight.fill_(float(step))
            module.count.fill_(step)
        average.update(module, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert float(average.state["weight"]) == pytest.approx(expected)
        assert int(average.state["count"]) == step
    off = WeightAverage(module, 0.0)
    off.update(module, 1)
    assert off.state is None


def test_the_schedule_warms_up_and_falls_to_a_hundredth():
    factors = [schedule_factor(step, 100, 0.1) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1.0
    assert factors[100] == pytest.approx(0.01)
    assert schedule_factor(55, 100, 0.1) == pytest.approx(0.505)
    assert {schedule_factor(step, 100, 0.1, "constant") for step in range(9, 101)} == {1.0}


def test_only_matrices_decay_and_heads_may_learn_faster():
    model = nn.ModuleDict({"head": nn.Linear(2, 2), "body": nn.Linear(2, 2), "still": nn.Linear(2, 2)})
    model["still"].requires_grad_(False)
    optimizer = make_optimizer(model, 1e-3, 0.1, head_factor=5.0)
    found = {(tuple(p.shape), g["weight_decay"], g["peak_lr"]) for g in optimizer.param_groups for p in g["params"]}
    assert found == {((2, 2), 0.1, 5e-3), ((2,), 0.0, 5e-3), ((2, 2), 0.1, 1e-3), ((2,), 0.0, 1e-3)}
    assert {g["betas"] for g in optimizer.param_groups} == {(0.9, 0.98)}


def test_two_runs_cannot_share_a_folder_and_what_a_killed_one_left_is_swept(tmp_path):
    first = task()
    loop = train(first, first.config.train, tmp_path)
    next(loop)
    (tmp_path / ".writing-left.pt").write_bytes(b"half")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_train; test_train.run(sys.argv[2])"
    words = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    second = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert second.returncode != 0
    assert f"process {os.getpid()} on {socket.gethostname()} works here; wait until it ends" in second.stderr
    loop.close()
    assert run(tmp_path)[-1].step == 4
    assert not list(tmp_path.glob(".writing-*"))


def test_the_log_grows_by_what_is_new_and_forgets_what_a_killed_run_wrote_after_its_state(tmp_path):
    run(tmp_path, 3, n_steps=6)
    log = tmp_path / "log.jsonl"
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2, 3]
    log.write_text(log.read_text() + '{"step": 4}\n{"ste')  # killed while it wrote
    assert "history" not in load_state(tmp_path)
    run(tmp_path, n_steps=6)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert all("losses" in record for record in records)
    assert [record["validation"] is not None for record in records] == [False, True] * 3
    assert records[-1]["chance"]["mlm"] == pytest.approx(math.log(16))
    assert records[-1]["seconds"] >= records[0]["seconds"] > 0
