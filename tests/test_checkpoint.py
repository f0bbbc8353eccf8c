"""Checkpoint folders: whole or not at all, never a pickle, wrong ones refused by name."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import codec_about, coded_clips, tiny_codec

from audioformer import checkpoint as module
from audioformer.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint, weights_hash
from audioformer.classify import load
from audioformer.errors import AudioformerError
from audioformer.files import assets_folder
from audioformer.finetune import FineTuning
from audioformer.install.hub import push_to_hub
from audioformer.model import AudioFormer
from audioformer.recipes import finetune_preset, preset
from audioformer.start import load_pretrained

STATE = {"a": torch.arange(6.0).view(2, 3), "n": torch.tensor([3.0])}
CONFIG = {"kind": "pretrained", "model": {}, "codec": {"name": "tiny", "fingerprint": "0"}, "note": "süß"}


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def classifier(tmp_path):
    """Folder of a small classifier, and its codec."""
    codec = tiny_codec()
    model = AudioFormer(preset("test", codebook_size=16, n_codebooks=2))
    task = FineTuning(finetune_preset("test"), model, coded_clips(4), ["low", "high"], False, codec_about(codec))
    task.export(tmp_path / "classifier", None, None)
    return tmp_path / "classifier", codec


def test_what_is_saved_comes_back(tmp_path):
    save_checkpoint(tmp_path / "new" / "c", STATE, CONFIG, "# card é")
    state, config = load_checkpoint(tmp_path / "new" / "c")
    assert torch.equal(state["a"], STATE["a"])
    assert state["a"].dtype == torch.float32
    assert torch.equal(state["n"], STATE["n"])
    assert config["note"] == "süß"
    assert config["format"] == 1
    assert set(config["versions"]) >= {"audioformer", "torch"}
    assert (tmp_path / "new" / "c" / "README.md").read_text(encoding="utf-8") == "# card é"
    assert load_file(str(tmp_path / "new" / "c" / "model.safetensors"))["a"].dtype == torch.float16
    assert sorted(files(tmp_path / "new" / "c")) == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.parametrize("fails_at", ["write_tensors", "json", "card"])
def test_a_failure_half_way_leaves_the_old_one_whole(tmp_path, monkeypatch, fails_at):
    save_checkpoint(tmp_path / "c", STATE, CONFIG, "old")
    before = files(tmp_path / "c")
    card, config = "new", dict(CONFIG, note="new")
    if fails_at == "write_tensors":
        monkeypatch.setattr(module, "write_tensors", _disk_full)
    elif fails_at == "json":
        config["not for JSON"] = object()
    else:
        card = object()
    with pytest.raises((AudioformerError, TypeError)):
        save_checkpoint(tmp_path / "c", {"a": torch.zeros(2)}, config, card)
    assert files(tmp_path / "c") == before


@pytest.mark.parametrize("n_renamed", [0, 1, 2, 3])
def test_a_kill_between_any_two_files_leaves_one_whole_checkpoint(tmp_path, monkeypatch, n_renamed):
    save_checkpoint(tmp_path / "c", STATE, dict(CONFIG, note="old"), "old")
    real, done = os.replace, []

    def killed(source, target):
        if os.path.dirname(target) == str(tmp_path / "c"):  # not those within the folder it is put together in
            if len(done) == n_renamed:
                raise KeyboardInterrupt
            done.append(target)
        real(source, target)

    monkeypatch.setattr(module.os, "replace", killed)
    new = {"a": torch.zeros(2, 3), "n": torch.tensor([4.0])}
    try:
        save_checkpoint(tmp_path / "c", new, dict(CONFIG, note="new"), "new")
    except KeyboardInterrupt:
        assert n_renamed < 3
    state, config = load_checkpoint(tmp_path / "c")
    assert config["note"] == ("old" if n_renamed == 0 else "new")
    assert torch.equal(state["a"], STATE["a"] if n_renamed == 0 else new["a"])


def _disk_full(path, *_):
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")


def rewrite(folder, **changes) -> None:
    """Other values in a checkpoint's config.json."""
    about = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(about))


def weights(folder, state: dict) -> None:
    """Other weights in a checkpoint."""
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: (c / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda c: (c / "config.json").unlink(), "has no config.json"),
        (
            lambda c: (c / "model.safetensors").write_bytes((c / "model.safetensors").read_bytes()[:-3]),
            "damaged checkpoint",
        ),
        (lambda c: (c / "model.safetensors").write_bytes(b""), "damaged checkpoint"),
        (lambda c: (c / "config.json").write_text("{"), "damaged checkpoint"),
        (lambda c: (c / "config.json").write_bytes(b"\xff\xff"), "damaged checkpoint"),
        (lambda c: (c / "config.json").write_text("[1]"), "holds a list instead of named entries"),
        (lambda c: (c / "config.json").write_text("[" * 100_000), "damaged checkpoint"),
        (lambda c: (c / "config.json").write_text(" " * (17 << 20) + "{}"), "config.json is larger than 16 MB"),
        (lambda c: rewrite(c, format="1"), "format is '1', not a whole number"),
        (lambda c: rewrite(c, codec={"name": 3, "fingerprint": "0"}), "codec has no name and fingerprint"),
        (lambda c: weights(c, {"a": torch.tensor([1.0, float("nan")])}), "weights 'a' are not all finite"),
        (lambda c: weights(c, {"a": torch.tensor([1, 2])}), "weights 'a' are torch.int64"),
        (lambda c: weights(c, {f"n{i}": torch.zeros(0) for i in range(90_000)}), "its header claims .* at most"),
        (lambda c: (c / "config.json").write_text('{"model_type": "bert"}'), "kind None"),
        (lambda c: (c / "config.json").write_text('{"kind": "compact-codec"}'), "kind 'compact-codec'"),
        (lambda c: (c / "config.json").write_text('{"kind": "pretrained", "format": 99}'), "format 99 is newer"),
    ],
)
def test_damaged_and_foreign_checkpoints_are_refused_by_name(tmp_path, damage, message):
    save_checkpoint(tmp_path / "mine", STATE, CONFIG, "")
    damage(tmp_path / "mine")
    with pytest.raises(AudioformerError, match=f"mine: .*{message}"):
        load_checkpoint(tmp_path / "mine")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"n_layers": 10**9}, "n_layers=1000000000 must be .* at most 1000"),
        ({"d_model": 10**7}, "d_model=10000000 must be .* at most 1000000"),
        ({"d_model": 10**6, "n_heads": 1}, "config.json describes [0-9]+ numbers or more, and there are"),
        ({"max_positions": 10**12}, "max_positions=1000000000000 must be .* at most 100000"),
        ({"n_layers": "2"}, "n_layers='2' must be a whole number"),
        ({"n_layers": 3}, "do not fit config.json .*(describes|blocks.2)"),
    ],
)
def test_sizes_in_a_file_cost_no_memory_before_they_fit_the_weights(classifier, model, message):
    folder, codec = classifier
    about = json.loads((folder / "config.json").read_text())
    rewrite(folder, model=about["model"] | model)
    tracemalloc.start()
    with pytest.raises(AudioformerError, match=message):
        load(folder, codec=codec)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"window_s": "five"},
        {"window_s": -1},
        {"window_s": None},
        {"label_names": [1, 2]},
        {"label_names": 7},
        {"adapt": [3]},
        {"adapt": {"encoders": [9], "width": 2}},
        {"time_bins": "many"},
        {"frame_head": 3, "time_bins": {}},
        {"method": "nobody"},
        {"method": ["audioformer"]},
        {"model": {"d_model": [1]}},
    ],
)
def test_values_of_another_type_are_refused_in_one_line(classifier, changes):
    folder, codec = classifier
    rewrite(folder, **changes)
    with pytest.raises(AudioformerError) as refused:
        load(folder, codec=codec)
    assert "\n" not in str(refused.value)


class Explosive:
    """Pickles to a call of os.system: what must never run."""

    def __reduce__(self):
        return (os.system, ("echo exploded > exploded",))


def test_a_pickle_in_place_of_the_weights_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(tmp_path / "c", STATE, CONFIG, "")
    torch.save(Explosive(), tmp_path / "c" / "model.safetensors")
    with pytest.raises(AudioformerError, match="damaged checkpoint"):
        load_checkpoint(tmp_path / "c")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["nothing", "no/such/folder", "../nowhere", "~/model", "./model"])
def test_unknown_names_are_refused_with_what_there_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioformerError, match=f"{name!r} is neither a folder nor bundled; use one of"):
        find_checkpoint(name)


def test_a_hub_name_without_a_network_is_refused(monkeypatch):
    monkeypatch.setenv("AUDIOFORMER_OFFLINE", "1")
    with pytest.raises(
        AudioformerError,
        match="nobody/nothing: no such folder, and the Hugging Face Hub has no such model or cannot be reached",
    ):
        find_checkpoint("nobody/nothing")


class LocalHub:
    """The two calls of the hub's client, onto folders in the layout of its cache."""

    def __init__(self, cache):
        self.cache = cache

    def create_repo(self, repo_id, private, exist_ok):
        assert private
        assert exist_ok
        (self.cache / f"models--{repo_id.replace('/', '--')}" / "refs").mkdir(parents=True, exist_ok=True)

    def upload_folder(self, repo_id, folder_path, allow_patterns, **_):
        home, commit = self.cache / f"models--{repo_id.replace('/', '--')}", "0" * 40
        (home / "refs" / "main").write_text(commit)
        (home / "snapshots" / commit).mkdir(parents=True)
        for name in os.listdir(folder_path):
            if name in allow_patterns:
                (home / "snapshots" / commit / name).write_bytes(open(os.path.join(folder_path, name), "rb").read())
        return commit


def test_a_checkpoint_goes_to_the_hub_and_comes_back_without_its_training_state(tmp_path, monkeypatch):
    constants = pytest.importorskip(
        "huggingface_hub.constants", reason='needs huggingface_hub: pip install "audioformer[train]"'
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOFORMER_OFFLINE", "1")
    save_checkpoint(tmp_path / "mine", STATE, CONFIG, "card")
    (tmp_path / "mine" / "state.pt").write_bytes(b"a training state")
    assert push_to_hub(tmp_path / "mine", "ann/model", api=LocalHub(tmp_path / "cache")) == "0" * 40
    state, config = load_checkpoint("ann/model")
    assert config == load_checkpoint(tmp_path / "mine")[1]
    assert torch.equal(state["a"], STATE["a"])
    assert sorted(p.name for p in find_checkpoint("ann/model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_what_is_no_checkpoint_is_not_sent_and_a_refusal_is_told(tmp_path):
    with pytest.raises(AudioformerError, match="neither a folder|has no config"):
        push_to_hub(tmp_path, "ann/model", api=LocalHub(tmp_path))
    save_checkpoint(tmp_path / "mine", STATE, CONFIG, "card")
    with pytest.raises(AudioformerError, match="the Hugging Face Hub refused .*hf auth login"):
        push_to_hub(tmp_path / "mine", "ann/model", api=object())


def test_the_wrong_codec_is_refused_by_name(classifier):
    folder, codec = classifier
    other = tiny_codec(seed=3, name="other")
    with pytest.raises(
        AudioformerError, match=f"classifier belongs to a codec with fingerprint '{codec.fingerprint}', but other has"
    ):
        load(folder, codec=other)
    with pytest.raises(AudioformerError, match="codec 'tiny' is not known"):
        load(folder)
    rewrite(folder, codec={"name": "tiny", "fingerprint": "\x1b[31m"})
    with pytest.raises(AudioformerError, match=r"fingerprint '\\x1b\[31m', but"):  # nothing that colours a terminal
        load(folder, codec=codec)


def test_a_pretrained_model_is_no_classifier_and_the_other_way_round(classifier, tmp_path):
    folder, codec = classifier
    with pytest.raises(AudioformerError, match="is a classifier; expected a folder of `audioformer pretrain`"):
        load_pretrained(folder)
    save_checkpoint(tmp_path / "pre", STATE, CONFIG, "")
    with pytest.raises(AudioformerError, match="is pretrained, not a classifier; fine-tune it first"):
        load(tmp_path / "pre", codec=codec)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("label_names"),
        lambda c: c.pop("codec"),
        lambda c: c.update(label_names=["one"]),
        lambda c: c["model"].update(d_model=64),
        lambda c: c.update(model=None),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(classifier, change):
    folder, codec = classifier
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AudioformerError, match="do not fit config.json|damaged checkpoint"):
        load(folder, codec=codec)


def test_the_hash_of_weights_tells_models_apart():
    assert weights_hash(STATE) == weights_hash(dict(reversed(STATE.items())))
    assert weights_hash(STATE) != weights_hash({**STATE, "n": torch.tensor([4.0])})
    assert weights_hash(STATE) != weights_hash({"b": STATE["a"], "n": STATE["n"]})


def test_a_folder_with_a_bundled_name_does_not_hide_the_bundled_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("esc10").mkdir()
    assert find_checkpoint("esc10") == assets_folder() / "checkpoints" / "esc10"
    assert find_checkpoint("./esc10") == find_checkpoint(Path("esc10")) == Path("esc10")
