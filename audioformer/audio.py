"""Sound files in, checked arrays out: the first step of the data path.

Shapes: B clips, C channels, N samples. Samples are float32 with full scale at +-1; rates are in Hz, times in seconds.
Files are decoded by libsndfile alone (WAV, FLAC, Ogg, MP3): no ffmpeg, no torchaudio.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.errors import AudioformerError
from audioformer.files import atomic_path

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
MAX_DURATION_S = 2 * 3600.0
MAX_SAMPLES, BLOCK = 1 << 30, 1 << 18  # 4 GiB as float32; samples decoded at a time
FORMATS = "WAV, FLAC, Ogg or MP3"


@dataclass(frozen=True)
class Waveform:
    """Samples and the rate they were taken at; the two never travel apart.

    Attributes:
        samples: (C, N) float32, full scale +-1.
        sample_rate: samples per second and channel, Hz.
    """

    samples: Tensor
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.shape[-1] / self.sample_rate


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
        path: WAV, FLAC, Ogg or MP3; 1 to 8 channels.
        sample_rate: Hz to resample to; None keeps the file's own.
        mono: average the channels.
        max_s: longest stretch accepted, seconds.
        start_s: where to begin, seconds.
        duration_s: how much to read at most, seconds; None reads to the end.

    Returns:
        Waveform with samples (C, N), N >= 1, all finite.

    Raises:
        AudioformerError: missing, a folder, empty, not audio, too long, or holding NaN/Inf. Of a file that was cut
            short, what can be decoded is given; if that is nothing, or the format notices (FLAC), it is refused.
    """
    import soundfile

    path = _readable_file(path)
    try:
        with soundfile.SoundFile(str(path)) as sound:
            samples, rate = _read_stretch(sound, path.name, mono, max_s, start_s, duration_s), sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError, MemoryError) as error:
        raise AudioformerError(f"{path.name}: not a readable sound file ({error}); use {FORMATS}") from error
    waveform = check_waveform(torch.from_numpy(samples), rate, name=path.name)
    return waveform if sample_rate is None else Waveform(resample(waveform.samples, rate, sample_rate), sample_rate)


def _read_stretch(sound, name: str, mono: bool, max_s: float, start_s: float, duration_s: float | None) -> np.ndarray:
    """(C, N) float32 of an open sound file, block by block; refused before reading if it is too much."""
    if (first := round(start_s * sound.samplerate)) and first >= sound.frames:
        raise AudioformerError(
            f"{name}: ends at {sound.frames / sound.samplerate:.2f} s, before the clip's start at {start_s:.2f} s"
        )
    n_samples = min(
        sound.frames - first, sound.frames if duration_s is None else max(1, round(duration_s * sound.samplerate))
    )
    channels = 1 if mono else sound.channels
    if n_samples > (limit_s := min(max_s, MAX_SAMPLES / channels / sound.samplerate)) * sound.samplerate:
        raise AudioformerError(
            f"{name}: {n_samples / sound.samplerate:.0f} s is longer than the {limit_s:.0f} s allowed; cut it first"
        )
    if sound.format == "MP3":  # its decoder loses its memory at every jump, and soundfile jumps after every read
        samples = sound.read(first + n_samples, dtype="float32", always_2d=True)[first:].T
        return samples.mean(0, keepdims=True) if mono else np.ascontiguousarray(samples)
    samples, filled = np.empty((channels, n_samples), np.float32), 0
    sound.seek(first)
    while filled < n_samples and len(
        block := sound.read(min(BLOCK, n_samples - filled), dtype="float32", always_2d=True)
    ):
        samples[:, filled : filled + len(block)] = block.mean(1) if mono else block.T
        filled += len(block)
    return samples[:, :filled]


def _readable_file(path: str | os.PathLike) -> Path:
    """Path of an existing, non-empty regular file, or a clear error."""
    try:
        path = Path(path)
        if path.is_dir():
            raise AudioformerError(f"{path}: is a folder; give one sound file ({FORMATS})")
        if not path.is_file():
            raise AudioformerError(f"{path}: no such file; check the name")
        if path.stat().st_size == 0:
            raise AudioformerError(f"{path.name}: the file is empty (0 bytes); give a {FORMATS} file")
        with open(path, "rb"):
            return path
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, AudioformerError):
            raise
        raise AudioformerError(f"{path!r}: cannot be opened ({error}); give the path of a {FORMATS} file") from error


def check_waveform(samples: Tensor, sample_rate: int, name: str = "waveform") -> Waveform:
    """Refuse what no later step can use.

    Args:
        samples: (..., N) float.
        sample_rate: Hz.
        name: what to call it in the message.

    Returns:
        Waveform, unchanged.

    Raises:
        AudioformerError: no samples, no channel, NaN/Inf, or a rate outside 4-384 kHz.
    """
    if samples.numel() == 0:
        raise AudioformerError(f"{name}: holds 0 samples; record or choose a clip of at least one sample")
    if not isinstance(sample_rate, int | np.integer) or not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
        raise AudioformerError(
            f"{name}: sample_rate={sample_rate!r} must be a whole number of Hz in {MIN_RATE_HZ}-{MAX_RATE_HZ}"
        )
    if not torch.isfinite(samples).all():
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
    samples = torch.as_tensor(waveform)
    if sample_rate is None:
        raise AudioformerError("sample_rate is missing; give it in Hz, e.g. encode(samples, 44100)")
    if samples.is_complex() or not 1 <= samples.dim() <= 3:
        raise AudioformerError(
            f"waveform has shape {tuple(samples.shape)}; expected (N,), (C, N) or (B, C, N) real samples"
        )
    if not samples.is_floating_point():
        samples = _from_integers(samples)
    samples = samples.to(torch.float32)
    samples = samples.reshape(*(1,) * (3 - samples.dim()), *samples.shape)
    check_waveform(samples, sample_rate)
    if samples.shape[1] != channels:
        samples = samples.mean(1, keepdim=True).expand(-1, channels, -1)
    return resample(samples, sample_rate, target_hz)


def _from_integers(samples: Tensor) -> Tensor:
    """Integer PCM of any width to float in [-1, 1)."""
    if samples.dtype == torch.bool:
        raise AudioformerError("waveform holds True/False; expected samples as int16 or float")
    if samples.dtype == torch.uint8:
        return (samples.to(torch.float32) - 128) / 128
    return samples.to(torch.float32) / -float(torch.iinfo(samples.dtype).min)


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
    with atomic_path(path) as temporary:
        try:
            soundfile.write(str(temporary), samples.clamp(-1, 1).T.numpy(), sample_rate)
        except soundfile.LibsndfileError as error:
            raise AudioformerError(
                f"{path}: cannot be written ({error}); free space or choose another folder"
            ) from error
