"""Switches: parts of the classifier off, and what it says then; each part in turn; what drives a feed-forward unit.

Shapes: K codebook rows, T frames, L blocks, H heads, F feed-forward units, C classes.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.moments import moment_scores, silent_frames
from audioformer.explain.switches import (
    Moments,
    Off,
    in_turn,
    sizes,
    strongest_moments,
    switched,
    unit_activations,
    unit_falls,
)
from audioformer.widgets import lanes
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.answers import words
from audioformer_app.models import Models
from audioformer_app.rooms.sent import at_most, codes_for, whole_number

SHOWN, MOST_OFF = 5, 200  # classes with a bar; parts of a kind off at once
N_UNITS, N_MOMENTS = 24, 5  # units tried in turn; sounds that drive a unit most
HALF_S = 0.3  # heard on either side of a moment
_moments: WeakKeyDictionary[AudioClassifier, Moments] = WeakKeyDictionary()


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """What the classifier says with some parts off.

    Args:
        analysis: the clip, with a verdict.
        data: `rows`, `blocks`, `heads` ([block, head]), `units` ([block, unit]), all from 0, and `label` (number of
            the class that is asked about; None: the first of the verdict); `forward` (blocks whose feed-forward units
            are all off).
        models: open models.

    Returns:
        dict with `classes` (label, before, now), `lanes` (the score before and now), `sizes`, the `label` and its name.

    Raises:
        AudioformerError: parts that there are not.
    """
    if _closed(analysis, models):
        return {"token": analysis.token, "empty": True}
    clf, codes, label = _asked(analysis, data, models)
    off, verdict = _off(data, clf), analysis.verdict
    less = switched(clf, off)
    before, now = (one.classify_codes(codes).probabilities for one in (clf, less))
    leading = torch.maximum(before, now).argsort(descending=True)[:SHOWN].tolist()
    name = words(clf.label_names[label])
    silent = silent_frames(analysis.samples, analysis.sample_rate, clf.codec.frame_rate, codes.shape[1])
    scores = [verdict.frame_scores[:, label], moment_scores(less, codes)[:, label].numpy()]
    masked = [_without(score, silent) for score in scores]
    lane = lanes.lines(
        [("all on", masked[0]), ("now", masked[1])],
        1 / clf.codec.frame_rate,
        name="Score",
        unit=name,
        alt=f"Score of {name} over time, with all parts on and now.",
        weight=0.4,
    )
    return {
        "token": analysis.token,
        "frame_rate": clf.codec.frame_rate,
        "duration_s": analysis.duration_s,
        "sizes": sizes(clf),
        "label": label,
        "name": name,
        "labels": [{"number": clf.label_names.index(one), "name": words(one)} for one in verdict.labels],
        "classes": [
            {"label": words(clf.label_names[i]), "before": float(before[i]), "now": float(now[i])} for i in leading
        ],
        "chance": None if clf.multi_label else 1 / len(clf.label_names),
        "before": float(before[label]),
        "now": float(now[label]),
        "lanes": ["mel", lane],
        "checkpoint": verdict.checkpoint,
    }


def turn(analysis: Analysis, data: dict, models: Models) -> dict:
    """How far the probability of a label falls with each further part off; `data` as for `look`."""
    clf, codes, label = _asked(analysis, data, models)
    found = in_turn(clf, codes, label, _off(data, clf))
    falls = {name: getattr(found, name).tolist() for name in ("rows", "blocks", "heads", "feed_forward")}
    return {"token": analysis.token, "label": label, "probability": found.probability, "falls": falls}


def units(analysis: Analysis, data: dict, models: Models) -> dict:
    """The units of a block that add most to this clip, each switched off in turn.

    Args:
        analysis: the clip.
        data: as for `look`, and `block`.
        models: open models.

    Returns:
        dict with `units`: number, `size` (share of the largest) and `fall` of each; the strongest first.
    """
    clf, codes, label = _asked(analysis, data, models)
    block = at_most(data.get("block", 0), sizes(clf)["blocks"] - 1, "block")
    layer = clf.classifier.backbone.encoders[0].blocks[block].contract
    active = unit_activations(clf, codes)[block].abs().mean(0)
    added = active * getattr(layer, "linear", layer).weight.detach().norm(dim=0)
    chosen = added.topk(min(N_UNITS, len(added))).indices.tolist()
    falls = unit_falls(clf, codes, label, block, chosen, _off(data, clf)).tolist()
    top = float(added.max()) or 1.0
    found = [
        {"unit": unit, "size": float(added[unit]) / top, "fall": fall} for unit, fall in zip(chosen, falls, strict=True)
    ]
    return {"token": analysis.token, "block": block, "label": label, "units": found}


def drive(analysis: Analysis, data: dict, models: Models) -> dict:
    """What drives a unit: its activation over this clip, and the moments in all sample sounds that drive it most.

    Args:
        analysis: the clip.
        data: `block`, `unit`.
        models: open models.

    Returns:
        dict with `lane` (activation over time) and `moments`: label, time_s, value, and a `wav` around each.
    """
    clf, codes, _ = _asked(analysis, data, models)
    n = sizes(clf)
    block = whole_number(data.get("block"), 0, n["blocks"] - 1, "block")
    unit = whole_number(data.get("unit"), 0, n["units"] - 1, "unit")
    name = next((one for one in models.codecs if models.codec(one).fingerprint == clf.codec.fingerprint), None)
    if name is None:
        raise AudioformerError(
            f"{clf.name}: its codec is not offered here, so there are no sample sounds to look through"
        )
    coded = models.coded_samples(name)
    if clf not in _moments:
        _moments[clf] = strongest_moments(clf, coded.codes, N_MOMENTS)
    found, rate = _moments[clf], clf.codec.frame_rate
    moments = []
    for clip, frame, value in zip(
        *(part[block, unit].tolist() for part in (found.clips, found.frames, found.values)), strict=True
    ):
        moments.append(
            {
                "label": words(coded.label_names[coded.labels[clip]]),
                "time_s": (frame + 0.5) / rate,
                "value": value,
                "wav": wav_base64(_around(torch.as_tensor(coded.codes[clip]), frame, clf), clf.codec.sample_rate),
            }
        )
    active = unit_activations(clf, codes)[block, :, unit].numpy()
    top = max(float(active.max()), moments[0]["value"], 1e-6)
    lane = lanes.lines(
        [(f"unit {unit + 1} of block {block + 1}", active)],
        1 / rate,
        name="Unit",
        alt=f"Activation of unit {unit + 1} of block {block + 1} over this clip.",
        low=min(0.0, np.floor(10 * float(active.min())) / 10),
        high=float(np.ceil(10 * top) / 10),
        weight=0.4,
        digits=2,
        legend="activation",
    )
    return {"token": analysis.token, "block": block, "unit": unit, "lane": lane, "moments": moments}


ANSWERS = {"look": look, "turn": turn, "units": units, "drive": drive}


def _closed(analysis: Analysis, models: Models) -> bool:
    """Whether there is nothing to switch: no checkpoint, or a model of another method."""
    if analysis.verdict is None:
        return True
    config = models.classifier(analysis.verdict.checkpoint).classifier.config
    return getattr(config, "method", "") != "audioformer"


def _asked(analysis: Analysis, data: dict, models: Models) -> tuple[AudioClassifier, Tensor, int]:
    """The classifier, the (K, T) codes that it reads, and the number of the label that is asked about."""
    clf = models.classifier(analysis.verdict.checkpoint if analysis.verdict else "")
    codes = codes_for(analysis, clf.codec, models)[: clf.classifier.config.n_codebooks].contiguous()
    first = clf.label_names.index(analysis.verdict.labels[0])
    label = data.get("label")
    return clf, codes, first if label is None else whole_number(label, 0, len(clf.label_names) - 1, "label")


def _off(data: dict, clf: AudioClassifier) -> Off:
    """What is off, checked: parts that the model at hand does not have are not off."""
    n = sizes(clf)
    blocks = range(n["blocks"])
    heads = [(b, h) for b, h in _pairs(data, "heads") if b in blocks and h < n["heads"]]
    units_off = [(b, u) for b, u in _pairs(data, "units") if b in blocks and u < n["units"]]
    whole = [(block, unit) for block in _numbers(data, "forward") if block in blocks for unit in range(n["units"])]
    return Off().also(
        rows=[row for row in _numbers(data, "rows") if row < n["rows"]],
        blocks=[block for block in _numbers(data, "blocks") if block in blocks],
        heads=heads,
        units=units_off + whole,
    )


def _numbers(data: dict, name: str) -> list[int]:
    sent = data.get(name) or []
    if not isinstance(sent, list) or len(sent) > MOST_OFF:
        raise AudioformerError(f"{name} must be a list of at most {MOST_OFF} parts")
    return [whole_number(one, 0, 2**31 - 1, name) for one in sent]


def _pairs(data: dict, name: str) -> list[tuple[int, int]]:
    sent = data.get(name) or []
    if (
        not isinstance(sent, list)
        or len(sent) > MOST_OFF
        or not all(isinstance(one, list) and len(one) == 2 for one in sent)
    ):
        raise AudioformerError(f"{name} must be a list of at most {MOST_OFF} pairs")
    return [tuple(whole_number(one, 0, 2**31 - 1, name) for one in pair) for pair in sent]


def _without(score, silent):
    """A score without what is silent."""
    score = torch.as_tensor(score).float().clone()
    score[torch.as_tensor(silent)[: len(score)]] = torch.nan
    return score.numpy()


def _around(codes: Tensor, frame: int, clf: AudioClassifier):
    """The sound around a frame of a coded clip."""
    half = round(HALF_S * clf.codec.frame_rate)
    piece = codes[:, max(0, frame - half) : frame + half + 1].long()
    return clf.codec.decode(piece)[0].mean(0).numpy()
