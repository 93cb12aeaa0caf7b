from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from nserbench.corpora.audio import audio_digest
from nserbench.corpora.demo.synthesis import RATE, Floats
from nserbench.corpora.noise import generated
from nserbench.corpora.noise.cards import GENERATED_NOISES, nserbench_noises
from nserbench.corpora.noise.mixing import Recording, read_noise
from nserbench.settings import Settings

CARDS = {
    card.name: card for card in nserbench_noises() if card.name in GENERATED_NOISES
}
OCTAVES = (125, 250, 500, 1000, 2000, 4000)  # Hz, the lower edge


def settings(store: Path) -> Settings:
    return Settings(paths={"store": store}, environment={})


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    known = settings(tmp_path_factory.mktemp("store"))
    return {name: read_noise(name, card.file(known)) for name, card in CARDS.items()}


def density(noise: Recording) -> tuple[Floats, Floats]:
    """Return frequencies in Hz and the power density there in dB."""
    hertz, power = welch(noise.wave.astype(np.float64), RATE, nperseg=8192)
    return hertz, 10 * np.log10(power)


def octaves(noise: Recording) -> Floats:
    """Return the mean power density of each octave, in dB."""
    hertz, power = welch(noise.wave.astype(np.float64), RATE, nperseg=8192)
    bands = [power[(hertz >= low) & (hertz < 2 * low)] for low in OCTAVES]
    return 10 * np.log10([band.mean() for band in bands])


def slope(noise: Recording) -> float:
    """Fit the slope from 50 Hz to 7500 Hz, in dB per decade."""
    hertz, level = density(noise)
    wanted = (hertz > 50) & (hertz < 7500)
    return float(np.polyfit(np.log10(hertz[wanted]), level[wanted], 1)[0])


def test_white_is_flat(noises: dict[str, Recording]) -> None:
    _, level = density(noises["white"])

    assert slope(noises["white"]) == pytest.approx(0, abs=0.2)
    assert np.abs(octaves(noises["white"]) - level.mean()).max() < 0.3
    assert np.abs(level[2:-1] - level.mean()).max() < 2.5


def test_pink_falls_by_3_db_per_octave_and_10_per_decade(
    noises: dict[str, Recording],
) -> None:
    falls = np.diff(octaves(noises["pink"]))

    assert slope(noises["pink"]) == pytest.approx(-10, abs=0.2)
    np.testing.assert_allclose(falls, -3.01, atol=0.25)


def test_pink_has_little_power_below_the_audible_range(
    noises: dict[str, Recording],
) -> None:
    wave = noises["pink"].wave.astype(np.float64)
    power = np.abs(np.fft.rfft(wave)) ** 2

    assert power[: 20 * 60].sum() < 0.15 * power.sum()


def test_babble_has_the_spectrum_of_speech(noises: dict[str, Recording]) -> None:
    level = octaves(noises["babble"])

    # Third octaves from 500 Hz on of the combined long-term average of Byrne et al.,
    # JASA 96 (1994), in dB.
    thirds = [62.1, 60.5, 56.8, 53.7, 53.0, 52.0, 48.7, 48.1, 46.8, 45.6, 44.5, 44.3]
    powers = 10 ** (np.reshape(thirds, (4, 3)) / 10)
    expected = 10 * np.log10(powers.sum(axis=1) / [1, 2, 4, 8])
    np.testing.assert_allclose(level[2:] - level[2], expected - expected[0], atol=3.5)


def test_babble_is_of_many_voices_who_never_all_pause(
    noises: dict[str, Recording],
) -> None:
    wave = noises["babble"].wave
    tenths = np.square(wave.reshape(-1, RATE // 10)).mean(axis=1)

    assert 10 * np.log10(tenths.min() / tenths.mean()) > -8
    assert 10 * np.log10(tenths.max() / tenths.mean()) < 8


@pytest.mark.parametrize("name", CARDS)
def test_each_is_a_minute_at_16_khz_and_not_clipped(
    noises: dict[str, Recording], name: str
) -> None:
    info = soundfile.info(noises[name].path)

    assert (info.samplerate, info.channels, info.frames) == (RATE, 1, 60 * RATE)
    assert np.abs(noises[name].wave).max() < 0.9
    assert 10 * np.log10(np.square(noises[name].wave).mean()) == pytest.approx(
        -26, abs=0.01
    )


@pytest.mark.parametrize("name", ["white", "pink"])
def test_another_store_gets_the_same_file(
    noises: dict[str, Recording], tmp_path: Path, name: str
) -> None:
    file = CARDS[name].file(settings(tmp_path))

    assert file == tmp_path / f"noises/v1/{name}.wav"
    assert file.read_bytes() == noises[name].path.read_bytes()


def test_white_and_pink_are_no_copies_of_each_other(
    noises: dict[str, Recording],
) -> None:
    together = np.corrcoef([noise.wave for noise in noises.values()])

    assert np.abs(together - np.eye(3)).max() < 0.02


def test_a_noise_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = CARDS["white"].file(settings(tmp_path))
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(generated, "NOISES", {})

    again = CARDS["white"].file(settings(tmp_path))

    assert again.stat().st_mtime_ns == before


def test_a_making_that_was_broken_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(file: Path, *_: object, **__: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", fill_the_disk)

    with pytest.raises(OSError, match="No space left"):
        CARDS["white"].file(settings(tmp_path))
    assert not [*tmp_path.rglob("*.wav")]


def test_files_have_the_version_of_their_cards() -> None:
    assert {card.version for card in CARDS.values()} == {generated.VERSION}


def test_digests_differ(noises: dict[str, Recording]) -> None:
    digests = [audio_digest(noise.wave) for noise in noises.values()]

    assert len(set(digests)) == 3
