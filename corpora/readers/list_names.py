"""Names in a list that look like one name written in two ways."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from nserbench.errors import BadCorpus

NULLS = frozenset({"#n/a", "<na>", "n/a", "na", "nan", "nil", "none", "null"})
"""What programs write into an empty cell, in small letters."""


def refuse_spellings(column: str, places: Mapping[str, str]) -> None:
    """Refuse two names that are equal but for case, spaces or Unicode form.

    Args:
        column: The column that the names are from, for the message.
        places: Where each name is first: ``FILE, line N``.

    Raises:
        BadCorpus: if there are two such names.
    """
    firsts: dict[str, str] = {}
    for name, where in places.items():
        first = firsts.setdefault(_folded(name), name)
        if first != name:
            raise BadCorpus(
                f"{where}: the {column} {name!r} is written {first!r} in "
                f"{places[first]}\n"
                "  they would count as two: write one name in one way"
            )


def null_warnings(
    column: str, places: Mapping[str, str], *, needed: bool = False
) -> Iterator[str]:
    """Yield a sentence for each cell that is a word for nothing, such as ``nan``.

    Args:
        column: As for `refuse_spellings`.
        places: As for `refuse_spellings`.
        needed: Whether no cell of the column may be empty.
    """
    advice = "correct it, or delete the row" if needed else "leave it empty"
    for name, where in places.items():
        if name.casefold() in NULLS:
            yield (
                f"{where}: the {column} is {name!r}, which many programs write for an "
                f"empty cell: it is taken as a {column}; if it is none, {advice}"
            )


def number_warnings(column: str, places: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each two names that are one number, such as 1 and 01.

    Args:
        column: As for `refuse_spellings`.
        places: As for `refuse_spellings`.
    """
    firsts: dict[Decimal, str] = {}
    for name, where in places.items():
        number = _number(name)
        if number is not None and (first := firsts.setdefault(number, name)) != name:
            yield (
                f"{where}: the {column} {name!r} is the same number as {first!r} in "
                f"{places[first]}: they are taken as two; if they are one, write both "
                "alike"
            )


def _folded(name: str) -> str:
    """Return what stays of a name without case, spaces and characters of no width."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        char
        for char in unicodedata.normalize("NFKC", plain)
        if not char.isspace() and unicodedata.category(char) != "Cf"
    )


def _number(name: str) -> Decimal | None:
    """Return the finite number that a name is, or None."""
    try:
        number = Decimal(name)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
