"""What a codec in training sounds like: examples, the ladder and spectrograms side by side, written beside its log.

    listening = ListeningLog("runs/codec", [Path("4-dog.ogg")])
    listening.add(codec, 1000)                                 # runs/codec/listen/index.html

Every visit writes `listen/NAME-original.flac` and `listen/NAME-2-codebooks.flac` (for 1, 2, 4, ... codebooks), a line
with the ladder into `listen/ladder.jsonl`, and the page `listen/index.html`, which holds all of it in one file.

Shapes: N samples, K codebooks, T frames.
"""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from torch import Tensor

from audioformer.audio import Waveform, load_audio, resample, save_audio
from audioformer.codec import Codec
from audioformer.codecs.distances import mel_distance
from audioformer.codecs.spectra import log_mel, mel_filters
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, writable_folder
from audioformer.reading.sound import log_notes

WINDOW, HOP, N_MELS = 1024, 240, 80  # of the pictures, samples and bands
MAX_POINTS = 500  # of a loss curve
LADDER_LABEL = "Log-mel distance (natural log)"
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1500px;padding:0 1rem}}
body{{color:#1f2933;background:#fff}}
.row{{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:1rem}}
.row.wide{{grid-template-columns:repeat(auto-fill,minmax(340px,1fr))}}.row>*{{min-width:0;margin:0}}audio{{width:100%}}
</style>{1}<h1>{0} after step {2}</h1>"""


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
        self.folder, self.listen = writable_folder(folder), Path(folder) / "listen"
        self.sounds = {Path(one).stem: log_notes(one, load_audio(one, mono=True, duration_s=max_s)) for one in files}
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
        decoded = {name: self._decoded(codec, sound) for name, sound in self.sounds.items()}
        distances = [
            [float(mel_distance(one[None], sounds[0][None], codec.sample_rate)) for one in sounds[1:]]
            for sounds in decoded.values()
        ]
        ladder = np.mean(distances, 0).round(4).tolist()
        visits = [visit for visit in _lines(self.listen / "ladder.jsonl") if visit["step"] < step]
        visits.append({"step": step, "mel": ladder})
        with atomic_path(self.listen / "ladder.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(visit) + "\n" for visit in visits), encoding="utf-8")
        with_plotly = find_spec("plotly") is not None  # without it the page has sounds and no pictures
        curves = self._curves(visits) if with_plotly else []
        parts = [f'<div class="row wide">{"".join(curves)}</div>']
        for name, sounds in decoded.items():
            shown = [(_title(k), sounds[k]) for k in shown_rows(codec.n_codebooks)]
            pictures = (
                _pictures([samples for _, samples in shown], codec.sample_rate) if with_plotly else [""] * len(shown)
            )
            players = [self._player(name, title, samples, codec.sample_rate) for title, samples in shown]
            figures = [f"<figure>{player}{picture}</figure>" for player, picture in zip(players, pictures, strict=True)]
            parts.append(f"<h2>{html.escape(name)}</h2><div class=row>{''.join(figures)}</div>")
        head = HEAD.format(html.escape(codec.name), _plotly_script() if with_plotly else "", step)
        with atomic_path(self.listen / "index.html") as temporary:
            temporary.write_text(head + "".join(parts), encoding="utf-8")
        return {f"mel_{k}": value for k, value in enumerate(ladder, 1)}

    def _decoded(self, codec: Codec, sound: Waveform) -> list[Tensor]:
        """The sound at the codec's rate, then decoded with 1, 2, ... K codebooks: each (N,)."""
        original = resample(sound.samples[0], sound.sample_rate, codec.sample_rate)
        codes = codec.encode(original, codec.sample_rate)
        rows = range(1, codec.n_codebooks + 1)
        return [original, *(codec.decode(codes[:, :k], len(original))[0, 0].cpu() for k in rows)]

    def _player(self, name: str, title: str, samples: Tensor, sample_rate: int) -> str:
        """Write a sound as FLAC; the part of the page that plays it."""
        path = self.listen / f"{name}-{title.replace(' ', '-')}.flac"
        save_audio(path, samples, sample_rate)
        sound, label = base64.b64encode(path.read_bytes()).decode(), html.escape(f"{name}, {title}")
        source = f'src="data:audio/flac;base64,{sound}"'
        return f'<figcaption>{title}</figcaption><audio controls preload="none" aria-label="{label}" {source}></audio>'

    def _curves(self, visits: list[dict]) -> list[str]:
        """Losses of the run's `log.jsonl`, and the ladders of all visits."""
        from audioformer.plots.ladder import ladder, loss_terms
        from audioformer.plots.theme import titled

        records, figures = _lines(self.folder / "log.jsonl"), []
        records = records[:: 1 + len(records) // MAX_POINTS]
        if records:
            names = [name for name in records[-1]["losses"] if name != "total"]
            curves = {name: [record["losses"].get(name, np.nan) for record in records] for name in names}
            figures.append(titled(loss_terms([record["step"] for record in records], curves), "Losses"))
        steps = [visit["step"] for visit in visits]
        figures.append(titled(ladder([visit["mel"] for visit in visits], steps, LADDER_LABEL), LADDER_LABEL))
        return [_as_html(figure) for figure in figures]


def _pictures(sounds: Sequence[Tensor], sample_rate: int) -> list[str]:
    """Log-mel pictures, all on the scale of the first, which is in their captions."""
    from audioformer.plots.audio import band_centres_hz
    from audioformer.plots.audio import log_mel as picture

    band_hz = band_centres_hz(mel_filters(sample_rate, WINDOW, N_MELS).numpy(), sample_rate)
    levels = [log_mel(samples, sample_rate, WINDOW, HOP, N_MELS).numpy() for samples in sounds]
    figures = [picture(values, HOP / sample_rate, band_hz, max_columns=500) for values in levels]
    low, high = figures[0].data[0].zmin, figures[0].data[0].zmax
    for figure in figures:
        figure.update_traces(zmin=low, zmax=high, showscale=False)
        figure.update_layout(height=200, margin={"l": 45, "r": 5, "t": 5, "b": 40}, yaxis={"title": None})
    caption = f"<small>Hz on the mel scale; {low:.0f} dB dark, {high:.0f} dB bright</small>"
    return [_as_html(figure) + caption for figure in figures]


def shown_rows(n_codebooks: int) -> list[int]:
    """Numbers of codebooks to listen to: 0 for the original, then 1, 2, 4, ... and all.

    Example:
        >>> shown_rows(8), shown_rows(3)
        ([0, 1, 2, 4, 8], [0, 1, 2, 3])
    """
    return [0, *(2**power for power in range(16) if 2**power < n_codebooks), n_codebooks]


def _title(n_codebooks: int) -> str:
    return "original" if n_codebooks == 0 else "1 codebook" if n_codebooks == 1 else f"{n_codebooks} codebooks"


def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"


def _as_html(figure) -> str:
    """A figure as a part of a page that brings plotly's script itself, its alternative text with it."""
    from audioformer.plots.theme import plot_config

    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=plot_config())
    return f'<div role="img" aria-label="{html.escape(figure.layout.meta["alt"])}">{drawn}</div>'


def _lines(path: Path) -> list[dict]:
    """Entries of a file with one JSON object a line; none if there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
