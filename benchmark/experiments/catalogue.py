"""The experiments of the paper by number, and parts of them by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nserbench.benchmark.experiments.layout import ReportItem, ReportRow, read_layout
from nserbench.benchmark.experiments.summaries import FOLDER, NUMBERS
from nserbench.benchmark.study.grid_file import GridBlock, GridFile, read_grid
from nserbench.benchmark.study.toml_checks import BadGrid
from nserbench.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment of the paper.

    Attributes:
        number: Number from 1 to 7.
    """

    number: int
    grid: GridFile
    parts: Sequence[ReportItem]

    def only(self, names: Sequence[str]) -> Experiment:
        """Return the experiment with the named blocks and rows; all if none is named.

        Its tables and figures have the rows of these blocks alone.

        Args:
            names: Names of blocks, or of rows: the title, ``GROUP: TITLE`` where
                several rows have this title, or the upstream. Case does not matter.
                A text may have several, separated by commas.

        Raises:
            UnknownName: if no block and no row has one of the names.
        """
        if not names:
            return self
        known = {block.name: [block] for block in self.grid.blocks}
        for row in self.lines():
            for name in (str(row), row.title, row.upstream):
                known.setdefault(name, []).extend(self.blocks_of(row))
        chosen = {name.casefold(): blocks for name, blocks in known.items()}
        wanted = [
            name.strip()
            for text in names  # a title may have a comma itself
            for name in ([text] if text.casefold() in chosen else text.split(","))
        ]
        if unknown := [name for name in wanted if name.casefold() not in chosen]:
            raise UnknownName("block or row", unknown[0], known)
        blocks = _joined(b for name in wanted for b in chosen[name.casefold()])
        part = replace(self, grid=replace(self.grid, blocks=blocks))
        items = [
            replace(item, rows=[row for row in item.rows if any(part.blocks_of(row))])
            for item in self.parts
        ]
        return replace(part, parts=[item for item in items if item.rows])

    def lines(self) -> Iterator[ReportRow]:
        """Yield every row of all tables and figures."""
        for part in self.parts:
            yield from part.rows

    def blocks_of(self, row: ReportRow) -> Iterator[GridBlock]:
        """Yield the blocks that run a row, reduced to its upstream and downstream."""
        for block in self.grid.blocks:
            request = block.request
            if (
                row.upstream in request.upstreams
                and row.downstream in request.downstreams
            ):
                pair = replace(
                    request,
                    upstreams=[row.upstream],
                    downstreams=[row.downstream],
                )
                yield replace(block, request=pair)


def _joined(blocks: Iterable[GridBlock]) -> list[GridBlock]:
    """Join reduced blocks that come from one block and have the same upstreams."""
    joined: dict[tuple[str, ...], GridBlock] = {}
    for block in blocks:
        request = block.request
        key = (block.name, *request.upstreams)
        earlier = joined[key].request.downstreams if key in joined else ()
        heads = list(dict.fromkeys([*earlier, *request.downstreams]))
        joined[key] = replace(block, request=replace(request, downstreams=heads))
    return list(joined.values())


def read_experiment(number: int) -> Experiment:
    """Read an experiment of the paper.

    Raises:
        UnknownName: if there is no experiment of that number.
        BadGrid: if its file cannot be read, or the report has a row that no block runs.
    """
    if number not in NUMBERS:
        raise UnknownName("experiment", str(number), list(map(str, NUMBERS)))
    grid = read_grid(FOLDER / f"{number}.toml")
    experiment = Experiment(number, grid, read_layout(grid.report))
    for row in experiment.lines():
        if not any(experiment.blocks_of(row)):
            raise BadGrid(f"experiment {number}: no block runs the row {row}")
    return experiment
