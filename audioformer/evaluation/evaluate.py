"""How good a checkpoint is on a data set: every clip is read, coded, classified and compared with its labels.

    report = evaluate(audioformer.load("esc10"), open_dataset("esc50", "ESC-10").select(folds=[4]))

The last step of the data path. Shapes: C classes of the checkpoint, T frames, S segments of 0.1 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from audioformer.audio import quietness
from audioformer.classify import AudioClassifier
from audioformer.data.datasets import AudioDataset, Clip
from audioformer.errors import AudioformerError
from audioformer.evaluation.calibration import (
    calibration_error,
    fit_temperature,
    roc_area,
    sharpened,
    sharpened_by_others,
)
from audioformer.evaluation.codings import codings_of, predict_codings
from audioformer.evaluation.held_out import HeldOut
from audioformer.metrics import (
    SEGMENT_S,
    best_thresholds,
    classification_report,
    events_to_segments,
    multi_label_report,
)

GROUP, ACTIVE = 16, 0.5  # clips at a time; probability from which a class counts as heard, where none was chosen


def evaluate(
    classifier: AudioClassifier,
    dataset: AudioDataset,
    progress: Callable[[int, int], None] | None = None,
    codings: int = 1,
    clip_by_clip: bool = False,
) -> dict:
    """Classify a data set and compare.

    Classes are matched by name, whatever their order; "Crying Baby" is "crying_baby". With one label a clip, clips of
    classes that the checkpoint does not know are left out and counted. With several, only the classes that both know
    are scored.

    Args:
        classifier: the checkpoint.
        dataset: whole or selected.
        progress: called with (clips done, clips in all).
        codings: how often each clip is coded, see `codings.codings_of`; event times come from the first.
        clip_by_clip: also return "clips", {"id", "truth", "probabilities"} of each; one label a clip only.

    Returns:
        "metric" (its value), "metric_name" ("accuracy" or "mAP"), the same value under that name, further figures with
        chance level and interval, "per_class", "confusion" (row = truth) with its "labels", "n", "left_out", and
        "notes", by clip what of it is missing or was changed.

    Raises:
        AudioformerError: no class in common, nothing left, or a clip that cannot be read.
    """
    known = _shared(classifier, dataset)
    several = classifier.multi_label or dataset.multi_label
    clips = [clip for clip in dataset if several or (len(clip.labels) == 1 and clip.labels[0] in known)]
    if not clips:
        raise AudioformerError(f"{dataset.root}: no clip has a label that {classifier.name} knows; nothing to measure")
    notes: dict[str, list[str]] = {}
    probabilities, segments = _predict(classifier, clips, known, progress, codings, notes)
    estimated = segments[1] >= thresholds_of(classifier) if segments else None
    if several:
        order = sorted(set(known.values()))
        names = [classifier.label_names[c] for c in order]
        truth = np.zeros((len(clips), len(classifier.label_names)), np.int64)
        for row, clip in zip(truth, clips, strict=True):
            row[[known[label] for label in clip.labels if label in known]] = 1
        events = (segments[0][:, order], estimated[:, order]) if segments else None
        report = multi_label_report(probabilities[:, order], truth[:, order], names, events)
    else:
        report = classification_report(
            probabilities, np.array([known[clip.labels[0]] for clip in clips]), classifier.label_names
        )
    value, name = report.pop("score"), report.pop("metric")
    if clip_by_clip:
        if several:
            raise AudioformerError("clip by clip needs one label a clip; leave --held-out away")
        rows = zip(clips, probabilities.tolist(), strict=True)
        report["clips"] = [{"id": c.id, "truth": known[c.labels[0]], "probabilities": row} for c, row in rows]
    left_out = Counter(label for clip in dataset for label in clip.labels if label not in known)
    return {"metric": value, "metric_name": name, **report, "left_out": dict(left_out), "notes": notes}


def thresholds_of(classifier: AudioClassifier) -> np.ndarray:
    """(C,) probability from which each class counts as heard in a segment: the one in config.json, else 0.5."""
    chosen = classifier.about.get("frame_thresholds") or {}
    return np.array([chosen.get(name, ACTIVE) for name in classifier.label_names])


def choose_thresholds(
    classifier: AudioClassifier, dataset: AudioDataset, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """The probability from which each class counts as heard in a segment of 0.1 s, for the best F1 of its class.

    Args:
        classifier: with a frame head.
        dataset: clips with event times, neither trained nor tested on: a validation part.
        progress: called with (clips done, clips in all).

    Returns:
        Threshold by label, for every class with an event in the data set; to be kept as "frame_thresholds".

    Raises:
        AudioformerError: no frame head, no event times, or no class in common.
    """
    known = _shared(classifier, dataset)
    _, segments = _predict(classifier, list(dataset), known, progress)
    if segments is None:
        raise AudioformerError(
            f"{classifier.name} with {dataset.root}: thresholds need a frame head and clips with event times"
        )
    reference, probabilities = segments
    chosen = best_thresholds(reference, probabilities)
    return {
        name: float(t)
        for name, t, any_event in zip(classifier.label_names, chosen, reference.any(0), strict=True)
        if any_event
    }


def calibrate(
    classifier: AudioClassifier,
    dataset: AudioDataset,
    foreign: AudioDataset | None = None,
    progress: Callable[[int, int], None] | None = None,
    held_out: HeldOut | None = None,
) -> tuple[float, dict]:
    """The temperature of a classifier's last layer, and how well it knows what it knows.

    Args:
        classifier: with one label a clip.
        dataset: clips of its classes, neither trained nor tested on, or those of `held_out`.
        foreign: clips of other kinds, for the area under the ROC curve of the highest probability; None leaves it out.
        progress: called with (clips done, clips in all).
        held_out: what models of the same recipe said of these clips that had not learnt from them (`held_out.json`);
            the classifier itself, which may have, is not asked then.

    Returns:
        Temperature, and {"n", "error before", "error after", "known from", "roc area"}: expected calibration errors
        (the second under temperatures fitted on the other clips), the probability that 95 of 100 sounds of the classes
        reach, and that area; with it "foreign below", the share of the foreign clips that do not reach it.

    Raises:
        AudioformerError: several labels a clip, no class in common, too few clips, or one that is not in `held_out`.
    """
    if classifier.multi_label or dataset.multi_label:
        raise AudioformerError("calibration needs one label a clip; choose thresholds where clips have several")
    known = _shared(classifier, dataset)
    clips = [clip for clip in dataset if clip.labels[0] in known]
    probabilities = _held_out_of(held_out, clips) if held_out else _predict(classifier, clips, known, progress)[0]
    labels = np.array([known[clip.labels[0]] for clip in clips])
    temperature = fit_temperature(probabilities, labels)
    after = sharpened(probabilities, temperature)
    known_from = float(np.quantile(after.max(1), 0.05))
    measures = {
        "n": len(clips),
        "error before": calibration_error(probabilities, labels),
        "error after": calibration_error(sharpened_by_others(probabilities, labels), labels),
        "known from": known_from,
    }
    if foreign is not None:
        others = sharpened(_predict(classifier, list(foreign), known, progress)[0], temperature)
        area, below = roc_area(after.max(1), others.max(1)), float((others.max(1) < known_from).mean())
        measures |= {"n_foreign": len(foreign), "roc area": area, "foreign below": below}
    return temperature, measures


def _held_out_of(held_out: HeldOut, clips: list[Clip]) -> np.ndarray:
    """(n, C) what `held_out.json` says of clips."""
    places = {name: place for place, name in enumerate(held_out.ids)}
    missing = [clip.id for clip in clips if clip.id not in places]
    if missing:
        raise AudioformerError(
            f"{len(missing)} of {len(clips)} clips, first {missing[0]}, are not in held_out.json; add them with "
            "`audioformer evaluate --held-out`, or calibrate on those alone that are"
        )
    return held_out.probabilities[[places[clip.id] for clip in clips]]


def _shared(classifier: AudioClassifier, dataset: AudioDataset) -> dict[str, int]:
    """Class number in the checkpoint of every label of the data set that it knows."""
    numbers = {_plain(name): number for number, name in enumerate(classifier.label_names)}
    known = {name: numbers[_plain(name)] for name in dataset.label_names if _plain(name) in numbers}
    if not known:
        raise AudioformerError(
            f"{classifier.name} knows {_some(classifier.label_names)}; "
            f"{dataset.root} has {_some(dataset.label_names)}: "
            "no class in common; choose another checkpoint or data set"
        )
    return known


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _some(names) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


@dataclass
class _Segments:
    """Events of all clips, 0.1 s after 0.1 s: whether each class is heard, and how probable the classifier holds it."""

    reference: list[np.ndarray]
    estimated: list[np.ndarray]


def _predict(
    classifier: AudioClassifier,
    clips: list[Clip],
    known: dict[str, int],
    progress,
    codings=1,
    notes: dict | None = None,
) -> tuple[np.ndarray, tuple | None]:
    """(n, C) probabilities, and (S, C) truth and probability of segments where events are known and predicted."""
    with_events = bool(classifier.about.get("frame_head")) and any(clip.events for clip in clips)
    probabilities, segments = [], _Segments([], [])
    for start in range(0, len(clips), GROUP):
        group = clips[start : start + GROUP]
        codes = [_codes(classifier, clip, codings, notes) for clip in group]
        predictions = predict_codings(classifier, codes)
        probabilities += [prediction.probabilities.numpy() for prediction in predictions]
        if with_events:
            for clip, own in zip(group, codes, strict=True):
                _add_segments(segments, classifier, clip, own[0], known)
        if progress is not None:
            progress(start + len(group), len(clips))
    events = (np.concatenate(segments.reference), np.concatenate(segments.estimated)) if with_events else None
    return np.stack(probabilities), events


def _codes(classifier: AudioClassifier, clip: Clip, codings: int, notes: dict | None) -> list[torch.Tensor]:
    try:
        waveform = clip.load(classifier.codec.sample_rate, mono=True)
        quiet = quietness(waveform.level_db)
        if notes is not None and (said := [*waveform.notes, *([quiet] if quiet else [])]):
            notes[clip.id] = said
        return codings_of(classifier, waveform, codings)
    except AudioformerError as error:
        raise AudioformerError(f"clip {clip.id}: {error}") from error


def _add_segments(
    segments: _Segments, classifier: AudioClassifier, clip: Clip, codes: torch.Tensor, known: dict[str, int]
) -> None:
    """Note for each segment which classes are heard, and the largest probability of its frames."""
    frames = classifier.frame_probabilities(codes)  # (T, C)
    frame_rate, n_classes = classifier.codec.frame_rate, frames.shape[1]
    events = [(known[label], onset_s, offset_s) for label, onset_s, offset_s in clip.events if label in known]
    reference = events_to_segments(events, len(frames) / frame_rate, n_classes)
    estimated = np.zeros(reference.shape, np.float32)
    middles_s = (np.arange(len(frames)) + 0.5) / frame_rate
    np.maximum.at(estimated, np.minimum((middles_s / SEGMENT_S).astype(int), len(estimated) - 1), frames)
    segments.reference.append(reference)
    segments.estimated.append(estimated)
