"""The rows of a manifest: a CSV, TSV or JSON Lines file."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.corpora.readers.text_files import (
    is_unicode,
    parse_json,
    read_lines,
    read_table,
)
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.languages import language_code
from nserbench.paths import exists
from nserbench.plain_data import number

NEEDED = ("path", "label", "speaker")
OPTIONAL = ("id", "fold", "start", "end", "text", "language", "unit", "gender")
SPLIT = ("fold", "split")
"""Columns that are read as the fold unless another is asked for."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row: where it is, and its cells that are not empty, by known column.

    All cells but the path are in Unicode's form NFC.
    """

    where: str
    cells: Mapping[str, str]

    def required(self, *columns: str) -> list[str]:
        """Return the cells of some columns.

        Raises:
            BadCorpus: if one is empty; the message has all that are.
        """
        if missing := [column for column in columns if column not in self.cells]:
            raise BadCorpus(
                f"{self.where}: {', '.join(map(repr, missing))} "
                f"{'are' if len(missing) > 1 else 'is'} missing or empty\n"
                "  fill in the cell, or delete the row"
            )
        return [self.cells[column] for column in columns]

    def seconds(self, column: str) -> float | None:
        """Return the seconds in a column; None if it is empty.

        Raises:
            BadCorpus: if they are no number, or less than 0.
        """
        if column not in self.cells:
            return None
        try:
            value = number(self.cells[column])
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf:
            raise BadCorpus(
                f"{self.where}: {column!r} is {self.cells[column]!r}, "
                "but it must be a number of seconds, 0 or more"
            )
        return value

    def language(self) -> str | None:
        """Return the code of the language; None if it is not known.

        Raises:
            BadCorpus: if it is no language.
        """
        if "language" not in self.cells:
            return None
        try:
            return language_code(self.cells["language"])
        except ValueError as error:
            raise BadCorpus(f"{self.where}: {error}") from error


def read_rows(file: Path, split: str | None) -> list[ManifestRow]:
    """Read all rows of a file.

    Args:
        split: The column that is read as the fold; None for `SPLIT`.

    Raises:
        CorpusMissing: if there is no such file.
        BadCorpus: if it cannot be read, lists nothing, or lacks a column.
    """
    rows = [(where, cells) for where, cells in _cells(file)]
    if not rows:
        raise BadCorpus(f"{file} lists no utterances\n  write one line per utterance")
    used = {column for _, cells in rows for column in cells}
    fold = _fold_column(file, split, used)
    _refuse_misspelt(file, used, fold)
    known = {column: column for column in (*NEEDED, *OPTIONAL) if column != "fold"}
    if fold is not None:
        known[fold] = "fold"
    return [_row(where, cells, known) for where, cells in rows]


def _refuse_misspelt(file: Path, columns: set[str], fold: str | None) -> None:
    """Refuse a column whose name is a known one but for capitals and spaces.

    It would be skipped as columns of other names are: folds would be others.
    """
    known = {*NEEDED, *OPTIONAL, *SPLIT}
    for column in sorted(columns - known - {fold or ""}):
        meant = column.strip().casefold()
        if meant in known - columns:
            raise BadCorpus(
                f"{file}: the column {column!r} would not be read\n"
                f"  call it {meant!r}, or another name if it is something else"
            )


def _fold_column(file: Path, split: str | None, columns: set[str]) -> str | None:
    """Return the name of the column that is read as the fold, if there is one."""
    if split is not None:
        if split not in columns or split in NEEDED:
            raise BadCorpus(
                f"{file}, line 1: there is no column {split!r} that can be split=\n"
                f"  columns: {', '.join(sorted(columns - {*NEEDED}))}"
            )
        return split
    found = [column for column in SPLIT if column in columns]
    if len(found) > 1:
        raise BadCorpus(
            f"{file}, line 1: there are columns 'fold' and 'split'\n"
            "  say which to use: split=fold or split=split"
        )
    return found[0] if found else None


def _cells(file: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    kind = file.suffix.lower()
    if kind not in (".jsonl", *DELIMITERS):
        raise BadCorpus(
            f"{file} is of an unknown kind: its name must end with .csv, .tsv or .jsonl"
        )
    if not exists(file):
        raise CorpusMissing(f"the manifest {file} does not exist\n  correct its path")
    if kind == ".jsonl":
        for where, line in read_lines(file):
            yield where, _entry(where, line)
    else:
        yield from read_table(
            file, NEEDED, delimiter=DELIMITERS[kind], quoted=kind == ".csv"
        )


def _entry(where: str, line: str) -> Mapping[str, object]:
    entry = parse_json(line, where)
    if not isinstance(entry, dict):
        raise BadCorpus(f"{where}: not a JSON object such as {{'path': ...}}")
    return entry


def _row(
    where: str, cells: Mapping[str, object], known: Mapping[str, str]
) -> ManifestRow:
    texts = {
        known[column]: text
        for column, value in cells.items()
        if column in known and (text := _text(where, column, value))
    }
    return ManifestRow(where, texts)


def _text(where: str, column: str, value: object) -> str:
    """Return a cell as text, without spaces at its ends."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadCorpus(f"{where}: {column!r} is neither text nor a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadCorpus(f"{where}: {column!r} is {value}")
    text = str(value).strip()
    if not is_unicode(text):
        raise BadCorpus(f"{where}: {column!r} holds characters that are not Unicode")
    return text if column == "path" else unicodedata.normalize("NFC", text).strip()


def places(rows: Sequence[ManifestRow], column: str) -> dict[str, str]:
    """Return where each name in a column is first, in the order of the rows."""
    firsts: dict[str, str] = {}
    for row in rows:
        if column in row.cells:
            firsts.setdefault(row.cells[column], row.where)
    return firsts
