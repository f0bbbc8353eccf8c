"""Sound files in, checked arrays out: the first step of the data path.

`load_audio` is the one door: every sound that the kit reads comes through it. It reads a file to its end whatever the
header says, and says in `Waveform.notes` what is missing or was changed. How files are decoded, mixed and mended is in
reading/, which nobody needs to open to follow a sound.

Shapes: B clips, C channels, N samples. Samples are float32 with full scale at +-1; rates are in Hz, times in seconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from audioformer.errors import AudioformerError
from audioformer.files import atomic_path, writing
from audioformer.reading.arrays import as_samples, to_mono
from audioformer.reading.sound import check_rate, read_sound

LOW_RATE_HZ, HIGH_RATE_HZ = 8_000, 48_000  # below and above, what that means for the models is said
MAX_DURATION_S = 2 * 3600.0
QUIET_DB, FLOOR_DB = -45.0, -100.0  # dB of full scale: too quiet to be named; the least that is told


@dataclass(frozen=True)
class Waveform:
    """Samples and the rate they were taken at; the two never travel apart.

    Attributes:
        samples: (C, N) float32, full scale +-1.
        sample_rate: samples per second and channel, Hz.
        notes: what its user must know: what is missing, why, and what to do; what was changed.
    """

    samples: Tensor
    sample_rate: int
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.shape[-1] / self.sample_rate

    def at(self, sample_rate: int) -> Waveform:
        """The same at another rate, Hz; what that leaves out is noted."""
        notes = self.notes + rate_notes(self.sample_rate, sample_rate)
        return Waveform(resample(self.samples, self.sample_rate, sample_rate), sample_rate, notes)

    @property
    def level_db(self) -> float:
        """Of the loudest half second: one bark in a quiet hour is not quiet; dB of full scale, -100 at least.

        Root mean square around each channel's mean, which nobody hears.
        """
        heard = (self.samples - self.samples.mean(-1, keepdim=True)).square_().mean(0, keepdim=True)
        n = max(2, min(heard.shape[-1], self.sample_rate // 2))
        loudest = functional.avg_pool1d(heard, n, n // 2, n // 2).max()
        return max(FLOOR_DB, float(10 * loudest.clamp_min(1e-12).log10()))


def load_audio(
    path: str | os.PathLike,
    sample_rate: int | None = None,
    mono: bool = False,
    max_s: float = MAX_DURATION_S,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> Waveform:
    """Read a sound file, or a stretch of it.

    Args:
        path: WAV, FLAC, Ogg, MP3 or whatever libsndfile decodes; phones' formats where PyAV is installed.
        sample_rate: Hz to resample to; None keeps the file's own.
        mono: one channel, see `to_mono`.
        max_s: longest stretch accepted, seconds.
        start_s: where to begin, seconds.
        duration_s: how much to read at most, seconds; None reads to the end.

    Returns:
        Waveform with samples (C, N), N >= 1, all finite. Of a damaged file it holds what can be decoded, and its
        `notes` say how much is missing.

    Raises:
        AudioformerError: missing, a folder, empty, not audio, too long, holding NaN/Inf, or nothing that can be
            decoded.
    """
    samples, rate, notes = read_sound(path, mono, max_s, start_s, duration_s)
    waveform = replace(check_waveform(torch.from_numpy(samples), rate, Path(path).name), notes=notes)
    return waveform if sample_rate is None else waveform.at(sample_rate)


def rate_notes(sample_rate: int, heard_hz: int) -> tuple[str, ...]:
    """What is to be said about a sound recorded at one rate and heard at another, both in Hz."""
    if sample_rate > max(HIGH_RATE_HZ, heard_hz):
        return (f"recorded at {sample_rate} Hz: only what lies below {heard_hz // 2} Hz is heard",)
    if sample_rate < min(LOW_RATE_HZ, heard_hz):
        return (f"recorded at {sample_rate} Hz: holds nothing above {sample_rate // 2} Hz",)
    return ()


def quiet_answer(level_db: float) -> str:
    """The answer to a sound that is too quiet to be named: "silence" or "too quiet"; "" for any other."""
    return "silence" if level_db <= FLOOR_DB else "too quiet" if level_db < QUIET_DB else ""


def quietness(level_db: float) -> str:
    """What is to be said about a sound that is too quiet to be named, "" for any other; level_db: of full scale."""
    if level_db <= FLOOR_DB:
        return "silence: nothing in it is above -100 dB of full scale, no label means anything; is the microphone on?"
    if level_db < QUIET_DB:
        return f"very quiet ({level_db:.0f} dB of full scale): its label means little; record closer or louder"
    return ""


def check_waveform(samples: Tensor, sample_rate: int, name: str = "waveform") -> Waveform:
    """Refuse what no later step can use.

    Args:
        samples: (..., N) float.
        sample_rate: Hz.
        name: what to call it in the message.

    Returns:
        Waveform, unchanged.

    Raises:
        AudioformerError: no samples, no channel, NaN/Inf, or a rate outside 1 kHz to 1 MHz.
    """
    if samples.numel() == 0:
        raise AudioformerError(f"{name}: holds 0 samples; record or choose a clip of at least one sample")
    check_rate(sample_rate, name)
    if not all(part.isfinite().all() for part in samples.split(1 << 20, -1)):  # of an hour, without copies of it
        raise AudioformerError(f"{name}: holds NaN or infinite samples; export it again as 16-bit or float audio")
    return Waveform(samples, int(sample_rate))


def resample(samples: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """Change the sample rate with soxr's high-quality filter.

    Args:
        samples: (..., N) float32.
        from_hz: rate now, Hz.
        to_hz: rate wanted, Hz.

    Returns:
        (..., M) float32, M = ceil(N * to_hz / from_hz): never empty.
    """
    if from_hz == to_hz:
        return samples
    import soxr

    n_out = -(-samples.shape[-1] * to_hz // from_hz)
    flat = samples.reshape(-1, samples.shape[-1]).cpu().numpy()
    out = soxr.resample(flat.T, from_hz, to_hz, quality="HQ").T
    out = out[:, :n_out] if out.shape[-1] >= n_out else np.pad(out, ((0, 0), (0, n_out - out.shape[-1])))
    return torch.from_numpy(np.ascontiguousarray(out, dtype=np.float32)).reshape(*samples.shape[:-1], n_out)


def to_batch(waveform, sample_rate: int | None, target_hz: int, channels: int = 1) -> Tensor:
    """Bring whatever a caller holds to (B, channels, N) float32 at one rate.

    Args:
        waveform: Waveform, path-free array or tensor: (N,), (C, N) or (B, C, N); integer types are scaled to +-1.
        sample_rate: Hz; may be None only for a Waveform, which knows its own.
        target_hz: rate of the result, Hz.
        channels: of the result; mono is copied to all, more are averaged to one.

    Returns:
        (B, channels, N') float32.

    Raises:
        AudioformerError: wrong rank, no samples, not finite, or no sample_rate.
    """
    if isinstance(waveform, Waveform):
        waveform, sample_rate = waveform.samples, waveform.sample_rate
    if sample_rate is None:
        raise AudioformerError("sample_rate is missing; give it in Hz, e.g. encode(samples, 44100)")
    samples = as_samples(waveform)
    check_waveform(samples, sample_rate)
    if samples.shape[1] != channels:
        samples = to_mono(samples).expand(-1, channels, -1)
    return resample(samples, sample_rate, target_hz)


def save_audio(path: str | os.PathLike, samples: Tensor, sample_rate: int) -> None:
    """Write a sound file, whole or not at all; the ending chooses WAV (16 bit), FLAC or Ogg.

    Args:
        path: ends in .wav, .flac or .ogg.
        samples: (N,) or (C, N) float; values beyond +-1 are clipped.
        sample_rate: Hz.

    Raises:
        AudioformerError: unknown ending, nothing to write, or the disk refuses.
    """
    import soundfile

    path = Path(path)
    if path.suffix.lower() not in {".wav", ".flac", ".ogg"}:
        raise AudioformerError(
            f"{path.name}: cannot write {path.suffix or 'a name without ending'}; end it in .wav, .flac or .ogg"
        )
    samples = torch.atleast_2d(samples.detach().cpu().float())
    check_waveform(samples, sample_rate, name=path.name)
    with atomic_path(path) as temporary, writing(path, soundfile.LibsndfileError):
        soundfile.write(str(temporary), samples.clamp(-1, 1).T.numpy(), sample_rate)
