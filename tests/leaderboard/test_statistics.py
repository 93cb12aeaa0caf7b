from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nserbench.leaderboard.cells import Counts, Row
from nserbench.leaderboard.statistics import (
    Sample,
    critical_difference,
    differences,
    friedman,
    holm,
    ranks,
    tied_with_best,
)

UNITS = 12


def answers(seed: int, skill: float, units: int = UNITS) -> NDArray[np.int64]:
    """Draw answers of units whose difficulty is the same for every seed and skill."""
    hard = np.random.default_rng(99).normal(0, 0.15, units)
    generator = np.random.default_rng(seed)
    found = np.zeros((units, 2, 2, 2), np.int64)
    for unit in range(units):
        right = generator.binomial(40, np.clip(skill + hard[unit], 0.05, 0.95), 2)
        found[unit, unit % 2] = [[right[0], 40 - right[0]], [40 - right[1], right[1]]]
    return found


def sample(skill: float, *seeds: int, tested: int = 0) -> Sample:
    cells = [Counts(960, tested, answers(seed, skill)).resampled() for seed in seeds]
    return Sample.of(dict(enumerate(cells)), "uar")


def width(found: Sample) -> float:
    low, high = found.interval() or (0.0, 0.0)
    return high - low


def row(name: str) -> Row:
    return Row(name, "mean")


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    ps = np.random.default_rng(0).uniform(0, 0.1, 20)

    expected = multitest.multipletests(ps, method="holm")[1]

    np.testing.assert_allclose(holm([float(one) for one in ps]), expected)
    assert holm([]) == []


def test_draws_are_shared_so_that_hard_speakers_cancel() -> None:
    one, two = sample(0.7, 1), sample(0.75, 2)

    difference = two.minus(one)

    assert difference
    # What the intervals of two independent samples would give.
    apart = np.hypot(width(one), width(two))
    assert difference.high - difference.low < 0.6 * apart
    assert difference.value == pytest.approx(two.value - one.value)


def test_equal_seeds_are_pairs_whose_changes_count() -> None:
    seeds = np.array([0.5, 0.6, 0.7])
    drawn = np.random.default_rng(0).normal(0.6, 0.02, 2000)
    one = Sample(0, 20, seeds, drawn, (0, 1, 2))
    better = Sample(0, 20, seeds + 0.05, drawn + 0.05, (0, 1, 2))
    others = replace(better, numbers=(3, 4, 5))

    same, paired, apart = one.minus(one), better.minus(one), others.minus(one)

    assert same
    assert (same.low, same.high) == (0, 0)
    assert paired
    # Each seed is better by as much, however far the seeds lie apart.
    assert (paired.low, paired.high) == pytest.approx((0.05, 0.05))
    assert apart
    assert apart.high - apart.low > 0.1


def test_the_error_of_a_mean_is_that_of_students_t() -> None:
    # Units of one utterance each class: UAR of one fold is a mean over units.
    rng = np.random.default_rng(0)
    right = rng.binomial(20, 0.6, (2, 30))
    found = []
    for each in right:
        cells = np.zeros((30, 1, 2, 2), np.int64)
        cells[:, 0, 0, 0], cells[:, 0, 0, 1] = each, 20 - each
        found.append(Sample.of({0: Counts(600, 0, cells).resampled()}, "accuracy"))

    difference = found[0].minus(found[1])

    reference = stats.ttest_rel(right[0] / 20, right[1] / 20)
    assert difference
    assert difference.p == pytest.approx(reference.pvalue, rel=0.1)
    bounds = reference.confidence_interval()
    assert difference.low == pytest.approx(bounds.low, abs=0.004)
    assert difference.high == pytest.approx(bounds.high, abs=0.004)


def test_what_differs_from_seed_to_seed_widens_the_interval() -> None:
    counts = Counts(960, 0, answers(1, 0.7)).resampled()
    same = Sample.of({0: counts, 1: counts, 2: counts}, "uar")
    others = [Counts(960, 0, answers(1, skill)).resampled() for skill in (0.6, 0.8)]
    other = Sample.of(dict(enumerate([counts, *others])), "uar")

    assert same.spread == pytest.approx(0)
    assert width(same) == pytest.approx(width(Sample.of({0: counts}, "uar")))
    assert width(other) > 1.5 * width(same)


def test_only_cells_tested_on_the_same_utterances_are_compared() -> None:
    assert sample(0.7, 1).minus(sample(0.7, 2, tested=1)) is None


def test_rows_are_tied_with_the_best_unless_they_are_clearly_below() -> None:
    found = {
        row("best"): sample(0.8, 1),
        row("near"): sample(0.8, 2),
        row("poor"): sample(0.5, 3),
        row("elsewhere"): sample(0.5, 4, tested=1),
    }

    tied = tied_with_best(found)

    assert tied == {row("best"), row("near")}
    assert tied_with_best({row("alone"): sample(0.8, 1)}) == set()


def test_p_is_adjusted_over_the_rows_of_the_column() -> None:
    found = {row(str(seed)): sample(0.7 + seed / 200, seed) for seed in range(6)}
    raw = [found[row(str(seed))].minus(found[row("0")]) for seed in range(1, 6)]

    adjusted = differences(found, row("0"))

    assert [one.p for one in adjusted.values()] == holm([one.p for one in raw if one])
    assert [one.p for one in adjusted.values()] != [one.p for one in raw if one]


def test_a_difference_that_no_draw_varies_has_the_least_p_of_so_many_draws() -> None:
    cells = np.zeros((4, 1, 2, 2), np.int64)
    right, wrong = cells.copy(), cells.copy()
    right[:, 0, 0, 0] = wrong[:, 0, 0, 1] = 1
    one, two = (
        Sample.of({0: Counts(4, 0, each).resampled()}, "uar") for each in (right, wrong)
    )

    assert (found := one.minus(two))
    assert found.p == 1 / 2001
    assert (itself := one.minus(one))
    assert itself.p == 1.0


# Demsar (2006), Table 5(a): the critical values of the Nemenyi test at 0.05.
DEMSAR = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)


@pytest.mark.parametrize(("rows", "quantile"), list(enumerate(DEMSAR, start=2)))
def test_critical_differences_are_those_of_demsar(rows: int, quantile: float) -> None:
    expected = quantile * np.sqrt(rows * (rows + 1) / (6 * 14))

    assert critical_difference(rows, 14) == pytest.approx(expected, rel=1e-3)


def test_friedmans_test_is_that_of_scipy_ties_included() -> None:
    values = np.random.default_rng(0).integers(0, 5, (8, 4))
    places = stats.rankdata(values, axis=1)

    assert friedman(places) == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)


def test_rows_are_ranked_over_the_columns_in_which_all_are_done() -> None:
    names = [row(name) for name in "abcd"]
    column = dict(zip(names, (0.9, 0.8, 0.7, 0.6), strict=True))
    alone = {names[0]: 0.1}

    found = ranks([column] * 12 + [alone])

    assert found
    assert dict(found.average) == dict(zip(names, (1, 2, 3, 4), strict=True))
    assert found.columns == 12
    assert found.critical_difference == pytest.approx(1.354, abs=1e-3)
    assert found.groups == [tuple(names[at : at + 2]) for at in range(3)]


def test_ties_share_their_rank_and_are_not_told_apart() -> None:
    found = ranks([{row("a"): 0.5, row("b"): 0.5}] * 3)

    assert found
    assert found.average == {row("a"): 1.5, row("b"): 1.5}
    assert found.critical_difference is None
    assert found.groups == [(row("a"), row("b"))]


def test_a_row_that_is_hardly_anywhere_is_not_ranked() -> None:
    both = {row("a"): 0.9, row("b"): 0.8}

    found = ranks([{**both, row("rare"): 1.0}, both])

    assert found
    assert set(found.average) == {row("a"), row("b")}
    assert ranks([both]) is None
    assert ranks([{row("a"): 0.9}] * 3) is None
