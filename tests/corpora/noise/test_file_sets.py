import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.noise.file_sets import NoiseSet, audio_files, open_noise
from nserbench.corpora.noise.mixing import Recording, add_noise, count_offsets, looped
from nserbench.errors import BadAudio, CorpusMissing

WriteAudio = Callable[..., Path]
FILES = ("a.wav", "b/one.wav", "b/two.flac", "c.wav", "d.wav")
SAMPLES = 3000


def waves(samples: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.fixture
def folder(write_audio: WriteAudio, tmp_path: Path) -> Path:
    """Return a folder of five recordings of different lengths, and what lies beside."""
    for seed, name in enumerate(FILES):
        write_audio(f"set/{name}", waves(8000 + 500 * seed, seed))
    (tmp_path / "set/LICENSE").write_text("free")
    (tmp_path / "set/b/._one.wav").write_bytes(b"AppleDouble")
    return tmp_path / "set"


def opened(path: Path, name: str = "din") -> NoiseSet:
    found = open_noise(name, path)
    assert isinstance(found, NoiseSet)
    return found


def test_a_file_is_a_recording_and_a_folder_is_a_set(folder: Path) -> None:
    one, several = open_noise("din", folder / "a.wav"), open_noise("din", folder)

    assert isinstance(one, Recording)
    assert isinstance(several, NoiseSet)
    assert tuple(several.files) == FILES


def test_a_pattern_takes_the_files_that_fit(folder: Path) -> None:
    assert list(opened(folder / "[bc].wav", "x").files) == ["c.wav"]


def test_brackets_in_the_name_of_a_folder_are_no_pattern(
    folder: Path, tmp_path: Path
) -> None:
    odd = folder.rename(tmp_path / "set [1]")

    assert tuple(opened(odd).files) == FILES
    assert list(opened(odd / "[ab].wav").files) == ["a.wav"]


def test_a_path_without_audio_files_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(CorpusMissing, match=r"'din' is set to .*empty, which has"):
        open_noise("din", tmp_path / "empty")
    assert audio_files(tmp_path / "gone" / "*.wav") == []


def test_file_and_place_are_what_the_documented_hash_gives(folder: Path) -> None:
    noise = opened(folder)

    part = noise.segment_for("u1", SAMPLES, seed=7)

    # By `printf '["u1", "din", 7]' | b2sum -l 64`, modulo 5 files, and of
    # '["u1", "din", "b/one.wav", 7]', modulo the 8500 - 3000 + 1 offsets in it.
    assert 0x0087D2E231567EC7 % 5 == 1
    assert part.path == folder / "b/one.wav"
    assert part.offset == 0x1593BFEB7FCDB7DE % 5501 == 892


def test_a_segment_equals_that_part_of_its_file(folder: Path) -> None:
    noise = opened(folder)

    for number in range(20):
        part = noise.segment_for(f"u{number}", SAMPLES, seed=0)

        whole = read_audio(part.path)
        cut = whole[part.offset : part.offset + SAMPLES]
        np.testing.assert_array_equal(part.wave, cut)


def test_all_files_are_drawn_about_as_often(folder: Path) -> None:
    noise = opened(folder)

    drawn_files = Counter(
        noise.segment_for(f"u{number}", 100, seed=0).path.name for number in range(1000)
    )

    assert len(drawn_files) == 5
    assert all(abs(count - 200) < 55 for count in drawn_files.values())  # 4 sigma


def test_utterance_name_and_seed_draw_another_part(folder: Path) -> None:
    noise = opened(folder)

    keys = {
        noise.key("u1", SAMPLES, 0),
        noise.key("u2", SAMPLES, 0),
        noise.key("u1", SAMPLES, 1),
        opened(folder, "row").key("u1", SAMPLES, 0),
    }

    assert len(keys) == 4


def test_every_level_gets_the_same_part_and_the_mixture_names_it(folder: Path) -> None:
    noise, speech = opened(folder), waves(SAMPLES, 99)

    loud, soft = (add_noise(speech, noise, "u1", snr, seed=0) for snr in (-5.0, 5.0))

    part = noise.segment_for("u1", SAMPLES, seed=0)
    assert (loud.path, loud.offset) == (soft.path, soft.offset)
    assert (loud.path, loud.offset) == (part.path, part.offset)
    assert loud.gain / soft.gain == pytest.approx(10 ** (10 / 20))
    assert soft.snr == pytest.approx(5.0, abs=1e-4)


def test_order_of_listing_does_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened(folder)
    listed = sorted(folder.rglob("*"), reverse=True)
    monkeypatch.setattr(Path, "rglob", lambda *_: iter(listed))

    after = opened(folder)

    assert after.files == before.files
    assert after.digest == before.digest


IN_ANOTHER_PROCESS = """
from pathlib import Path
from nserbench.corpora.noise.file_sets import open_noise

noise = open_noise("din", Path({folder!r}))
print(noise.digest, *(noise.key(f"ü{{number}}", 3000, 7) for number in range(9)))
"""


def test_another_process_draws_the_same_after_the_folder_has_moved(
    folder: Path, tmp_path: Path
) -> None:
    here = opened(folder)
    said = [here.digest, *(here.key(f"ü{number}", 3000, 7) for number in range(9))]
    moved = folder.rename(tmp_path / "moved")

    script = IN_ANOTHER_PROCESS.format(folder=str(moved))
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert printed.split() == said


def test_the_key_is_the_digest_of_the_part_and_is_found_once(folder: Path) -> None:
    noise = opened(folder)
    part = noise.segment_for("u1", SAMPLES, seed=0)

    key = noise.key("u1", SAMPLES, 0)
    part.path.unlink()

    assert key == audio_digest(part.wave)
    assert noise.key("u1", SAMPLES, 0) == key


def test_other_samples_of_the_same_size_change_the_keys_of_their_segments(
    folder: Path, write_audio: WriteAudio
) -> None:
    before = opened(folder)
    keys = {name: before.key(name, SAMPLES, 0) for name in map(str, range(40))}
    where = {name: before.segment_for(name, SAMPLES, 0).path for name in keys}

    write_audio("set/c.wav", waves(9500, 77))
    after = opened(folder)

    assert after.digest == before.digest
    for name, key in keys.items():
        changed = after.key(name, SAMPLES, 0) != key
        assert changed == (where[name] == folder / "c.wav")


def test_another_file_in_the_set_gives_another_digest(
    folder: Path, write_audio: WriteAudio
) -> None:
    before = opened(folder)
    write_audio("set/e.wav", waves(100, 9))

    assert opened(folder).digest != before.digest


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_other_rates_give_parts_of_the_length_asked_for(
    write_audio: WriteAudio, tmp_path: Path, rate: int
) -> None:
    seconds = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    write_audio("tones/a.wav", tone, rate)
    noise = opened(tmp_path / "tones")

    for samples in (1000, 20_001, 31_990):
        for number in range(20):
            part = noise.segment_for(f"u{number}", samples, seed=0)

            place = (part.offset + np.arange(samples)) / 16_000
            expected = np.sin(2 * np.pi * 440 * place)
            assert part.wave.shape == (samples,)
            inner = slice(300, -300)  # a start is rounded to a sample of the file
            np.testing.assert_allclose(part.wave[inner], expected[inner], atol=0.2)


def test_stereo_becomes_mono(write_audio: WriteAudio, tmp_path: Path) -> None:
    both = np.stack([waves(5000, 1), waves(5000, 2)], axis=1)
    write_audio("stereo/a.wav", both)

    part = opened(tmp_path / "stereo").segment_for("u1", 5000, seed=0)

    np.testing.assert_allclose(part.wave, both.mean(axis=1), atol=1e-7)


def test_a_file_that_is_too_short_is_looped_with_one_warning_for_the_set(
    write_audio: WriteAudio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        write_audio(f"short/{name}.wav", waves(100, ord(name)))
    noise = opened(tmp_path / "short")

    with caplog.at_level(logging.WARNING):
        parts = [noise.segment_for(f"u{number}", 250, seed=0) for number in range(20)]

    assert {part.path.name for part in parts} == {"a.wav", "b.wav"}
    for part in parts:
        wave = read_audio(part.path)
        np.testing.assert_array_equal(part.wave, looped(wave, part.offset, 250))
    (record,) = caplog.records
    assert record.message == (
        f"noise 'din' is looped: some of its files in {tmp_path}/short "
        "last less than some utterances"
    )


def test_where_a_file_is_all_but_silent_it_is_the_next_files_turn(
    write_audio: WriteAudio, tmp_path: Path
) -> None:
    bark = np.zeros(16_000, np.float32)
    bark[:2000] = waves(2000, 1)
    for name in ("a", "c", "d"):
        write_audio(f"dogs/{name}.wav", bark)
    write_audio("dogs/b.wav", waves(16_000, 4))
    noise = opened(tmp_path / "dogs")

    parts = [noise.segment_for(f"u{number}", SAMPLES, seed=0) for number in range(200)]

    for part in parts:
        assert np.count_nonzero(part.wave) >= 0.1 * SAMPLES
    barks = [part for part in parts if part.path.name != "b.wav"]
    assert barks
    assert all(part.offset < 2000 for part in barks)


def test_a_set_that_is_silent_for_an_utterance_is_refused(
    write_audio: WriteAudio, tmp_path: Path
) -> None:
    write_audio("still/a.wav", np.zeros(16_000, np.float32))

    with pytest.raises(BadAudio) as caught:
        opened(tmp_path / "still").segment_for("u1", SAMPLES, seed=0)

    assert str(caught.value) == (
        "all files of noise 'din' are too silent for u1, "
        f"which lasts 0.188 s; add files to {tmp_path}/still"
    )


def test_every_file_that_cannot_be_used_is_named_at_once(
    tmp_path: Path, write_audio: WriteAudio
) -> None:
    whole = write_audio("set/a.wav", waves(16_000, 0))
    write_audio("set/b.wav").write_bytes(b"no audio")
    write_audio("set/c.wav").write_bytes(whole.read_bytes()[:-8000])
    write_audio("set/d.wav", waves(0, 0))

    with pytest.raises(BadAudio) as caught:
        open_noise("din", tmp_path / "set")

    assert str(caught.value).splitlines() == [
        "noise 'din': 3 of 4 files cannot be used",
        f"  {tmp_path}/set/b.wav cannot be read (Format not recognised)",
        f"  {tmp_path}/set/c.wav is cut off: 87.5 % of the audio is there (0.875 s)",
        f"  {tmp_path}/set/d.wav holds no samples",
        "  replace them, or remove them from the folder",
    ]


def test_a_drawn_file_that_is_damaged_inside_is_named(
    tmp_path: Path, write_audio: WriteAudio
) -> None:
    path = write_audio("set/a.flac", waves(16_000, 0))
    content = bytearray(path.read_bytes())
    content[1000:5000] = bytes(4000)
    path.write_bytes(content)

    with pytest.raises(BadAudio) as caught:
        opened(tmp_path / "set").key("u1", 12_000, 0)

    assert str(caught.value).startswith(f"{tmp_path}/set/a.flac is cut off or damaged")
    assert "noise 'din' needs it" in str(caught.value)


def test_a_drawn_file_with_samples_that_are_no_numbers_is_named(
    tmp_path: Path, write_audio: WriteAudio
) -> None:
    wave = waves(8000, 1)
    wave[4000] = np.nan
    write_audio("set/a.wav", wave)

    with pytest.raises(BadAudio, match=r"a\.wav has samples that are NaN"):
        opened(tmp_path / "set").segment_for("u1", 8000, seed=0)


def test_a_part_of_a_long_file_is_read_alone(
    write_audio: WriteAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio("set/a.wav", waves(160_000, 1))
    noise = opened(tmp_path / "set")
    asked = []
    read = soundfile.SoundFile.read

    def spy(sound: soundfile.SoundFile, frames: int = -1, **rest: object) -> object:
        asked.append(frames)
        return read(sound, frames, **rest)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)

    noise.segment_for("u1", SAMPLES, seed=0)

    assert asked
    assert all(0 < frames <= SAMPLES + 2 for frames in asked)


def test_places_are_counted_and_a_short_noise_may_start_anywhere() -> None:
    assert [count_offsets(10, samples) for samples in (1, 9, 10, 11)] == [10, 2, 1, 10]


def test_links_to_files_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links/z.wav").symlink_to(folder / "a.wav")

    assert list(opened(tmp_path / "links").files) == ["z.wav"]
