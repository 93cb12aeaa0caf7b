import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PERF = Path(__file__).parents[2] / "perf"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_", PERF / "coverage.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("metric", ["uar", "f1_macro"])
def test_intervals_hold_what_they_should_with_thirty_clusters(
    simulation: ModuleType, metric: str
) -> None:
    found = simulation.coverage(30, metric, rounds=800, draws=200, seed=1)

    assert 0.93 <= found <= 0.97


@pytest.mark.parametrize("metric", ["uar", "f1_macro"])
def test_intervals_from_folds_of_one_cluster_are_not_too_narrow(
    simulation: ModuleType, metric: str
) -> None:
    found = simulation.coverage(4, metric, rounds=300, draws=200)

    assert 0.91 <= found <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["uar", "f1_macro"])
@pytest.mark.parametrize("clusters", [30, 100])
def test_coverage_is_near_what_it_says_over_many_corpora(
    simulation: ModuleType, metric: str, clusters: int
) -> None:
    found = simulation.coverage(clusters, metric, rounds=3000)

    assert 0.93 <= found <= 0.97
