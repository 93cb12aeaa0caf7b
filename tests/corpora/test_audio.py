import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_audio
from nserbench.errors import BadAudio
from nserbench.upstreams import base as upstreams

WriteAudio = Callable[..., Path]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 72862\n"


def noise(samples: int, channels: int = 1) -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(0, 0.1, (samples, channels))
    return drawn.squeeze().astype(np.float32)


def test_rate_is_the_one_that_upstreams_expect() -> None:
    assert SAMPLE_RATE == upstreams.SAMPLE_RATE


def test_16_khz_mono_is_read_bit_for_bit(write_audio: WriteAudio) -> None:
    wave = noise(1600)

    read = read_audio(write_audio("a.wav", wave))

    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, wave)


def test_channels_are_averaged(write_audio: WriteAudio) -> None:
    wave = noise(1600, channels=2)

    read = read_audio(write_audio("a.wav", wave))

    np.testing.assert_allclose(read, wave.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_other_rates_become_16_khz(write_audio: WriteAudio, rate: int) -> None:
    seconds = np.arange(rate) / rate
    wave = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)

    read = read_audio(write_audio("a.wav", wave, rate))

    expected = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    assert len(read) == SAMPLE_RATE
    np.testing.assert_allclose(read[1000:-1000], expected[1000:-1000], atol=1e-4)


def test_nothing_above_8_khz_folds_back(write_audio: WriteAudio) -> None:
    seconds = np.arange(48_000) / 48_000
    wave = np.sin(2 * np.pi * 9000 * seconds).astype(np.float32)

    read = read_audio(write_audio("a.wav", wave, 48_000))

    _, power = scipy.signal.welch(read[1000:-1000], SAMPLE_RATE)
    assert 10 * np.log10(power.max()) < -120


def test_a_part_equals_that_part_of_the_whole_file(write_audio: WriteAudio) -> None:
    path = write_audio("a.flac", noise(16_000))

    part = read_audio(path, start=0.25, end=0.75)

    np.testing.assert_array_equal(part, read_audio(path)[4000:12_000])


def test_only_the_wanted_part_is_looked_at(write_audio: WriteAudio) -> None:
    wave = noise(16_000)
    wave[12_000:] = np.nan

    part = read_audio(write_audio("a.wav", wave), end=0.75)

    np.testing.assert_array_equal(part, wave[:12_000])


def test_an_end_rounded_up_is_the_end_of_the_file(write_audio: WriteAudio) -> None:
    path = write_audio("a.wav", noise(1600))

    assert len(read_audio(path, end=0.15)) == 1600


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (0.2, None, "holds no samples from 0.2 s on: it lasts 0.100 s"),
        (0.1, 0.2, "holds no samples from 0.1 s on: it lasts 0.100 s"),
        (0.05, 0.3, "lasts 0.100 s, but is wanted up to 0.3 s"),
    ],
)
def test_a_part_beyond_the_end_is_refused(
    write_audio: WriteAudio, start: float, end: float | None, problem: str
) -> None:
    path = write_audio("a.wav", noise(1600))

    with pytest.raises(BadAudio, match=re.escape(f"{path} {problem}; ")):
        read_audio(path, start, end)


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (np.zeros(0), "holds no samples"),
        (np.zeros(1600), "is silent throughout"),
        (np.full(1600, 0.25), "is silent throughout"),
        (np.array([0.1, np.nan, 0.2]), "has samples that are NaN or infinite"),
        (np.array([0.1, -np.inf, 0.2]), "has samples that are NaN or infinite"),
        (np.array([[np.inf, -np.inf], [0, 0.1]]), "has samples that are NaN or"),
        (np.array([[0.5, -0.5], [0.25, -0.25]]), "is silent as mono: its channels"),
    ],
)
def test_unusable_samples_are_refused(
    write_audio: WriteAudio, samples: NDArray[np.float64], problem: str
) -> None:
    path = write_audio("a.wav", samples.astype(np.float32))

    with pytest.raises(BadAudio, match=re.escape(f"{path} {problem}")):
        read_audio(path)


def test_silence_is_recognised_at_any_rate(write_audio: WriteAudio) -> None:
    path = write_audio("a.wav", np.full(4410, 0.25, np.float32), 44_100)

    with pytest.raises(BadAudio, match="is silent throughout"):
        read_audio(path)


def test_a_clip_that_resampling_leaves_empty_is_refused(
    write_audio: WriteAudio,
) -> None:
    path = write_audio("a.wav", np.array([0.1, 0.2], np.float32), 192_000)

    with pytest.raises(BadAudio, match="is too short for a single sample"):
        read_audio(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.au", "a.mp3"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, noise(48_000), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    with pytest.raises(BadAudio, match=re.escape(f"{path} ")):
        read_audio(path)


def test_a_wav_that_was_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1600), 16_000)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4  # the size is not known beforehand
    path.write_bytes(content)

    assert len(read_audio(path)) == 1600


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.wav", b"no audio at all", "cannot be read (Format not recognised)"),
        ("a.wav", b"", "is empty (0 bytes)"),
        ("a.raw", b"12" * 100, "cannot be read (a raw file has no header"),
        ("a.wav", POINTER, "is a git-lfs pointer, not the file itself"),
        ("a.mp4", POINTER, "is a git-lfs pointer, not the file itself"),
        ("a.flac", b"\n<!DOCTYPE HTML><html>", "is a web page, not the file itself"),
    ],
)
def test_what_is_no_audio_is_refused(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(BadAudio, match=re.escape(f"{path} {problem}")):
        read_audio(path)


@pytest.mark.parametrize("name", ["missing.wav", "x" * 300, "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    with pytest.raises(BadAudio, match=re.escape(f"{path} cannot be read")):
        read_audio(path)


def test_the_message_is_one_line_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadAudio) as caught:
        read_audio(tmp_path / "a.wav")

    assert str(caught.value) == (
        f"{tmp_path}/a.wav cannot be read (No such file or directory); "
        "replace the file, or exclude the utterance with exclude=FILE"
    )


def test_digest_is_that_of_the_samples() -> None:
    wave = noise(10)

    expected = hashlib.blake2b(wave.tobytes(), digest_size=16).hexdigest()
    assert audio_digest(wave) == expected
    assert audio_digest(np.repeat(wave, 2)[::2]) == expected
    assert audio_digest(wave[:-1]) != expected


def test_real_speech_has_the_published_length(test_data: Path) -> None:
    wave = read_audio(test_data / "corpus/emodb/wav/03a01Fa.flac")

    assert len(wave) == 30_372  # labels.csv
