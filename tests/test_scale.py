"""At scale: parts, processes, kills and options that save time or memory leave the numbers as they are."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import codec_about, coded_clips, tiny_codec, tone_folder

from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.config import MaskConfig
from audioformer.data.batches import CodeSampler
from audioformer.encodecmae.config import mae_preset
from audioformer.encodecmae.pretrain import FrameModelling, MAERecipe
from audioformer.errors import AudioformerError
from audioformer.finetune import FineTuning
from audioformer.losses import multi_positive_contrastive_loss
from audioformer.model import AudioFormer
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import FinetuneConfig, PretrainConfig, TrainConfig, preset
from audioformer.start import load_pretrained
from audioformer.train import train

N_STEPS = 6
ABOUT = {**codec_about(), "fingerprint": "0123456789abcdef"}  # k-means on another processor may round otherwise


def clips(n: int = 12):
    """Clips of different lengths, so that parts of a batch have different numbers of codes to guess."""
    return [replace(c, codes=c.codes[:, : 20 + 5 * i]) for i, c in enumerate(coded_clips(n, n_frames=90))]


def settings(**changes) -> TrainConfig:
    return TrainConfig(
        **{"n_steps": N_STEPS, "batch_size": 4, "learning_rate": 3e-3, "save_every": 1, "schedule": "constant"}
        | changes
    )


def pretraining(**changes) -> MaskedModelling:
    shape = preset("test", codebook_size=16, n_codebooks=2, dropout=changes.pop("dropout", 0.0))
    return MaskedModelling(PretrainConfig(shape, MaskConfig(span=2), settings(**changes), 1.0, 0.3), clips(), ABOUT)


def autoencoding(**changes) -> FrameModelling:
    shape = mae_preset("test", codebook_size=16, frames="quantised", frame_width=5)
    table = torch.randn(2, 16, 5, generator=torch.Generator().manual_seed(0))
    return FrameModelling(
        MAERecipe(shape, settings(**changes), gap=5, crop_s=1.0, min_crop_s=0.3), clips(), ABOUT, codebooks=table
    )


def finetuning(method: str = "ft2", **changes) -> FineTuning:
    torch.manual_seed(0)
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=3, dropout=changes.pop("dropout", 0.0)))
    config = FinetuneConfig(settings(**changes), method=method, token_mask=0.2, crop_s=1.0, min_crop_s=0.5)
    return FineTuning(config, model, clips(), ["a", "b"], False, ABOUT)


TASKS = {"pretrain": pretraining, "encodecmae": autoencoding, "finetune": finetuning}
CLOSE = {
    "encodecmae": 0.03
}  # parts count by their hidden frames; odd clips show up to one frame more, and these are short
IN_PARTS = {
    "pretrain": pretraining,
    "encodecmae": autoencoding,
    "ft1": partial(finetuning, "ft1"),
}  # ft2's contrast is over a part's clips


def losses(task, **_) -> list[tuple[float, ...]]:
    """Total loss and gradient norm of every step."""
    return [(r.losses["total"], r.grad_norm) for r in train(task, task.config.train)]


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("name", IN_PARTS)
def test_parts_of_a_step_give_the_numbers_of_the_whole(name, parts):
    whole, split = losses(IN_PARTS[name]()), losses(IN_PARTS[name](accumulate=parts))
    np.testing.assert_allclose(split, whole, rtol=CLOSE.get(name, 2e-4))


@pytest.mark.parametrize("name", TASKS)
def test_what_is_hidden_of_a_clip_does_not_depend_on_the_number_of_processes(name):
    task = TASKS[name]()
    seen = {}
    for world in (1, 2, 4):
        for rank in range(world):
            batch = task.batch(3, 0, rank, world)
            tokens = {"pretrain": batch[1], "encodecmae": batch[2], "finetune": batch[0]}[name]
            tokens, extra = getattr(tokens, "tokens", tokens), 0 if name == "encodecmae" else 2  # BOA and EOA
            lengths = (batch[0].lengths + extra).tolist()
            for place, own, n in zip(task.sampler.places(0, rank, world), tokens, lengths, strict=True):
                seen.setdefault(int(place), []).append(own[..., :n])
    assert sorted(seen) == [0, 1, 2, 3]
    for variants in seen.values():
        assert len(variants) == 3
        assert all(torch.equal(variants[0], other) for other in variants[1:])


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(AudioformerError, match="batch_size=4 must be a multiple of accumulate x processes = 1 x 3"):
        CodeSampler(clips(), 4, 1, 20, 20, 0).draw(0, 0, 0, 3)


OPTIONS = [({"gradient_checkpointing": True}, 1e-4), ({"bf16": True}, 0.05)]


@pytest.mark.parametrize(("option", "tolerance"), OPTIONS)
@pytest.mark.parametrize("name", TASKS)
def test_options_that_save_memory_or_time_leave_the_losses(name, option, tolerance):
    plain, changed = TASKS[name](), TASKS[name](**option)
    np.testing.assert_allclose(losses(changed), losses(plain), rtol=tolerance)


@pytest.mark.parametrize("name", TASKS)
def test_gradient_checkpointing_computes_blocks_again(name):
    counts = []
    for checkpointing in (False, True):
        task, calls = TASKS[name](gradient_checkpointing=checkpointing), []
        blocks = [block for module in task.modules() if hasattr(module, "checkpointing") for block in module.blocks]
        for block in blocks:
            block.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        losses(task)
        counts.append(len(calls))
    assert 0 < counts[0] < counts[1] <= 2 * counts[0]  # rows that are frozen have no way back


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: apt-get install g++")
def test_compiled_blocks_give_the_same_losses():
    np.testing.assert_allclose(losses(pretraining(compile=True, n_steps=2)), losses(pretraining(n_steps=2)), rtol=1e-3)


WORKER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from test_scale import TASKS, contrast_of_a_part
from audioformer.train import train
name, folder, changes = sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
if name == "contrast":
    contrast_of_a_part(folder)
else:
    task = TASKS[name](**changes)
    for record in train(task, task.config.train, folder):
        print(record.step, flush=True)
# part in order, as the command line does: else one's exit can abort the other's threads
if torch.distributed.is_initialized():
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
sys.stdout.flush()
os._exit(0)  # gloo's threads may outlive their group, and an interpreter that ends under them aborts
"""


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def launched(*words: str) -> str:
    """Standard output of two processes under `accelerate launch`; what it calls multi_gpu runs on CPUs if told to."""
    launch = (
        "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no "
        "--dynamo_backend no --main_process_port 0 --num_cpu_threads_per_process 1"
    ).split()
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, *launch, *words], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def working(tmp_path: Path, *words: str) -> None:
    """Run the worker in two processes."""
    (tmp_path / "worker.py").write_text(WORKER)
    launched(str(tmp_path / "worker.py"), str(Path(__file__).parent), *words)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_two_processes_under_accelerate_give_the_numbers_of_one(tmp_path, name):
    changes = {"accumulate": 1 if name == "finetune" else 2}
    working(tmp_path, name, str(tmp_path / "two"), json.dumps(changes))
    task = TASKS[name](**changes)
    list(train(task, task.config.train, tmp_path / "one"))
    one, two = log(tmp_path / "one"), log(tmp_path / "two")
    assert [record["step"] for record in two] == list(range(1, N_STEPS + 1))
    for a, b in zip(one, two, strict=True):
        assert b["losses"] == pytest.approx(a["losses"], rel=CLOSE.get(name, 2e-4))
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=CLOSE.get(name, 2e-4))


@pytest.mark.slow
def test_the_command_line_under_accelerate_speaks_once_and_gives_the_numbers_of_one(tmp_path):
    save_compact(tiny_codec(), tmp_path / "codec")
    corpus = [str(tone_folder(tmp_path / "tones", n=8)), "--dataset", "folder", "--codec", str(tmp_path / "codec")]
    assert main(["prepare", *corpus, "-o", str(tmp_path / "codes")]) == 0
    words = ["pretrain", str(tmp_path / "codes"), "--preset", "test", "--json", "-o"]
    document = json.loads(launched("-m", "audioformer", *words, str(tmp_path / "two")))
    assert main([*words, str(tmp_path / "one")]) == 0
    for row in ("row1", "row2"):  # a run for each row, joined at the end
        one, two = log(tmp_path / "one" / row), log(tmp_path / "two" / row)
        assert [r["losses"]["total"] for r in two] == pytest.approx([r["losses"]["total"] for r in one], rel=2e-4)
        assert document["losses"][row] == pytest.approx(one[-1]["losses"][row], rel=2e-4)
    assert load_pretrained(tmp_path / "two")[0].config.n_codebooks == 2


def contrast_of_a_part(folder: str) -> None:
    """In one of two processes: loss and gradient of the contrast over both."""
    from accelerate import Accelerator

    from audioformer.losses import contrast_over_processes

    rank = Accelerator(cpu=True).process_index
    whole = torch.randn(6, 3, 8, generator=torch.Generator().manual_seed(0))
    part = whole[rank::2].clone().requires_grad_()
    loss = contrast_over_processes(part, 0.1)
    loss.backward()
    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / f"{rank}.json").write_text(json.dumps({"loss": loss.item(), "gradient": part.grad.tolist()}))


@pytest.mark.slow
def test_the_contrast_of_two_processes_is_that_of_one_with_its_gradient(tmp_path):
    working(tmp_path, "contrast", str(tmp_path / "out"), "{}")
    whole = torch.randn(6, 3, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = multi_positive_contrastive_loss(whole, 0.1)
    loss.backward()
    for rank in (0, 1):
        found = json.loads((tmp_path / "out" / f"{rank}.json").read_text())
        assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
        # the average over two processes is what counts, hence twice the gradient in each
        torch.testing.assert_close(torch.tensor(found["gradient"]) / 2, whole.grad[rank::2], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL, which this system does not have")
@pytest.mark.parametrize("name", ["pretrain", "finetune"])
def test_killed_at_random_steps_a_run_ends_with_the_same_numbers(tmp_path, name):
    rng, killed_after, changes = random.Random(4), [], {"dropout": 0.1, "average": 0.9, "save_every": 2}
    command = [sys.executable, "-c", WORKER, str(Path(__file__).parent), name, str(tmp_path / "killed")]
    command.append(json.dumps(changes))
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            done = [int(process.stdout.readline()) for _ in range(rng.randint(1, 3))]
            time.sleep(rng.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            killed_after.append((done[0], done[-1]))
    assert killed_after[1][0] > killed_after[0][1] - 2, "at most the steps since the last checkpoint are lost"
    for folder in ("killed", "whole"):
        task = TASKS[name](**changes)
        list(train(task, task.config.train, tmp_path / folder))
    for a, b in zip(log(tmp_path / "killed"), log(tmp_path / "whole"), strict=True):
        assert (a["losses"], a["grad_norm"]) == (
            pytest.approx(b["losses"], rel=1e-4),
            pytest.approx(b["grad_norm"], rel=1e-4),
        )
