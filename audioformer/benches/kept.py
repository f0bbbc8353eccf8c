"""What matters is kept: a classifier trained on originals is tested on decoded sounds it has never heard.

The classifier is the classic baseline (baseline.py), so that no network of ours, trained on codes, is its own judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import resample
from audioformer.baseline import accuracy, clip_features, fit_svm
from audioformer.benches import fits, row
from audioformer.benches.opus import opus_rates, through_opus
from audioformer.codec import Codec
from audioformer.datasets import AudioDataset, Clip
from audioformer.errors import AudioformerError


@dataclass(frozen=True)
class KeptTest:
    """A labelled data set and which of its clips are tested.

    Attributes:
        dataset: one label a clip.
        test_names: patterns of file names ("4-*"); all other clips are trained on.
    """

    dataset: AudioDataset
    test_names: Sequence[str]

    def split(self) -> tuple[list[Clip], list[Clip]]:
        """(training clips, test clips).

        Raises:
            AudioformerError: several labels a clip, or nothing left on one side.
        """
        if self.dataset.multi_label or any(len(clip.labels) != 1 for clip in self.dataset):
            raise AudioformerError(f"{self.dataset.root}: clips need exactly one label each for this test; choose esc50, fsdd or folder")
        tested = [fits(clip.path, self.test_names) for clip in self.dataset]
        train = [clip for clip, is_test in zip(self.dataset, tested, strict=True) if not is_test]
        test = [clip for clip, is_test in zip(self.dataset, tested, strict=True) if is_test]
        if not train or not test:
            names, total = ", ".join(self.test_names), len(self.dataset)
            raise AudioformerError(f"{self.dataset.root}: {names} names {len(test)} of {total} clips; some must be tested, but not all")
        return train, test


def kept_rows(codec: Codec, test: KeptTest, progress: Callable[[int, int], None] | None = None) -> list[dict]:
    """Accuracy on originals, on decoded sounds for every number of codebooks, and on Opus.

    Args:
        codec: mono.
        test: data and split.
        progress: called with (clips done, clips in all).

    Returns:
        Rows of the benchmark: "ours" is the accuracy on the sounds that the case names, "peer" that on the originals,
        "loss_points" how much lower, in hundredths.
    """
    train, tested = test.split()
    total = len(train) + len(tested)
    features = []
    for done, clip in enumerate(train, 1):
        features.append(clip_features(_sound(clip, codec), codec.sample_rate))
        if progress:
            progress(done, total)
    svm = fit_svm(np.stack(features), [clip.labels[0] for clip in train])
    heard: dict[str, list[np.ndarray]] = {}
    for done, clip in enumerate(tested, len(train) + 1):
        for case, samples in _versions(_sound(clip, codec), codec):
            heard.setdefault(case, []).append(clip_features(samples, codec.sample_rate))
        if progress:
            progress(done, total)
    labels = [clip.labels[0] for clip in tested]
    shares = {case: accuracy(svm, np.stack(vectors), labels) for case, vectors in heard.items()}
    original, name = shares.pop("originals"), test.dataset.name
    return [row(f"{name}: originals", original, "accuracy", section="kept", n=len(tested))] + [
        row(f"{name}: {case}", share, "accuracy", original, section="kept", loss_points=100 * (original - share), n=len(tested))
        for case, share in shares.items()
    ]


def _sound(clip: Clip, codec: Codec) -> Tensor:
    """(N,) of a clip at the codec's rate: what leaves a codec is at that rate too."""
    sound = clip.load(mono=True)
    return resample(sound.samples[0], sound.sample_rate, codec.sample_rate)


@torch.no_grad()
def _versions(samples: Tensor, codec: Codec):
    """(case, samples) of a sound and of what codecs make of it."""
    yield "originals", samples
    codes = codec.encode(samples, codec.sample_rate)
    for k in range(1, codec.n_codebooks + 1):
        yield f"{k} codebooks", codec.decode(codes[:, :k], len(samples))[0, 0].cpu()
    for kbps in opus_rates():
        yield f"Opus {kbps} kbit/s", through_opus(samples, codec.sample_rate, kbps)
