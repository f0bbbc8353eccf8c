"""Which files are sounds: their endings, where they are, what a file is that is none.

One list and one finder for the whole kit. What libsndfile cannot decode is named by its first bytes, whatever its
ending.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from audioformer.errors import AudioformerError

FORMATS = "WAV, FLAC, Ogg or MP3"
DECODED = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64 .bwf .mp2 .mpga .voc .sph .nist"
DECODED += " .ircam .sf .avr .htk .iff .svx .paf .pvf .sds .sd2 .wve .xi .amb .wave"
PHONES = ".m4a .m4b .mp4 .3gp .3g2 .amr .awb .aac .webm .mka .mkv .wma .mov .avi .wv .ape .tta .dsf .ac3 .flv .mpg .qcp"
SOUND_ENDINGS = tuple(DECODED.split())
PHONE_ENDINGS = tuple(PHONES.split())  # counted as sounds where PyAV is installed

TEXT_BYTES, MANY = 1 << 16, 16  # of a sound, by which it is known that it was taken for text; as many marks of that
RAW_ENDINGS = (".raw", ".pcm", ".ul", ".al", ".ulaw", ".alaw", ".sln", ".vox", ".g722", ".g729")  # of switches
AS_TEXT = "was changed on its way as if it were text, so its sound is lost: copy or download it again, in binary mode"

MPEG4 = "an MPEG-4 recording (m4a, mp4)"
MEDIA = (  # place, bytes, what it is, FFmpeg's name of the format
    (4, b"ftyp3g", "a 3GP recording", "mov"),
    (4, b"ftypqt", "a QuickTime recording (mov)", "mov"),
    (4, b"ftyp", MPEG4, "mov"),
    (4, b"moov", MPEG4, "mov"),
    (4, b"mdat", MPEG4, "mov"),
    (4, b"free", MPEG4, "mov"),
    (4, b"skip", MPEG4, "mov"),
    (4, b"wide", "a QuickTime recording (mov)", "mov"),
    (0, b"#!AMR", "an AMR recording", "amr"),
    (0, b"\xff\xf1", "AAC sound", "aac"),
    (0, b"\xff\xf9", "AAC sound", "aac"),
    (0, b"\x1aE\xdf\xa3", "a WebM or Matroska recording", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "Windows Media sound (wma)", "asf"),
    (0, b"caff", "Apple sound (caf)", "caf"),
    (0, b"wvpk", "WavPack sound", "wv"),
    (0, b"MAC ", "Monkey's Audio sound", "ape"),
    (0, b"TTA1", "True Audio sound", "tta"),
    (0, b"DSD ", "DSD sound", "dsf"),
    (0, b"\x0bw", "AC-3 sound", "ac3"),
    (0, b"\x7f\xfe\x80\x01", "DTS sound", "dts"),
    (0, b"FLV\1", "a Flash film (flv)", "flv"),
    (0, b".RMF", "RealAudio", "rm"),
    (0, b"MPCK", "Musepack sound", "mpc8"),
    (0, b"\0\0\1\xba", "a film (mpg)", "mpeg"),
    (0, b"G@", "a piece of a broadcast (MPEG transport stream)", "mpegts"),
    (8, b"QLCM", "a phone's QCP recording", "qcp"),
    (8, b"AVI ", "a film (avi)", "avi"),
    (0, b"Creative Voice", "a VOC recording", "voc"),
    (8, b"WAVE", "a WAV", "wav"),
    (8, b"AIF", "an AIFF", "aiff"),
    (0, b"OggS", "an Ogg file", "ogg"),
)
KNOWN = ("caf", "wav", "aiff", "ogg", "voc")  # libsndfile decodes most of them
OTHERS = (  # first bytes, what it is, what to do
    (b"version https://git-lfs", "a pointer of Git LFS, not the sound itself", "run `git lfs pull` where it came from"),
    (b"/annex/objects", "a pointer of git-annex, not the sound itself", "run `git annex get` where it came from"),
    (b"<!doctype html", "a web page", "download the sound itself: the address led to a page about it, or to a login"),
    (b"<html", "a web page", "download the sound itself: the address led to a page about it, or to a login"),
    (b"<?xml", "an XML text, perhaps a server's message", "download the sound itself"),
    (b"{", "a JSON text, perhaps a server's message", "download the sound itself"),
    (b"pk\x03\x04", "a zip archive", "unpack it and give the sounds in it"),
    (b"\x1f\x8b", "a gzip archive", "unpack it and give the sounds in it"),
    (b"ustar", "a tar archive", "unpack it and give the sounds in it"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it and give the sounds in it"),
    (b"rar!", "a RAR archive", "unpack it and give the sounds in it"),
    (b"bzh", "a bzip2 archive", "unpack it and give the sounds in it"),
    (b"\xfd7zxz", "an xz archive", "unpack it and give the sounds in it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it and give the sounds in it"),
    (b"\x89hdf", "an HDF5 file: numbers, no sound file", "give them as an array with sample_rate"),
    (b"book\0\0\0\0mark", "a Mac's link (alias)", "give the file that it leads to"),
    (b"l\0\0\0\x01\x14\x02\0", "a link of Windows (lnk)", "give the file that it leads to"),
    (b"%pdf", "a PDF", "give a sound file"),
    (b"gif8", "a picture", "give a sound file"),
    (b"\x89png", "a picture", "give a sound file"),
    (b"\xff\xd8\xff", "a picture", "give a sound file"),
    (b"mthd", "MIDI: notes, no sound", "play it into a WAV with a synthesiser"),
    (b"#extm3u", "a list of addresses", "give the sound files themselves"),
    (b"uklgr", "a sound written as text (base64)", "decode it: base64 -d"),
    (b"data:audio/", "a sound written as text (base64)", "decode what stands behind the comma: base64 -d"),
    (b"\x02dss", "a dictation machine's recording (DSS)", "export it as WAV with the maker's program"),
    (b"\x03ds2", "a dictation machine's recording (DS2)", "export it as WAV with the maker's program"),
    (b"\x00\x05\x16\x07", "what a Mac writes beside a file (AppleDouble)", 'give the file itself, without "._"'),
    (b"sqlite format 3", "a data base, perhaps a project of Audacity", "export the sound in it as WAV"),
    (b"\x93numpy", "numbers of NumPy", "give them as an array with sample_rate"),
)


def has_pyav() -> bool:
    """Whether phones' formats can be decoded here."""
    return find_spec("av") is not None


def is_sound(name: str) -> bool:
    """Whether a file's ending is one that can be decoded here; hidden files are none."""
    lower = name.lower()
    decoded = lower.endswith(SOUND_ENDINGS) or (lower.endswith(PHONE_ENDINGS) and has_pyav())
    return decoded and not name.startswith(".")


def sound_files(
    folders: str | os.PathLike | Iterable[str | os.PathLike],
    include: Iterable[str] = ("*",),
    exclude: Iterable[str] = (),
) -> list[Path]:
    """Sound files in folders and below them: folder by folder, sorted by path; hidden files and folders are left out.

    Args:
        folders: one or several.
        include: patterns of file names, one of which must fit.
        exclude: patterns of which none may fit ("4-*").

    Raises:
        AudioformerError: a folder is missing.
    """
    found: list[Path] = []
    include, exclude = tuple(include), tuple(exclude)
    for folder in map(Path, [folders] if isinstance(folders, str | os.PathLike) else folders):
        if not folder.is_dir():
            raise AudioformerError(f"{folder}: no such folder; give a folder of sound files ({FORMATS})")
        here = [path for path in _files(folder) if is_sound(path.name)]
        found += sorted(here, key=lambda path, folder=folder: path.relative_to(folder).as_posix())
    return [path for path in found if fits(path, include) and not fits(path, exclude)]


def has_sound(folder: str | os.PathLike) -> bool:
    """Whether there is a sound file in a folder or below."""
    return any(is_sound(path.name) for path in _files(Path(folder)))


def other_files(folder: str | os.PathLike, known: Iterable[Path] = ()) -> dict[str, int]:
    """How many files in a folder and below are left out as no sounds, by ending, the most frequent first.

    Not `known` ones.
    """
    others = (path for path in _files(Path(folder)) if not is_sound(path.name) and path not in known)
    endings = Counter(path.suffix.lower() or path.name for path in others)
    return dict(endings.most_common())


def said_of_others(others: dict[str, int]) -> str:
    """A sentence about files that are left out, "" for none; it names the way out for phones' formats."""
    if not others:
        return ""
    counts = ", ".join(f"{n} {ending}" for ending, n in list(others.items())[:8])
    n = sum(others.values())
    phones = any(ending in PHONE_ENDINGS for ending in others)
    way_out = '; phones\' formats need `pip install "audioformer[phones]"`' if phones else ""
    files = "1 file is" if n == 1 else f"{n} files are"
    return f"{files} left out, not a sound that can be decoded here: {counts}{way_out}"


def _files(folder: Path) -> Iterator[Path]:
    seen, start = set(), os.path.realpath(folder)  # links are followed, each place once, and none of them upwards
    for where, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen or start.startswith(os.path.join(real, "")):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (Path(where) / name for name in names if not name.startswith("."))


def fits(path: Path, patterns: Iterable[str]) -> bool:
    """Whether a file's name fits one of the patterns ("4-*")."""
    return any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)


def was_text(data) -> bool:
    """Whether a sound was taken for text on its way, by bytes from its middle: words may stand before or behind it.

    What is no UTF-8 was replaced by its mark for that, or there is no end of a line (10) without a 13 before it: many
    different ones, for in a tone the same few come again and again.
    """
    start = len(data) // 2
    middle = data[start : start + TEXT_BYTES]
    if middle.count(b"\xef\xbf\xbd") > max(MANY, len(middle) // 64):
        return True
    lines = middle.count(b"\n")
    if lines <= MANY or lines != middle.count(b"\r\n"):
        return False
    return len(set(re.findall(b"(?<=(..))\r\n", middle, re.DOTALL))) > MANY


def after_id3(data) -> int:
    """Where a file begins behind ID3 tags, which any player may have put before it."""
    at = 0
    while size := id3_size(data[at : at + 10]):
        at += size
    return at if at < len(data) else 0


def id3_size(head: bytes) -> int:
    """Bytes of an ID3 tag, by its first ten; 0 if it is none."""
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    return 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def media_format(head: bytes) -> tuple[str, str] | None:
    """(what it is, FFmpeg's name) of a recording, by its first bytes; None if it is none that is known here."""
    head = head[after_id3(head) :]
    for place, magic, what, name in MEDIA:
        if head[place : place + len(magic)] == magic:
            return what, name
    return None


def other_kind(head: bytes) -> tuple[str, str] | None:
    """(what it is, what to do) of a file that is no sound, by its first bytes; None if it is none that is known."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    start = b"ustar" if head[257:262] == b"ustar" else start
    return next(((what, way_out) for magic, what, way_out in OTHERS if start.startswith(magic)), None)


def _first_words(head: bytes) -> str:
    """Of a text; "" if the bytes are none."""
    coding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for cut in range(4):  # a letter may take up to four bytes, and the last one may not be whole
        try:
            words = " ".join(head[: len(head) - cut].decode(coding).split())
            return words[:40] if len(words) > 7 and words.isprintable() else ""
        except UnicodeDecodeError:
            continue
    return ""


def refusal(path: Path, head: bytes, reason: object) -> AudioformerError:
    """Why a file cannot be read, in one true sentence: what it is, and the way out.

    Args:
        path: of the file.
        head: its first bytes.
        reason: what libsndfile said.
    """
    reason = str(getattr(reason, "error_string", reason)).rstrip(".")  # without the address of an opened part
    reason = "Format not recognised" if "not a regular file" in reason else reason  # what libsndfile says of some
    if (media := media_format(head)) is not None and media[1] in KNOWN:
        return AudioformerError(
            f"{path.name}: not a readable sound file: is {media[0]} that is damaged, "
            "or ends before its sound begins, or is "
            f"in a coding that is not decoded here ({reason}); copy or download it again, or export it as WAV"
        )
    if media is not None and has_pyav():
        return AudioformerError(
            f"{path.name}: is {media[0]} that PyAV cannot decode ({reason}); export it again as WAV"
        )
    if media is not None:
        return AudioformerError(
            f'{path.name}: is {media[0]}, which is decoded where PyAV is installed: pip install "audioformer[phones]"; '
            f'or drop it on the app\'s page, or make a WAV of it: ffmpeg -i "{path.name}" "{path.stem}.wav"'
        )
    if other := other_kind(head):
        return AudioformerError(f"{path.name}: not a readable sound file: is {other[0]}; {other[1]}")
    if words := _first_words(head):
        way_out = "download the sound itself, or export it as WAV"
        return AudioformerError(f"{path.name}: not a readable sound file: is a text that begins {words!r}; {way_out}")
    if not head.strip(b"\0"):
        return AudioformerError(f"{path.name}: not a readable sound file: holds zeros only; copy or download it again")
    if path.suffix.lower() in RAW_ENDINGS:
        way_out = "has no header that says its rate; give its samples as an array with sample_rate"
        return AudioformerError(f"{path.name}: not a readable sound file: {way_out}")
    return AudioformerError(f"{path.name}: not a readable sound file ({reason}); use {FORMATS}")
