"""Teach: examples of sounds that somebody names, and a classifier learnt from them.

Of an example only its codes stay here; its sound stays in the browser. Shapes: n examples, K codebooks, T frames, C
classes.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from threading import Event
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import Waveform, quietness, rate_notes, resample
from audioformer.checkpoint import find_checkpoint
from audioformer.codec import Codec
from audioformer.data.corpus import Item, describe_codec
from audioformer.errors import AudioformerError
from audioformer.evaluation.embedding_map import LEAST, Space, project, purity
from audioformer.evaluation.frozen_head import FrozenHead, quick
from audioformer.finetune import FineTuning
from audioformer.predict import predict_codes
from audioformer.start import load_start
from audioformer.train import train
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Clip
from audioformer_app.models import Models
from audioformer_app.rooms.sent import one_of
from audioformer_app.taught import Taught, new_folder, open_taught

FEWEST_CLASSES, MOST_CLASSES, FEWEST_EXAMPLES, MOST_EXAMPLES = 2, 8, 2, 60  # examples: of each class; of all together
HEARD_S, LETTERS, CROP_S = (
    10.0,
    40,
    5.0,
)  # of each example its first seconds; of a name; window of the classifier, seconds
METHODS = ("probe", "ft1")
TELL_S = 0.4  # between two pictures of the progress


@dataclass
class Lesson:
    """What one page has brought so far.

    Attributes:
        examples: id to the example's codes and length.
        stop: set when the page wants no more steps.
        taught: name of the classifier that it taught last, or "".
    """

    examples: dict[str, Example] = field(default_factory=dict)
    stop: Event = field(default_factory=Event)
    taught: str = ""


@dataclass(frozen=True)
class Example:
    """One sound, coded: (K, T) int16 codes and seconds."""

    codes: Tensor
    duration_s: float


def starts(models: Models) -> list[str]:
    """Models to begin with: those that read the codes of one and the same codec, the one without labels first."""
    known, found = {**models.pretrained, **models.checkpoints}, {}
    for name, path in known.items():
        config = _config(path)
        if config.get("method", "audioformer") == "audioformer":
            found[name] = config["codec"]["fingerprint"]
    first = next(iter(found.values()), None)
    return [name for name, fingerprint in found.items() if fingerprint == first]


def hello(models: Models) -> dict:
    """What can be chosen, and the limits."""
    limits = {
        "classes": MOST_CLASSES,
        "examples": MOST_EXAMPLES,
        "fewest": FEWEST_EXAMPLES,
        "letters": LETTERS,
        "heard_s": HEARD_S,
    }
    return {"starts": starts(models), "limits": limits}


def add(lesson: Lesson, clip: Clip, models: Models) -> dict:
    """Take a sound as an example.

    Args:
        lesson: of the page.
        clip: read like any file that is dropped.
        models: open models.

    Returns:
        dict with `id`, `name`, `duration_s`, `note` and its `wav`.

    Raises:
        AudioformerError: too many examples, or silence.
    """
    if len(lesson.examples) >= MOST_EXAMPLES:
        raise AudioformerError(f"{MOST_EXAMPLES} examples are the most that this room keeps; remove some")
    codec = _codec(models)
    samples = clip.samples[: round(HEARD_S * clip.sample_rate)]
    if not np.abs(samples).max(initial=0.0) > 0:
        raise AudioformerError(f"{clip.name}: is silent; is the right microphone chosen?")
    codes = codec.encode(Waveform(torch.from_numpy(samples)[None], clip.sample_rate))[0]
    heard = resample(torch.from_numpy(samples)[None], clip.sample_rate, codec.sample_rate)[0].numpy()
    name, duration_s = uuid4().hex, len(heard) / codec.sample_rate
    lesson.examples[name] = Example(codes.to(torch.int16).cpu(), duration_s)
    notes = [*([clip.note] if clip.note else []), *rate_notes(clip.sample_rate, codec.sample_rate)]
    if len(clip.samples) > len(samples):
        notes.append(f"only the first {HEARD_S:.0f} s are used")
    if quiet := quietness(Waveform(torch.from_numpy(samples)[None], clip.sample_rate).level_db):
        notes.append(quiet)
    return {
        "id": name,
        "name": clip.name[:80],
        "duration_s": duration_s,
        "note": "; ".join(notes),
        "wav": wav_base64(heard, codec.sample_rate),
    }


def forget(lesson: Lesson, ids) -> dict:
    """Drop examples; ids that are not here are passed over."""
    for name in ids if isinstance(ids, list) else []:
        lesson.examples.pop(str(name), None)
    return {"left": len(lesson.examples)}


def teach(lesson: Lesson, data: dict, models: Models) -> Iterator[dict]:
    """Learn from the examples.

    Args:
        lesson: of the page; its `taught` becomes the new classifier's name.
        data: `classes`, a list of {name, ids}, `start`, one of `starts`, and `method`, "probe" (the last layer) or
            "ft1".
        models: open models; the classifier is kept in `models.taught`.

    Yields:
        dicts with `stage` ("listen", "learn", "check", "done"), `done`, `total`, and once there is one the `curve`; the
        last one also with `choice` and what `check` gives.

    Raises:
        AudioformerError: names, counts or choices that cannot work.
    """
    names, items = _classes(lesson, data.get("classes"))
    method = one_of(data.get("method"), METHODS, "method")
    start, codec = one_of(data.get("start"), starts(models), "start"), _codec(models)
    lesson.stop.clear()
    yield {"stage": "listen", "done": 0, "total": len(items), "curve": []}
    known = {**models.pretrained, **models.checkpoints}[start]
    about = {
        **describe_codec(codec),
        "name": _config(known)["codec"]["name"],
    }  # under which the model finds its codec again
    model, recipe, card = (
        load_start(known, about),
        quick(method, len(items), CROP_S),
        _card(names, len(items), start, method),
    )
    began = time.monotonic()
    if method == "probe":
        task = FrozenHead(recipe, model, items, names, about, card=card)
        for done in task.listen():
            yield {"stage": "listen", "done": done, "total": len(items), "curve": []}
    else:
        task = FineTuning(recipe, model, items, names, False, about, card=card)
    history: list[dict] = []
    yield from _learn(task, recipe.train, history, lesson)
    told = {"done": len(history), "total": recipe.train.n_steps, "curve": _curve(history), **_bounds(task)}
    yield {**told, "stage": "check"}
    taught = _keep(task, history, codec, models, lesson)
    told |= check(taught, names, items) | {"choice": list(taught.choice), "seconds": time.monotonic() - began}
    yield {**told, "stage": "done"}


def check(taught: Taught, names: list[str], items: list[Item]) -> dict:
    """The examples as the classifier sees them: a map, their neighbours, what it says of each.

    What it says of sounds that it has learnt from is no test; whether an example's nearest other one is of its class is
    one, if a small one: that one was not asked about itself.
    """
    found = predict_codes(taught.classifier.classifier, [item.codes for item in items], taught.classifier.window, False)
    vectors = torch.stack([one.embedding for one in found]).numpy()
    labels = [names[item.labels[0]] for item in items]
    share, blind, counted = purity(Space.of(vectors).neighbours(1), labels)
    said = [names[int(one.probabilities.argmax())] for one in found]
    sure = [float(one.probabilities.max()) for one in found]
    return {
        "points": np.round(project(vectors, "pca")[0], 4).tolist(),
        "ids": [item.id for item in items],
        "labels": labels,
        "predictions": said,
        "confidence": sure,
        "purity": share,
        "blind": blind,
        "counted": counted,
    }


def _bounds(task: FineTuning) -> dict[str, float]:
    """Loss of knowing nothing, and the lowest there is: with smoothed labels even certainty costs something."""
    chance, smoothing = task.chance["mlc"], task.config.label_smoothing
    n_classes = len(task.label_names)
    rest = smoothing / n_classes
    shares = [1 - smoothing + rest, *[rest] * (n_classes - 1)]
    return {"chance": chance, "floor": -sum(share * math.log(share) for share in shares if share > 0)}


def _learn(task: FineTuning, config, history: list[dict], lesson: Lesson) -> Iterator[dict]:
    """Steps, told of now and then; ends early when the page says so."""
    told_at = 0.0
    for record in train(task, config):
        history.append(asdict(record))
        if time.monotonic() - told_at >= TELL_S:
            told_at = time.monotonic()
            curve = _curve(history)
            yield {"stage": "learn", "done": record.step, "total": config.n_steps, "curve": curve, **_bounds(task)}
        if lesson.stop.is_set():
            return


def _keep(task: FineTuning, history: list[dict], codec: Codec, models: Models, lesson: Lesson) -> Taught:
    """Write the checkpoint, read it back, put it on the shelf in place of the page's earlier one."""
    folder = new_folder()
    try:
        task.export(folder, history[-1] if history else None, None)
        taught = open_taught(folder, codec)
        models.taught.drop(lesson.taught)
        models.taught.put(taught.name, taught)
    except BaseException:
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise
    lesson.taught = taught.name
    return taught


def _codec(models: Models) -> Codec:
    """Whose codes the models to begin with read."""
    names = starts(models)
    if not names:
        raise AudioformerError(
            "this installation came without a model to begin with; make one with `audioformer pretrain`"
        )
    return models.guesser().codec if names[0] in models.pretrained else models.classifier(names[0]).codec


def _classes(lesson: Lesson, sent) -> tuple[list[str], list[Item]]:
    """Names and examples as the page sent them, checked."""
    if (
        not isinstance(sent, list)
        or not FEWEST_CLASSES <= len(sent) <= MOST_CLASSES
        or not all(isinstance(one, dict) for one in sent)
    ):
        raise AudioformerError(f"a classifier needs {FEWEST_CLASSES} to {MOST_CLASSES} classes; add or remove some")
    names, items = [], []
    for number, one in enumerate(sent):
        name = str(one.get("name") or "").strip()
        if not 0 < len(name) <= LETTERS or not name.isprintable():
            raise AudioformerError(f"class {number + 1} needs a name of 1 to {LETTERS} letters")
        if name.casefold() in map(str.casefold, names):
            raise AudioformerError(f"two classes are called {name!r}; give each its own name")
        ids = one.get("ids") if isinstance(one.get("ids"), list) else []
        found = [str(key) for key in dict.fromkeys(map(str, ids)) if str(key) in lesson.examples]
        if len(found) < FEWEST_EXAMPLES:
            raise AudioformerError(
                f"{name!r} has {len(found)} examples here; record or drop at least {FEWEST_EXAMPLES}"
            )
        names.append(name)
        items += [_item(key, lesson.examples[key], number) for key in found]
    if len({item.id for item in items}) < len(items):
        raise AudioformerError("one example stands in two classes; remove it from one")
    if len(items) < LEAST:
        raise AudioformerError(f"{len(items)} examples are too few; bring at least {LEAST}")
    return names, items


def _item(name: str, example: Example, label: int) -> Item:
    return Item(name, example.codes.long(), (label,), (1.0,), None, None, name, 0, (), example.duration_s, 0)


def _config(checkpoint) -> dict:
    """config.json alone, without the weights."""
    return json.loads((find_checkpoint(checkpoint) / "config.json").read_text())


def _curve(history: list[dict]) -> list[float]:
    return [round(record["losses"]["mlc"], 4) for record in history]


def _card(names: list[str], n_examples: int, start: str, method: str) -> dict:
    what = "the last layer alone" if method == "probe" else "all of its weights"
    return {
        "title": f"Taught on the page: {', '.join(names)}",
        "about": f"{what.capitalize()} of `{start}` learnt from {n_examples} examples in the room Teach of the "
        "audioformer app.",
        "data": "Sounds that one person recorded or dropped into the page; they are not kept. Their licence is that "
        "person's to know.",
        "limits": "Learnt from a handful of examples and never measured on others: it may know the room or the "
        "microphone rather than "
        "the sound. It knows only its classes: any other sound still gets one of them.",
    }
