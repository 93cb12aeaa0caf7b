"""Sizes of files, as text and from text."""

from __future__ import annotations

import re

from nserbench.plain_data import number, shortened

DECIMAL = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
"""Bytes of each unit of `size`."""
_UNITS = DECIMAL | {
    f"{letter}IB": 1 << 10 * power for power, letter in enumerate("KMGT", 1)
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z]+)")


def size(count: float) -> str:
    """Return a number of bytes in the largest unit of which there is at least one.

    Examples:
        >>> size(12), size(2.4e5), size(2.5e9), size(999_950)
        ('12 B', '240.0 KB', '2.5 GB', '1.0 MB')
    """
    for unit, worth in DECIMAL.items():
        text = f"{count / worth:.{0 if unit == 'B' else 1}f}"
        if float(text) < 1000:
            break
    return f"{text} {unit}"


def byte_count(text: str) -> int:
    """Return the number of bytes of a size such as ``100GB`` or ``2GiB``.

    Examples:
        >>> byte_count("100GB"), byte_count("1.5 MiB")
        (100000000000, 1572864)

    Raises:
        ValueError: if the text is no size, or the size is below one byte.
    """
    found = _SIZE.fullmatch(text.strip().upper())
    if found and found[2] in _UNITS:
        count = int(number(found[1]) * _UNITS[found[2]])
        if count >= 1:
            return count
    raise ValueError(
        f"{shortened(text)} is not a size: write a number and a unit, such as 100GB, "
        "500MB or 2GiB"
    )
