"""The classic baseline: statistics of a log-mel picture and a support vector machine. What a learned model has to beat.

    svm = fit_svm(dataset_features(train), labels)
    accuracy(svm, dataset_features(test), test_labels)

The recipe of the ESC-50 paper (Piczak 2015: means and deviations of MFCCs, an SVM), with the log-mel bands themselves
and the cepstra of six stretches of the clip added, so that the order of things counts too (a digit is a sequence).
Measured with one vector for both: 0.86 on ESC-10 (folds 1-4, each held out), 0.99 on digits of known speakers, 0.69
on digits of unseen speakers (each of six held out).

Shapes: N samples, M mel bands, T frames, F = 338 features, n clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import to_batch
from audioformer.codecs.spectra import log_mel
from audioformer.data.datasets.base import load_told
from audioformer.errors import AudioformerError

SAMPLE_RATE, WINDOW, HOP, N_MELS = 24_000, 1024, 320, 64  # Hz, samples, samples, bands
N_CEPSTRA, N_SEGMENT_CEPSTRA, N_SEGMENTS = 30, 20, 6
# below the clip's loudest cell: what lies deeper is digital silence or a coder's dither, and says nothing
RANGE_DB = 60.0


def clip_features(samples, sample_rate: int) -> np.ndarray:
    """One vector for one clip of any length.

    Args:
        samples: (N,) float or integer PCM.
        sample_rate: Hz; brought to 24 kHz, so that original and decoded sound are treated alike.

    Returns:
        (338,) float64: mean and deviation of 30 MFCCs, deviation of their differences, mean and deviation of 64 log-mel
        bands, then means of 20 MFCCs over six equal stretches. A change of gain moves the means of level alone.

    Raises:
        AudioformerError: no samples, not finite, or not one channel.
    """
    from scipy.fft import dct

    samples = torch.as_tensor(samples)
    if samples.dim() != 1:
        raise AudioformerError(f"samples have shape {tuple(samples.shape)}; expected (N,), one channel")
    mel = log_mel(to_batch(samples, sample_rate, SAMPLE_RATE)[0, 0], SAMPLE_RATE, WINDOW, HOP, N_MELS).double().numpy()
    mel = np.maximum(mel, mel.max() - RANGE_DB / 20 * np.log(10))
    cepstra = dct(mel, axis=0, norm="ortho")[:N_CEPSTRA]
    steps = np.diff(cepstra, axis=1, append=cepstra[:, -1:])
    edges = np.linspace(0, mel.shape[1], N_SEGMENTS + 1)
    stretches = [
        cepstra[:N_SEGMENT_CEPSTRA, int(a) : max(int(a) + 1, int(b))] for a, b in zip(edges, edges[1:], strict=False)
    ]
    means = [stretch.mean(1) for stretch in stretches]
    return np.concatenate([cepstra.mean(1), cepstra.std(1), steps.std(1), mel.mean(1), mel.std(1), *means])


def dataset_features(clips: Iterable, change: Callable[[Tensor, int], tuple[Tensor, int]] | None = None) -> np.ndarray:
    """Vectors of a whole data set.

    Args:
        clips: with `load(mono=True)`, as those of `audioformer.data.datasets`.
        change: takes samples (N,) and their rate, returns both after a codec or another treatment; None leaves them.

    Returns:
        (n, F).
    """
    sounds = (load_told(clip) for clip in clips)
    pairs = ((sound.samples[0], sound.sample_rate) for sound in sounds)
    return np.stack([clip_features(*(pair if change is None else change(*pair))) for pair in pairs])


def fit_svm(features: np.ndarray, labels: Sequence, c: float = 10.0):
    """Standardise each feature, then a support vector machine with a radial kernel.

    Args:
        features: (n, F).
        labels: n names or numbers, at least two different ones.
        c: price of a training clip on the wrong side.

    Returns:
        scikit-learn pipeline with `predict`; no randomness in it.

    Raises:
        AudioformerError: fewer than two classes, counts that differ, or scikit-learn is missing.
    """
    try:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC
    except ImportError as error:
        raise AudioformerError('the baseline needs scikit-learn; run `pip install "audioformer[train]"`') from error
    if len(features) != len(labels) or len(set(labels)) < 2:
        raise AudioformerError(
            f"{len(features)} vectors, {len(labels)} labels of {len(set(labels))} classes; give one each, of at least 2"
        )
    return make_pipeline(StandardScaler(), SVC(C=c)).fit(features, np.asarray(labels))


def accuracy(svm, features: np.ndarray, labels: Sequence) -> float:
    """Share of clips given their right label, 0 to 1."""
    return float((svm.predict(features) == np.asarray(labels)).mean())
