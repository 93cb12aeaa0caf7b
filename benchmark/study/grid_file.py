"""Grid files: studies written down in TOML, block by block."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.cell import MAX_ABS_SNR_DB
from nserbench.benchmark.study.checkpoint_overrides import with_checkpoints
from nserbench.benchmark.study.study import Request, Study, make_study
from nserbench.errors import NserbenchError
from nserbench.settings import Settings

Check: TypeAlias = Callable[[Any], Any]
"""Gives a value back, or raises ``ValueError`` with what would have been right."""


PRECISIONS = ("fp32", "bf16")
"""What a block may set; ``auto`` depends on the machine, and belongs on its command."""


class BadGrid(NserbenchError, ValueError):
    """A grid file that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line sets in the place of every block's own.

    Attributes:
        corpora: None to leave them. A block's noises are kept.
        snrs: dB; None to leave them.
        protocol: None to leave it. What a block adds, as in ``+dev``, is kept.
        epochs: None to leave them.
        head_epochs: The same for some heads, by name.
        limit: None to leave it.
        seeds: None to leave them.
        checkpoints: Weights by the name of what loads them; see `with_checkpoints`.
        precision: For blocks that set none themselves; None to leave them.
    """

    corpora: Sequence[str] | None = None
    snrs: Sequence[float] | None = None
    protocol: str | None = None
    epochs: int | None = None
    head_epochs: Mapping[str, int] = field(default_factory=dict)
    limit: int | None = None
    seeds: Sequence[int] | None = None
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None

    def apply(self, request: Request, plugins: Plugins) -> list[Request]:
        """Give a request with what is set here; one for all heads of as many epochs.

        Raises:
            UnknownName: if a name is not known.
            BadSpec: if one cannot be read, or loads no weights.
        """
        for name in self.head_epochs:
            plugins.downstreams[name]
        names = ("corpora", "snrs", "limit", "seeds", "precision")
        said = {name: getattr(self, name) for name in names}
        changed = replace(
            request,
            upstreams=[
                with_checkpoints(text, self.checkpoints, plugins)
                for text in request.upstreams
            ],
            protocol=_protocol(request.protocol, self.protocol),
            **{name: value for name, value in said.items() if value is not None},
        )
        heads: dict[int | None, list[str]] = {}
        for head in request.downstreams:
            own = self.head_epochs.get(head.partition(":")[0], self.epochs)
            heads.setdefault(own or request.epochs, []).append(head)
        return [
            replace(changed, downstreams=some, epochs=epochs)
            for epochs, some in heads.items()
        ]


def _protocol(own: str | None, typed: str | None) -> str | None:
    """Join a block's protocol and the one typed: ``+dev`` is added, a name gives way.

    Examples:
        >>> _protocol("+dev", "probe"), _protocol("+dev", None), _protocol("demo", None)
        ('probe+dev', 'dev', 'demo')
    """
    if own is None or not own.startswith("+"):
        return typed or own
    if typed is None:
        return own[1:]
    said = typed.split("+")
    return "+".join([*said, *(one for one in own[1:].split("+") if one not in said)])


@dataclass(frozen=True, slots=True)
class GridBlock:
    """A part of a grid file that is a study of its own.

    Attributes:
        name: What it is called in messages.
        request: What it asks for. A protocol that begins with a plus adds to the
            corpus's own.
    """

    name: str
    request: Request


@dataclass(frozen=True, slots=True)
class GridFile:
    """What a grid file says.

    Attributes:
        title: One line.
        description: What it is for.
        blocks: In the order in which they run.
        report: The tables ``[[report]]`` as they stand; empty in most files.
    """

    title: str
    description: str
    blocks: Sequence[GridBlock]
    report: Sequence[Mapping[str, Any]] = ()

    def requests(
        self, overrides: Overrides, plugins: Plugins
    ) -> list[tuple[str, Request]]:
        """Give the name of each block and what it asks for; see `Overrides.apply`.

        Raises:
            BadGrid: if a block sets another precision than the command line.
        """
        for one in self.blocks:
            own, typed = one.request.precision, overrides.precision
            if own and typed and own != typed:
                raise BadGrid(
                    f"block {one.name!r} sets the precision {own}, the command line "
                    f"{typed}\n  leave --precision out, or the key in the file"
                )
        return [
            (one.name, request)
            for one in self.blocks
            for request in overrides.apply(one.request, plugins)
        ]


def studies(
    grid: GridFile, overrides: Overrides, plugins: Plugins, settings: Settings
) -> list[tuple[str, Study]]:
    """Look everything up that the blocks of a grid file name; see `make_study`.

    Raises:
        NserbenchError: if anything is not there; it names the block.
    """
    found = []
    for name, request in grid.requests(overrides, plugins):
        try:
            found.append((name, make_study(request, plugins, settings)))
        except NserbenchError as error:
            raise NserbenchError(f"block {name!r}: {error}") from error
    return found


def read_grid(file: Path) -> GridFile:
    """Read a grid file.

    Raises:
        BadGrid: if it cannot be read, has a key that is not known, lacks one, or has
            a value that its key does not take.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadGrid(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise BadGrid(f"{file} is not TOML: {error}") from error
    try:
        return _grid(content)
    except BadGrid as error:
        raise BadGrid(f"{file}: {error}") from error


def _grid(content: Mapping[str, Any]) -> GridFile:
    checked = check_table(content, TOP, "the file", needs=("block",))
    blocks = [_block(one, place) for place, one in enumerate(checked["block"], 1)]
    names = [one.name for one in blocks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadGrid(f"two blocks are called {twice[0]!r}")
    title, description = checked.get("title", ""), checked.get("description", "")
    return GridFile(title, description, blocks, checked.get("report", ()))


def _block(table: Mapping[str, Any], place: int) -> GridBlock:
    what = f"[[block]] number {place}"
    said = check_table(
        table, BLOCK, what, needs=("upstreams", "downstreams", "corpora")
    )
    name = said.pop("name", str(place))
    if "seeds" in said:
        said["seeds"] = range(said["seeds"])
    return GridBlock(name, Request(**said))


def check_table(
    table: Mapping[str, Any],
    known: Mapping[str, Check],
    what: str,
    needs: Sequence[str] = (),
) -> dict[str, Any]:
    """Check the keys and values of a table of a grid file.

    Args:
        table: As it was read.
        known: What each key takes.
        what: What the table is, for messages.
        needs: Keys that have to be there.

    Raises:
        BadGrid: if a key is not known or missing, or a value is not one that it takes.
    """
    if unknown := [key for key in table if key not in known]:
        raise BadGrid(
            f"{what} has the unknown key {unknown[0]!r}\n  known: {', '.join(known)}"
        )
    if missing := [key for key in needs if key not in table]:
        raise BadGrid(f"{what} has no {missing[0]!r}, which it needs")
    checked = {}
    for key, value in table.items():
        try:
            checked[key] = known[key](value)
        except ValueError as error:
            raise BadGrid(f"{what}: {key!r} must be {error}") from error
    return checked


def a_text(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text in quotes")
    return value


def texts(value: object) -> list[str]:
    """Take one text or more."""
    if not isinstance(value, list) or not value or not all(map(_is_text, value)):
        raise ValueError('texts in brackets, such as ["mel", "whisper"]')
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def a_count(value: object) -> int:
    """Take a whole number from 1 up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("a whole number from 1 up")
    return value


def a_precision(value: object) -> object:
    """Take the name of a precision."""
    if value not in PRECISIONS:
        raise ValueError(f"one of {', '.join(PRECISIONS)}")
    return value


def levels(value: object) -> list[float]:
    """Take levels in dB."""
    numbers = isinstance(value, list) and value
    if not numbers or not all(
        isinstance(one, int | float)
        and not isinstance(one, bool)
        and abs(one) <= MAX_ABS_SNR_DB
        for one in numbers
    ):
        bound = f"-{MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g}"
        raise ValueError(f"numbers in brackets, in dB from {bound}")
    return [float(one) + 0.0 for one in numbers]  # -0 becomes 0


def tables(value: object) -> list[dict[str, Any]]:
    """Take one table or more."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("a table in double brackets")
    return value


TOP: Mapping[str, Check] = {
    "title": a_text,
    "description": a_text,
    "block": tables,
    "report": tables,
}

BLOCK: Mapping[str, Check] = {
    "name": a_text,
    "upstreams": texts,
    "downstreams": texts,
    "corpora": texts,
    "noises": texts,
    "snrs": levels,
    "protocol": a_text,
    "epochs": a_count,
    "limit": a_count,
    "seeds": a_count,
    "finetune": a_text,
    "precision": a_precision,
}
