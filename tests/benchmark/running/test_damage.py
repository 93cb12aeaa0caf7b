"""What is damaged in the store is noticed, set aside and made again."""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from values import note

from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import PREDICTIONS
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Features
from nserbench.benchmark.study.study import Study

pytestmark = pytest.mark.usefixtures("narrow_heads")

Ask = Callable[..., Study]
RunAgain = Callable[[], tuple[dict[str, bytes], list[str]]]
ARTEFACTS = {
    "pooled features": "features/*/pooled-*.safetensors",
    "frames": "features/*/frames-*.safetensors",
    "frames of 8 bits": "features/*/frames_int8-*.safetensors",
    "trained head": "fits/*.safetensors",
}


@pytest.fixture
def first(ask: Ask, runner: Runner) -> dict[str, bytes]:
    """Run a cell with a pooled head and two with a head on frames, in both forms."""
    runner.run(*studies(ask))
    return answers(runner)


def studies(ask: Ask) -> list[Study]:
    """Return a study with frames in float16, and one with frames of 8 bits."""
    coded = ask(downstreams=["bigru"], protocol="probe+frames=int8")
    return [ask(downstreams=["mean,bigru"]), coded]


@pytest.fixture
def run_again(
    ask: Ask, runner: Runner, runner_in: Callable[[Path], Runner]
) -> Callable[[], tuple[dict[str, bytes], list[str]]]:
    """Return a function that runs the cells again, as another process would."""

    def run() -> tuple[dict[str, bytes], list[str]]:
        shutil.rmtree(runner.results)
        again = runner_in(runner.results.parent)
        again.store.note = (notes := list[str]()).append
        again.run(*studies(ask))
        return answers(again), notes

    return run


def answers(runner: Runner) -> dict[str, bytes]:
    """Return the predictions of each result folder."""
    folders = sorted(runner.results.iterdir())
    return {folder.name: (folder / PREDICTIONS).read_bytes() for folder in folders}


def makers_of(folder: Path) -> Any:
    """Return the software that made the features and heads of a result."""
    return read_result(folder).provenance["made_by"]


def places(file: Path) -> Iterator[int]:
    """Yield positions from the beginning of a file to its end."""
    size = file.stat().st_size
    yield from sorted({0, 3, 12, 40, size // 3, size // 2, size - 5, size - 1})


def damage(file: Path, place: int, *, keep_time: bool) -> None:
    """Change one bit of a file."""
    stat = file.stat()
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)
    if keep_time:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_a_flipped_bit_is_noticed_and_changes_no_number(
    runner: Runner, first: dict[str, bytes], run_again: Callable[[], Any], artefact: str
) -> None:
    file = sorted(runner.store.root.glob(ARTEFACTS[artefact]))[0]
    for place, keep_time in zip(places(file), cycle([True, False]), strict=False):
        damage(file, place, keep_time=keep_time)

        again, notes = run_again()

        assert again == first, place
        (note,) = notes
        assert note.startswith(f"{file} "), place
        file = sorted(runner.store.root.glob(ARTEFACTS[artefact]))[0]


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_a_file_that_was_cut_off_is_noticed_and_changes_no_number(
    runner: Runner, first: dict[str, bytes], run_again: Callable[[], Any], artefact: str
) -> None:
    file = sorted(runner.store.root.glob(ARTEFACTS[artefact]))[0]
    for size in (0, 7, 100, -1):
        file.write_bytes(file.read_bytes()[:size])

        again, notes = run_again()

        assert again == first, size
        assert len(notes) == 1, size
        file = sorted(runner.store.root.glob(ARTEFACTS[artefact]))[0]


@pytest.mark.parametrize("pattern", ARTEFACTS.values(), ids=ARTEFACTS)
def test_a_folder_in_the_place_of_a_file_is_noticed_and_changes_no_number(
    first: dict[str, bytes], runner: Runner, run_again: RunAgain, pattern: str
) -> None:
    file = sorted(runner.store.root.glob(pattern))[0]
    file.unlink()
    file.mkdir()

    again, notes = run_again()

    assert again == first
    assert any(str(file) in note for note in notes)


def test_heads_that_were_swapped_are_noticed_and_change_no_number(
    first: dict[str, bytes], runner: Runner, run_again: RunAgain
) -> None:
    heads = sorted(runner.store.fits(), key=lambda file: file.stat().st_size)
    one, other = sorted(heads[:2])  # of the pooled head, in two folds
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)

    again, notes = run_again()

    assert again == first
    assert notes[0].startswith(f"{one} was stored as {other.stem}: moved to ")
    assert notes[1].startswith(f"{other} was stored as {one.stem}: moved to ")


def test_a_shard_of_other_features_is_noticed_and_changes_no_number(
    ask: Ask, runner: Runner, runner_in: Callable[[Path], Runner]
) -> None:
    both = {"downstreams": ["mean"], "noises": ["hiss"], "snrs": [0.0, 5.0]}
    runner.run(ask(**both))
    before = answers(runner)
    (one, *_, other) = sorted(runner.store.root.glob("features/*/pooled-*.safetensors"))
    assert one.parent != other.parent
    shutil.move(one, other.with_name(one.name))
    other.unlink()
    for head in runner.store.fits():
        head.unlink()
    shutil.rmtree(runner.results)
    again = runner_in(runner.results.parent)
    again.store.note = (notes := list[str]()).append

    again.run(ask(**both))

    assert answers(again) == before
    assert f"{one.name} holds features of {one.parent.name}: moved to" in notes[0]


def test_a_folder_in_the_place_of_the_ledger_stops_nothing(
    first: dict[str, bytes], runner: Runner, run_again: RunAgain
) -> None:
    (runner.store.root / "ledger.sqlite").unlink()
    (runner.store.root / "ledger.sqlite").mkdir()

    again, notes = run_again()

    assert again == first
    assert "ledger.sqlite is damaged" in notes[0]


def test_a_lost_description_of_features_stops_nothing(
    runner: Runner, first: dict[str, bytes], run_again: Callable[[], Any]
) -> None:
    (about,) = runner.store.root.glob("features/*/about.json")
    for content in (None, b"", b"{", b"[]", b"\xff"):
        about.unlink(missing_ok=True)
        if content is not None:
            about.write_bytes(content)

        again, notes = run_again()

        assert (again, notes) == (first, []), content


def test_features_whose_makers_are_not_known_fail_no_cell(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As nserbench wrote them before shards said so.
    real = Features.write

    def write(self: Any, form: Any, states: Any, facts: dict[str, str]) -> None:
        real(self, form, states, {"seconds": facts["seconds"]})

    monkeypatch.setattr(Features, "write", write)

    (folder,) = runner.run(ask()).folders

    result = read_result(folder)
    assert result.status == "done"
    assert result.costs["frozen_parameters"] is None
    assert makers_of(folder)["features"] == [{}]
    assert "flags" not in result.notes


def test_a_result_says_which_software_made_its_features_and_heads(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = runner.run(ask()).folders
    makers = makers_of(folder)
    assert [maker["torch"] for maker in makers["features"]] == [
        maker["torch"] for maker in makers["heads"]
    ]

    monkeypatch.setattr(
        "nserbench.benchmark.results.software._version", lambda name: "99"
    )
    (other,) = runner.run(ask(seeds=[1])).folders

    assert makers_of(other)["features"] == makers["features"]
    assert [maker["torch"] for maker in makers_of(other)["heads"]] == ["99"]


def test_heads_of_different_software_are_flagged(
    ask: Ask, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = runner.run(ask()).folders
    shutil.rmtree(folder)
    sorted(runner.store.root.glob("fits/*"))[0].unlink()
    monkeypatch.setattr(
        "nserbench.benchmark.results.software._version", lambda name: "99"
    )

    runner.run(ask())

    (flag,) = note(read_result(folder), "flags")["all folds"]
    assert flag.startswith("mixed software: the heads were made by ")
    assert " | " in flag
