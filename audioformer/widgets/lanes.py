"""Lanes of a time line as plain data, ready for JSON: what static/lanes.js draws.

Every lane is a dict with `kind`, `name` (its vertical axis, with the unit), `weight` (relative height) and `alt` (what
it shows, in a sentence). A lane with an `id` can be named by it in another view of the same clip, so that it travels
once. Numbers a picture is made of travel as bytes in base64: 256 levels are more than an eye tells apart.

Shapes: N samples, M rows of a picture, K codebooks, T frames, C classes. Times in seconds.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from audioformer.codecs.spectra import log_mel, mel_filters
from audioformer.errors import AudioformerError

N_FFT, MEL_HOP, N_MELS, RANGE_DB = 1024, 320, 80, 80.0
LEAST_HIGH_DB = -20.0  # of the brightest colour: silence, -100 dB, stays the darkest
DB_PER_NEPER = 20 / np.log(10)  # natural log of a magnitude to decibel
MAX_COLUMNS = 1500
HIDDEN, CHANGED, RIGHT = 1, 2, 3  # marks of a code lane


def packed(values) -> str:
    """Numbers from 0 to 255 as base64 of bytes."""
    return base64.b64encode(np.asarray(values).astype(np.uint8).tobytes()).decode()


def wave(samples, sound: str = "original") -> dict:
    """Amplitude of one of the view's sounds, drawn from the sound itself, so at any zoom.

    Args:
        samples: (N,), for the sentence only.
        sound: its name in the view.
    """
    loudest = float(np.abs(np.asarray(samples)).max())
    alt = f"Waveform; its largest amplitude is {loudest:.2f} of full scale."
    shown = {"name": "Waveform", "about": "air pressure over time", "weight": 0.22, "alt": alt, "ticks": [[0.5, "0"]]}
    return {"id": "wave", "kind": "wave", "sound": sound, **shown}


def picture(
    values,
    step_s: float,
    *,
    name: str,
    unit: str,
    alt: str,
    low: float | None = None,
    high: float | None = None,
    start_s: float = 0.0,
    weight: float = 0.3,
    colours: str = "viridis",
    row_names: Sequence[str] | None = None,
    ticks: Sequence = (),
    digits: int = 0,
    id: str | None = None,
) -> dict:
    """Amounts over time as colours, row 0 at the bottom.

    Args:
        values: (M, T) or (T,) finite numbers.
        step_s: seconds a column.
        name: of the vertical axis.
        unit: of the values.
        alt: sentence.
        low: value of the darkest colour; None = smallest.
        high: value of the brightest; None = largest.
        start_s: where the first column begins.
        weight: relative height.
        colours: "viridis" or "cividis".
        row_names: M names for the pointer.
        ticks: [share of the height, text] pairs.
        digits: of the values shown.
        id: to name the lane by elsewhere.

    Raises:
        AudioformerError: not (M, T) or (T,), or not finite.
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise AudioformerError(f"a picture lane needs finite values (rows, columns), not {values.shape}")
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    levels = np.clip((values - low) / ((high - low) or 1) * 255, 0, 255).round()
    return {
        "id": id,
        "kind": "image",
        "name": name,
        "unit": unit,
        "weight": weight,
        "alt": alt,
        "data": packed(levels),
        "rows": len(values),
        "columns": values.shape[1],
        "start_s": start_s,
        "step_s": step_s,
        "low": low,
        "high": high,
        "colours": colours,
        "row_names": None if row_names is None else list(row_names),
        "ticks": [list(tick) for tick in ticks],
        "digits": digits,
    }


def mel_bands(sample_rate: int) -> tuple[np.ndarray, list]:
    """(M,) middle of each mel band, Hz, and [share of the height, text] of some of them."""
    filters = mel_filters(sample_rate, N_FFT, N_MELS).numpy().astype(np.float64)
    band_hz = filters @ np.linspace(0, sample_rate / 2, filters.shape[1]) / np.maximum(filters.sum(1), 1e-12)
    shown = [hz for hz in (500, 2000, 8000) if band_hz[0] <= hz <= band_hz[-1]]
    places = np.interp(shown, band_hz, (np.arange(N_MELS) + 0.5) / N_MELS)
    return band_hz, [
        [float(place), f"{hz / 1000:g}k" if hz >= 1000 else str(hz)] for place, hz in zip(places, shown, strict=True)
    ]


def mel(samples, sample_rate: int) -> dict:
    """Log-mel picture of a sound: 80 bands, the loudest 80 dB.

    Args:
        samples: (N,) float.
        sample_rate: Hz.
    """
    values = log_mel(torch.as_tensor(np.asarray(samples)), sample_rate, N_FFT, MEL_HOP, N_MELS).numpy() * DB_PER_NEPER
    band_hz, ticks = mel_bands(sample_rate)
    step = -(-values.shape[1] // MAX_COLUMNS)
    values = np.maximum.reduceat(values, np.arange(0, values.shape[1], step), axis=1)
    high = max(float(values.max()), LEAST_HIGH_DB)
    loudest = band_hz[np.unravel_index(values.argmax(), values.shape)[0]]
    lane = picture(
        values,
        step * MEL_HOP / sample_rate,
        name="Spectrogram",
        unit="dB",
        start_s=-MEL_HOP / sample_rate / 2,
        weight=0.34,
        low=high - RANGE_DB,
        high=high,
        row_names=[f"{hz:.0f} Hz" for hz in band_hz],
        id="mel",
        ticks=ticks,
        alt=f"Log-mel spectrogram in {N_MELS} bands; the loudest cell is near {loudest:.0f} Hz.",
    )
    return {**lane, "about": "Hz"}


def codes(codes, frame_rate: float, ranks=None, marks=None, id: str | None = "codes") -> dict:
    """The grid of codes, row 1 on top.

    Args:
        codes: (K, T) integers.
        frame_rate: Hz.
        ranks: (K', V) from `plots.codes.colour_ranks`, K' >= K: similar colour, similar vector; None: neighbours
            differ.
        marks: (K, T) of 0, HIDDEN, CHANGED or RIGHT (filled in, and as it was).
        id: to name the lane by elsewhere.

    Raises:
        AudioformerError: shapes disagree.
    """
    grid = np.asarray(codes)
    if grid.ndim != 2 or grid.size == 0 or (marks is not None and np.shape(marks) != grid.shape):
        raise AudioformerError(f"codes {grid.shape} and marks {np.shape(marks)} must both be (rows, frames)")
    if ranks is None:
        shades = grid * 97 % 256
    else:
        shades = np.take_along_axis(np.asarray(ranks)[: len(grid)], grid, 1) * (255 / max(1, np.shape(ranks)[1] - 1))
    n_rows = len(grid)
    shown = range(n_rows) if n_rows <= 8 else range(0, n_rows, 4)
    n_different = len(np.unique(grid[0]))
    alt = f"Code grid: {n_rows} codebooks by {grid.shape[1]} frames, {n_different} different codes in codebook 1."
    return {
        "id": id,
        "kind": "codes",
        "name": "Codes",
        "about": "a row for each codebook",
        "weight": 0.34,
        "alt": alt,
        "codes": grid.tolist(),
        "shades": packed(np.round(shades)),
        "marks": None if marks is None else packed(marks),
        "start_s": 0.0,
        "step_s": 1 / frame_rate,
        "ticks": [[1 - (row + 0.5) / n_rows, str(row + 1)] for row in shown],
    }


def lines(
    series: Sequence[tuple[str, Sequence]],
    step_s: float,
    *,
    name: str,
    alt: str,
    unit: str = "",
    low: float = 0.0,
    high: float = 1.0,
    start_s: float | None = None,
    chance: float | None = None,
    weight: float = 0.24,
    digits: int = 3,
    points: bool = False,
    legend: str = "",
    id: str | None = None,
) -> dict:
    """Values over time as lines.

    Args:
        series: name and (T,) values of each line; NaN leaves a gap.
        step_s: seconds between values.
        name: of the vertical axis.
        alt: sentence.
        unit: of the values.
        low: bottom of the axis.
        high: top.
        start_s: time of the first value; None: the middle of the first step.
        chance: a dashed line to compare with.
        weight: relative height.
        digits: of the values shown.
        points: dots instead of lines.
        legend: words above the lane.
        id: to name the lane by elsewhere.
    """
    drawn = [
        {"name": title, "values": [None if np.isnan(value) else round(float(value), 4) for value in values]}
        for title, values in series
    ]
    return {
        "id": id,
        "kind": "lines",
        "name": name,
        "about": unit,
        "unit": unit,
        "weight": weight,
        "alt": alt,
        "lines": drawn,
        "low": low,
        "high": high,
        "start_s": step_s / 2 if start_s is None else start_s,
        "step_s": step_s,
        "chance": chance,
        "digits": digits,
        "points": points,
        "legend": legend,
        "ticks": [[0.02, f"{low:g}"], [0.95, f"{high:g}"]],
    }


def scores(
    values,
    frame_rate: float,
    label_names: Sequence[str],
    shown: Sequence[str] | None = None,
    silent=None,
    top_k: int = 3,
) -> dict:
    """Scores of some classes over time.

    Args:
        values: (T, C), 0 to 1, from `explain.moments.moment_scores`.
        frame_rate: Hz.
        label_names: C.
        shown: names of the classes that get a line; None: those with the highest mean.
        silent: (T,) bool from `explain.moments.silent_frames`: no line there.
        top_k: lines, at most.

    Raises:
        AudioformerError: shapes disagree.
    """
    values, names = np.asarray(values, dtype=np.float64), [str(name) for name in label_names]
    if values.ndim != 2 or values.shape[1] != len(names) or (silent is not None and len(silent) != len(values)):
        raise AudioformerError(f"scores {values.shape} must be (frames, {len(names)}), and silent (frames,)")
    if silent is not None:
        values = np.where(np.asarray(silent)[:, None], np.nan, values)
    if shown is None:
        shown = [names[index] for index in np.nan_to_num(values).mean(0).argsort()[::-1]]
    series = [(name.replace("_", " "), values[:, names.index(name)]) for name in shown[:top_k]]
    alt = f"Scores of {len(series)} labels over time, {', '.join(name for name, _ in series)}; no line: silence."
    lane = lines(series, 1 / frame_rate, name="Score", alt=alt, id="scores")
    return {**lane, "about": "of each half second alone, not of the whole clip"}


def events(known: Iterable[tuple[str, float, float]]) -> dict:
    """Events whose times are known.

    Args:
        known: label, start, end (s) of each.
    """
    marks = [{"label": str(label), "start_s": float(start), "end_s": float(end)} for label, start, end in known]
    labels = list(dict.fromkeys(event["label"] for event in marks))
    said = "; ".join(
        f"{event['label'].replace('_', ' ')} {event['start_s']:.1f}-{event['end_s']:.1f} s" for event in marks
    )
    return {
        "id": "events",
        "kind": "events",
        "name": "Events",
        "weight": 0.07 * max(2, len(labels)),
        "events": marks,
        "labels": labels,
        "alt": f"Known events: {said}.",
        "ticks": [],
    }
