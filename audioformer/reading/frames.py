"""Streams without a count of their samples: Ogg and MP3 are walked page by page and frame by frame.

An Ogg page carries the number of the last sample that ends on it; a first MP3 frame without sound may count the others.
Each function looks at the bytes of a file from the place on where its format begins, and gives an `Inspection`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import cache

from audioformer.reading.files import id3_size
from audioformer.reading.parts import CUT_SHORT, UNKNOWN, Inspection, Part, several_tracks

OGG_SOUNDS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


def ogg(data, at: int) -> Inspection:
    """Pages: whether they are whole, whether files were joined, and whether the last one says that it is the last."""
    links, follows_begin, damaged, cut, numbers = [], False, 0, None, {}  # links: [first page, last page, its end]
    n_tracks, most_tracks = 0, 0
    while 0 <= (at := data.find(b"OggS", at)) <= len(data) - 27:
        stop = at + 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        if stop > len(data) or ogg_checksum(data[at:stop]) != data[at + 22 : at + 26]:
            damaged, cut, at, follows_begin = damaged + 1, at if stop > len(data) else None, at + 1, False
            continue
        serial, number = data[at + 14 : at + 18], struct.unpack("<I", data[at + 18 : at + 22])[0]
        begins, cut = bool(data[at + 5] & 2), None
        if not links or (begins and not follows_begin):
            links.append([at, at, stop])
        elif not begins and serial not in numbers:  # of a sound whose beginning is not there
            damaged, at = damaged + 1, stop
            continue
        elif not begins and number not in (numbers[serial], numbers[serial] + 1):
            damaged += 1
        body = at + 27 + data[at + 26]
        if begins and bytes(data[body : body + 8]).startswith(OGG_SOUNDS):
            n_tracks = n_tracks * follows_begin + 1
            most_tracks = max(most_tracks, n_tracks)
        links[-1][1:], follows_begin, numbers[serial], at = [at, stop], begins, number, stop
    if not links:
        return Inspection()
    parts, plain = [], len(links) == 1 and links[0][0] == 0
    for start, last, stop in links:
        if data[last + 5] & 4 and not (cut and start == links[-1][0]):
            parts.append(Part(start, stop))
        else:  # without the mark of the end, decoders leave out some of it
            page = _last_page(data, cut) if cut and start == links[-1][0] else b""
            parts.append(Part(start, cut, tail=page) if page else Part(start, last, tail=_last_page(data, last)))
            plain = False
    is_cut = cut is not None or data.find(b"OggS", links[-1][2]) > len(data) - 27
    if is_cut:
        open_end = f"its end is missing, and how long that was cannot be known: {CUT_SHORT}"
    elif damaged:
        pages = "1 of its pages is" if damaged == 1 else f"{damaged} of its pages are"
        open_end = f"{pages} damaged or lost, and the sound there is missing; copy or download it again"
    else:
        open_end = "" if data[links[-1][1] + 5] & 4 else "it has no end mark, so its end may be missing"
    cause = CUT_SHORT if is_cut else Inspection.cause
    return Inspection(() if plain else tuple(parts), notes=several_tracks(most_tracks), cause=cause, open_end=open_end)


def _last_page(data, start: int) -> bytes:
    """The page at `start` as a last page, with those of its packets that are whole; b"" if none is."""
    n_segments = data[start + 26]
    lengths = bytes(data[start + 27 : start + 27 + n_segments])
    body, kept, used = start + 27 + n_segments, 0, 0
    for number, length in enumerate(lengths, 1):
        used += length
        if body + used > len(data):
            break
        if length < 255:
            kept = number
    if not kept or len(lengths) < n_segments:
        return b""
    sizes = lengths[:kept]
    page = bytearray(data[start : start + 27] + sizes + data[body : body + sum(sizes)])
    page[5], page[26] = page[5] | 4, kept
    page[22:26] = ogg_checksum(page)
    return bytes(page)


BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_checksum(page: bytes) -> bytes:
    """Bytes 22 to 25 of a page: CRC-32 of it with zeros there, highest bit first (zlib's runs lowest bit first)."""
    page = bytes(page[:22]) + bytes(4) + bytes(page[26:])
    value = zlib.crc32(page.translate(BITS_REVERSED), UNKNOWN) ^ UNKNOWN
    return struct.pack("<I", int(f"{value:032b}"[::-1], 2))


LAST_BYTES = 1 << 20  # of a FLAC, in which its last frame begins


def last_sample(data, start: int, stop: int) -> int:
    """Samples up to the end of the last frame of a FLAC, by that frame's own header; 0 if there is none."""
    at, fixed = stop, int.from_bytes(data[start + 8 : start + 10], "big")
    first, is_last = start + 4, 0
    while not is_last and first + 4 < stop:  # blocks that are no sound
        is_last, first = data[first] & 0x80, first + 4 + int.from_bytes(data[first + 1 : first + 4], "big")
    alike = _rate_and_bits(data[first : first + 4])
    while (at := data.rfind(b"\xff", max(first, stop - LAST_BYTES), at)) >= 0:
        head = bytes(data[at : at + 16]).ljust(16, b"\0")
        if not alike or _rate_and_bits(head[:4]) != alike or head[2] >> 4 == 0:
            continue
        n_more = max(0, 7 - (head[4] ^ 0xFF).bit_length())  # of the bytes that spell its number as UTF-8 does
        number = head[4] & 0x7F >> n_more if n_more else head[4]
        for byte in head[5 : 4 + n_more]:
            number = number << 6 | byte & 0x3F
        end, code = 4 + max(1, n_more), head[2] >> 4
        own = {6: 1, 7: 2}.get(code, 0)  # bytes of a length that stands in no list
        length = int.from_bytes(head[end : end + own], "big") + 1 if own else 192 if code == 1 else 0
        length = length or (576 << code - 2 if code < 6 else 256 << code - 8)
        end += own + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
        if _crc8(head[:end]) == head[end]:
            return (number if head[1] & 1 else number * fixed) + length
    return 0


def _rate_and_bits(head: bytes) -> tuple[int, ...]:
    """What the frames of one FLAC share: their mark, rate and bits."""
    return (head[0], head[1], head[2] & 15, head[3] & 15) if len(head) == 4 and head[1] in (0xF8, 0xF9) else ()


def _crc8(content: bytes) -> int:
    """Of the header of a FLAC frame."""
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value << 1 & 0xFF ^ (7 if value & 0x80 else 0)
    return value


MPEG_KBPS = {  # by (MPEG-1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MOST_PASSED = 500  # bytes that are no frames; the decoder itself gives up after a thousand
MP3_SEARCH = 1 << 16  # bytes in which the first frame must be


@cache
def mpeg_frame(second: int, third: int) -> tuple[int, int]:
    """(bytes, samples) of the frame whose header has these bytes; (0, 0) if there is no such header."""
    version, layer, kbps, rate = second >> 3 & 3, 4 - (second >> 1 & 3), third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer == 4 or rate == 3 or not 0 < kbps < 15:
        return 0, 0
    hz = (44_100, 48_000, 32_000)[rate] >> (0, 0, 1, 2)[(3, 1, 2, 0).index(version)]
    bits, padding = MPEG_KBPS[version == 3, layer][kbps - 1] * 1000, third >> 1 & 1
    if layer == 1:
        return (12 * bits // hz + padding) * 4, 384
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bits // hz + padding, samples


def mp3(data, at: int) -> Inspection:
    """Frames, each for itself. They are counted where the first one does not do it, or counts wrong."""
    first = _first_frame(data, at)
    if (
        first is None or data[first + 1] & 6 != 2
    ):  # layers 1 and 2 have no counting frame, and libsndfile counts them well
        return Inspection()
    alike, runs, end, in_order = (data[first + 1] & 0xFE, data[first + 2] & 0x0C), [], len(data), first == at
    passed_over = first - at if data[at:first].strip(b"\0") else 0
    at, samples, is_cut, is_gap = first, mpeg_frame(data[first + 1], data[first + 2])[1], False, False
    while at + 4 <= end:
        second, third = data[at + 1], data[at + 2]
        size = mpeg_frame(second, third)[0] if data[at] == 255 else 0
        if not size or (second & 0xFE, third & 0x0C) != alike:
            tag = _tag_size(data, at)
            after = min(end, at + tag) if tag else _resync(data, at, alike)
            if not tag and (after < end or data[at : at + 3] not in (b"APE", b"LYR")):
                passed_over += after - at
            at, is_gap = after, after - at > MOST_PASSED
            continue
        if at + size > end:
            is_cut = True
            break
        counter = _count_place(data, at)
        if counter or is_gap or not runs:
            runs.append(Run(at, counter, bool(runs and not counter)))
            is_gap = False
        run, at = runs[-1], at + size
        run.n_frames, run.stop = run.n_frames + 1, at
        run.sizes.add(size - (third >> 1 & 1))
    lost = (
        f"{passed_over} bytes in it are no MP3 like the rest, so sound may be missing; copy or download it again, or "
        "cut it in two where another sound was joined to it"
    )
    open_end = f"its last frame is cut, so its end is missing: {CUT_SHORT}" if is_cut else lost if passed_over else ""
    return _mp3_parts(data, runs, samples, in_order and len(runs) == 1, open_end)


@dataclass
class Run:
    """Frames of one MP3 among those joined in a file.

    Attributes:
        start: place of the first.
        counter: place of the word before its count of the others; 0 if it is a frame of sound.
        goes_on: it is the rest of the run before, behind damage.
        n_frames: how many.
        stop: place after the last.
        sizes: bytes of a frame without padding.
    """

    start: int
    counter: int
    goes_on: bool
    n_frames: int = 0
    stop: int = 0
    sizes: set[int] = field(default_factory=set)


def _first_frame(data, at: int) -> int | None:
    """Place of four frames of one kind in a row; None: this is no MP3."""
    for place in range(at, min(len(data) - 4, at + MP3_SEARCH)):
        if data[place] != 255:
            continue
        alike, ahead, n = (data[place + 1] & 0xFE, data[place + 2] & 0x0C), place, 0
        while n < 4 and ahead + 4 <= len(data) and data[ahead] == 255:
            size = mpeg_frame(data[ahead + 1], data[ahead + 2])[0]
            if not size or (data[ahead + 1] & 0xFE, data[ahead + 2] & 0x0C) != alike:
                break
            ahead, n = ahead + size, n + 1
        if n == 4 or (n and place == at and ahead >= len(data)):
            return place
    return None


def _tag_size(data, at: int) -> int:
    """Bytes of a tag of words that begins at a place, as between joined files; 0 if there is none."""
    if data[at : at + 8] == b"APETAGEX" and at + 32 <= len(data):
        follows = data[at + 23] & 0x20  # else it is the end of one
        return 32 + (int.from_bytes(data[at + 12 : at + 16], "little") if follows else 0)
    return 128 if data[at : at + 3] == b"TAG" else id3_size(data[at : at + 10])


def _resync(data, at: int, alike: tuple[int, int]) -> int:
    """Place of the next frame of the same kind that another one follows; the end if there is none."""
    while (at := data.find(b"\xff", at + 1)) >= 0 and at + 4 <= len(data):
        size = mpeg_frame(data[at + 1], data[at + 2])[0]
        if size and (data[at + 1] & 0xFE, data[at + 2] & 0x0C) == alike:
            after = data[at + size : at + size + 2]
            if not after or (after[0] == 255 and len(after) == 2 and after[1] & 0xFE == alike[0]):
                return at
    return len(data)


def _count_place(data, at: int) -> int:
    """Place of "Xing" or "Info" in a frame that counts the others; 0 in a frame of sound."""
    stereo, first_version = data[at + 3] >> 6 != 3, data[at + 1] & 8
    place = at + 4 + ((32 if stereo else 17) if first_version else (17 if stereo else 9))
    return place if data[place : place + 4] in (b"Xing", b"Info") else 0


def _mp3_parts(data, runs: list[Run], samples: int, in_order: bool, open_end: str) -> Inspection:
    """What is to be read, and how long the counting frames say it is."""
    parts, promised, there, is_counted = [], 0, 0, 0
    if runs and runs[-1].stop + 4096 > len(data):
        runs[-1].stop = len(data)  # a cut frame, or a tag
    for run in runs:
        if run.counter and data[run.counter + 7] & 1:
            count, n_frames = struct.unpack(">I", data[run.counter + 8 : run.counter + 12])[0], run.n_frames - 1
            size = mpeg_frame(data[run.start + 1], data[run.start + 2])[0]
            head = _recounted(
                data[run.start : run.start + size], run.counter - run.start, n_frames, run.stop - run.start
            )
            parts.append(Part(run.start + size, run.stop, head))
            in_order = in_order and count == n_frames
        else:
            count = n_frames = run.n_frames
            parts.append(Part(run.start, run.stop, _counting_frame(data[run.start : run.start + 4], n_frames)))
            in_order = in_order and len(run.sizes) == 1
        is_counted = count if run.counter else is_counted * run.goes_on
        promised, there = promised + (0 if run.goes_on and is_counted else count), there + n_frames
    missing = max(0, promised - there) * samples
    if missing:
        open_end = f"about {missing} of {promised * samples} samples are missing: {CUT_SHORT}"
    count = (
        there * samples if in_order and not runs[0].counter else None
    )  # libsndfile estimates it from the file's size
    return Inspection(() if in_order else tuple(parts), count, open_end=open_end)


def _recounted(frame: bytes, place: int, n_frames: int, n_bytes: int) -> bytes:
    """The counting frame with another count, and without padding to be taken off at the end where that is missing."""
    frame, cut = bytearray(frame), struct.unpack(">I", frame[place + 8 : place + 12])[0] > n_frames
    frame[place + 8 : place + 12] = struct.pack(">I", n_frames)
    if frame[place + 7] & 2:
        frame[place + 12 : place + 16] = struct.pack(">I", n_bytes)
    if cut and len(frame) >= place + 144:
        frame[place + 142] &= 0xF0
        frame[place + 143] = 0
    return bytes(frame)


def _counting_frame(header: bytes, n_frames: int) -> bytes:
    """A first frame that says how many follow: without it, only frames of one size can be counted from outside."""
    second, third = header[1] | 1, (header[2] & 0x0C) | 0x90
    frame = bytearray(mpeg_frame(second, third)[0])
    frame[:4] = bytes((255, second, third, header[3]))
    stereo, first_version = header[3] >> 6 != 3, second & 8
    place = 4 + ((32 if stereo else 17) if first_version else (17 if stereo else 9))
    frame[place : place + 12] = b"Xing" + struct.pack(">II", 1, n_frames)
    return bytes(frame)
