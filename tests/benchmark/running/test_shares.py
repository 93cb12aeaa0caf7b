"""Which jobs one worker runs together."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nserbench.benchmark.running.shares import divide


def job(head: str, condition: str, tier: str, **more: Any) -> Any:
    cell = SimpleNamespace(
        upstream=SimpleNamespace(label="whisper"),
        corpus=SimpleNamespace(label="emodb"),
        downstream=SimpleNamespace(label=head),
        reads_frames=tier == "frames",
        condition=condition,
        seed=0,
    )
    plain = {"matched": True, "tuning": None}
    made = SimpleNamespace(name=f"{head} {condition}", cell=cell, **plain | more)
    made.alternatives = [made]
    return made


def names(jobs: Sequence[Any]) -> list[list[str]]:
    found: Any = divide(jobs)
    return [[one.name for one in part] for part in found]


def test_heads_on_frames_are_alone_and_first_and_pooled_heads_are_together() -> None:
    jobs = [
        job("mean", "clean", "pooled"),
        job("last", "clean", "pooled"),
        job("mean", "park@0", "pooled"),
        job("ladapter", "clean", "frames"),
        job("ladapter", "park@0", "frames"),
    ]

    assert names(jobs) == [
        ["ladapter clean"],
        ["ladapter park@0"],
        ["mean clean", "last clean"],
        ["mean park@0"],
    ]


def test_a_head_that_chooses_stays_with_the_heads_that_it_fits() -> None:
    best = job("best", "clean", "pooled")
    best.alternatives = [job("single:layer=1", "clean", "pooled")]

    assert names([job("single:layer=all", "clean", "pooled"), best]) == [
        ["single:layer=all clean", "best clean"]
    ]


@pytest.mark.parametrize("change", [{"matched": False}, {"tuning": "by a head"}])
def test_conditions_that_share_a_fit_stay_together(change: dict[str, Any]) -> None:
    jobs = [
        job("ladapter", "clean", "frames", **change),
        job("ladapter", "park@0", "frames", **change),
    ]

    assert names(jobs) == [["ladapter clean", "ladapter park@0"]]
