"""A simulated device, for a machine that has only a CPU.

Tensors on it hold numbers like any others, but an operation whose tensors lie partly
on it and partly on the processor fails, as it would on a GPU. It goes by the name of
torch's ``meta``, the one other device that every torch lets tensors be on.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from nserbench.benchmark.training.adam import Adam
from nserbench.downstreams.kernels import adapters

ELSEWHERE = "meta"

_BOTH = ("_to_copy", "copy_", "index", "gru", "_pack_padded", "_pad_packed")
"""Operations that a GPU allows between devices as well."""


class _Away(Tensor):
    """A tensor on the device."""

    @staticmethod
    def __new__(cls, own: Tensor) -> "_Away":
        """Return a tensor that seems to be on the device."""
        device = torch.device(ELSEWHERE)
        return Tensor._make_wrapper_subclass(
            cls, own.shape, strides=own.stride(), dtype=own.dtype, device=device
        )

    def __init__(self, own: Tensor) -> None:
        self.own = own

    def tolist(self) -> list[Any]:
        """Return the values; torch does not do so for a subclass."""
        return self.own.tolist()

    def __setitem__(self, places: Any, value: Any) -> None:
        """Set values; torch creates a tensor from a list without an operation."""
        at = places
        if isinstance(places, list):
            at = torch.tensor(places, dtype=torch.int64)
        super().__setitem__(at, value)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # torch annotates no class method
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run the operation on the CPU."""
        return _run(func, args, kwargs or {})


class _Device(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def _run(operation: Any, given: Any, named: dict[str, Any]) -> Any:
    flat, form = tree_flatten((given, named))
    name = operation._schema.name.removeprefix("aten::")
    away = any(isinstance(one, _Away) for one in flat)
    if away and any(type(one) is Tensor and one.is_meta for one in flat):
        raise RuntimeError(f"{name}: a tensor came to be elsewhere without numbers")
    if away and not name.startswith(_BOTH):
        for one in flat:
            if isinstance(one, Tensor) and not isinstance(one, _Away) and one.ndim:
                raise RuntimeError(f"{name}: some tensors are here, some elsewhere")
    if (device := named.get("device")) is not None:
        away = torch.device(device).type == ELSEWHERE
    places = [torch.device("cpu") if isinstance(x, torch.device) else x for x in flat]
    own = [one.own if isinstance(one, _Away) else one for one in places]
    args, kwargs = tree_unflatten(own, form)
    found = operation(*args, **kwargs)
    if operation._schema.is_mutable:
        return named.get("out", given[0]) if isinstance(found, Tensor) else found
    if not away:
        return found
    if name == "_pack_padded_sequence":  # whose second is for the processor
        return _Away(found[0]), found[1]
    return tree_map_only(Tensor, _Away, found)


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Create the device and return its name."""
    begin, autocast, tensor = Adam.__init__, torch.autocast, torch.tensor
    is_narrow, narrow = torch.is_autocast_enabled, torch.get_autocast_dtype

    def make_tensor(data: Any, *, device: Any = None, **more: Any) -> Tensor:
        made = tensor(data, **more)  # which is asked for without an operation
        return made if device is None else made.to(device)

    def begin_adam(adam: Adam, weights: Any, **more: Any) -> None:
        begin(adam, weights, **more | {"fused": False, "capturable": False})

    def cast(kind: str, *given: Any, **more: Any) -> Any:
        return nullcontext() if kind == ELSEWHERE else autocast(kind, *given, **more)

    def as_cpu(ask: Any) -> Any:
        return lambda kind: ask("cpu" if kind == ELSEWHERE else kind)

    device = _Device()  # type: ignore[no-untyped-call] # torch's

    with monkeypatch.context() as patch, device:
        patch.setattr(torch, "tensor", make_tensor)
        patch.setattr(Adam, "__init__", begin_adam)
        patch.setattr(torch, "autocast", cast)
        patch.setattr(torch, "is_autocast_enabled", as_cpu(is_narrow))
        patch.setattr(torch, "get_autocast_dtype", as_cpu(narrow))
        patch.setattr(adapters, "Generator", lambda _: torch.Generator())
        yield ELSEWHERE
