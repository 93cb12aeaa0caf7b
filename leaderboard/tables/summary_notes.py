"""The notes below a table, which say what the numbers alone do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from nserbench.benchmark.results.suspect_flags import MEANINGS
from nserbench.benchmark.study.study import REPLACED
from nserbench.leaderboard.analysis.statistics import LEVEL, least_p
from nserbench.leaderboard.reading.contamination import Seen, worst
from nserbench.leaderboard.reading.counts import Column, CountedResult, Row
from nserbench.leaderboard.reading.latest import averaged, comparable
from nserbench.leaderboard.reading.protocol_use import Cells, listed
from nserbench.leaderboard.reading.same_recordings import Repeats

SHORT: Mapping[str, str] = {
    "not applicable": "n/a",
    "failed": "failed",
    "left out": "left out",
}
"""The word in a cell that is not done, by its status."""

SEEN_LINES: Mapping[Seen, str] = {
    "yes": "seen in training, so that scores are too high",
    "unknown": "the training data are not public, and may have had the corpus",
    "not said": "training data are not stated, and may have had the corpus",
}
"""What a note says of the training data of some rows."""


def flags_of(results: Sequence[CountedResult]) -> list[str]:
    """Return the flags of the seeds that are averaged, each flag once."""
    flags = {flag for result in averaged(results) for flag in result.flags}
    return [flag for flag in MEANINGS if flag in flags]


def replaced_noise_lines(cells: Cells) -> Iterator[str]:
    """Say which noises only have the name of a noise of nserbench or a plugin."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for (_, column), results in cells.items():
        for result in averaged(results):
            if replaced := result.facts.get("replaced_noises"):
                names[replaced][column.corpus] = None
    for replaced, corpora in names.items():
        yield f"{listed(corpora)}: the noise {replaced} {REPLACED}"


def foreign_prompt_lines(cells: Cells) -> list[str]:
    """Say which upstreams transcribe a language that they do not know."""
    found = chain.from_iterable(map(averaged, cells.values()))
    lines = (result.facts.get("foreign_prompts") for result in found)
    return [*dict.fromkeys(filter(None, lines))]


def flag_lines(cells: Cells) -> Iterator[str]:
    """Say what each flag means, and which rows and columns have it."""
    flagged: dict[str, dict[Row, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (row, column), results in cells.items():
        for flag in flags_of(results):
            flagged[flag][row].append(str(column))
    for flag, rows in flagged.items():
        where = "; ".join(f"{row} ({listed(names)})" for row, names in rows.items())
        yield f"{flag}, {MEANINGS[flag]}: {where}"


def seen_of(results: Sequence[CountedResult]) -> Seen:
    """Return whether the corpus was seen in training, by any averaged seed."""
    return worst(result.seen for result in averaged(results) or results)


def training_data_lines(cells: Cells) -> Iterator[str]:
    """Say which rows with a score were trained on which corpora, or may have been."""
    for seen, says in SEEN_LINES.items():
        corpora: dict[Row, list[str]] = defaultdict(list)
        for (row, column), results in cells.items():
            if averaged(results) and seen_of(results) == seen:
                corpora[row].append(column.corpus)
        if corpora:
            where = (f"{row} ({listed(names)})" for row, names in corpora.items())
            yield f"{says}: {'; '.join(where)}"


def remark_lines(cells: Cells) -> Iterator[str]:
    """Say what has to be known of the numbers of some rows."""
    rows: dict[str, dict[Row, None]] = defaultdict(dict)
    for (row, _), results in cells.items():
        for remark in {one.remark for one in results} - {""}:
            rows[remark][row] = None
    for remark, of_rows in rows.items():
        yield f"{'; '.join(map(str, of_rows))}: {remark}"


def seed_lines(cells: Cells) -> Iterator[str]:
    """Say which seeds are averaged, and which are missing and why."""
    averaged = {tuple(comparable(results)) for results in cells.values()} - {()}
    if len(averaged) == 1:
        yield f"seeds: {', '.join(map(str, *averaged))}"
    elif averaged:
        yield "seeds differ between cells; the CSV and JSON formats list them"
    counts = {len(seeds) for seeds in averaged}
    if 1 in counts:
        which = "one seed" if counts == {1} else "cells with one seed"
        yield f"{which}: intervals and tests do not include the variance over seeds"
    for (row, column), results in cells.items():
        kept = comparable(results)
        for result in results:
            if result.counts and result.seed not in kept:
                yield (
                    f"{row}, {column}: seed {result.seed} is not averaged, since it "
                    "was tested on other utterances, labels or folds than the newest "
                    "result"
                )


def repeat_lines(repeats: Repeats) -> list[str]:
    """Say which corpora are the same recordings, and which of them counts."""
    pairs = dict.fromkeys((column.corpus, other) for column, other in repeats.items())
    return [
        f"{corpus} is the same recordings as {other}: only {other} counts in ranks and "
        "in the means of the page"
        for corpus, other in pairs
    ]


def overlap_lines(cells: Cells) -> list[str]:
    """Say how many test utterances are of speakers or texts of the training set.

    There is a line for each corpus, or for each of its protocols where they differ.
    """
    overlaps: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (_, column), results in cells.items():
        for result in results:
            if result.overlap:
                overlaps[column.corpus][result.overlap].append(column.protocol)
    return [
        f"{corpus}{f' ({listed(protocols)})' if len(ways) > 1 else ''}: {overlap}"
        for corpus, ways in overlaps.items()
        for overlap, protocols in ways.items()
    ]


def cut_lines(cells: Cells) -> list[str]:
    """Say in which rows clips were cut, if rows of a corpus differ in that."""
    ways: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (row, column), results in cells.items():
        for cut in {result.cut for result in results if result.counts}:
            ways[column.corpus][cut or "none cut"].append(str(row))
    return [
        f"{corpus}: long clips differ between rows: "
        + "; ".join(f"{cut}: {listed(rows)}" for cut, rows in of_corpus.items())
        for corpus, of_corpus in ways.items()
        if len(of_corpus) > 1
    ]


def reason_lines(cells: Cells) -> list[str]:
    """Say why cells are not done, once for each row and reason."""
    columns: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (row, column), results in cells.items():
        for result in results:
            if result.reason is not None:
                seed = f" seed {result.seed}" if len(results) > 1 else ""
                what = f"{SHORT[result.status]}: {row}"
                columns[what, result.reason].append(f"{column}{seed}")
    return [
        f"{what} ({listed(where)}): {reason}"
        for (what, reason), where in columns.items()
    ]


def too_few_units_lines(cells: Cells) -> list[str]:
    """Say in which columns no difference can be significant, however large it is."""
    units: dict[tuple[Column, int], list[int]] = defaultdict(list)
    for (_, column), results in cells.items():
        for counts in list(comparable(results).values())[:1]:
            units[column, counts.tested].append(len(counts.answers))
    columns = [
        str(column)
        for (column, _), of_rows in units.items()
        if len(of_rows) > 1 and least_p(of_rows[0]) * (len(of_rows) - 1) >= LEVEL
    ]
    if not columns:
        return []
    reason = "too few speakers (or other units of independence) for so many rows"
    return [f"{listed(columns)}: no difference can be significant, with {reason}"]


def different_test_lines(cells: Cells) -> list[str]:
    """Say in which columns the rows were not tested on the same utterances."""
    tests: dict[Column, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (row, column), results in cells.items():
        for counts in list(comparable(results).values())[:1]:
            tests[column][counts.tested].append(f"{row} {counts.utterances}")
    columns: dict[str, list[str]] = defaultdict(list)
    for column, groups in tests.items():
        if len(groups) > 1:
            columns[" | ".join(map(listed, groups.values()))].append(str(column))
    return [
        f"{listed(where)}: rows were tested on different utterances, labels or folds "
        f"and cannot be compared (number of utterances: {rows})"
        for rows, where in columns.items()
    ]
