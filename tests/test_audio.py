"""audio.py: every kind of file and every kind of bad input, and log-mel against librosa."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audioformer.audio import Waveform, check_waveform, load_audio, resample, save_audio, to_batch
from audioformer.codecs.spectra import log_mel, mel_filters
from audioformer.errors import AudioformerError
from audioformer.files import atomic_path

FORMATS = {"wav": {}, "flac": {}, "ogg": {}, "mp3": {}, "opus": {"format": "OGG", "subtype": "OPUS"}}


def tone(n: int = 24000, rate: int = 24000, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """(n, channels) float32; each channel a little quieter than the one before."""
    sine = 0.5 * np.sin(2 * np.pi * hz * np.arange(n) / rate)
    return (sine[:, None] * 0.9 ** np.arange(channels)).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = 24000, **options) -> Path:
    soundfile.write(str(path), samples, rate, **options)
    return path


def loaded_or_message(path: Path) -> Waveform | str:
    try:
        return load_audio(path)
    except AudioformerError as error:
        return str(error)


def spectral_peak_hz(samples: torch.Tensor, rate: int) -> float:
    spectrum = torch.fft.rfft(samples[0] * torch.hann_window(samples.shape[1])).abs()
    return float(spectrum.argmax()) * rate / samples.shape[1]


@pytest.mark.parametrize("ending", FORMATS)
def test_reads_every_format(tmp_path, ending):
    wav = load_audio(write(tmp_path / f"a.{ending}", tone(48000, 48000, 2), 48000, **FORMATS[ending]))
    assert wav.sample_rate == 48000
    assert wav.samples.shape == (2, 48000)
    assert wav.samples.dtype == torch.float32
    assert wav.duration_s == 1.0
    assert spectral_peak_hz(wav.samples, 48000) == pytest.approx(440, abs=1)
    assert float(wav.samples[0].std()) == pytest.approx(0.5 / 2**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-23), ("FLOAT", 0), ("DOUBLE", 1e-7)],
)
def test_reads_every_sample_type(tmp_path, subtype, step):
    samples = tone()
    wav = load_audio(write(tmp_path / "a.wav", samples, subtype=subtype))
    assert float((wav.samples[0] - torch.from_numpy(samples[:, 0])).abs().max()) <= step


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 8])
def test_reads_and_averages_channels(tmp_path, channels):
    samples = tone(channels=channels)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert load_audio(path).samples.shape == (channels, 24000)
    mono = load_audio(path, mono=True).samples
    assert mono.shape == (1, 24000)
    np.testing.assert_allclose(mono[0].numpy(), samples.mean(1), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 96000, 192000])
def test_reads_and_resamples_every_rate(tmp_path, rate):
    path = write(tmp_path / "a.wav", tone(rate, rate), rate)
    assert load_audio(path).sample_rate == rate
    wav = load_audio(path, sample_rate=24000)
    assert wav.samples.shape == (1, 24000)
    assert spectral_peak_hz(wav.samples, 24000) == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    "name", ["two words.wav", "chien aboyé 犬 🐕.wav", 'it\'s; odd & "quoted".wav', "-n.wav", "UPPER.WAV"]
)
def test_reads_any_name(tmp_path, name):
    assert load_audio(str(write(tmp_path / name, tone()))).samples.shape == (1, 24000)


def test_reads_a_stretch(tmp_path):
    samples = tone(hz=3.0)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    part = load_audio(path, start_s=0.25, duration_s=0.5)
    np.testing.assert_array_equal(part.samples[0].numpy(), samples[6000:18000, 0])
    assert load_audio(path, start_s=0.75, duration_s=9).samples.shape == (1, 6000)
    assert load_audio(path, duration_s=1e-9).samples.shape == (1, 1)
    with pytest.raises(AudioformerError, match=r"ends at 1.00 s, before the clip's start at 1.00 s"):
        load_audio(path, start_s=1.0)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_stretch_is_the_same_sound_as_in_the_whole(tmp_path, monkeypatch, ending):
    path = write(tmp_path / f"a.{ending}", tone(48000, 24000), **FORMATS[ending])
    whole = load_audio(path).samples
    monkeypatch.setattr("audioformer.reading.sound.BLOCK", 5000)
    assert torch.equal(load_audio(path).samples, whole)
    assert torch.equal(load_audio(path, mono=True).samples, whole)
    part = load_audio(path, start_s=0.5, duration_s=1.0).samples
    assert part.shape == (1, 24000)
    assert float((whole[:, 12000:36000] - part).abs().max()) < 1e-5


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_samples_survive_resampling(tmp_path, n):
    path = write(tmp_path / "a.wav", tone(n, 8000), 8000)
    for rate in (4000, 24000, 48000):
        wav = load_audio(path, sample_rate=rate)
        assert wav.samples.shape == (1, -(-n * rate // 8000))
        assert torch.isfinite(wav.samples).all()


def test_silence_is_fine(tmp_path):
    wav = load_audio(write(tmp_path / "a.wav", np.zeros(9000)), sample_rate=16000)
    assert wav.samples.abs().max() == 0
    assert torch.all(log_mel(wav.samples, 16000) == np.float32(np.log(1e-5)))


def test_missing_folder_empty_and_not_audio(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound " * 100)
    (tmp_path / "noise.mp3").write_bytes(bytes(range(256)) * 20)
    cases = {
        "no.wav": "no such file; check the name",
        ".": "is a folder; give one sound file",
        "empty.wav": r"empty.wav: the file is empty \(0 bytes\)",
        "text.wav": "text.wav: not a readable sound file: is a text that begins .*; download the sound itself",
        "noise.mp3": "noise.mp3: not a readable sound file",
    }
    for name, message in cases.items():
        with pytest.raises(AudioformerError, match=message):
            load_audio(tmp_path / name)


@pytest.mark.parametrize("path", ["a\0b.wav", None, 7.5, "x" * 5000])
def test_impossible_paths(path):
    with pytest.raises(AudioformerError, match=r"cannot be opened|no such file"):
        load_audio(path)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01])
def test_truncated_gives_what_is_there_or_an_error(tmp_path, ending, share):
    path = write(tmp_path / f"a.{ending}", tone(48000, 48000), 48000, **FORMATS[ending])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    outcome = loaded_or_message(path)
    if isinstance(outcome, str):
        assert re.match(rf"a.{ending}: (not a readable sound file|holds 0 samples)", outcome)
        assert share < 0.9
        assert (ending, share) != ("wav", 0.5)
    else:
        assert any("missing" in note for note in outcome.notes)
        assert 0 < outcome.samples.shape[1] < 48000
        assert torch.isfinite(outcome.samples).all()


def test_no_samples(tmp_path):
    with pytest.raises(AudioformerError, match="holds 0 samples"):
        load_audio(write(tmp_path / "a.wav", np.zeros((0, 1))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path, value):
    samples = tone()
    samples[100] = value
    with pytest.raises(AudioformerError, match="NaN or infinite"):
        load_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT"))


def test_rate_out_of_range(tmp_path):
    for rate in (1, 999, 2_000_000):
        with pytest.raises(
            AudioformerError, match=rf"sample_rate={rate} must be .* 1000-1000000; if that is not the true"
        ):
            load_audio(write(tmp_path / "a.wav", tone(100, 1000), rate))
    for rate in (24000.0, None, "x", -1, 10**9):
        with pytest.raises(AudioformerError, match="must be a whole number of Hz"):
            check_waveform(torch.zeros(5), rate)


def sparse_wav(path: Path, seconds: int, rate: int = 8000) -> Path:
    """A WAV of silence whose samples take no room on the disk."""
    header = bytearray(write(path, np.zeros(8), rate, subtype="PCM_U8").read_bytes()[:44])
    header[4:8], header[40:44] = ((seconds * rate + extra).to_bytes(4, "little") for extra in (36, 0))
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(44 + seconds * rate)
    return path


def test_an_hour_is_read_and_three_are_refused_before_reading(tmp_path):
    wav = load_audio(sparse_wav(tmp_path / "hour.wav", 3600, 4000), mono=True)
    assert wav.duration_s == 3600
    with pytest.raises(AudioformerError, match="10800 s is longer than the 7200 s allowed; cut it first"):
        load_audio(sparse_wav(tmp_path / "long.wav", 3 * 3600))
    with pytest.raises(AudioformerError, match="3600 s is longer than the 60 s allowed"):
        load_audio(tmp_path / "hour.wav", max_s=60)
    assert load_audio(tmp_path / "long.wav", start_s=10_000, duration_s=2).samples.shape == (1, 16000)


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("audioformer.reading.sound.MAX_SAMPLES", 24000)
    path = write(tmp_path / "a.wav", tone(channels=2))
    assert load_audio(path, mono=True).samples.shape == (1, 24000)
    with pytest.raises(AudioformerError, match="1 s is longer than the 0 s allowed"):
        load_audio(path)


@pytest.mark.parametrize(
    ("given", "channels", "shape"),
    [
        (np.zeros(100), 1, (1, 1, 100)),
        (np.zeros((2, 100)), 1, (1, 1, 100)),
        (np.zeros((3, 1, 100)), 2, (3, 2, 100)),
        (torch.zeros(6, 100), 2, (1, 2, 100)),
        (np.zeros(100, np.int16), 1, (1, 1, 100)),
        ([0.0, 0.1], 1, (1, 1, 2)),
    ],
)
def test_to_batch_brings_all_shapes_to_one(given, channels, shape):
    batch = to_batch(given, 24000, 24000, channels)
    assert batch.shape == shape
    assert batch.dtype == torch.float32


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
def test_to_batch_scales_integers(kind):
    limits = np.iinfo(kind)
    low, middle = (0, 128) if kind is np.uint8 else (limits.min, 0)
    batch = to_batch(np.array([low, middle, limits.max], kind), 8000, 8000)
    assert batch.flatten().tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=0.01)


@pytest.mark.parametrize(
    ("kind", "scale"), [("int64", 2**15), ("int64", 2**23), ("int32", 2**15), ("int32", 2**31), (">i2", 2**15)]
)
def test_the_width_of_integers_is_told_by_their_kind_or_the_largest(kind, scale):
    sine = 0.5 * np.sin(np.arange(1000) / 9)
    found = to_batch((sine * scale).astype(kind), 24_000, 24_000)
    np.testing.assert_allclose(found[0, 0].numpy(), sine, atol=2 / 2**15)
    assert torch.equal(to_batch((sine * scale).astype(kind)[::-1], 24_000, 24_000), found.flip(-1))


def test_24_bits_in_the_upper_bytes_of_32_stay_as_quiet_as_they_are():
    quiet = (np.sin(np.arange(1000)) * 100).astype(np.int32) * 256
    assert float(to_batch(quiet, 24_000, 24_000).abs().max()) < 2**-16


@pytest.mark.parametrize("shape", [(48_000, 2), (100, 1)])
def test_samples_with_channels_last_are_refused(shape):
    with pytest.raises(AudioformerError, match=rf"{shape[0]} channels of {shape[1]} samples; samples come last.*\.T"):
        to_batch(np.zeros(shape), 48_000, 24_000)


@pytest.mark.parametrize("given", [np.array([0.1, None]), np.zeros(9, np.uint16), np.array(["a"])])
def test_what_holds_no_samples_is_refused(given):
    with pytest.raises(AudioformerError, match="give samples as int16 or float|expected samples as int16 or float"):
        to_batch(given, 48_000, 24_000)


def test_to_batch_resamples_and_knows_a_waveforms_rate():
    wav = Waveform(torch.from_numpy(tone(4410, 44100).T.copy()), 44100)
    assert to_batch(wav, None, 24000).shape == (1, 1, 2400)
    torch.testing.assert_close(to_batch(wav, 12345, 24000), to_batch(wav.samples, 44100, 24000))


@pytest.mark.parametrize(
    ("given", "rate", "message"),
    [
        (np.zeros(5), None, "sample_rate is missing"),
        (np.zeros((1, 1, 1, 5)), 24000, r"shape \(1, 1, 1, 5\)"),
        (np.float32(3), 24000, "expected"),
        (np.zeros(0), 24000, "0 samples"),
        (np.zeros((0, 5)), 24000, "0 samples"),
        (np.array([0.0, np.nan]), 24000, "NaN"),
        (np.array([True]), 24000, "True/False"),
        (np.array([1j]), 24000, "expected"),
        (np.zeros(5), 10, "must be a whole number"),
    ],
)
def test_to_batch_refuses(given, rate, message):
    with pytest.raises(AudioformerError, match=message):
        to_batch(given, rate, 24000)


def test_resample_keeps_length_rule_and_batch_shape():
    for n, source, target in [(1, 48000, 8000), (7, 8000, 24000), (1001, 44100, 24000)]:
        assert resample(torch.zeros(2, 3, n), source, target).shape == (2, 3, -(-n * target // source))
    same = torch.randn(2, 9)
    assert resample(same, 24000, 24000) is same


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(24000, 1024, 80), (8000, 512, 40), (44100, 2048, 128)])
def test_mel_filters_equal_librosas(rate, n_fft, n_mels):
    librosa = pytest.importorskip("librosa", reason="needs librosa: pip install 'audioformer[notebooks]'")
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_allclose(mel_filters(rate, n_fft, n_mels).numpy(), theirs, atol=1e-7)


@pytest.mark.slow
def test_log_mel_equals_librosas():
    librosa = pytest.importorskip("librosa", reason="needs librosa: pip install 'audioformer[notebooks]'")
    samples = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32) * 0.1
    ours = log_mel(torch.from_numpy(samples), 24000)
    options = {"sr": 24000, "n_fft": 1024, "hop_length": 320, "n_mels": 80, "power": 1.0, "pad_mode": "constant"}
    theirs = np.log(np.maximum(librosa.feature.melspectrogram(y=samples, **options), 1e-5))
    assert ours.shape == (2, 80, 1 + 5000 // 320)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-4)


@pytest.mark.parametrize(("ending", "tolerance"), [(".wav", 1e-4), (".flac", 1e-4), (".ogg", 0.05)])
def test_save_and_load_again(tmp_path, ending, tolerance):
    samples = torch.from_numpy(tone(channels=2).T.copy())
    path = tmp_path / "new folder" / f"a{ending}"
    save_audio(path, samples, 24000)
    wav = load_audio(path)
    assert wav.samples.shape == (2, 24000)
    assert float((wav.samples - samples).abs().max()) < tolerance
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_save_clips_and_refuses(tmp_path):
    save_audio(tmp_path / "a.wav", torch.tensor([3.0, -3.0, 0.0]), 8000)
    assert load_audio(tmp_path / "a.wav").samples[0].tolist() == pytest.approx([1, -1, 0], abs=1e-4)
    for name, samples, message in [
        ("a.mp3", torch.zeros(9), "cannot write .mp3"),
        ("a", torch.zeros(9), "name without ending"),
        ("b.wav", torch.zeros(0), "0 samples"),
        ("b.wav", torch.full((9,), torch.nan), "NaN"),
    ]:
        with pytest.raises(AudioformerError, match=message):
            save_audio(tmp_path / name, samples, 8000)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def fail_while_writing(path: Path, error: BaseException) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt(), AudioformerError("no")])
def test_atomic_path_leaves_the_old_file_on_failure(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)):
        fail_while_writing(path, error)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.txt": "old"}


def test_atomic_path_explains_what_the_disk_refused(tmp_path):
    with pytest.raises(AudioformerError, match=r"\(No space left on device\); free space or choose another folder"):
        fail_while_writing(tmp_path / "a.txt", OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(AudioformerError, match="cannot be written"):
        fail_while_writing(tmp_path / "file" / "a.txt", ValueError())


def test_atomic_path_replaces_and_is_readable_by_others(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.stat(path).st_mode & 0o777 == 0o644
