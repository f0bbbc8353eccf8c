"""Headers that count their own sound, and count it wrong: WAV, AIFF, AU, CAF, NIST and FLAC.

Each function looks at the bytes of a file from the place on where its format begins, and gives an `Inspection`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from audioformer.reading.frames import last_sample, mp3
from audioformer.reading.parts import CUT_SHORT, UNKNOWN, Inspection, Part

MOST_CHUNKS, MOST_PADDING = 10_000, 1 << 16  # of one file; bytes of zeros at its end
RIFFS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
AFTER_SOUND = tuple(
    name.encode().ljust(4)
    for name in (
        "LIST id3 ID3 bext iXML fact cue smpl PEAK JUNK junk PAD inst afsp DISP _PMX axml chna note labl plst acid "
        "strc LGWV cart ResU FLLR umid minf elm1 regn SAUR aXML Cr8r mext levl"
    ).split()
)  # chunks that may stand behind the sound


class Riff:
    """Chunks of a WAV; `data` is (first byte of the sound, size that its header says)."""

    def __init__(self, data, at: int = 0):
        self.bytes, self.chunks, self.data, self.unpadded = data, {}, None, False
        self.order = ">" if data[at : at + 4] == b"RIFX" else "<"
        self.riff_end = at + 8 + self._size(at + 4)
        at += 12
        for _ in range(MOST_CHUNKS):
            name, size = bytes(data[at : at + 4]), self._size(at + 4) if at + 8 <= len(data) else 0
            if at + 8 > len(data):
                break
            if name == b"data":
                if size == UNKNOWN and b"ds64" in self.chunks:
                    size = int.from_bytes(self.chunks[b"ds64"][8:16], "little")
                    size = UNKNOWN if size >> 63 else size
                self.data = (at + 8, size)
                break
            self.chunks.setdefault(name, bytes(data[at + 8 : at + 8 + min(size, 1 << 16)]))
            at += 8 + size
            if size % 2:
                padded, unpadded = bytes(data[at + 1 : at + 5]), bytes(data[at : at + 4])
                known = (b"data", b"fmt ", *AFTER_SOUND)
                self.unpadded |= (skip := unpadded in known and padded not in known)
                at += not skip

    def _size(self, at: int) -> int:
        return int.from_bytes(self.bytes[at : at + 4], "big" if self.order == ">" else "little")

    @property
    def holds_mp3(self) -> bool:
        """Whether its sound is an MP3, which knows its own length."""
        return self.chunks.get(b"fmt ", b"")[:2] == struct.pack(self.order + "H", 0x55)

    @property
    def per_block(self) -> tuple[int, int]:
        """(bytes, samples a channel) of one block of sound; (0, 0) where they cannot be told from outside."""
        form = self.chunks.get(b"fmt ", b"").ljust(40, b"\0")
        tag, channels, _, _, align, bits, _, samples = struct.unpack(self.order + "HHIIHHHH", form[:20])
        tag = struct.unpack(self.order + "H", form[24:26])[0] if tag == 0xFFFE else tag
        if tag in (1, 3, 6, 7):
            return max(align, channels * -(-bits // 8)), 1
        return (align, samples) if tag in (2, 17, 49) else (0, 0)

    def sound(self) -> tuple[int, int, int | None, str]:
        """(first byte, byte after the last, samples promised or None, what is to be said or "")."""
        start, size = self.data
        there = len(self.bytes) - start
        align, samples = self.per_block

        def count(n_bytes: int) -> int | None:
            return n_bytes // align * samples if align else None

        if size in (0, UNKNOWN) or (size > there and UNKNOWN - 4096 <= size < UNKNOWN):
            stop = self._before_trailer(start)
            note = "" if size or not there else "its header says that there is no sound; all that is there was read"
            return start, stop, count(stop - start), note
        if size >= there:
            return start, len(self.bytes), count(size), ""
        end = start + size
        follows = bytes(self.bytes[end + size % 2 : end + size % 2 + 4])
        if self._is_trailer(end, end + size % 2) or follows in RIFFS:
            return start, end, count(size), ""
        stop = self._before_trailer(end)
        if abs(self.riff_end - end) <= 1 and stop - end < size:  # the header agrees with itself
            return (
                start,
                end,
                count(size),
                f"{stop - end} bytes behind its sound were not read: they are no part of a WAV",
            )
        note = f"its header counts {count(size) or size} of the samples; all that is there was read"
        return start, stop, count(stop - start), note

    def _is_trailer(self, *places: int) -> bool:
        """Whether nothing but further chunks, tags or a little padding follows."""
        for at in places:
            for _ in range(MOST_CHUNKS):
                rest = bytes(self.bytes[at : at + 8])
                if len(rest) < 8 or rest[:3] in (b"TAG", b"ID3") or rest == b"APETAGEX":
                    return True
                if len(self.bytes) - at <= MOST_PADDING and not bytes(self.bytes[at:]).strip(b"\0"):
                    return True
                size = self._size(at + 4)
                if not all(32 <= byte < 127 for byte in rest[:4]) or (
                    at + 8 + size > len(self.bytes) and rest[:4] not in AFTER_SOUND
                ):
                    break
                at += (
                    8 + size + (size % 2 if self.bytes[at + 8 + size : at + 9 + size] == b"\0" or size % 2 == 0 else 0)
                )
        return False

    def go_on(self, at: int) -> bool:
        """Whether a further chunk of sound stands among those from `at` on; it takes the place of the one before."""
        for _ in range(MOST_CHUNKS):
            name, size = bytes(self.bytes[at : at + 4]), self._size(at + 4)
            if name == b"data" and size and at + 8 < len(self.bytes):
                self.data = (at + 8, size)
                return True
            if name not in AFTER_SOUND:
                return False
            at += 8 + size + size % 2
        return False

    def _before_trailer(self, start: int) -> int:
        """End of the sound where its size is not known: before chunks that reach to the very end of the file."""
        first = max(start, len(self.bytes) - (1 << 20))
        last = bytes(self.bytes[first:])
        for name in (b"LIST", b"id3 ", b"bext", b"iXML"):
            at = last.rfind(name)
            if at >= 0 and abs(at + 8 + self._size(first + at + 4) - len(last)) <= 1:
                return first + at
        return len(self.bytes)

    def header(self, n_bytes: int) -> bytes:
        """A header for so many bytes of sound, with nothing in it that could be wrong."""
        order = self.order
        keep = [(name, self.chunks[name]) for name in (b"fmt ", b"fact") if name in self.chunks]
        chunks = b"".join(
            name + struct.pack(order + "I", len(body)) + body + b"\0" * (len(body) % 2) for name, body in keep
        )
        if n_bytes < UNKNOWN - 4096:
            riff = b"RIFX" if order == ">" else b"RIFF"
            total = struct.pack(order + "I", 4 + len(chunks) + 8 + n_bytes)
            return riff + total + b"WAVE" + chunks + b"data" + struct.pack(order + "I", n_bytes)
        align, samples = self.per_block
        sizes = struct.pack("<QQQI", 4 + 36 + len(chunks) + 8 + n_bytes, n_bytes, n_bytes // (align or 1) * samples, 0)
        unknown = struct.pack("<I", UNKNOWN)
        return b"RF64" + unknown + b"WAVEds64" + struct.pack("<I", 28) + sizes + chunks + b"data" + unknown


def wav(data, at: int) -> Inspection:
    """RIFF, RIFX and RF64, one or several joined."""
    parts, notes, promised, plain, wave = [], [], 0, at == 0, Riff(data, at)
    while True:
        if b"fmt " not in wave.chunks or wave.data is None:
            return Inspection()
        plain &= not (wave.data[1] == 0 and wave.go_on(wave.data[0]))  # an empty chunk, and the sound in another one
        start, stop, count, note = wave.sound()
        if wave.holds_mp3 and not parts:
            inside = mp3(data[:stop], start)
            return inside if inside.parts else replace(inside, parts=(Part(start, stop),))
        size = wave.data[1]
        if not parts and size not in (0, UNKNOWN) and count is None and size > stop - start:
            return Inspection(share=(stop - start) / size, cause=CUT_SHORT)
        promised = None if count is None or promised is None else promised + count
        wrapped = stop - start >= UNKNOWN and b"ds64" not in wave.chunks
        plain = plain and not (note or wave.unpadded or wrapped or bytes(data[:4]) == b"BW64")
        notes += [note] if note else []
        parts.append(Part(start, stop, wave.header(stop - start)))
        at = next((place for place in (stop, stop + 1) if data[place : place + 4] in RIFFS), 0)
        if at and data[at + 8 : at + 12] == b"WAVE":
            wave = Riff(data, at)
        elif not wave.go_on(stop + size % 2):
            return Inspection(() if plain else tuple(parts), promised, notes=tuple(notes), cause=CUT_SHORT)
        plain = False


AIFF_PLAIN = (b"NONE", b"sowt", b"twos", b"raw ", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")


def aiff(data, at: int) -> Inspection:
    """AIFF: COMM counts the samples and SSND holds them; a recorder that died left both at 0."""
    comm, at = None, at + 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(data):
            return Inspection()
        name, size = data[at : at + 4], struct.unpack(">I", data[at + 4 : at + 8])[0]
        if name == b"COMM":
            comm = at + 8
        if name == b"SSND":
            break
        at += 8 + size + size % 2
    if comm is None or name != b"SSND":
        return Inspection()
    channels, count, bits = struct.unpack(">HIH", data[comm : comm + 8])
    compressed = data[8:12] == b"AIFC" and data[comm + 18 : comm + 22] not in AIFF_PLAIN
    if compressed:
        there = len(data) - at - 16
        if data[comm + 18 : comm + 22].lower() in (b"ulaw", b"alaw"):
            return Inspection(promised=count, cause=CUT_SHORT)
        return Inspection(share=max(there, 0) / (size - 8), cause=CUT_SHORT) if size - 8 > there else Inspection()
    align, offset = channels * -(-bits // 8), struct.unpack(">I", data[at + 8 : at + 12])[0]
    start = at + 16 + offset
    there = max(0, len(data) - start) // max(1, align)
    if size > 8 and 0 < count and count * align <= size:
        return Inspection(promised=count, cause=CUT_SHORT)
    head = bytearray(data[: at + 8]) + bytes(8)
    head[comm + 2 : comm + 6], head[at + 4 : at + 8] = (struct.pack(">I", n) for n in (there, 8 + there * align))
    head[4:8] = struct.pack(">I", len(data) - 8)
    counted = min(count, max(0, size - 8) // max(1, align))
    notes = (f"its header counts {counted} of the samples; all that is there was read",) * (counted < there)
    return Inspection(
        (Part(start, start + there * align, bytes(head)),), max(count, there), notes=notes, cause=CUT_SHORT
    )


AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # bytes of a sample, by the number of its coding


def au(data, at: int) -> Inspection:
    """Sun's sound: all that stands behind its header."""
    order = ">" if data[at : at + 4] == b".snd" else "<"
    offset, size = struct.unpack(order + "2I", data[at + 4 : at + 12])
    there = len(data) - offset
    if size == UNKNOWN or not 24 <= offset < len(data):
        return Inspection()
    if size >= there:
        encoding, _, channels = struct.unpack(order + "3I", data[at + 12 : at + 24])
        width = AU_BYTES.get(encoding, 0) * channels
        if width:
            return Inspection(promised=size // width, cause=CUT_SHORT)
        return Inspection(share=there / size if size else 1.0, cause=CUT_SHORT)
    head = bytes(data[:8]) + struct.pack(order + "I", UNKNOWN) + bytes(data[12:offset])
    notes = (f"its header counts {size} of {there} bytes of sound; all were read",)
    return Inspection((Part(offset, len(data), head),), notes=notes)


def caf(data, at: int) -> Inspection:
    """Apple's chunks, with sizes of 64 bits."""
    first, at, packet = at, at + 8, (0, 0)
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data):
            break
        name, size = data[at : at + 4], struct.unpack(">q", data[at + 4 : at + 12])[0]
        if name == b"desc":
            packet = struct.unpack(">II", data[at + 28 : at + 36])  # bytes, samples a channel
        if name == b"data":
            there, follows = len(data) - at - 12, bytes(data[at + 12 + size : at + 16 + size])
            if size in (-1, there) or 0 < there - size < 12 or (0 < size < there and follows.isalpha()):
                return Inspection()
            head = bytes(data[first : at + 4]) + struct.pack(">q", there)
            part, count = Part(at + 12, len(data), head), (max(size, there) - 4) // (packet[0] or 1) * packet[1]
            if size < there:
                note = f"its header counts {size} of {there} bytes of sound; all were read"
                return Inspection((part,), notes=(note,), cause=CUT_SHORT)
            share = 1.0 if packet[0] or there <= 4 else (there - 4) / (size - 4)  # the first four count edits
            return Inspection((part,), count if packet[0] else None, share, cause=CUT_SHORT)
        at += 12 + max(0, size)
    return Inspection()


def w64(data, at: int) -> Inspection:
    """Sony's chunks: names of 16 bytes, sizes of 64 bits that count their own 24."""
    at, form = at + 40, (0, 0)
    for _ in range(MOST_CHUNKS):
        if at + 24 > len(data):
            break
        name, size = data[at : at + 4], struct.unpack("<Q", data[at + 16 : at + 24])[0]
        if name == b"fmt ":
            form = struct.unpack("<H10xH", data[at + 24 : at + 38])
        if name == b"data" and size > 24:
            there = len(data) - at - 24
            if form[0] in (1, 3, 6, 7, 0xFFFE) and form[1]:
                return Inspection(promised=(size - 24) // form[1], cause=CUT_SHORT)
            return Inspection(share=min(1.0, there / (size - 24)), cause=CUT_SHORT)
        at += max(24, size + -size % 8)
    return Inspection()


def nist(data, _: int) -> Inspection:
    """A text of 1024 bytes that counts the samples."""
    count = re.search(rb"sample_count -i (\d+)", data[:1024])
    return Inspection(promised=int(count[1]), cause=CUT_SHORT) if count else Inspection()


SDS_HEAD, SDS_BLOCK = 21, 127  # bytes; of a block, 120 are sound


def sds(data, at: int) -> Inspection:
    """MIDI's sample dump: blocks between marks. libsndfile prints on standard output what it thinks of damage."""
    head, begin = bytes(data[at : at + SDS_HEAD]), at + SDS_HEAD
    count, per_block = sum(byte << 7 * place for place, byte in enumerate(head[10:13])), 120 // max(2, -(-head[6] // 7))
    at, runs = begin, []
    while 0 <= at <= len(data) - SDS_BLOCK:
        if data[at : at + 2] == b"\xf0\x7e" and data[at + SDS_BLOCK - 1] == 0xF7:
            if not runs or runs[-1][1] != at:
                runs.append([at, at])
            at = runs[-1][1] = at + SDS_BLOCK
        else:
            at = data.find(b"\xf0\x7e", at + 1)
    lengths = [(stop - start) // SDS_BLOCK * per_block for start, stop in runs]
    if not runs:
        return Inspection((Part(0, 0),))  # nothing of it is sound
    if len(runs) == 1 and runs[0][0] == begin and 0 <= lengths[0] - count < per_block:
        return Inspection()
    parts = tuple(
        Part(start, stop, head[:10] + bytes(n >> 7 * place & 127 for place in range(3)) + head[13:])
        for (start, stop), n in zip(runs, lengths, strict=True)
    )
    notes, promised = (), -(-count // per_block) * per_block
    if sum(lengths) > promised:
        notes = (f"its header counts {count} of the samples; all that is there was read",)
    cause = CUT_SHORT if len(runs) == 1 and len(data) - runs[0][1] < SDS_BLOCK else Inspection.cause
    return Inspection(parts, max(promised, sum(lengths)), notes=notes, cause=cause)


def flac(data, at: int) -> Inspection:
    """FLAC files joined end to end, each with its own count of samples (0: written into a pipe)."""
    starts, total, parts, notes = [at], 0, [], ()
    while (found := data.find(b"fLaC\0\0\0\x22", starts[-1] + 4)) > 0:  # not by chance: STREAMINFO follows
        starts.append(found)
    for start, stop in zip(starts, [*starts[1:], len(data)], strict=True):
        count = int.from_bytes(data[start + 21 : start + 26], "big") & (1 << 36) - 1
        total = total + count if count and total is not None else None
        head, there = b"", last_sample(data, start, stop)
        if 0 < count < there:  # the decoder would stop there, so it is told nothing
            head = bytes(data[start : start + 21]) + bytes([data[start + 21] & 0xF0, 0, 0, 0, 0])
            notes += (f"its header counts {count} of {there} samples; all that is there was read",)
            total = None if total is None else total + there - count
        parts.append(Part(start + len(head), stop, head))
    is_plain = len(parts) == 1 and not parts[0].head
    cause = CUT_SHORT if there < count else Inspection.cause  # the last frame is there
    return Inspection(() if is_plain else tuple(parts), total, notes=notes, cause=cause)
