import math
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from values import not_none

from nserbench.errors import MissingExtra, NserbenchError
from nserbench.leaderboard.analysis.correlation import (
    correlate,
    mixed_effects,
)

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, 24)
Y = 0.9 - 0.3 * X + RNG.normal(0, 0.1, 24)


def test_r_and_p_are_those_of_scipy() -> None:
    found = correlate(X.tolist(), Y.tolist())

    expected = stats.pearsonr(X, Y)
    assert found.r == pytest.approx(np.corrcoef(X, Y)[0, 1])
    assert found.p == pytest.approx(expected.pvalue)
    assert found.points == 24


def test_the_interval_is_that_of_fisher() -> None:
    found = correlate(X.tolist(), Y.tolist())

    z, step = math.atanh(found.r), 1.959964 / math.sqrt(24 - 3)
    assert found.fisher == pytest.approx((math.tanh(z - step), math.tanh(z + step)))


def test_the_bootstrap_draws_points_in_pairs() -> None:
    found = correlate(X.tolist(), Y.tolist())

    drawn = stats.bootstrap(
        (X, Y),
        lambda x, y: stats.pearsonr(x, y).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(1),
        n_resamples=2000,
    )
    assert found.bootstrap == pytest.approx(drawn.confidence_interval, abs=0.03)


def test_the_bootstrap_skips_draws_that_repeat_one_point() -> None:
    found = correlate([0.0, 1.0, 2.0, 3.0], [0.1, 0.9, 2.2, 2.8])

    assert 0.9 < found.bootstrap[0] < found.bootstrap[1] <= 1


@pytest.mark.parametrize(
    ("x", "y"), [([1, 2, 3], [1, 2, 4]), ([1, 1, 1, 1], [1, 2, 3, 4])]
)
def test_too_few_points_or_equal_points_are_refused(
    x: list[float], y: list[float]
) -> None:
    with pytest.raises(NserbenchError, match="it needs 4 or more, and both"):
        correlate(x, y)


def two_upstreams(offset: float) -> tuple[list[float], list[float], list[str]]:
    """Return points of two upstreams with one slope and different means."""
    rng = np.random.default_rng(3)
    x = np.concatenate([np.linspace(0, 1, 10), np.linspace(1, 2, 10)])
    y = 0.9 - 0.3 * x + offset * np.repeat([0, 1], 10) + rng.normal(0, 0.02, 20)
    return x.tolist(), y.tolist(), ["whisper"] * 10 + ["conformer"] * 10


def test_the_mixed_effects_slope_is_the_slope_within_upstreams() -> None:
    pytest.importorskip("statsmodels")
    x, y, upstreams = two_upstreams(offset=0.9)

    found = mixed_effects(x, y, upstreams)

    assert correlate(x, y).r > 0.5  # the points together say the opposite
    assert found.slope.value == pytest.approx(-0.3, abs=0.03)
    low, high = found.slope.bounds or (0.0, 0.0)
    assert low < found.slope.value < high < 0
    assert found.groups == 2


def test_the_mixed_effects_model_is_that_of_statsmodels_formula() -> None:
    formula = pytest.importorskip("statsmodels.formula.api")
    x, y, upstreams = two_upstreams(offset=0.5)

    found = mixed_effects(x, y, upstreams)

    frame = pd.DataFrame({"x": x, "y": y, "upstream": upstreams})
    expected = formula.mixedlm("y ~ x", frame, groups="upstream").fit()
    low, high = expected.conf_int().loc["x"]
    between = math.sqrt(expected.cov_re.iloc[0, 0])
    flat = asdict(not_none(found))
    assert flat.pop("slope") == {
        "value": pytest.approx(expected.params["x"], rel=1e-4),
        "low": pytest.approx(low, rel=1e-4),
        "high": pytest.approx(high, rel=1e-4),
    }
    assert flat == {
        "p": pytest.approx(expected.pvalues["x"], rel=0.01),
        "spread": pytest.approx(between, rel=0.01),
        "groups": 2,
    }


def test_equal_upstreams_cause_no_warning() -> None:
    pytest.importorskip("statsmodels")

    found = mixed_effects(*two_upstreams(offset=0.0))

    assert found.slope.value == pytest.approx(-0.3, abs=0.03)


def test_one_upstream_has_no_mixed_effects_model() -> None:
    with pytest.raises(NserbenchError, match="two upstreams or more"):
        mixed_effects(X.tolist(), Y.tolist(), ["whisper"] * 24)


def test_without_statsmodels_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.regression.mixed_linear_model", None)

    with pytest.raises(MissingExtra, match=r"nserbench\[stats\]"):
        mixed_effects(*two_upstreams(offset=0.5))
