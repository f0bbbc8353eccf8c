"""How many files a second are named: ours beside log-mel statistics with an SVM, and beside Hugging Face's classifier.

    audioformer bench files ESC-10/audio

From file to label, reading and resampling included, turn and turn about in one run; medians. Each way goes through the
files one after the other, with all of torch's threads, and side by side as `side_by_side` does it. Hugging Face's
Wav2Vec 2.0 for classification has the width, blocks and heads of `esc10`, in its convolutions too, reads files in
batches of 16, and has random weights: the work is the same. The support vector machine was fitted to the same files
before.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from audioformer.audio import load_audio, save_audio
from audioformer.classify import AudioClassifier, load
from audioformer.codecs.encodec_files import torchaudio_or_stand_in
from audioformer.data.side_by_side import is_large, side_by_side
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import clip_features, fit_svm
from audioformer.evaluation.benches import machine, row
from audioformer.evaluation.benches.encode import sounds
from audioformer.evaluation.codings import classify_codings
from audioformer.evaluation.features import encoder_parameters
from audioformer.reading.files import sound_files

CLIP_S, BATCH, THEIR_RATE, CONVOLUTIONS = 5.0, 16, 16_000, 7  # seconds; clips; Hz; theirs before the blocks
UNIT = "clips of 5 s a second"


def bench_files(
    files: Sequence[Path], checkpoint: str = "esc10", repeats: int = 3, progress: Callable[[str], None] | None = None
) -> dict:
    """Measure.

    Args:
        files: sounds, at least two.
        checkpoint: whose classifier names them.
        repeats: rounds, each way in turn, after one that is not counted; medians count.
        progress: called with what is being measured.

    Returns:
        The benchmark: "ours" and "peer" go side by side, "ours_in_turn" and "peer_in_turn" one file after the other;
        "n_parameters" is what stands between a sound and its label, ours and theirs.

    Raises:
        AudioformerError: a file that cannot be read, or transformers or scikit-learn is missing.
    """
    say, clf = progress or (lambda _: None), load(checkpoint)
    if len(files) < 2:
        raise AudioformerError(f"{len(files)} files: give at least two, or none to measure computed ones")
    seconds = sum(load_audio(file).duration_s for file in files)
    svm = fit_svm(np.stack([_features(file) for file in files]), [i % 2 for i in range(len(files))])
    theirs, named = hugging_face(clf)
    one_by_one = {
        "ours": lambda file: classify_codings(clf, file, 1),  # with all that `audioformer classify` says
        "svm": lambda file: svm.predict(_features(file)[None]),
        "theirs": lambda file: named([file]),
    }
    ways = {
        f"{name} side by side": lambda work=work: list(side_by_side(files, work, is_large))
        for name, work in one_by_one.items()
    }
    ways |= {f"{name} in turn": lambda work=work: list(map(work, files)) for name, work in one_by_one.items()}
    ways["theirs in turn"] = lambda: [named(files[i : i + BATCH]) for i in range(0, len(files), BATCH)]
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(repeats + 1):
        for name, way in ways.items():
            say(f"round {round_} of {repeats}: {name}")
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    speed = {name: seconds / CLIP_S / statistics.median(own[1:]) for name, own in times.items()}
    mine = encoder_parameters(clf.codec) + sum(p.numel() for p in clf.classifier.parameters())
    peers = {
        "svm": ("log-mel and MFCC statistics, SVM", None),
        "theirs": ("Hugging Face's Wav2Vec 2.0", sum(p.numel() for p in theirs.parameters())),
    }
    rows = [
        row(
            f"{clf.name} beside {title}",
            speed["ours side by side"],
            UNIT,
            speed[f"{name} side by side"],
            ours_in_turn=speed["ours in turn"],
            peer_in_turn=speed[f"{name} in turn"],
            n_parameters=[mine, n],
        )
        for name, (title, n) in peers.items()
    ]
    return {"name": "files", "n_files": len(files), "seconds": seconds, "machine": machine(), "rows": rows}


def _features(file: Path) -> np.ndarray:
    """Statistics of a file, as the classic baseline takes them."""
    sound = load_audio(file, mono=True)
    return clip_features(sound.samples[0], sound.sample_rate)


def hugging_face(clf: AudioClassifier) -> tuple[torch.nn.Module, Callable[[Sequence[Path]], list[int]]]:
    """A fresh Wav2Vec 2.0 of the sizes of a classifier, and what names files with it.

    Raises:
        AudioformerError: transformers is not installed.
    """
    try:
        with torchaudio_or_stand_in():
            from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification
    except ImportError as error:
        raise AudioformerError(
            f'a peer of this benchmark is not installed ({error}); run `pip install "audioformer[dev]"`'
        ) from error
    torch.manual_seed(0)
    c = clf.classifier.config
    sizes = {"hidden_size": c.d_model, "num_hidden_layers": c.n_layers, "num_attention_heads": c.n_heads}
    sizes |= {"intermediate_size": c.d_ff, "classifier_proj_size": c.d_model, "num_labels": len(clf.label_names)}
    model = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(conv_dim=(c.d_model,) * CONVOLUTIONS, **sizes)).eval()
    extract = Wav2Vec2FeatureExtractor(sampling_rate=THEIR_RATE)

    @torch.inference_mode()
    def named(files: Sequence[Path]) -> list[int]:
        heard = [load_audio(file, THEIR_RATE, mono=True).samples[0].numpy() for file in files]
        inputs = extract(heard, sampling_rate=THEIR_RATE, padding=True, return_tensors="pt")
        return model(**inputs).logits.argmax(-1).tolist()

    return model, named


@contextmanager
def computed_files(n: int) -> Iterator[list[Path]]:
    """So many WAV files of 5 s at 44.1 kHz, every one another rising tone."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i:04d}.wav" for i in range(n)]
        for path, samples in zip(paths, sounds(n, CLIP_S, 44_100), strict=True):
            save_audio(path, samples, 44_100)
        yield paths


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure with the options of the command line."""
    options = arguments.checkpoint, arguments.repeats, show
    if arguments.folder:
        return bench_files(sound_files(arguments.folder)[: arguments.clips], *options)
    with computed_files(arguments.clips) as files:
        return bench_files(files, *options)


COLUMNS = {
    "case": "case",
    "clips of 5 s a second": "ours",
    "peer": "peer",
    "ratio": "ratio",
    "ours, file by file": "ours_in_turn",
    "peer, file by file": "peer_in_turn",
}
