import numpy as np
import pytest
from scipy import stats

from nserbench.benchmark.results.intervals import interval_of, least_error, unseen


@pytest.mark.parametrize("size", [2, 10, 500])
def test_at_0_and_1_an_interval_is_that_of_clopper_and_pearson(size: int) -> None:
    for hits in (0, size):
        exact = stats.binomtest(hits, size).proportion_ci(method="exact")

        found = interval_of(hits / size, 0.0, size - 1, size)

        assert found == pytest.approx((exact.low, exact.high))


def test_few_units_count_as_fewer_utterances_than_they_have() -> None:
    known, guessed = unseen(500, 499), unseen(500, 3)

    # Student's t with 3 degrees of freedom is 3.182, with 499 it is 1.965.
    effective = 500 * (1.965 / 3.182) ** 2
    assert guessed == pytest.approx(1 - 0.025 ** (1 / effective), rel=1e-3)
    assert guessed > 2 * known


def test_units_that_agree_by_chance_do_not_make_an_interval_narrow() -> None:
    agreeing = interval_of(0.375, 0.0, 9, 100)

    assert agreeing == interval_of(0.375, np.sqrt(0.375 * 0.625 / 100), 9, 100)
    assert interval_of(0.375, 0.1, 9, 100)[0] < agreeing[0] - 0.05


def test_a_difference_needs_utterances_that_only_one_has_right() -> None:
    # Of 100 utterances 20 are right in the same one of the two only.
    changes = np.repeat([1, 0], [20, 80])

    found = least_error(0.2, 9, 100)

    assert found == pytest.approx(np.std(changes) / 10)


def test_without_observed_differences_the_error_is_not_zero() -> None:
    reach = least_error(0.0, 9, 100) * stats.t.ppf(0.975, 9)

    assert reach == pytest.approx(unseen(100, 9))
    assert 0.03 < reach < 0.06
