"""Read all but the weights of a file of ``torch.save``, without torch."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nserbench.upstreams.loading.torch_files import pickled_part


class Shape(tuple[int, ...]):
    """The shape of a tensor, in the place of the tensor."""


class IgnoredObject:
    """Replaces any object of a checkpoint that is not plain data, and stays empty."""

    def __init__(self, *ignored: object) -> None:
        pass

    def __call__(self, *ignored: object) -> IgnoredObject:
        """Replace a function as well."""
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def extend(self, items: object) -> None:
        """Replace a list as well."""


def read_plain(file: Path) -> Mapping[str, Any]:
    """Return what a file holds by name; empty if it holds something else.

    Of a tensor there is its `Shape`. Nothing that the file names is run.

    Raises:
        CheckpointMissing: if it is no whole file of ``torch.save``.
    """
    with pickled_part(file) as stream:
        content = _DataUnpickler(stream).load()
    return content if isinstance(content, Mapping) else {}


def _shape(_storage: object, _offset: object, size: Any, *_: object) -> Shape:
    """Stand for the function of torch that makes a tensor."""
    return Shape(size)


def _same(tensor: object, *_: object) -> object:
    """Stand for the function of torch that makes a parameter of a tensor."""
    return tensor


_KNOWN: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _shape,
    ("torch._utils", "_rebuild_parameter"): _same,
}


class _DataUnpickler(pickle._Unpickler):
    """Reads plain data, and replaces everything else by an `IgnoredObject`.

    The form in Python: that in C reserves as much memory as a file's numbers ask for.
    """

    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name), IgnoredObject)

    def persistent_load(self, pid: object) -> None:
        """Skip the values of a tensor."""
