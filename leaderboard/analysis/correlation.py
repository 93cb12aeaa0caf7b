"""How closely two measures go together, over points that share upstreams."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr

from nserbench.benchmark.results.metrics import DRAWS, interval
from nserbench.errors import MissingExtra, NserbenchError

FEWEST = 4
"""Points that Fisher's interval needs."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r with two 95 % intervals. All take the points for independent.

    Attributes:
        r: From -1 to 1.
        p: Of the two-sided test that r is 0 (the t test).
        fisher: The ends of the interval by Fisher's z.
        bootstrap: The ends of the interval by drawing points with replacement.
        points: How many there are.
    """

    r: float
    p: float
    fisher: tuple[float, float]
    bootstrap: tuple[float, float]
    points: int


@dataclass(frozen=True, slots=True)
class MixedEffects:
    """A line with one slope, and an intercept of its own for each upstream.

    Attributes:
        slope: Change of y for a change of x by 1.
        low: Where its 95 % interval begins (Wald).
        high: Where it ends.
        p: Of the two-sided test that the slope is 0 (Wald).
        spread: Standard deviation of the intercepts.
        groups: How many upstreams there are.
    """

    slope: float
    low: float
    high: float
    p: float
    spread: float
    groups: int


def correlate(x: Sequence[float], y: Sequence[float], seed: int = 0) -> Correlation:
    """Give Pearson's r with its intervals.

    Args:
        x: One measure of each point.
        y: The other.
        seed: Of the draws.

    Raises:
        NserbenchError: if there are fewer than four points, or one measure is the same
            for all of them.
    """
    first, second = np.asarray(x, float), np.asarray(y, float)
    if not can_correlate(x, y):
        raise NserbenchError(
            f"no correlation over {len(first)} points: it takes {FEWEST} or more that "
            "differ in both measures\n  more conditions or upstreams give more points"
        )
    found = pearsonr(first, second)
    fisher = found.confidence_interval(0.95)
    return Correlation(
        r=float(found.statistic),
        p=float(found.pvalue),
        fisher=(float(fisher.low), float(fisher.high)),
        bootstrap=interval(_drawn(first, second, seed)),
        points=len(first),
    )


def can_correlate(x: Sequence[float], y: Sequence[float]) -> bool:
    """Tell whether there are four points or more that differ in both measures."""
    return len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0


def _drawn(
    x: NDArray[np.float64], y: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Give r of draws; those that hold one point only have none, and are left out."""
    places = np.random.default_rng(seed).integers(len(x), size=(DRAWS, len(x)))
    first, second = (
        drawn - drawn.mean(axis=1, keepdims=True) for drawn in (x[places], y[places])
    )
    norms = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    defined = norms > 1e-12 * np.ptp(x) * np.ptp(y)
    products = (first * second).sum(axis=1)
    r: NDArray[np.float64] = np.clip(products[defined] / norms[defined], -1, 1)
    return r


def mixed_effects(
    x: Sequence[float], y: Sequence[float], upstreams: Sequence[str]
) -> MixedEffects:
    """Fit ``y`` on ``x`` with a random intercept for each upstream, by REML.

    Points of one upstream are not independent of each other, which Pearson's r takes
    them for.

    Args:
        x: One measure of each point.
        y: The other.
        upstreams: Whose point it is.

    Raises:
        NserbenchError: if there are fewer than two upstreams, or the fit does not
            converge.
        MissingExtra: if statsmodels is not installed.
    """
    groups = len(set(upstreams))
    if groups < 2:
        raise NserbenchError(
            "a mixed-effects view takes points of two upstreams or more:\n"
            "  run another upstream that transcribes"
        )
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
        from statsmodels.tools.sm_exceptions import ConvergenceWarning
    except ImportError as error:
        raise MissingExtra("the mixed-effects view", "stats") from error
    design = np.column_stack([np.ones(len(x)), x])
    model = MixedLM(np.asarray(y, float), design, groups=list(upstreams))
    with warnings.catch_warnings():
        # It warns of a variance of 0, which is what upstreams that do not differ have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Methods that follow the gradient often get lost at that boundary.
        fitted = model.fit(method="powell")
    if not fitted.converged:
        raise NserbenchError(
            "the mixed-effects view did not converge\n"
            "  more conditions or upstreams give more points"
        )
    low, high = fitted.conf_int()[1]
    return MixedEffects(
        slope=float(fitted.fe_params[1]),
        low=float(low),
        high=float(high),
        p=float(fitted.pvalues[1]),
        spread=float(np.sqrt(fitted.cov_re[0, 0])),
        groups=groups,
    )
