"""What every codec promises: checked arguments, files of codes, one name for one meaning of codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import RATE, tiny_codec

from audioformer.audio import Waveform
from audioformer.cli import main
from audioformer.codec import require_fingerprint
from audioformer.codecs import load_codec
from audioformer.codecs.codes_file import load_codes, save_codes
from audioformer.codecs.compact_files import save_compact
from audioformer.errors import AudioformerError


@pytest.fixture(scope="module")
def codec():
    return tiny_codec()


@pytest.mark.parametrize(
    ("waveform", "rate"),
    [
        (np.zeros(2400, np.int16), 8000),
        (np.zeros((2, 4410), np.float32), 44_100),
        (torch.zeros(3, 1, 2400), RATE),
        (torch.zeros(6, 4800), 48_000),
        (np.zeros(19_200, np.float64), 192_000),
    ],
)
def test_any_rate_type_and_number_of_channels_gives_codes(codec, waveform, rate):
    codes = codec.encode(waveform, rate)
    seconds = waveform.shape[-1] / rate
    batch = waveform.shape[0] if waveform.ndim == 3 else 1
    assert codes.shape == (batch, 3, int(np.ceil(seconds * RATE / 320)))
    assert codes.dtype == torch.int64
    assert codes.min() >= 0
    assert codes.max() < codec.codebook_size


def test_a_waveform_brings_its_own_rate(codec):
    sound = Waveform(torch.randn(1, 4000) * 0.1, 8000)
    assert torch.equal(codec.encode(sound), codec.encode(sound.samples, 8000))


@pytest.mark.parametrize("wanted", [0, 4, -1])
def test_rows_that_do_not_exist_are_refused(codec, wanted):
    with pytest.raises(AudioformerError, match=f"n_codebooks={wanted}: tiny has 1 to 3"):
        codec.encode(torch.zeros(2400), RATE, n_codebooks=wanted)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (torch.zeros(0), RATE, "0 samples"),
        (torch.tensor([0.0, float("nan")]), RATE, "NaN or infinite"),
        (torch.tensor([0.0, float("-inf")]), RATE, "NaN or infinite"),
        (torch.zeros(100), None, "sample_rate is missing"),
        (torch.zeros(100), 100, "sample_rate=100"),
        (torch.zeros(1, 1, 1, 100), RATE, "expected"),
        (torch.zeros(100, dtype=torch.complex64), RATE, "real samples"),
        (torch.zeros(100, dtype=torch.bool), RATE, "True/False"),
    ],
)
def test_unusable_sound_is_refused(codec, samples, rate, message):
    with pytest.raises(AudioformerError, match=message):
        codec.encode(samples, rate)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.zeros(1, 4, 5, dtype=torch.long), "1 to 3"),
        (torch.zeros(5, dtype=torch.long), "expected integers"),
        (torch.zeros(1, 3, 5), "expected integers"),
        (torch.zeros(1, 3, 5, dtype=torch.complex64), "expected integers"),
        (torch.zeros(1, 3, 0, dtype=torch.long), "T >= 1"),
        (torch.full((1, 3, 5), 16), "entries 0..15"),
        (torch.full((1, 3, 5), -1), "-1..-1"),
    ],
)
def test_unusable_codes_are_refused(codec, codes, message):
    with pytest.raises(AudioformerError, match=message):
        codec.decode(codes)


def test_codes_of_one_clip_need_no_batch_axis(codec):
    codes = torch.randint(16, (3, 5))
    assert torch.equal(codec.decode(codes), codec.decode(codes[None]))


def test_a_file_of_codes_comes_back_as_it_was(codec, tmp_path):
    codes = codec.encode(torch.randn(5000) * 0.1, RATE)
    save_codes(tmp_path / "new" / "my codes é.safetensors", codes, codec, 5000)
    back = load_codes(tmp_path / "new" / "my codes é.safetensors")
    assert torch.equal(back.codes, codes)
    assert (back.codec, back.fingerprint, back.n_samples) == ("tiny", codec.fingerprint, 5000)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["my codes é.safetensors"]


def codes_file(path, codes, n_samples="5", file_format="audioformer-codes-1", **more):
    """A file of codes as somebody else may write it."""
    metadata = {"codec": "tiny", "fingerprint": "0", "n_samples": n_samples, "format": file_format}
    save_file({"codes": codes, **more}, str(path), metadata)
    return path


ONE = torch.zeros(1, 3, 5, dtype=torch.int32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"codes": torch.zeros((), dtype=torch.int32)}, r"shape \(\), I32; expected integers \(clips, rows, frames\)"),
        ({"codes": ONE[0]}, r"shape \(3, 5\)"),
        ({"codes": ONE[..., :0]}, r"shape \(1, 3, 0\)"),
        ({"codes": ONE.float()}, "F32; expected integers"),
        ({"codes": ONE.to(torch.complex64)}, "not a file of codes"),
        (
            {"codes": torch.zeros(1, 65, 1, dtype=torch.int8)},
            "65 rows and 1 frames; at most 64 rows, and 1100000 frames in all",
        ),
        ({"codes": torch.zeros(100_000, 1, 12, dtype=torch.int8)}, "100000 clips"),
        ({"codes": ONE, "n_samples": "-4"}, "n_samples=-4 must be 1 to"),
        ({"codes": ONE, "n_samples": "9" * 30}, "n_samples=9* must be 1 to"),
        ({"codes": ONE, "n_samples": "1.5"}, "not a file of codes"),
        ({"codes": ONE, "file_format": "audioformer-codes-9"}, "format 'audioformer-codes-9', not"),
        ({"codes": ONE, "scales": torch.tensor([[float("nan")]])}, "scales are not numbers above 0"),
        ({"codes": ONE, "scales": torch.ones(())}, "scales are not numbers above 0"),
    ],
)
def test_a_file_of_codes_that_promises_nonsense_is_refused(tmp_path, content, message):
    with pytest.raises(AudioformerError, match=message):
        load_codes(codes_file(tmp_path / "codes.safetensors", **content))


@pytest.mark.parametrize("damage", ["empty", "cut", "other tensors", "missing"])
def test_what_is_no_file_of_codes_is_refused(codec, tmp_path, damage):
    path = tmp_path / "codes.safetensors"
    save_codes(path, ONE, codec, 9)
    if damage == "missing":
        path.unlink()
    elif damage == "other tensors":
        save_file({"weights": torch.zeros(2)}, str(path))
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else b"")
    with pytest.raises(AudioformerError, match="no such file" if damage == "missing" else "not a file of codes"):
        load_codes(path)


def test_decode_writes_one_clip_and_no_more_than_two_hours(tmp_path, capsys):
    save_compact(codec := tiny_codec(), tmp_path / "codec")
    long, path = ONE[:, :1, :1].repeat(1, 1, 560_000), str(tmp_path / "codes.safetensors")
    for codes, n_samples, message in (
        (ONE.repeat(2, 1, 1), 1600, "holds 2 clips"),
        (long, 320 * 560_000, "7467 s is longer than the 7200 s"),
        (long, 5, "560000 frames do not last n_samples=5 samples"),
    ):
        save_codes(path, codes, codec, n_samples)
        assert main(["decode", path, "-o", str(tmp_path / "a.wav"), "--codec", str(tmp_path / "codec")]) == 2
        assert message in capsys.readouterr().err


def test_a_fingerprint_is_computed_once_and_again_when_the_codebooks_change():
    codec = tiny_codec(seed=3)
    first = codec.fingerprint
    assert codec.fingerprint is first
    codec.rvq.codebooks.mul_(2)
    assert codec.fingerprint != first


def test_fingerprints_tell_codecs_apart(codec):
    other = tiny_codec(seed=1, name="other")
    assert codec.fingerprint == tiny_codec().fingerprint != other.fingerprint
    require_fingerprint(codec, codec.fingerprint, "this")
    with pytest.raises(
        AudioformerError, match=f"the model belongs to a codec with fingerprint '{other.fingerprint}', but tiny has"
    ):
        require_fingerprint(codec, other.fingerprint, "the model")


def test_save_and_load_keep_codes_sound_and_fingerprint(codec, tmp_path):
    save_compact(codec, tmp_path / "c", {"training": {"n_steps": 0}})
    back = load_codec(tmp_path / "c")
    sound = torch.randn(9000) * 0.1
    assert back.fingerprint == codec.fingerprint
    assert back.name == "tiny"
    assert not back.training
    codes = back.encode(sound, RATE)
    assert (codes == codec.encode(sound, RATE)).float().mean() > 0.95  # the encoder is stored in 16 bits
    again = load_codec(str(tmp_path / "c"))
    assert torch.equal(again.encode(sound, RATE), codes)
    assert torch.equal(again.decode(codes), back.decode(codes))


def test_a_folder_with_a_bundled_name_does_not_hide_the_bundled_codec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_compact(tiny_codec(), "compact")
    assert load_codec("compact").n_codebooks == 8
    assert load_codec("./compact").name == load_codec(Path("compact")).name == "tiny"
    save_compact(tiny_codec(), "encodec_mine")
    assert load_codec("encodec_mine").name == "tiny"


def test_unknown_codecs_are_refused_by_name():
    with pytest.raises(AudioformerError, match="codec 'ogg' is not known; use one of .*encodec_24khz"):
        load_codec("ogg")
    with pytest.raises(AudioformerError, match="device='warp' cannot be used .* try cpu"):
        load_codec("compact", device="warp")


def change(folder, **changes) -> None:
    """Other entries in config.json; those of a codec's sizes begin with `config_`."""
    about = json.loads((folder / "config.json").read_text())
    sizes = {name.removeprefix("config_"): value for name, value in changes.items() if name.startswith("config_")}
    about |= {name: value for name, value in changes.items() if not name.startswith("config_")}
    about["config"] = about["config"] | sizes if isinstance(about["config"], dict) else about["config"]
    (folder / "config.json").write_text(json.dumps(about))


def change_weights(folder, name: str, new) -> None:
    """Another tensor in place of one."""
    state = load_file(str(folder / "model.safetensors"))
    save_file(state | {name: new(state[name])}, str(folder / "model.safetensors"))


DAMAGE = {
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "truncated weights": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-100]),
    "pickle": lambda f: torch.save({"a": 1}, f / "model.safetensors"),
    "header of a gigabyte": lambda f: (f / "model.safetensors").write_bytes((1 << 30).to_bytes(8, "little") + b"{}"),
    "config is a list": lambda f: (f / "config.json").write_text("[]"),
    "config is nested": lambda f: (f / "config.json").write_text("[" * 100_000),
    "config is no text": lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"),
    "config is cut": lambda f: (f / "config.json").write_text((f / "config.json").read_text()[:30]),
    "unknown size": lambda f: change(f, config_n_wheels=4),
    "sizes are a word": lambda f: change(f, config="large"),
    "other sizes": lambda f: change(f, config_d_latent=9),
    "a billion blocks": lambda f: change(f, config_n_encoder_blocks=10**9),
    "more blocks than weights": lambda f: change(f, config_n_decoder_blocks=60),
    "a width of a million": lambda f: change(f, config_d_decoder=10**6),
    "a width that is a word": lambda f: change(f, config_d_encoder="32"),
    "a negative kernel": lambda f: change(f, config_kernel=-7),
    "a look-ahead beyond the kernel": lambda f: change(f, config_decoder_look_ahead=7),
    "a name that is a number": lambda f: change(f, name=5),
    "a fingerprint that is a list": lambda f: change(f, fingerprint=[1]),
    "other codebooks": lambda f: change_weights(f, "rvq.codebooks", lambda w: w + 1),
    "NaN": lambda f: change_weights(f, "leave.weight", lambda w: w * float("nan")),
    "integers": lambda f: change_weights(f, "leave.weight", lambda w: w.to(torch.int8)),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_codec_folder_is_refused_by_name(tmp_path, what):
    save_compact(tiny_codec(), tmp_path / "broken")
    DAMAGE[what](tmp_path / "broken")
    with pytest.raises(AudioformerError, match="broken: .*(damaged codec|fingerprint)"):
        load_codec(tmp_path / "broken")


def test_a_folder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(AudioformerError, match="is not known"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text('{"kind": "classifier"}')
    with pytest.raises(AudioformerError, match="'classifier', not a codec"):
        load_codec(tmp_path)


def test_a_half_written_codec_never_replaces_a_whole_one(codec, tmp_path, monkeypatch):
    save_compact(codec, tmp_path / "c")
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    monkeypatch.setattr("safetensors.torch.save_file", _disk_full)
    with pytest.raises(AudioformerError, match="cannot be written .No space left"):
        save_compact(tiny_codec(seed=1), tmp_path / "c")
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == before


def _disk_full(_tensors, path, **_):
    with open(path, "wb") as file:
        file.write(b"half")
    raise OSError(28, "No space left on device")
