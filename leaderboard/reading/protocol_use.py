"""How cells were trained and tested: which settings of a protocol which cells have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nserbench.leaderboard.reading.counts import (
    CountedResult,
    ProtocolSettings,
    RowColumn,
)

Cells: TypeAlias = Mapping[RowColumn, Sequence[CountedResult]]
"""The results of each row and column, one for each seed."""


@dataclass(frozen=True, slots=True)
class ProtocolUse:
    """Some settings of a protocol, and the cells that were trained and tested so.

    Attributes:
        name: Name and version of the protocol.
        settings: The settings; empty if no cell of the protocol ever started.
        cells: Row and column of each cell.
        alone: Whether the protocol has no other settings; rows are then not named.
    """

    name: str
    settings: ProtocolSettings
    cells: Sequence[RowColumn]
    alone: bool

    def __str__(self) -> str:
        if not self.settings.by_name:
            return self.name
        corpora = listed(column.corpus for _, column in self.cells)
        rows = "" if self.alone else f" ({listed(str(row) for row, _ in self.cells)})"
        return f"{self.name} on {corpora}{rows}: {self.settings}"


def protocol_uses(cells: Cells) -> list[ProtocolUse]:
    """Return how the cells were trained and tested, by protocol and its settings."""
    ways: dict[str, dict[ProtocolSettings, list[RowColumn]]] = {}
    for (row, column), results in cells.items():
        of_protocol = ways.setdefault(column.protocol, {})
        for settings in dict.fromkeys(result.settings for result in results):
            of_protocol.setdefault(settings, []).append((row, column))
    for known in ways.values():
        # A cell that never started has no settings.
        if len(known) > 1:
            known.pop(ProtocolSettings(), None)
    return [
        ProtocolUse(name, settings, known[settings], alone=len(known) == 1)
        for name, known in sorted(ways.items())
        for settings in sorted(known, key=str)
    ]


def listed(names: Iterable[str]) -> str:
    """Join names by commas, each once."""
    return ", ".join(dict.fromkeys(names))
