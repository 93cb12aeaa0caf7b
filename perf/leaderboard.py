"""Time of the leaderboard over many results, without and with its cache of counts."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from _measure import at_most, medians, seconds

from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.result import PREDICTIONS, Result
from nserbench.benchmark.results.write_results import write_result
from nserbench.leaderboard.reading.counts_cache import MIN_AGE_NS, cache_file
from nserbench.leaderboard.tables.summary import summary_table

CLASSES = ("anger", "happiness", "neutral", "sadness")
UTTERANCES, SPEAKERS = 300, 10
FEW, MANY = 500, 2000
ROUNDS = 3


def predictions(number: int) -> Predictions:
    """Return random predictions of the same utterances; the number is the seed."""
    rng = np.random.default_rng(number)
    chosen = rng.dirichlet(np.ones(len(CLASSES)), UTTERANCES)
    speakers = [row % SPEAKERS for row in range(UTTERANCES)]
    return Predictions(
        utterances=tuple(f"utterance_{row:04}" for row in range(UTTERANCES)),
        speakers=tuple(f"speaker_{speaker}" for speaker in speakers),
        folds=tuple(str(speaker // 2) for speaker in speakers),
        classes=CLASSES,
        labels=np.arange(UTTERANCES) % len(CLASSES),
        predicted=chosen.argmax(axis=1),
        probabilities=chosen,
    )


def fill(folder: Path, count: int) -> None:
    """Write results of ten heads in ten conditions for each upstream."""
    for number in range(count):
        upstream, head, snr = number // 100, number // 10 % 10, number % 10
        result = Result(
            status="done",
            digest=f"{number:032x}",
            upstream=f"upstream_{upstream}",
            downstream=f"head_{head}",
            corpus="drawn",
            condition=f"park@{snr}",
            protocol="paper",
            seed=0,
            protocol_details={"name": "paper", "version": 1},
            classes=CLASSES,
            predictions=predictions(number),
            provenance={"finished": "2026-01-01T00:00:00+00:00"},
        )
        write_result(folder, result)


def show(folder: Path) -> None:
    """Make the table of the leaderboard without the cache."""
    cache_file(folder).unlink(missing_ok=True)
    show_cached(folder)


def show_cached(folder: Path) -> None:
    """Make the table of the leaderboard from the cache."""
    summary_table(folder, ("uar", "f1_macro"))


def read_plainly(folder: Path) -> None:
    """Read every file of predictions, and do nothing else."""
    for file in folder.glob(f"*/{PREDICTIONS}"):
        with file.open(newline="", encoding="utf-8") as stream:
            list(csv.reader(stream))


def report(folder: Path, few: int, many: int, rounds: int) -> list[str]:
    """Measure with few and with many results, and return the lines to print."""
    small, large = folder / "few", folder / "many"
    fill(large, many)
    small.mkdir()
    for result in sorted(large.iterdir())[:few]:
        (small / result.name).symlink_to(result)
    time.sleep(MIN_AGE_NS / 1e9)  # newer files are not cached
    show(small)
    at_few, at_many, cached, plain = medians(
        lambda: seconds(lambda: show(small)),
        lambda: seconds(lambda: show(large)),
        lambda: seconds(lambda: show_cached(large)),
        lambda: seconds(lambda: read_plainly(large)),
        rounds=rounds,
    )
    return [
        at_most("leaderboard-csv", at_many / plain, 50),
        at_most("leaderboard-growth", at_many / at_few, 5),
        at_most("leaderboard-again", cached / at_many, 0.5),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["NSERBENCH_STORE"] = f"{temporary}/store"
        print(*report(Path(temporary), FEW, MANY, ROUNDS), sep="\n")
