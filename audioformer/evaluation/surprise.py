"""How well a pre-trained model guesses the codes of clips that it never learned from, beside what counting alone knows.

    rulers = [Counting.of(...) for each row]
    table = surprise(model, clips, rulers, MaskConfig(), silent=silent_codes(codec))

The same frames are hidden for all. Only sounding frames count: silence is one code, known before it is guessed.

Shapes: K codebook rows, T frames, M hidden frames, V codebook size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.codec import Codec
from audioformer.config import MaskConfig
from audioformer.errors import AudioformerError
from audioformer.evaluation.counting import Counting
from audioformer.explain.fill import hidden_log_probabilities, random_gap
from audioformer.model import AudioFormer

SILENCE_S = 2.0  # of digital silence that is coded


def silent_codes(codec: Codec) -> Tensor:
    """(n,) int64 codes of row 1 that the codec gives to digital silence."""
    silence = torch.zeros(1, round(SILENCE_S * codec.sample_rate))
    return codec.encode(silence, codec.sample_rate)[0, 0].unique().cpu()


def surprise(
    model: AudioFormer,
    clips: Sequence[Tensor],
    rulers: Sequence[Counting],
    mask: MaskConfig,
    silent: Tensor | None = None,
    window: int | None = None,
    seed: int = 0,
) -> list[dict]:
    """Mean surprise and share right of a model and of counting, row by row.

    Args:
        model: pre-trained, rows="summed" or others; in evaluation mode.
        clips: (K, T_i) codes, held out.
        rulers: counts of training clips, one a row, as many rows as are to be measured.
        mask: what is hidden: ratio and span; the same frames in all rows.
        silent: row-1 codes whose frames do not count.
        window: frames that the model reads at once.
        seed: of what is hidden.

    Returns:
        Lines {"row", "name", "nats", "nats_error", "right", "n"}: names "model" and those of `counting`; the error is
        the standard error over clips of a clip's mean.

    Raises:
        AudioformerError: no sounding frame was hidden in any clip.
    """
    found: dict[tuple[int, str], list[Tensor]] = {}
    for number, codes in enumerate(clips):
        codes = torch.as_tensor(codes).long()[: model.config.n_codebooks]
        gap = random_gap(codes, mask.mask_ratio, mask.span, seed + number, True, model.config.codebook_size)
        sounding = ~torch.isin(codes[0], silent) if silent is not None else torch.ones_like(codes[0], dtype=torch.bool)
        counts = sounding[gap[0]]
        if not counts.any():
            continue
        told = hidden_log_probabilities(model, codes, gap, window).view(len(codes), -1, model.config.codebook_size)
        for row, ruler in enumerate(rulers):
            truth = codes[row][gap[0]][counts]
            guesses = {"model": told[row]} | {
                name: ruler.log_probabilities(name, codes[row], gap[row]) for name in ruler.shares
            }
            for name, log_p in guesses.items():
                log_p = log_p[counts]
                lines = torch.stack([-log_p.gather(1, truth[:, None])[:, 0], (log_p.argmax(1) == truth).float()])
                found.setdefault((row, name), []).append(lines)
    if not found:
        raise AudioformerError("no sounding frame was hidden: the clips are silent, or there are none")
    return [_line(row, name, parts) for (row, name), parts in sorted(found.items(), key=lambda entry: entry[0][0])]


def _line(row: int, name: str, parts: list[Tensor]) -> dict:
    nats, right = torch.cat(parts, 1).mean(1).tolist()
    means = np.array([float(part[0].mean()) for part in parts])
    error = float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else float("nan")
    return {
        "row": row + 1,
        "name": name,
        "nats": nats,
        "nats_error": error,
        "right": right,
        "n": sum(part.shape[1] for part in parts),
    }
