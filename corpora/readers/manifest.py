"""Any labelled speech: utterances listed in a CSV, TSV or JSON Lines file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.readers.text_files import (
    is_unicode,
    parse_json,
    read_lines,
    read_table,
)
from nserbench.errors import BadCorpus, BadSpec, CorpusMissing
from nserbench.paths import exists
from nserbench.plain_data import number
from nserbench.settings import Settings

NEEDED = ("path", "label", "speaker")
OPTIONAL = ("id", "fold", "start", "end", "text", "language")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
MOST_SPEAKERS = 10
"""If there are more, a fold has several speakers."""
FOLDS = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class _ManifestRow:
    """One row: where it is, and its cells that are not empty, by known column."""

    where: str
    cells: Mapping[str, str]

    def required(self, column: str) -> str:
        if column not in self.cells:
            raise BadCorpus(f"{self.where}: {column!r} is missing or empty")
        return self.cells[column]

    def seconds(self, column: str) -> float | None:
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


def load(options: Options, settings: Settings) -> Corpus:
    """Read the utterances that a file lists.

    If the file has no column ``fold``, each speaker is a fold. More than ten speakers
    are put into five folds with about the same number of utterances.

    Args:
        options: ``path`` is the file; audio paths in it are relative to its folder.
            ``classes`` are the labels to keep; all labels if None.
        settings: Not used.

    Raises:
        BadSpec: if no path is given.
        CorpusMissing: if there is no such file.
        BadCorpus: if the file cannot be read, a line cannot be understood, or a class
            has no utterance.
    """
    file: Path | None = options["path"]
    if file is None:
        raise BadSpec("manifest needs a file\n  write manifest:path=FILE")
    rows = list(_rows(file))
    if not rows:
        raise BadCorpus(f"{file} lists no utterances\n  write one line per utterance")
    utterances = _utterances(rows, file.parent)
    classes = _classes(options["classes"], utterances, file)
    kept = [utterance for utterance in utterances if utterance.label in classes]
    return Corpus(classes=classes, utterances=_folded(kept))


def _rows(file: Path) -> Iterator[_ManifestRow]:
    kind = file.suffix.lower()
    if kind not in (".jsonl", *DELIMITERS):
        raise BadCorpus(
            f"{file} is of an unknown kind: its name must end with .csv, .tsv or .jsonl"
        )
    if not exists(file):
        raise CorpusMissing(
            f"the manifest {file} does not exist\n  check path= in manifest:path=FILE"
        )
    if kind == ".jsonl":
        return (_json_row(where, line) for where, line in read_lines(file))
    table = read_table(file, NEEDED, delimiter=DELIMITERS[kind])
    return (_row(where, cells) for where, cells in table)


def _json_row(where: str, line: str) -> _ManifestRow:
    entry = parse_json(line, where)
    if not isinstance(entry, dict):
        raise BadCorpus(f"{where}: not a JSON object such as {{'path': ...}}")
    return _row(where, {name: _cell(where, name, entry[name]) for name in entry})


def _cell(where: str, column: str, value: object) -> str:
    if value is None or column not in NEEDED + OPTIONAL:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadCorpus(f"{where}: {column!r} is neither text nor a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadCorpus(f"{where}: {column!r} is {value}")
    return str(value)


def _row(where: str, cells: Mapping[str, str]) -> _ManifestRow:
    known = {
        column: cell.strip()
        for column, cell in cells.items()
        if column in NEEDED + OPTIONAL and cell.strip()
    }
    for column, cell in known.items():
        if not is_unicode(cell):
            raise BadCorpus(
                f"{where}: {column!r} holds characters that are not Unicode"
            )
    return _ManifestRow(where, known)


def _utterances(rows: Sequence[_ManifestRow], folder: Path) -> Sequence[Utterance]:
    has_folds = any("fold" in row.cells for row in rows)
    places: dict[str, str] = {}
    utterances = []
    for row in rows:
        fold = row.required("fold") if has_folds else ""
        utterance = _utterance(row, folder, fold)
        if first := places.get(utterance.id):
            raise BadCorpus(
                f"{row.where}: the id {utterance.id!r} is also used in {first}"
            )
        places[utterance.id] = row.where
        utterances.append(utterance)
    return utterances


def _utterance(row: _ManifestRow, folder: Path, fold: str) -> Utterance:
    path, start, end = row.required("path"), row.seconds("start"), row.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise BadCorpus(f"{row.where}: the end, {end} s, is not after the start")
    return Utterance(
        id=row.cells.get("id", path + _times(row.cells)),
        path=folder / path,
        label=row.required("label"),
        speaker=row.required("speaker"),
        fold=fold,
        start=start,
        end=end,
        text=row.cells.get("text"),
        language=row.cells.get("language"),
    )


def _times(cells: Mapping[str, str]) -> str:
    """Return what the id of a part of a file has after the path."""
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
    """Assign a fold to every utterance, if the file has none."""
    if utterances[0].fold:
        return utterances
    folds = deal(Counter(utterance.speaker for utterance in utterances))
    return [
        replace(utterance, fold=folds[utterance.speaker]) for utterance in utterances
    ]


def deal(speakers: Mapping[str, int]) -> Mapping[str, str]:
    """Assign a fold to each speaker.

    Up to ten speakers are a fold each. More are assigned to five folds: the speaker
    with the most utterances first, each to the fold with the fewest utterances so far.

    Args:
        speakers: Number of utterances of each speaker.

    Returns:
        The fold of each speaker.
    """
    if len(speakers) <= MOST_SPEAKERS:
        return {speaker: speaker for speaker in speakers}
    sizes = dict.fromkeys(FOLDS, 0)
    folds = {}
    for speaker in sorted(speakers, key=lambda name: (-speakers[name], name)):
        folds[speaker] = min(FOLDS, key=sizes.__getitem__)
        sizes[folds[speaker]] += speakers[speaker]
    return folds
