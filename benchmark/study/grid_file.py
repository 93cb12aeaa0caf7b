"""Grid files: studies described in TOML, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.checkpoint_overrides import with_checkpoints
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import Study, make_study
from nserbench.benchmark.study.toml_checks import (
    BadGrid,
    Check,
    a_text,
    check_table,
    checks_of,
    needed_by,
    tables,
)
from nserbench.errors import Missing, NserbenchError
from nserbench.plain_data import read_toml
from nserbench.settings import Settings


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings of the command line, which replace those of every block.

    Attributes:
        settings: Values by the names of `Request`. Of corpora the noises of a block are
            kept, and of a protocol the variants that a block adds, as in ``+dev``. A
            precision is for blocks that do not set it; another one is refused.
        checkpoints: Checkpoints by the name of what loads them; see `with_checkpoints`.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    head_epochs: Mapping[str, int] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)

    def apply(self, request: Request, plugins: Plugins) -> list[Request]:
        """Return a request with these settings, split by the heads' number of epochs.

        Raises:
            UnknownName: if a name is not known.
            BadSpec: if a name cannot be read, or loads no checkpoint.
        """
        for name in self.head_epochs:
            plugins.downstreams[name]
        changed = replace(
            request,
            **{
                **self.settings,
                "upstreams": [
                    with_checkpoints(text, self.checkpoints, plugins)
                    for text in request.upstreams
                ],
                "protocol": _protocol(request.protocol, self.settings.get("protocol")),
            },
        )
        heads: dict[int | None, list[str]] = {}
        for head in request.downstreams:
            epochs = self.head_epochs.get(head.partition(":")[0], changed.epochs)
            heads.setdefault(epochs, []).append(head)
        return [
            replace(changed, downstreams=names, epochs=epochs)
            for epochs, names in heads.items()
        ]


def _protocol(block: str | None, typed: str | None) -> str | None:
    """Return the typed protocol; variants of the block, as in ``+dev``, are added.

    Examples:
        >>> _protocol("+dev", "probe"), _protocol("+dev", None), _protocol("demo", None)
        ('probe+dev', 'dev', 'demo')
    """
    if block is None or not block.startswith("+"):
        return typed or block
    if typed is None:
        return block[1:]
    pieces = typed.split("+")
    added = [piece for piece in block[1:].split("+") if piece not in pieces]
    return "+".join([*pieces, *added])


@dataclass(frozen=True, slots=True)
class GridBlock:
    """A block of a grid file: one study.

    Attributes:
        request: The settings of the study. A protocol that begins with a plus is added
            to the corpus's protocol.
    """

    name: str
    request: Request


@dataclass(frozen=True, slots=True)
class GridFile:
    """The content of a grid file.

    Attributes:
        report: Tables ``[[report]]``, not yet checked; empty in most files.
    """

    title: str
    description: str
    blocks: Sequence[GridBlock]
    report: Sequence[Mapping[str, Any]] = ()

    def requests(
        self, overrides: Overrides, plugins: Plugins
    ) -> list[tuple[str, Request]]:
        """Return the name and the requests of each block; see `Overrides.apply`.

        Raises:
            BadGrid: if a block sets another precision than the command line.
        """
        for block in self.blocks:
            precision = block.request.precision
            typed = overrides.settings.get("precision")
            if precision and typed and precision != typed:
                raise BadGrid(
                    f"block {block.name!r} sets the precision {precision}, the command "
                    f"line {typed}\n  leave out --precision, or the key in the file"
                )
        return [
            (block.name, request)
            for block in self.blocks
            for request in overrides.apply(block.request, plugins)
        ]


def studies(
    grid: GridFile, overrides: Overrides, plugins: Plugins, settings: Settings
) -> list[tuple[str, Study]]:
    """Look up everything that the blocks of a grid file name; see `make_study`.

    Raises:
        NserbenchError: if something is missing, with all that is missing in any block;
            or if a block contradicts itself, which the message names.
    """
    looked_up, missing = [], Missing()
    for name, request in grid.requests(overrides, plugins):
        try:
            with missing.gather():
                looked_up.append((name, make_study(request, plugins, settings)))
        except NserbenchError as error:
            raise NserbenchError(f"block {name!r}: {error}") from error
    missing.refuse()
    return looked_up


def make_studies(
    file: Path | None, values: Mapping[str, Any], plugins: Plugins, settings: Settings
) -> list[Study]:
    """Look up everything that a grid file names, or else a single request.

    Args:
        file: The grid file; None if there is none.
        values: Values by the names of `Request`, which replace those of the file. Empty
            ones are left out.

    Raises:
        NserbenchError: if something is missing, or the request contradicts itself.
    """
    given = {name: value for name, value in values.items() if value}
    if file is None:
        return [make_study(Request(**given), plugins, settings)]
    blocks = studies(read_grid(file), Overrides(given), plugins, settings)
    return [study for _, study in blocks]


def read_grid(file: Path) -> GridFile:
    """Read a grid file.

    Raises:
        BadGrid: if the file cannot be read, has an unknown key or lacks a key, or if a
            value does not fit its key.
    """
    content = read_toml(file, BadGrid)
    try:
        return _grid(content)
    except BadGrid as error:
        raise BadGrid(f"{file}: {error}") from error


def _grid(content: Mapping[str, Any]) -> GridFile:
    top = check_table(content, TOP, "the file", needs=("block",))
    blocks = [_block(table, number) for number, table in enumerate(top["block"], 1)]
    names = [block.name for block in blocks]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise BadGrid(f"two blocks are called {repeated[0]!r}: rename one")
    title, description = top.get("title", ""), top.get("description", "")
    return GridFile(title, description, blocks, top.get("report", ()))


def _block(table: Mapping[str, Any], number: int) -> GridBlock:
    what = f"[[block]] number {number}"
    block = check_table(table, BLOCK, what, needs=needed_by(Request))
    name = block.pop("name", str(number))
    return GridBlock(name, Request(**block))


TOP: Mapping[str, Check] = {
    "title": a_text,
    "description": a_text,
    "block": tables,
    "report": tables,
}

BLOCK: Mapping[str, Check] = {"name": a_text, **checks_of(Request)}
