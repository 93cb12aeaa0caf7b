"""Names in the order that readers expect: layer 9 before layer 10."""

from __future__ import annotations

import re


def natural_order(name: str) -> list[str | tuple[int, str]]:
    """Return a sort key that compares the numbers in names as numbers.

    Examples:
        >>> sorted(["SF10", "SF2", "SF1"], key=natural_order)
        ['SF1', 'SF2', 'SF10']
    """
    # Pieces with an odd index are digits. A number may have any length in a result of
    # others, so it is compared by its length and then as text.
    pieces = re.split(r"0*([0-9]+)", name)
    return [
        (len(piece), piece) if index % 2 else piece
        for index, piece in enumerate(pieces)
    ]
