from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nserbench.corpora.audio import read_sound
from nserbench.corpora.levels import LEVEL_CHECKS, Levels

WriteAudio = Callable[..., Path]


def test_levels_are_those_of_the_samples(write_audio: WriteAudio) -> None:
    drawn = np.random.default_rng(0).normal(0.2, 0.1, (150_000, 3))
    stereo = drawn.astype(np.float32)

    sound = read_sound(write_audio("a.wav", stereo))

    wave = sound.wave.astype(np.float64)
    assert sound.levels.peak == np.abs(wave).max()
    assert sound.levels.rms == pytest.approx(wave.std())
    expected = np.sqrt(np.mean(wave**2) / np.mean(stereo.astype(np.float64) ** 2))
    assert sound.levels.mono == pytest.approx(expected)


def test_levels_of_another_rate_are_those_of_the_resampled_wave(
    write_audio: WriteAudio,
) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)

    sound = read_sound(write_audio("a.wav", wave, 48_000))

    assert sound.levels.peak == np.abs(sound.wave).max()
    assert sound.levels.rms == pytest.approx(sound.wave.std(dtype=np.float64))
    assert sound.levels.mono == 1.0


def test_the_chosen_channel_is_not_compared_with_the_others(
    write_audio: WriteAudio,
) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 1600).astype(np.float32)
    path = write_audio("a.wav", np.column_stack([wave, 1e-3 - wave]))

    assert read_sound(path, channel="centre").levels.mono == 1.0
    assert read_sound(path).levels.mono < 0.02


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        (Levels(0.5, 0.1, 1.0), []),
        (Levels(8.0, 1e-4, 0.1), []),
        (Levels(8.01, 1.0, 0.7), ["peak"]),
        (Levels(0.001, 0.99e-4, 0.7), ["RMS"]),
        (Levels(0.5, 0.1, 0.0999), ["mono"]),
        (Levels(0.0, 0.0, 0.0), ["RMS", "mono"]),
    ],
)
def test_odd_levels_are_found(levels: Levels, found: list[str]) -> None:
    assert [check.name for check in LEVEL_CHECKS if check.finds(levels)] == found
