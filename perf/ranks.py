"""How often rows that do not differ are told apart: a table of docs/statistics.md."""

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
"""Rows and columns."""
CORPORA = (1, 4)
UNITS = (10, 24)
UTTERANCES = 40
"""Of a unit."""
DRAWS = 400

Floats = NDArray[np.float64]


def corpus(
    random: np.random.Generator, rows: int, conditions: int, units: int, skill: float
) -> Floats:
    """Draw how much of each unit a row has right, ``(conditions, rows, units)``.

    In log-odds, a unit is hard (0.5), some rows do better on it than others in every
    condition (0.3) and in one (0.15); so is an utterance (1), for all rows and for one.

    Args:
        random: Where it is drawn from.
        rows: How many.
        conditions: How many, from easy to hard.
        units: Of independence.
        skill: From the mean of all rows to the best one.
    """
    level = np.linspace(1.3, -0.7, conditions)[:, None, None, None]
    skills = skill * np.linspace(1, -1, rows)[:, None, None]
    hard = random.normal(0, 0.5, (units, 1))
    suits = random.normal(0, 0.3, (rows, units, 1))
    here = random.normal(0, 0.15, (conditions, rows, units, 1))
    utterance = random.normal(0, 1.0, (units, UTTERANCES))
    own = random.normal(0, 1.0, (rows, units, UTTERANCES))
    chances = expit(level + skills + hard + suits + here + utterance + own)
    return np.asarray((random.random(chances.shape) < chances).mean(axis=-1))


def block(random: np.random.Generator, right: Floats) -> CorpusBlock:
    """Draw the units of a corpus, the same ones for all its rows and conditions."""
    units = right.shape[-1]
    times = random.multinomial(units, np.full(units, 1 / units), DRAWS) / units
    return CorpusBlock(units, right.mean(axis=-1), right @ times.T)


@lru_cache
def quantile(rows: int) -> float:
    """Return the 95th percentile of the studentised range."""
    return float(studentized_range.ppf(1 - LEVEL, rows, np.inf))


def nemenyi(values: Floats) -> bool:
    """Tell whether Friedman's and Nemenyi's tests tell rows of columns apart."""
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
    """Return how often any rows are told apart, by ours and by Nemenyi's test.

    And how often intervals of mean ranks hold the mean rank to be expected.
    """
    random, (rows, columns) = np.random.default_rng(seed), shape
    apart, by_nemenyi, found = 0, 0, []
    for _ in range(rounds):
        drawn = [
            corpus(random, rows, columns // corpora, units, skill)
            for _ in range(corpora)
        ]
        mean, critical = ranked([block(random, right) for right in drawn])
        values = [rank.value for rank in mean]
        apart += max(values) - min(values) > critical
        by_nemenyi += nemenyi(np.concatenate([right.mean(axis=-1) for right in drawn]))
        found.append([(rank.value, rank.low, rank.high) for rank in mean])
    value, low, high = np.array(found).transpose(2, 0, 1)
    expected = value.mean(axis=0) if skill else (rows + 1) / 2
    held = ((low <= expected) & (expected <= high)).mean()
    return apart / rounds, by_nemenyi / rounds, float(held)


def table(rounds: int, units: int) -> str:
    """Return the table of one number of units in Markdown, percent."""
    heads = ("rows x columns", "corpora", "units", "told apart", "Nemenyi", "held")
    heads = (*heads, "held, rows that differ")
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for shape in SHAPES:
        for corpora in CORPORA:
            *equal, held = simulate(shape, corpora, units, rounds, 0.0)
            *_, unequal = simulate(shape, corpora, units, rounds // 4, 0.3)
            shown = " | ".join(f"{100 * one:.1f}" for one in (*equal, held, unequal))
            name = " x ".join(map(str, shape))
            lines.append(f"| {name} | {corpora} | {units} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(int(sys.argv[1]), int(sys.argv[2])))
