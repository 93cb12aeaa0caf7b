"""The interface by which a long job reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives reports about stages, their steps, and cells."""

    def stage(self, name: str, total: int, unit: str) -> None:
        """Report the start of a stage of ``total`` steps, and the end of the last."""

    def advance(self, steps: int = 1) -> None:
        """Report that steps of the stage are done."""

    def note(self, text: str) -> None:
        """Report a message for the user."""

    def cells(self, total: int, done: int) -> None:
        """Report that the grid has ``total`` cells, ``done`` of them with a result."""

    def cell(self, name: str, outcome: str) -> None:
        """Report that the cell of this name has ended, with its outcome in words."""

    def left(self, seconds: float | None) -> None:
        """Report the time that the cells left will take; None if it is not known."""


class Silent:
    """Ignores every report."""

    def stage(self, name: str, total: int, unit: str) -> None:
        """Ignore it."""

    def advance(self, steps: int = 1) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def cells(self, total: int, done: int) -> None:
        """Ignore it."""

    def cell(self, name: str, outcome: str) -> None:
        """Ignore it."""

    def left(self, seconds: float | None) -> None:
        """Ignore it."""


def ignore_epochs(epochs: int) -> None:
    """Ignore that some epochs of a training are done."""
