"""Check the keys and values of TOML tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, field, fields
from typing import Any, TypeAlias, TypeVar

from nserbench.errors import NserbenchError, unknown_lines
from nserbench.option_values import MAX_ABS_SNR_DB, MOST_COUNT, MOST_SEEDS
from nserbench.plain_data import is_whole

Check: TypeAlias = Callable[[Any], Any]
"""A function that returns a value, or raises ``ValueError`` with what is expected."""

T = TypeVar("T")

PRECISIONS = ("fp32", "bf16")
"""Precisions of a block; ``auto`` depends on the machine, and so is only an option."""


class BadGrid(NserbenchError, ValueError):
    """A grid file that cannot be read."""


def check_table(
    table: Mapping[str, Any],
    known: Mapping[str, Check],
    what: str,
    needs: Sequence[str] = (),
) -> dict[str, Any]:
    """Check the keys and values of a table of a grid file.

    Args:
        known: Check for the value of each key.
        needs: Keys that the table must have.

    Raises:
        BadGrid: if a key is unknown or missing, or a value does not fit its key.
    """
    if unknown := [key for key in table if key not in known]:
        raise BadGrid(unknown_lines(f"{what} has the unknown key", unknown[0], known))
    if missing := [key for key in needs if key not in table]:
        keys = "keys" if len(missing) > 1 else "key"
        raise BadGrid(f"{what} lacks the {keys} {', '.join(map(repr, missing))}")
    checked = {}
    for key, value in table.items():
        try:
            checked[key] = known[key](value)
        except ValueError as error:
            raise BadGrid(f"{what}: {key!r} must be {error}") from error
    return checked


def checked(check: Check, default: Any = MISSING, **about: object) -> Any:
    """Return a dataclass field whose value in a TOML file is checked by a function.

    Args:
        default: Value if the key is not there; none for a key that must be.
        about: Further metadata of the field.
    """
    return field(default=default, metadata={"check": check, **about})


def checks_of(table_class: type) -> dict[str, Check]:
    """Return the check of each `checked` field of a dataclass."""
    return {one.name: one.metadata["check"] for one in fields(table_class)}


def needed_by(table_class: type) -> list[str]:
    """Return the fields of a dataclass that have no default."""
    return [one.name for one in fields(table_class) if one.default is MISSING]


def read_as(table_class: type[T], table: Mapping[str, Any], what: str) -> T:
    """Return an object of a dataclass of `checked` fields.

    Raises:
        BadGrid: as `check_table`.
    """
    known, needs = checks_of(table_class), needed_by(table_class)
    return table_class(**check_table(table, known, what, needs))


def a_text(value: object) -> str:
    """Check that a value is a text."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text in quotes")
    return value


def texts(value: object) -> list[str]:
    """Check that a value is a list of texts."""
    if not isinstance(value, list) or not value or not all(map(_is_text, value)):
        raise ValueError('texts in brackets, such as ["mel", "whisper"]')
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def a_count(value: object) -> int:
    """Check that a value is a whole number from 1 up."""
    if not isinstance(value, int) or not is_whole(value, 1, MOST_COUNT):
        raise ValueError("a whole number from 1 up")
    return value


def a_seed_count(value: object) -> range:
    """Check that a value is a number of seeds; return the seeds from 0 up."""
    if a_count(value) > MOST_SEEDS:
        raise ValueError(f"a number of seeds, at most {MOST_SEEDS}")
    return range(a_count(value))


def a_precision(value: object) -> object:
    """Check that a value is a precision."""
    if value not in PRECISIONS:
        raise ValueError(f"one of {', '.join(PRECISIONS)}")
    return value


def snr_list(value: object) -> list[float]:
    """Check that a value is a list of SNRs in dB."""
    snrs = isinstance(value, list) and value
    if not snrs or not all(
        isinstance(snr, int | float)
        and not isinstance(snr, bool)
        and abs(snr) <= MAX_ABS_SNR_DB
        for snr in snrs
    ):
        bound = f"-{MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g}"
        raise ValueError(f"numbers in brackets, in dB from {bound}")
    return [float(snr) + 0.0 for snr in snrs]  # -0 becomes 0


def tables(value: object) -> list[dict[str, Any]]:
    """Check that a value is a list of tables."""
    if not isinstance(value, list) or not all(isinstance(t, dict) for t in value):
        raise ValueError("a table in double brackets")
    return value
