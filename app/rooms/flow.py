"""Flow: one picture from sound to label with the numbers of one moment, and each box opened into its arithmetic.

Shapes: K codebook rows, T frames, D width, O outputs and I inputs of a product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioformer.classify import AudioClassifier
from audioformer.errors import AudioformerError
from audioformer.explain.flow import BLOCK_STEPS, Step, Trace, arithmetic, trace
from audioformer.predict import window_starts
from audioformer.tokens import special_ids
from audioformer.widgets import lanes
from audioformer_app.analysis import Analysis
from audioformer_app.answers import words
from audioformer_app.models import Models
from audioformer_app.rooms import flow_words
from audioformer_app.rooms.attention import surest
from audioformer_app.rooms.sent import at_most, codes_for, one_of

WIDE = 16  # columns of a vector that is drawn as a small square
LARGEST = 256  # rows and columns of a matrix that is drawn
TERMS, BESIDE = 4, 4  # products that are written out; tokens shown on either side
UPRIGHT = ("vectors", "fit")  # drawn with outputs from left to right: eight long lists; time
BEFORE = ("sound", "frame", "codes", "tokens")


@dataclass(frozen=True)
class Moment:
    """A moment of a clip on its way through a classifier.

    Attributes:
        clf: the classifier.
        codes: (K, T) that it reads of the whole clip.
        frame: of the clip.
        start: first frame of the window.
        n_windows: that the clip is cut into.
        made: trace of the window.
    """

    clf: AudioClassifier
    codes: Tensor
    frame: int
    start: int
    n_windows: int
    made: Trace

    @property
    def position(self) -> int:
        """Of the moment, as the blocks count."""
        return self.made.position(self.frame - self.start)

    @property
    def times(self) -> list[str]:
        """What each position is called: its time in the clip; "begin" and "end"."""
        group, rate, n = self.made.group, self.clf.codec.frame_rate, self.made.tokens.shape[1]
        middles = [
            (p * group + min(group, n - p * group) / 2 - 1 + self.start) / rate for p in range(len(self.made.joined))
        ]
        named = [f"{max(0.0, time_s):.2f} s" for time_s in middles]
        return ["begin", *named[1:-1], "end"] if group == 1 else named


def moment(analysis: Analysis, data: dict, models: Models) -> Moment:
    """The moment that is asked for.

    Args:
        analysis: the clip, with a verdict.
        data: `frame` (None: where the label is surest; one beyond the end: the last).
        models: open models.

    Raises:
        AudioformerError: no AudioFormer, or not a frame.
    """
    clf = models.classifier(analysis.verdict.checkpoint)
    codes = codes_for(analysis, clf.codec, models)[: clf.classifier.config.n_codebooks]
    n_frames = codes.shape[1]
    asked = data.get("frame")
    frame = surest(analysis, n_frames) if asked is None else at_most(asked, n_frames - 1, "frame")
    starts, length = window_starts(n_frames, clf.window), min(clf.window, n_frames)
    start = min(starts, key=lambda first: abs(first + length / 2 - frame - 0.5))
    made = trace(clf.classifier, codes[:, start : start + length])
    return Moment(clf, codes, frame, start, len(starts), made)


def strip(analysis: Analysis, data: dict, models: Models) -> dict:
    """The picture as a strip of boxes with the numbers of a moment.

    Args:
        analysis: the clip.
        data: `frame`.
        models: open models.

    Returns:
        dict with `boxes`: `step`, `block` (from 0, or None), `name`, `text`, and a small picture `heat`, if it has one.
    """
    if _closed(analysis, models):
        return {"token": analysis.token, "empty": True}
    at = moment(analysis, data, models)
    return {"token": analysis.token, "frame": at.frame, "boxes": _boxes(analysis, at, models)}


def look(analysis: Analysis, data: dict, models: Models) -> dict:
    """The picture, and one box of it opened.

    Args:
        analysis: the clip.
        data: `frame`, `step` (default "sound"), `block` and `head` from 0, `cell` (number of an output; None: the
            largest).
        models: open models.

    Returns:
        dict with `boxes` as `strip`, the `walk` (steps in order), `title` and `sentence`, and of a product `product`;
        of the steps before the model `column` and `tokens`.

    Raises:
        AudioformerError: values out of range.
    """
    if _closed(analysis, models):
        return {"token": analysis.token, "empty": True}
    at = moment(analysis, data, models)
    config = at.clf.classifier.config
    walk = steps_of(at.made)
    step = one_of(data.get("step", "sound"), walk, "step")
    block = at_most(data.get("block", 0), config.n_layers - 1, "block")
    head = at_most(data.get("head", 0), config.n_heads - 1, "head")
    rate = at.clf.codec.frame_rate
    told = {
        "token": analysis.token,
        "frame": at.frame,
        "frame_rate": rate,
        "duration_s": analysis.duration_s,
        "time_s": round((at.frame + 0.5) / rate, 3),
        "hop": at.clf.codec.hop_length,
        "rate": at.clf.codec.sample_rate,
        "lanes": ["mel"],
        "walk": walk,
        "step": step,
        "block": block,
        "head": head,
        "n_blocks": config.n_layers,
        "n_heads": config.n_heads,
        "checkpoint": analysis.verdict.checkpoint,
        "in_block": step in BLOCK_STEPS,
    }
    if step in BEFORE:
        shown = _before(analysis, at, step)
        words_of = flow_words.before(step, at, shown, told)
    else:
        place = at.frame - at.start + 1 if step == "vectors" else at.position
        made = arithmetic(at.clf.classifier, at.made, step, place, block, head, at.clf.multi_label)
        shown = {"product": _product(made, step, at, data.get("cell"))}
        words_of = flow_words.of(step, at, made, told)
    return {**told, **shown, **words_of, "boxes": _boxes(analysis, at, models, block, head)}


ANSWERS = {"look": look}
STRIP = {"look": strip}


def steps_of(made: Trace) -> list[str]:
    """The steps of the walk: those before the model, and those of one block in the middle."""
    joined = ["join"] if made.to_join is not None else []
    return [*BEFORE, "vectors", *joined, *BLOCK_STEPS, "mean", "label"]


def _closed(analysis: Analysis, models: Models) -> bool:
    """Whether there is nothing to open: no checkpoint, or a model of another method."""
    if analysis.verdict is None:
        return True
    config = models.classifier(analysis.verdict.checkpoint).classifier.config
    return getattr(config, "method", "") != "audioformer"


def _latent(analysis: Analysis, at: Moment) -> tuple[Tensor, Tensor]:
    """(D,) the codec's numbers of the frame before they are coded, and (K, D) the entries that its codes stand for."""
    codec = at.clf.codec
    samples = torch.from_numpy(analysis.clip.samples)
    latents = codec.latents(samples, analysis.clip.sample_rate)[0].cpu()
    column = at.codes[:, at.frame]
    entries = codec.codebooks().cpu()[torch.arange(len(column)), column]
    return latents[:, min(at.frame, latents.shape[1] - 1)], entries.float()


def _before(analysis: Analysis, at: Moment, step: str) -> dict:
    """What is shown of a step before the model."""
    if step == "sound":
        return {}
    if step == "tokens":
        return {"tokens": _tokens(at)}
    latent, entries = _latent(analysis, at)
    if step == "frame":
        return {"column": {"values": _rounded(latent)}}
    left = latent - entries.cumsum(0)
    sizes = [float(latent.norm()), *(float(rest.norm()) for rest in left)]
    rows = [
        {"code": int(code), "entry": _heat(entry), "left": _heat(rest), "share": float(rest.norm() / sizes[0])}
        for code, entry, rest in zip(at.codes[:, at.frame], entries, left, strict=True)
    ]
    return {"column": {"values": _rounded(latent), "heat": _heat(latent), "rows": rows, "sizes": sizes}}


def _tokens(at: Moment) -> dict:
    """Tokens around the moment, a column a position."""
    tokens, place = at.made.tokens, at.frame - at.start + 1
    first, last = max(0, place - BESIDE), min(tokens.shape[1], place + BESIDE + 1)
    ids = special_ids(at.clf.classifier.config.codebook_size)
    named = {ids.boa: "begin", ids.eoa: "end", ids.pad: "pad", ids.mask: "mask"}
    rows = [[named.get(token, str(token)) for token in row] for row in tokens[:, first:last].tolist()]
    return {"first": first, "place": place - first, "rows": rows, "n": tokens.shape[1]}


def _boxes(analysis: Analysis, at: Moment, models: Models, block: int = 0, head: int = 0) -> list[dict]:
    """The strip: name, one short text and a small picture of every box."""
    made, place = at.made, at.frame - at.start + 1
    n_rows = len(made.tokens)
    column = at.codes[:n_rows, at.frame]
    ranks = (
        models.ranks(analysis.codec) if models.codec(analysis.codec).fingerprint == at.clf.codec.fingerprint else None
    )
    shades = (
        (column * 97 % 256).numpy()
        if ranks is None
        else ranks[np.arange(n_rows), column] * (255 / (ranks.shape[1] - 1))
    )
    boxes = [
        ("sound", None, "Sound", f"{(at.frame + 0.5) / at.clf.codec.frame_rate:.2f} s", None),
        ("frame", None, "Frame", f"{1000 / at.clf.codec.frame_rate:.1f} ms", None),
        ("codes", None, "Codes", f"{int(column[0])}, …" if n_rows > 1 else str(int(column[0])), None),
        ("tokens", None, "Tokens", f"no. {place}", None),
        ("vectors", None, "Vector", f"× {made.embedded.shape[1]}", made.embedded[place]),
    ]
    if made.to_join is not None:
        boxes.append(("join", None, "Joined", f"{made.group} frames", made.joined[at.position]))
    for number, one in enumerate(made.blocks):
        most = int(one.weights[head if number == block else 0, at.position].argmax())
        boxes.append(("query", number, f"Block {number + 1}", f"→ {at.times[most]}", one.after[at.position]))
    boxes.append(("mean", None, "Mean", f"of {len(made.joined)}", made.mean))
    p = made.logits.sigmoid() if at.clf.multi_label else made.logits.softmax(0)
    top = int(p.argmax())
    boxes.append(("label", None, words(at.clf.label_names[top]), f"{100 * float(p[top]):.0f} %", None))
    names = ("step", "block", "name", "text", "heat")
    listed = [dict(zip(names, (*box[:4], None if box[4] is None else _square(box[4])), strict=True)) for box in boxes]
    listed[2]["shades"] = lanes.packed(np.round(shades))
    return listed


def _square(vector: Tensor) -> dict:
    """A vector as a small picture, WIDE numbers a line."""
    return _heat(torch.nn.functional.pad(vector, (0, -len(vector) % WIDE)).view(-1, WIDE))


def _heat(values: Tensor) -> dict:
    """Signed numbers as levels: 128 is 0, the largest size 1 or 255. A large matrix keeps the largest neighbours."""
    values = torch.atleast_2d(values.detach().float())
    for axis in (0, 1):
        every = -(-values.shape[axis] // LARGEST)
        if every > 1:
            values = values.transpose(0, axis)
            padded = torch.nn.functional.pad(values, (0, 0, 0, -len(values) % every)).unflatten(0, (-1, every))
            picked = padded.abs().argmax(1, keepdim=True)
            values = padded.gather(1, picked)[:, 0].transpose(0, axis)
    top = float(values.abs().max()) or 1.0
    levels = (128 + 127 * values / top).round().clamp(0, 255)
    return {"rows": len(values), "columns": values.shape[1], "data": lanes.packed(levels.numpy()), "top": top}


def _rounded(values: Tensor) -> list[float]:
    """Numbers with four digits behind the point, for JSON."""
    return [round(float(value), 4) for value in values]


def _product(made: Step, step: str, at: Moment, cell) -> dict:
    """A step with one of its outputs written out as a sum of products."""
    n_out, n_in = made.matrix.shape
    cell = int(made.result.abs().argmax()) if cell is None else at_most(cell, n_out - 1, "cell")
    if not torch.isfinite(made.output).all():
        raise AudioformerError(f"{at.clf.name}: the model gives numbers that are not finite")
    products = made.matrix[cell] * made.vector
    largest = products.abs().argsort(descending=True)[:TERMS]
    inputs, outputs = flow_words.names(step, at, n_in, n_out)
    terms = [
        {"name": inputs[i], "weight": float(made.matrix[cell, i]), "input": float(made.vector[i]), "index": int(i)}
        for i in largest.tolist()
    ]
    return {
        "upright": step in UPRIGHT,
        "matrix": _heat(made.matrix.T if step in UPRIGHT else made.matrix),
        "vector": _rounded(made.vector),
        "output": _rounded(made.output),
        "result": _rounded(made.result),
        "then": made.then,
        "cell": cell,
        "products": _rounded(products),
        "terms": terms,
        "rest": float(products.sum() - products[largest].sum()),
        "n_rest": n_in - len(largest),
        "bias": float(made.bias[cell]),
        "value": float(made.output[cell]),
        "becomes": float(made.result[cell]),
        "inputs": inputs,
        "outputs": outputs,
        "named": step == "label",
        "over_time": step in ("fit", "mix", "mean"),
    }
