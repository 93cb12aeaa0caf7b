import re
import subprocess
import sys
from pathlib import Path

import pytest

from nserbench.corpora.base import NoiseCard
from nserbench.corpora.noise_cards import nserbench_noises
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
    assert " ".join(sorted(CARDS)) == (
        "dkitchen dliving dwashing human nfield npark nriver ohallway omeeting ooffice "
        "park pcafeter presto pstation scafe spsquare straffic tbus tcar tmetro traffic"
    )


def missing(card: NoiseCard, folder: Path | None) -> str:
    with pytest.raises(CorpusMissing) as caught:
        card.file(settings(folder))
    return str(caught.value)


def test_unset_folder_is_answered_with_every_way_to_get_the_noise() -> None:
    assert missing(CARDS["human"], None) == (
        "demand is not on this machine: NSERBENCH_DEMAND is not set\n"
        '  write human = "FILE" under [noises] in nserbench.toml, or unpack OMEETING\n'
        "  of DEMAND (Zenodo record 1227121, CC BY 4.0) into a folder, then\n"
        "    export NSERBENCH_DEMAND=/path/to/demand\n"
        '  or write demand = "/path/to/demand" under [paths] in nserbench.toml'
    )


def test_missing_recording_is_named(tmp_path: Path) -> None:
    folder = with_recordings(tmp_path, "NPARK")

    assert missing(CARDS["human"], folder) == (
        "noise 'human' is not on this machine: "
        f"there is no {tmp_path}/OMEETING/ch01.wav\n"
        '  write human = "FILE" under [noises] in nserbench.toml, or unpack OMEETING\n'
        "  of DEMAND (Zenodo record 1227121, CC BY 4.0) into a folder"
    )


def test_the_folder_above_is_recognised(tmp_path: Path) -> None:
    inner = with_recordings(tmp_path / "DEMAND", "NPARK")

    said = missing(CARDS["park"], tmp_path)

    assert said.endswith(f"it is a level deeper: set NSERBENCH_DEMAND to {inner}")


def test_the_folder_of_one_recording_is_recognised(tmp_path: Path) -> None:
    folder = with_recordings(tmp_path, "NPARK", "OMEETING")

    said = missing(CARDS["park"], folder / "NPARK")

    assert re.search(rf"is one recording: set NSERBENCH_DEMAND to {tmp_path}$", said)


def test_cards_import_nothing_heavy() -> None:
    script = (
        "import sys, nserbench.corpora.cards\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'soundfile', 'soxr'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "[]\n"
