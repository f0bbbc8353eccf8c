"""The examples of the room Teach: sounds that one page has brought, cut into pieces and kept as codes.

The sounds themselves stay in the browser. Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor

from audioformer.audio import Waveform, quietness, rate_notes, resample
from audioformer.codec import Codec
from audioformer.errors import AudioformerError
from audioformer.widgets.sounds import wav_base64
from audioformer_app.analysis import Clip, open_clip
from audioformer_app.models import Models
from audioformer_app.samples import Sample

MOST_EXAMPLES = 120  # of all classes together
HEARD_S = 10.0  # of a sound that is not cut, its first seconds
PIECES_S = (1.0, 2.0, 5.0)  # how long pieces of a long sound can be
OTHERS = 8  # sounds of the kit that a class "none of these" begins with


@dataclass(frozen=True)
class Example:
    """One sound, coded.

    Attributes:
        codes: (K, T) int16.
        duration_s: seconds.
        take: of which recording or file it is a piece.
    """

    codes: Tensor
    duration_s: float
    take: str = ""


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


def add(lesson: Lesson, clip: Clip, codec: Codec, piece_s: float = 0.0, take: str = "") -> dict:
    """Take a sound as one example, or a long one as several.

    Args:
        lesson: of the page.
        clip: read like any file that is dropped.
        codec: whose codes are kept.
        piece_s: cut what is longer than 1.5 times this into pieces of it; 0: take the first HEARD_S seconds.
        take: name of the recording, where the page knows it; "": a new one.

    Returns:
        dict with `added`, a list of {id, name, duration_s, note, take, wav}, and the same entries of the first.

    Raises:
        AudioformerError: too many examples, or silence.
    """
    rate = clip.sample_rate
    pieces, said = _cut(clip.samples, rate, piece_s)
    loud = [piece for piece in pieces if np.ptp(piece) > 0]  # else it is 0, or stands still
    if not loud:
        raise AudioformerError(f"{clip.name}: is silent; is the right microphone chosen?")
    if len(lesson.examples) + len(loud) > MOST_EXAMPLES:
        raise AudioformerError(f"{MOST_EXAMPLES} examples are the most that this room keeps; remove some")
    said += [f"{len(pieces) - len(loud)} silent pieces left out"] if len(loud) < len(pieces) else []
    notes = [*([clip.note] if clip.note else []), *rate_notes(rate, codec.sample_rate), *said]
    take, added = take or uuid4().hex, []
    for number, piece in enumerate(loud):
        waveform = Waveform(torch.from_numpy(piece)[None], rate)
        codes = codec.encode(waveform)[0]
        heard = resample(waveform.samples, rate, codec.sample_rate)[0].numpy()
        own = [*(notes if number == 0 else []), *([quiet] if (quiet := quietness(waveform.level_db)) else [])]
        name = clip.name[:80] + (f", piece {number + 1}" if len(loud) > 1 else "")
        example = {
            "id": uuid4().hex,
            "name": name,
            "duration_s": len(heard) / codec.sample_rate,
            "note": "; ".join(own),
        }
        lesson.examples[example["id"]] = Example(codes.to(torch.int16).cpu(), example["duration_s"], take)
        added.append({**example, "take": take, "wav": wav_base64(heard, codec.sample_rate)})
    return {"added": added, **added[0]}


def others(lesson: Lesson, samples: Sequence[Sample], codec: Codec) -> dict:
    """Bundled sounds for a class "none of these": one of each of several kinds, evenly picked.

    Raises:
        AudioformerError: this installation came without samples.
    """
    if not samples:
        raise AudioformerError("this installation came without samples; record or drop sounds of other kinds")
    kinds = list({sample.label: sample for sample in reversed(samples)}.values())
    picked = np.linspace(0, len(kinds) - 1, min(OTHERS, len(kinds))).round().astype(int)
    added = []
    for sample in (kinds[i] for i in picked.tolist()):
        clip = open_clip(sample.path)
        made = add(lesson, Clip(sample.label, clip.samples, clip.sample_rate), codec)
        added += made["added"]
    return {"added": added}


def forget(lesson: Lesson, ids) -> dict:
    """Drop examples; ids that are not here are passed over."""
    for name in ids if isinstance(ids, list) else []:
        lesson.examples.pop(str(name), None)
    return {"left": len(lesson.examples)}


def examples_codec(models: Models, names: Sequence[str]) -> Codec:
    """Whose codes the models to begin with read.

    Raises:
        AudioformerError: there is no such model.
    """
    if not names:
        raise AudioformerError(
            "this installation came without a model to begin with; make one with `audioformer pretrain`"
        )
    return models.guesser().codec if names[0] in models.pretrained else models.classifier(names[0]).codec


def _cut(samples: np.ndarray, rate: int, piece_s: float) -> tuple[list[np.ndarray], list[str]]:
    """Pieces of a sound, and what is to be said of it; a rest of at least half a piece is a piece, too."""
    length_s = len(samples) / rate
    if not piece_s:
        cut = length_s > HEARD_S
        return [samples[: round(HEARD_S * rate)]], [f"only the first {HEARD_S:.0f} s are used"] if cut else []
    if length_s <= 1.5 * piece_s:
        return [samples], []
    size = round(piece_s * rate)
    pieces = [samples[start : start + size] for start in range(0, len(samples), size)]
    rest_s = len(pieces[-1]) / rate
    if rest_s < piece_s / 2:
        pieces.pop()
    left_out = [f"its last {rest_s:.1f} s left out"] if rest_s < piece_s / 2 else []
    return pieces, [f"cut into {len(pieces)} pieces", *left_out]
