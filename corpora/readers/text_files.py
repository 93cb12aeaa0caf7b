"""Read the text files of corpora: lines, tables and JSON in UTF-8.

An error names the file and, where there is one, the line.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from nserbench.errors import BadCorpus
from nserbench.placeholders import placeholder
from nserbench.plain_data import parse_json as json_content

_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(file: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        BadCorpus: if the file cannot be read, is not UTF-8, or is only a notice,
            such as a pointer of git-lfs.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadCorpus(f"{file} cannot be read: {error.strerror}") from error
    if content and (instead := placeholder(file)) is not None:
        raise BadCorpus(f"{file}, line 1: the file {instead}")
    if content[1:2] == b"\0" or content[:1] == b"\0" or content[:2] in _UTF_16_MARKS:
        raise BadCorpus(
            f"{file}, line 1: not UTF-8, but probably UTF-16\n  save the file as UTF-8"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadCorpus(
            f"{file}, line {line}: not UTF-8\n"
            "  save the file as UTF-8, or download it again"
        ) from error


def read_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Read the lines of a UTF-8 file that are not empty.

    Yields:
        Where the line is, as ``FILE, line N``, and the line without white space at
        its ends.

    Raises:
        BadCorpus: if the file cannot be read, or is not UTF-8.
    """
    lines = io.StringIO(read_text(file), newline=None)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{file}, line {number}", line.strip()


def read_table(
    file: Path,
    needed: Sequence[str],
    *,
    delimiter: str = ",",
    quoted: bool = True,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the rows of a CSV or TSV file whose first line names the columns.

    Args:
        file: The table, in UTF-8.
        needed: Columns that it must have.
        quoted: Whether cells may be in quotation marks.

    Yields:
        Where the row begins, as ``FILE, line N``, and its cells by column.

    Raises:
        BadCorpus: if the file cannot be read or is not UTF-8, a column is missing or
            there twice, a row has too few or too many cells, or a cell has a line
            break.
    """
    rows = _rows(file, delimiter, quoted)
    _, header = next(rows, ("", []))
    columns = [column.strip() for column in header]
    if missing := [column for column in needed if column not in columns]:
        no = "is no column" if len(missing) == 1 else "are no columns"
        raise BadCorpus(
            f"{file}, line 1: there {no} {', '.join(map(repr, missing))}\n"
            f"  columns: {', '.join(columns) or 'none'}"
            + _header_hint(columns, needed, delimiter)
        )
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise BadCorpus(
            f"{file}, line 1: two columns are named {', '.join(map(repr, twice))}\n"
            "  give each column a name of its own"
        )
    marks = "; a text with commas needs quotation marks" if quoted else ""
    for where, cells in rows:
        if len(cells) != len(columns):
            raise BadCorpus(
                f"{where}: {len(cells)} cells under {len(columns)} columns\n"
                f"  a row needs a cell for each column, which may be empty{marks}"
            )
        yield where, dict(zip(columns, cells, strict=True))


def _header_hint(columns: Sequence[str], needed: Sequence[str], delimiter: str) -> str:
    """Return what to do about columns that are not found, if the header tells."""
    if {column.casefold() for column in columns}.issuperset(needed):
        return "\n  write the names of the columns in small letters"
    for mark, name in _SEPARATORS.items():
        if len(columns) == 1 and mark in columns[0]:
            return f"\n  {name} separate the cells: write {_SEPARATORS[delimiter]}"
    return ""


def _rows(
    file: Path, delimiter: str, quoted: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    """Read the rows that are not empty; each is one line.

    Raises:
        BadCorpus: if a cell has a line break, or an opened quotation mark is not closed
            as it must be.
    """
    text = io.StringIO(read_text(file), newline="")
    reader = csv.reader(
        text,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    line = 1
    try:
        for cells in reader:
            if reader.line_num > line:
                raise BadCorpus(
                    f"{file}, line {line}: a cell has a line break: the row ends in "
                    f"line {reader.line_num}\n"
                    "  close the quotation mark, or write the text in one line"
                )
            if cells:
                yield f"{file}, line {line}", cells
            line = reader.line_num + 1
    except csv.Error as error:
        hint = (
            "\n  write the cell in quotation marks, and each such mark in it twice"
            if quoted
            else ""
        )
        raise BadCorpus(f"{file}, line {line}: {error}{hint}") from error


def parse_json(text: str, where: str) -> object:
    """Parse JSON, such as one line of a JSON Lines file.

    NaN, infinity and lone surrogates are kept: the reader checks what it uses.

    Args:
        text: The JSON.
        where: Where it stands, for the message.

    Raises:
        BadCorpus: if it is not JSON.
    """
    try:
        value: object = json_content(text, lenient=True)
    except ValueError as error:
        raise BadCorpus(f"{where}: not JSON: {error}") from error
    return value


def is_unicode(text: str) -> bool:
    """Return whether a text can be written to a file: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
