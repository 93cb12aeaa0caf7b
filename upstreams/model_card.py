"""The base of the cards of models: of upstreams and of enhancers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.cards import Card, Options
from nserbench.errors import copy_named


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard(Card):
    """What is known about a model before it is loaded.

    ``load`` is a callable that takes the options and a device such as ``"cuda:0"``.

    Attributes:
        files: A function, or ``"package.module:function"``, that takes the options and
            returns the checkpoint's files on this machine, downloading them if needed.
            Their digest identifies the outputs. None if there are no weights.
    """

    files: str | Callable[[Options], Sequence[Path]] | None = None

    def checkpoint_files(self, options: Options) -> Sequence[Path]:
        """Return the files whose content determines the outputs."""
        if self.files is None:
            return ()
        with copy_named(self.before_copy):
            files: Sequence[Path] = self.resolve(self.files)(options)
            return files

    @property
    def before_copy(self) -> str:
        """What is typed before the folder of a copy of the checkpoint."""
        key = "checkpoint=" if "checkpoint" in self.options else ""
        return f"{self.name}:{key}"
