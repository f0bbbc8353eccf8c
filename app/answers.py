"""What a checkpoint's probabilities are worth: one rule for Listen, Live, Map and Teach.

Silence and what is nearly silent get no label. Below `SURE` nothing is sure, whether one class is right or several can
be. And a model that must choose among its classes says so: it answers for every sound, those of other classes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audioformer.audio import quiet_answer, quietness
from audioformer_app.samples import TOGETHER

SURE = 0.5  # probability from which a label is given without reserve, until the page chooses another
NONE = "none of these"  # what a class of other sounds is called in the room Teach


@dataclass(frozen=True)
class Answer:
    """What is said of a sound.

    Attributes:
        kind: "silent", "quiet", "unsure" or "sure".
        text: the answer, in words.
        detail: what stands beside it, smaller.
        remark: a sentence on what to make of it.
    """

    kind: str
    text: str
    detail: str
    remark: str


def words(label: str) -> str:
    """A label as people write it: crying_baby -> crying baby."""
    return str(label).replace("_", " ")


def answer(
    labels: Sequence[str],
    probabilities: Sequence[float],
    label_names: Sequence[str],
    multi_label: bool,
    level_db: float,
    truth: str = "",
    sure: float = SURE,
) -> Answer:
    """What is said of a sound.

    Args:
        labels: most probable first.
        probabilities: of these.
        label_names: all classes of the checkpoint.
        multi_label: several labels can be right at once.
        level_db: root mean square of the sound, dB of full scale.
        truth: what it is known to be, in words; "" where nobody knows.
        sure: probability from which a label is given without reserve.
    """
    best, share = words(labels[0]), f"{probabilities[0]:.0%}"
    if quiet := quiet_answer(level_db):
        said, remark = ("silent", "") if quiet == "silence" else ("quiet", f"{best} {share}"), quietness(level_db)
        end = "" if remark.endswith("?") else "."
        return Answer(said[0], quiet, said[1], f"{remark[0].upper()}{remark[1:]}{end}")
    if best == NONE:
        return Answer("unsure", NONE, share, "It was taught other sounds, too, and takes this for one of them.")
    likely = [words(name) for name, p in zip(labels, probabilities, strict=True) if p >= sure]
    if multi_label:
        remark = f"Any of its {len(label_names)} sounds can be in it, or none."
        if not likely:
            return Answer("unsure", "nothing sure", f"all below {sure:.0%}", remark)
        return Answer("sure", ", ".join(likely), "", remark)
    remark = _choice(best, [words(name) for name in label_names], truth)
    if not likely:
        return Answer("unsure", "nothing sure", f"{best} {share}, below {sure:.0%}", remark)
    return Answer("sure", best, share, remark)


def _choice(best: str, names: list[str], truth: str) -> str:
    """What to make of an answer that had to be one of some classes."""
    must = f"It must choose one of its {len(names)} classes"
    if not truth:
        return f"{must}, whatever it hears."
    sounds = words(truth).split(TOGETHER)
    if not set(sounds) & set(names):
        return f"{must}, and “{words(truth)}” is none of them: no answer can be right."
    return f"{must}: {'✓ right' if best in sounds else f'✗ wrong, it is {words(truth)}'}."
