"""Random inputs for everything that reads what others wrote, a few of each kind."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

pytest.importorskip("asteroid", exc_type=ImportError)

from fuzz.catalogue import TARGETS
from fuzz.mutate import CHANGES, changed
from fuzz.run import Outcome, attempt, fuzz, made
from fuzz.target import Files, Target

from nserbench.errors import BadSpec, NserbenchError

INPUTS = 50


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_an_input_is_read_or_refused_with_a_message(
    tmp_path: Path, target: Target
) -> None:
    seeds = target.seeds()
    target.prepare(tmp_path)
    for files in seeds:
        attempt(target, files, tmp_path)  # a valid input is read

    for number in range(max(2, round(INPUTS * target.share))):
        files = made(target, seeds, 1, number)
        with warnings.catch_warnings(action="ignore"), suppress(NserbenchError):
            attempt(target, files, tmp_path)


def _read(folder: Path) -> None:
    text = (folder / "a").read_text()
    if "stop" in text:
        sys.exit(3)
    if "die" in text:
        import os

        os._exit(3)
    if "bad" in text:
        raise KeyError(text)
    if "no" in text:
        raise BadSpec(text)


def _words(*words: str) -> Target:
    """Return a target whose inputs are some words."""
    return Target("words", lambda: [{"a": b"fine"}], _read)


@pytest.mark.parametrize(
    ("word", "place"),
    [("bad", "KeyError in "), ("stop", "SystemExit in "), ("die", "the process died")],
)
def test_what_ends_otherwise_is_a_failure_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, place: str
) -> None:
    def one_in_three(target: Target, seeds: Sequence[Files], random: Random) -> Files:
        return {"a": random.choice([word, "no", "fine"]).encode()}

    monkeypatch.setattr("fuzz.run.changed", one_in_three)
    failed, scratch = tmp_path / "failed", tmp_path / "scratch"

    outcome = fuzz(_words(), 12, 0, failed, scratch)

    (found,) = outcome.failures
    kept = sorted(file.read_text() for file in failed.rglob("a"))
    assert found.startswith(place)
    assert 0 < outcome.failures[found] < 12
    assert outcome.refused > 0 or word == "die"
    assert kept == [word] * min(3, outcome.failures[found])


def test_an_input_depends_on_seed_and_number_alone() -> None:
    target = TARGETS[0]
    seeds = target.seeds()

    first = [made(target, seeds, 0, number) for number in range(20)]

    assert first == [made(target, seeds, 0, number) for number in range(20)]
    assert first != [made(target, seeds, 1, number) for number in range(20)]


def test_every_change_takes_every_content() -> None:
    random = Random(0)
    contents = (b"", b"\n", b"1", b'{"a": [1]}', b"a,b\n1,2\n", bytes(range(256)))

    for change in CHANGES:
        for content in contents:
            for _ in range(20):
                assert isinstance(change(content, random, [b"x"]), bytes)


def test_most_inputs_differ_from_the_valid_ones() -> None:
    target = TARGETS[0]
    seeds = target.seeds()

    inputs = [changed(target, seeds, Random(number)) for number in range(100)]

    assert sum(one in seeds for one in inputs) < 20


@pytest.fixture
def script() -> ModuleType:
    """Import the script that runs the targets."""
    file = Path(__file__).parents[1] / "reliability" / "run_fuzz.py"
    spec = importlib.util.spec_from_file_location("run_fuzz", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_replace_those_of_the_same_targets(
    tmp_path: Path, script: ModuleType
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{script.BEGIN}\n{script.END}\nafter\n")
    first, second = (Outcome(target.name, 10) for target in TARGETS[:2])
    newer = Outcome(TARGETS[0].name, 99)

    for outcome in (second, first, newer):
        script.write_table(page, [script.row(outcome)], 7)

    text = page.read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[2:] == [script.row(newer), script.row(second)]
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "seed 7:" in text
