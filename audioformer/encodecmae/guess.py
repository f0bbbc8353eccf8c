"""What an EnCodecMAE makes of one clip: hide frames, guess their codes, hear the guess.

    guess = guess_clip(model, frames, codes)
    sounds = guess_sounds(guess, codec)                  # original, with gaps, guessed
    plots.frames.guesses(guess.codes, guess.guessed, guess.confidence, guess.target_mask, codec.frame_rate)

Shapes: F numbers in a frame, K codebook rows, T frames, N samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audioformer.codec import Codec
from audioformer.data.frame_batch import GAP, MASK_RATIO, gap_mask
from audioformer.encodecmae.model import EncodecMAE
from audioformer.errors import AudioformerError


@dataclass(frozen=True)
class FrameGuess:
    """A clip, what was hidden of it, and what the model thinks was there.

    Attributes:
        codes: (K, T) int64, the truth.
        guessed: (K, T) int64, the likeliest code of each row, at visible frames too.
        confidence: (K, T) float32, how probable the model holds its guess, 0 to 1.
        truth: (K, T) float32, how probable it holds the true code.
        target_mask: (T,) bool.
    """

    codes: Tensor
    guessed: Tensor
    confidence: Tensor
    truth: Tensor
    target_mask: Tensor

    def accuracy(self) -> Tensor:
        """(K,) share of hidden codes guessed, row by row."""
        return (self.guessed == self.codes)[:, self.target_mask].float().mean(1)


@torch.no_grad()
def guess_clip(
    model: EncodecMAE, frames: Tensor, codes: Tensor, target_mask: Tensor | None = None, seed: int = 0
) -> FrameGuess:
    """Hide frames of a clip and guess.

    Args:
        model: pre-trained, guessing codes.
        frames: (F, T) as the model reads them (`EncodecMAE.read`), or (K, T) codes for frames="quantised".
        codes: (K', T) int64, the truth, K' at least the model's rows.
        target_mask: (T,) bool, True = hide; None hides half in gaps of 15, as in training.
        seed: of the gaps, if they are not given.

    Returns:
        FrameGuess, on the CPU.

    Raises:
        AudioformerError: the model guesses clusters only, shapes disagree, everything is hidden, or the clip is too
            long.
    """
    if not model.config.guesses_codes:
        raise AudioformerError(
            "this model guesses clusters, which have no sound; take one of the first stage (targets='codes')"
        )
    n_rows, n_frames = model.config.n_codebooks, frames.shape[1]
    codes = torch.as_tensor(codes)[:n_rows]
    if target_mask is None:
        target_mask = gap_mask(torch.tensor([n_frames]), MASK_RATIO, GAP, torch.Generator().manual_seed(seed))[0]
    target_mask = torch.as_tensor(target_mask).bool()
    if tuple(codes.shape) != (n_rows, n_frames) or tuple(target_mask.shape) != (n_frames,) or target_mask.all():
        raise AudioformerError(
            f"codes {tuple(codes.shape)} and target_mask {tuple(target_mask.shape)} must be ({n_rows}, {n_frames}) and "
            f"({n_frames},) for frames {tuple(frames.shape)}, and one frame must stay visible"
        )
    device = next(model.parameters()).device
    batch = model.collate([frames]).to(device)
    scores = model.eval().guess(batch.tokens, target_mask[None].to(device))[:n_rows]
    probabilities = torch.stack([row[0].float().softmax(-1).cpu() for row in scores])  # (K, T, V)
    confidence, guessed = probabilities.max(-1)
    truth = probabilities.gather(-1, codes[..., None])[..., 0]
    return FrameGuess(codes, guessed, confidence, truth, target_mask)


@torch.no_grad()
def guess_sounds(guess: FrameGuess, codec: Codec) -> dict[str, Tensor]:
    """The clip and the guess as sounds, all through the same codec and equally long.

    Args:
        guess: from `guess_clip`.
        codec: whose codes these are.

    Returns:
        (N,) float32 each: "original" (the true codes), "with gaps" (the same, silent where frames were hidden),
        "guessed" (guesses in the gaps, true codes elsewhere), "all guessed" (guesses everywhere).

    Raises:
        AudioformerError: codes that the codec does not have.
    """
    target_mask = guess.target_mask[None]
    original = codec.decode(guess.codes)[0].mean(0)
    silent = target_mask[0].repeat_interleave(-(-original.shape[0] // target_mask.shape[1]))[: original.shape[0]]
    return {
        "original": original,
        "with gaps": original.masked_fill(silent.to(original.device), 0.0),
        "guessed": codec.decode(torch.where(target_mask, guess.guessed, guess.codes))[0].mean(0),
        "all guessed": codec.decode(guess.guessed)[0].mean(0),
    }
