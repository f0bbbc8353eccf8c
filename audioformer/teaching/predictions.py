"""A learner's predictions, kept in a small file beside the notebooks, and how they compare with the truth.

    predict("06.row1", 0.3, within=0.1)   a share, before it is measured
    reveal("06.row1", measured)           beside the truth
    calibration()                         all of them, at the end of the day
    hand_in()                             a copy without a name, for whoever wants to
    room("handed in")                     what a whole room predicted and heard

The file is `my answers.json` in the folder of the notebook; the ears' answers (`teaching.blind`) are in it, too.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, writing
from audioformer.metrics import wilson_interval

FILE = Path("my answers.json")
SURE = 0.8  # how often a learner's range is meant to hold the truth
# what is predicted, always a share from 0 to 1; the number is the notebook's
PREDICTIONS = {
    "00.quiet": "share of the dog's five seconds in which hardly anything sounds",
    "01.rate": "bits of the codes, as a share of the bits of the samples",
    "02.better_pair": "share of the frames for which there is a better pair of codes than the one found",
    "03.waste": "share of a batch that is PAD, with one long clip among three short ones",
    "04.near": "share of the weight that a first block puts on places within three positions",
    "06.row1": "share of the hidden codes of row 1 that the model guesses",
    "06.last_row": "share of the hidden codes of the last row that the model guesses",
    "08.codes_in_use": "share of the 1024 entries that row 1 of 32 clips uses",
    "09.classic": "share of the test clips that the classic method names rightly",
    "09.ours": "share of the test clips that the pre-trained model names rightly, after fine-tuning",
    "10.neighbour": "share of the clips whose nearest neighbour, by the pre-trained model, is of their class",
    "11.evidence": "probability of the label from the best quarter of the clip alone",
    "12.right": "share of the hidden codes that a model guesses right on sounds it was not trained on",
    "13.torn": "accuracy with pieces of recordings shuffled between training and test",
    "13.whole": "accuracy with whole recordings held out",
    "15.mine": "share of the second day's recordings that your classifier names rightly",
    "16.codes": "size of four rows of codes, as a share of 16-bit sound",
    "19.one_label": "share right with one label of each of ten kinds, by the classic way",
    "20.lucky": "share of tables of sixteen useless ideas in which at least one seems to help or to hurt",
}


def predict(name: str, share, within: float = 0.1) -> None:
    """Keep a prediction until `reveal` tells the truth; once it is out, the first prediction stays.

    Args:
        name: of what is predicted, as the notebook gives it.
        share: what you expect, 0 to 1, or `...` while it is open.
        within: the truth lies no further than this from `share`, you think, four times out of five; 0 to 1.
    """
    if name not in PREDICTIONS:
        print(f"✗ there is no prediction {name!r}; there are {', '.join(PREDICTIONS)}")
    elif share is Ellipsis or share is None:
        print(f"… {name}: not yet. Replace the dots with a share from 0 to 1: the {PREDICTIONS[name]}.")
    elif not (_is_share(share) and _is_share(within)):
        print(f"✗ {name}: {share!r} within {within!r}: both must be numbers from 0 to 1, for instance 0.3 for 30 %.")
    else:
        answers = read(FILE)
        old = answers["predictions"].get(name, {})
        if "truth" in old and (old["share"], old["within"]) != (share, within):
            print(f"✓ {name}: the truth is out, so your first prediction stays: {_words(old)}")
            return
        answers["predictions"][name] = {**old, "share": float(share), "within": float(within)}
        write(answers)
        print(f"✓ {name}: kept, {_words(answers['predictions'][name])}")


def reveal(name: str, truth) -> None:
    """Show a measured share beside the prediction of it, and keep both; prints the truth alone without a prediction.

    Args:
        name: of what was predicted.
        truth: the measured share, 0 to 1.

    Raises:
        AudioformerError: no such prediction, or no share.
    """
    if name not in PREDICTIONS or not _is_share(float(truth)):
        raise AudioformerError(f"{name!r} = {truth!r} must be one of {', '.join(PREDICTIONS)} with a share from 0 to 1")
    answers, truth = read(FILE), float(truth)
    mine = answers["predictions"].get(name)
    if mine is None:
        print(f"{name}: {truth:.3f} is the {PREDICTIONS[name]}")
        return
    mine.setdefault("truth", truth)
    write(answers)
    verdict = "inside your range" if _holds({**mine, "truth": truth}) else "outside your range"
    print(f"{name}: you said {_words(mine)}; measured {truth:.3f}, {verdict}")


def calibration(folder: str | Path = ".") -> None:
    """Draw all predictions beside their truths, and say how often a range held the truth.

    Args:
        folder: where `my answers.json` is.
    """
    _show([read(Path(folder) / FILE.name)])


def hand_in(folder: str | Path = "handed in") -> Path:
    """Copy the answers, without a name, into a folder under a random number: to be given away, if you want to.

    Args:
        folder: made where it is missing.

    Returns:
        The file: predictions, truths, and how often each degree of a listening test was heard; nothing else.

    Raises:
        AudioformerError: there are no answers yet, or the disk refuses.
    """
    answers = read(FILE)
    if not any(answers.values()):
        raise AudioformerError(f"{FILE}: there are no answers yet; predict something first")
    path = Path(folder) / f"answers {secrets.token_hex(4)}.json"
    write(answers, path)
    print(f"{path}: {len(answers['predictions'])} predictions, {len(answers['ears'])} listening tests, no name")
    return path


def room(folder: str | Path) -> None:
    """What a room predicted and heard: one picture of all predictions, a line for each question, and for each test.

    Args:
        folder: with the files that learners have handed in.

    Raises:
        AudioformerError: no file in it, or one that holds something else.
    """
    files = sorted(Path(folder).glob("*.json"))
    if not files:
        raise AudioformerError(f"{folder}: no file of answers in it; learners make one with hand_in()")
    people = [read(path) for path in files]
    print(len(people), "people")
    for name in PREDICTIONS:
        guesses = [one["predictions"][name]["share"] for one in people if name in one["predictions"]]
        truths = [one["predictions"][name]["truth"] for one in people if "truth" in one["predictions"].get(name, {})]
        if guesses:
            low, middle, high = np.quantile(guesses, (0.25, 0.5, 0.75))
            truth = f"truth {np.median(truths):.2f}" if truths else "truth not yet out"
            half = f"half of the room between {low:.2f} and {high:.2f}, middle {middle:.2f}, {truth}"
            print(f"{name:16} {len(guesses):3} predictions; {half}")
    _show(people)
    sums: dict[str, dict[str, list[int]]] = {}
    for one in people:
        for test, degrees in one["ears"].items():
            for degree, (right, n) in degrees.items():
                total = sums.setdefault(test, {}).setdefault(degree, [0, 0])
                total[0], total[1] = total[0] + right, total[1] + n
    for test, degrees in sums.items():
        for degree, (right, n) in degrees.items():
            low, high = wilson_interval(right, n)
            print(f"{test} {degree}: {right} of {n} right, {right / n:.2f}, 95 % interval {low:.2f} to {high:.2f}")


def read(path: Path) -> dict[str, dict]:
    """Answers of a file: {"predictions": {name: {share, within, truth}}, "ears": {test: {degree: [right, n]}}}.

    Args:
        path: of the file; one that is missing holds no answers.

    Raises:
        AudioformerError: a file that holds something else.
    """
    empty: dict[str, dict] = {"predictions": {}, "ears": {}}
    if not path.is_file():
        return empty
    try:
        answers = json.loads(path.read_text(encoding="utf-8"))
        for name, one in answers["predictions"].items():
            if name not in PREDICTIONS or not all(_is_share(value) for value in one.values()) or len(one) < 2:
                raise ValueError(name)
        for degrees in answers["ears"].values():
            for right, n in degrees.values():
                if not (type(right) is type(n) is int and 0 <= right <= n and n > 0):
                    raise ValueError("ears")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AudioformerError(f"{path}: is no file of answers of these notebooks; move it away") from error
    return {part: answers[part] for part in empty}


def write(answers: dict[str, dict], path: Path | None = None) -> None:
    """Write answers, whole or not at all; None: this learner's own file."""
    path = path or FILE
    with writing(path), atomic_path(path) as temporary:
        temporary.write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _is_share(value) -> bool:
    try:
        return 0 <= float(value) <= 1
    except (TypeError, ValueError):
        return False


def _words(one: dict) -> str:
    return f"{one['share']:.2f}, give or take {one['within']:.2f}"


def _holds(one: dict) -> bool:
    return abs(one["share"] - one["truth"]) <= one["within"] + 1e-9


def _show(people: Iterable[dict]) -> None:
    """The picture, and the sentence below it."""
    from audioformer import plots

    pairs = [(name, one) for person in people for name, one in person["predictions"].items() if "truth" in one]
    if not pairs:
        print("no prediction has met its truth yet: `predict` and `reveal` in the notebooks bring them together")
        return
    names, ones = [name for name, _ in pairs], [one for _, one in pairs]
    columns = {key: [one[key] for one in ones] for key in ("share", "within", "truth")}
    plots.show(plots.predictions.against_truth(names, columns["share"], columns["within"], columns["truth"]))
    n_inside = sum(map(_holds, ones))
    low, high = wilson_interval(n_inside, len(ones))
    fair = "that fits" if low <= SURE <= high else "too narrow" if high < SURE else "too wide: you know more than that"
    print(
        f"{n_inside} of {len(ones)} ranges hold the truth: {n_inside / len(ones):.0%}, meant to be {SURE:.0%}: {fair}"
    )
    off = np.mean([abs(one["share"] - one["truth"]) for one in ones])
    print(f"off by {off:.2f} on average (95 % interval of the {n_inside / len(ones):.0%}: {low:.0%} to {high:.0%})")
