"""A grid that workers share, and its results as a table."""

from collections.abc import Sequence
from typing import Any

from nserbench.benchmark.results.result import Result

GRID: Any = {"downstreams": ["mean", "bigru"], "noises": ["clean", "hiss"]}


def table(results: Sequence[Result]) -> dict[str, object]:
    return {
        f"{one.upstream} {one.downstream} {one.condition}": one.predictions
        and one.predictions.probabilities.tolist()
        for one in results
    }
