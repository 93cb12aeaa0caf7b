"""Matrix multiplication by oneDNN against torch's own."""

from __future__ import annotations

import pytest
import torch
from heads import gradient
from torch import Tensor, nn

from nserbench import matmul
from nserbench.matmul import OneDnnLinear, PackedWeight, multiply, use_onednn


@pytest.fixture(params=[True, False], ids=["onednn", "without"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with and without oneDNN."""
    if request.param and not matmul.ONEDNN:
        pytest.skip("this build of torch has no oneDNN")
    monkeypatch.setattr(matmul, "ONEDNN", request.param)


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
def test_a_model_with_onednn_returns_the_same_values() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4, bias=False))
    values, weights = torch.randn(3, 5, 12), dict(model.named_parameters())
    with torch.no_grad():
        expected = model(values)

        use_onednn(model)

        torch.testing.assert_close(model(values), expected)
        assert model(values[:, :0]).shape == (3, 0, 4)
    assert dict(model.named_parameters()) == weights
    assert isinstance(model[0], OneDnnLinear)


def test_a_model_with_onednn_can_be_fine_tuned() -> None:
    torch.manual_seed(0)
    layer, same = nn.Linear(6, 2), nn.Linear(6, 2)
    same.load_state_dict(layer.state_dict())
    values = torch.randn(5, 6)
    use_onednn(layer)

    layer(values).square().sum().backward()
    same(values).square().sum().backward()

    torch.testing.assert_close(gradient(layer.weight), gradient(same.weight))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(values).dtype == torch.bfloat16
        torch.testing.assert_close(layer(values), same(values))


def test_a_layer_with_its_own_forward_pass_is_not_changed() -> None:
    layer = Doubled(6, 2)
    use_onednn(layer)

    assert type(layer) is Doubled


@pytest.mark.usefixtures("library")
def test_a_wrong_width_raises_the_error_of_torch() -> None:
    layer = nn.Linear(6, 2)
    use_onednn(layer)

    with torch.no_grad(), pytest.raises(RuntimeError, match="5x7 and 6x2"):
        layer(torch.zeros(5, 7))
