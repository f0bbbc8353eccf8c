"""`audioformer encode` and `decode`: sound to a file of codes and back."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioformer.cli.console import Result, note_all
from audioformer.cli.options import add_codec, add_verb, at_least_one
from audioformer.errors import AudioformerError


def add_verbs(verbs) -> None:
    """Add `encode` and `decode`."""
    about = "Turn a sound file into codes (a .safetensors file)."
    encode = add_verb(verbs, "encode", run_encode, about, "audioformer encode dog.ogg -o dog.safetensors --codebooks 4")
    encode.add_argument("file", help="WAV, FLAC, Ogg or MP3")
    encode.add_argument("-o", "--output", required=True, metavar="OUT", help="file to write, ending in .safetensors")
    add_codec(encode)
    encode.add_argument(
        "--codebooks",
        type=at_least_one,
        metavar="K",
        help="codebook rows to keep, each a further bit rate (default all)",
    )
    about = "Turn a file of codes back into sound; the codec is the one that made them."
    decode = add_verb(verbs, "decode", run_decode, about, "audioformer decode dog.safetensors -o dog.wav --codebooks 2")
    decode.add_argument("file", help="a file made by `audioformer encode`")
    decode.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="sound file to write, ending in .wav, .flac or .ogg"
    )
    add_codec(decode, default=None, why="; needed if it is one of your own (default: the codec named in the file)")
    decode.add_argument("--codebooks", type=at_least_one, metavar="K", help="use only the first K rows (default all)")


def run_encode(arguments: argparse.Namespace) -> Result:
    """Sound file to codes file."""
    from audioformer.audio import load_audio, quietness
    from audioformer.codecs import load_codec
    from audioformer.codecs.codes_file import save_codes

    if Path(arguments.output).suffix != ".safetensors":
        raise AudioformerError(f"{arguments.output}: codes are written to a .safetensors file; end the name in that")
    codec = load_codec(arguments.codec, weights=arguments.weights)
    rows = codec.check_rows(arguments.codebooks)
    waveform = load_audio(arguments.file, codec.sample_rate, mono=codec.channels == 1)
    notes = [*waveform.notes, *filter(None, [quietness(waveform.level_db)])]
    note_all(arguments.file, notes)
    codes, scales = codec.encode_scaled(waveform, n_codebooks=rows)
    save_codes(arguments.output, codes, codec, waveform.samples.shape[-1], scales)
    document = {
        "file": arguments.file,
        "output": arguments.output,
        "codec": codec.name,
        "fingerprint": codec.fingerprint,
        "n_codebooks": rows,
        "n_frames": codes.shape[2],
        "frame_rate": codec.frame_rate,
        "codebook_size": codec.codebook_size,
        "duration_s": round(waveform.duration_s, 4),
        "notes": notes,
        "bandwidth_kbps": codec.bandwidth_kbps(rows),
    }
    text = (
        f"{arguments.output}: {rows} rows x {codes.shape[2]} frames, {waveform.duration_s:.2f} s, "
        f"{document['bandwidth_kbps']:g} kbit/s, codec {codec.name}"
    )
    return Result(document, text)


def run_decode(arguments: argparse.Namespace) -> Result:
    """Codes file to sound file."""
    from audioformer.audio import MAX_DURATION_S, save_audio
    from audioformer.codec import require_fingerprint
    from audioformer.codecs import load_codec
    from audioformer.codecs.codes_file import load_codes

    file = load_codes(arguments.file)
    codec = load_codec(arguments.codec or file.codec, weights=arguments.weights)
    require_fingerprint(codec, file.fingerprint, f"{Path(arguments.file).name} (codec {file.codec!r:.60})")
    rows = arguments.codebooks or file.codes.shape[1]
    if rows > file.codes.shape[1]:
        raise AudioformerError(
            f"--codebooks {rows}: {Path(arguments.file).name} holds {file.codes.shape[1]}; choose 1 to that"
        )
    name, (n_clips, _, n_frames) = Path(arguments.file).name, file.codes.shape
    if n_clips > 1:
        raise AudioformerError(f"{name}: holds {n_clips} clips, and this writes one; in Python decode takes all")
    longest = n_frames * codec.hop_length  # samples; segments of EnCodec at 48 kHz overlap by 1 %
    if not 0.98 * longest - codec.hop_length <= file.n_samples <= longest:
        raise AudioformerError(
            f"{name}: {n_frames} frames do not last n_samples={file.n_samples} samples; encode the sound again"
        )
    if file.n_samples > MAX_DURATION_S * codec.sample_rate:
        raise AudioformerError(
            f"{name}: {file.n_samples / codec.sample_rate:.0f} s is longer than the {MAX_DURATION_S:.0f} s that are "
            "decoded; cut the sound first"
        )
    samples = codec.decode(file.codes[:, :rows], file.n_samples, file.scales)[0]
    save_audio(arguments.output, samples, codec.sample_rate)
    duration_s = samples.shape[-1] / codec.sample_rate
    document = {
        "file": arguments.file,
        "output": arguments.output,
        "codec": codec.name,
        "n_codebooks": rows,
        "sample_rate": codec.sample_rate,
        "duration_s": round(duration_s, 4),
    }
    text = f"{arguments.output}: {duration_s:.2f} s at {codec.sample_rate} Hz from {rows} rows, codec {codec.name}"
    return Result(document, text)
