import shlex
from typing import Any

import pytest

from nserbench.benchmark.results.result import Result
from nserbench.benchmark.study.command import command_of
from nserbench.benchmark.study.protocols import NOISE, SHARED
from nserbench.cli import main

FAILED: dict[str, Any] = {
    "status": "failed",
    "reason": "no memory",
    "digest": "ab",
    "upstream": "mel",
    "downstream": "mean",
    "corpus": "emodb",
    "condition": "clean",
    "protocol": "probe",
    "seed": 0,
    "classes": (),
    "protocol_details": {},
}
TRAINED = f"{NOISE['multi'].format('clean, park@5, human@-5')}, {SHARED}"


@pytest.mark.parametrize(
    ("fields", "seeds", "wanted"),
    [
        ({}, [0], "-c emodb --protocol probe"),
        (
            {"condition": "park@-5", "protocol": "probe+dev+limit=60"},
            [0, 2],
            "-c emodb --noise park@-5 --protocol probe+dev --limit 60 --seeds 3",
        ),
        (
            {"upstream": "hf:id=a/b c", "protocol": "paper+epochs=5"},
            [0],
            "--protocol paper+epochs=5",
        ),
        (
            {
                "condition": "park@5",
                "protocol": "probe+multi",
                "protocol_details": {"noise": TRAINED},
            },
            [0],
            "--noise clean,park@5,human@-5 --protocol probe+multi",
        ),
    ],
)
def test_the_command_is_one_that_the_command_line_reads(
    fields: dict[str, Any], seeds: list[int], wanted: str
) -> None:
    result = Result(**{**FAILED, **fields})

    line = command_of(result, seeds)

    assert line.endswith(wanted)
    words = shlex.split(line)
    assert words[3] == result.upstream
    main.commands["run"].make_context("run", words[2:])
