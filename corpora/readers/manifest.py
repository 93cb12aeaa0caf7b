"""Any labelled speech: utterances listed in a CSV, TSV or JSON Lines file."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance
from nserbench.corpora.readers.fixed_split import fixed_split
from nserbench.corpora.readers.list_names import (
    null_warnings,
    number_warnings,
    refuse_spellings,
)
from nserbench.corpora.readers.list_paths import listed_file
from nserbench.corpora.readers.manifest_rows import (
    NEEDED,
    ManifestRow,
    places,
    read_rows,
)
from nserbench.errors import BadCorpus, BadSpec
from nserbench.settings import Settings

MOST_SPEAKERS = 10
"""If there are more, a fold has several speakers."""
FOLDS = ("1", "2", "3", "4", "5")
NAMES = ("id", "label", "speaker", "fold", "unit", "gender")
"""Columns whose cells are names: one name must be written in one way."""


def load(options: Options, settings: Settings) -> Corpus:
    """Read the utterances that a file lists.

    If the file has no column ``fold`` or ``split``, each speaker is a fold. More than
    ten speakers are put into five folds with about the same number of utterances.

    Args:
        options: ``path`` is the file; audio paths in it are relative to its folder.
            ``classes`` are the labels to keep; all labels if None. ``split``,
            ``tested`` and ``dev``, which a plugin need not give, say which column holds
            the folds, and which folds are tested and selected on.
        settings: Not used.

    Raises:
        BadSpec: if no path is given.
        CorpusMissing: if there is no such file.
        BadCorpus: if the file cannot be read, a line cannot be understood, a name is
            written in two ways, or a class has no utterance.
    """
    file: Path | None = options["path"]
    if file is None:
        raise BadSpec("manifest needs a file\n  write manifest:path=FILE")
    rows = read_rows(file, options.get("split"))
    warnings = tuple(_check_names(rows))
    utterances = _utterances(rows, file.parent)
    classes = _classes(options["classes"], utterances, file)
    kept = _folded([one for one in utterances if one.label in classes])
    folds = sorted({one.fold for one in kept})
    split = fixed_split(folds, options.get("tested"), options.get("dev"), str(file))
    return Corpus(
        classes=classes,
        utterances=kept,
        tested=split.tested,
        trained=split.trained,
        dev=split.dev,
        warnings=warnings,
        rows=len(rows),
    )


def _check_names(rows: Sequence[ManifestRow]) -> Iterator[str]:
    """Yield warnings of names, and refuse names that are written in two ways."""
    for column in NAMES:
        refuse_spellings(column, places(rows, column))
        yield from number_warnings(column, places(rows, column))
    for column in (*NAMES, "language", "text"):
        needed = column in NEEDED
        yield from null_warnings(column, places(rows, column), needed=needed)
    yield from _two_labels(rows)
    yield from _no_language(rows)


def _no_language(rows: Sequence[ManifestRow]) -> Iterator[str]:
    """Warn of texts that cannot be English and have no language."""
    foreign = [
        row
        for row in rows
        if not row.cells.get("language") and not _is_latin(row.cells.get("text") or "")
    ]
    if foreign:
        yield (
            f"{foreign[0].where}: the text is not in Latin letters, and no language is "
            f"given ({len(foreign)} of {len(rows)} rows): models are prompted for "
            "English, and errors counted in words; add a column language"
        )


def _is_latin(text: str) -> bool:
    """Return whether at least half of the letters of a text are Latin ones."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(unicodedata.name(one, "").startswith("LATIN") for one in letters)
    return 2 * latin >= len(letters)


def _two_labels(rows: Sequence[ManifestRow]) -> Iterator[str]:
    """Warn of a part of a file that is listed twice with different labels."""
    firsts: dict[tuple[str | None, ...], ManifestRow] = {}
    for row in rows:
        key = tuple(row.cells.get(column) for column in ("path", "start", "end"))
        first = firsts.setdefault(key, row)
        if first.cells.get("label") != row.cells.get("label"):
            yield (
                f"{row.where}: the same audio as in {first.where}, with another label, "
                f"{row.cells.get('label')!r} and not {first.cells.get('label')!r}"
            )


def _utterances(rows: Sequence[ManifestRow], folder: Path) -> Sequence[Utterance]:
    has_folds = any("fold" in row.cells for row in rows)
    wheres: dict[str, str] = {}
    genders: dict[str, tuple[str, str]] = {}
    utterances = []
    for row in rows:
        (fold,) = row.required("fold") if has_folds else [""]
        utterance = _utterance(row, folder, fold)
        if first := wheres.get(utterance.id):
            raise BadCorpus(
                f"{row.where}: the id {utterance.id!r} is also used in {first}\n"
                "  give each utterance an id of its own"
            )
        wheres[utterance.id] = row.where
        _refuse_second_gender(utterance, row.where, genders)
        utterances.append(utterance)
    return utterances


def _refuse_second_gender(
    one: Utterance, where: str, genders: dict[str, tuple[str, str]]
) -> None:
    """Refuse a speaker of two genders: they are two speakers of one name."""
    if one.gender is None:
        return
    gender, first = genders.setdefault(one.speaker, (one.gender, where))
    if gender != one.gender:
        raise BadCorpus(
            f"{where}: the gender of speaker {one.speaker!r} is {one.gender!r}, but "
            f"{gender!r} in {first}\n  give two speakers two names, or correct one line"
        )


def _utterance(row: ManifestRow, folder: Path, fold: str) -> Utterance:
    path, label, speaker = row.required(*NEEDED)
    start, end = row.seconds("start"), row.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise BadCorpus(f"{row.where}: the end, {end} s, is not after the start")
    return Utterance(
        id=row.cells.get("id", unicodedata.normalize("NFC", path) + _times(row.cells)),
        label=label,
        speaker=speaker,
        path=listed_file(path, folder, row.where),
        fold=fold,
        start=start,
        end=end,
        text=row.cells.get("text"),
        language=row.language(),
        unit=row.cells.get("unit"),
        gender=row.cells.get("gender"),
        listed=row.where,
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
    wanted = tuple(unicodedata.normalize("NFC", label) for label in wanted)
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
