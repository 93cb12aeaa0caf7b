"""The lines below a table: what a reader must know besides the numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nserbench.benchmark.results.flags import MEANINGS
from nserbench.leaderboard.analysis.statistics import LEVEL, least_p
from nserbench.leaderboard.reading.counts import Column, CountedResult, Row, comparable

Places = Mapping[tuple[Row, Column], Sequence[CountedResult]]
"""The results that stand in one place of the table, one for each seed."""

SHORT: Mapping[str, str] = {"not applicable": "n/a", "failed": "failed"}
"""What stands in a place that is not done."""


def protocol_lines(places: Places) -> list[str]:
    """Say how the heads were trained and tested, once for each way."""
    ways: dict[str, dict[str, list[CountedResult]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for tallies in places.values():
        for tally in tallies:
            ways[tally.column.protocol][tally.protocol_settings].append(tally)
    return [line for name in sorted(ways) for line in _protocol(name, ways[name])]


def _protocol(name: str, ways: Mapping[str, Sequence[CountedResult]]) -> Iterator[str]:
    """Give a line for each way; the rows, too, where there are several ways."""
    # What never started has settled nothing.
    settled = {how: found for how, found in ways.items() if how}
    for how, found in sorted(settled.items()):
        corpora = _listed(tally.column.corpus for tally in found)
        rows = _listed(str(tally.row) for tally in found)
        who = corpora if len(settled) == 1 else f"{corpora} ({rows})"
        yield f"{name} on {who}: {how}"
    if not settled:
        yield name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def flags_of(tallies: Sequence[CountedResult]) -> list[str]:
    """Return what makes the averaged seeds of a place suspect, each flag once."""
    kept = comparable(tallies)
    found = {flag for one in tallies if one.seed in kept for flag in one.flags}
    return [flag for flag in MEANINGS if flag in found]


def flag_lines(places: Places) -> Iterator[str]:
    """Say what each flag means, and which rows have it where."""
    found: dict[str, dict[Row, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (row, column), tallies in places.items():
        for flag in flags_of(tallies):
            found[flag][row].append(str(column))
    for flag, rows in found.items():
        where = "; ".join(f"{row} ({_listed(at)})" for row, at in rows.items())
        yield f"{flag}, {MEANINGS[flag]}: {where}"


def seed_lines(places: Places) -> Iterator[str]:
    """Say which seeds were averaged, which were left out, and what one cannot tell."""
    averaged = {tuple(comparable(tallies)) for tallies in places.values()} - {()}
    if len(averaged) == 1:
        yield f"seeds: {', '.join(map(str, *averaged))}"
    elif averaged:
        yield "seeds differ between cells: csv and json say which"
    counts = {len(one) for one in averaged}
    if 1 in counts:
        who = "one seed" if counts == {1} else "where there is one seed"
        yield f"{who}: what another seed would change is not in intervals and tests"
    for (row, column), tallies in places.items():
        kept = comparable(tallies)
        for tally in tallies:
            if tally.counts and tally.seed not in kept:
                yield (
                    f"{row}, {column}: seed {tally.seed} is left out, it was tested on "
                    "other utterances, labels or folds than the newest"
                )


def overlap_lines(places: Places) -> list[str]:
    """Say how much of the test part is by known speakers or says known texts.

    Once for each corpus; its protocols, too, where they do not share the same.
    """
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (_, column), tallies in places.items():
        for tally in tallies:
            if tally.overlap:
                found[column.corpus][tally.overlap].append(column.protocol)
    return [
        f"{corpus}{f' ({_listed(protocols)})' if len(ways) > 1 else ''}: {said}"
        for corpus, ways in found.items()
        for said, protocols in ways.items()
    ]


def reason_lines(places: Places) -> list[str]:
    """Say why cells are not done, once for each row and reason."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (row, column), tallies in places.items():
        for tally in tallies:
            if tally.reason is not None:
                seed = f" seed {tally.seed}" if len(tallies) > 1 else ""
                what = f"{SHORT[tally.status]}: {row}"
                found[what, tally.reason].append(f"{column}{seed}")
    return [
        f"{what} ({_listed(where)}): {reason}"
        for (what, reason), where in found.items()
    ]


def hopeless_lines(places: Places) -> list[str]:
    """Say in which columns no difference can be significant, whatever it is."""
    units: dict[tuple[Column, int], list[int]] = defaultdict(list)
    for (_, column), tallies in places.items():
        for counts in list(comparable(tallies).values())[:1]:
            units[column, counts.tested].append(len(counts.answers))
    hopeless = [
        str(column)
        for (column, _), each in units.items()
        if len(each) > 1 and least_p(each[0]) * (len(each) - 1) >= LEVEL
    ]
    if not hopeless:
        return []
    why = "too few speakers (or other units) for a difference between so many rows"
    return [f"{_listed(hopeless)}: {why} to be significant"]


def denominator_lines(places: Places) -> list[str]:
    """Say where the rows of one column were not tested on the same utterances."""
    columns: dict[Column, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (row, column), tallies in places.items():
        for counts in list(comparable(tallies).values())[:1]:
            columns[column][counts.tested].append(f"{row} {counts.utterances}")
    found: dict[str, list[str]] = defaultdict(list)
    for column, groups in columns.items():
        if len(groups) > 1:
            found[" | ".join(map(_listed, groups.values()))].append(str(column))
    return [
        f"{_listed(where)}: rows were tested on different utterances, labels or folds "
        f"and do not compare (utterances: {rows})"
        for rows, where in found.items()
    ]
