"""Makes torchaudio importable with any build of torch.

The wheels of torchaudio hold native code for one build of torch. With a CPU build the
import fails, and with it that of transformers, s3prl and speechbrain, which need only
its Python part. s3prl also uses names that torchaudio no longer has. An import hook,
set when nserbench is imported, repairs both, whichever package imports torchaudio.
"""

from __future__ import annotations

import importlib.machinery
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader, MetaPathFinder
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, NoReturn
else:  # the program first says how it takes an interrupt, and these take long to import
    Loader = MetaPathFinder = object

NATIVE = "torchaudio._extension"
GONE = "torchaudio.sox_effects"


class _Finder(MetaPathFinder):
    """Finds torchaudio and two of its modules before the default finder does."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in _REPAIRS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None and fullname == GONE and path is not None:
            return importlib.machinery.ModuleSpec(fullname, _Gone())
        if spec is not None and spec.loader is not None:
            spec.loader = _Repaired(spec.loader, _REPAIRS[fullname])
        return spec


class _Repaired(Loader):
    """Runs a module with its own loader, then repairs it."""

    def __init__(self, own: Loader, repair: Callable[[ModuleType, bool], None]) -> None:
        self._own = own
        self._repair = repair

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        works = True
        try:
            self._own.exec_module(module)
        except OSError:
            if module.__name__ != NATIVE:
                raise
            works = False
        self._repair(module, works)


class _Gone(Loader):
    """Creates the module that torchaudio no longer has; its functions raise."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(apply_effects_file=_no_sox, apply_effects_tensor=_no_sox)


def install() -> None:
    """Set the import hook, once in a process. It imports nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _repair_native(module: ModuleType, works: bool) -> None:
    if not works:
        vars(module).update(
            _IS_TORCHAUDIO_EXT_AVAILABLE=False,
            _IS_ALIGN_AVAILABLE=False,
            _check_cuda_version=lambda: None,
            fail_if_no_align=lambda function: _no_native,
        )


def _repair_package(module: ModuleType, works: bool) -> None:
    if not hasattr(module, "set_audio_backend"):
        vars(module)["set_audio_backend"] = lambda backend: None


def _leave(module: ModuleType, works: bool) -> None:
    pass


def _no_native(*args: Any, **options: Any) -> NoReturn:
    raise RuntimeError("torchaudio's native code does not fit this build of torch")


def _no_sox(*args: Any, **options: Any) -> NoReturn:
    raise RuntimeError("torchaudio no longer has sox_effects")


_REPAIRS: dict[str, Callable[[ModuleType, bool], None]] = {
    "torchaudio": _repair_package,
    NATIVE: _repair_native,
    GONE: _leave,
}
