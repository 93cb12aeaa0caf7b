"""What a result says about its training besides the predictions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nserbench.benchmark.results.environment import Peak, choose_precision
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.benchmark.training.loss import grad_norm

pytestmark = pytest.mark.usefixtures("levels")
Ask = Callable[..., Study]


@pytest.fixture
def result(
    ask: Ask, runner: Runner, result_of: Callable[[Runner], Result]
) -> Callable[..., Result]:
    """Return a function that runs a study of one cell: its result."""

    def run(**said: Any) -> Result:
        runner.run(ask(**{"upstreams": ["levels"], **said}))
        return result_of(runner)

    return run


def test_the_gradient_norm_is_that_of_all_gradients_together() -> None:
    first = torch.tensor([3.0, 0.0], requires_grad=True)
    second = torch.tensor(4.0, requires_grad=True)
    unused = torch.tensor(1.0, requires_grad=True)

    (first.square().sum() / 2 + second.square() / 2).backward()

    assert grad_norm([first, second, unused]) == pytest.approx(5.0)


@pytest.mark.parametrize("head", ["mean", "bigru"])
def test_every_epoch_has_its_gradient_norm(
    result: Callable[..., Result], head: str
) -> None:
    found = result(downstreams=[head], epochs=3)

    seen: Any = found.notes["training"]
    for fold in seen.values():
        assert len(fold["gradients"]) == 3
        assert all(0 < norm < 100 for norm in fold["gradients"])


def test_layer_weights_are_named_by_the_number_of_the_layer(
    result: Callable[..., Result],
) -> None:
    found = result(upstreams=["levels:groups=wide"], downstreams=["weighted-sum"])

    weights: Any = found.notes["layer_weights"]
    assert set(weights) == {"0", "1"}  # the folds
    for fold in weights.values():
        assert list(fold["wide"]) == ["1", "2"]
        assert sum(fold["wide"].values()) == pytest.approx(1)


def test_a_head_without_layer_weights_reports_none(
    result: Callable[..., Result],
) -> None:
    assert "layer_weights" not in result(downstreams=["mean"]).notes


def test_a_head_that_predicts_one_class_for_all_is_flagged(
    result: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(head: Any, source: Any, rows: torch.Tensor, device: str) -> torch.Tensor:
        return torch.tensor([[0.9, 0.1]], dtype=torch.float64).repeat(len(rows), 1)

    monkeypatch.setattr("nserbench.benchmark.jobs.fit.predict", dead)

    found = result()

    flags: Any = found.notes["flags"]
    assert set(flags) == {"0", "1"}
    assert flags["0"][0].startswith("dead head: it answers ")
    assert flags["0"][0].endswith(" to all 12 utterances")


def test_a_loss_that_rises_is_flagged(result: Callable[..., Result]) -> None:
    found = result(protocol="probe+learning_rate=100", epochs=6)

    flags: Any = found.notes["flags"]
    assert any(
        one.startswith("rising loss: ") for fold in flags.values() for one in fold
    )


def test_a_sound_head_is_not_flagged(result: Callable[..., Result]) -> None:
    assert "flags" not in result(epochs=40).notes


def test_peak_memory_is_reported_by_stage(result: Callable[..., Result]) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells")

    costs: Any = result(downstreams=["bigru"]).costs

    stages = [costs["extraction_peak_bytes"], costs["training_peak_bytes"]]
    assert all(held > 10_000_000 for held in stages)
    assert costs["peak_memory_bytes"] == max(stages)


def test_a_peak_does_not_count_memory_freed_before() -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux tells")
    torch.ones(50_000_000)  # 200 MB, freed at once

    small = Peak("cpu")
    before = small.bytes
    large = torch.ones(50_000_000)

    assert small.bytes is not None
    assert before is not None
    assert small.bytes - before > 0.9 * large.nbytes


def test_precision_is_chosen_by_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert choose_precision("auto", "cpu") == "bf16"

    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto", "cpu") == "fp32"
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")  # it is private
    assert choose_precision("auto", "cpu") == "fp32"
    assert choose_precision("bf16", "cpu") == "bf16"
