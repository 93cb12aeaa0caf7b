"""The main job on real speech, real noise and real weights."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from values import note

from nserbench.benchmark.results.metrics import summarise
from nserbench.benchmark.results.read_results import read_results
from nserbench.cli import main

NOISES = {
    "human": "human_coffeeshop",
    "park": "park_birds",
    "traffic": "traffic_cars",
}
PLACES = "emodb,emodb-human,emodb-park,emodb-traffic"
POOLED = "mean,weighted-sum,scalar-mix,attention,last,single:layer=3"


def settings(test_data: Path, emodb: Path) -> Path:
    """Write a settings file with the test noises."""
    file = Path("lab.toml")
    noises = [
        f'{name} = "{test_data}/noise/{stem}.flac"' for name, stem in NOISES.items()
    ]
    file.write_text("\n".join(["[paths]", f'emodb = "{emodb}"', "[noises]", *noises]))
    return file


def run(
    config: Path, test_data: Path, heads: str, *words: str, places: str = PLACES
) -> dict[str, int]:
    """Run both upstreams under some heads; return how many cells had which outcome."""
    whisper = f"whisper:checkpoint={test_data}/models/whisper-tiny.en"
    grid = ["-u", f"mel,{whisper}", "-d", heads, "-c", places]
    done = CliRunner().invoke(
        main, ["run", *grid, "--config", str(config), "--json", *words]
    )
    assert done.exit_code == 0, done.output
    outcomes: dict[str, int] = json.loads(done.stdout)["outcomes"]
    return outcomes


@pytest.fixture
def two_folds(test_data: Path, tmp_path: Path) -> Path:
    """Return a folder of 8 EmoDB clips: two folds of two speakers, four emotions."""
    folder = tmp_path / "emodb"
    folder.mkdir()
    for speaker, letters in {"03": "WF", "08": "NT", "10": "WF", "09": "NT"}.items():
        for letter in letters:
            wav = min((test_data / "corpus/emodb/wav").glob(f"{speaker}*{letter}?.*"))
            (folder / wav.name).symlink_to(wav)
    return folder


@pytest.mark.parametrize(
    "places",
    [
        "emodb,emodb-human",
        pytest.param("emodb-park,emodb-traffic", marks=pytest.mark.slow),
    ],
)
def test_every_head_runs_on_real_speech_and_noise(
    test_data: Path, two_folds: Path, places: str
) -> None:
    config = settings(test_data, two_folds)
    heads = f"{POOLED},bigru,ladapter"

    outcomes = run(config, test_data, heads, "--epochs", "1", places=places)

    # One layer is too few for single:layer=3, three fusions and the L-adapter.
    assert outcomes == {"done": 2 * 11, "not applicable": 2 * 5}
    found = [one for one in read_results(Path("../results")) if one.predictions]
    assert len(found) == 2 * 11
    assert all(len(one.predictions.utterances) == 8 for one in found if one.predictions)
    scales = [
        scale
        for one in found
        for fold in note(one, "training").values()
        for scale in fold["scales"].values()
    ]
    # What heads receive has unit scale, frames and means over time alike.
    assert scales == pytest.approx([1.0] * len(scales), abs=1e-3)


@pytest.mark.slow
def test_whispers_middle_and_late_layers_beat_mel_in_every_noise(
    test_data: Path,
) -> None:
    config = settings(test_data, test_data / "corpus/emodb")

    run(config, test_data, "last,single:layer=2,single:layer=3")

    uar = {
        (one.upstream.partition(":")[0], one.downstream, one.condition): summarise(
            one.predictions
        )["uar"].mean
        for one in read_results(Path("../results"))
        if one.predictions
    }
    for condition in ("clean", *(f"{name}@0" for name in NOISES)):
        mel = uar["mel", "last", condition]
        for head in ("single:layer=2", "single:layer=3", "last"):
            assert uar["whisper", head, condition] > mel + 0.05


def test_noise_costs_more_where_only_clean_speech_was_trained_on(
    test_data: Path,
) -> None:
    config = settings(test_data, test_data / "corpus/emodb")
    places = "emodb,emodb-human"
    grid = ["run", "-u", "mel", "-d", "fc", "-c", places, "--config", str(config)]

    for protocol in ("probe", "probe+clean-train"):
        words = ["--protocol", protocol, "--epochs", "60"]
        done = CliRunner().invoke(main, [*grid, *words])
        assert done.exit_code == 0, done.output

    uar = {
        (one.condition, one.protocol.removesuffix("+epochs=60")): summarise(
            one.predictions
        )["uar"].mean
        for one in read_results(Path("../results"))
        if one.predictions
    }
    assert uar["clean", "probe"] == uar["clean", "probe+clean-train"]
    matched, unmatched = (
        uar["human@0", protocol] for protocol in ("probe", "probe+clean-train")
    )
    # The README of the data has 70 and 30 % of another classifier on log-mel.
    assert unmatched < matched - 0.2
    assert unmatched < uar["clean", "probe"] - 0.3
