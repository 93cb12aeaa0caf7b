"""What an experiment asks for, where each of its rows stands, and what is there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from nserbench.benchmark.experiments.catalogue import Experiment
from nserbench.benchmark.experiments.layout import EVERY_LAYER, ReportItem, ReportRow
from nserbench.benchmark.experiments.run import BlockProblem
from nserbench.benchmark.extraction.word_errors import Against
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.index import ResultEntry, read_entries
from nserbench.benchmark.results.result import Result, read_result, result_folders
from nserbench.benchmark.study.grid_file import Overrides
from nserbench.benchmark.study.lookup import (
    conditions,
    read_corpora,
    read_names,
    read_upstreams,
)
from nserbench.benchmark.study.protocols import read_protocol
from nserbench.benchmark.study.study import Request
from nserbench.errors import NserbenchError
from nserbench.leaderboard.published.data import (
    PrintedRow,
    PrintedTable,
    PrintedWords,
    read_published,
)
from nserbench.leaderboard.reading.counts import Column, Row, newest, row_and_column
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Place: TypeAlias = tuple[str, str]
"""Corpus and condition."""

PAPER = "paper"
"""The publication whose numbers stand beside ours."""


@dataclass(frozen=True)
class ReportData:
    """All that a report of an experiment is made from.

    Attributes:
        experiment: What is reported.
        overrides: What the command line set.
        plugins: Where names are looked up.
        root: The folder of results.
        troubles: What could not be run.
        against: What transcripts are compared with.
    """

    experiment: Experiment
    overrides: Overrides
    plugins: Plugins
    root: Path
    troubles: Sequence[BlockProblem] = field(default=())
    against: Against = "reference"

    def check(self) -> None:
        """Look up what the command line set.

        Raises:
            UnknownName: if a corpus, protocol or what is to load weights is not known.
            BadSpec: if one of them cannot be read.
        """
        for line in self.experiment.lines():
            self.places(line)

    @cached_property
    def table(self) -> SummaryTable:
        """The scores of this experiment; empty where nothing has been run.

        Raises:
            BadResult: if a result cannot be read.
        """
        metrics = list(
            dict.fromkeys(name for one in self.experiment.parts for name in one.metrics)
        )
        if not result_folders(self.root):
            return SummaryTable([], [], metrics, {}, [], [])
        lines = list(self.experiment.lines())
        return self._only(summary_table(self.root, metrics), lines)

    def part(self, part: ReportItem) -> SummaryTable:
        """Give the scores of the rows of one part alone."""
        return self._only(self.table, [one for one in part.rows if one.reason is None])

    def _only(self, table: SummaryTable, lines: Sequence[ReportRow]) -> SummaryTable:
        """Leave out what other studies put into the same folder."""
        wanted = {
            (row, column)
            for line in lines
            for row in self._rows(line, table.rows)
            for column in self.places(line).values()
        }
        entries = {key: one for key, one in table.entries.items() if key in wanted}
        rows, columns = {one for one, _ in entries}, {one for _, one in entries}
        return replace(
            table,
            rows=[row for row in table.rows if row in rows],
            columns=[column for column in table.columns if column in columns],
            entries=entries,
        )

    @cached_property
    def reasons(self) -> Mapping[tuple[Row, Column], str]:
        """Why cells are not done."""
        kept, _ = newest(read_counted_results(self.root))
        return {
            (one.row, one.column): one.reason for one in kept if one.reason is not None
        }

    def results(self, line: ReportRow) -> list[Result]:
        """Read the results of a row, predictions and all."""
        row, columns = self.row(line), set(self.places(line).values())
        if row is None:
            return []
        names = (row.upstream, row.downstream)
        own = [
            read_result(one.folder)
            for one in self._found
            if (one.names["upstream"], one.names["downstream"]) == names
        ]
        return [one for one in own if row_and_column(one)[1] in columns]

    @cached_property
    def _found(self) -> list[ResultEntry]:
        return read_entries(self.root)

    def row(self, line: ReportRow) -> Row | None:
        """Give the row as results spell it; None where its names do not bind."""
        return self._spelled[line]

    @cached_property
    def _spelled(self) -> Mapping[ReportRow, Row | None]:
        return {line: self._bound(line) for line in self.experiment.lines()}

    def _bound(self, line: ReportRow) -> Row | None:
        typed = self.typed(line)
        try:
            (upstream,) = read_upstreams([typed.upstream], self.plugins)
            (head,) = read_names([typed.downstream], self.plugins.downstreams.bind)
        except NserbenchError:
            return None
        return Row(upstream.label, head.label)

    def typed(self, line: ReportRow) -> Row:
        """Give the row as it is typed."""
        alone = Request(
            upstreams=[str(line.upstream)],
            downstreams=[str(line.downstream)],
            corpora=[],
        )
        (request,) = self.overrides.apply(alone, self.plugins)
        return Row(request.upstreams[0], str(line.downstream))

    def layers(self, line: ReportRow) -> list[tuple[int, Row]]:
        """Give the rows that a line for every layer stands for, by layer."""
        found = [
            (_layer(row.downstream), row) for row in self._rows(line, self.table.rows)
        ]
        return sorted((layer, row) for layer, row in found if layer is not None)

    def existing_layers(self, line: ReportRow) -> Collection[int] | None:
        """Give the layers that the model of a row has; None where that is not known."""
        try:
            (upstream,) = read_upstreams([self.typed(line).upstream], self.plugins)
            groups = upstream.card.describe(upstream.options)
        except NserbenchError:
            return None
        wanted = upstream.options["groups"] or groups
        return set.intersection(*(set(groups[name].layers) for name in wanted))

    def _rows(self, line: ReportRow, rows: Sequence[Row]) -> Iterator[Row]:
        own = self.row(line)
        for row in rows:
            if row == own or (
                own is not None
                and line.downstream == EVERY_LAYER
                and row.upstream == own.upstream
                and _layer(row.downstream) is not None
            ):
                yield row

    def places(self, line: ReportRow) -> Mapping[Place, Column]:
        """Give where a row is asked for, by corpus and condition.

        Raises:
            UnknownName: if a corpus or protocol is not known.
            BadSpec: if one of them cannot be read.
        """
        return self._asked[line]

    @cached_property
    def _asked(self) -> Mapping[ReportRow, Mapping[Place, Column]]:
        found: dict[ReportRow, dict[Place, Column]] = {}
        for line in self.experiment.lines():
            for block in self.experiment.blocks_of(line):
                (request,) = self.overrides.apply(block.request, self.plugins)
                places = {
                    (one.corpus, one.condition): one for one in self._columns(request)
                }
                found.setdefault(line, {}).update(places)
        return found

    def _columns(self, request: Request) -> Iterator[Column]:
        for one in read_corpora(request.corpora, request.noises, self.plugins):
            protocol = read_protocol(
                request.protocol, one.corpus.card.protocol
            ).changed(
                epochs=request.epochs,
                limit=request.limit,
                precision=request.precision,
            )
            for condition in conditions(one.noise, request.snrs):
                yield Column(
                    one.corpus.label,
                    str(condition),
                    f"{protocol.label} v{protocol.version}",
                )

    def trouble(self, line: ReportRow, column: Column) -> BlockProblem | None:
        """Give what kept a row from being run in a place."""
        upstream = self.typed(line).upstream
        for one in self.troubles:
            asked = one.request
            meant = upstream in asked.upstreams and line.downstream in asked.downstreams
            if meant and column in self._columns(asked):
                return one
        return None

    def printed(self, part: ReportItem, label: str) -> dict[tuple[str, str, str], str]:
        """Return the paper's numbers for a row by corpus, condition and metric."""
        return {
            key: value
            for table in self.tables(part)
            for row in table.rows
            if row.label == label
            for key, value in _numbers(table, row)
        }

    def printed_anywhere(self, line: ReportRow) -> dict[tuple[str, str, str], str]:
        """Return what any table of the paper prints for the cells of a row."""
        own = self.typed(line)
        return {
            key: value
            for table in read_published(PAPER).tables
            for row in table.rows
            if row.matches(own)
            for key, value in _numbers(table, row)
        }

    @property
    def printed_words(self) -> PrintedWords | None:
        """The paper's word error rates; None where ours are not counted as theirs."""
        return read_published(PAPER).words if self.against == "reference" else None

    def tables(self, part: ReportItem) -> list[PrintedTable]:
        """Give the tables that the paper prints for a part."""
        every = read_published(PAPER).tables
        return [one for one in every if one.name.partition(",")[0] == part.name]


def _numbers(
    table: PrintedTable, row: PrintedRow
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Give what is printed in a row by our corpus and condition, and by metric."""
    for column, values in zip(table.columns, row.values, strict=True):
        for metric, value in zip(table.metrics, values, strict=True):
            if value is not None:
                yield from (((*place, metric), value) for place in column.ours)


def _layer(head: str) -> int | None:
    found = re.fullmatch(r"single:(?:.*,)?layer=(\d+)", head)
    return int(found[1]) if found else None
