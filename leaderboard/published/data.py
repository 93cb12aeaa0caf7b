"""Published numbers, read from TOML files: tables, protocols and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nserbench.benchmark.results.metrics import METRICS
from nserbench.errors import NserbenchError, UnknownName, unknown_lines
from nserbench.leaderboard.reading.counts import Row, condition_order
from nserbench.paths import user_path
from nserbench.plain_data import read_toml

FOLDER = Path(__file__).parent / "reference"
NOT_SAID = "not said"
"""Value of a setting that the publication does not state."""
NOTHING = "-"
"""Entry of a table where no number is printed."""

_NUMBER = re.compile(r"[0-9]{1,2}(\.[0-9]+)?|100(\.0+)?")
_FRACTION = re.compile(r"[0-9]\.[0-9]+")
_PAIR = " x "


class BadReference(NserbenchError, ValueError):
    """A file of published numbers is missing or malformed."""


class PublishedColumn(NamedTuple):
    """Corpus and condition of a published number, as our tables spell them."""

    corpus: str
    condition: str

    def __str__(self) -> str:
        return f"{self.corpus} {self.condition}"


@dataclass(frozen=True, slots=True)
class PrintedColumn:
    """A column of a published table.

    Attributes:
        ours: Our columns that it is compared with; empty if we cannot run it.
        settings: Protocol settings of this column alone, such as the number of folds.
    """

    label: str
    ours: Sequence[PublishedColumn]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row of a published table.

    Attributes:
        ours: Our rows that it is compared with; empty if we cannot run it.
        values: Numbers as printed, by column and metric; None where nothing is printed.
            In percent, except word error rates.
    """

    label: str
    ours: Sequence[Row]
    values: Sequence[Sequence[str | None]]
    note: str

    def matches(self, row: Row) -> bool:
        """Return whether a row of ours is compared with it.

        In ``ours``, ``*`` stands for any value of an option, such as a path.
        """
        patterns = (re.escape(str(of)).replace(r"\*", "[^,]+") for of in self.ours)
        return any(re.fullmatch(pattern, str(row)) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A published table.

    Attributes:
        name: Name in the publication, such as ``Table III``.
        metrics: Names in `METRICS`, in the order printed in each column.
    """

    name: str
    caption: str
    metrics: Sequence[str]
    columns: Sequence[PrintedColumn]
    rows: Sequence[PrintedRow]


@dataclass(frozen=True, slots=True)
class PrintedWords:
    """Published word error rates, and their correlation with the scores.

    Attributes:
        rows: Rows in the order printed; a value is a fraction of 1, as printed.
        r: Pearson's r as printed; empty if it is not printed.
        p: P-value of r as printed, such as ``< 0.001``; likewise.
        over: Points that r is computed over, in words; likewise.
        said: Further statements of the publication.
    """

    name: str
    caption: str
    columns: Sequence[PrintedColumn]
    rows: Sequence[PrintedRow]
    r: str
    p: str
    over: str
    said: Sequence[str]


@dataclass(frozen=True, slots=True)
class Published:
    """The numbers of one publication.

    Attributes:
        name: Name for ``--reference``.
        title: Short title, such as ``Shi et al.``.
        settings: Its protocol settings by our names, such as ``epochs``; `NOT_SAID`
            where it does not state one.
        differences: Other differences from our experiments, in words.
        words: Word error rates; None if there are none.
    """

    name: str
    title: str
    citation: str
    url: str
    settings: Mapping[str, str]
    differences: Sequence[str]
    tables: Sequence[PrintedTable]
    words: PrintedWords | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of all tables."""
        names = (metric for table in self.tables for metric in table.metrics)
        return tuple(dict.fromkeys(names))


def published_names() -> list[str]:
    """Return the names of the publications that come with the toolkit."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def read_published(name: str) -> Published:
    """Read a publication of `published_names`, or from the path of a ``.toml`` file.

    Raises:
        UnknownName: if there is no publication of that name.
        BadReference: if the file is missing or malformed.
    """
    if name in published_names():
        return _published(FOLDER / f"{name}.toml")
    if name.endswith(".toml"):
        return _published(user_path(name))
    hint = "or a file of your own: --reference FILE.toml"
    raise UnknownName("reference", name, published_names(), hint)


def _published(file: Path) -> Published:
    top = _Section(read_toml(file, BadReference), str(file))
    top.refuse_others("title citation url differences protocol tables words")
    tables = [_table(section) for section in top.sections("tables")]
    return Published(
        name=file.stem,
        title=top.text("title"),
        citation=top.text("citation"),
        url=top.text("url", ""),
        settings=top.texts_by_key("protocol"),
        differences=top.texts("differences"),
        tables=tables,
        words=_words(top.section("words")) if "words" in top.content else None,
    )


def _table(section: _Section) -> PrintedTable:
    section.refuse_others("name caption metrics columns rows")
    metrics = section.texts("metrics")
    if unknown := [name for name in metrics if name not in METRICS]:
        raise section.bad(f"metric {unknown[0]!r} is none of {', '.join(METRICS)}")
    if not metrics:
        raise section.bad("'metrics' is missing")
    columns = [_column(item) for item in section.sections("columns")]
    shape = len(columns), len(metrics)
    return PrintedTable(
        name=section.text("name"),
        caption=section.text("caption", ""),
        metrics=metrics,
        columns=columns,
        rows=[_row(item, shape) for item in section.sections("rows")],
    )


def _words(section: _Section) -> PrintedWords:
    section.refuse_others("name caption r p over said columns rows")
    columns = [_column(item) for item in section.sections("columns")]
    return PrintedWords(
        name=section.text("name"),
        caption=section.text("caption", ""),
        columns=columns,
        rows=[_error_rates(item, len(columns)) for item in section.sections("rows")],
        r=section.text("r", ""),
        p=section.text("p", ""),
        over=section.text("over", ""),
        said=section.texts("said"),
    )


def _error_rates(section: _Section, columns: int) -> PrintedRow:
    section.refuse_others("label ours values note")
    values = section.texts("values")
    if len(values) != columns:
        raise section.bad(f"'values' must hold {columns} texts, one for each column")
    kind = 'a fraction of 1 in quotes, such as "0.28"'
    rates = [[_value(value, section, _FRACTION, kind)] for value in values]
    return _printed_row(section, rates)


def _column(section: _Section) -> PrintedColumn:
    section.refuse_others("label ours protocol")
    return PrintedColumn(
        label=section.text("label"),
        ours=[_published_column(text, section) for text in section.texts("ours")],
        settings=section.texts_by_key("protocol"),
    )


def _published_column(text: str, section: _Section) -> PublishedColumn:
    corpus, _, condition = text.rpartition(" ")
    try:
        condition_order(condition)
    except ValueError as error:
        raise section.bad(
            f"{text!r} is not CORPUS clean or CORPUS NOISE@SNR"
        ) from error
    if not corpus:
        raise section.bad(f"{text!r} names no corpus")
    return PublishedColumn(corpus, condition)


def _row(section: _Section, shape: tuple[int, int]) -> PrintedRow:
    section.refuse_others("label ours values note")
    values = [
        [_value(value, section) for value in column]
        for column in section.lists("values")
    ]
    if len(values) != shape[0] or any(len(column) != shape[1] for column in values):
        raise section.bad(
            f"'values' must hold {shape[0]} lists of {shape[1]} numbers each, such as "
            '[["57.12", "56.10"], ...]'
        )
    return _printed_row(section, values)


def _printed_row(
    section: _Section, values: Sequence[Sequence[str | None]]
) -> PrintedRow:
    return PrintedRow(
        label=section.text("label"),
        ours=[_spelling(text, section) for text in section.texts("ours")],
        values=values,
        note=section.text("note", ""),
    )


def _spelling(text: str, section: _Section) -> Row:
    upstream, separator, head = text.rpartition(_PAIR)
    if not separator:
        raise section.bad(f"{text!r} is not UPSTREAM x HEAD")
    return Row(upstream, head)


def _value(
    value: object,
    section: _Section,
    pattern: re.Pattern[str] = _NUMBER,
    kind: str = 'a percentage in quotes, such as "76.50"',
) -> str | None:
    """Read a number as printed.

    Raises:
        BadReference: if it is not in quotes; without them, 76.50 would lose its zero.
    """
    if value == NOTHING:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise section.bad(f'{value!r} is not {kind}, or "{NOTHING}"')
    return value


class _Section:
    """A table of a TOML file, with its position for messages: ``FILE: tables 1``."""

    def __init__(self, content: Mapping[str, object], where: str) -> None:
        self.content = content
        self.where = where

    def bad(self, problem: str) -> BadReference:
        """Return the error for a problem in this section."""
        return BadReference(
            f"{self.where}: {problem}\n  docs/published.md describes the file format"
        )

    def refuse_others(self, known: str) -> None:
        """Refuse an unknown key, which is most often misspelt."""
        if others := [key for key in self.content if key not in known.split()]:
            raise self.bad(unknown_lines("unknown key", others[0], known.split()))

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text, or the default if the key is missing."""
        value = self.content.get(key, default)
        if not isinstance(value, str):
            raise self.bad(f"{key!r} must be a text in quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty if the key is missing."""
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
            raise self.bad(f"{key!r} must be a list of texts in quotes")
        return tuple(value)

    def texts_by_key(self, key: str) -> dict[str, str]:
        """Return a table of texts; empty if the key is missing."""
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.bad(f"{key!r} must be a table")
        inner = _Section(value, f"{self.where}: {key}")
        return {name: inner.text(name) for name in value}

    def lists(self, key: str) -> Sequence[Sequence[object]]:
        """Return a list of lists."""
        value = self.content.get(key)
        if not isinstance(value, list) or not all(isinstance(x, list) for x in value):
            raise self.bad(f"{key!r} must be a list of lists")
        return value

    def section(self, key: str) -> _Section:
        """Return a table."""
        value = self.content.get(key)
        if not isinstance(value, dict):
            raise self.bad(f"{key!r} must be a table")
        return _Section(value, f"{self.where}: {key}")

    def sections(self, key: str) -> Iterator[_Section]:
        """Return the tables of an array of tables, at least one."""
        tables = self.content.get(key)
        if not isinstance(tables, list) or not tables:
            raise self.bad(f"{key!r} is missing: one or more tables")
        for number, table in enumerate(tables, 1):
            if not isinstance(table, dict):
                raise self.bad(f"{key} {number} must be a table")
            yield _Section(table, f"{self.where}: {key} {number}")
