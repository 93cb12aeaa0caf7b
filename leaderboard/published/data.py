"""Published numbers as data: what was printed, where, and how it was come by."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nserbench.benchmark.results.metrics import METRICS
from nserbench.errors import NserbenchError, UnknownName
from nserbench.leaderboard.reading.counts import Row, condition_order

FOLDER = Path(__file__).parent / "reference"
NOT_SAID = "not said"
"""The value of a setting that a publication leaves open."""
NOTHING = "-"
"""What stands in a table where no number is printed."""

_NUMBER = re.compile(r"[0-9]{1,2}(\.[0-9]+)?|100(\.0+)?")
_FRACTION = re.compile(r"[0-9]\.[0-9]+")
_PAIR = " x "


class BadReference(NserbenchError, ValueError):
    """A file of published numbers that cannot be read."""


class PublishedColumn(NamedTuple):
    """Where a number was measured, as our tables spell it."""

    corpus: str
    condition: str

    def __str__(self) -> str:
        return f"{self.corpus} {self.condition}"


@dataclass(frozen=True, slots=True)
class PrintedColumn:
    """A column of a published table.

    Attributes:
        label: As printed.
        ours: Our places that it is comparable with; none for one that we cannot run.
        settings: What holds in this column alone, such as the number of folds.
    """

    label: str
    ours: Sequence[PublishedColumn]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """A row of a published table.

    Attributes:
        label: As printed.
        ours: Our rows that it is comparable with; none for one that is reported only.
        values: To the digit, for each column and each metric in it; None where nothing
            is printed. Percent, but for word error rates.
        note: What a reader must know of it; empty if nothing.
    """

    label: str
    ours: Sequence[Row]
    values: Sequence[Sequence[str | None]]
    note: str

    def meets(self, row: Row) -> bool:
        """Tell whether a row of ours is comparable with it.

        In a spelling ``*`` stands for any value of an option, such as a file's name.
        """
        return any(_fits(str(row), str(spelling)) for spelling in self.ours)


def _fits(name: str, spelling: str) -> bool:
    return re.fullmatch(re.escape(spelling).replace(r"\*", "[^,]+"), name) is not None


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """A published table.

    Attributes:
        name: As its publication calls it.
        caption: What it shows.
        metrics: Names in `METRICS`, in the order printed in each column.
        columns: In the order printed.
        rows: In the order printed.
    """

    name: str
    caption: str
    metrics: Sequence[str]
    columns: Sequence[PrintedColumn]
    rows: Sequence[PrintedRow]


@dataclass(frozen=True, slots=True)
class PrintedWords:
    """Word error rates of a publication, and how they go with its scores.

    Attributes:
        name: The figure or table that they belong to.
        caption: What they are.
        columns: In the order printed.
        rows: In the order printed; of each column a fraction of 1, to the digit.
        r: Pearson's r as printed; empty if it is not.
        p: Of its test, as printed, such as ``< 0.001``; likewise.
        over: What points r is over, in words; likewise.
        said: What else is said of them, in words.
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
        name: What ``--reference`` takes.
        title: In a few words.
        citation: In full.
        url: Where it can be read; empty if nowhere.
        settings: Its protocol by our names, such as ``epochs``; `NOT_SAID` where it
            leaves one open.
        differences: What else differs from what we do, in words.
        tables: In the order printed.
        words: Its word error rates; None if it prints none.
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
        """Give the metrics of all tables."""
        return tuple(dict.fromkeys(one for each in self.tables for one in each.metrics))


def published_names() -> list[str]:
    """Give the publications that come with the toolkit."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def read_published(name: str) -> Published:
    """Read the numbers of a publication.

    Args:
        name: One of `published_names`, or a file of the user's, which ends in
            ``.toml``.

    Raises:
        UnknownName: if there is none of that name.
        BadReference: if the file is missing or malformed.
    """
    if name in published_names():
        return _published(FOLDER / f"{name}.toml")
    if name.endswith(".toml"):
        return _published(Path(name).expanduser())
    hint = "or a file of your own: --reference FILE.toml"
    raise UnknownName("reference", name, published_names(), hint)


def _published(file: Path) -> Published:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadReference(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadReference(f"{file} is not TOML: {error}") from error
    top = _Section(content, str(file))
    top.refuse_others("title citation url differences protocol tables words")
    tables = [_table(one) for one in top.sections("tables")]
    return Published(
        name=file.stem,
        title=top.text("title"),
        citation=top.text("citation"),
        url=top.text("url", ""),
        settings=top.texts_by_key("protocol"),
        differences=top.texts("differences"),
        tables=tables,
        words=_words(top.section("words")) if "words" in content else None,
    )


def _table(section: _Section) -> PrintedTable:
    section.refuse_others("name caption metrics columns rows")
    metrics = section.texts("metrics")
    if unknown := [name for name in metrics if name not in METRICS]:
        raise section.bad(f"metric {unknown[0]!r} is none of {', '.join(METRICS)}")
    if not metrics:
        raise section.bad("'metrics' is missing")
    columns = [_column(one) for one in section.sections("columns")]
    shape = len(columns), len(metrics)
    return PrintedTable(
        name=section.text("name"),
        caption=section.text("caption", ""),
        metrics=metrics,
        columns=columns,
        rows=[_row(one, shape) for one in section.sections("rows")],
    )


def _words(section: _Section) -> PrintedWords:
    section.refuse_others("name caption r p over said columns rows")
    columns = [_column(one) for one in section.sections("columns")]
    return PrintedWords(
        name=section.text("name"),
        caption=section.text("caption", ""),
        columns=columns,
        rows=[_rates(one, len(columns)) for one in section.sections("rows")],
        r=section.text("r", ""),
        p=section.text("p", ""),
        over=section.text("over", ""),
        said=section.texts("said"),
    )


def _rates(section: _Section, columns: int) -> PrintedRow:
    """Read a row of word error rates.

    Raises:
        BadReference: if there are not as many as columns, or one is no fraction.
    """
    section.refuse_others("label ours values note")
    values = section.texts("values")
    if len(values) != columns:
        raise section.bad(f"'values' must hold {columns} texts, one for each column")
    for one in values:
        if one != NOTHING and not _FRACTION.fullmatch(one):
            raise section.bad(
                f'{one!r} is no fraction of 1 in quotes, such as "0.28", or "{NOTHING}"'
            )
    return PrintedRow(
        label=section.text("label"),
        ours=[_spelling(text, section) for text in section.texts("ours")],
        values=[[None if one == NOTHING else one] for one in values],
        note=section.text("note", ""),
    )


def _column(section: _Section) -> PrintedColumn:
    section.refuse_others("label ours protocol")
    return PrintedColumn(
        label=section.text("label"),
        ours=[_place(text, section) for text in section.texts("ours")],
        settings=section.texts_by_key("protocol"),
    )


def _place(text: str, section: _Section) -> PublishedColumn:
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
        [_value(one, section) for one in each] for each in section.lists("values")
    ]
    if len(values) != shape[0] or any(len(each) != shape[1] for each in values):
        raise section.bad(
            f"'values' must hold {shape[0]} columns of {shape[1]} in brackets, such as "
            '[["57.12", "56.10"], ...]'
        )
    return PrintedRow(
        label=section.text("label"),
        ours=[_spelling(text, section) for text in section.texts("ours")],
        values=values,
        note=section.text("note", ""),
    )


def _spelling(text: str, section: _Section) -> Row:
    upstream, pair, head = text.rpartition(_PAIR)
    if not pair:
        raise section.bad(f"{text!r} is not UPSTREAM x HEAD")
    return Row(upstream, head)


def _value(found: object, section: _Section) -> str | None:
    """Read a number as printed.

    Raises:
        BadReference: if it is not quoted, since a bare 76.50 would lose its zero, or
            is no percentage.
    """
    if found == NOTHING:
        return None
    if not isinstance(found, str) or not _NUMBER.fullmatch(found):
        raise section.bad(
            f'{found!r} is no percentage in quotes, such as "76.50", or "{NOTHING}"'
        )
    return found


class _Section:
    """A table of a TOML file that knows where it stands.

    Args:
        content: Its keys and values.
        where: For messages.
    """

    def __init__(self, content: Mapping[str, object], where: str) -> None:
        self.content = content
        self.where = where

    def bad(self, problem: str) -> BadReference:
        """Make the error for a problem in this section."""
        return BadReference(
            f"{self.where}: {problem}\n  the form is in docs/published.md"
        )

    def refuse_others(self, known: str) -> None:
        """Refuse a key that nobody reads, most often a misspelt one."""
        if others := [key for key in self.content if key not in known.split()]:
            raise self.bad(
                f"unknown key {others[0]!r}, known: {', '.join(known.split())}"
            )

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text, or the default where there is none."""
        found = self.content.get(key, default)
        if not isinstance(found, str):
            raise self.bad(f"{key!r} must be a text in quotes")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts; empty where there is none."""
        found = self.content.get(key, [])
        if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
            raise self.bad(f"{key!r} must be a list of texts in quotes")
        return tuple(found)

    def texts_by_key(self, key: str) -> dict[str, str]:
        """Give a table of texts; empty where there is none."""
        found = self.content.get(key, {})
        if not isinstance(found, dict):
            raise self.bad(f"{key!r} must be a table")
        inner = _Section(found, f"{self.where}: {key}")
        return {name: inner.text(name) for name in found}

    def lists(self, key: str) -> Sequence[Sequence[object]]:
        """Give a list of lists."""
        found = self.content.get(key)
        if not isinstance(found, list) or not all(isinstance(x, list) for x in found):
            raise self.bad(f"{key!r} must be a list of lists")
        return found

    def section(self, key: str) -> _Section:
        """Return a table."""
        found = self.content.get(key)
        if not isinstance(found, dict):
            raise self.bad(f"{key!r} must be a table")
        return _Section(found, f"{self.where}: {key}")

    def sections(self, key: str) -> Iterator[_Section]:
        """Give the tables of an array of tables, at least one."""
        found = self.content.get(key)
        if not isinstance(found, list) or not found:
            raise self.bad(f"{key!r} is missing: one or more tables")
        for number, one in enumerate(found, 1):
            where = f"{self.where}: {key} {number}"
            if not isinstance(one, dict):
                raise self.bad(f"{key} {number} must be a table")
            yield _Section(one, where)
