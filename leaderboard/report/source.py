"""What an experiment asks for, which results answer it, and what the paper prints."""

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
from nserbench.benchmark.results.read_results import read_result, result_folders
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.study.grid_file import Overrides
from nserbench.benchmark.study.name_lookup import (
    corpus_conditions,
    read_corpora,
    read_names,
    read_upstreams,
)
from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.request import Request
from nserbench.errors import NserbenchError
from nserbench.leaderboard.published.data import (
    PrintedRow,
    PrintedTable,
    PrintedWords,
    Published,
    read_published,
)
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.reading.counts_cache import read_cells
from nserbench.leaderboard.reading.latest import shown_results
from nserbench.leaderboard.reading.protocol_use import Cells
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table
from nserbench.spec import parse_spec

CorpusCondition: TypeAlias = tuple[str, str]
"""A corpus and a condition, such as ``("emodb", "park@0")``."""
PrintedNumbers: TypeAlias = dict[tuple[str, str, str], str]
"""The paper's numbers as printed, by corpus, condition and metric."""

PAPER = "paper"
"""The publication whose numbers are shown beside ours."""


@dataclass(frozen=True)
class ReportData:
    """All that a report of an experiment is made from.

    A `ReportRow` is a row of the paper; a `Row` is an upstream and a head as results
    name them.

    Attributes:
        problems: Blocks that could not be run, and why.
    """

    experiment: Experiment
    overrides: Overrides
    plugins: Plugins
    root: Path
    problems: Sequence[BlockProblem] = field(default=())
    against: Against = "reference"

    def check(self) -> None:
        """Look up all names that the command line set.

        Raises:
            UnknownName: if a corpus, a protocol or the name in ``--checkpoint`` is not
                known.
            BadSpec: if one of them cannot be read.
        """
        for row in self.experiment.lines():
            self.columns(row)

    @cached_property
    def table(self) -> SummaryTable:
        """The scores of this experiment; empty before the first result.

        Raises:
            BadResult: if a result cannot be read.
        """
        items = self.experiment.parts
        metrics = list(dict.fromkeys(name for item in items for name in item.metrics))
        if not result_folders(self.root):
            return SummaryTable([], [], metrics, {}, [], [])
        rows = list(self.experiment.lines())
        return self._only(summary_table(self.root, metrics), rows)

    def table_of(self, item: ReportItem) -> SummaryTable:
        """Return the scores of the rows of one table or figure."""
        return self._only(self.table, item.rows)

    def _only(self, table: SummaryTable, rows: Sequence[ReportRow]) -> SummaryTable:
        """Remove the results of other rows and other studies from a table."""
        wanted = {
            (result_row, column)
            for row in rows
            for result_row in self._result_rows(row, table.rows)
            for column in self.columns(row).values()
        }
        entries = {key: table.entries[key] for key in table.entries if key in wanted}
        tested_rows = {row for row, _ in entries}
        tested_columns = {column for _, column in entries}
        return replace(
            table,
            rows=[row for row in table.rows if row in tested_rows],
            columns=[column for column in table.columns if column in tested_columns],
            entries=entries,
        )

    @cached_property
    def _cells(self) -> Cells:
        return read_cells([self.root])[0] if result_folders(self.root) else {}

    @cached_property
    def reasons(self) -> Mapping[tuple[Row, Column], str]:
        """Why cells have no score, by row and column."""
        return {
            cell: result.reason
            for cell, results in self._cells.items()
            for result in results
            if result.reason is not None
        }

    def results(self, row: ReportRow) -> list[Result]:
        """Read the results of a row, with their predictions."""
        result_row, columns = self.result_rows[row], set(self.columns(row).values())
        if result_row is None:
            return []
        names = (result_row.upstream, result_row.downstream)
        results = [
            read_result(entry.folder)
            for entry in self._entries
            if (entry.names["upstream"], entry.names["downstream"]) == names
        ]
        shown = {
            key: ones
            for key, ones in self._cells.items()
            if key[0] == result_row and key[1] in columns
        }
        return shown_results(results, shown)

    @cached_property
    def _entries(self) -> list[ResultEntry]:
        return read_entries(self.root)

    @cached_property
    def result_rows(self) -> Mapping[ReportRow, Row | None]:
        """Upstream and head as results name them; None if they are unknown."""
        return {row: self._label(row) for row in self.experiment.lines()}

    def _label(self, row: ReportRow) -> Row | None:
        typed = self.typed(row)
        try:
            (upstream,) = read_upstreams([typed.upstream], self.plugins)
            (head,) = read_names([typed.downstream], self.plugins.downstreams.bind)
        except NserbenchError:
            return None
        return Row(upstream.label, head.label)

    def remarks(self, rows: Sequence[ReportRow]) -> Iterator[str]:
        """Yield what has to be known of the numbers of rows, a line for each."""
        for row in rows:
            card = self.plugins.upstreams[parse_spec(row.upstream).name]
            if card.remark:
                yield f"{row}: {card.remark}"

    def typed(self, row: ReportRow) -> Row:
        """Return upstream and head as one would type them on the command line."""
        alone = Request(
            upstreams=[row.upstream], downstreams=[row.downstream], corpora=[]
        )
        (request,) = self.overrides.apply(alone, self.plugins)
        return Row(request.upstreams[0], row.downstream)

    def layers(self, report_row: ReportRow) -> list[tuple[int, Row]]:
        """Return the results of single layers for a row of all layers, by layer."""
        numbered = [
            (_layer(result_row.downstream), result_row)
            for result_row in self._result_rows(report_row, self.table.rows)
        ]
        return sorted((layer, row) for layer, row in numbered if layer is not None)

    def existing_layers(self, row: ReportRow) -> Collection[int] | None:
        """Return the layers that the model of a row has; None if that is not known."""
        try:
            (upstream,) = read_upstreams([self.typed(row).upstream], self.plugins)
            groups = upstream.card.describe(upstream.options).groups
        except NserbenchError:
            return None
        wanted = upstream.options["groups"] or groups
        return set.intersection(*(set(groups[name].layers) for name in wanted))

    def _result_rows(self, row: ReportRow, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows of results that a row of the paper stands for."""
        wanted = self.result_rows[row]
        for result_row in rows:
            if result_row == wanted or (
                wanted is not None
                and row.downstream == EVERY_LAYER
                and result_row.upstream == wanted.upstream
                and _layer(result_row.downstream) is not None
            ):
                yield result_row

    def columns(self, row: ReportRow) -> Mapping[CorpusCondition, Column]:
        """Return the columns of results that the experiment asks for in a row.

        Raises:
            UnknownName: if a corpus or protocol is not known.
            BadSpec: if one of them cannot be read.
        """
        return self._columns[row]

    @cached_property
    def _columns(self) -> Mapping[ReportRow, Mapping[CorpusCondition, Column]]:
        by_row: dict[ReportRow, dict[CorpusCondition, Column]] = {}
        for row in self.experiment.lines():
            for block in self.experiment.blocks_of(row):
                (request,) = self.overrides.apply(block.request, self.plugins)
                columns = self._columns_of(request)
                by_row.setdefault(row, {}).update(
                    {(column.corpus, column.condition): column for column in columns}
                )
        return by_row

    def _columns_of(self, request: Request) -> Iterator[Column]:
        pairs = read_corpora(request.corpora, request.noises, self.plugins)
        for corpus, condition in corpus_conditions(pairs, request.snrs):
            protocol = read_protocol(request.protocol, corpus.card.protocol).changed(
                epochs=request.epochs, limit=request.limit, precision=request.precision
            )
            yield Column(
                corpus.label, str(condition), f"{protocol.label} v{protocol.version}"
            )

    def problem(self, row: ReportRow, column: Column) -> BlockProblem | None:
        """Return what kept a row from being run in a column; None if nothing did."""
        upstream = self.typed(row).upstream
        for problem in self.problems:
            request = problem.request
            if (
                upstream in request.upstreams
                and row.downstream in request.downstreams
                and column in self._columns_of(request)
            ):
                return problem
        return None

    @cached_property
    def paper(self) -> Published:
        """All that the paper prints, read once."""
        return read_published(PAPER)

    def printed(self, item: ReportItem, label: str) -> PrintedNumbers:
        """Return the paper's numbers of the row with a label in a table or figure."""
        return {
            key: value
            for table in self.printed_tables(item)
            for row in table.rows
            if row.label == label
            for key, value in _numbers(table, row)
        }

    def printed_anywhere(self, row: ReportRow) -> PrintedNumbers:
        """Return the numbers that any table of the paper prints for a row."""
        typed = self.typed(row)
        return {
            key: value
            for table in self.paper.tables
            for printed_row in table.rows
            if printed_row.matches(typed)
            for key, value in _numbers(table, printed_row)
        }

    @property
    def printed_words(self) -> PrintedWords | None:
        """The paper's word error rates; None where ours are counted differently."""
        return self.paper.words if self.against == "reference" else None

    def printed_tables(self, item: ReportItem) -> list[PrintedTable]:
        """Return the paper's tables for a table or figure of the report."""
        named = [(table.name.partition(",")[0], table) for table in self.paper.tables]
        return [table for name, table in named if name == item.name]


def _numbers(
    table: PrintedTable, row: PrintedRow
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield corpus, condition and metric of each printed number, and the number."""
    for column, values in zip(table.columns, row.values, strict=True):
        for metric, value in zip(table.metrics, values, strict=True):
            if value is not None:
                yield from (((*ours, metric), value) for ours in column.ours)


def _layer(head: str) -> int | None:
    match = re.fullmatch(r"single:(?:.*,)?layer=([0-9]{1,9})", head)
    return int(match[1]) if match else None
