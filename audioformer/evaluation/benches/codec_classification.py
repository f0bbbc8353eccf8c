"""What matters is kept: a classifier trained on originals is tested on decoded sounds it has never heard.

The classifier is the classic baseline (baseline.py), so that no network of ours, trained on codes, is its own judge. One such
machine can gain or lose a clip by the chance of what it was trained on; so the loss is also the mean over machines that each
learn from a bootstrap sample of the training clips (Efron, 1979), drawn within each class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import resample
from audioformer.codec import Codec
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import accuracy, clip_features, fit_svm
from audioformer.evaluation.benches import row
from audioformer.evaluation.benches.opus import opus_rates, through_opus
from audioformer.reading.files import fits

N_SAMPLES = 50  # bootstrap samples of the training clips, one more machine each


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
            raise AudioformerError(
                f"{self.dataset.root}: clips need exactly one label each for this test; choose esc50, fsdd or folder"
            )
        tested = [fits(clip.path, self.test_names) for clip in self.dataset]
        train = [clip for clip, is_test in zip(self.dataset, tested, strict=True) if not is_test]
        test = [clip for clip, is_test in zip(self.dataset, tested, strict=True) if is_test]
        if not train or not test:
            names, total = ", ".join(self.test_names), len(self.dataset)
            raise AudioformerError(
                f"{self.dataset.root}: {names} names {len(test)} of {total} clips; some must be tested, but not all"
            )
        return train, test


def kept_rows(codec: Codec, test: KeptTest, progress: Callable[[int, int], None] | None = None) -> list[dict]:
    """Accuracy on originals, on decoded sounds for every number of codebooks, and on Opus.

    Args:
        codec: mono.
        test: data and split.
        progress: called with (clips done, clips in all).

    Returns:
        Rows of the benchmark: "ours" is the accuracy on the sounds that the case names, "peer" that on the originals,
        "loss_points" how much lower, in hundredths; "mean_loss_points" and "loss_std" the same over `N_SAMPLES` machines.
    """
    train, tested = test.split()
    labels, known = [clip.labels[0] for clip in tested], np.array([clip.labels[0] for clip in train])
    done, total = 0, len(train) + len(tested) + N_SAMPLES

    def tell() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    features, heard = [], {}
    for clip in train:
        features.append(clip_features(_sound(clip, codec), codec.sample_rate))
        tell()
    for clip in tested:
        for case, samples in _versions(_sound(clip, codec), codec):
            heard.setdefault(case, []).append(clip_features(samples, codec.sample_rate))
        tell()
    features, heard = np.stack(features), {case: np.stack(vectors) for case, vectors in heard.items()}

    def shares(kept: np.ndarray | slice) -> dict[str, float]:
        svm = fit_svm(features[kept], known[kept])
        return {case: accuracy(svm, vectors, labels) for case, vectors in heard.items()}

    single, sampled, random = shares(slice(None)), [], np.random.default_rng(0)
    for _ in range(N_SAMPLES):
        sampled.append(shares(_bootstrap(known, random)))
        tell()
    original, name = single.pop("originals"), test.dataset.name
    rows = [row(f"{name}: originals", original, "accuracy", section="kept", n=len(tested))]
    for case, share in single.items():
        losses = [100 * (found["originals"] - found[case]) for found in sampled]
        rows.append(
            row(
                f"{name}: {case}",
                share,
                "accuracy",
                original,
                section="kept",
                n=len(tested),
                loss_points=100 * (original - share),
                mean_loss_points=float(np.mean(losses)),
                loss_std=float(np.std(losses)),
                n_samples=N_SAMPLES,
            )
        )
    return rows


def _bootstrap(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Clip numbers drawn with replacement, as many of each class as there are."""
    classes = (np.flatnonzero(labels == label) for label in np.unique(labels))
    return np.concatenate([random.choice(members, len(members)) for members in classes])


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
