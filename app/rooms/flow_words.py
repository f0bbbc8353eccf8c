"""What the room Flow says of each step: a title, a plain sentence with the clip's numbers, names of the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioformer_app.answers import words

if TYPE_CHECKING:
    from audioformer.explain.flow import Step
    from audioformer_app.rooms.flow import Moment

TITLES = {
    "sound": "Sound",
    "frame": "Frame",
    "codes": "Codes",
    "tokens": "Tokens",
    "vectors": "Vector",
    "join": "Joined frames",
    "query": "Query",
    "key": "Key",
    "value": "Value",
    "fit": "Where it looks",
    "mix": "What it takes over",
    "out": "Heads added",
    "units": "Feed-forward units",
    "back": "Units added",
    "mean": "Mean",
    "label": "Label",
}


def before(step: str, at: Moment, shown: dict, told: dict) -> dict:
    """Title and sentence of a step before the model."""
    codec, n_rows = at.clf.codec, len(at.made.tokens)
    ms = 1000 / codec.frame_rate
    sentence = {
        "sound": f"A microphone measures the air {codec.sample_rate:,} times a second. Blue: the {codec.hop_length} "
        f"numbers of one frame, {ms:.1f} thousandths of a second.",
        "frame": "The codec listens to this frame and its neighbours and describes it by "
        f"{len(shown.get('column', {}).get('values', ()))} numbers.",
        "codes": "Row 1 picks the entry of its codebook that is closest. Each further row picks the one that is "
        "closest "
        "to what is left over.",
        "tokens": f"The model reads codes as words: “begin”, a column of {_of(n_rows, 'code')} for each frame, “end”.",
    }[step]
    return {"title": TITLES[step], "sentence": sentence, "moment": f"{told['time_s']:.2f} s"}


def of(step: str, at: Moment, made: Step, told: dict) -> dict:
    """Title and sentence of a step of the model."""
    config = at.clf.classifier.config
    head, most = f"Head {told['head'] + 1}", int(made.result.abs().argmax())
    names_out = at.times if step == "fit" else [words(name) for name in at.clf.label_names] if step == "label" else []
    best = f"{names_out[most]} {100 * float(made.result[most]):.0f} %" if names_out else ""
    clip = f" The clip's answer is the mean of {at.n_windows} such windows." if at.n_windows > 1 else ""
    width, units, when = config.d_model, config.d_ff, at.times[at.position]
    many, turns = _of(len(at.made.tokens), "list"), "; it is turned by its position, so that it knows when it is"
    say = {
        "vectors": f"Every code has a learned list of {width} numbers. The {many} of this moment are added up, and "
        "LayerNorm brings the sum to a common scale.",
        "join": f"{at.made.group} neighbouring frames are joined into one position: less to compare for the blocks.",
        "query": f"{head}: a learned matrix turns the vector of {when} into a query, "
        f"what this moment looks for{turns}.",
        "key": f"{head}: a second matrix makes the key of {when}, by which other moments find it{turns}.",
        "value": f"{head}: a third matrix makes the value of {when}, which it hands to those that look at it.",
        "fit": f"{head}: query times key says how well each moment fits. Softmax makes shares of that, "
        "which add up to 1. "
        f"The largest: {best}.",
        "mix": f"{head} adds up the values of all moments, each by its share.",
        "out": f"A matrix mixes the results of all {config.n_heads} heads. They are added to the vector of {when}, "
        "not put in its place.",
        "units": f"{units} units each look for one pattern in the vector. GELU lets through those that find theirs.",
        "back": "A matrix turns what the units found into a correction, which is added. That was block "
        f"{told['block'] + 1}; "
        "the others do the same with matrices of their own.",
        "mean": f"The vectors of all {len(at.made.joined)} positions are averaged: one vector for the whole window.",
        "label": f"Each label has a list of {width} weights. Products and sum give its score; {made.then} makes "
        f"probabilities of the scores: {best}.{clip}",
    }
    return {"title": TITLES[step], "sentence": say[step], "moment": when}


def names(step: str, at: Moment, n_in: int, n_out: int) -> tuple[list[str], list[str]]:
    """What the inputs and the outputs of a product are called."""

    def numbered(word: str, n: int) -> list[str]:
        return [f"{word} {number + 1}" for number in range(n)]

    codes = [int(code) for code in at.made.tokens[:, at.frame - at.start + 1]]
    rows = [f"row {row + 1}, code {code}" for row, code in enumerate(codes)]
    inputs = {"vectors": rows, "mix": at.times, "mean": at.times, "back": numbered("unit", n_in)}
    outputs = {"fit": at.times, "units": numbered("unit", n_out), "label": [words(name) for name in at.clf.label_names]}
    return inputs.get(step, numbered("number", n_in)), outputs.get(step, numbered("number", n_out))


def _of(n: int, word: str) -> str:
    """A count with its word: "8 codes", "1 code"."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
