import re
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from nserbench.corpora.audio import read_audio
from nserbench.corpora.audio_headers import read_header
from nserbench.errors import BadAudio

RATE = 16_000
LENGTH = 1600
SIZE_AT = 40  # of the audio, in the header that the module wave writes

Bytes = bytearray


def samples(length: int = LENGTH) -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(0, 0.1, length)
    return drawn.clip(-0.9, 0.9).astype(np.float32)


def sound_file(path: Path, kind: str, subtype: str | None = None) -> Path:
    soundfile.write(path, samples(), RATE, format=kind, subtype=subtype)
    return path


def wav(path: Path, change: Callable[[Bytes], object] = bytes) -> Path:
    """Write 16-bit mono with the plainest header, and change its bytes."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples() * 2**15).astype("<i2").tobytes())
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return path


def claim(size: int) -> Callable[[Bytes], object]:
    return lambda content: struct.pack_into("<I", content, SIZE_AT, size)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("AIFF", None),
        ("AU", None),
        ("AVR", None),
        ("CAF", None),
        ("NIST", None),
        ("OGG", "OPUS"),
        ("OGG", "VORBIS"),
        ("RF64", None),
        ("SVX", None),
        ("VOC", None),
        ("W64", None),
        ("W64", "GSM610"),
        ("WAV", None),
        ("WAV", "G721_32"),
        ("WAV", "MS_ADPCM"),
        ("WAVEX", None),
    ],
)
def test_the_header_shows_that_a_file_is_cut_off(
    tmp_path: Path, kind: str, subtype: str | None
) -> None:
    path = sound_file(tmp_path / "a", kind, subtype)
    assert read_header(path).frames >= LENGTH
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])

    with pytest.raises(BadAudio, match="cut off"):
        read_header(path)
    with pytest.raises(BadAudio, match=re.escape(f"{path} ") + ".*cut off"):
        read_audio(path)


@pytest.mark.parametrize("kind", ["FLAC", "MP3"])
def test_decoding_shows_that_a_compressed_file_is_cut_off(
    tmp_path: Path, kind: str
) -> None:
    path = sound_file(tmp_path / "a", kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 7 // 10])

    with pytest.raises(BadAudio, match="is cut off or damaged"):
        read_audio(path)


@pytest.mark.parametrize("more", [1, 44, 300])
def test_a_few_bytes_too_many_in_the_header_are_tolerated(
    tmp_path: Path, more: int
) -> None:
    path = wav(tmp_path / "a.wav", claim(2 * LENGTH + more))

    np.testing.assert_array_equal(read_audio(path), read_audio(wav(tmp_path / "b.wav")))
    assert read_header(path).frames == LENGTH


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_wav_that_was_never_closed_is_read_to_its_end(
    tmp_path: Path, size: int
) -> None:
    path = wav(tmp_path / "a.wav", claim(size))

    np.testing.assert_array_equal(read_audio(path), read_audio(wav(tmp_path / "b.wav")))
    assert read_header(path).frames == LENGTH


def test_a_part_of_a_wav_that_was_never_closed_is_read(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", claim(0))

    part = read_audio(path, 0.01, 0.05)

    np.testing.assert_array_equal(part, read_audio(wav(tmp_path / "b.wav"))[160:800])


def test_a_wav_without_audio_holds_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), RATE)

    with pytest.raises(BadAudio, match="holds no samples"):
        read_audio(path)


@pytest.mark.parametrize("size", [2, 1000, 2 * LENGTH - 500])
def test_a_size_smaller_than_the_audio_is_refused(tmp_path: Path, size: int) -> None:
    path = wav(tmp_path / "a.wav", claim(size))

    problem = f"has a wrong header: it says {size} bytes of audio, but "
    with pytest.raises(BadAudio, match=problem):
        read_audio(path)
    with pytest.raises(BadAudio, match=problem):
        read_header(path)


@pytest.mark.parametrize(
    "behind",
    [
        b"LIST" + struct.pack("<I", 12) + b"INFOISFT\0\0\0\0",
        b"id3 " + struct.pack("<I", 400) + bytes(range(1, 201)) * 2,
        b"TAG" + b"\xffname" * 100,
        bytes(5000),
        bytes(range(128, 248)),
    ],
    ids=["chunk", "tag as chunk", "tag", "zeros", "4 ms of something"],
)
def test_what_may_follow_the_audio_changes_nothing(
    tmp_path: Path, behind: bytes
) -> None:
    path = wav(tmp_path / "a.wav", lambda content: content.extend(behind))

    np.testing.assert_array_equal(read_audio(path), read_audio(wav(tmp_path / "b.wav")))


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16"])
def test_codecs_without_seeking_are_read_whole_and_in_part(
    tmp_path: Path, subtype: str
) -> None:
    path = sound_file(tmp_path / "a.wav", "WAV", subtype)

    whole = read_audio(path)
    part = read_audio(path, 0.025, 0.075)

    assert LENGTH <= len(whole) <= LENGTH + 320  # a codec fills up its last block
    np.testing.assert_array_equal(part, whole[400:1200])


def without_length(path: Path, content: NDArray[np.float32]) -> Path:
    """Write FLAC as a program does that writes to a pipe: it cannot tell the length."""
    soundfile.write(path, content, RATE)
    changed = bytearray(path.read_bytes())
    changed[21] &= 0xF0
    changed[22:26] = bytes(4)  # 36 bits: the number of samples
    changed[26:42] = bytes(16)  # their MD5
    path.write_bytes(changed)
    return path


def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    long = samples(150_000)
    path = without_length(tmp_path / "a.flac", long)
    soundfile.write(tmp_path / "b.flac", long, RATE)

    whole = read_audio(tmp_path / "b.flac")
    np.testing.assert_array_equal(read_audio(path), whole)
    np.testing.assert_array_equal(read_audio(path, 5.0, 9.0), whole[80_000:144_000])
    assert read_header(path).frames == 150_000


def test_an_end_beyond_a_flac_of_unknown_length_is_refused(tmp_path: Path) -> None:
    path = without_length(tmp_path / "a.flac", samples())

    with pytest.raises(BadAudio, match=r"lasts 0\.100 s, but is wanted up to 0\.3 s"):
        read_audio(path, 0.0, 0.3)


def test_a_rate_that_nobody_records_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, samples(), 1)

    with pytest.raises(BadAudio, match="says that its sample rate is 1 Hz"):
        read_audio(path)
    with pytest.raises(BadAudio, match="says that its sample rate is 1 Hz"):
        read_header(path)


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (RATE, 1), (8_000, 1)])
def test_blocks_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, channels: int
) -> None:
    drawn = np.random.default_rng(0).normal(0, 0.1, (rate, channels))
    paths = [tmp_path / f"a.{ending}" for ending in ("wav", "mp3", "ogg", "flac")]
    for path in paths:
        soundfile.write(path, drawn, rate)
    whole = [read_audio(path) for path in paths]

    monkeypatch.setattr("nserbench.corpora.sound_files.BLOCK", 777)

    for path, expected in zip(paths, whole, strict=True):
        np.testing.assert_array_equal(read_audio(path), expected)


def test_a_size_beyond_any_file_is_no_chunk(tmp_path: Path) -> None:
    file = tmp_path / "a.w64"
    soundfile.write(file, np.zeros(100), 16_000, "PCM_16", format="W64")
    content = bytearray(file.read_bytes())
    content[56:64] = (2**64 - 24).to_bytes(8, "little")  # of the first chunk
    file.write_bytes(content)

    with pytest.raises(BadAudio):
        read_audio(file)


SIZES = {  # where each format has the size of its audio, how, and what the size counts
    "AIFF": (b"SSND", 4, ">I", 8),
    "CAF": (b"data", 4, ">q", 4),
    "RF64": (b"ds64", 16, "<Q", 0),
    "W64": (b"data", 16, "<Q", 24),
    "WAV": (b"data", 4, "<I", 0),
}


def with_size(path: Path, kind: str, size: int) -> Path:
    """Write a sound file whose header says a number of bytes of audio."""
    content = bytearray(sound_file(path, kind).read_bytes())
    name, after, form, _ = SIZES[kind]
    struct.pack_into(form, content, content.index(name) + after, size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "size"), [*((kind, 0) for kind in SIZES), ("CAF", -1)]
)
def test_a_file_that_does_not_know_its_size_is_read_to_its_end(
    tmp_path: Path, kind: str, size: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = with_size(tmp_path / "a", kind, size)

    np.testing.assert_array_equal(
        read_audio(path), read_audio(sound_file(tmp_path / "b", kind))
    )
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_that_is_too_small_is_refused(tmp_path: Path, kind: str) -> None:
    path = with_size(tmp_path / "a", kind, LENGTH + SIZES[kind][3])

    with pytest.raises(BadAudio, match=r"has a wrong header|is cut off"):
        read_audio(path)
