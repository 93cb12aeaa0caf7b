"""Results and the leaderboard as data frames, and as HTML in a notebook."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import pandas as pd
from rich.console import Console

from nserbench.benchmark.results.counted import UnitCounts
from nserbench.benchmark.results.metrics import chance
from nserbench.benchmark.results.read_results import ResultFile
from nserbench.errors import BadResult
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import CountedResult
from nserbench.leaderboard.reading.counts_cache import read_counted
from nserbench.leaderboard.reading.latest import by_cell, newest
from nserbench.leaderboard.render.csv_json import records
from nserbench.leaderboard.render.text import print_table, to_html
from nserbench.leaderboard.tables.summary import (
    SummaryTable,
    read_metrics,
    read_row,
    table_of,
)
from nserbench.paths import user_path
from nserbench.settings import load_settings

METRIC = "uar,f1"
"""The metrics that are shown unless others are asked for."""
_NUMBERS = ("mean", "low", "high", "chance")


@dataclass(frozen=True)
class Results:
    """The results of some cells, such as those of a run.

    Where a folder holds several results of one cell and seed, the newest counts, as in
    the leaderboard.

    Attributes:
        folder: Folder that holds the result folders.
        folders: Result folder of each cell.
    """

    folder: Path
    folders: Sequence[Path]

    def to_frame(self, metric: str | Iterable[str] = METRIC) -> pd.DataFrame:
        """Return a row for each cell and metric; a cell is of one seed.

        Numbers are computed from the predictions, as fractions of 1: ``mean`` of the
        folds, or of all folds together where ``folds`` says ``pooled``; ``low`` and
        ``high``, the bounds of its 95 % interval; ``chance``. ``n`` is the number of
        test utterances, ``units`` that of independent units, mostly speakers. The other
        columns are the costs of the cell, in seconds, bytes and counts. Cells that are
        not done have the ``reason`` and no numbers.

        Args:
            metric: ``uar``, ``f1`` (macro), ``f1_weighted``, ``accuracy``: in one text
                separated by commas, or in a list.

        Raises:
            BadResult: if a result cannot be read.
            UnknownName: if a metric does not exist.
        """
        metrics = _metrics(metric)
        rows = [
            row
            for folder, counted in self._kept.items()
            for row in _rows(ResultFile(folder), counted, metrics)
        ]
        frame = pd.DataFrame(rows)
        return frame.astype(dict.fromkeys(_NUMBERS, float)) if rows else frame

    def predictions(self) -> pd.DataFrame:
        """Return a row for each cell and test utterance, with the cell's names.

        The columns ``p_...`` are probabilities of classes; they are missing (NaN) for
        the classes of other corpora. Cells that are not done have no rows.

        Raises:
            BadResult: if a result cannot be read.
        """
        frames = [
            _predictions(ResultFile(folder))
            for folder, counted in self._kept.items()
            if counted.status == "done"
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @property
    def failures(self) -> dict[str, str]:
        """Why cells failed, by the name of the cell; empty if none did."""
        return {
            str(ResultFile(folder).cell): counted.reason or ""
            for folder, counted in self._kept.items()
            if counted.status == "failed"
        }

    @property
    def counted(self) -> list[CountedResult]:
        """The results as a leaderboard reads them, with those that do not count."""
        return list(self._read.values())

    @property
    def notes(self) -> list[str]:
        """Which results do not count, and why."""
        return newest(self.counted)[1]

    @cached_property
    def _read(self) -> Mapping[Path, CountedResult]:
        there = read_counted(self.folder)
        return {folder: there[folder] for folder in self.folders if folder in there}

    @cached_property
    def _kept(self) -> Mapping[Path, CountedResult]:
        # Two results may have equal counts, so they are found again by identity.
        kept = set(map(id, newest(self.counted)[0]))
        return {
            path: result for path, result in self._read.items() if id(result) in kept
        }

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self._kept)

    def __repr__(self) -> str:
        statuses = [counted.status for counted in self._kept.values()]
        counts = (
            f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)
        )
        return f"<{len(self)} results in {self.folder}: {', '.join(counts)}>"

    def _repr_html_(self) -> str:
        return leaderboard_of(self)._repr_html_()


@dataclass(frozen=True)
class Leaderboard:
    """A table of results, by corpus and condition.

    Attributes:
        table: The numbers, before they are written.
    """

    table: SummaryTable

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each row, column and metric of the table.

        The columns are those of ``nserbench leaderboard --format csv``; numbers are
        fractions of 1.
        """
        return pd.DataFrame(list(records(self.table)))

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the table should know, a sentence each."""
        return self.table.notes

    def __str__(self) -> str:
        """Return the table as text, as wide as it needs to be."""
        text = io.StringIO()
        print_table(self.table, Console(file=text, width=10_000, force_jupyter=False))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined] # of IPython

    def _repr_html_(self) -> str:
        return to_html(self.table)


def load_results(
    folder: str | PathLike[str] | None = None,
    *,
    config: str | PathLike[str] | None = None,
) -> Results:
    """Return the results in a folder.

    Args:
        folder: Folder of results; default: that of the settings, or ``results``.
        config: Settings file; default: ``nserbench.toml`` in the working folder.

    Raises:
        BadResult: if it holds no results, or one cannot be read.
    """
    if folder is None:
        settings = load_settings(None if config is None else user_path(Path(config)))
        folder = settings.results
    root = user_path(Path(folder))
    return Results(root, list(read_counted(root)))


def leaderboard_of(
    results: Results, metric: str | Iterable[str] = METRIC, against: str | None = None
) -> Leaderboard:
    """Return the leaderboard of some results; see `nserbench.leaderboard`."""
    reference = None if against is None else read_row(against)
    cells = by_cell(results.counted)
    return Leaderboard(table_of(*cells, _metrics(metric), reference=reference))


def _metrics(metric: str | Iterable[str]) -> tuple[str, ...]:
    return read_metrics(metric if isinstance(metric, str) else ",".join(metric))


def _rows(
    file: ResultFile, counted: CountedResult, metrics: Sequence[str]
) -> Iterator[dict[str, object]]:
    counts = counted.counts
    for metric in metrics:
        yield {
            **asdict(file.cell),
            "metric": metric,
            "status": counted.status,
            "reason": counted.reason,
            **_numbers(counted, metric),
            "n": 0 if counts is None else counts.utterances,
            "units": 0 if counts is None else len(counts.answers),
            **file.costs,
        }


def _numbers(counted: CountedResult, metric: str) -> dict[str, object]:
    """Return the score of one seed as the leaderboard computes it, with interval."""
    if (counts := counted.counts) is None:
        return dict.fromkeys(("mean", "low", "high", "folds", "chance"))
    sample = Sample.of({counted.seed: counts}, metric)
    low, high = sample.interval() or (None, None)
    return {
        "mean": sample.value,
        "low": low,
        "high": high,
        "folds": "pooled" if counts.pooled else "mean",
        "chance": chance(metric, counts.folds),
    }


def _predictions(file: ResultFile) -> pd.DataFrame:
    predictions = file.answers()
    if isinstance(predictions, UnitCounts):
        raise BadResult(
            f"{file.cell} has counts without ids and probabilities\n"
            "  leave it out, or run the cell again with the corpus"
        )
    frame = pd.DataFrame(predictions.columns())
    for place, (name, value) in enumerate(asdict(file.cell).items()):
        frame.insert(place, name, value)
    return frame
