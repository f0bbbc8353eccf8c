"""Map: many sounds at once, laid out by what a model makes of them, and where the clip on the page lies among them.

Shapes: n clips, C classes.
"""

from __future__ import annotations

import numpy as np
import torch

from audioformer.audio import Waveform, quietness, resample
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import METHODS, place, purity, vote
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Analysis
from audioformer_app.atlas import Atlas, aligned, hear
from audioformer_app.models import Models
from audioformer_app.rooms.sent import one_of, whole_number

SHOWN_NEIGHBOURS, PLAY_HZ = 5, 24_000


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """One or two models' maps of the same clips, or one's through its training, as far as they are known.

    Args:
        analysis: the clip on the page, which is drawn as a star.
        data: `models`, one or two names (None: the page's checkpoint and what has learnt nothing), `method`, and
            `through`, true for what the first model was before, from its first weights on, in place of the second.
        models: open models.

    Returns:
        dict with `clips`, `views` (one a model; none while they are being made), `purities` of the models known so far,
        `before` (what each model was before, the earliest first), and `waiting` {doing, done, total}, None when there
        is nothing to wait for.

    Raises:
        AudioformerError: unknown names, no data set, or what went wrong in the background.
    """
    atlas = models.atlas()
    names, method = _names(analysis, data.get("models"), atlas), one_of(data.get("method", "umap"), METHODS, "method")
    through = bool(data.get("through"))
    if through:
        names = [names[0], *atlas.before.get(names[0], [])]
    atlas.ask(names, method)
    known = all(atlas.region(name) is not None for name in names)
    waiting = {"doing": atlas.doing, "done": atlas.done, "total": len(atlas.clips)} if atlas.waiting else None
    told = {
        "token": analysis.token,
        "names": names,
        "models": atlas.names,
        "method": method,
        "waiting": waiting,
        "through": through,
        "before": atlas.before,
        "left_out": len(atlas.dataset) - len(atlas.clips),
    }
    if not known:
        return {**told, "views": []}
    views = [_view(analysis, name, method, names[0], atlas) for name in names]
    clips = [
        {"label": label, "file": clip.path.name, "note": "; ".join(notes)}
        for clip, label, notes in zip(atlas.clips, atlas.labels, atlas.notes, strict=True)
    ]
    return {**told, "clips": clips, "notes": atlas.dataset.notes, "views": views, "purities": _purities(atlas)}


def sound(analysis: Analysis, data: dict, models: Models) -> dict:
    """The sound of a clip on the map; `index` from 0."""
    atlas = models.atlas()
    index = whole_number(data.get("index"), 0, len(atlas.clips) - 1, "index")
    heard = hear(atlas.clips[index])
    samples = resample(heard.samples, heard.sample_rate, PLAY_HZ)[0].numpy()
    return {"token": analysis.token, "index": index, "wav": wav_base64(samples, PLAY_HZ)}


ANSWERS = {"look": look, "sound": sound}


def _names(analysis: Analysis, sent, atlas: Atlas) -> list[str]:
    """The models asked for, checked."""
    if sent is None:
        return atlas.first_screen(analysis.verdict.checkpoint if analysis.verdict else None)
    if not isinstance(sent, list) or not 1 <= len(sent) <= 2:
        raise AudioformerError("models must be a list of one or two names")
    return [one_of(name, atlas.names, "model") for name in dict.fromkeys(map(str, sent))]


def _view(analysis: Analysis, name: str, method: str, first: str, atlas: Atlas) -> dict:
    """One model's map: places, what it calls each clip, and the clip on the page among them."""
    region = atlas.region(name)
    points, shares, shown = aligned(atlas, name, method, first if name != first else None)
    said, sure, by = _said(atlas, name)
    right = [a == b for a, b in zip(said, atlas.labels, strict=True)]
    k = _k(atlas.labels)
    share, blind, counted = purity(region.space.neighbours(k), atlas.labels)
    return {
        "name": name,
        "method": shown,
        "points": np.round(points, 4).tolist(),
        "shares": None if shares is None else shares.tolist(),
        "by": by,
        "predictions": said,
        "confidence": np.round(sure, 4).tolist(),
        "right": right,
        "known": [label in region.label_names if region.label_names else True for label in atlas.labels],
        "quiet": [bool(quiet) for quiet in atlas.quiet],
        "sure": [by == "neighbours" or p >= analysis.sure for p in sure.tolist()],
        "learnt": sum(atlas.learnt_from(name)),
        "alike": atlas.learnt_alike(name),
        "purity": share,
        "chance": blind,
        "counted": counted,
        "k": k,
        "own": _own(analysis, name, points, atlas),
    }


def _said(atlas: Atlas, name: str) -> tuple[list[str], np.ndarray, str]:
    """What each clip is called, how sure that is, and who said so: the model's own classes, or the clip's neighbours.

    One that is too quiet to be named is called that.
    """
    region = atlas.region(name)
    if region.probabilities is None:
        (said, sure), by = vote(region.space.neighbours(_k(atlas.labels)), atlas.labels), "neighbours"
    else:
        said, by = [region.label_names[i] for i in region.probabilities.argmax(1)], "classes"
        sure = region.probabilities.max(1)
    return [quiet or label for quiet, label in zip(atlas.quiet, said, strict=True)], sure, by


def _k(labels: list[str]) -> int:
    """Neighbours to count: 5, where classes have as many others, else the nearest alone."""
    return 5 if len(labels) >= 6 * len(set(labels)) else 1


def _own(analysis: Analysis, name: str, points: np.ndarray, atlas: Atlas) -> dict:
    """Where the clip on the page lies, and its nearest clips.

    A bundled clip that is on the map itself lies where it is.
    """
    files = [clip.path.name for clip in atlas.clips]
    itself = files.index(analysis.clip.name) if analysis.sample >= 0 and analysis.clip.name in files else None
    waveform = Waveform(torch.from_numpy(analysis.clip.samples)[None], analysis.clip.sample_rate)
    nearest, cosines = atlas.region(name).space.nearest(
        atlas.describe(name, waveform, analysis.token).vector, SHOWN_NEIGHBOURS, itself
    )
    where = points[itself] if itself is not None else place(points, nearest, cosines)
    return {
        "name": analysis.clip.name,
        "quiet": quietness(waveform.level_db),
        "point": np.round(where, 4).tolist(),
        "nearest": nearest.tolist(),
        "cosines": np.round(cosines, 3).tolist(),
        "itself": itself,
    }


def _purities(atlas: Atlas) -> list[dict]:
    """Of all models known so far, in their order."""
    k = _k(atlas.labels)
    known = [name for name in atlas.names if atlas.region(name) is not None]
    return [{"name": name, "purity": purity(atlas.region(name).space.neighbours(k), atlas.labels)[0]} for name in known]
