"""Types of options that are numbers: Python's own accept ``1_000`` and NaN."""

from __future__ import annotations

from typing import Any

import click

from nserbench.byte_sizes import byte_count
from nserbench.option_values import MAX_ABS_SNR_DB, MOST_COUNT
from nserbench.plain_data import number, whole_number


class Count(click.ParamType[int]):
    """A whole number from 1 up, at most ``most``."""

    name = "count"

    def __init__(self, most: int = MOST_COUNT) -> None:
        self.most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number."""
        try:
            return whole_number(str(value), 1, self.most)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(click.ParamType[float]):
    """A number within bounds, which belong to it."""

    name = "number"

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        try:
            found = number(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not self.least <= found <= self.most:
            bounds = f"from {self.least:g} to {self.most:g}"
            self.fail(f"{value!r} is not a number {bounds}", param, ctx)
        return found


class SnrList(click.ParamType[tuple[float, ...]]):
    """SNRs in dB, separated by commas."""

    name = "decibels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the SNRs in dB."""
        if isinstance(value, tuple):
            return value
        try:
            snrs = tuple(number(part.strip()) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 0,-5", param, ctx)
        if not all(abs(snr) <= MAX_ABS_SNR_DB for snr in snrs):
            limits = f"-{MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g} dB"
            self.fail(f"{value!r} is not within {limits}", param, ctx)
        return tuple(snr + 0.0 for snr in snrs)  # -0 becomes 0


class Size(click.ParamType[int]):
    """A size such as 100GB, in bytes."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number of bytes."""
        try:
            return value if isinstance(value, int) else byte_count(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
