"""Sound and sight: the contrast, the towers, learning from planted pairs, and all of it by the command line."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tiny import RATE, codec_about, tiny_codec, tone

from audioformer.audio import save_audio
from audioformer.audiovisual.config import AudioVisualConfig
from audioformer.audiovisual.contrast import (
    info_nce,
    mix_pictures,
    mix_sounds,
    mixing_weights,
    similarities,
    views_loss,
)
from audioformer.audiovisual.model import AudioVisual
from audioformer.audiovisual.pretrain import RECIPES, AudioVisualRecipe, PairContrast
from audioformer.audiovisual.scenes import KINDS
from audioformer.checkpoint import load_checkpoint
from audioformer.cli import main
from audioformer.codecs import load_codec
from audioformer.codecs.compact_files import save_compact
from audioformer.data.corpus import Corpus
from audioformer.errors import AudioformerError
from audioformer.recipes import TrainConfig
from audioformer.train import train


@dataclass(frozen=True)
class Heard:
    """What the task reads of a clip."""

    frames: torch.Tensor
    labels: tuple[int, ...]
    id: str
    codes: torch.Tensor
    weights: tuple[float, ...] = (1.0,)
    variant: int = 0


class Sounds(list):
    """Clips with names of classes, as a corpus has them."""

    def __init__(self, clips, label_names):
        super().__init__(clips)
        self.label_names = tuple(label_names)

    @property
    def label_matrix(self) -> np.ndarray:
        return np.eye(len(self.label_names), dtype=np.float32)[[clip.labels[0] for clip in self]]


def words(n: int = 200, n_frames: int = 30, seed: int = 0) -> Sounds:
    """Ten "words": a band of its own for each digit, in noise."""
    rng, clips = np.random.default_rng(seed), []
    for i in range(n):
        frames = rng.normal(-10, 1, (256, n_frames)).astype(np.float32)
        frames[24 * (i % 10) : 24 * (i % 10) + 24] += 8
        codes = torch.from_numpy(rng.integers(0, 16, (3, n_frames)))
        clips.append(Heard(torch.from_numpy(frames), (i % 10,), f"word {i}", codes))
    return Sounds(clips, "0123456789")


def knocks(n: int = 24, seed: int = 0) -> Sounds:
    """Three-second clips with one to four short sounds, in the classes that have a shape."""
    rng, clips = np.random.default_rng(seed), []
    for i in range(n):
        frames = rng.normal(-15, 0.3, (256, 225)).astype(np.float32)
        for onset in rng.integers(0, 200, rng.integers(1, 5)):
            frames[20 * (i % 12) : 20 * (i % 12) + 20, onset : onset + 12] += 12
        clips.append(Heard(torch.from_numpy(frames), (i % 12,), f"sound {i}", torch.zeros(3, 225, dtype=torch.int64)))
    return Sounds(clips, KINDS)


def recipe(steps: int = 60, batch: int = 32, **changes) -> AudioVisualRecipe:
    model = AudioVisualConfig(
        channels=4, d_model=32, n_layers=1, shared_width=16, codebook_size=16, n_codebooks=3, **changes.pop("model", {})
    )
    settings = TrainConfig(n_steps=steps, batch_size=batch, learning_rate=5e-3, validate_every=steps)
    return replace(AudioVisualRecipe(model, settings, sound_s=0.4), **changes)


def made(config=None, data=None, held_out=()) -> PairContrast:
    return PairContrast(config or recipe(), data if data is not None else words(), codec_about(), held_out)


def test_the_loss_is_what_one_computes_by_hand():
    scores = torch.tensor([[0.9, 0.1], [0.3, 0.4]])
    loss, hits = info_nce(scores, temperature=0.5)
    rows = [math.log(1 + math.exp((0.1 - 0.9) / 0.5)), math.log(1 + math.exp((0.3 - 0.4) / 0.5))]
    columns = [math.log(1 + math.exp((0.3 - 0.9) / 0.5)), math.log(1 + math.exp((0.1 - 0.4) / 0.5))]
    assert float(loss) == pytest.approx(sum(rows + columns) / 4, rel=1e-5)
    assert float(hits) == 1
    assert float(info_nce(torch.zeros(8, 8))[0]) == pytest.approx(math.log(8))
    with pytest.raises(AudioformerError, match="at least two clips"):
        info_nce(torch.zeros(1, 1))


def test_false_negatives_are_left_out_when_asked():
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    scores = torch.tensor([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])  # it cannot tell clips of one class
    assert float(info_nce(scores)[0]) > math.log(2) * 2 / 3 - 1e-6
    assert float(info_nce(scores, same=same)[0]) < 1e-3


def test_a_pair_is_as_alike_as_its_best_place_on_average_over_time():
    sound = torch.eye(2)[None, :, None]  # (1, 2 moments, 1, 2)
    picture = torch.zeros(1, 2, 3, 2)
    picture[0, 0, 1], picture[0, 1, 2] = torch.tensor([1.0, 0]), torch.tensor([0.5, 0.5])
    soft = [0.1 * math.log((math.exp(10 * best) + 2) / 3) for best in (1, 0.5)]
    assert float(similarities(sound, picture)) == pytest.approx(sum(soft) / 2)
    only = torch.tensor([[1.0, 0.0]])
    assert float(similarities(sound, picture, only)) == pytest.approx(soft[0])
    assert float(similarities(sound, picture[:, :, 1:2])) == pytest.approx((1 + 0) / 2)
    views = {"sound": torch.eye(4)[:, None, None], "codes": torch.eye(4)[:, None, None]}
    losses = views_loss({**views, "picture": torch.eye(4)[:, None, None]})
    assert {"sound-codes", "sound-picture", "codes-picture", "total"} <= set(losses)


def test_mixing_adds_energies_with_one_weight_for_sound_and_picture():
    weights = mixing_weights([torch.Generator().manual_seed(seed) for seed in range(200)])
    assert weights.mean() == pytest.approx(5 / 7, abs=0.03)
    two = torch.tensor([0.75, 0.25])
    mixed = mix_sounds(torch.tensor([[[0.0]], [[math.log(3)]]]), two).exp().flatten()
    assert mixed.tolist() == pytest.approx([0.75 * 1 + 0.25 * 3, 0.25 * 3 + 0.75 * 1])
    pictures = torch.tensor([0.0, 1.0])[:, None, None, None, None]
    assert mix_pictures(pictures, two).flatten().tolist() == [0.25, 0.25]


def test_padding_and_neighbours_change_no_frame():
    model = AudioVisual(recipe().model).eval()
    clips = [torch.randn(64, n) for n in (40, 24)]
    batch = model.collate(clips)
    together = model(batch.tokens, batch.padding).hidden[1, 0, :24]
    alone = model(clips[1][None]).hidden[0, 0]
    assert torch.allclose(together, alone, atol=1e-5)
    assert model(clips[0][None], need_hidden=True).all_hidden[1].shape == (1, 1, 40, 32)
    with pytest.raises(AudioformerError, match="no rows"):
        model(clips[0][None], rows=[0])


def found(task: PairContrast, data: Sounds) -> float:
    """Share of held-out words whose picture is ahead of those of nine other digits; chance 0.1."""
    from audioformer.audiovisual.digits import digit_pictures
    from audioformer.audiovisual.measure import clip_vectors, digit_vectors, retrieval

    task.eval()
    pictures, written = digit_pictures("test")
    sounds = clip_vectors(task.model, [task.model.inputs(clip) for clip in data])
    scores = retrieval(
        sounds.numpy(), data.label_matrix.argmax(1), digit_vectors(task.model, pictures).numpy(), written, 40
    )
    return scores["sound_to_picture_r1"]


@pytest.mark.parametrize(("pairing", "least", "most"), [("digit", 0.7, 1.0), ("shuffled", 0.0, 0.22)])
def test_what_belongs_together_is_found_and_shuffled_pairs_end_at_chance(pairing, least, most):
    task = made(recipe(160, pairing=pairing))
    records = list(train(task, task.config.train))
    assert least <= found(task, words(100, seed=7)) <= most
    if pairing == "shuffled":
        assert records[-1].losses["contrast"] > task.chance["contrast"] - 0.4
    else:
        assert records[-1].losses["contrast"] < task.chance["contrast"] - 0.5


def test_scenes_are_told_apart_and_a_view_of_codes_joins_in():
    config = recipe(steps=3, batch=6, model={"picture": "scenes", "codes": True}, sound_s=3.0)
    task = made(config, knocks(), knocks(6, seed=3))
    records = list(train(task, config.train))
    assert {"sound-codes", "sound-picture", "codes-picture"} <= set(records[-1].losses)
    assert records[-1].validation["score"] == pytest.approx(-records[-1].validation["total"])
    batch = task.batch(0)
    maps = task.model.eval().sound_map(batch["sound"].tokens, batch["picture"])
    assert maps.shape == (6, 15, 8, 8)
    views = task.views(batch)
    weights = task.weights(batch)
    assert torch.allclose(weights.sum(1), torch.ones(6))
    best = similarities(views["sound"], views["picture"], weights).diagonal()
    soft = 0.1 * (((maps.flatten(2) / 0.1).logsumexp(2) - math.log(64)) * weights).sum(1)
    assert torch.allclose(soft, best, atol=1e-5)


def test_fine_scenes_are_drawn_finer_and_coarse_ones_are_averaged():
    for resolution, size in ((0, 32), (50, 50), (8, 32)):
        config = recipe(steps=1, batch=4, model={"picture": "scenes"}, sound_s=3.0, resolution=resolution)
        pictures = made(config, knocks()).batch(0)["picture"]
        assert pictures.shape == (4, 15, 3, size, size)
        if resolution == 8:
            assert torch.equal(pictures[..., ::4, ::4].repeat_interleave(4, -1).repeat_interleave(4, -2), pictures)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mix": True, "model": {"codes": True}}, "codes are names and cannot be mixed"),
        ({"mix": True, "model": {"picture": "waveform"}}, "only bands and pictures can"),
        ({"resolution": 3}, "resolution=3 must divide"),
        ({"resolution": 50}, "resolution=50 must divide"),
        ({"pairing": "shufled"}, "nearest: shuffled"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"model": {"picture": "none"}}, "leaves a single view"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, message):
    with pytest.raises(AudioformerError, match=message):
        recipe(**changes)


def test_a_run_with_mixing_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    config = recipe(steps=6, batch=8, mix=True, resolution=4)
    whole, first, second = made(config), made(config), made(config)
    straight = list(train(whole, config.train))
    records = train(first, config.train, tmp_path / "run")
    for _ in range(3):
        next(records)
    records.close()
    resumed = list(train(second, config.train, tmp_path / "run"))
    assert [r.step for r in resumed] == [4, 5, 6]
    assert resumed[-1].losses == pytest.approx(straight[-1].losses, rel=1e-5)
    assert load_checkpoint(tmp_path / "run")[1]["recipe"]["mix"] is True


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A corpus of tones named as digits, with mel frames, and one without: (folder, codec folder)."""
    root = tmp_path_factory.mktemp("spoken")
    save_compact(tiny_codec(name=str(root / "codec")), root / "codec")
    for i in range(20):
        save_audio(root / "sounds" / str(i % 10) / f"{i}.wav", tone(200 * (1 + i % 10), 0.5, seed=i), RATE)
    for name, more in (("mel", ["--frames", "mel256"]), ("plain", [])):
        parts = [str(root / "sounds"), "--dataset", "folder", "--codec", str(root / "codec"), "-o", str(root / name)]
        assert main(["prepare", *parts, *more, "--json"]) == 0
    return root


def test_the_command_line_trains_it_and_all_that_follows_reads_it(spoken, tmp_path, capsys):
    capsys.readouterr()
    parts = ["--method", "audiovisual", "--preset", "test", "-o", str(tmp_path / "run"), "--set", "mix=true", "--json"]
    assert main(["pretrain", str(spoken / "mel"), *parts]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["method"], document["steps"]) == ("audiovisual", 4)
    assert document["chance"]["contrast"] == pytest.approx(math.log(4))
    assert "Wang et al. 2021" in (tmp_path / "run" / "README.md").read_text()
    parts = ["--from", str(tmp_path / "run"), "--preset", "test", "-o", str(tmp_path / "clf"), "--json"]
    assert main(["finetune", str(spoken / "mel"), *parts]) == 0
    capsys.readouterr()
    from audioformer.evaluation.features import open_encoder

    encoder = open_encoder(tmp_path / "run")
    assert encoder(torch.randn(2, 24_000)).shape == (2, 75, 16)
    assert encoder.every_layer(torch.randn(1, 24_000)).shape == (1, 2, 75, 16)


def test_a_waveform_is_the_other_view_of_its_bands(spoken):
    """The codes of a clip are decoded, and the stretch is that of the bands; two sounds are told apart by them."""
    corpus = Corpus.open(spoken / "mel")
    config = recipe(steps=30, batch=10, model={"picture": "waveform"})
    task = made(replace(config, model=replace(config.model, codebook_size=16, n_codebooks=2)), corpus)
    index, codec = 3, load_codec(str(spoken / "codec"))
    item = corpus[index]
    whole = codec.decode(torch.as_tensor(item.codes)[None].long())[0, 0]
    hop = codec.hop_length
    stretch = task.learned.wave(index, slice(2, 12), 20)
    assert torch.allclose(stretch[: 10 * hop], whole[2 * hop : 12 * hop], atol=1e-5)
    assert stretch[10 * hop :].tolist() == [0] * 10 * hop
    records = list(train(task, task.config.train))
    assert records[-1].losses["contrast"] < task.chance["contrast"] - 0.3
    assert task.views(task.batch(0))["waveform"].shape == (10, 1, 1, 16)


@pytest.mark.parametrize(
    ("corpus", "more", "message"),
    [
        ("plain", [], "holds codes only; prepare it with --frames mel256"),
        ("mel", ["--rows", "summed"], "--rows: the method audiovisual"),
        ("mel", ["--set", "model.picture=scenes", "--set", "sound_s=3"], "no object is drawn for the classes 0, 1"),
        ("mel", ["--preset", "digit"], "nearest: digits"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(spoken, tmp_path, capsys, corpus, more, message):
    parts = ["--method", "audiovisual", "--preset", "test", "-o", str(tmp_path / "run"), *more]
    assert main(["pretrain", str(spoken / corpus), *parts]) == 2
    assert message in capsys.readouterr().err


def test_the_presets_are_of_the_sizes_that_were_promised():
    sizes = {name: sum(p.numel() for p in AudioVisual(one.model).parameters()) for name, one in RECIPES.items()}
    assert all(100_000 < sizes[name] < 400_000 for name in ("digits", "scenes"))
