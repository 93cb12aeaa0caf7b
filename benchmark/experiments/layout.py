"""The layout of a report: the tables and figures of the paper, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from nserbench.benchmark.study.toml_checks import (
    a_text,
    checked,
    read_as,
    tables,
    texts,
)

ItemKind = Literal["table", "layers", "confusions", "understood"]
"""Scores by condition; scores by layer; confusion matrices; word error rate and F1."""

EVERY_LAYER = "single:layer=all"
"""The downstream of a row that stands for all layers. A table shows the layer that is
best on the test set (the paper's choice), a figure shows every layer."""


def a_kind(value: object) -> object:
    """Return a value that is one of `ItemKind`.

    Raises:
        ValueError: if it is not.
    """
    if value not in get_args(ItemKind):
        raise ValueError(f"one of {', '.join(get_args(ItemKind))}")
    return value


def a_truth(value: object) -> bool:
    """Return a value that is true or false.

    Raises:
        ValueError: if it is not.
    """
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A row of a table or figure.

    Attributes:
        group: Heading above the row; empty if there is none.
        upstream: Upstream as typed.
        downstream: Downstream as typed.
        printed: Whether the paper has this row.
    """

    group: str = checked(a_text, "")
    title: str = checked(a_text)
    upstream: str = checked(a_text)
    downstream: str = checked(a_text)
    printed: bool = checked(a_truth, True)

    def __str__(self) -> str:
        return f"{self.group}: {self.title}" if self.group else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportItem:
    """A table or figure of the paper.

    Attributes:
        by_noise: Whether each corpus and noise has its own table, with a column for
            each SNR.
    """

    name: str = checked(a_text)
    kind: ItemKind = checked(a_kind)  # noqa: RUF009 - it is a dataclass field
    caption: str = checked(a_text)
    metrics: Sequence[str] = checked(texts, ("uar", "f1_macro"))
    rows: Sequence[ReportRow] = checked(tables)
    by_noise: bool = checked(a_truth, False)


def read_layout(report: Sequence[Mapping[str, Any]]) -> list[ReportItem]:
    """Read the tables ``[[report]]`` of a grid file.

    Raises:
        BadGrid: if a key is unknown or missing.
    """
    return [_read_item(table, number) for number, table in enumerate(report, 1)]


def _read_item(table: Mapping[str, Any], number: int) -> ReportItem:
    what = f"[[report]] number {number}"
    item = read_as(ReportItem, table, what)
    rows = [
        read_as(ReportRow, row, f"{what}, row {number}")
        for number, row in enumerate(table["rows"], 1)
    ]
    return replace(item, rows=rows)
