"""Whether a file that is there already may be written anew."""

from __future__ import annotations

from pathlib import Path

import click

ENDINGS = {
    "table": ".txt",
    "markdown": ".md",
    "csv": ".csv",
    "json": ".json",
    "latex": ".tex",
}
"""How the names of files of each format end."""


def refuse_other_file(file: Path, form: str, first_line: str = "") -> None:
    """Refuse to overwrite a file that is no earlier output of the same command.

    A file is that if its name ends as `ENDINGS` says, and a CSV file also has the same
    columns.

    Args:
        file: The file that would be written; it may be absent.
        form: The format, one of `ENDINGS`.
        first_line: The names of the columns, for CSV.

    Raises:
        click.UsageError: if it is another file.
    """
    if not file.is_file() or not file.stat().st_size:
        return
    ending = ENDINGS[form]
    if file.suffix.lower() != ending:
        problem = f"its name does not end in {ending}"
    elif form == "csv" and _first_line(file) != first_line.strip():
        problem = "it has other columns"
    else:
        return
    raise click.UsageError(
        f"{file} is there already and may be something else: {problem}\n"
        "  name another file"
    )


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline().strip()
