"""Simulate how often equal rows differ significantly: a table of docs/statistics.md."""

from __future__ import annotations

import sys
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from nserbench.leaderboard.analysis.ranks import CorpusBlock, ranked
from nserbench.leaderboard.analysis.statistics import LEVEL

SHAPES = ((5, 4), (5, 16), (12, 16))
"""Numbers of rows and columns."""
CORPORA = (1, 4)
UNITS = (10, 24)
UTTERANCES = 40
"""Utterances of a unit."""
DRAWS = 400

Floats = NDArray[np.float64]


def corpus(
    random: np.random.Generator, rows: int, conditions: int, units: int, skill: float
) -> Floats:
    """Draw the accuracy of each row on each unit, ``(conditions, rows, units)``.

    The standard deviations in log-odds are: of a unit 0.5; of a row on a unit 0.3 over
    all conditions and 0.15 in one of them; of an utterance 1, and of a row on it 1.

    Args:
        random: Random generator.
        rows: Number of rows.
        conditions: Number of conditions, from easy to hard.
        units: Number of independent units.
        skill: Difference in log-odds between the best row and the mean of all rows.
    """
    condition = np.linspace(1.3, -0.7, conditions)[:, None, None, None]
    row = skill * np.linspace(1, -1, rows)[:, None, None]
    unit = random.normal(0, 0.5, (units, 1))
    row_unit = random.normal(0, 0.3, (rows, units, 1))
    condition_row_unit = random.normal(0, 0.15, (conditions, rows, units, 1))
    utterance = random.normal(0, 1.0, (units, UTTERANCES))
    row_utterance = random.normal(0, 1.0, (rows, units, UTTERANCES))
    effects = condition + row + unit + row_unit + condition_row_unit
    chances = expit(effects + utterance + row_utterance)
    return np.asarray((random.random(chances.shape) < chances).mean(axis=-1))


def block(random: np.random.Generator, right: Floats) -> CorpusBlock:
    """Return bootstrap draws of the units, the same for all rows and conditions."""
    units = right.shape[-1]
    times = random.multinomial(units, np.full(units, 1 / units), DRAWS) / units
    return CorpusBlock(units, right.mean(axis=-1), right @ times.T)


@lru_cache
def quantile(rows: int) -> float:
    """Return the 95th percentile of the studentised range."""
    return float(studentized_range.ppf(1 - LEVEL, rows, np.inf))


def nemenyi(values: Floats) -> bool:
    """Return whether Friedman's and Nemenyi's tests find that any rows differ."""
    columns, rows = values.shape
    if friedmanchisquare(*values.T).pvalue >= LEVEL:
        return False
    width = quantile(rows) * np.sqrt(rows * (rows + 1) / (12 * columns))
    return bool(np.ptp(rankdata(-values, axis=1).mean(axis=0)) > width)


def simulate(
    shape: tuple[int, int],
    corpora: int,
    units: int,
    rounds: int,
    skill: float,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Simulate corpora, and return three shares.

    Returns:
        How often any rows differ significantly, by our test and by Nemenyi's; how often
        the interval of a mean rank contains the expected mean rank.
    """
    random, (rows, columns) = np.random.default_rng(seed), shape
    differ, by_nemenyi, ranks = 0, 0, []
    for _ in range(rounds):
        drawn = [
            corpus(random, rows, columns // corpora, units, skill)
            for _ in range(corpora)
        ]
        mean, critical = ranked([block(random, right) for right in drawn])
        values = [rank.value for rank in mean]
        differ += max(values) - min(values) > critical
        by_nemenyi += nemenyi(np.concatenate([right.mean(axis=-1) for right in drawn]))
        ranks.append([(rank.value, rank.low, rank.high) for rank in mean])
    value, low, high = np.array(ranks).transpose(2, 0, 1)
    expected = value.mean(axis=0) if skill else (rows + 1) / 2
    held = ((low <= expected) & (expected <= high)).mean()
    return differ / rounds, by_nemenyi / rounds, float(held)


def table(rounds: int, units: int) -> str:
    """Return the table for one number of units in Markdown, percent."""
    heads = ["rows x columns", "corpora", "units", "significant", "Nemenyi"]
    heads += ["coverage", "coverage, rows that differ"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for shape in SHAPES:
        for corpora in CORPORA:
            *equal, held = simulate(shape, corpora, units, rounds, 0.0)
            *_, unequal = simulate(shape, corpora, units, rounds // 4, 0.3)
            shown = " | ".join(
                f"{100 * share:.1f}" for share in (*equal, held, unequal)
            )
            name = " x ".join(map(str, shape))
            lines.append(f"| {name} | {corpora} | {units} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]), int(sys.argv[2])))
