"""Sound in mp4 and other containers; the files are made here with PyAV's encoders."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from nserbench.corpora.audio import SAMPLE_RATE, read_audio
from nserbench.corpora.containers import SUFFIXES
from nserbench.errors import BadAudio

Floats = NDArray[np.float32]

RATE = 48_000
TONES = {"FL": 300, "FR": 500, "FC": 700, "LFE": 60, "BL": 1100, "BR": 1300, "BC": 1700}
CODECS = {".avi": "mp3", ".m4a": "aac", ".mkv": "aac", ".mp4": "aac", ".webm": "opus"}


def tones(layout: str, seconds: float = 0.5) -> Floats:
    """Return each channel a tone of its own, in Hz as in TONES."""
    time = np.arange(round(seconds * RATE)) / RATE
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    waves = [np.sin(2 * np.pi * TONES[name] * time) for name in names]
    return (0.3 * np.stack(waves)).astype(np.float32)


def hiss(seconds: float = 0.5, rate: int = RATE) -> Floats:
    """Return noise below 4 kHz, which codecs keep well."""
    drawn = np.random.default_rng(0).normal(0, 0.3, round(seconds * rate))
    low = scipy.signal.sosfilt(
        scipy.signal.butter(8, 4000, fs=rate, output="sos"), drawn
    )
    return np.asarray(low, dtype=np.float32)[None]


def write(
    path: Path,
    waves: Floats | None,
    layout: str = "mono",
    codec: str | None = None,
    rate: int = RATE,
    first: bool = True,
    pictures_for: float = 0.1,
) -> Path:
    """Write sound ``(channels, samples)``, a picture every tenth of a second beside it.

    Where ``first``, an mp4's index comes before its packets. The pictures go on for as
    long as the sound does, or for so many seconds if that is longer.
    """
    samples = 0 if waves is None else waves.shape[1]
    length = max(samples, round(pictures_for * rate))
    options = {"movflags": "faststart"} if first and path.suffix == ".mp4" else {}
    with av.open(path, "w", options=options) as container:
        pictures = container.add_stream(
            "libvpx" if path.suffix == ".webm" else "mpeg4", rate=10
        )
        pictures.width = pictures.height = 32
        pictures.pix_fmt = "yuv420p"
        if waves is not None:
            name = codec or CODECS[path.suffix]
            sound = container.add_stream(
                {"opus": "libopus"}.get(name, name), rate=rate, layout=layout
            )
            sound.bit_rate = 96_000 * len(waves)
        black = np.zeros((32, 32, 3), np.uint8)
        for place in range(-(-length * 10 // rate)):
            frame = av.VideoFrame.from_ndarray(black, format="rgb24")
            frame.pts = place
            container.mux(pictures.encode(frame))
            if waves is not None:
                part = slice(place * rate // 10, (place + 1) * rate // 10)
                encode(container, sound, waves[:, part], part.start, layout)
        container.mux(pictures.encode(None))
        if waves is not None:
            container.mux(sound.encode(None))
    return path


def encode(
    container: av.container.OutputContainer,
    sound: av.AudioStream,
    waves: Floats,
    start: int,
    layout: str,
) -> None:
    """Encode samples, whatever form the codec wants them in."""
    if not waves.shape[1]:
        return
    samples = np.ascontiguousarray(waves)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate = sound.rate
    frame.pts = start
    for converted in av.AudioResampler(sound.format.name).resample(frame):
        container.mux(sound.encode(converted))


def loudest(wave: Floats) -> int:
    """Return the one frequency, in Hz, that all but a thousandth of the power is at."""
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    peak = frequencies[power.argmax()]
    near = np.abs(frequencies - peak) < 20
    assert power[~near].sum() < power.sum() / 1000
    return min(TONES.values(), key=lambda tone: abs(tone - peak))


@pytest.mark.parametrize(
    ("layout", "heard"),
    [
        ("5.1", "FC"),
        ("5.0", "FC"),
        ("3.0", "FC"),
        ("mono", "FC"),
        ("stereo", "FL"),
        ("2.1", "FL"),  # the third of its channels is the subwoofer
        ("quad", "FL"),
    ],
)
def test_centre_is_found_by_its_name_in_the_layout(
    tmp_path: Path, layout: str, heard: str
) -> None:
    path = write(tmp_path / "a.mp4", tones(layout), layout)

    assert loudest(read_audio(path, channel="centre")) == TONES[heard]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize(
    ("layout", "heard"),
    [("mono", "FC"), ("stereo", "FL"), ("quad", "FL"), ("5.0", "FC"), ("5.1", "FC")],
)
def test_centre_of_wav_and_flac_is_the_third_channel(
    tmp_path: Path, name: str, layout: str, heard: str
) -> None:
    path = tmp_path / name
    soundfile.write(path, tones(layout).T, RATE)

    assert loudest(read_audio(path, channel="centre")) == TONES[heard]


@pytest.mark.parametrize("channel", [None, "downmix"])
@pytest.mark.parametrize("layout", ["5.1", "stereo"])
def test_all_channels_are_averaged_unless_one_is_asked_for(
    tmp_path: Path, channel: str | None, layout: str
) -> None:
    waves = tones(layout)
    path = write(tmp_path / "a.mkv", waves, layout, "pcm_f32le")
    wav = tmp_path / "a.wav"
    soundfile.write(wav, waves.mean(axis=0), RATE, subtype="FLOAT")

    read = read_audio(path, channel=channel)

    np.testing.assert_allclose(read, read_audio(wav), atol=1e-6)


def test_a_channel_with_another_name_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'left', not one of centre, downmix"):
        read_audio(tmp_path / "a.mp4", channel="left")


def test_every_container_has_a_codec_here() -> None:
    assert set(CODECS) == SUFFIXES


@pytest.mark.parametrize("ending", CODECS)
def test_sound_is_neither_moved_nor_cut(tmp_path: Path, ending: str) -> None:
    wave = hiss()
    wav = tmp_path / "a.wav"
    soundfile.write(wav, wave[0], RATE, subtype="FLOAT")
    expected = read_audio(wav)

    read = read_audio(write(tmp_path / f"a{ending}", wave))

    assert read.dtype == np.float32
    likeness = scipy.signal.correlate(read, expected)
    moved = int(likeness.argmax()) - (len(expected) - 1)
    # An AVI has nowhere to say how many samples the encoder put before the first.
    assert moved == 0 or (ending == ".avi" and 0 < moved < 0.05 * SAMPLE_RATE)
    error = read[moved : moved + len(expected)] - expected
    assert np.square(error).mean() < np.square(expected).mean() / 8
    assert 0 <= len(read) - len(expected) - moved < 0.05 * SAMPLE_RATE


def test_what_fills_up_the_last_aac_frame_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", hiss(50_000 / RATE))

    assert len(read_audio(path)) == round(49 * 1024 / 3)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "flac"])
def test_lossless_16_khz_is_read_as_it_is(tmp_path: Path, codec: str) -> None:
    wave = hiss(rate=16_000).round(4)

    read = read_audio(write(tmp_path / "a.mkv", wave, codec=codec, rate=16_000))

    step = 0 if codec == "pcm_f32le" else 2**-14
    np.testing.assert_allclose(read, wave[0], rtol=0, atol=step)


def test_a_part_equals_that_part_of_the_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", hiss(1.0, 16_000), codec="pcm_f32le", rate=16_000)

    part = read_audio(path, start=0.25, end=0.75)

    np.testing.assert_array_equal(part, read_audio(path)[4000:12_000])


def test_a_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", hiss(0.5, 16_000), codec="pcm_f32le", rate=16_000)

    with pytest.raises(BadAudio, match=r"lasts 0\.500 s, but is wanted up to 0\.7 s"):
        read_audio(path, end=0.7)


def test_ending_may_be_in_capitals(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", tones("mono"))

    assert len(read_audio(path.rename(tmp_path / "A.MP4"))) == 24 * 1024 / 3


@pytest.mark.parametrize("rest", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("ending", CODECS)
def test_a_container_that_is_cut_off_is_refused(
    tmp_path: Path, ending: str, rest: float
) -> None:
    path = write(tmp_path / f"a{ending}", hiss(2.0))
    content = path.read_bytes()
    path.write_bytes(content[: round(rest * len(content))])

    with pytest.raises(BadAudio, match=re.escape(f"{path} ")):
        read_audio(path)


def test_an_mp4_that_ends_between_two_packets_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", hiss(2.0))
    with av.open(path) as container:
        middle = container.streams.audio[0].index_entries[40].pos
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:middle])

    with pytest.raises(BadAudio, match=rf"is cut off: {middle} of \d+ bytes") as caught:
        read_audio(path)

    assert int(re.findall(r"of (\d+) bytes", str(caught.value))[0]) <= whole


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", hiss(), first=False)
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(BadAudio, match=r"cannot be read \(Invalid data found"):
        read_audio(path)


@pytest.mark.parametrize("ending", CODECS)
def test_sound_may_end_before_the_pictures(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a{ending}", hiss(0.5), pictures_for=2.0)

    assert 0.5 <= len(read_audio(path)) / SAMPLE_RATE < 0.6


@pytest.mark.parametrize("ending", sorted(SUFFIXES))
def test_a_container_is_recognised_whatever_its_ending(
    tmp_path: Path, ending: str
) -> None:
    path = write(tmp_path / f"a{ending}", hiss(0.5))
    expected = read_audio(path)

    read = read_audio(path.rename(tmp_path / "a.wav"))

    np.testing.assert_array_equal(read, expected)


def test_damage_within_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", hiss(2.0))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = np.random.default_rng(0).bytes(4000)
    path.write_bytes(content)

    with pytest.raises(BadAudio, match=r"cannot be read \(Invalid data found"):
        read_audio(path)


def silent(path: Path) -> Path:
    return write(path, np.zeros((1, RATE // 2), np.float32))


def without_sound(path: Path) -> Path:
    return write(path, None)


def without_samples(path: Path) -> Path:
    return write(path.with_suffix(".mkv"), np.zeros((1, 0), np.float32), codec="flac")


def with_nan(path: Path) -> Path:
    waves = hiss()
    waves[0, 7000] = np.nan
    return write(path.with_suffix(".mkv"), waves, codec="pcm_f32le")


def empty(path: Path) -> Path:
    path.touch()
    return path


def text(path: Path) -> Path:
    path.write_text("no audio at all")
    return path


def missing(path: Path) -> Path:
    return path


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (silent, "is silent throughout"),
        (without_sound, "has no sound: none of its streams is audio"),
        (without_samples, "holds no samples"),
        (with_nan, "has samples that are NaN or infinite"),
        (empty, "is empty (0 bytes)"),
        (text, "cannot be read (Invalid data found"),
        (missing, "cannot be read (No such file or directory)"),
    ],
)
def test_an_unusable_container_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], Path], problem: str
) -> None:
    path = make(tmp_path / "a.mp4")

    with pytest.raises(BadAudio, match=re.escape(f"{path} {problem}")):
        read_audio(path)


def test_a_layout_that_changes_midway_is_followed(tmp_path: Path) -> None:
    halves: Sequence[str] = ("5.1", "mono")
    joined = tmp_path / "joined.aac"
    with joined.open("wb") as file:
        for layout in halves:
            part = tmp_path / f"{layout}.aac"
            with av.open(part, "w") as container:
                sound = container.add_stream("aac", rate=RATE, layout=layout)
                encode(container, sound, tones(layout), 0, layout)
                container.mux(sound.encode(None))
            file.write(part.read_bytes())

    read = read_audio(joined.rename(tmp_path / "joined.m4a"), channel="centre")

    assert len(read) > SAMPLE_RATE
    assert loudest(read[: SAMPLE_RATE // 4]) == TONES["FC"]
    assert loudest(read[-SAMPLE_RATE // 4 :]) == TONES["FC"]
