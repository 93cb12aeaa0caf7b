from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from values import bounds

from nserbench.leaderboard.analysis.statistics import (
    Sample,
    differences,
    holm,
    tied_with_best,
)
from nserbench.leaderboard.reading.counts import Counts, Row

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
    low, high = bounds(difference)
    assert high - low < 0.6 * apart
    assert difference.value == pytest.approx(two.value - one.value)


def test_equal_seeds_are_compared_in_pairs() -> None:
    seeds = np.array([0.5, 0.6, 0.7])
    drawn = np.random.default_rng(0).normal(0.6, 0.02, 2000)
    one = Sample(0, 20, 1e5, seeds, drawn, (0, 1, 2))
    better = Sample(0, 20, 1e5, seeds + 0.05, drawn + 0.05, (0, 1, 2))
    others = replace(better, seed_numbers=(3, 4, 5))

    same, paired, apart = one.minus(one), better.minus(one), others.minus(one)

    assert same
    assert (same.low, same.high) == pytest.approx((0, 0), abs=1e-4)
    assert paired
    # Each seed is better by as much, however far the seeds lie apart.
    assert (paired.low, paired.high) == pytest.approx((0.05, 0.05), abs=2e-3)
    assert apart
    low, high = bounds(apart)
    assert high - low > 0.1


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


def test_the_variance_over_seeds_widens_the_interval() -> None:
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


def of_units(right: NDArray[np.int64], utterances: int = 10) -> Sample:
    """Measure units that have so many of their utterances right."""
    cells = np.zeros((len(right), 1, 2, 2), np.int64)
    cells[:, 0, 0, 0], cells[:, 0, 0, 1] = right, utterances - right
    counts = Counts(int(cells.sum()), 0, cells)
    return Sample.of({0: counts.resampled()}, "accuracy")


@pytest.mark.parametrize("units", [2, 5, 6, 12])
def test_no_p_is_below_the_chance_that_all_units_favour_one_side(units: int) -> None:
    one, two = (of_units(np.full(units, right)) for right in (9, 2))

    found = one.minus(two)

    assert found
    assert found.p >= 2 * 0.5**units
    # Below six units no test reaches the level, and no interval leaves 0 out.
    assert (found.p < 0.05) == (bounds(found)[0] > 0) == (units > 5)


def test_equal_differences_in_all_units_do_not_make_a_difference_certain() -> None:
    one, two = of_units(np.full(12, 6)), of_units(np.full(12, 4))

    found = one.minus(two)

    assert found
    # At the least, 24 of 120 answers are right in one alone.
    reach = stats.t.ppf(0.975, 11) * np.sqrt(0.2 * 0.8 / 120)
    assert bounds(found)[1] - found.value == pytest.approx(reach)


def test_cells_with_equal_answers_still_have_an_interval() -> None:
    one = of_units(np.full(12, 6))

    found = one.minus(one)

    assert found
    assert (found.value, found.p) == (0, 1)
    low, high = bounds(found)
    assert low < 0 < high < 0.05


@pytest.mark.parametrize("seed", range(20))
def test_p_is_below_the_level_where_the_interval_excludes_0(seed: int) -> None:
    random = np.random.default_rng(seed)
    units = int(random.integers(2, 15))
    right = random.binomial(10, [[0.7], [0.4]], (2, units))

    found = of_units(right[0]).minus(of_units(right[1]))

    assert found
    low, high = bounds(found)
    assert (found.p < 0.05) == (low > 0 or high < 0)
