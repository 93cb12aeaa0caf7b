"""How rows rank over columns, and which of them the speakers can tell apart.

Units of independence are drawn, as for every interval. Conditions of one corpus share
the draws, since they share the speakers; two corpora do not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nserbench.benchmark.results.intervals import interval_of, standard_error
from nserbench.leaderboard.analysis.statistics import LEVEL, Sample
from nserbench.leaderboard.reading.counts import Column, Row

Floats: TypeAlias = NDArray[np.float64]
ROUNDED = 1e-9
"""By how much equal means of ranks may differ."""

FEWEST = 5
"""Units that tell no rows apart, by ranks or by a sign-flip test."""

Samples: TypeAlias = Mapping[Row, Sample]
"""What is measured of the rows of a column."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The mean rank of a row.

    Attributes:
        value: 1 is best; ties share theirs.
        low: Where its 95 % interval begins.
        high: Where it ends.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """How rows rank over the columns of one protocol in which all of them are done.

    Attributes:
        mean: By row, best first: over corpora, of the mean over a corpus's columns.
        protocol: Of the columns.
        columns: How many there are.
        corpora: Of how many corpora.
        critical_difference: Mean ranks further apart than this differ. If no row
            differed from another, any two would be as far apart in 5 % of cases.
        groups: Rows, best first, that are not told apart; largest groups only.
    """

    mean: Mapping[Row, Rank]
    protocol: str
    columns: int
    corpora: int
    critical_difference: float
    groups: Sequence[Sequence[Row]]


@dataclass(frozen=True, slots=True)
class CorpusBlock:
    """The columns of one corpus, tested on the same utterances.

    Attributes:
        units: Of independence.
        values: ``(columns, rows)``.
        drawn: ``(columns, rows, draws)``; a draw is of the same units throughout.
    """

    units: int
    values: Floats
    drawn: Floats


def ranks(columns: Mapping[Column, Samples]) -> Ranks | None:
    """Rank rows by their values in each column, and average the ranks.

    Ranked are the columns of the protocol that has most of them. A column counts if
    all its rows were tested on the same utterances, as most columns of its corpus
    were, of at least two units. While fewer than two columns have all rows, the row
    that is in the fewest columns is left out.

    Args:
        columns: What may be ranked, by row.

    Returns:
        None if fewer than two rows share two columns.
    """
    found = _of_one_protocol(_fair(columns))
    rows = list(dict.fromkeys(row for samples in found.values() for row in samples))
    while len(rows) > 1:
        shared = {
            column: [samples[row] for row in rows]
            for column, samples in found.items()
            if all(row in samples for row in rows)
        }
        if len(shared) > 1:
            return _ranked(rows, shared)
        rows.remove(
            min(rows, key=lambda row: sum(row in one for one in found.values()))
        )
    return None


def _fair(columns: Mapping[Column, Samples]) -> dict[Column, Samples]:
    """Keep the columns of several rows, all tested on what their corpus mostly was."""
    tested = {
        column: {(one.tested, one.drawn is not None) for one in samples.values()}
        for column, samples in columns.items()
        if len(samples) > 1
    }
    alike = {column: next(iter(one)) for column, one in tested.items() if len(one) == 1}
    usual: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for column, (what, drawn) in alike.items():
        if drawn:
            usual[column.corpus, column.protocol][what] += 1
    return {
        column: columns[column]
        for column, (what, drawn) in alike.items()
        if drawn and usual[column.corpus, column.protocol].most_common(1)[0][0] == what
    }


def _of_one_protocol(columns: Mapping[Column, Samples]) -> dict[Column, Samples]:
    """Keep the columns of the protocol that has most; of several, of the first."""
    counts = Counter(column.protocol for column in columns)
    if not counts:
        return {}
    (most, _), *_ = counts.most_common(1)
    return {
        column: samples
        for column, samples in columns.items()
        if column.protocol == most
    }


def _ranked(rows: Sequence[Row], columns: Mapping[Column, Sequence[Sample]]) -> Ranks:
    corpora: dict[str, list[Sequence[Sample]]] = defaultdict(list)
    for column, samples in columns.items():
        corpora[column.corpus].append(samples)
    mean, critical = ranked([_block(name, each) for name, each in corpora.items()])
    order = sorted(range(len(rows)), key=lambda at: mean[at].value)
    best_first = {rows[at]: mean[at] for at in order}
    return Ranks(
        mean=best_first,
        protocol=next(iter(columns)).protocol,
        columns=len(columns),
        corpora=len(corpora),
        critical_difference=critical,
        groups=_groups(best_first, critical),
    )


def _block(corpus: str, columns: Sequence[Sequence[Sample]]) -> CorpusBlock:
    """Join the columns of a corpus.

    All cells of as many units were drawn alike, those of another corpus too, whose
    speakers have nothing to do with these. So the draws are put into an order that
    depends on the name of the corpus.
    """
    seed = int.from_bytes(sha256(corpus.encode()).digest()[:8], "big")
    drawn = np.array([[one.drawn for one in samples] for samples in columns])
    count = drawn.shape[-1]
    drawn = drawn[..., np.random.default_rng(seed).permutation(count)]
    seeds = [
        [_of_seeds(one, count, [seed, row]) for row, one in enumerate(samples)]
        for samples in columns
    ]
    return CorpusBlock(
        units=columns[0][0].units,
        values=np.array([[one.value for one in samples] for samples in columns]),
        drawn=drawn + np.array(seeds),
    )


def _of_seeds(sample: Sample, draws: int, seed: Sequence[int]) -> Floats:
    """Return how the mean over seeds differs, ``(draws,)``, if they are drawn, too.

    The factor undoes that S drawn seeds vary by (S - 1) / S of their variance.
    """
    count = len(sample.seeds)
    if count == 1:
        return np.zeros(draws)
    random = np.random.default_rng(seed)
    times = random.multinomial(count, np.full(count, 1 / count), size=draws)
    changes = times @ sample.seeds / count - sample.value
    return np.asarray(np.sqrt(count / (count - 1)) * changes)


def ranked(blocks: Sequence[CorpusBlock]) -> tuple[list[Rank], float]:
    """Rank the rows of all blocks, which have the same ones in the same order.

    Returns:
        The mean rank of each row, and the critical difference. That is a percentile of
        the range of mean ranks over draws in which every row has the same value, so
        that only the draw tells rows apart. With many units it is the 95th; with few
        it is a higher one, since they do not tell well how rows go together: ours, by
        the simulation of docs/statistics.md.
    """
    rows, draws = blocks[0].drawn.shape[1:]
    mean, drawn, equal = (
        np.zeros(rows),
        np.zeros((rows, draws)),
        np.zeros((rows, draws)),
    )
    for block in blocks:
        mean += _places(block.values, axis=1).mean(axis=0) / len(blocks)
        for values, each in zip(block.values, block.drawn, strict=True):
            share = 1 / len(block.values) / len(blocks)
            drawn += share * _places(each, axis=0)
            equal += share * _places(each - values[:, None], axis=0)
    mean, units = mean.round(9), min(block.units for block in blocks)
    found = [
        Rank(float(value), *_interval(float(value), each, alike, rows, units))
        for value, each, alike in zip(mean, drawn, equal, strict=True)
    ]
    beyond = LEVEL * max(1 - FEWEST / units, 0.0)
    width = np.quantile(np.ptp(equal, axis=0), 1 - beyond, method="higher")
    return found, round(float(width), 9)


def _places(values: Floats, axis: int) -> Floats:
    """Rank from high to low, 1 for the highest; equal values share their mean rank."""
    return np.asarray(rankdata(-values, axis=axis), np.float64)


def _interval(
    rank: float, drawn: Floats, equal: Floats, rows: int, units: int
) -> tuple[float, float]:
    """Return the 95 % interval of a mean rank.

    It is Student's t on the log-odds scale from the first rank to the last, as for a
    score. It reaches no further than a row gets by the draw alone if no row differs.

    Args:
        rank: The mean rank.
        drawn: It in each draw.
        equal: It in each draw if every row has the same value.
        rows: How many are ranked.
        units: How many were drawn from.
    """
    value, error = (rank - 1) / (rows - 1), standard_error(drawn, rank, units)
    low, high = 0.0, 1.0
    if 0 < value < 1:
        low, high = interval_of(value, error / (rows - 1), units - 1, np.inf)
    reach = float(np.quantile(np.abs(equal - (rows + 1) / 2), 1 - LEVEL / 2))
    bounds = 1 + (rows - 1) * low, 1 + (rows - 1) * high
    return max(bounds[0], rank - reach), min(bounds[1], rank + reach)


def _groups(mean: Mapping[Row, Rank], width: float) -> list[tuple[Row, ...]]:
    """Return the largest runs of rows, best first, that lie within the width."""
    rows = list(mean)
    groups: list[tuple[Row, ...]] = []
    for start, first in enumerate(rows):
        group = tuple(
            row
            for row in rows[start:]
            if mean[row].value - mean[first].value <= width + ROUNDED
        )
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups
