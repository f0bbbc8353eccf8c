"""One change to a waveform each; `augment` chooses among them.

Every function takes (N,) float32, full scale +-1, N >= 1, and returns (N,) float32 unless it says otherwise. Rates and
frequencies in Hz, times in seconds, levels in dB.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import soxr

NOISE_SLOPES = {"white": 0.0, "pink": 0.5, "brown": 1.0}  # amplitude falls with frequency to this power


def shift(x: np.ndarray, by: int) -> np.ndarray:
    """Move later by `by` samples (earlier if negative) and fill with silence: (N,) to (N,)."""
    out = np.zeros_like(x)
    if by >= 0:
        out[by:] = x[: x.size - by]
    else:
        out[:by] = x[-by:]
    return out


def change_speed(x: np.ndarray, factor: float) -> np.ndarray:
    """Play `factor` times as fast, as a tape would: pitch and length change together. (N,) to (about N / factor,)."""
    import soxr

    if x.size < 2:
        return x
    out = soxr.resample(x, round(10_000 * factor), 10_000, quality="LQ")
    return out if out.size else x[:1]


def change_tempo(x: np.ndarray, sample_rate: int, factor: float, frame_s: float = 0.04) -> np.ndarray:
    """Play `factor` times as fast at the same pitch: overlap-add of frames moved to where they fit best (WSOLA).

    Verhelst and Roelands 1993. Each frame is taken within a quarter frame of where it should be, at the spot that
    continues the sound so far most smoothly. (N,) to (about N / factor,). Clips under 4 frames are left alone.
    """
    hop = round(sample_rate * frame_s / 2)
    reach, step = hop // 2, max(1, sample_rate // 6000)  # search on every `step`-th sample: enough below 3 kHz
    n_out = round(x.size / factor)
    n_frames = -(-n_out // hop)
    if x.size < 8 * hop:
        return x
    padded = np.pad(x, (reach, 3 * hop + 2 * reach))
    window = np.hanning(2 * hop + 1)[:-1].astype(np.float32)
    out = np.zeros((n_frames + 1) * hop, np.float32)
    at = reach
    for frame in range(n_frames):
        wanted = min(round(frame * hop * factor), x.size - hop)
        if frame:
            follow = padded[at + hop : at + 2 * hop : step]  # how the sound would have gone on
            near = padded[wanted : wanted + 2 * reach + hop : step]
            at = wanted + step * int(np.argmax(np.correlate(near, follow, "valid")))
        out[frame * hop : (frame + 2) * hop] += window * padded[at : at + 2 * hop]
    out[:hop] += (1 - window[:hop]) * x[:hop]  # the first half frame has no left neighbour
    return out[:n_out]


def equalise(
    x: np.ndarray, sample_rate: int, rng: np.random.Generator, most_db: float, n_points: int = 7
) -> np.ndarray:
    """Smooth random frequency response: another microphone, loudspeaker or distance.

    Gains are drawn at n_points frequencies from 60 Hz to half the sample rate and joined linearly over log frequency.
    """
    at_hz = np.geomspace(60.0, sample_rate / 2, n_points)
    gains_db = rng.uniform(-most_db, most_db, n_points)
    return _filter(x, sample_rate, lambda hz: 10 ** (np.interp(np.log(hz), np.log(at_hz), gains_db) / 20))


def band_limit(x: np.ndarray, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Keep what lies between two frequencies; outside, levels fall by 12 dB an octave (a second-order filter)."""

    def response(hz: np.ndarray) -> np.ndarray:
        return 1 / (np.sqrt(1 + (low_hz / hz) ** 4) * np.sqrt(1 + (hz / high_hz) ** 4))

    return _filter(x, sample_rate, response)


def low_rate(x: np.ndarray, sample_rate: int, rate: float) -> np.ndarray:
    """As a recorder or telephone of a lower sample rate, Hz, keeps it: nothing above half of that rate, sharply cut."""
    there = soxr.resample(x, sample_rate, rate)
    back = soxr.resample(there, rate, sample_rate)[: x.size]
    return np.pad(back, (0, x.size - back.size))


def _filter(x: np.ndarray, sample_rate: int, response) -> np.ndarray:
    """Multiply the spectrum by a gain per frequency (linear phase: nothing moves in time).

    The curve is worked out at 512 log-spaced frequencies and interpolated: cheap, and smooth enough for such curves.
    """
    n_fft = scipy.fft.next_fast_len(x.size + min(x.size, sample_rate // 10), real=True)  # room for the filter to ring
    spectrum = scipy.fft.rfft(x, n_fft)
    hz = np.arange(spectrum.size, dtype=np.float32) * np.float32(sample_rate / n_fft)
    grid = np.concatenate([[0.0], np.geomspace(10.0, sample_rate / 2, 512)])
    gains = response(np.maximum(grid, 10.0))
    return scipy.fft.irfft(spectrum * np.interp(hz, grid, gains).astype(np.float32), n_fft)[: x.size]


def reverb(x: np.ndarray, sample_rate: int, rng: np.random.Generator, decay_s: float, wet_db: float) -> np.ndarray:
    """A room: the sound plus its echo from noise that decays by 60 dB in decay_s, at wet_db relative to the sound.

    The tail that would ring on after the clip is cut, so the length stays.
    """
    n_tail = max(1, round(decay_s * sample_rate))
    t = np.arange(n_tail, dtype=np.float32) / n_tail
    tail = rng.standard_normal(n_tail, dtype=np.float32) * np.exp(-6.9 * t)
    n_fft = scipy.fft.next_fast_len(x.size + n_tail, real=True)
    wet = scipy.fft.irfft(scipy.fft.rfft(x, n_fft) * scipy.fft.rfft(tail, n_fft), n_fft)[: x.size]
    level = rms(wet)
    return x if level == 0 else x + wet * np.float32(rms(x) / level * 10 ** (wet_db / 20))


def add_noise(x: np.ndarray, rng: np.random.Generator, snr_db: float, colour: str | None = None) -> np.ndarray:
    """Steady noise `snr_db` below the clip's own level; silence stays silent.

    Args:
        x: (N,) float32.
        rng: chance.
        snr_db: level of the clip over that of the noise.
        colour: "white", "pink" (-3 dB an octave) or "brown" (-6 dB); None draws one.
    """
    colour = colour or str(rng.choice(list(NOISE_SLOPES)))
    noise = coloured_noise(x.size, rng, colour)
    level = rms(noise)
    return x if level == 0 else x + noise * np.float32(rms(x) / level * 10 ** (-snr_db / 20))


def coloured_noise(n_samples: int, rng: np.random.Generator, colour: str) -> np.ndarray:
    """(n_samples,) noise whose amplitude spectrum falls as frequency to the power of `NOISE_SLOPES[colour]`."""
    if colour == "white":
        return rng.standard_normal(n_samples, dtype=np.float32)
    n_fft = scipy.fft.next_fast_len(n_samples, real=True)
    shape = np.arange(n_fft // 2 + 1, dtype=np.float32)
    shape[1:] **= np.float32(-NOISE_SLOPES[colour])
    spectrum = scipy.fft.rfft(rng.standard_normal(n_fft, dtype=np.float32)) * shape
    return scipy.fft.irfft(spectrum, n_fft)[:n_samples].astype(np.float32)


def soft_clip(x: np.ndarray, drive_db: float) -> np.ndarray:
    """An overdriven recorder: gain, then tanh, then back to the level before."""
    peak = np.float32(np.abs(x).max())
    if peak == 0:
        return x
    drive = np.float32(10 ** (drive_db / 20))
    return np.tanh(x * (drive / peak)) * (peak / np.tanh(drive))


def mixup(first: np.ndarray, second: np.ndarray, weight: float, start: int = 0) -> np.ndarray:
    """Two clips heard at once, the first with a share `weight` of the amplitude.

    Zhang et al. 2018 (arXiv:1710.09412), on waveforms. The second is brought to the level of the first before, else the
    louder clip would win whatever the weight says.

    Args:
        first: (N,) float32.
        second: (M,) float32.
        weight: 0 to 1.
        start: sample of `second` that meets the first sample of `first`; negative: it enters that much later. Where
            `second` has no sample, it is silent.

    Returns:
        (N,) float32.
    """
    padded = np.pad(second[max(start, 0) :], (max(-start, 0), 0))[: first.size]
    other = np.pad(padded, (0, first.size - padded.size))
    loud, quiet = rms(first), rms(other)
    if loud and quiet:
        other = other * np.float32(loud / quiet)
    return (np.float32(weight) * first + np.float32(1 - weight) * other).astype(np.float32)


def rms(x: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))
