"""Switch parts of a classifier off and see what it says then: rows of codes, heads, blocks, feed-forward units.

    less = switched(clf, Off(heads={(3, 0)}))        # a classifier of its own, which shares the other weights
    less.classify("dog.ogg")

What each part does when it is off: a **row** is hidden behind MASK, as in occlusion; a **head** adds nothing (its
columns of the output matrix are 0; Michel et al., arXiv 1905.10650); a **feed-forward unit** adds nothing; a **block**
lets everything through unchanged. The model itself stays as it is, also for others who use it at the same time.

What a switch does not show: other parts can do the same work (several off together fall by more than the sum of each),
and a model was not trained to do without.

Shapes: K codebook rows, T frames, N positions, L blocks, H heads, F feed-forward units.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.flow import trace
from audioformer.explain.occlusion import class_number, model_codes
from audioformer.predict import window_starts
from audioformer.tokens import special_ids


@dataclass(frozen=True)
class Off:
    """What is switched off; all numbers count from 0.

    Attributes:
        rows: of codes.
        blocks: whole blocks.
        heads: (block, head).
        units: (block, feed-forward unit).
    """

    rows: frozenset[int] = field(default_factory=frozenset)
    blocks: frozenset[int] = field(default_factory=frozenset)
    heads: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    units: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def also(self, **more) -> Off:
        """The same with more switched off: `off.also(heads=[(0, 1)])`."""
        return replace(self, **{name: getattr(self, name) | frozenset(parts) for name, parts in more.items()})

    def __bool__(self) -> bool:
        return bool(self.rows or self.blocks or self.heads or self.units)


class Skipped(nn.Module):
    """In the place of a block that is off: everything stays as it is, and every position looks at itself alone."""

    def __init__(self, n_heads: int):
        super().__init__()
        self.n_heads = n_heads

    def forward(self, hidden: Tensor, table, padding, need_weights: bool, positions=None) -> tuple:
        """As `Block.forward`."""
        del table, padding
        if positions is not None:
            raise AudioformerError("a block that is off gives all positions; ask without `positions`")
        looks = torch.eye(hidden.shape[1]).expand(len(hidden), self.n_heads, -1, -1) if need_weights else None
        return hidden, looks


def switched(clf: AudioClassifier, off: Off) -> AudioClassifier:
    """The same classifier with parts off; weights that stay are shared, not copied.

    Args:
        clf: an AudioFormer's classifier.
        off: what is off.

    Returns:
        AudioClassifier that answers everything that `clf` answers.

    Raises:
        AudioformerError: a part that the model does not have, or a model that does not read codes.
    """
    _check(clf, off)
    model, config = clf.classifier, clf.classifier.config
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    less = copy.deepcopy(model, shared)
    encoder = less.backbone.encoders[0]
    width = config.d_model // config.n_heads
    for number, block in enumerate(encoder.blocks):
        heads = [slice(h * width, (h + 1) * width) for b, h in off.heads if b == number]
        _silence(block.attention.out, heads)
        _silence(block.contract, [unit for b, unit in off.units if b == number])
    for number in off.blocks:
        encoder.blocks[number] = Skipped(config.n_heads)
    if off.rows:
        less.register_forward_pre_hook(_row_hider(sorted(off.rows), config.codebook_size))
    changed = AudioClassifier(less, clf.codec, clf.about, clf.name)
    changed.map_batches = clf.map_batches
    return changed


def _silence(linear: nn.Module, columns: Sequence[int | slice]) -> None:
    """Zeros in some columns of a matrix, which gets weights of its own for that."""
    if not columns:
        return
    inner = getattr(linear, "linear", linear)  # an adapter stands behind it
    weight = inner.weight.detach().clone()
    for column in columns:
        weight[:, column] = 0
    inner.weight = nn.Parameter(weight, requires_grad=False)


def _row_hider(rows: list[int], codebook_size: int):
    """Puts MASK at every code of some rows before a classifier reads them."""
    mask = special_ids(codebook_size).mask

    def hide(_, arguments: tuple) -> tuple:
        tokens = arguments[0].clone()
        there = [row for row in rows if row < tokens.shape[1]]
        tokens[:, there] = tokens[:, there].where(tokens[:, there] >= codebook_size, mask)
        return (tokens, *arguments[1:])

    return hide


def sizes(clf: AudioClassifier) -> dict[str, int]:
    """How many parts there are: `rows` that the model reads, `blocks`, `heads` and `units` of each."""
    config = clf.classifier.config
    rows = 1 if config.rows == "separate" else config.n_codebooks
    return {"rows": rows, "blocks": config.n_layers, "heads": config.n_heads, "units": config.d_ff}


def _check(clf: AudioClassifier, off: Off) -> None:
    if not clf.reads_codes or getattr(clf.classifier.config, "method", "") != "audioformer":
        raise AudioformerError(f"{clf.name}: only parts of an AudioFormer can be switched off; take another checkpoint")
    n = sizes(clf)
    pairs = [(b, h, "heads") for b, h in off.heads] + [(b, u, "units") for b, u in off.units]
    inside = all(0 <= row < n["rows"] for row in off.rows) and all(0 <= b < n["blocks"] for b in off.blocks)
    if not inside or not all(0 <= b < n["blocks"] and 0 <= part < n[what] for b, part, what in pairs):
        parts = ", ".join(f"{count} {what}" for what, count in n.items())
        raise AudioformerError(f"{off}: {clf.name} has {parts} (heads and units of each block), counted from 0")


@dataclass(frozen=True)
class InTurn:
    """How far the probability of a label falls with one more part off; negative: it rises.

    Attributes:
        label: number of the class.
        probability: of the label before.
        rows: (K,).
        blocks: (L,).
        heads: (L, H).
        feed_forward: (L,) all feed-forward units of a block at once.
    """

    label: int
    probability: float
    rows: Tensor
    blocks: Tensor
    heads: Tensor
    feed_forward: Tensor


def in_turn(clf: AudioClassifier, codes: Tensor, label: int, off: Off | None = None) -> InTurn:
    """Switch off each part in turn.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of a clip.
        label: number of the class.
        off: what is off all the time.

    Returns:
        InTurn.

    Raises:
        AudioformerError: no such label or part.
    """
    off, label, codes = off or Off(), class_number(clf, label), model_codes(clf, codes)
    n = sizes(clf)

    def probability(now: Off) -> float:
        return float(switched(clf, now).classify_codes(codes).probabilities[label])

    before, blocks = probability(off), range(n["blocks"])
    every_unit = {block: [(block, unit) for unit in range(n["units"])] for block in blocks}
    return InTurn(
        label=label,
        probability=before,
        rows=torch.tensor([before - probability(off.also(rows=[row])) for row in range(n["rows"])]),
        blocks=torch.tensor([before - probability(off.also(blocks=[block])) for block in blocks]),
        heads=torch.tensor(
            [[before - probability(off.also(heads=[(b, h)])) for h in range(n["heads"])] for b in blocks]
        ),
        feed_forward=torch.tensor([before - probability(off.also(units=every_unit[block])) for block in blocks]),
    )


def unit_falls(
    clf: AudioClassifier, codes: Tensor, label: int, block: int, units: Sequence[int], off: Off | None = None
) -> Tensor:
    """The same for single feed-forward units of a block: (U,) falls of the probability of a label.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of a clip.
        label: number of the class.
        block: from 0.
        units: which, from 0.
        off: what is off all the time.

    Raises:
        AudioformerError: no such label or part.
    """
    off, label, codes = off or Off(), class_number(clf, label), model_codes(clf, codes)

    def probability(now: Off) -> float:
        return float(switched(clf, now).classify_codes(codes).probabilities[label])

    before = probability(off)
    return torch.tensor([before - probability(off.also(units=[(block, unit)])) for unit in units])


def unit_activations(clf: AudioClassifier, codes: Tensor) -> Tensor:
    """What every feed-forward unit says at each frame of a clip, after GELU.

    Args:
        clf: classifier with its codec.
        codes: (K, T) of a clip, of any length.

    Returns:
        (L, T, F) float32; of a model with several passes (rows="shared") those of row 1; where windows overlap, the
        mean.

    Raises:
        AudioformerError: as `trace`.
    """
    codes = model_codes(clf, codes)
    n_frames, n = codes.shape[1], sizes(clf)
    total, count = torch.zeros(n["blocks"], n_frames, n["units"]), torch.zeros(n_frames, 1)
    for start in window_starts(n_frames, clf.window):
        made = trace(clf.classifier, codes[:, start : start + clf.window])
        length = min(clf.window, n_frames - start)
        places = (torch.arange(length) + 1) // made.group
        total[:, start : start + length] += torch.stack([block.units for block in made.blocks]).cpu()[:, places]
        count[start : start + length] += 1
    return total / count


@dataclass(frozen=True)
class Moments:
    """Where units are most active, in many clips: the strongest moment of each of the `M` clips that drive a unit most.

    Attributes:
        clips: (L, F, M) int64, number of the clip, the strongest first.
        frames: (L, F, M) int64, frame of its strongest moment.
        values: (L, F, M) activation there.
    """

    clips: Tensor
    frames: Tensor
    values: Tensor


def strongest_moments(clf: AudioClassifier, clips: Sequence, n_moments: int = 5) -> Moments:
    """The moments in many sounds that drive each feed-forward unit most, at most one of each sound.

    Args:
        clf: classifier with its codec.
        clips: (K, T_i) codes each.
        n_moments: M, at most the number of clips.

    Returns:
        Moments.

    Raises:
        AudioformerError: no clips, or any reason of `unit_activations`.
    """
    if not clips:
        raise AudioformerError("there are no clips to look for moments in")
    peaks = [unit_activations(clf, torch.as_tensor(codes)).max(1) for codes in clips]
    values, frames = (torch.stack([peak[part] for peak in peaks], -1) for part in (0, 1))  # (L, F, clips)
    best = values.topk(min(n_moments, len(clips)), -1)
    return Moments(best.indices, frames.gather(-1, best.indices), best.values)
