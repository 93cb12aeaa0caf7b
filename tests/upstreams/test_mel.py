from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from nserbench.upstreams.base import Batch
from nserbench.upstreams.cards import MEL
from nserbench.upstreams.mel import slaney_bands

MakeSound = Callable[..., NDArray[np.float32]]
LENGTHS = (400, 559, 560, 16_000, 16_159)


def reference(wave: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the spectrogram in float64, one frame after the other."""
    bands = WhisperFeatureExtractor().mel_filters
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [
        wave[start : start + 400].astype(np.float64) * window
        for start in range(0, len(wave) - 399, 160)
    ]
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel: NDArray[np.float64] = np.log(np.maximum(power @ bands, 1e-10))
    return mel


@pytest.mark.parametrize("samples", LENGTHS)
def test_mel_is_what_numpy_computes(samples: int, sound: MakeSound) -> None:
    wave = sound(samples)

    group = MEL.open({}, "cpu").extract(Batch.of(wave))["mel"]

    np.testing.assert_allclose(group.states[0, 0].numpy(), reference(wave), atol=1e-4)


def test_groups_are_those_the_card_announces(sound: MakeSound) -> None:
    spec = MEL.describe({}).groups["mel"]

    group = MEL.open({}, "cpu").extract(Batch.of(sound(16_000)))["mel"]

    assert list(spec.layers) == [1]
    assert group.states.shape == (1, 1, 98, spec.dim)


def test_frames_lie_inside_the_audio(sound: MakeSound) -> None:
    group = MEL.open({}, "cpu").extract(Batch.of(*map(sound, LENGTHS)))["mel"]

    assert group.lengths.tolist() == [1, 1, 2, 98, 99]
    assert group.states.shape[2] == 99


def test_an_utterance_is_the_same_alone_and_in_a_batch(sound: MakeSound) -> None:
    waves = [sound(length, seed=length) for length in LENGTHS]
    mel = MEL.open({}, "cpu")

    together = mel.extract(Batch.of(*waves))["mel"]

    for place, wave in enumerate(waves):
        alone = mel.extract(Batch.of(wave))["mel"].states[:, 0]
        torch.testing.assert_close(
            together.states[:, place, : alone.shape[1]], alone, rtol=0, atol=1e-5
        )


def test_silence_is_at_the_floor() -> None:
    states = MEL.open({}, "cpu").extract(Batch.of(np.zeros(400, np.float32)))["mel"]

    assert states.states.unique().tolist() == pytest.approx([np.log(1e-10)])


def test_a_wave_shorter_than_a_window_is_refused(sound: MakeSound) -> None:
    with pytest.raises(ValueError, match="at least 400 samples, got 399"):
        MEL.open({}, "cpu").extract(Batch.of(sound(16_000), sound(399)))


def test_the_bands_are_those_of_transformers_to_the_bit() -> None:
    expected = mel_filter_bank(
        201, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney"
    )

    assert torch.equal(slaney_bands(), torch.from_numpy(expected).float())
