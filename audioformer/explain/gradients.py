"""Integrated gradients: the log-odds of a label, shared out among all codes of a clip.

    A_i = (x_i - x'_i) . integral over a from 0 to 1 of dF/dx_i (x' + a (x - x')) da        (Sundararajan et al., arXiv 1703.01365, eq. 1)

x are the vectors of the tokens, x' the vector of MASK in place of every code: from a clip of which nothing is known, in a
straight line, to the clip. F is the log-odds of the label, log p / (1 - p), which unlike p does not flatten out where the
model is sure. The shares of all codes add up to F(x) - F(x'): completeness, the check that the integral was done well.

What this does not show: the straight line leads through vectors that are no code's, and another start x' gives other shares.

Computed by Captum (arXiv 2009.07896). Shapes: B clips, K codebook rows, T frames, S = T + 2 positions, D width.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.classifier import Classifier
from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.occlusion import class_number, model_codes
from audioformer.masking import mask_positions
from audioformer.predict import window_starts

BATCH = 8  # points of the line at a time: more needs more memory and is no faster


@dataclass(frozen=True)
class Gradients:
    """The share of each code in a label's log-odds.

    Attributes:
        label: number of the class.
        codes: (K, T) shares, nats; negative: speaks against the label.
        whole: log-odds of the clip, nats, mean over its windows.
        nothing: log-odds with every code hidden.
    """

    label: int
    codes: Tensor
    whole: float
    nothing: float

    @property
    def frames(self) -> Tensor:
        """(T,) nats, all rows together."""
        return self.codes.sum(0)

    @property
    def missing(self) -> float:
        """What the shares fail to add up to, nats: 0 if the integral is exact."""
        return float(self.codes.sum()) - (self.whole - self.nothing)


def integrated_gradients(clf: AudioClassifier, codes: Tensor, label: int, n_steps: int = 16) -> Gradients:
    """Share the log-odds of a label out among the codes.

    Clips longer than the model's window are taken window by window; a code that lies in two has the mean share.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec.
        label: number of the class.
        n_steps: points of the line at which the gradient is taken (Gauss and Legendre's).

    Returns:
        Gradients.

    Raises:
        AudioformerError: n_steps < 1, no such label, a model that does not read codes, or Captum is not installed.
    """
    if n_steps < 1:
        raise AudioformerError(f"n_steps={n_steps} must be at least 1")
    label, codes = class_number(clf, label), model_codes(clf, codes)
    starts = window_starts(codes.shape[1], clf.window)
    shares, whole, nothing = torch.zeros(codes.shape), 0.0, 0.0
    windows = [codes[:, start : start + clf.window] for start in starts]
    answers = clf.map_batches(
        lambda window: _one_window(clf.classifier, window, label, n_steps, clf.multi_label), windows
    )
    for start, (found, ends) in zip(starts, answers, strict=True):
        shares[:, start : start + clf.window] += found / len(starts)
        whole, nothing = whole + ends[0] / len(starts), nothing + ends[1] / len(starts)
    return Gradients(label, shares, whole, nothing)


def token_vectors(classifier: Classifier, tokens: Tensor) -> Tensor:
    """The vectors that a model looks up for tokens (B, K, S), as (B, K, S, D): it reads either.

    Example:
        >>> from audioformer.recipes import preset
        >>> model = Classifier(preset("test"), 3)
        >>> token_vectors(model, torch.zeros(1, model.config.n_codebooks, 5, dtype=torch.long)).ndim
        4
    """
    encoders, rows = classifier.backbone.encoders, classifier.config.rows
    tables = (
        [encoder.embeddings.tables[0] for encoder in encoders] if rows == "separate" else encoders[0].embeddings.tables
    )
    return torch.stack(
        [tables[0 if rows == "shared" else k](tokens[:, k]) for k in range(classifier.config.n_codebooks)], 1
    )


def log_odds(logits: Tensor, label: int, multi_label: bool) -> Tensor:
    """Log-odds of a class, log p / (1 - p), (B,) nats, from logits (B, C): a score of its own, or against all others."""
    if multi_label:
        return logits[:, label]
    others = torch.arange(logits.shape[1], device=logits.device) != label
    return logits[:, label] - logits[:, others].logsumexp(1)


def _one_window(
    classifier: Classifier, codes: Tensor, label: int, n_steps: int, multi_label: bool
) -> tuple[Tensor, list[float]]:
    """(K, T) shares, and the log-odds of the window and of one with everything hidden."""

    def answer(vectors: Tensor) -> Tensor:
        return log_odds(classifier(vectors).logits.float(), label, multi_label)

    batch = classifier.collate([codes]).to(next(classifier.parameters()).device)
    hidden = mask_positions(batch, torch.ones_like(batch.tokens[..., 1:-1], dtype=torch.bool))[0]
    with torch.no_grad():
        ends = torch.cat([token_vectors(classifier, tokens) for tokens in (batch.tokens, hidden)])
        whole, nothing = answer(ends).tolist()
    found = _method()(answer).attribute(
        ends[:1], ends[1:], n_steps=n_steps, method="gausslegendre", internal_batch_size=BATCH
    )
    return found[0, :, 1:-1].sum(-1).float().cpu(), [whole, nothing]


def _method() -> type:
    """Captum's class. It imports Matplotlib, whose first start on a machine tells the world that it looks for fonts."""
    drawing = logging.getLogger("matplotlib")
    level = drawing.level
    drawing.setLevel(logging.ERROR)
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise AudioformerError(
            'integrated gradients need Captum: pip install "audioformer[notebooks]" or "audioformer[app]"'
        ) from error
    finally:
        drawing.setLevel(level)
    return IntegratedGradients
