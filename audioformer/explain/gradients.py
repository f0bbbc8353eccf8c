"""Integrated gradients: the log-odds of a label, shared out among all codes of a clip.

    A_i = (x_i - x'_i) . integral over a from 0 to 1 of dF/dx_i (x' + a (x - x')) da

    (Sundararajan et al., arXiv 1703.01365, equation 1)

x are the vectors of the tokens, x' the vector of MASK in place of every code: from a clip of which nothing is known, in
a straight line, to the clip. F is the log-odds of the label, log p / (1 - p), which unlike p does not flatten out where
the model is sure. The shares of all codes add up to F(x) - F(x'): completeness. It says whether the integral was done
well, so the number of points is doubled until at most TOLERANCE of that difference is left over.

What this does not show: the straight line leads through vectors that are no code's, and another start x' gives other
shares.

Computed by Captum (arXiv 2009.07896). Shapes: B clips, K codebook rows, T frames, S = T + 2 positions, D width.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
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
TOLERANCE, MOST_STEPS = 0.05, 128  # largest share left over, and where doubling ends
LEAST_NATS = 0.1  # of the difference between clip and nothing: a smaller one is too little to be shared out


@dataclass(frozen=True)
class Gradients:
    """The share of each code in a label's log-odds.

    Attributes:
        label: number of the class.
        codes: (K, T) shares, nats; negative: speaks against the label.
        whole: log-odds of the clip, nats, mean over its windows.
        nothing: log-odds with every code hidden.
        n_steps: points of the line at which the gradient was taken; the most that one of the windows needed.
    """

    label: int
    codes: Tensor
    whole: float
    nothing: float
    n_steps: int

    @property
    def frames(self) -> Tensor:
        """(T,) nats, all rows together."""
        return self.codes.sum(0)

    @property
    def missing(self) -> float:
        """What the shares fail to add up to, nats: 0 if the integral is exact."""
        return float(self.codes.sum()) - (self.whole - self.nothing)

    @property
    def left_over(self) -> float:
        """`missing` as a share of what there was to share out, from 0."""
        return abs(self.missing) / _to_share(self.whole, self.nothing)

    @property
    def complete(self) -> bool:
        """Whether at most TOLERANCE is left over. If not, doubt the shares: say so wherever they are shown."""
        return self.left_over <= TOLERANCE


def integrated_gradients(
    clf: AudioClassifier, codes: Tensor, label: int, n_steps: int = 16, most_steps: int = MOST_STEPS
) -> Gradients:
    """Share the log-odds of a label out among the codes.

    Clips longer than the model's window are taken window by window. What is shared out is the mean of the windows'
    log-odds, so the share of a code is the sum of its shares in the windows that it lies in, divided by the number of
    all windows: the shares of the clip still add up.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of its codec.
        label: number of the class.
        n_steps: points of the line at which the gradient is taken (Gauss and Legendre's), to begin with.
        most_steps: doubling ends here; n_steps or less: no doubling.

    Returns:
        Gradients; see `complete`.

    Raises:
        AudioformerError: n_steps < 1, no such label, a model that does not read codes, or Captum is not installed.
    """
    if n_steps < 1:
        raise AudioformerError(f"n_steps={n_steps} must be at least 1")
    label, codes = class_number(clf, label), model_codes(clf, codes)
    starts = window_starts(codes.shape[1], clf.window)

    def answer(vectors: Tensor) -> Tensor:
        return log_odds(clf.classifier(vectors).logits.float(), label, clf.multi_label)

    lines = [_line(clf.classifier, codes[:, start : start + clf.window], answer) for start in starts]
    whole, nothing = (sum(getattr(line, end) for line in lines) / len(lines) for end in ("whole", "nothing"))
    allowed = TOLERANCE * _to_share(whole, nothing)

    def integral(line: _Line) -> tuple[Tensor, int]:
        return line_integral(answer, line.start, line.end, line.whole - line.nothing, allowed, n_steps, most_steps)

    results = list(clf.map_batches(integral, lines))
    shares = torch.zeros(codes.shape)
    for start, (vectors, _) in zip(starts, results, strict=True):
        shares[:, start : start + clf.window] += vectors[0, :, 1:-1].sum(-1).float().cpu() / len(starts)
    return Gradients(label, shares, whole, nothing, max(n for _, n in results))


def line_integral(
    answer: Callable[[Tensor], Tensor],
    start: Tensor,
    end: Tensor,
    difference: float,
    allowed: float,
    n_steps: int = 16,
    most_steps: int = MOST_STEPS,
) -> tuple[Tensor, int]:
    """Integrated gradients of a function along a straight line, with twice the points until they add up.

    Args:
        answer: from inputs (B, ...) to numbers (B,).
        start: (1, ...) where the line begins.
        end: (1, ...) where it ends.
        difference: answer(end) - answer(start).
        allowed: how far the shares' sum may be from it.
        n_steps: points to begin with.
        most_steps: doubling ends here.

    Returns:
        (1, ...) the share of each number of the input, and how many points it took.
    """
    method = _method()(answer)
    while True:
        shares = method.attribute(
            end, start, n_steps=n_steps, method="gausslegendre", internal_batch_size=BATCH
        ).detach()
        if abs(float(shares.sum()) - difference) <= allowed or 2 * n_steps > most_steps:
            return shares, n_steps
        n_steps *= 2


def _to_share(whole: float, nothing: float) -> float:
    """Nats that are shared out, for comparison with what is left over."""
    return max(abs(whole - nothing), LEAST_NATS)


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
    """(B,) log-odds of a class, log p / (1 - p), nats, of logits (B, C): of each class alone, or against the others."""
    if multi_label:
        return logits[:, label]
    others = torch.arange(logits.shape[1], device=logits.device) != label
    return logits[:, label] - logits[:, others].logsumexp(1)


@dataclass(frozen=True)
class _Line:
    """The line of one window: the vectors at its ends, (1, K, S, D), and the log-odds there."""

    start: Tensor
    end: Tensor
    nothing: float
    whole: float


@torch.no_grad()
def _line(classifier: Classifier, codes: Tensor, answer: Callable[[Tensor], Tensor]) -> _Line:
    batch = classifier.collate([codes]).to(next(classifier.parameters()).device)
    masked = mask_positions(batch, torch.ones_like(batch.tokens[..., 1:-1], dtype=torch.bool))[0]
    ends = torch.cat([token_vectors(classifier, tokens) for tokens in (masked, batch.tokens)])
    return _Line(ends[:1], ends[1:], *answer(ends).tolist())


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
