"""The experiments by number, and parts of them by name."""

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
        number: From 1 to 7.
        grid: What is run.
        parts: What is reported.
    """

    number: int
    grid: GridFile
    parts: Sequence[ReportItem]

    def only(self, names: Sequence[str]) -> Experiment:
        """Give it with the blocks and rows of these names alone; with all for none.

        Args:
            names: Of blocks, or of rows: their title, or ``GROUP: TITLE`` where
                several have it, or their upstream. Case does not matter.

        Raises:
            UnknownName: if there is none of a name.
        """
        if not names:
            return self
        wanted = [name.casefold() for name in names]
        known = {block.name: [block] for block in self.grid.blocks}
        for line in self.lines():
            for name in (str(line), line.title, line.upstream):
                if name is not None:
                    known.setdefault(name, []).extend(self.blocks_of(line))
        chosen = {name.casefold(): blocks for name, blocks in known.items()}
        if unknown := [name for name in names if name.casefold() not in chosen]:
            raise UnknownName("block or row", unknown[0], known)
        blocks = _joined(block for name in wanted for block in chosen[name])
        return replace(self, grid=replace(self.grid, blocks=blocks))

    def lines(self) -> Iterator[ReportRow]:
        """Give every row of every part that can run."""
        for part in self.parts:
            yield from (line for line in part.rows if line.reason is None)

    def blocks_of(self, line: ReportRow) -> Iterator[GridBlock]:
        """Give the blocks that run a row, without what else they run."""
        for block in self.grid.blocks:
            asked = block.request
            if (
                line.upstream in asked.upstreams
                and line.downstream in asked.downstreams
            ):
                alone = replace(
                    asked,
                    upstreams=[str(line.upstream)],
                    downstreams=[str(line.downstream)],
                )
                yield replace(block, request=alone)


def _joined(blocks: Iterable[GridBlock]) -> list[GridBlock]:
    """Put heads together that one block has under the same upstreams."""
    found: dict[tuple[str, ...], GridBlock] = {}
    for block in blocks:
        asked = block.request
        key = (block.name, *asked.upstreams)
        earlier = found[key].request.downstreams if key in found else ()
        heads = list(dict.fromkeys([*earlier, *asked.downstreams]))
        found[key] = replace(block, request=replace(asked, downstreams=heads))
    return list(found.values())


def read_experiment(number: int) -> Experiment:
    """Read an experiment.

    Raises:
        UnknownName: if there is none of that number.
        BadGrid: if its file cannot be read, or reports what no block runs.
    """
    if number not in NUMBERS:
        raise UnknownName("experiment", str(number), list(map(str, NUMBERS)))
    grid = read_grid(FOLDER / f"{number}.toml")
    found = Experiment(number, grid, read_layout(grid.report))
    for line in found.lines():
        if not any(found.blocks_of(line)):
            raise BadGrid(f"experiment {number}: no block runs the row {line}")
    return found


def read_experiments() -> list[Experiment]:
    """Read all of them."""
    return [read_experiment(number) for number in NUMBERS]
