"""The leaderboard over many results: the first time, and when nothing has changed."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from _measure import at_most, medians, seconds

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import PREDICTIONS, Result, write_result
from nserbench.leaderboard.reading.counts_cache import MIN_AGE_NS, cache_file
from nserbench.leaderboard.tables.summary import summary_table

CLASSES = ("anger", "happiness", "neutral", "sadness")
UTTERANCES, SPEAKERS = 300, 10
FEW, MANY = 500, 2000
ROUNDS = 3


def predictions(number: int) -> Predictions:
    """Draw the answers to the same utterances, other ones for each number."""
    rng = np.random.default_rng(number)
    chosen = rng.dirichlet(np.ones(len(CLASSES)), UTTERANCES)
    speakers = [place % SPEAKERS for place in range(UTTERANCES)]
    return Predictions(
        utterances=tuple(f"utterance_{place:04}" for place in range(UTTERANCES)),
        speakers=tuple(f"speaker_{one}" for one in speakers),
        folds=tuple(str(one // 2) for one in speakers),
        classes=CLASSES,
        labels=np.arange(UTTERANCES) % len(CLASSES),
        predicted=chosen.argmax(axis=1),
        probabilities=chosen,
    )


def fill(folder: Path, count: int) -> None:
    """Write results of ten heads in ten conditions under each upstream."""
    for number in range(count):
        upstream, head, level = number // 100, number // 10 % 10, number % 10
        result = Result(
            status="done",
            digest=f"{number:032x}",
            upstream=f"upstream_{upstream}",
            downstream=f"head_{head}",
            corpus="drawn",
            condition=f"park@{level}",
            protocol="paper",
            seed=0,
            protocol_details={"name": "paper", "version": 1},
            classes=CLASSES,
            predictions=predictions(number),
            provenance={"finished": "2026-01-01T00:00:00+00:00"},
        )
        write_result(folder, result)


def show(folder: Path) -> None:
    """Make the leaderboard's table, as the first time."""
    cache_file(folder).unlink(missing_ok=True)
    show_again(folder)


def show_again(folder: Path) -> None:
    """Make the leaderboard's table from what is remembered."""
    summary_table(folder, ("uar", "f1_macro"))


def read_plainly(folder: Path) -> None:
    """Read every table of predictions, and do nothing with it."""
    for file in folder.glob(f"*/{PREDICTIONS}"):
        with file.open(newline="", encoding="utf-8") as stream:
            list(csv.reader(stream))


def report(folder: Path, few: int, many: int, rounds: int) -> list[str]:
    """Measure with two counts of results."""
    small, large = folder / "few", folder / "many"
    fill(large, many)
    small.mkdir()
    for one in sorted(large.iterdir())[:few]:
        (small / one.name).symlink_to(one)
    time.sleep(MIN_AGE_NS / 1e9)  # what is younger is not remembered
    show(small)
    at_few, at_many, again, plain = medians(
        lambda: seconds(lambda: show(small)),
        lambda: seconds(lambda: show(large)),
        lambda: seconds(lambda: show_again(large)),
        lambda: seconds(lambda: read_plainly(large)),
        rounds=rounds,
    )
    return [
        at_most("leaderboard-csv", at_many / plain, 50),
        at_most("leaderboard-growth", at_many / at_few, 5),
        at_most("leaderboard-again", again / at_many, 0.5),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.environ["NSERBENCH_STORE"] = f"{place}/store"
        print(*report(Path(place), FEW, MANY, ROUNDS), sep="\n")
