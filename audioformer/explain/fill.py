"""Guess hidden codes and fill the gap: what masked language modelling teaches, tried on one clip.

    guesses = guess(model, codes, target_mask)           # the true codes' probabilities, and the model's best guesses
    filled = fill(model, codes, target_mask, n_steps=8)  # the clip with the gap closed by the model

One shot takes the likeliest code at every place at once, each place without knowing what the others get. In steps
(MaskGIT, arXiv 2202.04200, section 3.2) the surest guesses are kept first, and the rest is guessed again with them.

Shapes: K codebook rows of the model, T frames, V entries per codebook, M hidden places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.masking import mask_positions, mask_tokens
from audioformer.model import AudioFormer
from audioformer.predict import window_starts
from audioformer.tokens import wrap


@dataclass(frozen=True)
class Guesses:
    """What a model says about hidden codes; places are in the order of `target_mask.nonzero()`: row by row.

    Attributes:
        places: (M, 2) int64, row and frame, from 0.
        log_p: (M,) log probability of the true code, nats; its negative is the surprise.
        rank: (M,) int64, 1 where the true code was the best guess.
        top_codes: (M, k) int64, the likeliest codes.
        top_p: (M, k) their probabilities.
        chance: log V, the surprise of knowing nothing, nats.
    """

    places: Tensor
    log_p: Tensor
    rank: Tensor
    top_codes: Tensor
    top_p: Tensor
    chance: float

    @property
    def surprise(self) -> float:
        """Mean of -log p(truth), nats."""
        return -float(self.log_p.mean())

    @property
    def accuracy(self) -> float:
        """Share of places whose best guess was right, 0 to 1."""
        return float((self.rank == 1).float().mean())


def random_gap(
    codes: Tensor, ratio: float, span: int, seed: int, same_frames: bool, codebook_size: int = 1024
) -> Tensor:
    """Which codes of a clip to hide, as in pre-training (`masking.mask_tokens`).

    Args:
        codes: (K, T).
        ratio: share of the frames hidden, 0 to 1.
        span: frames a hidden run has.
        seed: of the choice.
        same_frames: the same in all rows.
        codebook_size: V.

    Returns:
        (K, T) bool.

    Raises:
        AudioformerError: ratio or span out of range.
    """
    config = MaskConfig(mask_ratio=ratio, span=span)
    batch = wrap(codes[None], codebook_size=codebook_size)
    return mask_tokens(batch, config, torch.Generator().manual_seed(seed), same_frames)[1][0, :, 1:-1]


@torch.no_grad()
def hidden_log_probabilities(
    model: AudioFormer, codes: Tensor, target_mask: Tensor, window: int | None = None
) -> Tensor:
    """What the model expects at each hidden place.

    Clips longer than the window are read in half-overlapping windows, each place in the one whose middle is nearest.

    Args:
        model: pre-trained, in evaluation mode.
        codes: (K, T) int64 in [0, V); K at least the model's, further rows are not read.
        target_mask: (K, T) bool, at least one True.
        window: frames read at once; None: as many as the model has positions for.

    Returns:
        (M, V) log probabilities over the V codes, places in the order of `target_mask.nonzero()`.

    Raises:
        AudioformerError: shapes disagree, nothing is hidden, or codes outside [0, V).
    """
    n_rows, size = model.config.n_codebooks, model.config.codebook_size
    codes, target_mask = _checked(codes, target_mask, n_rows)
    window = min(window or model.config.max_positions - 2, model.config.max_positions - 2)
    number_of = torch.zeros(n_rows, codes.shape[1], dtype=torch.long)  # of each place: its line in `out`
    number_of[target_mask] = torch.arange(int(target_mask.sum()))
    out = torch.zeros(int(target_mask.sum()), size)
    starts = torch.tensor(window_starts(codes.shape[1], window))
    middles = starts + min(window, codes.shape[1]) / 2 - 0.5
    nearest = (torch.arange(codes.shape[1])[:, None] - middles).abs().argmin(1)  # window of each frame
    for number, start in enumerate(starts.tolist()):
        read = slice(start, start + window)
        in_window = target_mask[:, read] & (nearest[read] == number)
        if not in_window.any():
            continue
        batch = wrap(codes[None, :, read], codebook_size=size)
        vectors = model.guessing_vectors(mask_positions(batch, target_mask[:, read])[0])[0, :, 1:-1]  # (R, T', D)
        for row in range(n_rows):
            if in_window[row].any():
                h = vectors[0 if model.config.rows == "summed" else row][in_window[row]]
                out[number_of[row, read][in_window[row]]] = model.mlm_logits(h, row)[:, :size].float().log_softmax(-1)
    return out


def guess(model: AudioFormer, codes: Tensor, target_mask: Tensor, top_k: int = 5, window: int | None = None) -> Guesses:
    """How well the model knows what is hidden. Arguments and errors as `hidden_log_probabilities`.

    Args:
        model: pre-trained.
        codes: (K, T), the truth.
        target_mask: (K, T) bool.
        top_k: guesses given for each place.
        window: frames read at once.

    Returns:
        Guesses.
    """
    log_p = hidden_log_probabilities(model, codes, target_mask, window)
    codes, target_mask = _checked(codes, target_mask, model.config.n_codebooks)
    truth = log_p.gather(1, codes[target_mask][:, None])
    top = log_p.topk(min(top_k, log_p.shape[1]))
    rank = (log_p > truth).sum(1) + 1
    return Guesses(
        target_mask.nonzero(), truth[:, 0], rank, top.indices, top.values.exp(), math.log(model.config.codebook_size)
    )


def fill_in_steps(
    model: AudioFormer, codes: Tensor, target_mask: Tensor, n_steps: int = 1, window: int | None = None
) -> tuple[Tensor, Tensor]:
    """Close the gap with the model's guesses.

    Args:
        model: pre-trained.
        codes: (K, T); what is hidden is never read.
        target_mask: (K, T) bool.
        n_steps: 1 = all at once; more = the surest first, following a cosine as in MaskGIT.
        window: frames read at once.

    Returns:
        (K, T) int64, K the model's rows; equal to `codes` where nothing was hidden. And (K, T) int64, the step from 1
        in which each place was filled; 0 where nothing was hidden.

    Raises:
        AudioformerError: n_steps < 1, or any reason of `hidden_log_probabilities`.
    """
    if n_steps < 1:
        raise AudioformerError(f"n_steps={n_steps} must be at least 1")
    codes, target_mask = _checked(codes, target_mask, model.config.n_codebooks)
    filled, open_places, n_all = codes.clone(), target_mask.clone(), int(target_mask.sum())
    filled[target_mask] = 0
    step_of = torch.zeros_like(filled)
    for step in range(1, n_steps + 1):
        best = hidden_log_probabilities(model, filled, open_places, window).max(1)
        places = open_places.nonzero()
        n_left = 0 if step == n_steps else math.floor(n_all * math.cos(math.pi / 2 * step / n_steps))
        surest = best.values.argsort(descending=True, stable=True)[: max(1, len(places) - n_left)]
        rows, frames = places[surest].T
        filled[rows, frames] = best.indices[surest]
        open_places[rows, frames] = False
        step_of[rows, frames] = step
        if not open_places.any():
            break
    return filled, step_of


def fill(model: AudioFormer, codes: Tensor, target_mask: Tensor, n_steps: int = 1, window: int | None = None) -> Tensor:
    """The codes of `fill_in_steps`, whose arguments and errors these are."""
    return fill_in_steps(model, codes, target_mask, n_steps, window)[0]


def _checked(codes: Tensor, target_mask: Tensor, n_rows: int) -> tuple[Tensor, Tensor]:
    """The model's rows of both, or an error that prints both shapes."""
    codes, target_mask = torch.as_tensor(codes), torch.as_tensor(target_mask).bool()
    if codes.ndim != 2 or codes.shape != target_mask.shape or len(codes) < n_rows:
        raise AudioformerError(
            f"codes {tuple(codes.shape)} and target_mask {tuple(target_mask.shape)} must both be ({n_rows} or more, "
            "frames)"
        )
    if not target_mask[:n_rows].any():
        raise AudioformerError("nothing is hidden: pick at least one code for the model to guess")
    return codes[:n_rows].long(), target_mask[:n_rows]
