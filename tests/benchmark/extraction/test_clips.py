import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from nserbench.benchmark.extraction.clips import Clip, clip_notes, read_clips
from nserbench.benchmark.store.file_facts import FileFacts
from nserbench.corpora import audio as module
from nserbench.corpora.audio import audio_digest, read_audio, read_sound
from nserbench.corpora.base import Utterance
from nserbench.errors import BadAudio
from nserbench.progress import Silent

RATE = 16_000


def utterance(
    path: Path, start: float | None = None, end: float | None = None
) -> Utterance:
    name = f"{path.stem} {start} {end}"
    return Utterance(
        id=name, path=path, label="a", speaker="s", fold="1", start=start, end=end
    )


@pytest.fixture
def file_facts(tmp_path: Path) -> FileFacts:
    return FileFacts(tmp_path / "ledger.sqlite")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of files as they are decoded."""
    names: list[str] = []

    def read(path: Path, *part: Any, **rest: Any) -> object:
        names.append(path.name)
        return read_sound(path, *part, **rest)

    monkeypatch.setattr(module, "read_sound", read)
    return names


@pytest.fixture
def hear(file_facts: FileFacts) -> Callable[..., list[Clip]]:
    def go(*utterances: Utterance) -> list[Clip]:
        return read_clips(utterances, file_facts, Silent())

    return go


def tone(path: Path, seconds: float = 0.5, rate: int = RATE) -> Path:
    wave = 0.1 * np.sin(np.arange(round(rate * seconds)) / 10)
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return path


def test_the_digest_of_a_clip_is_that_of_its_samples_at_16_khz(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.wav", 0.5, rate=8_000)

    (clip,) = hear(utterance(path))

    assert clip.samples == RATE // 2
    assert clip.digest == audio_digest(read_audio(path))


def test_clips_come_in_the_order_given(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    paths = [tone(tmp_path / f"{name}.wav", 0.1 * len(name)) for name in ("cc", "a")]

    assert [clip.samples for clip in hear(*map(utterance, paths))] == [3200, 1600]


def test_a_bad_file_of_a_list_is_named_once_with_the_first_line_that_lists_it(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    parts = [
        replace(
            utterance(tmp_path / "gone.wav"),
            id=f"part {line}",
            start=float(line),
            listed=f"mine.csv, line {line}",
        )
        for line in (2, 3)
    ]

    with pytest.raises(BadAudio) as caught:
        hear(*parts)

    _, *lines = str(caught.value).splitlines()
    (line,) = lines
    assert line.startswith(f"  mine.csv, line 2: {tmp_path / 'gone.wav'} cannot be")


def test_one_message_names_every_bad_file_and_why(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    wave = np.ones(100, np.float32)
    bad = {
        "text.wav": "cannot be read",
        "empty.wav": "holds no samples",
        "nan.wav": "has samples that are NaN",
        "silent.wav": "is silent throughout",
        "gone.wav": "cannot be read (No such file or directory)",
    }
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", wave[:0], RATE)
    soundfile.write(tmp_path / "nan.wav", wave * np.nan, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "silent.wav", 0 * wave, RATE)
    good = tone(tmp_path / "good.wav")

    with pytest.raises(BadAudio) as caught:
        hear(utterance(good), *(utterance(tmp_path / name) for name in bad))

    head, *lines = str(caught.value).splitlines()
    assert head == "5 audio files cannot be used"
    for line, (name, reason) in zip(lines, bad.items(), strict=True):
        assert line.startswith(f"  {tmp_path / name} {reason}")


def test_a_file_with_many_parts_is_named_once(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    gone = tmp_path / "gone.wav"

    with pytest.raises(BadAudio, match="1 audio file cannot be used") as caught:
        hear(utterance(gone, 0.0, 0.1), utterance(gone, 0.1, 0.2))

    assert str(caught.value).count("gone.wav") == 1


def test_of_many_bad_files_the_first_are_named_and_the_rest_counted(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    with pytest.raises(
        BadAudio, match=r"(?s)^25 audio files .*\n  and 5 more$"
    ) as caught:
        hear(*(utterance(tmp_path / f"{place}.wav") for place in range(25)))

    assert len(str(caught.value).splitlines()) == 22


def test_nothing_is_decoded_twice(
    hear: Callable[..., list[Clip]], decoded: list[str], tmp_path: Path
) -> None:
    ones = [utterance(tone(tmp_path / name)) for name in ("a.wav", "b.wav")]

    first = hear(*ones)
    again = hear(*ones)

    assert sorted(decoded) == ["a.wav", "b.wav"]
    assert again == first


def test_only_a_file_that_changed_is_read_again(
    hear: Callable[..., list[Clip]], decoded: list[str], tmp_path: Path
) -> None:
    paths = [tone(tmp_path / name) for name in ("a.wav", "b.wav")]
    before = hear(*map(utterance, paths))
    negated = -soundfile.read(paths[0])[0]
    soundfile.write(paths[0], negated, RATE, subtype="FLOAT")
    os.utime(paths[0], ns=(0, 0))

    after = hear(*map(utterance, paths))

    assert decoded[2:] == ["a.wav"]
    assert after[0].digest != before[0].digest
    assert after[1] == before[1]


def test_parts_of_one_file_are_separate_clips(
    hear: Callable[..., list[Clip]], decoded: list[str], tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.wav")
    parts = [utterance(path, 0.0, 0.1), utterance(path, 0.1, 0.3), utterance(path)]

    first = hear(*parts[:2])
    again = hear(*parts)

    assert [clip.samples for clip in again] == [1600, 3200, 8000]
    assert again[:2] == first
    assert len({clip.digest for clip in again}) == 3
    assert decoded == ["a.wav"] * 3  # the parts known before are not read again


def test_good_files_are_not_read_again_after_a_bad_one(
    hear: Callable[..., list[Clip]], decoded: list[str], tmp_path: Path
) -> None:
    good = tone(tmp_path / "good.wav")
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    with pytest.raises(BadAudio):
        hear(utterance(good), utterance(bad))

    hear(utterance(good))

    assert sorted(decoded) == ["bad.wav", "good.wav"]


def test_notes_name_odd_levels_and_lengths(
    hear: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, RATE // 2)
    stereo = np.column_stack([wave, 1e-4 - wave])
    written = {
        "usual": wave,
        "counts": 32768 * wave,
        "counts2": 10_000 * wave,
        "small": wave / 2**16,
        "opposite": stereo + 1e-3 * wave[:, None],
        "short": wave[:700],
    }
    for name, samples in written.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")

    clips = hear(*(utterance(tmp_path / f"{name}.wav") for name in written))

    found = [note.partition(": ")[::2] for note in clip_notes(clips)]
    assert [trouble for trouble, _ in found] == [
        "peak above 8, where full scale is 1",
        "RMS under -80 dBFS",
        "channels cancel out",
        "under 50 ms",
    ]
    loud, quiet, cancelled, short = (rest for _, rest in found)
    assert re.search(r": 2 of 6 clips, counts None None \(\+8\d\.\d dB\) and 1 m", loud)
    assert re.search(r": 1 of 6 clips, small None None \(-11\d\.\d dB\)$", quiet)
    assert re.search(r": 1 of 6 clips, opposite None None \(-5", cancelled)
    assert short == "1 of 6 clips, short None None (700 samples)"


def test_levels_are_kept_with_the_digest(
    hear: Callable[..., list[Clip]], decoded: list[str], tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.wav")
    first = hear(utterance(path))[0]

    again = hear(utterance(path))[0]

    assert again.levels == first.levels
    assert decoded == ["a.wav"]
