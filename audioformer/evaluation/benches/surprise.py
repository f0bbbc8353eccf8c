"""Does masked language modelling learn? Surprise of models at hidden codes of held-out clips, beside counting.

    audioformer bench surprise runs/sound-codes --on runs/esc10-codes,runs/fsdd-codes --checkpoint pretrained,runs/hours

Counted are clips that models may have learned from (split train, where there are splits); measured are the corpus's own
clips of split val, source by source, and the corpora of --on, of which nobody here knows whether a model has heard
them: say so. The middle WINDOW_S of a clip are read. Only frames that sound count.

Shapes: K rows, T frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from audioformer.codec import require_fingerprint
from audioformer.codecs import load_codec
from audioformer.config import MaskConfig
from audioformer.data.corpus import Corpus
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, row
from audioformer.evaluation.counting import Counting
from audioformer.evaluation.surprise import silent_codes, surprise
from audioformer.explain.fill import random_gap
from audioformer.start import load_pretrained

WINDOW_S, LEAST_FRAMES = 5.0, 20
COUNTED_CLIPS, COUNTED_FRAMES = 4000, 3000  # clips, and frames of each
Say = Callable[[str], None]


def middle(codes: Tensor, n_frames: int) -> Tensor:
    """(K, T) to the middle (K, at most n_frames)."""
    start = max(0, (codes.shape[1] - n_frames) // 2)
    return codes[:, start : start + n_frames]


def some(corpus: Corpus, n: int, n_frames: int) -> list[Tensor]:
    """The middles of n clips spread evenly over a corpus, those that are too short left out."""
    numbers = np.linspace(0, len(corpus) - 1, min(n, len(corpus))).astype(int).tolist()
    found = [middle(corpus.codes(i), n_frames) for i in numbers]
    return [codes for codes in found if codes.shape[1] >= LEAST_FRAMES]


def held_out(corpus: Corpus, others: Sequence[str], n: int, n_frames: int) -> dict[str, list[Tensor]]:
    """Clips to measure on, by name: each source of the corpus's split val, then other corpora.

    Raises:
        AudioformerError: there are none.
    """
    found = {}
    if "val" in corpus.column("split").tolist():
        own = corpus.select(split="val", variants=[0])
        found = {name: some(own.select(groups=[name]), n, n_frames) for name in np.unique(own.column("group")).tolist()}
    for folder in others:
        other = Corpus.open(folder).select(variants=[0])
        if other.codec["fingerprint"] != corpus.codec["fingerprint"]:
            raise AudioformerError(f"{folder}: holds codes of another codec than the corpus that is counted")
        found[other.info.dataset] = some(other, n, n_frames)
    found = {name: clips for name, clips in found.items() if clips}
    if not found:
        raise AudioformerError("nothing to measure on: give --on CORPUS,..., or a corpus with a split val")
    return found


def rulers_of(clips: Sequence[Tensor], vectors: Tensor, span: int) -> list[Counting]:
    """Counts of each row of training clips (K, T_i), mixed as is best under hidden runs of so many frames.

    Vectors (K, V, D).
    """
    size = vectors.shape[1]

    def hide(n_frames: int, seed: int) -> Tensor:
        nothing = torch.zeros(1, n_frames, dtype=torch.long)
        return random_gap(nothing, MaskConfig().mask_ratio, span, seed, True, size)[0]

    return [Counting.of([codes[k] for codes in clips], size, own, hide) for k, own in enumerate(vectors)]


def run(arguments: argparse.Namespace, show: Say) -> dict:
    """Count, then measure every model on everything, under single hidden frames and under runs."""
    corpus = Corpus.open(arguments.corpus)
    learnt = corpus.select(not_split=["val", "test"], variants=[0])
    n_frames = round(WINDOW_S * corpus.codec["frame_rate"])
    sets = held_out(corpus, arguments.on, arguments.clips, n_frames)
    codec = load_codec(arguments.codec or corpus.codec["name"], weights=arguments.weights)
    require_fingerprint(codec, corpus.codec["fingerprint"], "the corpus")
    show("counting")
    counted, vectors = some(learnt, COUNTED_CLIPS, COUNTED_FRAMES), codec.codebooks()
    rulers = {span: rulers_of(counted, vectors[: arguments.rows], span) for span in arguments.spans}
    lines = []
    for checkpoint in arguments.checkpoint:
        model = load_pretrained(checkpoint, expect=corpus.codec)[0]
        for name, clips in sets.items():
            for span in arguments.spans:
                show(f"{checkpoint}: {name}, runs of {span}")
                found = surprise(model, clips, rulers[span], MaskConfig(span=span), silent_codes(codec))
                lines += [_row(checkpoint, name, span, line, found) for line in found if line["name"] == "model"]
    return {"name": "surprise", "machine": machine(), "n_counted": len(counted), "rows": lines}


def _row(checkpoint: str, data: str, span: int, line: dict, found: list[dict]) -> dict:
    counted = {one["name"]: one for one in found if one["row"] == line["row"] and one["name"] != "model"}
    best = min(counted, key=lambda name: counted[name]["nats"])
    about = {"checkpoint": checkpoint, "data": data, "span": span, "row": line["row"], "peer_name": best}
    about |= {"error": line["nats_error"], "right": line["right"], "n": line["n"]}
    about |= {"right_repeat": counted["repeat"]["right"], "right_peer": counted[best]["right"]}
    about |= {name: one["nats"] for name, one in counted.items()}
    return row(
        f"{checkpoint}: {data}, row {line['row']}, runs of {span}", line["nats"], "nats", counted[best]["nats"], **about
    )


COLUMNS = {
    **{name: name for name in ("checkpoint", "data", "span", "row")},
    "model": "ours",
    "± over clips": "error",
    **{name: name for name in ("unigram", "repeat", "nearest", "bigram", "both")},
    "right": "right",
    "repeat right": "right_repeat",
    "frames": "n",
}
