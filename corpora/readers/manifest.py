"""Any labelled speech: utterances listed in a CSV, TSV or JSON Lines file."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.settings import Settings

NEEDED = ("path", "label", "speaker")
OPTIONAL = ("id", "fold", "start", "end", "text", "language")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
MOST_SPEAKERS = 10
"""With more, a fold holds several speakers."""
FOLDS = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class _ManifestRow:
    """One line: where it stands, and those of its known cells that are not empty."""

    where: str
    cells: Mapping[str, str]

    def needed(self, column: str) -> str:
        if column not in self.cells:
            raise BadCorpus(f"{self.where}: {column!r} is missing or empty")
        return self.cells[column]

    def seconds(self, column: str) -> float | None:
        if column not in self.cells:
            return None
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf:
            raise BadCorpus(
                f"{self.where}: {column!r} is {self.cells[column]!r}, "
                "but a number of seconds from 0 up is wanted"
            )
        return value


def load(options: Options, settings: Settings) -> Corpus:
    """Read the utterances that a file lists.

    Where the file has no column ``fold``, we leave one speaker out in turn, or, of
    more than ten speakers, one of five groups of about equally many utterances.

    Args:
        options: ``path`` is the file; audio paths in it start at its own folder.
            ``classes`` are the labels to keep, all if None.
        settings: Not used.

    Raises:
        BadSpec: if no path is given.
        CorpusMissing: if the file cannot be read.
        BadCorpus: if a line cannot be understood, or a class has no utterance.
    """
    file: Path | None = options["path"]
    if file is None:
        raise BadSpec("manifest is given no file: manifest:path=FILE")
    rows = list(_rows(file))
    if not rows:
        raise BadCorpus(f"{file} lists no utterances")
    utterances = _utterances(rows, file.parent)
    classes = _classes(options["classes"], utterances, file)
    kept = [utterance for utterance in utterances if utterance.label in classes]
    return Corpus(classes=classes, utterances=_folded(kept))


def _rows(file: Path) -> Iterator[_ManifestRow]:
    kind = file.suffix.lower()
    if kind == ".jsonl":
        return _from_jsonl(_text(file), file)
    if kind in DELIMITERS:
        return _from_csv(_text(file), DELIMITERS[kind], file)
    raise BadCorpus(f"{file} is of no known kind: .csv, .tsv or .jsonl is wanted")


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusMissing(
            f"the manifest {file} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadCorpus(f"{file}, line {line}: not UTF-8; save it as UTF-8") from error


def _from_csv(text: str, delimiter: str, file: Path) -> Iterator[_ManifestRow]:
    lines = _split(text, delimiter, file)
    _, header = next(lines, (1, []))
    columns = [column.strip() for column in header]
    if missing := [column for column in NEEDED if column not in columns]:
        raise BadCorpus(
            f"{file}, line 1: there is no column {missing[0]!r}\n"
            f"  columns: {', '.join(columns) or 'none'}"
        )
    if len(set(columns)) < len(columns):
        raise BadCorpus(f"{file}, line 1: two columns have one name")
    for line, cells in lines:
        where = f"{file}, line {line}"
        if len(cells) != len(columns):
            raise BadCorpus(f"{where}: {len(cells)} cells under {len(columns)} columns")
        yield _row(where, zip(columns, cells, strict=True))


def _split(text: str, delimiter: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each line that is not empty, with the number that it begins at."""
    source = io.StringIO(text, newline="")
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadCorpus(f"{file}, line {line}: {error}") from error


def _from_jsonl(text: str, file: Path) -> Iterator[_ManifestRow]:
    # Not splitlines: JSON strings may hold the rarer line ends as they are.
    for line, content in enumerate(text.split("\n"), start=1):
        where = f"{file}, line {line}"
        if not content.strip():
            continue
        try:
            entry = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BadCorpus(f"{where}: not JSON: {error}") from error
        if not isinstance(entry, dict):
            raise BadCorpus(f"{where}: not a JSON object such as {{'path': ...}}")
        yield _row(
            where, [(column, _cell(where, column, entry[column])) for column in entry]
        )


def _cell(where: str, column: str, value: object) -> str:
    if value is None or column not in NEEDED + OPTIONAL:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadCorpus(f"{where}: {column!r} is neither text nor a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadCorpus(f"{where}: {column!r} is {value}")
    return str(value)


def _row(where: str, cells: Iterable[tuple[str, str]]) -> _ManifestRow:
    known = {
        column: cell.strip()
        for column, cell in cells
        if column in NEEDED + OPTIONAL and cell.strip()
    }
    for column, cell in known.items():
        if "\0" in cell or any("\ud800" <= letter <= "\udfff" for letter in cell):
            raise BadCorpus(f"{where}: {column!r} holds what is no Unicode text")
    return _ManifestRow(where, known)


def _utterances(rows: Sequence[_ManifestRow], folder: Path) -> Sequence[Utterance]:
    has_folds = any("fold" in row.cells for row in rows)
    lines: dict[str, str] = {}
    found = []
    for row in rows:
        fold = row.needed("fold") if has_folds else ""
        utterance = _utterance(row, folder, fold)
        if first := lines.get(utterance.id):
            raise BadCorpus(
                f"{row.where}: the id {utterance.id!r} is also that of {first}"
            )
        lines[utterance.id] = row.where
        found.append(utterance)
    return found


def _utterance(row: _ManifestRow, folder: Path, fold: str) -> Utterance:
    path, start, end = row.needed("path"), row.seconds("start"), row.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise BadCorpus(f"{row.where}: the end, {end} s, is not after the start")
    return Utterance(
        id=row.cells.get("id", path + _times(row.cells)),
        path=folder / path,
        label=row.needed("label"),
        speaker=row.needed("speaker"),
        fold=fold,
        start=start,
        end=end,
        text=row.cells.get("text"),
        language=row.cells.get("language"),
    )


def _times(cells: Mapping[str, str]) -> str:
    if "start" not in cells and "end" not in cells:
        return ""
    return f"@{cells.get('start', '')}-{cells.get('end', '')}"


def _classes(
    wanted: tuple[str, ...] | None, utterances: Sequence[Utterance], file: Path
) -> tuple[str, ...]:
    labels = sorted({utterance.label for utterance in utterances})
    if wanted is None:
        return tuple(labels)
    if unknown := [label for label in wanted if label not in labels]:
        raise BadCorpus(
            f"{file} has no utterance labelled {unknown[0]!r}\n"
            f"  labels: {', '.join(labels)}"
        )
    return wanted


def _folded(utterances: Sequence[Utterance]) -> Sequence[Utterance]:
    """Give every utterance its fold, where the file does not say it."""
    if utterances[0].fold:
        return utterances
    folds = deal(Counter(utterance.speaker for utterance in utterances))
    return [
        replace(utterance, fold=folds[utterance.speaker]) for utterance in utterances
    ]


def deal(speakers: Mapping[str, int]) -> Mapping[str, str]:
    """Give each speaker a fold.

    Up to ten speakers are a fold each. More are dealt out to five folds, the one with
    the most utterances first, always to the fold that has the fewest.

    Args:
        speakers: How many utterances each has.
    """
    if len(speakers) <= MOST_SPEAKERS:
        return {speaker: speaker for speaker in speakers}
    sizes = dict.fromkeys(FOLDS, 0)
    dealt = {}
    for speaker in sorted(speakers, key=lambda name: (-speakers[name], name)):
        dealt[speaker] = min(FOLDS, key=sizes.__getitem__)
        sizes[dealt[speaker]] += speakers[speaker]
    return dealt
