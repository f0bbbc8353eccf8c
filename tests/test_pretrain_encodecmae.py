"""Pre-training EnCodecMAE: chance, learning, seeds, resuming, the second stage, guesses to hear, the command line."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tiny import codec_about, tiny_codec, tone_folder

import audioformer as af
from audioformer.cli import main
from audioformer.codecs.compact_files import save_compact
from audioformer.data.corpus import Corpus
from audioformer.data.join import join
from audioformer.encodecmae.config import mae_preset
from audioformer.encodecmae.guess import guess_clip, guess_sounds
from audioformer.encodecmae.model import EncodecMAE
from audioformer.encodecmae.pretrain import MAE_RECIPES, FrameModelling, mae_recipe
from audioformer.encodecmae.second_stage import activations, fit_clusters, nearest_cluster, sample_activations
from audioformer.errors import AudioformerError
from audioformer.finetune import FineTuning
from audioformer.recipes import TrainConfig, finetune_preset
from audioformer.start import load_pretrained
from audioformer.train import train

WIDTH = 5


@dataclass(frozen=True)
class FramedClip:
    """Codes that can be told from the frames around them; K rows, T frames, F numbers."""

    codes: torch.Tensor
    frames: torch.Tensor
    labels: tuple[int, ...] = (0,)
    weights: tuple[float, ...] = (1.0,)
    events: tuple = ()
    id: str = "clip"


def clips(n: int = 8, n_frames: int = 60, seed: int = 0) -> list[FramedClip]:
    """Each clip repeats one code; its frames show which, in noise."""
    rng = np.random.default_rng(seed)
    table = np.random.default_rng(99).normal(size=(16, WIDTH))
    found = []
    for i in range(n):
        code = int(rng.integers(16))
        frames = table[code][:, None] + 0.1 * rng.normal(size=(WIDTH, n_frames))
        codes = torch.full((2, n_frames), code)
        found.append(FramedClip(codes, torch.from_numpy(frames.astype(np.float32)), (i % 2,)))
    return found


def recipe(targets: str = "codes", frames: str = "latents", **train_changes):
    settings = {"n_steps": 4, "batch_size": 4, **train_changes}
    sizes = mae_preset("test", codebook_size=16, frame_width=WIDTH, targets=targets, n_clusters=8, frames=frames)
    return replace(mae_recipe("test"), model=sizes, train=TrainConfig(**settings), crop_s=0.6, min_crop_s=0.4)


def made(config=None, data=None, **options) -> FrameModelling:
    return FrameModelling(config or recipe(), data if data is not None else clips(), codec_about(), **options)


def test_losses_stand_beside_their_chance_level():
    task = made(recipe(validate_every=2), held_out=clips(3, seed=9))
    assert task.chance["masked"] == task.chance["visible"] == pytest.approx(math.log(16))
    records = list(train(task, task.config.train))
    first = records[0].losses
    assert set(first) == {"total", "masked", "visible", "accuracy", "row1", "row2"}
    w1, w2 = task.config.model.row_weights
    assert first["masked"] == pytest.approx(w1 * first["row1"] + w2 * first["row2"], rel=1e-5)
    assert first["total"] == pytest.approx(0.9 * first["masked"] + 0.1 * first["visible"], rel=1e-5)
    assert records[1].validation["score"] == pytest.approx(-records[1].validation["masked"])


def test_it_learns_what_the_visible_frames_tell():
    config = recipe(n_steps=80, learning_rate=5e-3, batch_size=8)
    records = list(train(made(config), config.train))
    assert records[0].losses["masked"] > 0.8 * math.log(16)
    assert records[-1].losses["masked"] < 0.4 * math.log(16)
    assert records[-1].losses["accuracy"] > 0.7


def test_frames_targets_and_gaps_of_a_step_belong_together():
    frames, codes, hidden = made().batch(3)
    again, _, same = made().batch(3)
    assert torch.equal(frames.tokens, again.tokens)
    assert torch.equal(hidden, same)
    assert frames.tokens.shape[2] == codes.shape[2] == hidden.shape[1]
    table = torch.from_numpy(np.random.default_rng(99).normal(size=(16, WIDTH))).float()
    for i, n in enumerate(frames.lengths.tolist()):
        assert torch.equal(torch.cdist(frames.tokens[i, :, :n].T, table).argmin(1), codes[i, 0, :n])
        assert int(hidden[i].sum()) == n // 2


def test_optimiser_settings_are_the_authors():
    task = made()
    from audioformer.optim import make_optimizer

    assert make_optimizer(task, 1e-4, 0.05, betas=task.betas).defaults["betas"] == (0.9, 0.95)
    for name, layers in (("small", 5), ("base", 10), ("large", 20)):
        authors = MAE_RECIPES[name]
        assert authors.model.n_layers == layers
        assert (authors.mask_ratio, authors.gap, authors.masked_share, authors.crop_s) == (0.5, 15, 0.9, 4.0)
        assert (authors.train.learning_rate, authors.train.batch_size, authors.train.n_steps) == (1e-4, 128, 500_000)
        assert (authors.train.weight_decay, authors.train.schedule, authors.train.warm_up_share) == (
            0.05,
            "constant",
            0.0,
        )
    second = MAE_RECIPES["second-stage"]
    assert (second.model.targets, second.model.n_clusters) == ("kmeans", 1024)
    assert second.train == replace(MAE_RECIPES["base"].train, n_steps=150_000)


def test_what_is_exported_opens_again(tmp_path):
    config = recipe(average=0.5)
    task = made(config)
    list(train(task, config.train, tmp_path))
    model, about = load_pretrained(tmp_path, expect=codec_about())
    assert isinstance(model, EncodecMAE)
    assert about["method"] == "encodecmae"
    assert model.config == config.model
    torch.testing.assert_close(model.encoders[0].frame_mean, task.model.encoders[0].frame_mean, atol=1e-2, rtol=1e-2)
    card = (tmp_path / "README.md").read_text()
    assert "sees frames (latents), guesses codes" in card
    assert "chance 2.773" in card


def finished(tmp_path, **changes) -> EncodecMAE:
    config = recipe(**changes)
    list(train(made(config), config.train, tmp_path / "first"))
    return load_pretrained(tmp_path / "first")[0]


def test_clusters_are_the_nearest_centres():
    vectors = torch.cat([torch.randn(50, 3) * 0.1 + centre for centre in (-4.0, 0.0, 4.0)])
    centres = fit_clusters(vectors, 3)
    assert sorted(centres.mean(1).round().tolist()) == [-4, 0, 4]
    numbers = nearest_cluster(vectors.reshape(3, 50, 3), centres)
    assert torch.equal(numbers, torch.cdist(vectors, centres).argmin(1).reshape(3, 50))
    assert all(len(row.unique()) == 1 for row in numbers)
    assert torch.equal(centres, fit_clusters(vectors, 3))
    with pytest.raises(AudioformerError, match="150 frames cannot make 151 clusters"):
        fit_clusters(vectors, 151)


def test_activations_are_the_last_layer_before_the_final_norm(tmp_path):
    teacher = finished(tmp_path)
    frames = clips()[0].frames[None]
    out = teacher(frames, need_hidden=True)
    torch.testing.assert_close(activations(teacher, frames), out.all_hidden[-1][:, 0])
    assert not torch.allclose(out.all_hidden[-1], out.hidden)
    taken = sample_activations(teacher, clips(5), window=30, n_frames=40)
    assert taken.shape == (40, 16)
    assert torch.equal(taken, sample_activations(teacher, clips(5), window=30, n_frames=40))
    assert sample_activations(teacher, clips(2, n_frames=7), window=30, n_frames=1000).shape == (14, 16)


@pytest.mark.parametrize("targets", ["kmeans", "both"])
def test_the_second_stage_guesses_what_the_teacher_hears(tmp_path, targets):
    start, config = finished(tmp_path), recipe(targets, n_steps=3)
    task = made(config, start=start)
    for name, value in start.encoders.state_dict().items():
        assert torch.equal(value, task.model.encoders.state_dict()[name]), name
    frames, codes, _ = task.batch(0)
    found = task._targets(frames, codes)
    heard = activations(start, frames.tokens, frames.padding)
    assert torch.equal(found[:, -1], nearest_cluster(heard, task.model.clusters))
    if targets == "both":
        assert torch.equal(found[:, :2], codes)
        assert torch.equal(task.model.heads[0].weight, start.heads[0].weight)
    records = list(train(task, config.train, tmp_path / "second"))
    assert "clusters" in records[0].losses
    assert records[0].chance["clusters"] == pytest.approx(math.log(8))
    model, about = load_pretrained(tmp_path / "second")
    torch.testing.assert_close(model.clusters, task.model.clusters, atol=1e-2, rtol=1e-2)
    assert about["model"]["targets"] == targets


def test_a_wide_student_learns_from_a_narrow_teacher(tmp_path):
    teacher, config = finished(tmp_path), recipe("kmeans", n_steps=1)
    wide = replace(config, model=replace(config.model, d_model=24))
    task = made(wide, teacher=teacher)
    assert task.model.clusters.shape == (8, 16)
    list(train(task, wide.train, tmp_path / "wide"))
    assert load_pretrained(tmp_path / "wide")[0].clusters.shape == (8, 16)


def test_second_stages_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(AudioformerError, match="needs a finished model"):
        made(recipe("kmeans"))
    start = finished(tmp_path)
    deeper = recipe("kmeans")
    with pytest.raises(AudioformerError, match="sizes of the model to continue from are fixed"):
        made(replace(deeper, model=replace(deeper.model, n_layers=1)), start=start)
    quantised = recipe("kmeans", frames="quantised")
    with pytest.raises(AudioformerError, match="both must read the same"):
        made(quantised, teacher=start, codebooks=torch.zeros(2, 16, WIDTH))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": []}, "at least one clip"),
        ({"config": recipe(frames="quantised")}, "needs the codec's codebooks"),
        ({"data": [replace(clips(1)[0], frames=torch.zeros(9, 60))]}, "holds frames of 9 numbers"),
        ({"config": replace(recipe(), model=mae_preset("test", frame_width=5))}, "codebook_size=1024 of the model"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(AudioformerError, match=message):
        made(**options)


@pytest.mark.parametrize("method", ["ft1", "probe"])
def test_it_is_fine_tuned_and_probed_like_an_audioformer(tmp_path, method):
    model, data = finished(tmp_path), clips()
    data = [replace(clip, labels=(int(clip.codes[0, 0]) % 2,)) for clip in data]
    config = replace(finetune_preset("test"), method=method, token_mask=0.2, crop_s=0.6, min_crop_s=0.4)
    task = FineTuning(config, model, data, ["even", "odd"], False, codec_about(), data)
    trained = {name for name, p in task.named_parameters() if p.requires_grad}
    assert "classifier.head.weight" in trained
    assert any("encoders" in name for name in trained) == (method == "ft1")
    batch, targets, *_ = task.batch(0)
    assert batch.padding.sum() > 0  # frames taken away
    assert targets.tolist() == [clip.labels[0] for clip in task.sampler.draw(0)[0]]
    list(train(task, config.train, tmp_path / "classifier"))
    assert task.validate()["n"] == 8
    about = json.loads((tmp_path / "classifier" / "config.json").read_text())
    assert about["method"] == "encodecmae"
    assert "frames (latents)" in (tmp_path / "classifier" / "README.md").read_text()
    with pytest.raises(AudioformerError, match="rows='summed': use ft1"):
        FineTuning(replace(config, method="ft2"), model, data, ["even", "odd"], False, codec_about())
    with pytest.raises(AudioformerError, match="keep_tables: a model of the method encodecmae has no token embeddings"):
        FineTuning(replace(config, keep_tables=True), model, data, ["even", "odd"], False, codec_about())


def test_guesses_of_a_clip_and_their_sound():
    config = recipe(n_steps=80, learning_rate=5e-3, batch_size=8)
    task, clip = made(config), clips()[0]
    list(train(task, config.train))
    guess = guess_clip(task.model, clip.frames, clip.codes, seed=1)
    assert int(guess.target_mask.sum()) == 30
    assert guess.codes.shape == guess.guessed.shape == guess.confidence.shape == (2, 60)
    assert guess.accuracy().mean() > 0.6
    right = guess.guessed == guess.codes
    assert torch.equal(guess.confidence[right], guess.truth[right])
    assert (guess.truth <= guess.confidence).all()
    codec = tiny_codec()
    sounds = guess_sounds(guess, codec)
    assert {name: len(sound) for name, sound in sounds.items()} == dict.fromkeys(sounds, 60 * 320)
    torch.testing.assert_close(sounds["original"], codec.decode(clip.codes)[0, 0])
    silent = guess.target_mask.repeat_interleave(320)
    assert sounds["with gaps"][silent].abs().max() == 0
    assert torch.equal(sounds["with gaps"][~silent], sounds["original"][~silent])
    mine = guess_clip(task.model, clip.frames, clip.codes, target_mask=torch.arange(60) < 10)
    assert mine.target_mask.sum() == 10


def test_guesses_that_cannot_be_made_are_refused(tmp_path):
    start, clip = finished(tmp_path), clips()[0]
    with pytest.raises(AudioformerError, match="one frame must stay visible"):
        guess_clip(start, clip.frames, clip.codes, target_mask=torch.ones(60))
    with pytest.raises(AudioformerError, match="must be"):
        guess_clip(start, clip.frames, clip.codes[:, :9])
    with pytest.raises(AudioformerError, match="clusters, which have no sound"):
        guess_clip(made(recipe("kmeans"), start=start).model, clip.frames, clip.codes)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A codec, sounds, and corpora with and without frames."""
    desk = tmp_path_factory.mktemp("desk")
    save_compact(tiny_codec(name="codec"), desk / "codec")
    tone_folder(desk / "tones", n=8, duration_s=0.6)
    codec = ["--dataset", "folder", "--codec", str(desk / "codec")]
    for name, more in (("plain", []), ("latents", ["--frames", "latents"]), ("mel", ["--frames", "mel256"])):
        assert main(["prepare", str(desk / "tones"), "-o", str(desk / name), *codec, *more]) == 0
    return desk


def test_a_corpus_keeps_frames_beside_its_codes(desk):
    codec, corpus = af.load_codec(desk / "codec"), Corpus.open(desk / "latents")
    item, plain = corpus[3], Corpus.open(desk / "plain")
    assert corpus.info.frames == "latents"
    wave = af.load_audio(next((desk / "tones").glob("*" + item.id.split("/")[-1].removesuffix(".wav") + "*")), 24_000)
    expected = codec.latents(wave)[0]
    torch.testing.assert_close(item.frames, expected, atol=0.02, rtol=0.02)
    assert item.frames.shape[1] == item.codes.shape[1]
    assert plain[3].frames is None
    assert torch.equal(plain[3].codes, item.codes)
    assert Corpus.open(desk / "mel")[0].frames.shape[0] == 256
    assert join([corpus, corpus.select(folds=1)])[8].frames is not None
    mixed = join([corpus, plain])
    assert mixed.info.frames is None
    assert mixed[0].frames is None


@pytest.mark.parametrize(("corpus", "frames"), [("latents", "latents"), ("mel", "mel256"), ("plain", "quantised")])
def test_from_the_command_line_to_a_label(desk, tmp_path, monkeypatch, corpus, frames):
    monkeypatch.chdir(tmp_path)
    pretrain = f"pretrain {desk / corpus} --method encodecmae"
    small = "--set model.n_clusters=8 --set train.n_steps=1 --set train.batch_size=2"
    for words in (
        f"{pretrain} --preset test --set model.frames={frames} --codec {desk / 'codec'} -o mae --held-out-folds 2",
        f"{pretrain} --preset test --from mae --targets kmeans --set model.n_clusters=8 -o second",
        f"{pretrain} --preset second-stage --from mae {small} -o authors",
        f"finetune {desk / corpus} --from second --preset test -o clf --held-out-folds 2",
    ):
        assert main(words.split()) == 0
    assert load_pretrained("authors")[0].config == load_pretrained("second")[0].config
    codec = af.load_codec(desk / "codec")
    sound = sorted((desk / "tones").glob("*.wav"))[0]
    opened = af.load("clf", codec=codec)
    assert sorted(opened.label_names) == ["high", "low"]
    found = opened.classify(sound)
    assert sum(found.probabilities) == pytest.approx(1, abs=1e-4)
    assert opened.embed(sound).shape == (16,)
    assert opened.embed(sound, frames=True).shape == (45, 16)
    codes = opened.codes(sound)
    assert opened.frame_probabilities(codes).shape == (45, 2)
    hidden = torch.zeros(codes.shape, dtype=torch.bool)
    hidden[:, :20] = True
    assert not torch.equal(opened.classify_codes(codes).embedding, opened.classify_codes(codes, hidden).embedding)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("plain --method encodecmae", "holds codes only and the model reads latents: prepare it with --frames latents"),
        ("mel --method encodecmae", "holds frames mel256 and the model reads latents"),
        ("latents --method encodecmae --rows summed", "--only-row: EnCodecMAE reads frames"),
        ("latents --method encodecmae --targets kmeans", "needs a finished model"),
        ("latents --targets kmeans", "belongs to --method encodecmae"),
    ],
)
def test_command_lines_that_do_not_fit_are_refused(desk, tmp_path, capsys, words, message):
    corpus, *rest = words.split()
    assert main(["pretrain", str(desk / corpus), *rest, "--preset", "test", "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
