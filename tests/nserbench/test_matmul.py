"""Matrix products by the faster of two libraries against torch's own."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from heads import gradient
from torch import Tensor, nn

from nserbench import matmul, matmul_trial
from nserbench.errors import BadSettings
from nserbench.matmul import FastLinear, PackedWeight, multiply, use_fast_products


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Forget what was tried, and keep what is tried in the test's own home."""
    monkeypatch.setattr(matmul, "_fastest", {})
    monkeypatch.setattr(matmul_trial, "_outcomes", {})
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(params=["onednn", "torch", "auto"])
def library(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    """Run the test with each library, and with the faster one."""
    if request.param == "onednn" and not matmul.has_onednn():
        pytest.skip("this build of torch has no oneDNN")
    monkeypatch.setenv("NSERBENCH_MATMUL", request.param)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_equal_those_of_torch_for_any_memory_layout(
    dtype: torch.dtype,
) -> None:
    torch.manual_seed(0)
    one, other = torch.randn(40, 30, dtype=dtype), torch.randn(30, 20, dtype=dtype)
    bias = torch.randn(20, dtype=dtype)

    torch.testing.assert_close(multiply(one, other), one @ other)
    torch.testing.assert_close(multiply(one, other, bias), one @ other + bias)
    torch.testing.assert_close(multiply(other.t(), one.t()), other.t() @ one.t())
    narrow = one[:, 3:9]
    torch.testing.assert_close(multiply(narrow, other[3:9]), narrow @ other[3:9])


@pytest.mark.usefixtures("library")
def test_a_reordered_matrix_multiplies_any_number_of_rows() -> None:
    torch.manual_seed(0)
    matrix, bias = torch.randn(30, 20), torch.randn(20)
    weight = PackedWeight(matrix, bias, rows=32)

    for rows in (32, 7, 1):
        one = torch.randn(rows, 30)
        torch.testing.assert_close(weight(one), one @ matrix + bias)


class Doubled(nn.Linear):
    """A linear layer with a forward pass of its own."""

    def forward(self, values: Tensor) -> Tensor:
        """Return twice the usual output."""
        return 2 * super().forward(values)


@pytest.mark.usefixtures("library")
def test_a_model_with_fast_products_returns_the_same_values() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4, bias=False))
    values, weights = torch.randn(3, 5, 12), dict(model.named_parameters())
    with torch.no_grad():
        expected = model(values)

        use_fast_products(model)

        torch.testing.assert_close(model(values), expected)
        assert model(values[:, :0]).shape == (3, 0, 4)
    assert dict(model.named_parameters()) == weights
    assert isinstance(model[0], FastLinear)


def test_a_model_with_fast_products_can_be_fine_tuned() -> None:
    torch.manual_seed(0)
    layer, same = nn.Linear(6, 2), nn.Linear(6, 2)
    same.load_state_dict(layer.state_dict())
    values = torch.randn(5, 6)
    use_fast_products(layer)

    layer(values).square().sum().backward()
    same(values).square().sum().backward()

    torch.testing.assert_close(gradient(layer.weight), gradient(same.weight))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(values).dtype == torch.bfloat16
        torch.testing.assert_close(layer(values), same(values))


def test_a_layer_with_its_own_forward_pass_is_not_changed() -> None:
    layer = Doubled(6, 2)
    use_fast_products(layer)

    assert type(layer) is Doubled


def test_a_layer_whose_weight_is_computed_each_time_is_not_changed() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(layer)
    values = torch.randn(3, 6)
    expected = layer(values)

    use_fast_products(layer)

    assert type(layer) is nn.Linear
    with torch.no_grad():
        assert layer(values).equal(expected)


@pytest.mark.usefixtures("library")
def test_a_wrong_width_raises_the_error_of_torch() -> None:
    layer = nn.Linear(6, 2)
    use_fast_products(layer)

    with torch.no_grad(), pytest.raises(RuntimeError, match="5x7 and 6x2"):
        layer(torch.zeros(5, 7))


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("fast", ["onednn", "torch"])
def test_the_faster_library_multiplies_and_other_processes_use_it_too(
    fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not matmul.has_onednn():
        pytest.skip("this build of torch has no oneDNN")
    monkeypatch.setenv("NSERBENCH_MATMUL", "auto")
    timed = Mock(side_effect=lambda calls: fast)
    monkeypatch.setattr(matmul_trial, "_trial", timed)

    multiply(torch.ones(3, 8), torch.ones(8, 5))
    multiply(torch.ones(4, 7), torch.ones(7, 6))  # rounded up, of the same size

    name = f"4 x 8 x 8, right factor transposed, {torch.get_num_threads()} thread"
    (said,) = matmul_trial.outcomes()
    assert said.startswith(name)
    assert matmul_trial.outcomes() == {said: fast}
    assert timed.call_count == 1

    monkeypatch.setattr(matmul, "_fastest", {})  # as in another process
    monkeypatch.setattr(matmul_trial, "_outcomes", {})
    timed.side_effect = AssertionError("tried again")
    multiply(torch.ones(3, 8), torch.ones(8, 5))

    assert matmul_trial.outcomes() == {said: fast}
    monkeypatch.setattr(matmul_trial, "processor", lambda: "another one")
    monkeypatch.setattr(matmul, "_fastest", {})
    monkeypatch.setattr(matmul_trial, "_outcomes", {})
    with pytest.raises(AssertionError, match="tried again"):
        multiply(torch.ones(3, 8), torch.ones(8, 5))


def test_the_trial_names_the_call_with_the_shortest_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0

    def lasts(nanoseconds: int) -> None:
        nonlocal clock
        clock += nanoseconds

    monkeypatch.setattr("time.perf_counter_ns", lambda: clock)
    calls = {"onednn": lambda: lasts(300), "torch": lambda: lasts(200)}

    assert matmul_trial._trial(calls) == "torch"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("trouble", ["damaged", "no home", "nonsense"])
def test_without_a_usable_file_each_process_makes_its_own_trial(
    trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NSERBENCH_MATMUL", "auto")
    file = tmp_path / ".cache/nserbench/matmul.sqlite"
    values, matrix = torch.randn(3, 8), torch.randn(8, 5)
    multiply(values, matrix)
    assert file.exists() == matmul.has_onednn()
    if trouble == "damaged":
        file.write_bytes(b"no database")
    elif trouble == "no home":
        monkeypatch.setattr(Path, "expanduser", Mock(side_effect=RuntimeError))
    else:
        with sqlite3.connect(file) as database:
            database.execute("UPDATE faster SET library = 'abacus'")
        database.close()
    monkeypatch.setattr(matmul, "_fastest", {})
    monkeypatch.setattr(matmul_trial, "_outcomes", {})

    torch.testing.assert_close(multiply(values, matrix), values @ matrix)


@pytest.mark.usefixtures("fresh")
def test_an_unknown_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSERBENCH_MATMUL", "blas")
    with pytest.raises(BadSettings, match=r"NSERBENCH_MATMUL=blas is unknown\n.*auto"):
        matmul_trial.wanted()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("answer", ["missing", "raises", "wrong"])
def test_oneDNN_is_not_used_if_its_operator_is_not_as_it_was(  # noqa: N802
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Mock()
    operator.default.side_effect = (
        RuntimeError("schema") if answer == "raises" else lambda left, *_: left[:, :8]
    )
    names = {"_reorder_linear_weight": Mock()}
    if answer != "missing":
        names["_linear_pointwise"] = operator
    operators = Mock(spec=list(names), **names)
    monkeypatch.setattr(torch.ops, "mkldnn", operators)
    matmul.has_onednn.cache_clear()
    try:
        assert not matmul.has_onednn()
        values, matrix = torch.randn(3, 8), torch.randn(8, 5)
        torch.testing.assert_close(multiply(values, matrix), values @ matrix)
    finally:
        monkeypatch.undo()
        matmul.has_onednn.cache_clear()


@pytest.mark.usefixtures("library")
def test_a_layer_multiplies_values_of_changing_size_and_layout() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    use_fast_products(layer)
    with torch.no_grad():
        for values in (torch.randn(1, 6), torch.randn(2, 5, 6), torch.randn(6, 9).t()):
            expected = values @ layer.weight.t() + layer.bias
            torch.testing.assert_close(layer(values), expected)
