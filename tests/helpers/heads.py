"""The modules, gradients and layer weights of a head, for tests that look inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn
from values import not_none

from nserbench.downstreams.base import HasLayerWeights

Kind = TypeVar("Kind", bound=nn.Module)


def part(head: nn.Module, path: str, kind: type[Kind]) -> Kind:
    """Return the module at a path, such as ``sums.0``, after a check of its class."""
    found = head.get_submodule(path)
    assert isinstance(found, kind)
    return found


def parts(head: nn.Module, path: str, kind: type[Kind]) -> list[Kind]:
    """Return the modules of the list at a path, after a check of their class."""
    modules = head.get_submodule(path).children()
    return [part(module, "", kind) for module in modules]


def gradient(values: Tensor) -> Tensor:
    """Return a copy of the gradient that a backward pass left."""
    return not_none(values.grad).clone()


def layer_weights(head: nn.Module) -> Mapping[str, Tensor]:
    """Return the layer weights of each group."""
    assert isinstance(head, HasLayerWeights)
    return head.layer_weights()
