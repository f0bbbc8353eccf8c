"""Does coding lose what matters? A classifier that was trained on originals is tested on decoded sounds.

The classifier is the classic baseline (baseline.py), so that no network of ours, trained on codes, is its own judge.
One such machine can gain or lose a clip by the chance of what it was trained on; so the loss is also the mean over
machines that each learn from a bootstrap sample of the training clips (Efron, 1979), drawn within each class.
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
from audioformer.data.datasets.base import load_told
from audioformer.errors import AudioformerError
from audioformer.evaluation.baseline import accuracy, clip_features, fit_svm
from audioformer.evaluation.benches import row
from audioformer.evaluation.benches.opus import opus_rates, through_opus
from audioformer.reading.files import fits

N_SAMPLES = 50  # bootstrap samples of the training clips, one more machine each


@dataclass(frozen=True)
class ClassifierTest:
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


def classifier_rows(codec: Codec, test: ClassifierTest, show: Callable[[str], None]) -> list[dict]:
    """Accuracy on originals, on decoded sounds for every number of codebooks, and on Opus.

    Args:
        codec: mono.
        test: data and split.
        show: called with how much is done.

    Returns:
        Rows of the benchmark: "ours" is the accuracy on the sounds that the case names, "peer" that on the originals,
        "loss_points" how much lower, in hundredths; "mean_loss_points" and "loss_std" the same over `N_SAMPLES`
        machines.
    """
    train, tested = test.split()
    labels, train_labels = (np.array([clip.labels[0] for clip in clips]) for clips in (tested, train))
    name, features, cases = test.dataset.name, [], {}
    for done, clip in enumerate(train, 1):
        features.append(clip_features(_sound(clip, codec), codec.sample_rate))
        show(f"classifier on {name}: {done} of {len(train)} training clips")
    for done, clip in enumerate(tested, 1):
        for case, samples in _decoded(_sound(clip, codec), codec):
            cases.setdefault(case, []).append(clip_features(samples, codec.sample_rate))
        show(f"classifier on {name}: {done} of {len(tested)} test clips")
    features, cases = np.stack(features), {case: np.stack(vectors) for case, vectors in cases.items()}

    def accuracies(clips: np.ndarray | slice) -> dict[str, float]:
        svm = fit_svm(features[clips], train_labels[clips])
        return {case: accuracy(svm, vectors, labels) for case, vectors in cases.items()}

    single, random = accuracies(slice(None)), np.random.default_rng(0)
    sampled = [accuracies(_bootstrap(train_labels, random)) for _ in range(N_SAMPLES)]
    original, about = single.pop("originals"), {"section": "kept", "n": len(tested)}
    rows = [row(f"{name}: originals", original, "accuracy", **about)]
    for case, share in single.items():
        losses = [100 * (one["originals"] - one[case]) for one in sampled]
        about |= {"loss_points": 100 * (original - share), "n_samples": N_SAMPLES}
        about |= {"mean_loss_points": float(np.mean(losses)), "loss_std": float(np.std(losses))}
        rows.append(row(f"{name}: {case}", share, "accuracy", original, **about))
    return rows


def _bootstrap(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Clip numbers drawn with replacement, as many of each class as there are."""
    classes = (np.flatnonzero(labels == label) for label in np.unique(labels))
    return np.concatenate([random.choice(members, len(members)) for members in classes])


def _sound(clip: Clip, codec: Codec) -> Tensor:
    """(N,) of a clip at the codec's rate: what leaves a codec is at that rate too."""
    sound = load_told(clip)
    return resample(sound.samples[0], sound.sample_rate, codec.sample_rate)


@torch.no_grad()
def _decoded(samples: Tensor, codec: Codec):
    """(case, samples) of a sound and of what codecs make of it."""
    yield "originals", samples
    codes = codec.encode(samples, codec.sample_rate)
    for k in range(1, codec.n_codebooks + 1):
        yield f"{k} codebooks", codec.decode(codes[:, :k], len(samples))[0, 0].cpu()
    for kbps in opus_rates():
        yield f"Opus {kbps} kbit/s", through_opus(samples, codec.sample_rate, kbps)
