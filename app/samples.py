"""The bundled clips: what they are called, where they lie, and a small picture of each to choose by."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioformer.audio import load_audio
from audioformer.codec import Codec
from audioformer.codecs.spectra import log_mel
from audioformer.errors import AudioformerError
from audioformer.files import samples_folder

THUMB_RATE_HZ, THUMB_BANDS, THUMB_COLUMNS = 16_000, 24, 56
TOGETHER = " + "  # between the labels of a scene of several sounds
ENDINGS = {".ogg", ".flac", ".wav", ".mp3"}


@dataclass(frozen=True)
class Sample:
    """One bundled clip.

    Attributes:
        label: class name, in words.
        path: of the sound file.
        thumbnail: small log-mel picture as a data: address of a PNG.
        events: (label, start, end) in seconds, where they are known.
    """

    label: str
    path: Path
    thumbnail: str
    events: tuple[tuple[str, float, float], ...] = ()


def list_samples(folder: Path | None = None) -> list[Sample]:
    """Bundled clips with thumbnails, one of each label first; an empty list where this installation has none.

    Args:
        folder: ESC-50 layout (`audio/*`, `meta/esc50.csv`); None: the bundled one.

    Returns:
        One Sample per clip listed in the table whose file can be read.
    """
    try:
        folder = samples_folder() if folder is None else Path(folder)
        with open(folder / "meta" / "esc50.csv", newline="", encoding="utf-8") as table:
            rows = [(row["category"], folder / "audio" / row["filename"]) for row in csv.DictReader(table)]
    except (AudioformerError, OSError, KeyError, TypeError):
        return []
    events, found = known_events(folder), []
    for label, path in one_of_each_first(rows):
        try:
            known = tuple(events.get(path.name, ()))
            names = list(dict.fromkeys(name for name, *_ in known)) or [label]
            found.append(Sample(TOGETHER.join(names).replace("_", " "), path, thumbnail(path), known))
        except AudioformerError:
            continue  # a damaged clip is left out; the others still work
    return found


def known_events(folder: Path) -> dict[str, list[tuple[str, float, float]]]:
    """(label, start, end) of the events of each file, from `meta/events.csv`; empty where there is none."""
    events: dict[str, list[tuple[str, float, float]]] = {}
    try:
        with open(folder / "meta" / "events.csv", newline="", encoding="utf-8") as table:
            for row in csv.DictReader(table):
                found = (row["label"], float(row["onset_s"]), float(row["offset_s"]))
                events.setdefault(row["filename"], []).append(found)
    except (OSError, KeyError, TypeError, ValueError):
        return {}
    return events


def one_of_each_first(rows: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """(label, path) sorted so that the first clips are of all different labels, then the second ones, and so on."""
    rounds, seen = [], {}
    for label, path in sorted(rows):
        seen[label] = seen.get(label, 0) + 1
        rounds.append((seen[label], label, path))
    return [(label, path) for _, label, path in sorted(rounds)]


def first_choice(samples: list[Sample]) -> int | None:
    """Index of the clip the page opens with: a dog if there is one."""
    if not samples:
        return None
    return next((index for index, sample in enumerate(samples) if sample.label == "dog"), 0)


def thumbnail(path: Path) -> str:
    """A 56 x 24 pixel log-mel picture of the first seconds of a clip, as a data: address.

    Raises:
        AudioformerError: not a readable sound file.
    """
    waveform = load_audio(path, sample_rate=THUMB_RATE_HZ, mono=True, duration_s=10.0)
    hop_length = max(128, waveform.samples.shape[-1] // THUMB_COLUMNS)
    picture = log_mel(waveform.samples[0], THUMB_RATE_HZ, n_fft=1024, hop_length=hop_length, n_mels=THUMB_BANDS).numpy()
    return png_address(picture[::-1, :THUMB_COLUMNS])


def png_address(values: np.ndarray, span: float = 8.0) -> str:
    """Values (rows, columns) in viridis as the data: address of a PNG; what is `span` below the top is darkest."""
    from PIL import Image
    from plotly.colors import get_colorscale, unlabel_rgb

    stops = [(place, unlabel_rgb(_as_rgb(colour))) for place, colour in get_colorscale("Viridis")]
    places, colours = np.array([place for place, _ in stops]), np.array([colour for _, colour in stops])
    level = np.clip((values - values.max()) / span + 1, 0, 1)
    pixels = np.stack([np.interp(level, places, colours[:, channel]) for channel in range(3)], -1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _as_rgb(colour: str) -> str:
    from plotly.colors import hex_to_rgb, label_rgb

    return label_rgb(hex_to_rgb(colour)) if colour.startswith("#") else colour


@dataclass(frozen=True)
class Coded:
    """Bundled clips as codes.

    Attributes:
        codes: (K, T) of each clip.
        labels: number of each clip's class.
        label_names: C.
    """

    codes: list[np.ndarray]
    labels: list[int]
    label_names: list[str]


def code_samples(codec: Codec) -> Coded:
    """The bundled clips, coded; none where this installation has no samples."""
    from audioformer.data.datasets import open_dataset

    try:
        sounds = open_dataset("esc50", samples_folder())
    except AudioformerError:
        return Coded([], [], [])
    names = sorted({clip.labels[0] for clip in sounds})
    codes = [codec.encode(clip.load())[0].cpu().numpy() for clip in sounds]
    return Coded(codes, [names.index(clip.labels[0]) for clip in sounds], names)
