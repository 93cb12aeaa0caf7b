"""How an experiment is reported: the tables and figures of the paper, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nserbench.benchmark.study.toml_checks import (
    BadGrid,
    Check,
    a_text,
    check_table,
    tables,
    texts,
)

ItemKind = Literal["table", "layers", "confusions", "understood"]
"""Scores by condition; by layer; what was taken for what; errors in words beside F1."""

EVERY_LAYER = "single:layer=all"
"""The head of a line that stands for all layers: the best of them on the test part in
a table (the paper's choice), each of them in a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A row of the paper.

    Attributes:
        group: The heading that it stands under; empty if none.
        title: As printed.
        upstream: As typed; None where the row cannot run.
        downstream: Likewise.
        reason: Why it cannot run; None where it can.
        printed: Whether the paper has it.
    """

    group: str = ""
    title: str
    upstream: str | None = None
    downstream: str | None = None
    reason: str | None = None
    printed: bool = True

    def __str__(self) -> str:
        return f"{self.group}: {self.title}" if self.group else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportItem:
    """A table or figure of the paper.

    Attributes:
        name: Such as ``Table III``.
        kind: How it is laid out.
        caption: What it shows.
        metrics: Of its numbers.
        rows: In the paper's order.
        by_noise: Whether each corpus and noise has a table of its own, whose columns
            are levels.
    """

    name: str
    kind: ItemKind
    caption: str
    metrics: Sequence[str] = ("uar", "f1_macro")
    rows: Sequence[ReportRow]
    by_noise: bool = False


def read_layout(report: Sequence[Mapping[str, Any]]) -> list[ReportItem]:
    """Read the tables ``[[report]]`` of a grid file.

    Raises:
        BadGrid: if a key is not known or missing, or a row neither runs nor says why.
    """
    return [_part(one, place) for place, one in enumerate(report, 1)]


def _part(table: Mapping[str, Any], place: int) -> ReportItem:
    what = f"[[report]] number {place}"
    needs = ("name", "kind", "caption", "rows")
    said = check_table(table, PART, what, needs)
    rows = [_line(one, f"{what}, row {at}") for at, one in enumerate(said["rows"], 1)]
    return ReportItem(**{**said, "rows": rows})


def _line(table: Mapping[str, Any], what: str) -> ReportRow:
    line = ReportRow(**check_table(table, LINE, what, ("title",)))
    runs = line.upstream is not None and line.downstream is not None
    if runs == (line.reason is not None):
        raise BadGrid(f"{what} needs an upstream and a head, or a reason")
    return line


def a_kind(value: object) -> object:
    """Take one of `ItemKind`."""
    if value not in get_args(ItemKind):
        raise ValueError(f"one of {', '.join(get_args(ItemKind))}")
    return value


def a_truth(value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


PART: Mapping[str, Check] = {
    "name": a_text,
    "kind": a_kind,
    "caption": a_text,
    "metrics": texts,
    "rows": tables,
    "by_noise": a_truth,
}

LINE: Mapping[str, Check] = {
    "group": a_text,
    "title": a_text,
    "upstream": a_text,
    "downstream": a_text,
    "reason": a_text,
    "printed": a_truth,
}
