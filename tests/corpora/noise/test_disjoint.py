"""Noise that is cut like the corpus."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise.disjoint import NoiseByFold, by_fold
from nserbench.corpora.noise.file_sets import open_noise
from nserbench.corpora.noise.mixing import WholeNoise, read_noise
from nserbench.errors import BadAudio, BadSpec

WriteAudio = Callable[..., Path]
FOLDS = {f"u{number}": str(number % 3) for number in range(60)}


def drawn(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Return samples that all differ, also in 16 bits."""
    steps = np.random.default_rng(seed).permutation(samples) - samples // 2
    return (steps / 2**15).astype(np.float32)


@pytest.fixture
def recording(write_audio: WriteAudio) -> WholeNoise:
    return read_noise("din", write_audio("din.wav", drawn(10_001)))


@pytest.fixture
def several(write_audio: WriteAudio, tmp_path: Path) -> WholeNoise:
    for number in range(7):
        write_audio(f"set/{number}.wav", drawn(2000, seed=number))
    return open_noise("din", tmp_path / "set")


def heard(noise: NoiseByFold, samples: int) -> dict[str, set[tuple[str, int]]]:
    """Return the file and place of every noise sample of each fold."""
    found: dict[str, set[tuple[str, int]]] = {fold: set() for fold in noise.parts}
    for name, fold in FOLDS.items():
        part = noise.segment_for(name, samples, seed=0)
        whole = read_audio(part.path)
        # Where the samples are in the file, found by their values.
        places = {value: place for place, value in enumerate(whole.tolist())}
        found[fold] |= {(part.path.name, places[one]) for one in part.wave.tolist()}
    return found


@pytest.mark.parametrize("samples", [500, 3334, 5000])  # the last two are looped
@pytest.mark.parametrize("kind", ["recording", "several"])
@pytest.mark.filterwarnings("ignore")
def test_no_sample_of_noise_is_used_in_two_folds(
    request: pytest.FixtureRequest, kind: str, samples: int
) -> None:
    noise = by_fold(request.getfixturevalue(kind), FOLDS)

    first, second, third = heard(noise, samples).values()

    assert first
    assert second
    assert third
    assert not first & second
    assert not first & third
    assert not second & third


def test_a_segment_has_its_offset_in_the_file(recording: WholeNoise) -> None:
    noise = by_fold(recording, FOLDS)
    whole = read_audio(recording.paths[0])

    for name, fold in FOLDS.items():
        part = noise.segment_for(name, 400, seed=0)

        assert int(fold) * 10_001 // 3 <= part.offset < (int(fold) + 1) * 10_001 // 3
        np.testing.assert_array_equal(part.wave, whole[part.offset : part.offset + 400])
        assert noise.key(name, 400, seed=0) == part.offset


def test_parts_cover_the_whole_and_differ_by_one_sample_at_most(
    recording: WholeNoise,
) -> None:
    parts = recording.cut(7)

    lengths = [one.samples for one in parts]
    assert sum(filter(None, lengths)) == 10_001
    assert {*lengths} == {1428, 1429}


def test_files_of_a_set_are_assigned_to_folds_in_turn(several: WholeNoise) -> None:
    parts = several.cut(3)

    names = [[path.stem for path in one.paths] for one in parts]
    assert names == [["0", "3", "6"], ["1", "4"], ["2", "5"]]


def test_the_digest_depends_on_the_number_of_parts(recording: WholeNoise) -> None:
    two = {name: str(int(fold) % 2) for name, fold in FOLDS.items()}
    renamed = {name: f"fold {fold}" for name, fold in FOLDS.items()}

    whole, three = recording.digest, by_fold(recording, FOLDS).digest

    assert len({whole, three, by_fold(recording, two).digest}) == 3
    assert by_fold(recording, renamed).digest == three


@pytest.mark.parametrize("kind", ["recording", "several"])
def test_too_little_noise_for_so_many_folds_is_refused(
    request: pytest.FixtureRequest, kind: str
) -> None:
    many = {f"u{number}": str(number) for number in range(10_002)}

    with pytest.raises(BadSpec, match=r"'din' has .* too few for 10002 parts"):
        by_fold(request.getfixturevalue(kind), many)


def test_parts_shorter_than_most_utterances_are_refused(recording: WholeNoise) -> None:
    noise = by_fold(recording, FOLDS)

    noise.refuse_short(3333)
    with pytest.raises(BadSpec, match=r"each of the 3 parts lasts 0\.21 s, but half"):
        noise.refuse_short(3334)


def test_a_set_is_not_too_short(several: WholeNoise) -> None:
    by_fold(several, FOLDS).refuse_short(10**6)


def test_a_silent_segment_is_named_with_its_time_in_the_file(
    write_audio: WriteAudio,
) -> None:
    wave = drawn(48_000)
    wave[-16_000:] = 0.0
    noise = by_fold(read_noise("din", write_audio("din.wav", wave)), FOLDS)

    with pytest.raises(BadAudio, match=r"is silent for 0.025 s from 2\.\d{3} s on"):
        noise.segment_for("u2", 400, seed=0)
