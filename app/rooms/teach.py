"""Teach: examples of sounds that somebody names, and a classifier learnt from them.

What the page brings is kept by `examples`. Of each class with three examples or more one is held back: it is no part of
the lesson, and what the classifier says of it is a test, if a small one. Shapes: n examples, C classes.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch

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
from audioformer_app.answers import NONE
from audioformer_app.models import Models
from audioformer_app.rooms.examples import HEARD_S, MOST_EXAMPLES, PIECES_S, Example, Lesson, examples_codec
from audioformer_app.rooms.sent import one_of
from audioformer_app.taught import Taught, new_folder, open_taught, unpacked

FEWEST_CLASSES, MOST_CLASSES, FEWEST_EXAMPLES = 2, 8, 2  # examples: of each class
HOLD_FROM = 3  # examples of a class from which one is held back
LETTERS, CROP_S = 40, 5.0  # of a name; window of the classifier, seconds
METHODS = ("probe", "ft1")
TELL_S = 0.4  # between two pictures of the progress


def starts(models: Models) -> list[str]:
    """Models to begin with: those that read the codes of one and the same codec, the one without labels first."""
    known, found = {**models.pretrained, **models.checkpoints}, {}
    for name, path in known.items():
        config = _config(path)
        if config.get("method", "audioformer") == "audioformer":
            found[name] = config["codec"]["fingerprint"]
    first = next(iter(found.values()), None)
    return [name for name, fingerprint in found.items() if fingerprint == first]


def limits() -> dict:
    """How much the room takes, and the ways to learn."""
    return {
        "classes": MOST_CLASSES,
        "examples": MOST_EXAMPLES,
        "fewest": FEWEST_EXAMPLES,
        "letters": LETTERS,
        "heard_s": HEARD_S,
        "pieces_s": list(PIECES_S),
        "hold_from": HOLD_FROM,
        "methods": list(METHODS),
    }


def hello(models: Models) -> dict:
    """What can be chosen, and the limits."""
    return {"starts": starts(models), "limits": limits(), "none": NONE}


def codec_of(models: Models) -> Codec:
    """Whose codes the examples are kept in."""
    return examples_codec(models, starts(models))


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
    every, held = items, hold_back(items, lesson)
    items = [item for item in items if item.id not in held]
    method = one_of(data.get("method"), METHODS, "method")
    start, codec = one_of(data.get("start"), starts(models), "start"), codec_of(models)
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
        taught_card(names, len(items), start, method),
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
    told |= check(taught, names, every, held) | {"choice": list(taught.choice), "seconds": time.monotonic() - began}
    yield {**told, "stage": "done"}


def hold_back(items: list[Item], lesson: Lesson) -> dict[str, bool]:
    """One example of each class with HOLD_FROM or more: its last, rather one of a recording that no other is of.

    Returns:
        id to whether another example is a piece of the same recording, which makes the test an easy one.
    """
    held, takes = {}, {item.id: lesson.examples[item.id].take for item in items}
    for label in sorted({item.labels[0] for item in items}):
        own = [item.id for item in items if item.labels[0] == label]
        if len(own) < HOLD_FROM:
            continue
        alone = [one for one in own if [takes[other] for other in own].count(takes[one]) == 1]
        held[(alone or own)[-1]] = not alone
    return held


def check(taught: Taught, names: list[str], items: list[Item], held: dict[str, bool]) -> dict:
    """The examples as the classifier sees them: a map, their neighbours, what it says of each, and of those held back.

    What it says of sounds that it has learnt from is no test; whether an example's nearest other one is of its class is
    one, if a small one: that one was not asked about itself.
    """
    found = predict_codes(taught.classifier.classifier, [item.codes for item in items], taught.classifier.window, False)
    vectors = torch.stack([one.embedding for one in found]).numpy()
    labels, ids = [names[item.labels[0]] for item in items], [item.id for item in items]
    share, blind, counted = purity(Space.of(vectors).neighbours(1), labels)
    said = [names[int(one.probabilities.argmax())] for one in found]
    sure = [float(one.probabilities.max()) for one in found]
    return {
        "points": np.round(project(vectors, "pca")[0], 4).tolist(),
        "ids": ids,
        "labels": labels,
        "predictions": said,
        "confidence": sure,
        "held": [[ids.index(one), alike] for one, alike in held.items()],
        "purity": share,
        "blind": blind,
        "counted": counted,
    }


def open_model(lesson: Lesson, file, models: Models) -> Taught:
    """A classifier out of a zip file that this room gave out earlier.

    Args:
        lesson: of the page; its `taught` becomes the classifier's name.
        file: path of the zip file.
        models: open models; the classifier is kept in `models.taught`.

    Raises:
        AudioformerError: no such file, or a classifier that reads the codes of another codec.
    """
    folder = unpacked(file)
    try:
        taught = open_taught(folder, codec_of(models))
    except BaseException as error:
        shutil.rmtree(folder.parent, ignore_errors=True)
        if isinstance(error, AudioformerError):  # said without this computer's folders
            raise AudioformerError(str(error).replace(str(folder), "the classifier of this project")) from error
        raise
    return _shelve(taught, models, lesson)


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
    except BaseException:
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise
    return _shelve(taught, models, lesson)


def _shelve(taught: Taught, models: Models, lesson: Lesson) -> Taught:
    models.taught.drop(lesson.taught)
    models.taught.put(taught.name, taught)
    lesson.taught = taught.name
    return taught


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


def taught_card(names: list[str], n_examples: int | str, start: str, method: str) -> dict:
    """What the model card says of a classifier that was taught on a page."""
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
