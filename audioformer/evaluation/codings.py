"""Code a sound several times, each time started a little later, and average what the classifier says (ours).

Where the frames of a codec begin is chance, and the codes depend on it. Shapes: N samples, K codebook rows, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.audio import quiet_answer
from audioformer.classify import AudioClassifier, Prediction, Sound, as_waveform
from audioformer.errors import AudioformerError
from audioformer.evaluation.familiarity import open_familiarity
from audioformer.predict import CodesPrediction, predict_codes


def codings_of(classifier: AudioClassifier, sound: Sound, n: int, sample_rate: int | None = None) -> list[Tensor]:
    """Codes of one sound n times, each time started 1 / n of a codec frame later, with silence at the end instead.

    Args:
        classifier: whose model and codec read the sound.
        sound: file name, Waveform, or samples together with sample_rate.
        n: how often; 1 gives what `AudioClassifier.codes` gives.
        sample_rate: Hz, for bare samples.

    Returns:
        n of (K, T), or of what else the model reads.

    Raises:
        AudioformerError: n < 1, or unusable sound.
    """
    if not isinstance(n, int | np.integer) or n < 1:
        raise AudioformerError(f"codings={n!r} must be a whole number of at least 1")
    waveform = as_waveform(sound, sample_rate, classifier.codec.sample_rate)
    last = min(classifier.codec.hop_length, waveform.samples.shape[1] - 1)
    starts = [i * last // n for i in range(n)]
    later = (replace(waveform, samples=F.pad(waveform.samples[:, s:], (0, s))) if s else waveform for s in starts)
    return [classifier.codes(one) for one in later]


def classify_codings(
    classifier: AudioClassifier, sound: Sound, n: int, top_k: int = 5, sample_rate: int | None = None
) -> Prediction:
    """As `AudioClassifier.classify`, with the mean over n codings; a note says if a sound is unlike all classes.

    Arguments and errors of `codings_of`.
    """
    waveform = as_waveform(sound, sample_rate, classifier.codec.sample_rate)
    codings = codings_of(classifier, waveform, n)
    named = classifier.name_labels(predict_codings(classifier, [codings])[0], waveform, top_k)
    measured = "familiarity" in classifier.about and not quiet_answer(named.level_db)
    known = open_familiarity(classifier.name) if measured else None
    unlike = known.unlike(codings[0]) if known else ""
    return replace(named, notes=(*named.notes, unlike)) if unlike else named


def predict_codings(classifier: AudioClassifier, clips: Sequence[Sequence[Tensor]]) -> list[CodesPrediction]:
    """Predictions for clips that were each coded several times: the mean over the codings of a clip.

    Args:
        classifier: the model.
        clips: the codings of each clip, all of one length.

    Returns:
        One CodesPrediction a clip.
    """
    all_codings = [codes for codings in clips for codes in codings]
    predictions = iter(predict_codes(classifier.classifier, all_codings, classifier.window, classifier.multi_label))
    return [_mean([next(predictions) for _ in codings]) for codings in clips]


def _mean(predictions: list[CodesPrediction]) -> CodesPrediction:
    """The mean of several predictions of one clip, window by window."""
    first, *rest = predictions
    if not rest:
        return first
    means = {
        name: torch.stack([getattr(one, name) for one in predictions]).mean(0)
        for name in ("probabilities", "window_probabilities", "embedding")
    }
    return CodesPrediction(window_starts=first.window_starts, **means)
