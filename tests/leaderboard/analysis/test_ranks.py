from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from values import bounds

from nserbench.leaderboard.analysis.ranks import CorpusBlock, Ranks, ranked, ranks
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Column, Row

DRAWS, UNITS = 1000, 24
ROWS = [Row(name, "mean") for name in "abcd"]


def column(condition: str, corpus: str = "emodb", protocol: str = "probe v1") -> Column:
    return Column(corpus, condition, protocol)


def samples(
    values: Sequence[float],
    noise: float = 0.01,
    seed: int = 0,
    tested: int = 0,
    units: int = UNITS,
) -> dict[Row, Sample]:
    """Make a sample of each row, which one draw of units moves apart from another."""
    random = np.random.default_rng(seed)
    return {
        row: Sample(
            tested, units, 500.0, np.array([value]), random.normal(value, noise, DRAWS)
        )
        for row, value in zip(ROWS, values, strict=False)
    }


def places(found: Ranks | None) -> dict[str, float]:
    assert found
    return {row.upstream: rank.value for row, rank in found.mean.items()}


def test_scores_that_differ_in_their_last_bit_alone_share_a_rank() -> None:
    third = sum([0.1, 0.2, 0.3]), sum([0.3, 0.2, 0.1])
    assert third[0] != third[1]

    found = ranks({column(one): samples(third) for one in CONDITIONS[:2]})

    assert places(found) == {"a": 1.5, "b": 1.5}


CLEAR = (0.9, 0.8, 0.7, 0.6)
CONDITIONS = ["clean", *(f"park@{snr}" for snr in range(5))]


def test_a_mean_rank_is_over_corpora_of_the_mean_over_their_columns() -> None:
    columns = {column(one): samples(CLEAR[:2]) for one in CONDITIONS[:3]}
    columns[column("clean", "casia")] = samples((0.5, 0.6))

    found = ranks(columns)

    assert found
    assert places(found) == {"a": 1.5, "b": 1.5}
    assert (len(found.columns), found.corpora) == (4, 2)


def test_clear_differences_of_ranks_are_significant_and_small_ones_are_not() -> None:
    clear = ranks({column(one): samples(CLEAR) for one in CONDITIONS})
    best = [(0.61, 0.6, 0.59), (0.59, 0.61, 0.6), (0.6, 0.59, 0.61)] * 2
    near = ranks(
        {
            column(one): samples((*values, 0.4), 0.02, seed)
            for seed, (one, values) in enumerate(zip(CONDITIONS, best, strict=True))
        }
    )

    assert clear
    assert near
    assert places(clear) == {"a": 1, "b": 2, "c": 3, "d": 4}
    for rank in clear.mean.values():
        low, high = bounds(rank)
        assert 1 <= low <= rank.value <= high <= 4
    assert ROWS[:3] in [list(group) for group in near.groups]


def test_correlated_conditions_count_as_one() -> None:
    together = ranks({column(one): samples(CLEAR, seed=0) for one in CONDITIONS})
    apart = ranks(
        {column(one): samples(CLEAR, seed=at) for at, one in enumerate(CONDITIONS)}
    )

    assert together
    assert apart
    # The same draws six times are as good as one column, in which ranks are 3 apart.
    assert together.critical_difference == pytest.approx(3)
    assert together.groups == [tuple(ROWS)]
    assert apart.critical_difference < 2.5


def test_two_corpora_with_the_same_draws_are_independent() -> None:
    corpora = [f"corpus{number}" for number in range(6)]

    found = ranks({column("clean", one): samples(CLEAR) for one in corpora})

    assert found
    assert found.critical_difference < 2.5


def test_ties_share_their_rank_and_do_not_differ_significantly() -> None:
    same = samples((0.5,))[ROWS[0]]

    found = ranks({column(one): {ROWS[0]: same, ROWS[1]: same} for one in CONDITIONS})

    assert found
    assert places(found) == {"a": 1.5, "b": 1.5}
    assert found.groups == [(ROWS[0], ROWS[1])]


def test_a_row_in_few_columns_is_not_ranked() -> None:
    first, second = (column(one) for one in CONDITIONS[:2])

    found = ranks({first: samples(CLEAR[:3]), second: samples(CLEAR[:2])})

    assert set(places(found)) == {"a", "b"}
    assert ranks({first: samples(CLEAR)}) is None
    assert ranks({first: samples(CLEAR[:1]), second: samples(CLEAR[:1])}) is None


@pytest.mark.parametrize(
    "unfair",
    [
        {**samples(CLEAR[:1]), **dict(list(samples(CLEAR[:2], tested=1).items())[1:])},
        samples(CLEAR[:2], tested=1),
        {
            row: Sample(0, 1, 500.0, one.seed_values, None)
            for row, one in samples(CLEAR[:2]).items()
        },
    ],
    ids=["rows on other utterances", "a condition on others", "one unit"],
)
def test_columns_that_cannot_be_compared_are_not_ranked(
    unfair: Mapping[Row, Sample],
) -> None:
    fair = {column(one): samples(CLEAR[:2]) for one in CONDITIONS[:3]}

    found = ranks({**fair, column("human@0"): unfair})

    assert found
    assert len(found.columns) == 3


def test_only_the_protocol_with_most_columns_is_ranked() -> None:
    columns = {column(one): samples(CLEAR[:2]) for one in CONDITIONS[:3]}
    for one in CONDITIONS[:2]:
        columns[column(one, protocol="paper v1")] = samples((0.1, 0.9))
    for one in CONDITIONS:  # of one row, so that there is nothing to rank
        columns[column(one, protocol="loso v1")] = samples((0.5,))

    found = ranks(columns)

    assert found
    assert found.protocol == "probe v1"
    assert places(found) == {"a": 1, "b": 2}


def test_the_variance_over_seeds_widens_the_intervals_of_ranks() -> None:
    def seeded(spread: float) -> Ranks:
        columns = {}
        for at, one in enumerate(CONDITIONS):
            columns[column(one)] = {
                row: Sample(
                    0,
                    UNITS,
                    500.0,
                    sample.value + spread * np.array([-1, 0, 1]),
                    sample.drawn,
                )
                for row, sample in samples(CLEAR, 0.04, at).items()
            }
        found = ranks(columns)
        assert found
        return found

    sure, unsure = seeded(0.0), seeded(0.4)

    # One seed stands for a row in all columns, as one draw of units does.
    assert unsure.critical_difference > sure.critical_difference + 0.5
    highest = [bounds(ranks.mean[ROWS[1]])[1] for ranks in (sure, unsure)]
    assert highest[1] > highest[0] + 0.5


def world(random: np.random.Generator, rows: int, columns: int) -> CorpusBlock:
    """Draw rows that are equally good with units like these, in a corpus's columns."""
    right: NDArray[np.float64] = random.normal(0.6, 0.1, (columns, 1, UNITS))
    right = right + random.normal(0, 0.1, (rows, UNITS))
    right = right + random.normal(0, 0.1, (columns, rows, UNITS))
    times = random.multinomial(UNITS, np.full(UNITS, 1 / UNITS), 200) / UNITS
    return CorpusBlock(UNITS, right.mean(axis=-1), right @ times.T)


def test_equal_rows_seldom_differ_significantly() -> None:
    random, rounds, wrong, held = np.random.default_rng(0), 300, 0, 0

    for _ in range(rounds):
        mean, critical = ranked([world(random, 5, 16)])
        values = [one.value for one in mean]
        wrong += max(values) - min(values) > critical
        held += sum(low <= 3 <= high for low, high in map(bounds, mean))

    assert wrong / rounds <= 0.08  # 5 % meant, give or take two standard errors
    assert held / rounds / 5 > 0.92
