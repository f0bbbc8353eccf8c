"""What the page asks for, as pure functions: text for the browser out of an Analysis; no Gradio, no global state.

`clip_view` is the whole view of one clip, `keep` the sound of its first codebooks, `hear` the sound of one code.
Shapes: N samples, K codebooks, T frames, M mel bands.
"""

from __future__ import annotations

import json

import numpy as np
import torch

from audioformer import plots
from audioformer.audio import log_mel, mel_filters
from audioformer.errors import AudioformerError
from audioformer_app.analysis import Analysis
from audioformer_app.models import Models
from audioformer_app.settings import HOLD_S
from audioformer_app.sounds import fade, wav_base64

N_FFT, MEL_HOP, N_MELS = 1024, 320, 80
PICTURE_POINTS = 6_000


def timeline(analysis: Analysis, models: Models):
    """Waveform, log-mel, codes and scores of a clip as one plotly figure on a shared time axis."""
    samples, rate = analysis.samples, analysis.sample_rate
    mel = log_mel(torch.from_numpy(samples), rate, N_FFT, MEL_HOP, N_MELS).numpy()
    band_hz = plots.audio.band_centres_hz(mel_filters(rate, N_FFT, N_MELS).numpy(), rate)
    grid = plots.codes.code_grid(analysis.codes, analysis.frame_rate, ranks=models.ranks(analysis.codec))
    lane = plots.timeline.Lane
    lanes = [
        lane("Amplitude", plots.audio.waveform(samples, rate, max_points=PICTURE_POINTS), 0.19),
        lane("Frequency (Hz)", plots.audio.log_mel(mel, MEL_HOP / rate, band_hz, max_columns=1200), 0.34),
        lane("Codebook", grid, 0.34),
    ]
    verdict = analysis.verdict
    if verdict is not None:
        scores = plots.predictions.frame_scores(verdict.frame_scores, verdict.frame_rate, verdict.label_names)
        lanes.append(lane("Score", scores, 0.24))
    return plots.timeline.stack(lanes, analysis.duration_s)


def clip_view(analysis: Analysis, models: Models) -> str:
    """What the browser needs to draw, play and step through a clip, as JSON.

    Returns:
        Object with `figure`, `dark` (the dark look), `original` (WAV), `codes`, and the first `reply` (all codebooks).
    """
    figure = timeline(analysis, models)
    figure.layout.height = None  # the page decides
    return json.dumps(
        {
            "token": analysis.token,
            "figure": json.loads(figure.to_json()),
            "dark": plots.theme.template("dark").to_plotly_json(),
            "config": plots.plot_config(),
            "original": wav_base64(analysis.samples, analysis.sample_rate),
            "codes": analysis.codes.tolist(),
            "frame_rate": analysis.frame_rate,
            "duration_s": analysis.duration_s,
            "kbps_per_codebook": analysis.kbps_per_codebook,
            "hold_s": HOLD_S,
            "reply": keep(analysis, len(analysis.codes), models),
        }
    )


def keep(analysis: Analysis, n_codebooks: int, models: Models) -> dict:
    """The clip decoded from its first codebooks.

    Args:
        analysis: of the clip.
        n_codebooks: 1 to K.
        models: open codecs.

    Returns:
        dict with `wav` and `difference_db`, the mean difference of the log-mel pictures.

    Raises:
        AudioformerError: n_codebooks out of range.
    """
    whole_number(n_codebooks, 1, len(analysis.codes), "codebooks")
    codec = models.codec(analysis.codec)
    codes = torch.from_numpy(analysis.codes[:n_codebooks].astype(np.int64))
    decoded = codec.decode(codes, n_samples=len(analysis.samples))[0].mean(0)
    pictures = [
        log_mel(sound, analysis.sample_rate, N_FFT, MEL_HOP, N_MELS)
        for sound in (torch.from_numpy(analysis.samples[: len(decoded)]), decoded)
    ]
    difference_db = float((pictures[0] - pictures[1]).abs().mean()) * plots.audio.DB_PER_NEPER
    return {
        "token": analysis.token,
        "n_codebooks": n_codebooks,
        "difference_db": difference_db,
        "wav": wav_base64(decoded.numpy(), analysis.sample_rate),
    }


def hear(analysis: Analysis, row: int, frame: int, models: Models) -> dict:
    """One code held for a moment, together with the codes above it in its column.

    A code of row k corrects what rows 1 to k-1 left over, so alone it is not a sound; with them it is.

    Args:
        analysis: of the clip.
        row: 1 to K.
        frame: 0 to T-1.
        models: open codecs.

    Returns:
        dict with `wav`, `row`, `frame`, `code`.

    Raises:
        AudioformerError: row or frame outside the grid.
    """
    whole_number(row, 1, analysis.codes.shape[0], "row")
    whole_number(frame, 0, analysis.codes.shape[1] - 1, "frame")
    column = torch.from_numpy(analysis.codes[:row, frame].astype(np.int64))
    n_frames = max(1, round(HOLD_S * analysis.frame_rate))
    sound = models.codec(analysis.codec).decode(column[:, None].expand(-1, n_frames))[0].mean(0).numpy()
    return {
        "token": analysis.token,
        "row": row,
        "frame": frame,
        "code": int(column[-1]),
        "wav": wav_base64(fade(sound, analysis.sample_rate), analysis.sample_rate),
    }


def whole_number(value, low: int, high: int, what: str) -> int:
    """What the browser sent, if it is a whole number in range; anybody can send anything.

    Raises:
        AudioformerError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise AudioformerError(f"{what}={str(value)[:40]!r} must be a whole number from {low} to {high}")
    return value
