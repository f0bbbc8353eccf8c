"""prepare.py, corpus.py, corpus_format.py: what goes in comes out, once, in whole shards, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from audioformer.cli.corpora import choose
from audioformer.cli.parser import build_parser
from audioformer.codecs.blocks import BlockCodec
from audioformer.data.augment import AugmentConfig
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.corpus_format import shard_path
from audioformer.data.datasets import AudioDataset, Clip, open_dataset
from audioformer.data.join import join
from audioformer.errors import AudioformerError

RATE = 8000


class TinyCodec(BlockCodec):
    """A real residual quantiser over random projections of 80-sample frames: seeded, 100 frames a second."""

    name, sample_rate, channels, hop_length, n_codebooks, codebook_size = "tiny", RATE, 1, 80, 3, 32
    licence, look_ahead_s = "none", 0.0

    def __init__(self, seed: int = 0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.projection = nn.Parameter(torch.randn(80, 4, generator=generator))
        self.entries = nn.Parameter(torch.randn(3, 32, 4, generator=generator))

    def codebooks(self):
        return self.entries

    def block_frames(self, start):
        return max(8, min(start, 32))

    def encode_block(self, samples, memory):
        return (samples.reshape(len(samples), -1, 80) @ self.projection).transpose(1, 2), memory

    def quantise(self, latents, n_codebooks):
        left, rows = latents.transpose(1, 2), []
        for entries in self.entries[:n_codebooks]:
            rows.append(torch.cdist(left, entries).argmin(-1))
            left = left - entries[rows[-1]]
        return torch.stack(rows, 1)


CODEC = TinyCodec()


def make_dataset(folder: Path, n: int = 10, multi_label: bool = False) -> AudioDataset:
    """N clips of 0.1 to 0.4 s: two classes, two folds, three groups, one event each where multi_label."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, clips = np.random.default_rng(5), []
    for i in range(n):
        path = folder / f"clip {i:04d} ö.wav"
        soundfile.write(str(path), rng.uniform(-0.5, 0.5, 800 + 240 * (i % 11)), RATE, subtype="FLOAT")
        label = ("a", "b")[i % 2]
        events = ((label, 0.02, 0.06),) if multi_label else ()
        split = "test" if i % 5 == 4 else "train"
        clips.append(Clip(f"c{i}", path, (label,), 1 + i % 2 if i != 3 else None, split, f"g{i % 3}", events=events))
    return AudioDataset("made", folder, tuple(clips), ("a", "b"), multi_label)


def prepared(data: AudioDataset, folder: Path, **options) -> Corpus:
    list(prepare(data, CODEC, folder, **options))
    return Corpus.open(folder)


def files_in(folder: Path) -> list[str]:
    """Names, without the locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".lock"))


def equal_items(first: Corpus, second: Corpus) -> None:
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one.codes, two.codes)
        assert replace(one, codes=None) == replace(two, codes=None)


def test_every_clip_comes_out_as_it_went_in(tmp_path):
    data = make_dataset(tmp_path / "data")
    records = list(prepare(data, CODEC, tmp_path / "corpus"))
    corpus = Corpus.open(str(tmp_path / "corpus"))
    assert [record.clip_id for record in records] == [clip.id for clip in data]
    assert [record.done for record in records] == list(range(1, 11))
    assert records[-1].total == 10
    assert records[-1].audio_s == pytest.approx(sum(clip.load().duration_s for clip in data))
    assert len(corpus) == 10
    for clip, item in zip(data, corpus, strict=True):
        wave = clip.load()
        assert torch.equal(item.codes, CODEC.encode(wave)[0])
        assert item.codes.dtype == torch.int64
        assert (item.id, item.fold, item.split, item.group, item.variant) == (
            clip.id,
            clip.fold,
            clip.split,
            clip.group,
            0,
        )
        assert (item.labels, item.weights, item.events) == ((data.label_index(clip.labels[0]),), (1.0,), ())
        assert item.n_samples == wave.samples.shape[1]
        assert item.duration_s == pytest.approx(wave.duration_s)
    assert corpus.codec == {
        "name": "tiny",
        "fingerprint": CODEC.fingerprint,
        "sample_rate": RATE,
        "frame_rate": 100.0,
        "codebook_size": 32,
    }
    assert (corpus.label_names, corpus.multi_label) == (("a", "b"), False)


def test_the_files_are_hugging_face_arrow_with_small_codes(tmp_path):
    from datasets import Dataset

    prepared(make_dataset(tmp_path / "data"), tmp_path / "corpus", n_codebooks=2, n_shards=2)
    names = files_in(tmp_path / "corpus")
    assert names == ["corpus.json", "shard-00000-of-00002.arrow", "shard-00001-of-00002.arrow"]
    rows = Dataset.from_file(str(tmp_path / "corpus" / names[1]))
    assert rows.features["codes"].feature.dtype == "uint16"
    row = rows[3]
    assert np.array(row["codes"]).reshape(row["n_codebooks"], row["n_frames"]).shape == (2, row["n_frames"])
    about = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    assert about["codec"]["fingerprint"] == CODEC.fingerprint
    assert (about["n_codebooks"], about["n_shards"], about["version"], about["label_names"]) == (2, 2, 1, ["a", "b"])


def test_events_and_multi_label_targets(tmp_path):
    corpus = prepared(make_dataset(tmp_path / "data", multi_label=True), tmp_path / "corpus")
    assert corpus[1].events == ((1, pytest.approx(0.02), pytest.approx(0.06)),)
    with pytest.raises(AudioformerError, match="clips have several labels; use label_matrix"):
        _ = corpus.labels
    np.testing.assert_array_equal(corpus.label_matrix, np.eye(2)[[0, 1] * 5])


def test_selections(tmp_path):
    corpus = prepared(make_dataset(tmp_path / "data"), tmp_path / "corpus", variants=2, augment="light")
    assert {item.fold for item in corpus.select(folds=[1])} == {1}
    assert {item.fold for item in corpus.select(not_folds=1)} == {2, None}
    assert [item.id for item in corpus.select(split="test", variants=0)] == ["c4", "c9"]
    assert len(corpus.select(variants=[1])) == 10
    assert {item.group for item in corpus.select(groups=("g0", "g2"))} == {"g0", "g2"}
    assert {item.group for item in corpus.select(not_groups="g0")} == {"g1", "g2"}
    both = corpus.select(ids=["c7", "c2"]).select(variants=0)
    assert [item.id for item in both] == ["c2", "c7"]
    assert both.column("id").tolist() == ["c2", "c7"]
    assert [item.id for item in corpus.subset([5, 0])] == ["c2", "c0"]
    assert corpus[-1].id == "c9"
    assert both.labels.tolist() == [0, 1]
    with pytest.raises(IndexError, match="row 2 of 2"):
        both[2]
    with pytest.raises(
        AudioformerError, match=r"has \{'fold': \[5\]\}; it has folds 1, 2; splits test, train; variants 0, 1"
    ):
        corpus.select(folds=[5])


def test_train_and_test_selections_share_nothing(tmp_path):
    corpus = prepared(make_dataset(tmp_path / "data", 20), tmp_path / "corpus", variants=3, augment="strong-mixup")
    train, test = corpus.select(folds=[1]), corpus.select(folds=[2], variants=0)
    assert not set(train.column("id")) & set(test.column("id"))


def test_variants_are_augmented_reproducibly(tmp_path):
    data = make_dataset(tmp_path / "data")
    first = prepared(data, tmp_path / "one", variants=3, augment="strong", seed=4)
    equal_items(first, prepared(data, tmp_path / "two", variants=3, augment="strong", seed=4, n_shards=5))
    other = prepared(data, tmp_path / "three", variants=3, augment="strong", seed=5)
    assert torch.equal(first[0].codes, other[0].codes)
    assert not all(
        torch.equal(a.codes, b.codes) for a, b in zip(first, other, strict=True) if a.codes.shape == b.codes.shape
    )
    equal_items(prepared(data, tmp_path / "plain"), first.select(variants=0))


def test_mixed_labels_share_the_weight(tmp_path):
    config = AugmentConfig(mixup_chance=1.0, mixup_weight=(0.75, 0.75))
    corpus = prepared(make_dataset(tmp_path / "data"), tmp_path / "corpus", variants=6, augment=config)
    matrix = corpus.label_matrix
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    assert {round(float(v), 2) for v in matrix.flatten()} <= {0.0, 0.25, 0.75, 1.0}
    np.testing.assert_array_equal(corpus.labels, [int(item.id[1:]) % 2 for item in corpus])
    assert corpus.info.augment["mixup_weight"] == (0.75, 0.75) or corpus.info.augment["mixup_weight"] == [0.75, 0.75]


MIXED = {"variants": 5, "augment": AugmentConfig(mixup_chance=0.8), "n_shards": 2}


def mixed_dataset(folder: Path) -> AudioDataset:
    """Twelve clips: fold 1 has the sources g0, g1, g2, fold 2 has g3; two clips of g0 are the official test set."""
    clips = make_dataset(folder, 12).clips
    places = [(1, "train", f"g{i % 3}") for i in range(6)] + [(1, "test", "g0")] * 2 + [(2, "train", "g3")] * 4
    clips = (
        replace(clip, fold=fold, split=split, group=group)
        for clip, (fold, split, group) in zip(clips, places, strict=True)
    )
    return AudioDataset("made", folder, tuple(clips), ("a", "b"))


def heard(corpus: Corpus) -> list[set[str]]:
    """Ids of the clips to be heard in each row."""
    return [{own, mixed} - {""} for own, mixed in zip(corpus.column("id"), corpus.column("partner"), strict=True)]


def test_who_is_mixed_in_is_written_down(tmp_path):
    data = mixed_dataset(tmp_path / "data")
    corpus, clips = prepared(data, tmp_path / "corpus", **MIXED), {clip.id: clip for clip in data}
    columns = [corpus.column(name).tolist() for name in ("id", "variant", "partner", "partner_group")]
    n_mixed = 0
    for item, own, variant, partner, group in zip(corpus, *columns, strict=True):
        assert variant or not partner
        if not partner:
            assert (group, item.weights) == ("", (1.0,))
            continue
        n_mixed += 1
        assert (clips[partner].fold, clips[partner].split, clips[partner].group) == (
            clips[own].fold,
            clips[own].split,
            group,
        )
        assert set(item.labels) == {data.label_index(clips[one].labels[0]) for one in (own, partner)}
    assert 0.6 * 48 < n_mixed < 48
    assert set(prepared(data, tmp_path / "unmixed", variants=2, augment="light").column("partner")) == {""}


def test_a_selection_holds_no_mixture_with_a_clip_it_leaves_out(tmp_path):
    corpus = prepared(mixed_dataset(tmp_path / "data"), tmp_path / "corpus", **MIXED)
    of_g0 = {own for own, group in zip(corpus.column("id"), corpus.column("group"), strict=True) if group == "g0"}
    rest = corpus.select(not_groups="g0")
    assert not any(ids & of_g0 for ids in heard(rest))
    assert len(rest) == sum(not ids & of_g0 for ids in heard(corpus))
    np.testing.assert_array_equal(rest.indices, corpus.select(not_ids=of_g0).indices)
    assert all(ids <= {"c1", "c2"} for ids in heard(corpus.select(ids=["c1", "c2"])))
    assert all(ids <= of_g0 for ids in heard(corpus.select(groups="g0")))
    assert len(corpus.select(not_folds=1)) == len(corpus.select(folds=2)) == 20
    assert set(corpus.select(not_split="test").column("split")) == {"train"}


@pytest.mark.parametrize(
    ("option", "held_out"),
    [(["--held-out-groups", "g0"], "g0"), (["--held-out-share", "0.2"], "g0 g1 g2 g3"), (["--not-groups", "g0"], "g0")],
)
def test_nothing_is_trained_on_in_which_a_held_out_clip_is_heard(tmp_path, option, held_out, capsys):
    data = mixed_dataset(tmp_path / "data")
    data = replace(data, clips=tuple(replace(clip, fold=None, split=None) for clip in data))
    prepared(data, tmp_path / "corpus", **MIXED)
    chosen = choose(
        build_parser().parse_args(["finetune", str(tmp_path / "corpus"), "--from", "x", "-o", "x", *option])
    )
    away = {item.id for item in chosen.held_out} or {clip.id for clip in data if clip.group == "g0"}
    assert {clip.group for clip in data if clip.id in away} <= set(held_out.split())
    assert not any(ids & away for ids in heard(chosen.clips))
    assert set(chosen.clips.column("variant")) == set(range(5))
    assert ("coded mixtures are left out" in capsys.readouterr().err) == bool(len(chosen.held_out))


def test_long_clips_are_cut(tmp_path):
    corpus = prepared(make_dataset(tmp_path / "data"), tmp_path / "corpus", clip_s=0.15, variants=2, augment="light")
    assert corpus.column("n_samples").max() == 1200
    assert corpus.column("n_frames").max() == 15


def test_stereo_files_are_coded_as_the_codec_would(tmp_path):
    path = tmp_path / "data" / "a" / "x.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(str(path), np.random.default_rng(0).uniform(-0.5, 0.5, (1600, 2)), 16000, subtype="FLOAT")
    corpus = prepared(open_dataset("folder", tmp_path / "data"), tmp_path / "corpus")
    stereo, rate = soundfile.read(str(path), dtype="float32")
    assert torch.equal(corpus[0].codes, CODEC.encode(stereo.T, rate)[0])


def test_parts_by_several_processes_make_the_same_corpus(tmp_path):
    data = make_dataset(tmp_path / "data", 12)
    whole = prepared(data, tmp_path / "whole", n_shards=4)
    records = list(prepare(data, CODEC, tmp_path / "parts", shard=(2, 2), n_shards=4))
    assert {record.shard for record in records} == {1, 3}
    assert records[-1].total == 6
    with pytest.raises(
        AudioformerError, match=r"2 of 4 shards are missing, e.g. shard-00000-of-00004.arrow; run the same prepare"
    ):
        Corpus.open(tmp_path / "parts")
    assert len(Corpus.open(tmp_path / "parts", allow_unfinished=True)) == 6
    list(prepare(data, CODEC, tmp_path / "parts", shard=(1, 2)))
    equal_items(whole, Corpus.open(tmp_path / "parts"))


def test_a_second_run_does_nothing(tmp_path):
    data = make_dataset(tmp_path / "data")
    prepared(data, tmp_path / "corpus", n_shards=3)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()}
    records = list(prepare(data, CODEC, tmp_path / "corpus"))
    assert [(record.clip_id, record.done) for record in records] == [("", 3), ("", 6), ("", 10)]
    assert records[-1].audio_s == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_codebooks": 1}, "n_codebooks 3 there, 1 asked for"),
        ({"seed": 1}, "seed 0 there, 1 asked for"),
        ({"n_shards": 5}, "n_shards 1 there, 5 asked for"),
        ({"clip_s": 0.2}, "clip_s null there, 0.2 asked for"),
        ({"variants": 2, "augment": "light"}, "variants 1 there, 2 asked for; augment null there"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, change, message):
    data = make_dataset(tmp_path / "data", 5)
    prepared(data, tmp_path / "corpus")
    with pytest.raises(AudioformerError, match=f"holds another corpus: .*{message}"):
        list(prepare(data, CODEC, tmp_path / "corpus", **change))


def test_another_codec_or_other_clips_are_refused(tmp_path):
    data = make_dataset(tmp_path / "data", 5)
    prepared(data, tmp_path / "corpus")
    with pytest.raises(AudioformerError, match="holds another corpus: codec .*fingerprint"):
        list(prepare(data, TinyCodec(seed=1), tmp_path / "corpus"))
    with pytest.raises(AudioformerError, match="clips_hash .* n_clips 5 there, 4 asked for"):
        list(prepare(replace(data, clips=data.clips[:4]), CODEC, tmp_path / "corpus"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": (0, 2)}, "shard 0/2: the first number goes from 1"),
        ({"shard": (3, 2)}, "shard 3/2"),
        ({"variants": 0}, "variants=0 must be at least 1"),
        ({"variants": 2}, "give augment='light' or 'strong'"),
        ({"variants": 2, "augment": "none"}, "would all be equal"),
        ({"augment": "wild", "variants": 2}, "augmentation 'wild' is unknown"),
        ({"clip_s": 0}, "clip_s=0 must be above 0"),
        ({"seed": -1}, "seed=-1"),
        ({"n_codebooks": 9}, "n_codebooks=9: tiny has 1 to 3"),
        ({"n_shards": 99}, "n_shards=99 must be 1 to 5"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, options, message):
    with pytest.raises(AudioformerError, match=message):
        list(prepare(make_dataset(tmp_path / "data", 5), CODEC, tmp_path / "corpus", **options))
    assert not (tmp_path / "corpus" / "corpus.json").exists()


def test_folders_that_will_not_do(tmp_path):
    data = make_dataset(tmp_path / "data", 5)
    (tmp_path / "file").touch()
    with pytest.raises(AudioformerError, match="is a file; give a folder"):
        list(prepare(data, CODEC, tmp_path / "file"))
    (tmp_path / "odd").mkdir()
    shard_path(tmp_path / "odd", 0, 1).touch()
    with pytest.raises(AudioformerError, match=r"holds shards but no corpus.json"):
        list(prepare(data, CODEC, tmp_path / "odd"))
    with pytest.raises(AudioformerError, match=r"is not a corpus \(it has no corpus.json\); make one with"):
        Corpus.open(tmp_path / "odd")


def test_leaving_early_loses_only_the_open_shard(tmp_path):
    data = make_dataset(tmp_path / "data")
    run = prepare(data, CODEC, tmp_path / "corpus", n_shards=5)
    for _ in range(5):  # the first two shards hold four clips
        next(run)
    run.close()  # as Ctrl-C would
    assert sorted(p.name for p in (tmp_path / "corpus").glob("shard-*.arrow")) == [
        f"shard-{i:05d}-of-00005.arrow" for i in (0, 1)
    ]
    assert not list((tmp_path / "corpus").glob(".writing-*"))
    records = list(prepare(data, CODEC, tmp_path / "corpus"))
    assert [record.clip_id for record in records] == ["", "", "c4", "c5", "c6", "c7", "c8", "c9"]
    equal_items(Corpus.open(tmp_path / "corpus"), prepared(data, tmp_path / "whole"))


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_corpus import CODEC, make_dataset, prepare
for number, record in enumerate(prepare(make_dataset(Path({data!r})), CODEC, {corpus!r}, n_shards=5), start=1):
    if number == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_half_way_goes_on_where_it_stopped(tmp_path):
    data, folder = make_dataset(tmp_path / "data"), tmp_path / "corpus"
    code = KILLED.format(tests=str(Path(__file__).parent), data=str(tmp_path / "data"), corpus=str(folder), after=7)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(folder.glob("shard-*.arrow"))) == 3
    left_over = list(folder.glob(".writing-*"))
    assert len(left_over) == 1  # a kill leaves the half-written file, under a name that nothing reads
    corpus = prepared(data, folder)
    assert not list(folder.glob(".writing-*"))
    equal_items(corpus, prepared(data, tmp_path / "whole"))


WAITING = """
import sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_corpus import CODEC, make_dataset, prepare
run = prepare(make_dataset(Path({data!r})), CODEC, {corpus!r}, n_shards=4, shard=(1, 2))
next(run)
print("at work", flush=True)
sys.stdin.read()
"""


def test_two_processes_do_not_do_the_same_part(tmp_path):
    data, folder = make_dataset(tmp_path / "data"), tmp_path / "corpus"
    code = WAITING.format(tests=str(Path(__file__).parent), data=str(tmp_path / "data"), corpus=str(folder))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1], **pipes) as other:
        assert other.stdout.readline() == "at work\n"
        for shard in ((1, 2), (1, 1), None):
            with pytest.raises(AudioformerError, match=rf"process {other.pid} on .* works here; wait until it ends"):
                list(prepare(data, CODEC, folder, n_shards=4, shard=shard))
        half_written = list(folder.glob(".writing-*"))
        list(prepare(data, CODEC, folder, n_shards=4, shard=(2, 2)))
        assert list(folder.glob(".writing-*")) == half_written  # the other one's, who is at work
        other.kill()
    corpus = prepared(data, folder, n_shards=4)
    assert len(corpus) == 10
    assert not list(folder.glob(".writing-*"))


def test_what_is_missing_of_a_clip_is_written_down(tmp_path):
    data = make_dataset(tmp_path / "data", 20)
    content = data[7].path.read_bytes()
    data[7].path.write_bytes(content[: len(content) // 2])
    soundfile.write(data[9].path, np.zeros(4000), RATE)
    records = list(prepare(data, CODEC, tmp_path / "corpus", n_shards=2))
    assert [record.clip_id for record in records if record.notes] == ["c7", "c9"]
    corpus = Corpus.open(tmp_path / "corpus")
    assert len(corpus) == 20
    assert list(corpus.notes) == ["c7", "c9"]
    assert "are missing: the file was cut short" in corpus.notes["c7"][0]
    assert corpus.notes["c9"][0].startswith("silence: nothing in it is above -100 dB")
    assert corpus.select(folds=1).notes == join([corpus]).notes == corpus.notes
    assert corpus.statistics()["with_notes"] == 2


def test_what_is_changed_of_a_clip_for_a_codec_of_one_channel_is_written_down_too(tmp_path):
    data = make_dataset(tmp_path / "data", 20)
    tone = 0.5 * np.sin(np.arange(4000) / 5)
    soundfile.write(data[3].path, np.stack([tone, -tone], 1), RATE)
    soundfile.write(data[5].path, np.stack([tone] * 32, 1), RATE)
    soundfile.write(data[9].path, 0.004 * tone, RATE)
    corpus = prepared(data, tmp_path / "corpus")
    assert corpus.notes["c3"] == [
        "its two channels are each other's opposite and cancel out; the second was turned over"
    ]
    assert corpus.notes["c5"][0].startswith("only the first of its channels is heard")
    assert corpus.notes["c9"][0].startswith("very quiet (-57 dB of full scale)")
    assert list(corpus.notes) == ["c3", "c5", "c9"]


def test_unreadable_clips_are_left_out_and_named(tmp_path):
    data = make_dataset(tmp_path / "data", 40)
    data[7].path.write_bytes(b"RIFFjunk")
    data[30].path.unlink()
    records = list(prepare(data, CODEC, tmp_path / "corpus", n_shards=4))
    assert [record.clip_id for record in records if record.problem] == ["c7", "c30"]
    assert "not a readable sound file" in records[7].problem
    assert records[-1].n_problems == 2
    corpus = Corpus.open(tmp_path / "corpus")
    assert len(corpus) == 38
    assert set(corpus.problems) == {"c7", "c30"}
    assert corpus.statistics()["unreadable"] == 2
    assert list(prepare(data, CODEC, tmp_path / "corpus"))[-1].n_problems == 2


def test_a_mended_shard_forgets_its_problems(tmp_path):
    data = make_dataset(tmp_path / "data", 20)
    content = data[3].path.read_bytes()
    data[3].path.write_bytes(b"junk")
    prepared(data, tmp_path / "corpus", n_shards=2)
    data[3].path.write_bytes(content)
    shard_path(tmp_path / "corpus", 0, 2).unlink()
    corpus = prepared(data, tmp_path / "corpus")
    assert len(corpus) == 20
    assert corpus.problems == {}


def test_too_many_unreadable_clips_stop_the_run(tmp_path):
    data = make_dataset(tmp_path / "data")
    for index in (1, 5):
        data[index].path.write_bytes(b"junk")
    with pytest.raises(
        AudioformerError,
        match=r"2 of the first 6 clips \(of 10\) are unreadable, more than a tenth; mend.* The last, c5: not a",
    ):
        list(prepare(data, CODEC, tmp_path / "corpus"))
    assert files_in(tmp_path / "corpus") == ["corpus.json"]


@pytest.mark.parametrize("damage", ["truncate", "empty", "text"])
def test_damaged_shards_are_named(tmp_path, damage):
    data = make_dataset(tmp_path / "data", 6)
    prepared(data, tmp_path / "corpus", n_shards=2)
    path = shard_path(tmp_path / "corpus", 1, 2)
    path.write_bytes({"truncate": path.read_bytes()[:900], "empty": b"", "text": b"not arrow " * 99}[damage])
    with pytest.raises(
        AudioformerError, match=r"shard-00001-of-00002.arrow: damaged .*; delete it and run the same prepare again"
    ):
        Corpus.open(tmp_path / "corpus")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "codec": {}, "label_names": []}', "\x00\x01", "null"]
)
def test_a_damaged_description_is_named(tmp_path, content):
    prepared(make_dataset(tmp_path / "data", 3), tmp_path / "corpus")
    (tmp_path / "corpus" / "corpus.json").write_text(content)
    with pytest.raises(AudioformerError, match=r"corpus.json: damaged .*; prepare the corpus again in a new folder"):
        Corpus.open(tmp_path / "corpus")


def described_anew(tmp_path, changes):
    """A corpus whose description says something else."""
    prepared(make_dataset(tmp_path / "data", 3), tmp_path / "corpus")
    path = tmp_path / "corpus" / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_number_of_shards_that_nobody_has_is_not_believed(tmp_path):
    """Not one shard is looked for: of 10^9 that took hours."""
    described_anew(tmp_path, {"n_shards": 100_001})
    with pytest.raises(AudioformerError, match="n_shards is 100001, not a whole number from 1 to 100000"):
        Corpus.open(tmp_path / "corpus")


def test_another_format_version_is_refused(tmp_path):
    described_anew(tmp_path, {"version": 99})
    with pytest.raises(AudioformerError, match="format 99, this audioformer reads 1; prepare it again"):
        Corpus.open(tmp_path / "corpus")


def test_statistics_and_code_counts(tmp_path):
    corpus = prepared(make_dataset(tmp_path / "data"), tmp_path / "corpus")
    numbers = corpus.statistics()
    assert (numbers["rows"], numbers["clips"], numbers["per_label"]) == (10, 10, {"a": 5, "b": 5})
    assert numbers["per_fold"] == {"1": 5, "2": 4}
    assert numbers["per_split"] == {"test": 2, "train": 8}
    assert numbers["hours"] * 3600 == pytest.approx(corpus.column("n_samples").sum() / RATE, rel=1e-5)
    counts = corpus.code_counts()
    assert counts.shape == (3, 32)
    assert counts.sum(1).tolist() == [numbers["frames"]] * 3
    np.testing.assert_array_equal(counts[0], np.bincount(torch.cat([i.codes[0] for i in corpus]).numpy(), minlength=32))


def test_join_unites_labels_by_name(tmp_path):
    first = prepared(make_dataset(tmp_path / "data", multi_label=True), tmp_path / "one", n_codebooks=2)
    data = replace(make_dataset(tmp_path / "more", 4, multi_label=True), label_names=("b", "a"), name="other")
    second = prepared(data, tmp_path / "two")
    corpus = join([first.select(folds=1), second])
    assert (corpus.label_names, corpus.info.n_codebooks, corpus.info.dataset) == (("a", "b"), 2, "made+other")
    assert len(corpus) == len(first.select(folds=1)) + 4
    item = corpus[len(corpus) - 1]
    assert (item.id, item.labels, item.events[0][0]) == ("c3", (1,), 1)
    assert torch.equal(item.codes, second[3].codes[:2])
    assert len(join([first, first.select(folds=2)]).select(folds=2)) == 2 * len(first.select(folds=2))


def test_join_refuses_other_codecs(tmp_path):
    first = prepared(make_dataset(tmp_path / "data", 3), tmp_path / "one")
    list(prepare(make_dataset(tmp_path / "data", 3), TinyCodec(seed=2), tmp_path / "two"))
    with pytest.raises(AudioformerError, match="holds codes of tiny .* prepare both with one codec"):
        join([first, Corpus.open(tmp_path / "two")])
    with pytest.raises(AudioformerError, match="at least one corpus"):
        join([])


def test_without_the_training_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    for call in (
        lambda: list(prepare(make_dataset(tmp_path / "data", 2), CODEC, tmp_path / "c")),
        lambda: Corpus.open(tmp_path),
    ):
        with pytest.raises(AudioformerError, match=r'pip install "audioformer\[train\]"'):
            call()
    assert not (tmp_path / "c").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes, which Windows lacks")
def test_a_full_disk_is_an_error_and_leaves_whole_shards_only(tmp_path):
    import resource

    data = make_dataset(tmp_path / "data", 40)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # every file ends after 4 kB, as on a full disk
        with pytest.raises(AudioformerError, match="cannot be written .*; free space or choose another folder"):
            list(prepare(data, CODEC, tmp_path / "corpus"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert files_in(tmp_path / "corpus") == ["corpus.json"]
    assert len(prepared(data, tmp_path / "corpus")) == 40


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to measure memory")
def test_memory_stays_flat_over_2000_clips(tmp_path):
    data = make_dataset(tmp_path / "data", 20)
    many = replace(data, clips=tuple(replace(clip, id=f"{clip.id}-{i}") for i in range(100) for clip in data.clips))
    sizes = [resident_mb() for _ in prepare(many, CODEC, tmp_path / "corpus")]
    assert len(sizes) == 2000
    assert max(sizes[200:]) - sizes[200] < 20


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux to see what is mapped")
def test_codes_are_mapped_and_not_read_into_memory(tmp_path):
    import pyarrow

    data = make_dataset(tmp_path / "data", 20)
    many = replace(data, clips=tuple(replace(clip, id=f"{clip.id}-{i}") for i in range(50) for clip in data.clips))
    list(prepare(many, CODEC, tmp_path / "corpus", n_shards=2))
    size = sum(path.stat().st_size for path in (tmp_path / "corpus").glob("shard-*.arrow"))
    before = pyarrow.total_allocated_bytes()
    corpus = Corpus.open(tmp_path / "corpus")
    both = join([corpus.select(folds=1), corpus.select(folds=2)])
    n_codes = sum(corpus.codes(i).numel() for i in range(len(corpus))) + sum(
        both.codes(i).numel() for i in range(len(both))
    )
    assert n_codes > size / 4
    assert pyarrow.total_allocated_bytes() - before < size / 20
    maps = Path("/proc/self/maps").read_text()
    assert all(str(path) in maps for path in (tmp_path / "corpus").glob("shard-*.arrow"))


def test_real_recordings(data_root, tmp_path):
    data = open_dataset("fsdd", data_root / "fsdd").select(folds=[1])
    data = replace(data, clips=data.clips[::20])
    corpus = prepared(data, tmp_path / "corpus", variants=2, augment="strong")
    assert len(corpus) == 2 * len(data)
    assert torch.equal(corpus.select(variants=0)[3].codes, CODEC.encode(data[3].load())[0])


def rewritten(folder: Path, **columns) -> None:
    """Other values in the only shard of a corpus: {name: function of the old values}."""
    import pyarrow as pa
    from datasets import Dataset

    path = shard_path(folder, 0, 1)
    table = Dataset.from_file(str(path)).data.table
    table = pa.table({name: table.column(name) for name in table.column_names}, schema=table.schema)
    for name, change in columns.items():
        at = table.schema.get_field_index(name)
        kind = table.schema.field(at)
        table = table.set_column(at, kind, pa.array(change(table.column(name).to_pylist()), type=kind.type))
    with pa.ipc.new_stream(str(path) + ".new", table.schema) as writer:
        writer.write_table(table)
    Path(str(path) + ".new").replace(path)


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("labels", lambda rows: [[-1]] * len(rows), r"labels -1..-1 of 2"),
        ("labels", lambda rows: [[2]] * len(rows), r"labels 2..2 of 2"),
        ("labels", lambda rows: [[0, 1]] * len(rows), "weights of labels beyond"),
        ("weights", lambda rows: [[float("nan")]] * len(rows), "weights of labels beyond 0 to 1"),
        ("n_frames", lambda rows: [-1] * len(rows), "codes or frames of another size"),
        ("n_codebooks", lambda rows: [1] * len(rows), "codes or frames of another size"),
        ("codes", lambda rows: [[]] * len(rows), "codes or frames of another size"),
        ("codes", lambda rows: [None] * len(rows), "clips without codes"),
        ("id", lambda rows: [None] * len(rows), "clips without id"),
    ],
)
def test_damaged_rows_are_refused(tmp_path, column, change, message):
    prepared(make_dataset(tmp_path / "data", 5), tmp_path / "corpus")
    rewritten(tmp_path / "corpus", **{column: change})
    with pytest.raises(AudioformerError, match=rf"holds {message}.*; prepare the corpus again"):
        Corpus.open(tmp_path / "corpus")


def test_codes_beyond_the_codecs_are_refused_and_names_that_climb_out_reach_no_file(tmp_path):
    prepared(make_dataset(tmp_path / "data", 5), tmp_path / "corpus")
    rewritten(
        tmp_path / "corpus", codes=lambda rows: [[99] * len(row) for row in rows], id=lambda rows: ["../x"] * len(rows)
    )
    corpus = Corpus.open(tmp_path / "corpus")
    with pytest.raises(AudioformerError, match=r"codes of clip ../x go up to 99, beyond the codec's 32 entries"):
        corpus[0]
    assert not (tmp_path / "x").exists()
