"""Which moments of a clip sound like a label: what a classifier says of each half second by itself.

The clip's head on the vector of each position is no answer to that. After a few blocks of attention the position of a
pause carries the label of the bark beside it: the score of `esc10` for dog is lower at the barks than between them.
A classifier with a frame head was trained on the times of events and is asked for each frame.

What this does not show: a sound that is only known from what comes before or after it.

Shapes: N samples, T frames, C classes.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.predict import CodesPrediction, join_windows, predict_codes

STRETCH_S = 0.5
SILENT_DB = -60.0  # below full scale


def moment_scores(clf: AudioClassifier, codes: Tensor, prediction: CodesPrediction | None = None) -> Tensor:
    """Probability of each class around each moment of a clip.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec, or (F, T) frames where it reads those.
        prediction: `clf.scan(codes)`, if it is known already; a classifier without a frame head does not need it.

    Returns:
        (T, C), 0 to 1: from the frame head or, without one, the mean over the half seconds that a frame lies in, which
        overlap by half.
    """
    if clf.classifier.frame_head is not None:
        return (clf.scan(codes) if prediction is None else prediction).frames
    stretch = max(1, round(STRETCH_S * clf.codec.frame_rate))
    alone = predict_codes(clf.classifier, [codes], stretch, clf.multi_label, map_batches=clf.map_batches)[0]
    length = min(stretch, codes.shape[1])
    return join_windows(alone.window_starts.tolist(), [p.expand(length, -1) for p in alone.window_probabilities])


def silent_frames(samples: np.ndarray, sample_rate: int, frame_rate: float, n_frames: int) -> np.ndarray:
    """(T,) bool, True where the half second around a frame is silent: below -60 dB of full scale.

    A classifier must choose a class even for silence, and that choice says nothing about the clip.

    Args:
        samples: (N,) float.
        sample_rate: Hz.
        frame_rate: Hz.
        n_frames: T.

    Example:
        >>> silent_frames(np.append(np.ones(100), np.zeros(300)), 100, 1.0, 4)
        array([False,  True,  True,  True])
    """
    power = uniform_filter1d(np.asarray(samples, np.float64) ** 2, max(1, round(STRETCH_S * sample_rate)))
    middles = ((np.arange(n_frames) + 0.5) / frame_rate * sample_rate).astype(int)
    return power[np.minimum(middles, len(power) - 1)] < 10 ** (SILENT_DB / 10)
