"""What is wrong with a sound file, and the bytes that libsndfile reads whole all the same.

Recorders lose power, downloads break off, programs join files end to end, and headers count wrong. `inspect` gives the
parts of a file: each is a stretch of it with corrected bytes before and after. Of a sound file that is in order it says
nothing, and the file is read as it is.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import replace
from pathlib import Path

from audioformer.errors import AudioformerError
from audioformer.reading.chunks import RIFFS, Riff, aiff, au, caf, flac, nist, sds, w64, wav
from audioformer.reading.files import AS_TEXT, after_id3, media_format, other_kind, was_text
from audioformer.reading.frames import mp3, ogg
from audioformer.reading.parts import CUT_SHORT, Inspection, Part

FEW_BYTES = 1 << 26  # a file that is walked from end to end is read in one piece up to this size
MOST_BEFORE = 1 << 12  # bytes before a sound that are no part of it
BEGINNING = re.compile(rb"(RIFF|RF64)....WAVE|fLaC\x00\x00\x00\x22|OggS\x00\x02", re.DOTALL)
LOOKS = {
    b"RIFF": wav,
    b"RIFX": wav,
    b"RF64": wav,
    b"FORM": aiff,
    b".snd": au,
    b"dns.": au,
    b"caff": caf,
    b"fLaC": flac,
    b"OggS": ogg,
    b"NIST": nist,
    b"riff": w64,
    b"\xf0\x7e": sds,
}


def inspect(path: Path) -> Inspection:
    """Look at a file from outside, without decoding anything.

    Raises:
        AudioformerError: its bytes were taken for text on their way.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if was_text(data):
                raise AudioformerError(f"{path.name}: {AS_TEXT}")
            return _look(data, after_id3(data))
    except AudioformerError:
        raise
    except (OSError, ValueError, IndexError, struct.error):  # libsndfile will say what it thinks of the file
        return Inspection()


def _look(data, at: int) -> Inspection:
    look = next((look for magic, look in LOOKS.items() if data[at : at + len(magic)] == magic), mp3)
    walked = look in (flac, ogg, mp3) and len(data) <= FEW_BYTES
    return look(data[:] if walked else data, at)


def rebuilt(path: Path) -> Inspection:
    """A second try with a file that libsndfile does not open.

    What stands before the sound is left out, as a server's or a disk's own bytes; of a WAV, chunks that it may stumble
    over. Any other is read without its name: beside "a.mp3" libsndfile looks for "._a.mp3", which Macs write on memory
    sticks, and reads that one.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        head, found = data[:1024], BEGINNING.search(data, 0, MOST_BEFORE)
        if found and found.start() and media_format(head) is None and other_kind(head) is None:
            at = found.start()
            seen = _look(data, at)
            note = f"{at} bytes before its sound were left out: they are no part of it"
            return replace(seen, parts=seen.parts or (Part(at, len(data)),), notes=(note, *seen.notes))
        wave = Riff(data) if data[:4] in RIFFS else None
        if wave is None or b"fmt " not in wave.chunks or wave.data is None:
            return Inspection((Part(0, len(data)),))
        start, stop, promised, _ = wave.sound()
        return Inspection((Part(start, stop, wave.header(stop - start)),), promised, cause=CUT_SHORT)
