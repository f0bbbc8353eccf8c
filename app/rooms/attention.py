"""Attention: where the heads of the classifier look.

Shapes: L blocks, H heads, T frames of a window, S = T + 2 positions.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from audioformer.explain.attention import attention_maps, mean_distance, mean_entropy, rollout, shrink
from audioformer.predict import window_starts
from audioformer.widgets import lanes
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.rooms.sent import at_most, codes_for, whole_number

THUMB, LARGEST = 40, 512  # pixels a side of a small map, most of a large one


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """All heads small, one head large, for the window around a frame.

    Args:
        analysis: the clip, with a verdict.
        data: `frame` (None: where the label is surest), `layer`, `head` from 0 (beyond the last: the last).
        models: open models.

    Returns:
        dict with `thumbs` (L * H small maps), `map` (one head, frames only), `stats` per head, `lanes`, `window`,
        `group` (frames that make one position; a map then comes in squares).
        Levels of a map are the square root of the weight over its largest: small weights stay visible.

    Raises:
        AudioformerError: values out of range.
    """
    if analysis.verdict is None:
        return {"token": analysis.token, "empty": True}
    clf = models.classifier(analysis.verdict.checkpoint)
    codes = codes_for(analysis, clf.codec, models)[: clf.classifier.config.n_codebooks]
    config, n_frames = clf.classifier.config, codes.shape[1]
    layer = at_most(data.get("layer", config.n_layers - 1), config.n_layers - 1, "layer")
    head = at_most(data.get("head", 0), config.n_heads - 1, "head")
    frame = data.get("frame")
    frame = surest(analysis, n_frames) if frame is None else whole_number(frame, 0, n_frames - 1, "frame")
    starts = window_starts(n_frames, clf.window)
    length = min(clf.window, n_frames)
    start = min(starts, key=lambda first: abs(first + length / 2 - frame - 0.5))
    maps = attention_maps(clf.classifier, codes[:, start : start + length])
    frame_s = 1 / clf.codec.frame_rate
    return {
        "token": analysis.token,
        "frame_rate": clf.codec.frame_rate,
        "duration_s": analysis.duration_s,
        "frame": frame,
        "layer": layer,
        "head": head,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "window": [start * frame_s, (start + length) * frame_s],
        "n_windows": len(starts),
        "thumbs": _thumbs(maps),
        "map": _map(maps[layer, head]),
        "stats": _stats(maps, frame_s),
        "lanes": [
            "mel",
            _rollout_lane(maps, start, frame_s),
            *(["scores"] if clf.codec.frame_rate == analysis.frame_rate else []),
        ],
        "checkpoint": analysis.verdict.checkpoint,
        "group": getattr(config, "subsampling", 1),
    }


ANSWERS = {"look": look}


def surest(analysis: Analysis, n_frames: int) -> int:
    """Frame in which the top label scores highest."""
    verdict = analysis.verdict
    return min(int(verdict.frame_scores[:, verdict.label_names.index(verdict.labels[0])].argmax()), n_frames - 1)


def _levels(values: torch.Tensor) -> np.ndarray:
    """0 to 255: square root of the share of the largest."""
    return (values / values.amax((-2, -1), keepdim=True).clamp_min(1e-9)).sqrt().mul(255).round().numpy()


def _thumbs(maps: torch.Tensor) -> dict:
    """Small maps of all heads, frames only."""
    small = shrink(maps[..., 1:-1, 1:-1], THUMB)
    return {"side": small.shape[-1], "data": lanes.packed(_levels(small))}


def _map(weights: torch.Tensor) -> dict:
    """One head, frames only, at most LARGEST a side; `top` is the weight of the highest level."""
    inner = weights[1:-1, 1:-1]
    side = min(len(inner), LARGEST)
    shown = shrink(inner, side) if side < len(inner) else inner
    edges = float(weights[1:-1, [0, -1]].sum(-1).mean())
    return {"side": side, "data": lanes.packed(_levels(shown)), "top": float(shown.max()), "edges": edges}


def _stats(maps: torch.Tensor, frame_s: float) -> list[list[dict]]:
    """Reach (s), spread (effective number of positions) and the share that goes to BOA and EOA, for each head."""
    reach, spread = mean_distance(maps) * frame_s, mean_entropy(maps).exp()
    edges = maps[..., 1:-1, [0, -1]].sum(-1).mean(-1)
    names = ("reach_s", "spread", "edges")
    return [
        [
            dict(zip(names, map(float, (reach[i, j], spread[i, j], edges[i, j])), strict=True))
            for j in range(maps.shape[1])
        ]
        for i in range(maps.shape[0])
    ]


def _rollout_lane(maps: torch.Tensor, start: int, frame_s: float) -> dict:
    """How much of each frame can have reached the clip's vector (a mean over positions), by rollout.

    1 = its even share.
    """
    share = rollout(maps).mean(0)[1:-1] * maps.shape[-1]
    top = math.ceil(10 * max(2.0, float(share.max()))) / 10
    loudest = (start + int(share.argmax()) + 0.5) * frame_s
    return lanes.lines(
        [("rollout", share.numpy())],
        frame_s,
        name="Attention that reaches the answer",
        alt=f"Attention rollout; most of it comes from {loudest:.2f} s.",
        high=top,
        start_s=(start + 0.5) * frame_s,
        chance=1.0,
        digits=2,
        weight=0.24,
        unit="x even share",
        legend="rollout; dashed: its even share",
    )
