"""What a codec in training sounds like: examples, the ladder and spectrograms side by side, written beside its log.

    listening = ListeningLog("runs/codec", [Path("4-dog.ogg")])
    listening.add(codec, 1000)                                 # runs/codec/listen/index.html

Every visit writes `listen/NAME-original.flac` and `listen/NAME-2-codebooks.flac` (the latest, for 1, 2, 4, ... codebooks),
a line with the ladder into `listen/ladder.jsonl`, and the page `listen/index.html`, which holds all of it in one file.

Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.audio import Waveform, load_audio, resample, save_audio
from audioformer.codec import Codec
from audioformer.codecs.distances import mel_distance
from audioformer.codecs.spectra import log_mel, mel_filters
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, writable_folder

WINDOW, HOP, N_MELS = 1024, 240, 80  # of the pictures, samples and bands
MAX_POINTS = 500  # of a loss curve
STYLE = """:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1500px;padding:0 1rem}
body{color:#1f2933;background:#fff}.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:1rem}
.row.wide{grid-template-columns:repeat(auto-fill,minmax(340px,1fr))}.row>*{min-width:0;margin:0}audio{width:100%}"""
# auto-fill, not auto-fit: a figure takes its width before the next one is there


class ListeningLog:
    """Held-out recordings that are decoded again and again while a codec is trained.

    Args:
        folder: of the training run.
        files: recordings it is not trained on; a few are enough.
        max_s: of each, seconds.

    Raises:
        AudioformerError: no files, two of the same name, or one that cannot be read.
    """

    def __init__(self, folder: str | os.PathLike, files: Sequence[str | os.PathLike], max_s: float = 5.0):
        self.folder = writable_folder(folder)
        self.sounds = {Path(file).stem: load_audio(file, mono=True, duration_s=max_s) for file in files}
        if not files or len(self.sounds) < len(files):
            raise AudioformerError(
                f"{len(files)} files to listen to with {len(self.sounds)} names; give at least one, no name twice"
            )

    def add(self, codec: Codec, step: int) -> dict[str, float]:
        """Decode all recordings and write everything.

        Args:
            codec: as it is now, in evaluation mode.
            step: of the training.

        Returns:
            The ladder: {"mel_1": log-mel distance with one codebook, natural log, ..., "mel_K"}, means over recordings.
        """
        versions = {name: self._versions(codec, sound) for name, sound in self.sounds.items()}
        rows = [
            [float(mel_distance(one[None], decoded[0][None], codec.sample_rate)) for one in decoded[1:]]
            for decoded in versions.values()
        ]
        ladder = np.mean(rows, 0).round(4).tolist()
        self._write_ladder(
            [*(visit for visit in self._visits() if visit["step"] < step), {"step": step, "mel": ladder}]
        )
        shown = {
            name: [one for k, one in enumerate(v) if k in shown_rows(codec.n_codebooks)] for name, v in versions.items()
        }
        titles = [_title(k) for k in shown_rows(codec.n_codebooks)]
        for name, sounds in shown.items():
            for title, samples in zip(titles, sounds, strict=True):
                save_audio(self._sound_file(name, title), samples, codec.sample_rate)
        self._write_page(shown, titles, codec, step)
        return {f"mel_{k}": value for k, value in enumerate(ladder, 1)}

    def _visits(self) -> list[dict]:
        return _lines(self.folder / "listen" / "ladder.jsonl")

    def _write_ladder(self, visits: list[dict]) -> None:
        with atomic_path(self.folder / "listen" / "ladder.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(visit) + "\n" for visit in visits), encoding="utf-8")

    def _versions(self, codec: Codec, sound: Waveform) -> list[Tensor]:
        """The sound at the codec's rate, then decoded with 1, 2, ... K codebooks: each (N,)."""
        original = resample(sound.samples[0], sound.sample_rate, codec.sample_rate)
        codes = codec.encode(original, codec.sample_rate)
        return [original] + [
            codec.decode(codes[:, :k], len(original))[0, 0].cpu() for k in range(1, codec.n_codebooks + 1)
        ]

    def _sound_file(self, name: str, title: str) -> Path:
        return self.folder / "listen" / f"{name}-{title.replace(' ', '-')}.flac"

    def _write_page(self, shown: dict[str, list[Tensor]], titles: list[str], codec: Codec, step: int) -> None:
        """The page; without plotly it has sounds and no pictures."""
        figures = Figures()
        parts = [
            f"<h1>{html.escape(codec.name)} after step {step}</h1>",
            *figures.of_log(self.folder / "log.jsonl", self._visits()),
        ]
        for name, sounds in shown.items():
            parts.append(f"<h2>{html.escape(name)}</h2><div class=row>")
            for title, picture in zip(titles, figures.of_sounds(sounds, codec.sample_rate), strict=True):
                sound = base64.b64encode(self._sound_file(name, title).read_bytes()).decode()
                label = html.escape(f"{name}, {title}")
                player = (
                    f'<audio controls preload="none" aria-label="{label}" src="data:audio/flac;base64,{sound}"></audio>'
                )
                parts.append(f"<figure><figcaption>{title}</figcaption>{player}{picture}</figure>")
            parts.append("</div>")
        head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(codec.name)}</title><style>{STYLE}</style>'
        with atomic_path(self.folder / "listen" / "index.html") as temporary:
            temporary.write_text(head + figures.script + "".join(parts), encoding="utf-8")


class Figures:
    """Figures of the page as HTML; none where plotly is not installed."""

    def __init__(self) -> None:
        try:
            from plotly.offline import get_plotlyjs

            self.script = f"<script>{get_plotlyjs()}</script>"
        except ImportError:
            self.script = ""

    def of_log(self, path: Path, visits: list[dict]) -> list[str]:
        """Losses of a training run's `log.jsonl`, and the ladders of all visits."""
        if not self.script:
            return []
        from audioformer.plots.ladder import ladder, loss_terms

        records, figures = _lines(path), []
        records = records[:: 1 + len(records) // MAX_POINTS]
        if records:
            names = [name for name in records[-1]["losses"] if name != "total"]
            curves = {name: [record["losses"].get(name, np.nan) for record in records] for name in names}
            figures.append(loss_terms([record["step"] for record in records], curves, title="Losses"))
        same = [visit for visit in visits if len(visit["mel"]) == len(visits[-1]["mel"])]
        label = "Log-mel distance (natural log)"
        figures.append(ladder([visit["mel"] for visit in same], [visit["step"] for visit in same], label, title=label))
        return ['<div class="row wide">', *map(as_html, figures), "</div>"]

    def of_sounds(self, sounds: Sequence[Tensor], sample_rate: int) -> list[str]:
        """Log-mel pictures, all on the scale of the first, which their captions tell."""
        if not self.script:
            return [""] * len(sounds)
        from audioformer.plots.audio import band_centres_hz
        from audioformer.plots.audio import log_mel as picture

        band_hz = band_centres_hz(mel_filters(sample_rate, WINDOW, N_MELS).numpy(), sample_rate)
        pictures = [log_mel(samples, sample_rate, WINDOW, HOP, N_MELS).numpy() for samples in sounds]
        figures = [picture(values, HOP / sample_rate, band_hz, max_columns=500) for values in pictures]
        low, high = figures[0].data[0].zmin, figures[0].data[0].zmax
        narrow = {"height": 200, "margin": {"l": 45, "r": 5, "t": 5, "b": 40}, "yaxis": {"title": None}}
        for figure in figures:
            figure.update_traces(zmin=low, zmax=high, showscale=False).update_layout(narrow)
        return [
            f"{as_html(figure)}<small>Hz on the mel scale; {low:.0f} dB dark, {high:.0f} dB bright</small>"
            for figure in figures
        ]


def shown_rows(n_codebooks: int) -> list[int]:
    """Numbers of codebooks to listen to: 0 for the original, then 1, 2, 4, ... and all.

    Example:
        >>> shown_rows(8), shown_rows(3)
        ([0, 1, 2, 4, 8], [0, 1, 2, 3])
    """
    powers = [2**power for power in range(16) if 2**power < n_codebooks]
    return [0, *powers, n_codebooks]


def as_html(figure) -> str:
    """A figure as a part of a page that brings plotly's script itself, its alternative text with it."""
    from audioformer.plots.theme import plot_config

    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=plot_config())
    return f'<div role="img" aria-label="{html.escape(figure.layout.meta["alt"])}">{drawn}</div>'


def _title(n_codebooks: int) -> str:
    return "original" if n_codebooks == 0 else "1 codebook" if n_codebooks == 1 else f"{n_codebooks} codebooks"


def _lines(path: Path) -> list[dict]:
    """Entries of a file with one JSON object a line; none if there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
