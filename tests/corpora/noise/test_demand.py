import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.noise.cards import DEMAND_NOISES, nserbench_noises
from nserbench.corpora.noise.mixing import read_noise
from nserbench.errors import CorpusMissing
from nserbench.settings import Settings

CARDS = {card.name: card for card in nserbench_noises()}


def settings(folder: Path | None) -> Settings:
    return Settings(paths={} if folder is None else {"demand": folder}, environment={})


def with_recordings(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "ch01.wav").touch()
        (folder / name / "ch02.wav").touch()
    return folder


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("human", "OMEETING"),
        ("park", "NPARK"),
        ("traffic", "STRAFFIC"),
        ("scafe", "SCAFE"),
        ("omeeting", "OMEETING"),
    ],
)
def test_name_leads_to_channel_1_of_its_recording(
    tmp_path: Path, name: str, recording: str
) -> None:
    folder = with_recordings(tmp_path / "DEMAND", recording)

    found = CARDS[name].file(settings(folder))

    assert found == folder / recording / "ch01.wav"


def test_all_of_demand_is_offered_beside_the_papers_three() -> None:
    demand = [name for name, card in CARDS.items() if "DEMAND" in card.source]

    assert " ".join(sorted(demand)) == (
        "dkitchen dliving dwashing human nfield npark nriver ohallway omeeting ooffice "
        "park pcafeter presto pstation scafe spsquare straffic tbus tcar tmetro traffic"
    )


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_both_editions_are_read(
    write_audio: Callable[..., Path], tmp_path: Path, rate: int
) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    write_audio("DEMAND/SCAFE/ch01.wav", tone, rate)

    noise = read_noise("scafe", CARDS["scafe"].file(settings(tmp_path / "DEMAND")))

    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    assert len(noise.wave) == 16_000
    np.testing.assert_allclose(noise.wave[500:-500], expected[500:-500], atol=1e-3)


def missing(card: NoiseCard, folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        card.file(settings(folder))
    return str(caught.value)


def test_unset_folder_is_answered_with_every_way_to_get_the_noise() -> None:
    assert missing(CARDS["human"], None) == (
        "demand is not on this machine: NSERBENCH_DEMAND is not set\n"
        "  nserbench download demand\n"
        '  or write "human" = "FILE" under [noises] in nserbench.toml, or\n'
        "  unpack OMEETING of DEMAND (Zenodo record 1227121, CC BY 4.0) into a folder, "
        "then\n"
        "    export NSERBENCH_DEMAND=/path/to/demand\n"
        '  or write demand = "/path/to/demand" under [paths] in nserbench.toml'
    )


def test_missing_recording_is_named(tmp_path: Path) -> None:
    folder = with_recordings(tmp_path / "DEMAND", "NPARK")

    assert missing(CARDS["human"], folder) == (
        "noise 'human' is not on this machine: "
        f"there is no {folder}/OMEETING/ch01.wav\n"
        '  write "human" = "FILE" under [noises] in nserbench.toml, or\n'
        "  unpack OMEETING of DEMAND (Zenodo record 1227121, CC BY 4.0) into a folder"
    )


@pytest.mark.parametrize("name", DEMAND_NOISES)
def test_the_folder_above_is_recognised(tmp_path: Path, name: str) -> None:
    inner = with_recordings(tmp_path / "DEMAND", name.upper())

    said = missing(CARDS[name], tmp_path)

    assert said.endswith(f"it is in another folder: set NSERBENCH_DEMAND to {inner}")


@pytest.mark.parametrize("name", DEMAND_NOISES)
def test_the_folder_of_one_recording_is_recognised(tmp_path: Path, name: str) -> None:
    folder = with_recordings(tmp_path, name.upper())

    said = missing(CARDS[name], folder / name.upper())

    assert said.endswith(f"it is in another folder: set NSERBENCH_DEMAND to {tmp_path}")


def test_cards_import_nothing_heavy() -> None:
    script = (
        "import sys, nserbench.corpora.cards, nserbench.corpora.noise.cards\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'soundfile', 'soxr'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "[]\n"
