"""A method plugs in from outside: one folder with a `plug.py`, and all after pre-training works with its model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import RATE, tiny_codec, tone

import audioformer
from audioformer.audio import save_audio
from audioformer.checkpoint import load_checkpoint
from audioformer.classify import load
from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.data.datasets import open_dataset
from audioformer.data.prepare import prepare
from audioformer.errors import AudioformerError
from audioformer.methods import find_method, method_names, read_config

PLUG = """
from audioformer.methods import Method


class Toy(Method):
    name = "toy"
    about = "guesses the next code from the mean of all"
    presets = ("test",)

    def config_class(self):
        from audioformer.toy.model import ToyConfig
        return ToyConfig

    def build(self, config, heads=True):
        from audioformer.toy.model import Toy
        return Toy(config)

    def options(self, add):
        add("--louder", type=float, metavar="X", help="of the toy")

    def task(self, request):
        from audioformer.toy.model import toy_task
        return toy_task(request)


METHOD = Toy()
"""
MODEL = """
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import torch
from torch import nn

from audioformer.checkpoint import save_checkpoint
from audioformer.config import Config
from audioformer.recipes import TrainConfig
from audioformer.data.batches import CodeSampler
from audioformer.encoder import EncoderOutput
from audioformer.model import Backbone
from audioformer.tokens import collate
from audioformer.train import Task


@dataclass(frozen=True)
class ToyConfig(Config):
    method: ClassVar[str] = "toy"
    codebook_size: int = 16
    n_codebooks: int = 2
    d_model: int = 8
    n_layers: int = 1
    rows: str = "summed"
    reads: ClassVar[str] = "toys"


@dataclass(frozen=True)
class Recipe:
    model: ToyConfig = ToyConfig()
    train: TrainConfig = TrainConfig(n_steps=3, batch_size=2, save_every=2)
    louder: float = 1.0

    def to_dict(self):
        return asdict(self)


class Toy(Backbone):
    def __init__(self, config):
        super().__init__()
        self.config, self.frame_slice, self.max_frames = config, slice(1, -1), 400
        self.encoders = nn.ModuleList([nn.Embedding(config.codebook_size + 4, config.d_model)])

    def forward(self, tokens, padding=None, rows=None, need_weights=False, need_hidden=False):
        return EncoderOutput(self.encoders[0](tokens).mean(1)[:, None])

    def inputs(self, item):
        return torch.as_tensor(item.codes)

    def read(self, codec, waveform, sample_rate=None):
        return codec.encode(waveform, sample_rate, self.config.n_codebooks)

    def collate(self, clips):
        return collate([torch.as_tensor(c)[: self.config.n_codebooks] for c in clips], self.config.codebook_size)

    def hide_some(self, batch, share, span, row_share, generators):
        return batch

    def frame_padding(self, padding):
        return padding[:, 2:]


class ToyTask(Task):
    def __init__(self, config, request):
        super().__init__()
        self.config, self.held_out, self.chance = config, request.held_out, {"toy": 1.0}
        self.codec, self.model = request.clips.codec, Toy(config.model)
        self.sampler = CodeSampler(request.clips, config.train.batch_size, 1, 75, 75, 0)

    def batch(self, step, micro_step=0, rank=0, world=1):
        drawn = zip(*self.sampler.draw(step, micro_step, rank, world))
        return self.model.collate([item.codes[:, crop] for item, crop in drawn])

    def forward(self, batch):
        loss = self.config.louder * self.model(batch.tokens).hidden.square().mean()
        return {"total": loss, "toy": loss.detach()}

    def export(self, folder, last, weights):
        state = {name.removeprefix("model."): value for name, value in (weights or self.state_dict()).items()}
        about = {"kind": "pretrained", "method": "toy", "model": self.config.model.to_dict(), "codec": self.codec}
        about |= {"recipe": self.config.to_dict(), "steps": last["step"], "seconds": 1.0, "losses": last["losses"]}
        save_checkpoint(folder, state, about, "# A toy\\n")


def toy_task(request):
    changes = [f"louder={request.options['louder']}"] if request.options["louder"] else []
    return ToyTask(request.override(Recipe(), changes), request)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch) -> None:
    """The package with one folder more."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").touch()
    (tmp_path / "toy" / "plug.py").write_text(PLUG)
    (tmp_path / "toy" / "model.py").write_text(MODEL)
    monkeypatch.setattr(audioformer, "__path__", [*audioformer.__path__, str(tmp_path)])
    yield
    for name in [name for name in sys.modules if name.startswith("audioformer.toy")]:
        del sys.modules[name]
    monkeypatch.undo()
    if hasattr(audioformer, "toy"):
        del audioformer.toy


@pytest.fixture
def corpus(tmp_path) -> tuple[Path, Path]:
    """Two classes of tones with a tiny codec: (corpus, codec folder)."""
    codec = tiny_codec()
    save_compact(codec, tmp_path / "codec")
    for i in range(8):
        save_audio(tmp_path / "sounds" / "ab"[i % 2] / f"{i}.wav", tone(300 * (i + 1), 1.0), RATE)
    list(prepare(open_dataset("folder", tmp_path / "sounds"), codec, tmp_path / "corpus"))
    return tmp_path / "corpus", tmp_path / "codec"


def test_what_comes_with_the_kit():
    assert method_names() == ["audioformer", "audiovisual", "encodecmae"]
    with pytest.raises(
        AudioformerError, match="method 'toy' is not known; there are audioformer, audiovisual, encodecmae"
    ):
        find_method("toy")


@pytest.mark.usefixtures("toy")
def test_a_toy_is_pretrained_finetuned_and_classifies_without_a_line_of_the_core_changing(tmp_path, corpus, capsys):
    assert "toy" in method_names()
    words = [
        str(corpus[0]),
        "--method",
        "toy",
        "--preset",
        "test",
        "--louder",
        "2",
        "-o",
        str(tmp_path / "run"),
        "--json",
    ]
    assert main(["pretrain", *words]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["method"], document["steps"]) == ("toy", 3)
    about = load_checkpoint(tmp_path / "run")[1]
    assert about["recipe"]["louder"] == 2
    assert type(read_config(about)).__name__ == "ToyConfig"
    words = [str(corpus[0]), "--from", str(tmp_path / "run"), "--preset", "test", "-o", str(tmp_path / "clf")]
    assert main(["finetune", *words]) == 0
    from audioformer.codecs import load_codec

    clf = load(tmp_path / "clf", codec=load_codec(corpus[1]))
    prediction = clf.classify(tmp_path / "sounds" / "a" / "0.wav")
    assert set(prediction.labels) == {"a", "b"}
    assert np.isclose(sum(prediction.probabilities), 1)
    assert clf.embed(tmp_path / "sounds" / "a" / "0.wav", frames=True).shape == (75, 8)
    assert "Reads toys of" in (tmp_path / "clf" / "README.md").read_text()


@pytest.mark.usefixtures("toy")
def test_an_option_of_one_method_is_refused_for_another(tmp_path, corpus, capsys):
    words = [str(corpus[0]), "--preset", "test", "--louder", "2", "-o", str(tmp_path / "run")]
    assert main(["pretrain", *words]) == 2
    assert "--louder: belongs to --method toy; leave it out" in capsys.readouterr().err


@pytest.mark.usefixtures("toy")
def test_a_checkpoint_of_a_method_that_is_not_there_is_refused_by_name():
    with pytest.raises(
        AudioformerError, match="method 'nobody' is not known; there are audioformer, audiovisual, encodecmae, toy"
    ):
        read_config({"method": "nobody", "model": {}})
