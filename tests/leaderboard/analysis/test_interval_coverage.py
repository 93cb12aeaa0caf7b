import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PERF = Path(__file__).parents[3] / "perf"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_", PERF / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return script("interval_coverage")


@pytest.mark.parametrize("clusters", [4, 10])
def test_a_score_of_100_percent_has_an_interval(
    simulation: ModuleType, clusters: int
) -> None:
    at_one, held, _ = simulation.near_one(clusters, 0.995, rounds=200, draws=200)

    assert at_one > 0.2
    assert held > 0.95


def test_equal_rows_seldom_differ_significantly_in_many_conditions() -> None:
    apart, by_nemenyi, _ = script("ranks").simulate((5, 16), 1, 24, 200, 0.0)

    assert apart <= 0.08  # below 6 % over 1000 worlds; see docs/statistics.md
    assert by_nemenyi > 0.5


def test_the_training_sample_is_not_in_the_paired_test() -> None:
    found = script("training").simulate(10, 80, 100)

    assert found["rejected"] > 0.05
    assert found["coverage, all training sets"] < 0.95


@pytest.mark.parametrize("metric", ["uar", "f1_macro"])
def test_intervals_have_their_coverage_with_thirty_clusters(
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
def test_coverage_is_near_95_percent_over_many_corpora(
    simulation: ModuleType, metric: str, clusters: int
) -> None:
    found = simulation.coverage(clusters, metric, rounds=3000)

    assert 0.93 <= found <= 0.97
