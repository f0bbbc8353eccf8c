"""Does a label survive what a recording goes through? The same clips quieter, with noise, through a telephone, later.

    audioformer bench changes ESC-10 --dataset esc50 --folds 4 --checkpoint runs/esc10-fold4

Each clip is classified as it is and after every change of CHANGES. "stays" is the share of clips whose first label is
the one of the unchanged clip, "accuracy" is beside that of the unchanged clips. The noise is the same in every run.

Shapes: N samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from audioformer.classify import AudioClassifier
from audioformer.classify import load as load_classifier
from audioformer.data.datasets import AudioDataset, open_dataset
from audioformer.data.datasets.base import load_told
from audioformer.data.effects import add_noise, band_limit, low_rate, shift
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, row

PLAIN = "as it is"
LATER_S = 0.37  # not a whole number of frames
TELEPHONE_HZ, TELEPHONE_RATE_HZ = (300.0, 3400.0), 8000
Say = Callable[[str], None]


def changed(samples: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """(N,) float32 samples after every change, by its name; all of them (N,)."""

    def louder(by_db: float) -> np.ndarray:
        return samples * np.float32(10 ** (by_db / 20))

    return {
        PLAIN: samples,
        "30 dB quieter": louder(-30),
        "15 dB quieter": louder(-15),
        "6 dB louder": np.clip(louder(6), -1, 1),
        "white noise 20 dB below it": add_noise(samples, np.random.default_rng(0), 20.0, "white"),
        "telephone, 300 to 3400 Hz": telephone(samples, sample_rate),
        f"{LATER_S:g} s later": shift(samples, round(LATER_S * sample_rate)),
    }


def telephone(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """(N,) through a line: what lies outside 300 to 3400 Hz falls off, and what lies above 4 kHz is gone."""
    return low_rate(band_limit(samples, sample_rate, *TELEPHONE_HZ), sample_rate, TELEPHONE_RATE_HZ)


def measure(classifier: AudioClassifier, dataset: AudioDataset, say: Say) -> list[dict]:
    """Rows of one checkpoint, a row for each change.

    Raises:
        AudioformerError: the checkpoint gives several labels a clip, or knows no label of the data set.
    """
    if classifier.multi_label:
        raise AudioformerError(f"{classifier.name}: gives several labels a clip; here the first label counts")
    clips = [clip for clip in dataset if len(clip.labels) == 1 and clip.labels[0] in classifier.label_names]
    if not clips:
        raise AudioformerError(f"{dataset.root}: no clip has a label that {classifier.name} knows; nothing to measure")
    labels: dict[str, list[str]] = {}
    for done, clip in enumerate(clips, 1):
        sound = load_told(clip)
        for name, samples in changed(sound.samples[0].numpy(), sound.sample_rate).items():
            found = classifier.classify(samples, top_k=1, sample_rate=sound.sample_rate)
            labels.setdefault(name, []).append(found.labels[0])
        say(f"{classifier.name}: {done} of {len(clips)} clips")
    truth, plain = np.array([clip.labels[0] for clip in clips]), np.array(labels[PLAIN])
    right = float((plain == truth).mean())
    return [
        row(
            f"{classifier.name}: {name}",
            float((np.array(own) == truth).mean()),
            "accuracy",
            right,
            checkpoint=classifier.name,
            change=name,
            stays=float((np.array(own) == plain).mean()),
            chance=1 / len(classifier.label_names),
            n=len(clips),
        )
        for name, own in labels.items()
    ]


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Measure every checkpoint on the same clips."""
    dataset = open_dataset(arguments.dataset, arguments.root)
    if arguments.folds:
        dataset = dataset.select(folds=list(arguments.folds))
    rows = [line for name in arguments.checkpoint for line in measure(load_classifier(name), dataset, show)]
    return {"name": "changes", "machine": machine(), "rows": rows}


COLUMNS = {
    **{name: name for name in ("checkpoint", "change")},
    "accuracy": "ours",
    "unchanged": "peer",
    **{name: name for name in ("stays", "chance", "n")},
}
