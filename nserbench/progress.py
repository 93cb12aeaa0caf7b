"""How a long job tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears of stages, their steps, and cells."""

    def stage(self, name: str, total: int, unit: str) -> None:
        """A stage of ``total`` steps begins; the one before it is over."""

    def advance(self, steps: int = 1) -> None:
        """Some steps of the stage are done."""

    def note(self, text: str) -> None:
        """Something the user should read."""

    def cells(self, total: int, done: int) -> None:
        """The grid has ``total`` cells, of which ``done`` need no work."""

    def cell(self, name: str, outcome: str) -> None:
        """The cell of that name is over, with its outcome in words."""


class Silent:
    """Hears everything and says nothing."""

    def stage(self, name: str, total: int, unit: str) -> None:
        """Say nothing."""

    def advance(self, steps: int = 1) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def cells(self, total: int, done: int) -> None:
        """Say nothing."""

    def cell(self, name: str, outcome: str) -> None:
        """Say nothing."""
