"""Why: what made this label? Three maps of importance, whether to believe them, and the evidence to hear.

A map is made of blocks of frames, so that hiding one takes more than its neighbours can tell. Maps and curves of the
last clips are kept, for a class in which everybody looks at the same ones.

Shapes: K codebook rows, T frames, N blocks, W windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.explain.attention import rollout_frames
from audioformer.explain.faithfulness import Curves, block_order, curves, held_against, random_order, silenced, sounding
from audioformer.explain.gradients import integrated_gradients
from audioformer.explain.occlusion import hidden_probabilities, occlusion, row_falls
from audioformer.predict import window_starts
from audioformer.widgets import lanes
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.drawn import drawn
from audioformer_app.rooms.sent import codes_for, grid_bits, one_of, whole_number

MOST_BLOCKS, SHORTEST_BLOCK = 24, 15  # the latter in frames: 0.2 s
KEPT = 64  # maps and curves remembered of each classifier
PARTS = ("evidence", "rest")
Answer = TypeVar("Answer")
_answers: WeakKeyDictionary[AudioClassifier, dict[tuple, object]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Map:
    """How important each part of a clip is for a label.

    Attributes:
        frames: (T,) importance.
        rows: (K,) importance; None where a method cannot tell rows apart, or `rows` is to be asked.
        whole: what the map shares out or starts from: probability, or log-odds in nats; None without either.
        nothing: the same with every code hidden.
        missing: what the shares fail to add up to, nats; None where they need not.
        complete: False if that is too much for the shares to be believed.
    """

    frames: Tensor
    rows: Tensor | None = None
    whole: float | None = None
    nothing: float | None = None
    missing: float | None = None
    complete: bool = True


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """A map of what a label hangs on.

    Args:
        analysis: the clip, with a verdict.
        data: `method` (a key of METHODS), `label` (number of a class; None: the first of the verdict).
        models: open models.

    Returns:
        dict with `lanes`, the `order` of the blocks from most to least important, `block` (frames), `rows`, and the
        numbers of `Map`; `truth` (`held_against`) where it is known when the label sounds.

    Raises:
        AudioformerError: values out of range.
    """
    if analysis.verdict is None:
        return {"token": analysis.token, "empty": True}
    clf, codes = _asked(analysis, models)
    method, label = one_of(data.get("method", "occlusion"), METHODS, "method"), _label(analysis, clf, data)
    block = _block(codes.shape[1])
    found = _map(clf, codes, label, method)
    truth = sounding(analysis.clip.events, clf.label_names[label], codes.shape[1], clf.codec.frame_rate)
    extra = [
        *(["scores"] if clf.codec.frame_rate == analysis.frame_rate else []),
        *(["events"] if analysis.clip.events else []),
    ]
    return {
        "token": analysis.token,
        "frame_rate": clf.codec.frame_rate,
        "duration_s": analysis.duration_s,
        "method": method,
        "label": label,
        "name": clf.label_names[label].replace("_", " "),
        "labels": _labels(analysis, clf, label),
        "frames": codes.shape[1],
        "block": block,
        "order": block_order(found.frames, block),
        "means": _means(found.frames, block),
        "rows": None if found.rows is None else [round(float(value), 5) for value in found.rows],
        "whole": found.whole,
        "nothing": found.nothing,
        "missing": found.missing,
        "complete": found.complete,
        "truth": held_against(found.frames, truth) if truth.any() else None,
        "lanes": ["mel", _lane(found.frames, block, method, clf.codec.frame_rate), *extra],
        "checkpoint": analysis.verdict.checkpoint,
    }


def rows(analysis: Analysis, data: dict, models: Models) -> dict:
    """How far the probability of a label falls without one row of codes: what occlusion says of rows, after its map.

    Args:
        analysis: the clip.
        data: `label`.
        models: open models.

    Returns:
        dict with `rows`, (K,) falls of the probability.

    Raises:
        AudioformerError: values out of range.
    """
    clf, codes = _asked(analysis, models)
    label = _label(analysis, clf, data)
    found = _once(clf, codes, ("rows", label), lambda: row_falls(clf, codes, label))
    return {"token": analysis.token, "label": label, "rows": [round(float(value), 5) for value in found]}


def trust(analysis: Analysis, data: dict, models: Models) -> dict:
    """Deletion and insertion curves of a map, beside those of a random order, as a figure.

    Args:
        analysis: the clip.
        data: `order` as `look` gave it, and `label`.
        models: open models.

    Returns:
        dict with a plotly `figure`, its `dark` template, `config`, and the `gain` and `chance` (gain of the random
        order).

    Raises:
        AudioformerError: no order of this clip's blocks, or values out of range.
    """
    from audioformer import plots

    clf, codes = _asked(analysis, models)
    label, n_frames = _label(analysis, clf, data), codes.shape[1]
    block, n_windows = _block(n_frames), len(window_starts(n_frames, clf.window))
    n_blocks, order = -(-n_frames // block), data.get("order")
    order = order if isinstance(order, list) and len(order) == n_blocks else [None]
    order = tuple(whole_number(one, 0, n_blocks - 1, "block") for one in order)
    n_points, n_orders = (9, 2) if n_windows == 1 else (7, 1) if n_windows < 5 else (5, 1)

    def of(blocks: tuple[int, ...]) -> Curves:
        return _curves(clf, codes, label, blocks, min(n_points, n_blocks + 1))

    mine, blind = of(order), [of(tuple(random_order(n_frames, block, seed))) for seed in range(n_orders)]
    chance = Curves(
        mine.share, *(torch.stack([getattr(one, name) for one in blind]).mean(0) for name in ("deletion", "insertion"))
    )
    figure = plots.importance.faithfulness(mine, chance, clf.label_names[label])
    figure.update_layout(
        height=None, showlegend=False, margin={"t": 8, "r": 8, "b": 40}
    )  # the page says what the lines are
    told = {"order": list(order), "label": label, "gain": mine.gain, "chance": chance.gain}
    return {"token": analysis.token, **told, **drawn(figure)}


def hear(analysis: Analysis, data: dict, models: Models) -> dict:
    """The evidence alone, or the clip without it, as a sound and as a probability.

    Args:
        analysis: the clip.
        data: `kept` (bits, one a block), `name` ("evidence" or "rest"), and `label`.
        models: open models.

    Returns:
        dict with `wav` (the other blocks are silent), and the `probability` of the label when the model reads MASK
        there.

    Raises:
        AudioformerError: values out of range.
    """
    clf, codes = _asked(analysis, models)
    name, label, n_frames = one_of(data.get("name"), PARTS, "sound"), _label(analysis, clf, data), codes.shape[1]
    block = _block(n_frames)
    kept = grid_bits(data.get("kept"), (1, -(-n_frames // block)))[0].repeat_interleave(block)[:n_frames]
    heard = kept if name == "evidence" else ~kept
    every = codes_for(analysis, clf.codec, models)
    sound = clf.codec.decode(
        silenced(every, heard, clf.codec), n_samples=round(analysis.duration_s * clf.codec.sample_rate)
    )[0].mean(0)
    p = float(hidden_probabilities(clf, codes, (~heard).expand(1, *codes.shape))[0, label])
    told = {"token": analysis.token, "name": name, "kept": data["kept"], "label": label, "probability": p}
    return {**told, "share": float(kept.float().mean()), "wav": wav_base64(sound.numpy(), clf.codec.sample_rate)}


ANSWERS = {"look": look, "rows": rows, "trust": trust, "hear": hear}


def _by_occlusion(clf: AudioClassifier, codes: Tensor, label: int) -> Map:
    found = occlusion(clf, codes, label, _block(codes.shape[1]), rows=False)
    return Map(found.frames, None, found.probability, found.nothing)


def _by_gradients(clf: AudioClassifier, codes: Tensor, label: int) -> Map:
    found = integrated_gradients(clf, codes, label)
    return Map(found.frames, found.codes.sum(1), found.whole, found.nothing, found.missing, found.complete)


def _by_rollout(clf: AudioClassifier, codes: Tensor, label: int) -> Map:  # noqa: ARG001 - attention knows no label
    return Map(rollout_frames(clf, codes))


METHODS = {"occlusion": _by_occlusion, "gradients": _by_gradients, "rollout": _by_rollout}
AXES = {  # name of the axis, unit, what the dashed line stands for, where it is
    "occlusion": ("Fall without it", "of probability", "dashed: no effect", 0.0),
    "gradients": ("Share of the label", "nats", "dashed: no share", 0.0),
    "rollout": ("Attention that reaches the answer", "x even share", "dashed: an even share", 1.0),
}


def _map(clf: AudioClassifier, codes: Tensor, label: int, method: str) -> Map:
    return _once(clf, codes, ("map", label, method), lambda: METHODS[method](clf, codes, label))


def _curves(clf: AudioClassifier, codes: Tensor, label: int, order: tuple[int, ...], n_points: int) -> Curves:
    block = _block(codes.shape[1])
    return _once(
        clf, codes, ("curves", label, order, n_points), lambda: curves(clf, codes, order, label, block, n_points)
    )


def _once(clf: AudioClassifier, codes: Tensor, asked: tuple, make: Callable[[], Answer]) -> Answer:
    """An answer about a clip, computed for the first who asks; forgotten after KEPT others, or with its classifier."""
    answers = _answers.setdefault(clf, {})
    key = (codes.numpy().tobytes(), codes.shape, *asked)
    found = answers.get(key)
    if found is None:
        found = answers[key] = make()
        while len(answers) > KEPT:
            answers.pop(next(iter(answers), None), None)
    return found


def _asked(analysis: Analysis, models: Models) -> tuple[AudioClassifier, Tensor]:
    """The classifier, and the (K, T) codes that it reads."""
    clf = models.classifier(analysis.verdict.checkpoint if analysis.verdict else "")
    return clf, codes_for(analysis, clf.codec, models)[: clf.classifier.config.n_codebooks].contiguous()


def _block(n_frames: int) -> int:
    """Frames in a block: at most MOST_BLOCKS in a clip, so that a long one takes no longer."""
    return max(SHORTEST_BLOCK, math.ceil(n_frames / MOST_BLOCKS))


def _label(analysis: Analysis, clf: AudioClassifier, data: dict) -> int:
    sent = data.get("label")
    if sent is None:
        return clf.label_names.index(analysis.verdict.labels[0])
    return whole_number(sent, 0, len(clf.label_names) - 1, "label")


def _labels(analysis: Analysis, clf: AudioClassifier, label: int) -> list[dict]:
    """The labels worth asking about: the verdict's, those that are known to sound, and the one asked for."""
    known = [name for name, *_ in analysis.clip.events if name in clf.label_names]
    names = dict.fromkeys([*analysis.verdict.labels, *known, clf.label_names[label]])
    return [
        {"number": clf.label_names.index(name), "name": name.replace("_", " "), "sounds": name in known}
        for name in names
    ]


def _means(frames: Tensor, block: int) -> list[float]:
    """Mean importance of each block."""
    return [round(float(part.mean()), 5) for part in frames.split(block)]


def _lane(frames: Tensor, block: int, method: str, frame_rate: float) -> dict:
    """Importance over time, with room above and below."""
    name, unit, legend, even = AXES[method]
    top, bottom = float(frames.max()), float(frames.min())
    digits = 1 - math.floor(math.log10(max(top - even, even - bottom, 1e-6)))
    strongest = int(frames.argmax()) // block * block / frame_rate
    alt = f"Importance by {method}: most from {strongest:.2f} s on."
    return lanes.lines(
        [("importance", frames.numpy())],
        1 / frame_rate,
        name=name,
        unit=unit,
        alt=alt,
        chance=even,
        weight=0.36,
        digits=max(2, digits),
        low=_rounded(min(bottom, even), digits, math.floor),
        high=_rounded(max(top, even + 10.0**-digits), digits, math.ceil),
        legend=legend,
    )


def _rounded(value: float, digits: int, towards) -> float:
    return towards(value * 10**digits) / 10**digits
