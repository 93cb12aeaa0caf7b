"""What a real recogniser understands of real speech in real noise."""

import csv
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from nserbench.cli import main

NOISES = {
    "dishes": "domestic_dishes",
    "human": "human_coffeeshop",
    "park": "park_birds",
    "traffic": "traffic_cars",
}
Rates = Callable[..., dict[str, float]]


@pytest.fixture
def english(test_data: Path) -> str:
    """List the six English sentences with their texts."""
    with (test_data / "english/texts.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with Path("english.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "id", "label", "speaker", "fold", "text", "language"])
        for row in rows:
            path, speaker = test_data / "english" / row["file"], row["speaker"]
            name = path.stem
            table.writerow([path, name, "read", speaker, speaker, row["text"], "en"])
    return "manifest:english.csv"


@pytest.fixture
def rates(test_data: Path) -> Rates:
    """Return a function that returns the error rates of whisper-tiny.en."""
    noises = [f'{name} = "{test_data}/noise/{it}.flac"' for name, it in NOISES.items()]
    lines = ["[paths]", f'emodb = "{test_data}/corpus/emodb"', "[noises]", *noises]
    Path("lab.toml").write_text("\n".join(lines))
    whisper = f"whisper:checkpoint={test_data}/models/whisper-tiny.en"

    def run(*words: str, measure: str = "rate") -> dict[str, float]:
        line = ["transcribe", "-u", whisper, "--config", "lab.toml", "--json", *words]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, done.output
        return {row["condition"]: row[measure] for row in json.loads(done.stdout)}

    return run


def rising(values: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(values))


def test_clean_english_is_understood(rates: Rates, english: str) -> None:
    assert rates("-c", english)["clean"] < 0.15


@pytest.mark.slow
def test_errors_grow_with_the_noise_of_people(rates: Rates, english: str) -> None:
    found = rates("-c", english, "--noise", "human", "--snr", "10,5,0,-5,-10")

    assert rising([found[f"human@{snr}"] for snr in (10, 5, 0, -5, -10)])


@pytest.mark.slow
def test_what_is_made_of_german_moves_away_from_clean_in_every_noise(
    rates: Rates,
) -> None:
    noises = [word for name in NOISES for word in ("--noise", name)]
    limits = "--snr", "10,0,-10", "--limit", "20", "--wer-against", "clean"

    # Not the word error rate, which one endless loop can decide.
    found = rates("-c", "emodb", *noises, *limits, measure="match_error")

    for name in NOISES:
        assert rising([found[f"{name}@{snr}"] for snr in (10, 0, -10)]), (name, found)
