"""Sounds, figures, sliders and buttons in a notebook, in place.

Shapes: C channels, N samples.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from audioformer.audio import Waveform, load_audio, to_batch
from audioformer.errors import AudioformerError
from audioformer.files import samples_folder
from audioformer.teaching.sound_picture import spectrogram_html


def sample(label: str = "dog", number: int = 1) -> Path:
    """Path of a bundled clip of a label.

    Args:
        label: as in `data_samples/meta/esc50.csv`, for instance "dog" or "crying_baby".
        number: which of the clips of that label, from 1; most have one or two.

    Raises:
        AudioformerError: no clip of that label or number, or this installation has none at all.

    Example:
        >>> sample("dog").suffix
        '.ogg'
    """
    import csv

    folder = samples_folder()
    with open(folder / "meta" / "esc50.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    files = [row["filename"] for row in rows if row["category"] == label]
    if not files:
        known = sorted({row["category"] for row in rows})
        raise AudioformerError(f"label={label!r} has no bundled clip; there are {', '.join(known)}")
    if not 1 <= number <= len(files):
        raise AudioformerError(f"number={number} must be from 1 to {len(files)}, the bundled clips of {label!r}")
    return folder / "audio" / files[number - 1]


def trimmed(label: str = "dog", number: int = 1, sample_rate: int = 24_000) -> Waveform:
    """A bundled sound without the silence before and after it.

    Kept is what lies between the first and the last piece of 20 ms that is less than 30 dB below the loudest, with a
    tenth of a second before and a fifth after it, so that nothing begins or ends with a click.

    Args:
        label: as `sample` takes it.
        number: which of the clips of that label, from 1.
        sample_rate: Hz.

    Returns:
        Waveform with one channel.

    Raises:
        AudioformerError: as `sample`.

    Example:
        >>> trimmed("dog").duration_s < 1.0
        True
    """
    whole = load_audio(sample(label, number), sample_rate, mono=True)
    return replace(whole, samples=sounding(whole.samples, sample_rate))


def sounding(samples, sample_rate: int):
    """The part of a clip that `trimmed` keeps: from a tenth of a second before its first sound on.

    Args:
        samples: (1, N) tensor.
        sample_rate: Hz.

    Returns:
        (1, M) tensor, M <= N; digital silence stays whole.
    """
    piece = sample_rate // 50
    levels = samples[0, : samples.shape[1] // piece * piece].view(-1, piece).square().mean(1)
    loud = (levels >= levels.max() / 1000).nonzero()[:, 0]
    first, last = int(loud[0]) * piece - sample_rate // 10, int(loud[-1] + 1) * piece + sample_rate // 5
    return samples[:, max(0, first) : last]


def listen(sound, sample_rate: int | None = None, title: str = "") -> None:
    """Put a player into the notebook, and below it a small spectrogram for who cannot hear it.

    The level is kept: a quiet sound stays quiet and looks dark, so that sounds can be compared.

    Args:
        sound: Waveform, or samples (N,), (C, N) or (1, C, N).
        sample_rate: Hz, for bare samples.
        title: printed above the player.

    Raises:
        AudioformerError: unusable samples, or no sample_rate.
    """
    from IPython.display import Audio, display

    rate = sound.sample_rate if isinstance(sound, Waveform) else sample_rate
    samples = to_batch(sound, sample_rate, rate or 0)[0, 0].clamp(-1, 1)
    for line in ([title] if title else []) + list(getattr(sound, "notes", ())):
        print(line)

    class Player(Audio):
        def _repr_html_(self) -> str:
            return super()._repr_html_() + spectrogram_html(samples, rate)

    display(Player(samples.numpy(), rate=rate, normalize=False))


def folded(title: str, text: str) -> None:
    """Put a text into the notebook that is closed until its title is clicked."""
    from html import escape

    from IPython.display import HTML, display

    display(HTML(f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"))


def show(figure) -> None:
    """Show a plotly figure where this notebook runs (`audioformer.plots.show`)."""
    from audioformer import plots

    plots.show(figure)


AGAIN = "(A broken link, or no reaction, after a restart? Run the cells above, then this one.)"


def slider(question: str, values: Sequence, draw: Callable, start=None) -> None:
    """One slider for one parameter; under it what `draw` shows, drawn again whenever the slider comes to rest.

    On a page that is only read (AUDIOFORMER_RENDERER is set) nobody can move a slider, so both ends are drawn instead.

    Args:
        question: printed above: what to look for while moving it.
        values: that can be chosen, in order; `draw` must be able to show each.
        draw: takes one value, shows or prints something.
        start: value to begin with; None takes the first.

    Raises:
        AudioformerError: no values, or a start that is not among them.
    """
    values = list(values)
    if not values or (start is not None and start not in values):
        raise AudioformerError(f"start={start!r} must be among the {len(values)} values of the slider")
    print(question)
    if os.environ.get("AUDIOFORMER_RENDERER"):
        for value in (values[0], values[-1]):
            print(f"at {value}:")
            draw(value)
        return
    from IPython.display import display
    from IPython.utils.capture import capture_output
    from ipywidgets import Layout, Output, SelectionSlider, VBox

    print(AGAIN)
    choice = SelectionSlider(
        options=values, value=values[0] if start is None else start, continuous_update=False, layout=Layout(width="60%")
    )
    below = Output()

    def redraw(_change=None) -> None:
        with capture_output() as shown:
            draw(choice.value)
        printed = [{"output_type": "stream", "name": "stdout", "text": shown.stdout}] if shown.stdout else []
        drawn = [
            {"output_type": "display_data", "data": one.data, "metadata": one.metadata or {}} for one in shown.outputs
        ]
        below.outputs = (*printed, *drawn)

    choice.observe(redraw, names="value")
    display(VBox([choice, below]))
    redraw()


def button(label: str, work: Callable[[], None]) -> None:
    """A button for work that is too long for *Run All*: nothing is done until it is pressed.

    What the work prints and shows appears under the button. The stop button of the notebook interrupts it. On a page
    that is only read (AUDIOFORMER_RENDERER is set) there is nothing to press, so only the label is printed.

    Args:
        label: on the button.
        work: takes nothing, shows or prints something; may be called again.
    """
    if os.environ.get("AUDIOFORMER_RENDERER"):
        print(f"(a button in the notebook: {label})")
        return
    from IPython.display import display
    from ipywidgets import Button, Layout, Output, VBox

    print(AGAIN)
    press, below = Button(description=label, layout=Layout(width="auto")), Output()

    def pressed(_press) -> None:
        press.disabled = True
        below.outputs = ()
        try:
            with below:
                work()
        finally:
            press.disabled = False

    press.on_click(pressed)
    display(VBox([press, below]))


def explore(sound, **options) -> None:
    """One sound on a time line that can be clicked and heard (`audioformer.widgets.timeline`).

    On a page that is only read (AUDIOFORMER_RENDERER is set) nobody can click, so the codes are drawn instead.

    Args:
        sound: file name, Waveform, or samples together with sample_rate.
        **options: as `timeline` takes them.

    Raises:
        AudioformerError: unusable sound.
    """
    if os.environ.get("AUDIOFORMER_RENDERER"):
        from audioformer import plots
        from audioformer.classify import as_waveform
        from audioformer.codecs import load_codec

        codec = options.get("codec") or load_codec("compact")
        codes = codec.encode(as_waveform(sound, options.get("sample_rate"), codec.sample_rate))[0]
        show(plots.codes.code_grid(codes, codec.frame_rate))
        return
    from IPython.display import display

    from audioformer.widgets import timeline

    print(AGAIN)
    display(timeline(sound, **options))


def watch(records: Iterable, names: Sequence[str], levels: Mapping[str, float], every_s: float = 2.0) -> list:
    """Go through the records of a training run and draw its losses while it goes on.

    The stop button of the notebook (or `kernel interrupt`) ends it; the records until then are returned, and a run
    with a folder can be taken up again.

    Args:
        records: from `audioformer.train.train`.
        names: of the losses to draw.
        levels: horizontal lines, for instance {"chance": log V}.
        every_s: seconds between two drawings.

    Returns:
        The records.
    """
    from IPython.display import clear_output

    from audioformer import plots

    done: list = []
    drawn, last_words = time.monotonic(), ""

    def draw() -> None:
        curves = {name: [record.losses[name] for record in done] for name in names}
        show(plots.training.losses(curves, levels, first_step=done[0].step if done else 1))

    try:
        for record in records:
            done.append(record)
            if time.monotonic() - drawn > every_s:
                clear_output(wait=True)
                draw()
                drawn = time.monotonic()
    except KeyboardInterrupt:
        last_words = f"stopped after step {done[-1].step if done else 0}"
    clear_output(wait=True)
    draw()
    if last_words:
        print(last_words)
    return done


def budget(normal: int, fast: int) -> int:
    """How much of something long to do: `normal`, or `fast` where the variable AUDIOFORMER_FAST is set (tests do).

    Example:
        >>> os.environ["AUDIOFORMER_FAST"] = "1"
        >>> budget(300, 20)
        20
    """
    return fast if os.environ.get("AUDIOFORMER_FAST") else normal
