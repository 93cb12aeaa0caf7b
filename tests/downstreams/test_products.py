"""Products of matrices against torch's own."""

from __future__ import annotations

import pytest
import torch

from nserbench.downstreams import products
from nserbench.downstreams.products import Factor, multiply


@pytest.fixture(params=[True, False], ids=["onednn", "without"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have oneDNN, or do without it."""
    if request.param and not products.ONEDNN:
        pytest.skip("this build of torch has no oneDNN")
    monkeypatch.setattr(products, "ONEDNN", request.param)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torch_s_product_whatever_way_the_matrices_lie(
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
def test_a_factor_that_is_laid_out_once_takes_any_number_of_rows() -> None:
    torch.manual_seed(0)
    matrix, bias = torch.randn(30, 20), torch.randn(20)
    factor = Factor(matrix, bias, rows=32)

    for rows in (32, 7, 1):
        one = torch.randn(rows, 30)
        torch.testing.assert_close(factor(one), one @ matrix + bias)
