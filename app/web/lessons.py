"""What the room Teach of a page begins with: a checkpoint to be, whose last layer is learnt in the visitor's browser.

The library writes it, of the model that the page has and of classes that mean nothing; the page puts in names, numbers
and a last layer. All other weights are in the classifier's graph already: only their places there are told.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.checkpoint import load_checkpoint
from audioformer.classify import AudioClassifier
from audioformer.data.corpus import Item
from audioformer.evaluation.frozen_head import FrozenHead, quick
from audioformer.finetune import classifier_card
from audioformer.optim import BETAS, LOWEST_RATE
from audioformer.start import load_start
from audioformer_app.answers import NONE
from audioformer_app.rooms import teach

NAMES, NUMBER, STEPS = "{{names}}", "{{number}}", "{{steps}}"  # what the page puts in; its labels are one of NAMES


def lesson(classifier: AudioClassifier, graph: bytes) -> tuple[dict, bytes]:
    """What the page must know to teach the last layer of its model anew.

    Args:
        classifier: of the page.
        graph: `graphs.classifier_graph` of it.

    Returns:
        `limits` and the name of the class `none` of the app's room Teach; `about`, `card` and `weights` of the
        checkpoint, see `places`; `betas` and `lowest` of the optimiser. And the bytes of weights that the graph lacks.
    """
    codes = torch.zeros(classifier.codec.n_codebooks, 8, dtype=torch.int64)
    items = [Item(str(label), codes, (label,), (1.0,), None, None, "", 0, (), 0.1, 0) for label in (0, 1)]
    start = Path(classifier.name).name
    card = teach.taught_card([NAMES], NUMBER, start, "probe")
    codec = classifier.about["codec"]
    task = FrozenHead(
        quick("probe", len(items), teach.CROP_S), load_start(classifier.name), items, ["", " "], codec, card=card
    )
    with tempfile.TemporaryDirectory() as folder:
        task.export(Path(folder), None, None)
        state, about = load_checkpoint(folder)
    about.pop("weights")
    said = classifier_card({**about, "label_names": [NAMES], "n_clips": NUMBER, "steps": STEPS})
    weights, rest = places(graph, {name: value for name, value in state.items() if not name.startswith("head.")})
    known = {"limits": teach.limits(), "none": NONE, "about": about, "card": said, "weights": weights}
    return {**known, "betas": BETAS, "lowest": LOWEST_RATE, "window": task.window}, rest


def places(graph: bytes, state: dict[str, Tensor]) -> tuple[list[dict], bytes]:
    """Where the weights of a checkpoint stand in a graph that was made of them.

    Returns:
        For each {name, shape, at, wide, turned, rest}: first byte; 4 bytes a number instead of 2; rows and columns
        exchanged; whether it stands in the bytes that come second, because the graph does not hold it.
    """
    import onnx

    held: dict[bytes, tuple[bytes, bool]] = {}
    for weight in onnx.load_from_string(graph).graph.initializer:
        if weight.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) or not weight.raw_data:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(values.dtype), values):
            held[half.tobytes()] = weight.raw_data, values.dtype == np.float32
    found, rest = [], b""
    for name, value in state.items():
        half = value.half().numpy()
        turned = value.ndim == 2 and half.tobytes() not in held and half.T.tobytes() in held
        raw, wide = held.get((half.T if turned else half).tobytes(), (None, False))
        place = {"name": name, "shape": list(half.shape), "wide": wide, "turned": turned, "rest": raw is None}
        found.append({**place, "at": len(rest) if raw is None else graph.find(raw)})
        rest += half.tobytes() if raw is None else b""
    return found, rest
