"""Whole cells give the same results on another device as on the CPU."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from elsewhere import elsewhere
from plans import planned

from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training import gpu_source as resident

pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta")
"""torch treats the device as one without index."""

Ask = Callable[..., Study]
Run = Callable[..., list[Result]]


@pytest.fixture
def here(runner_in: Callable[[Path], Runner], ask: Ask, tmp_path: Path) -> Run:
    """Return a function that runs a study on the CPU and returns its results."""
    return lambda **said: run(runner_in(tmp_path / "here"), ask(**said))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return another device."""
    with elsewhere(monkeypatch) as name:
        yield name


@pytest.fixture
def there(
    runner_in: Callable[[Path], Runner], ask: Ask, tmp_path: Path, device: str
) -> Run:
    """Return a function that runs a study on the other device."""

    def go(**said: Any) -> list[Result]:
        runner = runner_in(tmp_path / "there")
        runner.device = device
        return run(runner, ask(**said))

    return go


def run(runner: Runner, study: Study) -> list[Result]:
    report = runner.run(study)
    return [read_result(folder) for folder in report.folders]


def assert_alike(here: list[Result], there: list[Result], within: float) -> None:
    for one, other in zip(here, there, strict=True):
        assert (one.reason, other.reason) == (None, None)
        assert one.predictions is not None
        assert other.predictions is not None
        np.testing.assert_allclose(
            other.predictions.probabilities,
            one.predictions.probabilities,
            atol=within,
            rtol=0,
        )
        assert other.provenance["device"] != one.provenance["device"]


def test_tensors_of_two_devices_cannot_be_combined(device: str) -> None:
    here, there = torch.ones(3), torch.ones(3, device=device)

    assert (there + there).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(RuntimeError, match="add: some tensors are here"):
        there + here


@pytest.mark.parametrize("protocol", ["probe", "probe+dev"])
def test_pooled_heads_train_on_another_device_as_on_the_cpu(
    here: Run, there: Run, levels: Any, protocol: str
) -> None:
    grid: Any = {
        "upstreams": ["levels:groups=wide"],
        "downstreams": ["mean,weighted-sum,attention,scalar-mix,fc,single:layer=all"],
        "protocol": protocol,
        "seeds": [0, 1],
    }
    if protocol == "probe+dev":
        grid["downstreams"].append("best")

    assert_alike(here(**grid), there(**grid), within=1e-5)


def test_a_single_head_trains_on_another_device_as_on_the_cpu(
    here: Run, there: Run, tmp_path: Path
) -> None:
    expected = here()
    there()
    fit, *_ = (tmp_path / "there/store/fits").iterdir()
    fit.unlink()
    (result,) = (tmp_path / "there/results").iterdir()
    result.rename(tmp_path / "before")

    assert_alike(expected, there(), within=1e-5)


@pytest.mark.parametrize(
    ("protocol", "kept"),
    [
        ("probe+dev", False),
        ("probe+dev+frames=int8", True),
        pytest.param("probe+dev", True, marks=pytest.mark.slow),
        pytest.param("probe+dev+frames=int8", False, marks=pytest.mark.slow),
    ],
)
def test_heads_on_frames_train_on_another_device_as_on_the_cpu(
    here: Run,
    there: Run,
    levels: Any,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
    kept: bool,
) -> None:
    # Their dropout differs between devices, by design.
    grid: Any = {
        "upstreams": ["levels:groups=wide"],
        "downstreams": ["ladapter:dropout=0,bigru:dropout=0"],
        "protocol": protocol,
    }
    expected = here(**grid)
    monkeypatch.setattr(resident, "free_memory", lambda _: 2**30 if kept else 0)

    assert_alike(expected, there(**grid), within=2e-3)


def test_a_plan_measures_time_on_another_device(
    ask: Ask, runner: Runner, levels: Any, device: str
) -> None:
    study = ask(
        upstreams=["levels:groups=wide"], downstreams=["ladapter,mean,weighted-sum"]
    )

    found = planned(runner, study, device=device)

    assert found.missing == 3
    assert found.training > 0
