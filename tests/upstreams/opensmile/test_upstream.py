import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import opensmile
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from nserbench.errors import BadAudio, MissingExtra
from nserbench.upstreams.base import Batch, UpstreamCard
from nserbench.upstreams.cards import nserbench_upstreams

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
CARDS = {card.name: card for card in nserbench_upstreams()}
SIZES = {
    "is09": ("IS09", 384),
    "is10": ("IS10", 1582),
    "is11": ("IS11", 4368),
    "is12": ("IS12", 6125),
    "is13": ("IS13", 6373),
    "egemaps": ("eGeMAPSv02", 88),
    "compare": ("ComParE_2016", 6373),
}


@pytest.fixture(params=SIZES)
def card(request: pytest.FixtureRequest) -> UpstreamCard:
    """Return the card of each set in turn."""
    return CARDS[request.param]


@pytest.fixture
def four_threads() -> Iterator[None]:
    """Let four utterances be worked on at once."""
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(1)


def own(name: str, wave: Wave) -> Wave:
    """Return what openSMILE itself gives, ``(dim,)``."""
    smile = opensmile.Smile(opensmile.FeatureSet[SIZES[name][0]])
    values: Wave = smile.process_signal(wave, 16_000).to_numpy()[0]
    return values


def in_16_bits(wave: Wave) -> Wave:
    """Return a wave in the steps of a 16-bit file."""
    steps: Wave = (wave * 2**15).round().astype(np.float32)
    return steps / np.float32(2**15)


def functionals(card: UpstreamCard, *waves: Wave) -> Wave:
    """Return what the upstream gives, ``(batch, dim)``."""
    group = card.open({}, "cpu").extract(Batch.of(*waves))["functionals"]
    assert group.lengths.tolist() == [1] * len(waves)
    return np.asarray(group.states[0, :, 0])


def test_values_are_those_of_opensmile(card: UpstreamCard, sound: MakeSound) -> None:
    wave = in_16_bits(sound(16_000))

    given = functionals(card, wave)[0]

    np.testing.assert_array_equal(given, own(card.name, wave))


def test_values_are_those_of_opensmile_on_real_speech(
    card: UpstreamCard, test_data: Path
) -> None:
    files = (test_data / "corpus/emodb/wav").glob("*.flac")
    short = sorted(files, key=lambda file: (file.stat().st_size, file.name))[:5]
    waves = [soundfile.read(file, dtype="float32")[0] for file in short]

    given = functionals(card, *waves)

    for wave, row in zip(waves, given, strict=True):
        np.testing.assert_array_equal(row, own(card.name, wave))


def test_groups_are_those_the_card_announces(
    card: UpstreamCard, sound: MakeSound
) -> None:
    spec = card.describe({}).groups["functionals"]

    group = card.open({}, "cpu").extract(Batch.of(sound(8_000)))["functionals"]

    assert (list(spec.layers), spec.dim, spec.rate) == ([1], SIZES[card.name][1], None)
    assert group.states.shape == (1, 1, 1, spec.dim)
    assert group.states.dtype == torch.float32


@pytest.mark.usefixtures("four_threads")
def test_an_utterance_is_the_same_to_the_bit_alone_and_in_a_batch(
    card: UpstreamCard, sound: MakeSound
) -> None:
    waves = [sound(length, seed=length) for length in (2_000, 8_000, 3_001, 5_000)]
    upstream = card.open({}, "cpu")

    together = upstream.extract(Batch.of(*waves))["functionals"].states

    for place, wave in enumerate(waves):
        alone = upstream.extract(Batch.of(wave))["functionals"].states
        assert torch.equal(together[:, place], alone[:, 0])


def test_the_shortest_clip_has_all_values(card: UpstreamCard, sound: MakeSound) -> None:
    samples = card.min_samples
    tone = 0.5 * np.sin(2 * np.pi * 220 / 16_000 * np.arange(samples))
    click = np.eye(1, samples)[0]

    given = functionals(
        card,
        np.zeros(samples, np.float32),
        sound(samples),
        tone.astype(np.float32),
        click.astype(np.float32),  # one sample, zero-padded
    )

    assert np.isfinite(given).all()


def test_a_clip_one_sample_shorter_is_refused(
    card: UpstreamCard, sound: MakeSound
) -> None:
    batch = Batch(
        ["long", "short"],
        [sound(16_000), sound(card.min_samples - 1)],
        [None] * 2,
        [None] * 2,
    )

    with pytest.raises(BadAudio, match=f"of short, which has {card.min_samples - 1} s"):
        card.open({}, "cpu").extract(batch)


def test_one_value_that_is_lacking_is_refused(
    sound: MakeSound, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = CARDS["is09"].open({}, "cpu")
    values = np.zeros(384, np.float32)
    values[7] = np.nan
    monkeypatch.setattr(
        "nserbench.upstreams.opensmile.upstream.functionals", lambda smile, wave: values
    )

    with pytest.raises(BadAudio, match="no value for 1 of the 384 functionals of 0"):
        upstream.extract(Batch.of(sound(16_000)))


def test_a_wave_beyond_full_scale_is_not_clipped(sound: MakeSound) -> None:
    quiet = in_16_bits(sound(8_000) / np.float32(8))
    names = opensmile.Smile(opensmile.FeatureSet.IS09).feature_names
    energies = [
        place
        for place, name in enumerate(names)
        if name in ("pcm_RMSenergy_sma_max", "pcm_RMSenergy_sma_amean")
    ]

    given = functionals(CARDS["is09"], 64 * quiet)[0]

    assert np.abs(64 * quiet).max() > 2
    np.testing.assert_allclose(
        given[energies], 64 * own("is09", quiet)[energies], rtol=1e-5
    )
    assert not np.allclose(given, own("is09", 64 * quiet))  # signs turned over


def test_a_wave_between_the_steps_of_16_bits_is_not_rounded() -> None:
    # A tone of a third of a step is silence in 16 bits.
    tone = np.sin(2 * np.pi * 220 / 16_000 * np.arange(8_000)) / 2**15 / 3

    soft = functionals(CARDS["is09"], tone.astype(np.float32))[0]

    assert soft[0] > 0  # the largest energy
    assert own("is09", tone.astype(np.float32))[0] == 0


def test_what_decides_the_values_are_opensmiles_own_files(card: UpstreamCard) -> None:
    files = card.checkpoint_files({})

    assert Path(opensmile.Smile(SIZES[card.name][0]).config_path) in files
    assert any("SMILEapi" in file.name for file in files)


def test_without_opensmile_the_message_names_the_extra(
    card: UpstreamCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    monkeypatch.delitem(
        sys.modules, "nserbench.upstreams.opensmile.upstream", raising=False
    )

    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[opensmile\]'"):
        card.open({}, "cpu")
