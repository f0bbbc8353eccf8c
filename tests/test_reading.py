"""Nothing of a sound is lost without a word: files as recorders, phones, switches and web pages leave them."""

from __future__ import annotations

import base64
import os
import re
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import sounds
import torch
from sounds import coded, patched, tone, with_chunk, with_data_size

from audioformer.audio import Waveform, load_audio, to_batch
from audioformer.errors import AudioformerError
from audioformer.reading.frames import last_sample

N = 48_000  # samples of the tone, one second
TELEPHONE = {"GSM610": 8320, "G721_32": 8040, "NMS_ADPCM_16": 8000, "NMS_ADPCM_24": 8000, "NMS_ADPCM_32": 8000}
CUT = r"{} of {} samples .* are missing: the file was cut short; copy or download it again"
ALL_READ = "all that is there was read|all were read"


@cache
def music(n: int = 300_000) -> bytes:
    """An MP3 whose frames differ in size, as its loudness does."""
    noise = np.random.default_rng(0).standard_normal(n) * np.abs(np.sin(np.arange(n) / 40_000)) * 0.3
    return coded(noise.astype(np.float32), 44_100, "MP3", bitrate_mode="VARIABLE", compression_level=0.5)


def wav() -> bytes:
    return coded()


def aiff(**counts: int) -> bytes:
    content = coded(form="AIFF")
    for place, count in ((content.index(b"COMM") + 10, counts["comm"]), (content.index(b"SSND") + 4, counts["ssnd"])):
        content = patched(content, place, struct.pack(">I", count))
    return content


def aiff_shifted() -> bytes:
    """With ten bytes before its sound, as programs leave that lay it on blocks of the disk."""
    content = aiff(comm=N, ssnd=0)
    at = content.index(b"SSND") + 8
    return content[:at] + struct.pack(">II", 10, 0) + bytes(10) + content[at + 8 :]


WHOLE = {  # name: (file, samples that must come, what must be said or "")
    "wav, size of the sound too small": (lambda: with_data_size(wav(), 1000), N, "counts 500 of the samples; all"),
    "wav, all sizes too small": (lambda: with_data_size(wav(), 1000, 1036), N, "counts 500 of the samples; all"),
    "wav, sizes 0: the recorder died": (lambda: with_data_size(wav(), 0, 0), N, "there is no sound; all"),
    "wav, sizes unknown: from a pipe": (lambda: with_data_size(wav(), 0xFFFFFFFF, 0xFFFFFFFF), N, ""),
    "wav, sizes 0, with a comment at the end": (
        lambda: with_data_size(wav(), 0, 0) + b"LIST" + struct.pack("<I", 4) + b"INFO",
        N,
        "there is no sound; all",
    ),
    "wav, a comment at the end": (lambda: wav() + b"LIST" + struct.pack("<I", 4) + b"INFO", N, ""),
    "wav, zeros at the end": (lambda: wav() + bytes(512), N, ""),
    "wav, other bytes at the end": (
        lambda: wav() + b"\x01signature\x02" * 9,
        N,
        "99 bytes behind its sound were not read",
    ),
    "wav, odd comment without its padding": (lambda: with_chunk(wav(), b"LIST", b"INFOa", pad=False), N, ""),
    "wav, odd comment with its padding": (lambda: with_chunk(wav(), b"LIST", b"INFOa"), N, ""),
    "wav, a peak chunk of another program": (lambda: with_chunk(wav(), b"PEAK", b"\1" + bytes(23)), N, ""),
    "wav, ID3 before it": (lambda: b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + wav(), N, ""),
    "wav, two joined": (lambda: wav() + wav(), 2 * N, ""),
    "wav, highest byte first": (lambda: coded(endian="BIG"), N, ""),
    "wav, its sound in two chunks": (lambda: sounds.with_data_in_two(wav()), N, ""),
    "wav, an empty chunk of sound first": (lambda: with_chunk(wav(), b"data", b""), N, ""),
    "wav, a server's words before it": (lambda: b"HTTP/1.1 200 OK\r\n\r\n" + wav(), N, "19 bytes before its sound"),
    "wav, its size of a sample wrong": (lambda: patched(wav(), 32, b"\1\0"), N, ""),
    "rf64": (lambda: coded(form="RF64"), N, ""),
    "rf64, called BW64": (lambda: b"BW64" + coded(form="RF64")[4:], N, ""),
    "rf64, sizes 0: the recorder died": (lambda: sounds.with_ds64(coded(form="RF64"), 0), N, "there is no sound; all"),
    "rf64, size too small": (lambda: sounds.with_ds64(coded(form="RF64"), 1000), N, "counts 500 of the samples; all"),
    "rf64, size of terabytes": (lambda: sounds.with_ds64(coded(form="RF64"), 10**12), N, "too many for its size; all"),
    "flac, count too small": (
        lambda: sounds.with_count(coded(form="FLAC"), 500),
        N,
        "counts 500 of 48000 samples; all",
    ),
    "flac, two joined, count too small": (
        lambda: coded(form="FLAC") + sounds.with_count(coded(form="FLAC"), 500),
        2 * N,
        "counts 500 of 48000 samples; all",
    ),
    "flac, other bytes before it": (lambda: bytes(9) + coded(form="FLAC"), N, "9 bytes before its sound were left out"),
    "flac, length unknown": (lambda: sounds.without_length(coded(form="FLAC")), N, ""),
    "flac, two joined": (lambda: coded(form="FLAC") * 2, 2 * N, ""),
    "ogg, two joined": (lambda: coded(form="OGG") * 2, 2 * N, ""),
    "opus, three joined": (lambda: coded(form="OGG", subtype="OPUS") * 3, 3 * N, ""),
    "ogg, other bytes before it": (lambda: b"x" * 99 + coded(form="OGG"), N, "99 bytes before its sound were left out"),
    "ogg, a page twice": (lambda: b"".join(page * (1 + (n == 2)) for n, page in enumerate(ogg_pages())), N, ""),
    "ogg, no end mark": (lambda: sounds.without_end_mark(coded(form="OGG")), N, "no end mark"),
    "opus, no end mark": (lambda: sounds.without_end_mark(coded(form="OGG", subtype="OPUS")), N, "no end mark"),
    "mp3": (music, 300_000, ""),
    "mp3, two joined": (lambda: music() * 2, 600_000, ""),
    "mp3, two joined, words between": (lambda: music() + b"ID3\4\0\0\0\0\1\0" + bytes(128) + music(), 600_000, ""),
    "mp3, two joined, other words between": (lambda: music() + ape_tag() + music(), 600_000, ""),
    "mp3, old tag at the end": (lambda: music() + b"TAG" + bytes(125), 300_000, ""),
    "mp3, zeros before it": (lambda: bytes(500) + music(), 300_000, ""),
    "mp3, all frames alike and not counted": (lambda: sounds.without_counting_frame(music_constant()), 301_824, ""),
    "mp3, frames of all sizes and not counted": (lambda: sounds.without_counting_frame(music()), 301_295, ""),
    "aiff, counts 0: the recorder died": (lambda: aiff(comm=0, ssnd=0), N, "counts 0 of the samples; all"),
    "aiff, counts 0, its sound shifted": (aiff_shifted, N, "counts 0 of the samples; all"),
    "aiff, size of the sound too small": (lambda: aiff(comm=N, ssnd=1008), N, "counts 500 of the samples; all"),
    "au, size too small": (lambda: patched(coded(form="AU"), 8, struct.pack(">I", 1000)), N, "1000 of 96000 bytes"),
    "au, size unknown": (lambda: patched(coded(form="AU"), 8, b"\xff" * 4), N, ""),
    "svx, count too small": (lambda: with_number("SVX", b"VHDR", 8), N, "counts 500 of 48000 samples; all"),
    "avr, count too small": (lambda: with_number("AVR", b"2BIT", 26), N, "counts 500 of 48000 samples; all"),
    "caf, size unknown": (lambda: caf(-1), N, ""),
    "caf, size too small": (lambda: caf(1004), N, "counts 1004 of 96004 bytes"),
}


def music_constant() -> bytes:
    noise = np.random.default_rng(0).standard_normal(300_000).astype(np.float32) * 0.1
    return coded(noise, 44_100, "MP3", bitrate_mode="CONSTANT", compression_level=0.5)


def ogg_pages() -> list[bytes]:
    return sounds.pages(coded(form="OGG"))


def ape_tag() -> bytes:
    """With a header and an end, and nothing between them."""
    return b"".join(b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 0, flags) for flags in (0xA0000000, 0x80000000))


def with_number(form: str, name: bytes, place: int) -> bytes:
    """A sound that counts 500 samples of its 48000, so many bytes behind the name of its header."""
    content = coded(form=form)
    return patched(content, content.index(name) + place, struct.pack(">I", 500))


def caf(size: int) -> bytes:
    content = coded(form="CAF")
    return patched(content, content.index(b"data") + 4, struct.pack(">q", size))


def file_of(folder: Path, content: bytes, name: str = "a.bin") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("case", WHOLE)
def test_comes_whole(tmp_path, case):
    make, n, said = WHOLE[case]
    found = load_audio(file_of(tmp_path, make()))
    assert found.samples.shape == (1, n)
    if said:
        assert len(found.notes) == 1
        assert re.search(said, found.notes[0])
    else:
        assert found.notes == ()


@pytest.mark.parametrize(
    "case", [case for case in WHOLE if not case.startswith(("mp3", "ogg", "opus")) and "joined" not in case]
)
def test_what_comes_whole_is_the_sound_itself(tmp_path, case):
    found = load_audio(file_of(tmp_path, WHOLE[case][0]())).samples[0].numpy()
    np.testing.assert_allclose(found, tone()[:, 0], atol=2**-15)


def test_joined_sounds_are_heard_one_after_the_other(tmp_path):
    first, second = tone(), tone(hz=880.0)[:30_000]
    for form in ("WAV", "FLAC", "OGG"):
        path = file_of(tmp_path, coded(first, form=form) + coded(second, form=form))
        found = load_audio(path)
        np.testing.assert_allclose(found.samples[0].numpy(), np.concatenate([first, second])[:, 0], atol=0.05)
        middle = load_audio(path, start_s=0.75, duration_s=0.5).samples
        np.testing.assert_allclose(middle[0].numpy(), found.samples[0, 36_000:60_000].numpy(), atol=1e-3)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("n", [1, 4096, 5000, 200_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_S8"])
def test_the_last_frame_of_a_flac_says_how_long_it_is(channels, n, subtype):
    noise = 0.1 * np.random.default_rng(n).standard_normal((n, channels))
    for samples in (noise, 0 * noise):
        content = coded(samples.astype(np.float32), 44_100, "FLAC", subtype)
        assert last_sample(content, 0, len(content)) == n
    assert last_sample(content, 0, 60) == 0


def test_a_flac_with_a_damaged_frame_is_damaged_and_not_cut(tmp_path):
    content = coded(NOISE, 44_100, "FLAC")
    first, middle = content.index(b"\xff\xf8", 42), len(content) // 2
    note = load_audio(file_of(tmp_path, patched(content, middle, bytes(200)))).notes[0]
    assert re.search(rf"of {5 * N} samples .* are missing: the file is damaged;", note)
    assert last_sample(patched(content, first + 1, b"\xb8"), 0, len(content)) == 0  # it tells what all have in common


def test_words_of_a_file_and_a_tone_of_few_numbers_are_not_taken_for_a_text(tmp_path):
    """Recorders' words have lines of Windows, songs' letters are lost; a tone repeats the numbers of one wave."""
    words = b"".join(b"take %d\r\n" % number for number in range(300))
    silent = with_chunk(coded(0 * tone()), b"iXML", words)
    song = "\N{REPLACEMENT CHARACTER}".encode() * 2000
    sung = b"ID3\4\0\0" + bytes((0, 0, len(song) >> 7, len(song) & 127)) + song + music_constant()
    wave = np.array([0x0A0D, -2, 3, 100] * (N // 4), np.int16)
    tiny = wav().replace(wav()[44:], wave.tobytes())
    for content, n in ((silent, N), (sung, 300_000), (tiny, N)):
        assert load_audio(file_of(tmp_path, content)).samples.shape[1] == n


def test_of_an_rf64_that_was_cut_what_is_missing_is_counted(tmp_path):
    """Its header promises more than 4 GiB, and only that header does: a size beyond 4 GiB is not an unknown one."""
    path = file_of(tmp_path, sounds.with_ds64(coded(tone(N, 8000), 8000, "RF64"), 2**32 + 1000) + bytes(1 << 20))
    there = load_audio(path, max_s=1e6, duration_s=1e4)
    assert re.search(r"samples .* are missing: the file was cut short", there.notes[0])


def test_a_second_sound_track_is_named(tmp_path):
    both = sounds.with_two_tracks(coded(form="OGG"), coded(tone(hz=880.0), form="OGG"))
    found = load_audio(file_of(tmp_path, both))
    assert found.samples.shape == (1, N)
    assert found.notes == ("it holds 2 sound tracks; only the first was read: export the others as files of their own",)
    found = load_audio(phone(tmp_path / "a.mkv", "matroska", "libopus", n_tracks=2))
    assert found.notes == ("it holds 2 sound tracks; only the first was read: export the others as files of their own",)


def test_of_joined_mp3s_of_two_kinds_the_other_is_named_and_nothing_else_is_said(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal((100_000, 2)).astype(np.float32)
    found = load_audio(file_of(tmp_path, music_constant() + coded(noise, 44_100, "MP3")))
    assert len(found.notes) == 1
    assert "part 2 of 2 that were joined in it is left out: it has 2 channels" in found.notes[0]
    found = load_audio(file_of(tmp_path, music_constant() + coded(noise[:, 0], 48_000, "MP3")))
    assert re.search("no MP3 like the rest, so sound may be missing.* cut it in two where another", found.notes[-1])


def test_joined_sounds_of_which_one_is_no_more_than_its_beginning(tmp_path):
    whole, begin = coded(form="OGG"), coded(form="OGG")[:1000]
    for content in (begin + whole, whole + begin, whole + begin + whole):
        found = load_audio(file_of(tmp_path, content))
        assert found.samples.shape[1] in (N, 2 * N)
        assert any("cannot be decoded and is left out" in note for note in found.notes)


def test_pages_of_a_sound_whose_beginning_is_not_there_are_named(tmp_path):
    content = coded(form="OGG") + b"".join(ogg_pages()[2:])
    found = load_audio(file_of(tmp_path, content))
    assert found.samples.shape == (1, N)
    assert found.notes == (
        "1 of its pages is damaged or lost, and the sound there is missing; copy or download it again",
    )


def test_an_mp3_that_begins_within_a_frame_is_told(tmp_path):
    content = music()
    found = load_audio(file_of(tmp_path, content[len(content) // 2 :]))
    assert re.search(r"\d+ bytes in it are no MP3 like the rest, so sound may be missing", found.notes[0])


def test_a_voc_comes_in_blocks(tmp_path):
    pytest.importorskip("av", reason="needs PyAV: pip install 'audioformer[phones]'")
    sound = bytes(range(100, 200)) * 40
    first = b"\1" + struct.pack("<I", 4002)[:3] + bytes((131, 0)) + sound
    second = b"\2" + struct.pack("<I", 4000)[:3] + sound[::-1]
    content = b"Creative Voice File\x1a" + struct.pack("<3H", 26, 0x010A, 0x1129) + first + second + b"\0"
    assert load_audio(file_of(tmp_path, content)).samples.shape == (1, 8000)


def test_a_joined_sound_of_another_kind_is_named(tmp_path):
    found = load_audio(file_of(tmp_path, coded(form="OGG") + coded(tone(8000, 8000), 8000, "OGG")))
    assert found.samples.shape == (1, N)
    assert "part 2 of 2 that were joined in it is left out: it has 1 channels at 8000 Hz" in found.notes[0]


@pytest.mark.parametrize("subtype", TELEPHONE)
def test_a_telephone_switchs_codings_come_whole(tmp_path, subtype):
    """They cannot jump, and GSM and G.721 fill their last block."""
    path = file_of(tmp_path, coded(tone(8000, 8000), 8000, "WAV", subtype))
    whole = load_audio(path)
    assert whole.samples.shape == (1, TELEPHONE[subtype])
    assert whole.notes == ()
    part = load_audio(path, start_s=0.25, duration_s=0.5)
    assert (part.samples == whole.samples[:, 2000:6000]).all()


HALF = {  # name: (file, samples that it promises, whether the count is known exactly)
    "wav": (wav, N),
    "rf64": (lambda: coded(form="RF64"), N),
    "wav, IMA ADPCM": (lambda: coded(tone(8080, 8000), 8000, "WAV", "IMA_ADPCM"), 8080),
    "wav, MS ADPCM": (lambda: coded(tone(8000, 8000), 8000, "WAV", "MS_ADPCM"), 8000),
    "wav, G.721": (lambda: coded(tone(8040, 8000), 8000, "WAV", "G721_32"), 8040),
    "aiff": (lambda: coded(form="AIFF"), N),
    "au": (lambda: coded(form="AU"), N),
    "caf": (lambda: coded(form="CAF"), N),
    "flac": (lambda: coded(form="FLAC"), N),
    "w64": (lambda: coded(form="W64"), N),
    "nist": (lambda: coded(form="NIST"), N),
    "sds": (lambda: coded(form="SDS"), N),
    "avr": (lambda: coded(form="AVR"), N),
    "svx": (lambda: coded(form="SVX"), N),
    "mat4": (lambda: coded(form="MAT4"), N),
    "mat5": (lambda: coded(form="MAT5"), N),
    "mpc2k": (lambda: coded(form="MPC2K"), N),
}


@pytest.mark.parametrize("case", HALF)
def test_of_half_a_file_the_other_half_is_told_missing(tmp_path, case):
    make, promised = HALF[case]
    content = make()
    found = load_audio(file_of(tmp_path, content[: len(content) // 2]))
    there = found.samples.shape[1]
    assert 0.3 * promised < there < 0.6 * promised
    assert len(found.notes) == 1
    assert re.search(rf"^{promised - there} of {promised} samples \(.* s\) are missing: the file", found.notes[0])


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("VOC", None)])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_where_nobody_can_count_it_is_said_that_the_end_is_missing(tmp_path, form, subtype, share):
    n = 10 * N
    content = coded(tone(n), form=form, subtype=subtype)
    found = load_audio(file_of(tmp_path, content[: int(share * len(content))]))
    assert (share - 0.15) * n < found.samples.shape[1] < (share + 0.05) * n
    assert "missing" in found.notes[0]


def test_a_short_ogg_that_was_cut_keeps_its_whole_packets(tmp_path):
    content = coded(form="OGG")
    found = load_audio(file_of(tmp_path, content[: int(0.9 * len(content))]))
    assert 0.7 * N < found.samples.shape[1] < N
    np.testing.assert_allclose(found.samples[0].numpy(), tone()[: found.samples.shape[1], 0], atol=0.02)


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_damage_in_the_middle_is_counted(tmp_path, form, subtype):
    content = coded(tone(10 * N), form=form, subtype=subtype)
    found = load_audio(file_of(tmp_path, patched(content, len(content) // 2, b"\0\xff" * 20)))
    n = found.samples.shape[1]
    assert N < n < 10 * N
    assert re.search(rf"{10 * N - n} of {10 * N} samples .* are missing", found.notes[0])


def test_an_ogg_that_only_pyav_opens_is_told_to_be_damaged_too(tmp_path):
    """Of the first of two that were joined, all pages with sound are damaged, and libsndfile does not open it."""
    pytest.importorskip("av", reason="needs PyAV: pip install 'audioformer[phones]'")
    content = coded(tone(12_000, 8000), 8000, "OGG")
    first, second, *others = sounds.pages(content)
    damaged = first + second + b"".join(patched(page, 60, bytes([page[60] ^ 1])) for page in others)
    found = load_audio(file_of(tmp_path, damaged + content))
    assert "the sound there is missing" in found.notes[0]


@pytest.mark.parametrize("form", ["WAV", "RF64", "AIFF"])
def test_a_header_that_promises_gigabytes_takes_none(tmp_path, form):
    """257 channels of four million samples in a file of some kilobytes."""
    import resource

    content = coded(np.zeros((100, 257), np.float32), 8000, form)
    size, n = (content.index(b"SSND") + 4, ">I") if form == "AIFF" else (content.index(b"data") + 4, "<I")
    content = patched(content, size, struct.pack(n, 257 * 2 * 4_000_000))
    if form == "AIFF":
        content = patched(content, content.index(b"COMM") + 10, struct.pack(">I", 4_000_000))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), limits[1]))
    try:
        found = load_audio(file_of(tmp_path, content), max_s=100)  # the promise is longer
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert found.samples.shape == (257, 100)
    assert "are missing: the file was cut short" in found.notes[0]


def mp3_in_a_wav(mp3: bytes) -> bytes:
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44_100, 8000, 1, 0, 12, 1, 2, 417, 1, 1393)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"fmt ", form), (b"data", mp3), (b"LIST", b"INFO"))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_an_mp3_in_a_wav_comes_whole_and_what_is_missing_is_counted(tmp_path):
    """Libsndfile reads it, but cannot write it."""
    whole = mp3_in_a_wav(music_constant())
    found = load_audio(file_of(tmp_path, whole))
    assert (found.samples.shape, found.notes) == ((1, 300_000), ())
    found = load_audio(file_of(tmp_path, whole[: len(whole) // 2]))
    missing, promised = map(int, re.search(r"(\d+) of (\d+) samples are missing", found.notes[0]).groups())
    assert abs(promised - 300_000) < 3 * 1152
    assert abs(found.samples.shape[1] + missing - promised) < 3 * 1152


def test_damage_in_an_mp3_is_told(tmp_path):
    """Zeros instead of frames, in one that counts them and in one that does not; and one that ends within a frame."""
    for content in (music(), sounds.without_counting_frame(music())):
        found = load_audio(file_of(tmp_path, patched(content, len(content) // 2, bytes(5000))))
        assert 265_000 < found.samples.shape[1] < 299_000
        assert "missing" in found.notes[0]
    found = load_audio(file_of(tmp_path, sounds.without_counting_frame(music())[:-10]))
    assert found.notes == (
        "its last frame is cut, so its end is missing: the file was cut short; copy or download it again",
    )


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_a_damaged_sample_dump_is_counted_and_nothing_is_printed(tmp_path, capfd, subtype):
    """Of damaged blocks libsndfile prints on standard output what it thinks, between the lines of `--json`."""
    whole = coded(tone(8000, 8000), 8000, "SDS", subtype)
    n_whole = 8000 + -8000 % {"PCM_S8": 60, "PCM_16": 40, "PCM_24": 30}[subtype]
    for content in (patched(whole, 2000, b"U" * 300), whole[:2000] + whole[2100:], whole[: len(whole) // 2]):
        found = load_audio(file_of(tmp_path, content))
        n = found.samples.shape[1]
        assert 3000 < n < 8000
        assert found.notes[0].startswith(f"{n_whole - n} of {n_whole} samples")
    with pytest.raises(AudioformerError, match="holds 0 samples|not a readable sound file"):
        load_audio(file_of(tmp_path, whole[:21] + b"U" * 500))
    assert capfd.readouterr().out == ""


def test_a_stretch_before_the_damage_is_read_without_a_word(tmp_path):
    content = coded(tone(10 * N), form="FLAC")
    found = load_audio(file_of(tmp_path, content[: len(content) // 2]), start_s=1.0, duration_s=2.0)
    assert (found.samples.shape, found.notes) == ((1, 2 * N), ())


def test_a_wav_beyond_four_gibibytes(tmp_path):
    """Its size field has wrapped; the file has holes, so it takes no room on the disk."""
    frame, rate = 16, 192_000  # eight channels of 16 bits
    n = (2**32 + 16_000_000) // frame
    header = coded(np.zeros((1, 8)), rate)[:44]
    header = patched(
        patched(header, 40, struct.pack("<I", n * frame % 2**32)), 4, struct.pack("<I", (n * frame + 36) % 2**32)
    )
    path = file_of(tmp_path, header)
    with open(path, "r+b") as file:
        file.truncate(44 + n * frame)
        file.seek(44 + (n - 1000) * frame)
        file.write(b"\0\x40" * 8)
    found = load_audio(path, start_s=(n - 2000) / rate, mono=True)
    assert found.samples.shape == (1, 2000)
    assert float(found.samples[0, 1000]) == 0.5
    assert "all that is there was read" in found.notes[0]


def test_a_flac_that_unpacks_to_hours_is_refused_before_or_while_it_is_read(tmp_path):
    flac = coded(np.zeros(400 * 4000), 4000, "FLAC")
    assert len(flac) < 20_000
    for content in (flac, sounds.without_length(flac)):
        with pytest.raises(AudioformerError, match="longer than the 60 s allowed; cut it first"):
            load_audio(file_of(tmp_path, content), max_s=60)
    absurd = int.from_bytes(flac[18:26], "big") | (1 << 36) - 1
    found = load_audio(file_of(tmp_path, patched(flac, 18, absurd.to_bytes(8, "big"))))
    assert found.samples.shape == (1, 400 * 4000)


def test_a_macs_hidden_neighbour_does_no_harm(tmp_path):
    """Beside "a.mp3", libsndfile looks for "._a.mp3" and reads that one."""
    path = file_of(tmp_path, music(), "a.mp3")
    file_of(tmp_path, b"\0\5\x16\7" + bytes(4092), "._a.mp3")
    assert load_audio(path).samples.shape == (1, 300_000)


NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, (5 * N, 1)).astype(np.float32)
REFUSED = {
    "pointer.wav": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "Git LFS.*git lfs pull",
    ),
    "annex.wav": (b"/annex/objects/MD5E-s0--d41d8\n", "git-annex.*git annex get"),
    "page.wav": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page; download the sound itself"),
    "message.ogg": (b'{"error": "not found"}' + b" " * 50, "is a JSON text, perhaps a server's message"),
    "set.wav": (b"PK\x03\x04" + bytes(range(100)), "is a zip archive; unpack it"),
    "zeros.wav": (bytes(5000), "holds zeros only; copy or download it again"),
    "notes.wav": (b"MThd" + bytes(range(60)), "is MIDI: notes, no sound"),
    "song.raw": (bytes(range(1, 200)), "no header that says its rate; give its samples as an array"),
    "list.mp3": (b"#EXTM3U\nhttp://example.org/a.mp3\n", "is a list of addresses"),
    "cover.mp3": (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a picture"),
    "begin.wav": (coded()[:30], "is a WAV that is damaged, or ends before its sound begins"),
    "begin.ogg": (coded(form="OGG")[:100], "is an Ogg file that is damaged, or ends before its sound begins"),
    "begin4.wav": (b"RIFX", "not a readable sound file"),
    "text.wav": (wav().decode("utf-8", "replace").encode(), "as if it were text, so its sound is lost.*binary mode"),
    "telephone.wav": (
        coded(tone(8000, 8000), 8000).decode("utf-8", "replace").encode(),  # its header holds no byte beyond 127
        "as if it were text",
    ),
    "lines.wav": (coded(NOISE).replace(b"\n", b"\r\n"), "as if it were text"),
    "lines.mp3": (coded(NOISE, form="MP3").replace(b"\n", b"\r\n"), "as if it were text"),
    "base64.wav": (base64.b64encode(wav()), "is a sound written as text .base64.; decode it"),
    "address.wav": (b"data:audio/wav;base64," + base64.b64encode(wav()), "written as text .base64.; decode what"),
    "memo.dss": (b"\2dss" + bytes(range(200)), "a dictation machine's recording .*maker's program"),
    "neighbour.wav": (b"\0\5\x16\7" + bytes(60), 'what a Mac writes beside a file .*without "._"'),
    "project.aup3": (b"SQLite format 3\0" + bytes(99), "perhaps a project of Audacity; export the sound"),
    "missing.wav": (b"404: Not Found", "is a text that begins '404: Not Found'; download the sound itself"),
    "table.wav": ("\ufefffile,class\n".encode("utf-16-le"), "is a text that begins 'file,class'"),
    "sounds.wav": (b"a.wav".ljust(257, b"\0") + b"ustar" + bytes(250) + wav(), "is a tar archive; unpack it"),
    "strange.wav": (patched(wav(), 20, b"\x34\x12"), "in a coding that is not decoded here .(?!.*attribute)"),
    "wide.wav": (patched(wav(), 22, struct.pack("<H", 2000)), "(gives no possible rate or channels|damaged)"),
    "array.wav": (b"\x93NUMPY\1\0v\0{}" + bytes(99), "is numbers of NumPy; give them as an array"),
    "line.ulaw": (bytes(range(1, 200)), "no header that says its rate"),
    "slow.wav": (
        patched(coded(), 24, struct.pack("<I", 1)),
        "sample_rate=1 must be a whole number of Hz in 1000-1000000",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_the_file_is(tmp_path, name):
    content, message = REFUSED[name]
    with pytest.raises(AudioformerError, match=message) as refused:
        load_audio(file_of(tmp_path, content, name))
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


PHONES = {  # ending: (format of PyAV, codec, what it is called)
    "m4a": ("ipod", "aac", "an MPEG-4 recording"),
    "3gp": ("3gp", "aac", "a 3GP recording"),
    "mov": ("mov", "aac", "a QuickTime recording"),
    "aac": ("adts", "aac", "AAC sound"),
    "webm": ("webm", "libopus", "a WebM or Matroska recording"),
    "wma": ("asf", "wmav2", "Windows Media sound"),
}


def phone(path: Path, form: str, codec: str, n: int = N, n_tracks: int = 1) -> Path:
    """A phone's recording of a tone, on one track or on several."""
    av = pytest.importorskip("av", reason="needs PyAV: pip install 'audioformer[phones]'")
    with av.open(str(path), "w", format=form) as file:
        for stream in [file.add_stream(codec, rate=48_000, layout="mono") for _ in range(n_tracks)]:
            stream.bit_rate = 64_000
            samples = av.AudioFrame.from_ndarray(tone(n).T.copy(), format="fltp", layout="mono")
            samples.sample_rate = 48_000
            resampler = av.AudioResampler(
                format=stream.format, layout="mono", rate=48_000, frame_size=stream.frame_size or 1024
            )
            for frame in [*resampler.resample(samples), *resampler.resample(None)]:
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return path


OTHERS = {"ac3": ("ac3", "ac3"), "flv": ("flv", "aac"), "mpg": ("mpeg", "mp2"), "ts": ("mpegts", "aac")}


@pytest.mark.parametrize("ending", OTHERS)
def test_broadcasts_and_films_are_decoded(tmp_path, ending):
    found = load_audio(phone(tmp_path / f"a.{ending}", *OTHERS[ending]))
    assert abs(found.samples.shape[1] - N) < 2500


def test_a_phones_recording_with_something_before_it_is_decoded(tmp_path):
    """An ID3 tag, as in pieces of a radio stream; a free stretch, as cameras leave it."""
    content = phone(tmp_path / "a.aac", "adts", "aac").read_bytes()
    found = load_audio(file_of(tmp_path, b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + content))
    assert abs(found.samples.shape[1] - N) < 2500
    content = phone(tmp_path / "a.m4a", "ipod", "aac").read_bytes()
    at = content.index(b"stco") + 8
    n = struct.unpack(">I", content[at : at + 4])[0]
    places = struct.unpack(f">{n}I", content[at + 4 : at + 4 + 4 * n])
    content = patched(content, at + 4, struct.pack(f">{n}I", *(place + 8 for place in places)))
    for name in (b"free", b"wide", b"skip"):
        found = load_audio(file_of(tmp_path, struct.pack(">I", 8) + name + content))
        assert abs(found.samples.shape[1] - N) < 2500


@pytest.mark.parametrize("ending", PHONES)
def test_phones_recordings_are_decoded_or_named(tmp_path, monkeypatch, ending):
    form, codec, name = PHONES[ending]
    path = phone(tmp_path / f"memo.{ending}", form, codec)
    found = load_audio(path, 24_000, mono=True)
    assert abs(found.samples.shape[1] - 24_000) < 2500  # coders add a moment of silence at either end
    assert float(found.samples.std()) == pytest.approx(0.35, abs=0.03)
    assert found.notes == ()
    for module in ("reading.files", "reading.reader"):
        monkeypatch.setattr(f"audioformer.{module}.has_pyav", lambda: False)
    with pytest.raises(AudioformerError, match=rf"memo.{ending}: is {name}.*audioformer\[phones\].*ffmpeg -i"):
        load_audio(path)


def test_a_phones_recording_that_was_cut_is_told(tmp_path):
    path = phone(tmp_path / "memo.webm", "webm", "libopus", 10 * N)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = load_audio(path)
    assert 3 * N < found.samples.shape[1] < 7 * N
    assert "missing" in found.notes[0]


def test_a_list_of_files_is_never_let_to_open_others(tmp_path):
    pytest.importorskip("av", reason="needs PyAV: pip install 'audioformer[phones]'")
    secret = file_of(tmp_path, coded(), "secret.wav")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n"
    for name, content in (("a.m4a", playlist), ("b.m4a", f"ffconcat version 1.0\nfile '{secret}'\n")):
        with pytest.raises(AudioformerError, match="not a readable sound file"):
            load_audio(file_of(tmp_path, content.encode(), name))


# accepted, and wrong


@pytest.mark.parametrize("level", [1.0, 0.9])
def test_opposite_channels_do_not_become_silence(tmp_path, level):
    sine = tone()
    stereo = np.concatenate([sine, -level * sine], 1)
    path = tmp_path / "a.wav"
    soundfile.write(path, stereo, N)
    found = load_audio(path, mono=True)
    np.testing.assert_allclose(found.samples[0].numpy(), sine[:, 0] * (1 + level) / 2, atol=1e-3)
    assert found.notes == ("its two channels are each other's opposite and cancel out; the second was turned over",)
    batch = to_batch(load_audio(path), None, N)
    np.testing.assert_allclose(batch[0].numpy(), found.samples.numpy(), atol=1e-6)
    assert load_audio(path).notes == ()


@pytest.mark.parametrize("signs", [(1, -1, 1, -1), (0.5, -1, 0.5), (0.25, -0.5, 0.25, 0, 0, 0)])
def test_of_several_channels_that_cancel_out_the_loudest_is_heard(tmp_path, signs):
    """As balanced lines on a recorder of four tracks."""
    channels = np.concatenate([sign * tone() for sign in signs], 1)
    loudest = max(range(len(signs)), key=lambda number: abs(signs[number]))
    soundfile.write(tmp_path / "a.wav", channels, N, subtype="FLOAT")
    found = load_audio(tmp_path / "a.wav", mono=True)
    np.testing.assert_array_equal(found.samples[0].numpy(), channels[:, loudest])
    assert found.notes == ("its channels cancel out in their mean; only the loudest one is heard",)
    np.testing.assert_array_equal(to_batch(load_audio(tmp_path / "a.wav"), None, N)[0].numpy(), found.samples.numpy())


def test_a_level_off_zero_is_no_sound(tmp_path):
    """A constant is silence, and a quiet sound beside one is quiet."""
    for sound, level_db in ((np.full((N, 1), 0.25), -100), (0.25 + 0.001 * tone(), -69)):
        soundfile.write(tmp_path / "a.wav", sound, N, subtype="FLOAT")
        assert load_audio(tmp_path / "a.wav").level_db == pytest.approx(level_db, abs=0.1)


def test_bytes_stored_as_floats_are_scaled(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.round(128 + 127 * tone()), N, subtype="FLOAT")
    found = load_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(found.samples[0].numpy(), tone()[:, 0], atol=0.01)
    assert found.notes == ("its numbers are 8-bit ones stored as floats; scaled to +-1",)


def test_what_is_no_file_is_named(tmp_path):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(AudioformerError, match="is a pipe or a device, not a file; save the sound in a file"):
            load_audio(tmp_path / "pipe.wav")
    os.symlink("nowhere", tmp_path / "link.wav")
    with pytest.raises(AudioformerError, match="is a link to what is not here; get the sound itself"):
        load_audio(tmp_path / "link.wav")
    with pytest.raises(AudioformerError, match="is an address, not a file name; download the sound first"):
        load_audio("https://example.org/a.wav")


def test_ordinary_stereo_is_averaged_as_ever(tmp_path):
    rng = np.random.default_rng(0)
    stereo = rng.uniform(-0.5, 0.5, (N, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", stereo, N, subtype="FLOAT")
    found = load_audio(tmp_path / "a.wav", mono=True)
    np.testing.assert_array_equal(found.samples[0].numpy(), stereo.mean(1))
    assert found.notes == ()
    soundfile.write(tmp_path / "a.wav", np.zeros((N, 2)), N)
    assert load_audio(tmp_path / "a.wav", mono=True).notes == ()


@pytest.mark.parametrize(("channels", "name"), [(32, "a.wav"), (4, "a.amb"), (16, "a.wav")])
def test_of_an_array_of_microphones_one_is_heard(tmp_path, channels, name):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (N, channels)).astype(np.float32)
    path = tmp_path / name
    soundfile.write(path, samples, N, subtype="FLOAT", format="WAV")
    found = load_audio(path, mono=True)
    np.testing.assert_array_equal(found.samples[0].numpy(), samples[:, 0])
    assert "only the first of its channels is heard" in found.notes[0]
    assert load_audio(path).samples.shape == (channels, N)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_whole_numbers_stored_as_floats_are_scaled(tmp_path, bits):
    numbers = np.round(tone()[:, 0].astype(np.float64) * 2 ** (bits - 1))
    soundfile.write(tmp_path / "a.wav", numbers, N, subtype="DOUBLE")
    found = load_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(found.samples[0].numpy(), tone()[:, 0], atol=2**-14)
    assert found.notes == (f"its numbers are {bits}-bit ones stored as floats; scaled to +-1",)


def test_floats_far_beyond_full_scale_are_made_quieter(tmp_path):
    soundfile.write(tmp_path / "a.wav", 20 * tone(), N, subtype="FLOAT")
    found = load_audio(tmp_path / "a.wav")
    assert float(found.samples.abs().max()) == pytest.approx(1.0)
    assert found.notes == ("its samples reach 10 times full scale; made 20 dB quieter",)
    soundfile.write(tmp_path / "a.wav", 2.4 * tone(), N, subtype="FLOAT")
    assert float(load_audio(tmp_path / "a.wav").samples.max()) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (2_000, "recorded at 2000 Hz: holds nothing above 1000 Hz"),
        (96_000, "recorded at 96000 Hz: only what lies below 12000 Hz is heard"),
        (500_000, "recorded at 500000 Hz: only what lies below 12000 Hz is heard"),
        (8_000, ""),
        (44_100, ""),
        (48_000, ""),
    ],
)
def test_slow_and_fast_recordings_are_read_and_it_is_said_what_is_heard(tmp_path, rate, said):
    soundfile.write(tmp_path / "a.wav", tone(rate, rate), rate)
    found = load_audio(tmp_path / "a.wav", 24_000)
    assert found.samples.shape == (1, 24_000)
    assert found.notes == ((said,) if said else ())
    assert load_audio(tmp_path / "a.wav").notes == ()


def test_levels():
    sine = Waveform(load_tone(), N)
    assert sine.level_db == pytest.approx(-9.03, abs=0.01)
    assert Waveform(sine.samples * 0, N).level_db == -100
    hour = torch.cat([sine.samples * 0.001] * 60 + [sine.samples[:, : N // 2]], 1)
    assert Waveform(hour, N).level_db == pytest.approx(-9.03, abs=0.01)  # a bark in a quiet night is no quiet sound
    assert Waveform(sine.samples[:, :1], N).level_db == -100


def load_tone():
    return to_batch(tone()[:, 0], N, N)[0]


def test_the_checksum_of_ogg_pages():
    for page in sounds.pages(coded(form="OGG")):
        assert page[22:26] == struct.pack("<I", sounds.slow_ogg_checksum(page))


UNWRITTEN = [("AIFF", "DWVW_12"), ("WAV", "MPEG_LAYER_III")]  # libsndfile reads them, but cannot write them
WRITTEN = [
    (form, subtype)
    for form in soundfile.available_formats()
    for subtype in soundfile.available_subtypes(form)
    if form not in ("RAW", "SD2", "MP3") and (form, subtype) not in UNWRITTEN
]


@pytest.mark.parametrize(("form", "subtype"), WRITTEN)
def test_every_format_and_coding_of_libsndfile_comes_whole(tmp_path, form, subtype):
    path = file_of(tmp_path, coded(tone(8000, 8000), 8000, form, subtype))
    found = load_audio(path)
    assert 8000 <= found.samples.shape[1] <= 8512  # whole blocks
    assert found.notes == ()
    start, n = round(0.05 * found.sample_rate), round(0.1 * found.sample_rate)  # XI knows one rate only
    part = load_audio(path, start_s=0.05, duration_s=0.1)
    assert part.notes == ()
    assert float((part.samples - found.samples[:, start : start + n]).abs().max()) < 0.02


def test_a_refusal_names_nothing_but_the_file(tmp_path):
    (tmp_path / "notes.wav").write_bytes(b"not audio \x01\x02 at all")
    says = r"^notes\.wav: not a readable sound file \(Format not recognised\); use"
    with pytest.raises(AudioformerError, match=says):
        load_audio(tmp_path / "notes.wav")
