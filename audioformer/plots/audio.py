"""Pictures of sound: the waveform and the log-mel spectrogram.

Shapes: N samples, M mel bands, T frames, F frequency bins. Times are seconds from the start of the clip.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from audioformer.errors import AudioformerError
from audioformer.plots.theme import SOUND_SCALE, as_array, finish, same_length

DB_PER_NEPER = 20 / np.log(10)  # natural log of a magnitude to decibel
TICKS_HZ = (100, 500, 1000, 2000, 4000, 8000, 16000)
TIME = "Time (s)"


def decimate(samples: np.ndarray, sample_rate: int, max_points: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Keep the smallest and largest sample of each stretch, so that no click disappears from the picture.

    Args:
        samples: (N,).
        sample_rate: Hz.
        max_points: most points kept, at least 4.

    Returns:
        times_s and values, each (P,) float32 with P <= max_points; the samples themselves when N is small enough.
    """
    n_samples = len(samples)
    if n_samples <= max_points:
        keep = np.arange(n_samples)
    else:
        stretch = -(-2 * n_samples // (max_points - 1))
        n_full = n_samples // stretch
        blocks = samples[: n_full * stretch].reshape(n_full, stretch)
        both = np.stack([blocks.argmin(1), blocks.argmax(1)], 1) + np.arange(n_full)[:, None] * stretch
        rest = np.arange(n_full * stretch, n_samples)
        tail = [rest[samples[rest].argmin()], rest[samples[rest].argmax()]] if len(rest) else []
        keep = np.unique(np.concatenate([both.ravel(), tail]).astype(np.int64))
    return (keep / sample_rate).astype(np.float32), samples[keep].astype(np.float32)


def waveform(samples, sample_rate: int, *, theme: str = "light", max_points: int = 20_000) -> go.Figure:
    """Amplitude over time.

    Args:
        samples: (N,) one channel, full scale +-1.
        sample_rate: Hz.
        theme: "light" or "dark".
        max_points: longer clips are drawn by the minimum and maximum of each stretch.

    Returns:
        Figure with one line.

    Raises:
        AudioformerError: not (N,), N = 0, not finite, or a rate that is not positive.

    Example:
        >>> waveform(np.sin(np.arange(2400) / 10), 24000).layout.xaxis.title.text
        'Time (s)'
    """
    samples = as_array(samples, "samples", 1)
    if sample_rate <= 0:
        raise AudioformerError(f"sample_rate={sample_rate} must be positive; give it in Hz")
    duration_s = len(samples) / sample_rate
    times_s, values = decimate(samples, sample_rate, max_points)
    figure = go.Figure(
        go.Scatter(
            x=times_s,
            y=values,
            mode="lines",
            line={"width": 1},
            name="waveform",
            hovertemplate="%{x:.3f} s<br>amplitude %{y:.3f}<extra></extra>",
        )
    )
    largest = float(np.abs(samples).max())
    alt = f"Waveform of {duration_s:.2f} s at {sample_rate} Hz; its largest amplitude is {largest:.2f} of full scale."
    finish(figure, alt, x=TIME, y="Amplitude (1 = full scale)", theme=theme)
    reach = 1.05 * largest or 1.0
    figure.update_yaxes(range=[-reach, reach], nticks=5)
    return figure.update_xaxes(range=[0, duration_s])


def band_centres_hz(filters, sample_rate: int) -> np.ndarray:
    """Centre of gravity of each mel filter, Hz: what the rows of a log-mel picture stand for.

    Args:
        filters: (M, F) weights on F bins from 0 Hz to sample_rate / 2, as `codecs.spectra.mel_filters` gives them.
        sample_rate: Hz.

    Returns:
        (M,) float64, rising.
    """
    filters = as_array(filters, "filters", 2)
    bins_hz = np.linspace(0, sample_rate / 2, filters.shape[1])
    return filters @ bins_hz / np.maximum(filters.sum(1), 1e-12)


def log_mel(
    values, hop_s: float, band_hz, *, theme: str = "light", range_db: float = 80.0, max_columns: int = 2_000
) -> go.Figure:
    """Log-mel spectrogram: time, frequency on the mel scale, level in decibel.

    Args:
        values: (M, T) natural logarithm of magnitudes, as `codecs.spectra.log_mel` gives it.
        hop_s: seconds between frames.
        band_hz: (M,) centre of each band, Hz (`band_centres_hz`).
        theme: "light" or "dark".
        range_db: what lies further below the loudest cell is drawn in the darkest colour.
        max_columns: longer clips show the loudest of neighbouring frames.

    Returns:
        Figure with one heatmap; levels are rounded to 1 dB (and 0 dB is a magnitude of 1).

    Raises:
        AudioformerError: shapes disagree (both are printed), or hop_s is not positive.
    """
    values, band_hz = as_array(values, "log-mel", 2), as_array(band_hz, "band_hz", 1)
    same_length(values.shape[0], len(band_hz), f"log-mel {values.shape}", f"band_hz {band_hz.shape}")
    if hop_s <= 0:
        raise AudioformerError(f"hop_s={hop_s} must be positive; give the seconds between frames")
    duration_s = (values.shape[1] - 1) * hop_s
    step = -(-values.shape[1] // max_columns)
    starts = np.arange(0, values.shape[1], step)
    level_db = np.maximum.reduceat(values, starts, axis=1) * DB_PER_NEPER
    top = float(level_db.max())
    figure = go.Figure(
        go.Heatmap(
            z=np.clip(np.round(level_db), -120, 120).astype(np.int8),
            x0=(step - 1) * hop_s / 2,
            dx=hop_s * step,
            y=[f"{hz:.0f} Hz" for hz in band_hz],
            colorscale=SOUND_SCALE,
            zmin=top - range_db,
            zmax=top,
            name="log-mel",
            colorbar={"title": {"text": "Level (dB)"}, "thickness": 12},
            hovertemplate="%{x:.3f} s<br>%{y}<br>%{z} dB<extra></extra>",
        )
    )
    loudest = band_hz[np.unravel_index(values.argmax(), values.shape)[0]]
    alt = (
        f"Log-mel spectrogram of {duration_s:.2f} s in {len(band_hz)} bands; the loudest cell is near {loudest:.0f} Hz."
    )
    finish(figure, alt, x=TIME, y="Frequency (Hz, mel scale)", theme=theme, height=300)
    ticks = [hz for hz in TICKS_HZ if band_hz[0] <= hz <= band_hz[-1]]
    positions = np.interp(ticks, band_hz, np.arange(len(band_hz)))
    return figure.update_yaxes(type="category", tickvals=positions.tolist(), ticktext=[_short_hz(hz) for hz in ticks])


def _short_hz(hz: int) -> str:
    return f"{hz // 1000}k" if hz >= 1000 else str(hz)
