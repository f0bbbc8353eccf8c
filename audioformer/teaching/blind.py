"""A blind listening test in a notebook: ABX, with the interval of the result.

In each round A is the original, B a changed version, and X is one of the two; the listener says which. Who hears no
difference is right in half of the rounds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

from audioformer.audio import Waveform, to_batch
from audioformer.errors import AudioformerError
from audioformer.metrics import wilson_interval
from audioformer.teaching import predictions
from audioformer.teaching.players import AGAIN
from audioformer.widgets.sounds import wav_base64

EARS = {
    "01.rows": "the recording, or what the first rows of codes keep of it",
    "02.rows": "all eight rows of codes, or the first ones",
    "06.gaps": "nothing hidden, or gaps that were filled",
}


class Rounds:
    """The rounds of one test, in an order that the listener does not know.

    Attributes:
        left: rounds to come, each (name of the version, whether X is A).
        tally: {version: [right answers, answers]}.
    """

    def __init__(self, versions, n_each: int, seed: int | None = None):
        """Draw the rounds.

        Args:
            versions: names of them.
            n_each: rounds of each.
            seed: of the order; None: another one each time.
        """
        made = random.Random(seed)
        self.left = [(name, made.random() < 0.5) for name in versions for _ in range(n_each)]
        made.shuffle(self.left)
        self.tally: dict[str, list[int]] = {}

    def answer(self, x_is_a: bool) -> None:
        """Count the listener's answer of the round that is on, and go to the next."""
        name, truth = self.left.pop(0)
        count = self.tally.setdefault(name, [0, 0])
        count[0], count[1] = count[0] + (x_is_a == truth), count[1] + 1


def ears(
    test: str,
    original,
    versions: Mapping[str, object],
    measure: Mapping[str, float],
    sample_rate: int,
    label: str = "Difference (dB)",
    n_each: int = 3,
) -> None:
    """A blind test of how much is heard, beside a measure of the same change; the answers are kept and add up.

    Args:
        test: name of it, for the file of answers.
        original: Waveform or samples.
        versions: name to samples of each changed version, as long as the original.
        measure: name to how large the change is by measurement.
        sample_rate: Hz.
        label: of the measure, with its unit.
        n_each: rounds of each version.

    Raises:
        AudioformerError: no such test, or versions and measures of different names.
    """
    if test not in EARS or set(versions) != set(measure) or n_each < 1:
        raise AudioformerError(
            f"{test!r} must be one of {', '.join(EARS)}, and versions {list(versions)} have a measure each"
        )
    sounds = {name: _player(sound, sample_rate) for name, sound in {"": original, **versions}.items()}
    print(f"Blind: {EARS[test]}?")
    print(f"Is X the same as A or as B? {n_each * len(versions)} rounds; listen as often as you like.")
    if os.environ.get("AUDIOFORMER_RENDERER"):
        print("(a listening test in the notebook)")
        return
    _form(test, Rounds(versions, n_each), sounds, dict(measure), label)


def _player(sound, sample_rate: int) -> str:
    """HTML of a player."""
    samples = to_batch(sound, None if isinstance(sound, Waveform) else sample_rate, sample_rate)[0, 0].clamp(-1, 1)
    return f'<audio controls src="data:audio/wav;base64,{wav_base64(samples.numpy(), sample_rate)}"></audio>'


def _form(test: str, rounds: Rounds, sounds: dict[str, str], measure: dict[str, float], label: str) -> None:
    """Three players and two buttons; after the last round the result."""
    from IPython.display import display
    from ipywidgets import HTML, Button, HBox, Output, VBox

    players, below = HTML(), Output()
    buttons = [Button(description=f"X is {which}") for which in "AB"]
    n_rounds = len(rounds.left)

    def draw() -> None:
        name, x_is_a = rounds.left[0]
        three = {"A": sounds[""], "B": sounds[name], "X": sounds["" if x_is_a else name]}
        lines = "".join(f"<p><b>{letter}</b> {player}</p>" for letter, player in three.items())
        players.value = f"<p>Round {n_rounds - len(rounds.left) + 1} of {n_rounds}</p>{lines}"

    def answered(button) -> None:
        rounds.answer(button is buttons[0])
        if rounds.left:
            draw()
            return
        for one in buttons:
            one.disabled = True
        players.value = ""
        with below:
            result(test, rounds.tally, measure, label)

    for button in buttons:
        button.on_click(answered)
    print(AGAIN)
    display(VBox([players, HBox(buttons), below]))
    draw()


def result(test: str, tally: Mapping[str, list[int]], measure: Mapping[str, float], label: str) -> None:
    """Add a test's answers to those of before, keep the sums, print them with intervals and draw them.

    Args:
        test: name of it.
        tally: {version: [right answers, answers]}.
        measure: of each version.
        label: of the measure, with its unit.
    """
    from audioformer import plots

    answers = predictions.read(predictions.FILE)
    sums = answers["ears"].setdefault(test, {})
    for name, (right, n) in tally.items():
        before = sums.get(name, (0, 0))
        sums[name] = [before[0] + right, before[1] + n]
    predictions.write(answers)
    names = [name for name in measure if name in sums]
    for name in names:
        right, n = sums[name]
        low, high = wilson_interval(right, n)
        heard = "you hear it" if low > 0.5 else "may be guessing" if high >= 0.5 else "exchanged?"
        print(f"{name:20} {right} of {n} right, 95 % interval {low:.2f} to {high:.2f}: {heard}")
    right, n = zip(*(sums[name] for name in names), strict=True)
    plots.show(plots.predictions.by_ear(names, [measure[name] for name in names], right, n, label=label))
