"""Correlation of two measures, and a mixed-effects model with upstreams as groups."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.metrics import DRAWS, interval
from nserbench.errors import MissingExtra, NserbenchError

FEWEST = 4
"""Smallest number of points for Fisher's interval."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r with two 95 % intervals, all of which take points as independent.

    Attributes:
        r: Pearson's r, from -1 to 1.
        p: Two-sided p-value of the t test that r is 0.
    """

    r: float
    p: float
    fisher: tuple[float, float]
    bootstrap: tuple[float, float]
    points: int


@dataclass(frozen=True, slots=True)
class MixedEffects:
    """A line with one slope, and a random intercept for each upstream.

    Attributes:
        slope: Change of y for a change of x by 1, with its interval (Wald).
    """

    slope: Estimate
    p: float
    spread: float
    groups: int


def correlate(x: Sequence[float], y: Sequence[float], seed: int = 0) -> Correlation:
    """Return Pearson's r of two measures of the same points, with its intervals.

    Raises:
        NserbenchError: if there are fewer than four points, or one measure is the same
            at all of them.
    """
    first, second = np.asarray(x, float), np.asarray(y, float)
    if not can_correlate(x, y):
        raise NserbenchError(
            f"no correlation over {len(first)} points: it needs {FEWEST} or more, and "
            "both measures must vary\n  run more conditions or upstreams"
        )
    pearson = pearsonr(first, second)
    fisher = pearson.confidence_interval(0.95)
    return Correlation(
        r=float(pearson.statistic),
        p=float(pearson.pvalue),
        fisher=(float(fisher.low), float(fisher.high)),
        bootstrap=interval(_drawn(first, second, seed)),
        points=len(first),
    )


def can_correlate(x: Sequence[float], y: Sequence[float]) -> bool:
    """Return whether there are four points or more that differ in both measures."""
    return len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0


def _drawn(
    x: NDArray[np.float64], y: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Return r in each draw of points, without draws that repeat a single point."""
    indices = np.random.default_rng(seed).integers(len(x), size=(DRAWS, len(x)))
    first, second = (
        drawn - drawn.mean(axis=1, keepdims=True) for drawn in (x[indices], y[indices])
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

    Unlike Pearson's r, it does not take points of the same upstream as independent.

    Raises:
        NserbenchError: if there are fewer than two upstreams, or the fit does not
            converge.
        MissingExtra: if statsmodels is not installed.
    """
    groups = len(set(upstreams))
    if groups < 2:
        raise NserbenchError(
            "a mixed-effects model needs points of two upstreams or more:\n"
            "  run another upstream that transcribes"
        )
    try:
        from statsmodels.regression.mixed_linear_model import MixedLM
        from statsmodels.tools.sm_exceptions import ConvergenceWarning
    except ImportError as error:
        raise MissingExtra("the mixed-effects model", "stats") from error
    design = np.column_stack([np.ones(len(x)), x])
    model = MixedLM(np.asarray(y, float), design, groups=list(upstreams))
    with warnings.catch_warnings():
        # Upstreams that do not differ have a variance of 0, of which the fit warns.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Gradient methods often fail at that boundary.
        fitted = model.fit(method="powell")
    if not fitted.converged:
        raise NserbenchError(
            "the mixed-effects model did not converge\n"
            "  run more conditions or upstreams, which give more points"
        )
    return MixedEffects(
        slope=Estimate(float(fitted.fe_params[1]), *fitted.conf_int()[1].tolist()),
        p=float(fitted.pvalues[1]),
        spread=float(np.sqrt(fitted.cov_re[0, 0])),
        groups=groups,
    )
