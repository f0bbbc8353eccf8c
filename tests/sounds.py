"""Sound files as people bring them, made small: every format, and every way in which one is found damaged."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile

from audioformer.reading.frames import mpeg_frame, ogg_checksum


def tone(n: int = 48_000, rate: int = 48_000, channels: int = 1, hz: float = 440.0) -> np.ndarray:
    """(n, channels) float32, half of full scale."""
    return np.repeat((0.5 * np.sin(2 * np.pi * hz * np.arange(n) / rate))[:, None], channels, 1).astype(np.float32)


def coded(
    samples: np.ndarray | None = None, rate: int = 48_000, form: str = "WAV", subtype: str | None = None, **more
) -> bytes:
    """A sound file in memory."""
    stream = io.BytesIO()
    soundfile.write(stream, tone() if samples is None else samples, rate, format=form, subtype=subtype, **more)
    return stream.getvalue()


def patched(content: bytes, place: int, new: bytes) -> bytes:
    """Other bytes at a place."""
    return content[:place] + new + content[place + len(new) :]


def with_data_size(wav: bytes, size: int, riff: int | None = None) -> bytes:
    """A WAV whose header says another size of the sound, and of the file."""
    wav = patched(wav, wav.index(b"data") + 4, struct.pack("<I", size))
    return wav if riff is None else patched(wav, 4, struct.pack("<I", riff))


def with_chunk(wav: bytes, name: bytes, body: bytes, pad: bool = True) -> bytes:
    """A WAV with one more chunk before its sound, padded to an even size or not."""
    at = wav.index(b"data")
    chunk = name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2 if pad else 0)
    return wav[:at] + chunk + wav[at:]


def with_data_in_two(wav: bytes) -> bytes:
    """A WAV whose sound stands in two chunks, with a comment between them."""
    at = wav.index(b"data")
    sound = wav[at + 8 :]
    middle = len(sound) // 4 * 2
    first, second = (b"data" + struct.pack("<I", len(part)) + part for part in (sound[:middle], sound[middle:]))
    content = wav[8:at] + first + b"LIST" + struct.pack("<I", 4) + b"INFO" + second
    return b"RIFF" + struct.pack("<I", len(content)) + content


def with_ds64(rf64: bytes, size: int) -> bytes:
    """An RF64 whose header says another size of the sound."""
    return patched(rf64, rf64.index(b"ds64") + 16, struct.pack("<Q", size))


def with_count(flac: bytes, n: int) -> bytes:
    """A FLAC whose header counts other samples."""
    value = int.from_bytes(flac[18:26], "big") >> 36 << 36 | n
    return patched(flac, 18, value.to_bytes(8, "big"))


def with_two_tracks(first: bytes, second: bytes) -> bytes:
    """Two Ogg files of equal length page by page in one, as a film with two languages."""
    others = [patched(page, 14, b"next") for page in pages(second)]
    both = zip(pages(first), (patched(page, 22, ogg_checksum(page)) for page in others), strict=True)
    return b"".join(page for pair in both for page in pair)


def without_length(flac: bytes) -> bytes:
    """A FLAC written into a pipe: its header does not say how long it is."""
    return with_count(flac, 0)


def without_counting_frame(mp3: bytes) -> bytes:
    """An MP3 as a program writes that cannot go back to its beginning."""
    return mp3[mpeg_frame(mp3[1], mp3[2])[0] :]


def pages(ogg: bytes) -> list[bytes]:
    """The pages of an Ogg file."""
    found, at = [], 0
    while at < len(ogg):
        n_segments = ogg[at + 26]
        end = at + 27 + n_segments + sum(ogg[at + 27 : at + 27 + n_segments])
        found.append(ogg[at:end])
        at = end
    return found


def without_end_mark(ogg: bytes) -> bytes:
    """An Ogg file without its last page's mark, as a recorded radio stream."""
    *first, last = pages(ogg)
    last = patched(last, 5, bytes([last[5] & ~4]))
    return b"".join(first) + patched(last, 22, ogg_checksum(last))


def slow_ogg_checksum(page: bytes) -> int:
    """Bit by bit, as the Ogg specification writes it."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
