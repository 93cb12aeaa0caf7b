"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.benchmark.study.cell import MAX_ABS_SNR_DB

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.benchmark.study.study import Study
    from nserbench.settings import Settings

Command = Callable[..., object]


class SnrList(click.ParamType[tuple[float, ...]]):
    """Levels in dB, separated by commas."""

    name = "decibels"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read the levels."""
        if isinstance(value, tuple):
            return value
        try:
            levels = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number, or several with commas", param, ctx)
        if not all(abs(level) <= MAX_ABS_SNR_DB for level in levels):
            bound = f"-{MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g} dB"
            self.fail(f"{value!r} does not lie in {bound}", param, ctx)
        return tuple(level + 0.0 for level in levels)  # -0 becomes 0


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N utterances a corpus, spread over folds and classes.",
)

store_option = click.option(
    "--store",
    "store_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where features are; ~/.cache/nserbench unless set.",
)

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where results are; `results` unless set.",
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Such as cpu or cuda:0; auto takes a GPU if there is one.",
)


on_option = click.option(
    "--on",
    metavar="WHERE",
    help="Share the cells out: processes:N, dask://HOST:PORT or slurm.",
)

words_option = click.option(
    "--words",
    "against",
    type=click.Choice(["reference", "clean"]),
    default="reference",
    show_default=True,
    help="Count errors against the corpus's texts, or the transcript of clean speech.",
)


def corpus_options(command: Command, required: bool = True) -> Command:
    """Add ``--corpus``, ``--noise`` and ``--snr``."""

    @click.option(
        "-c",
        "--corpus",
        "corpora",
        multiple=True,
        required=required,
        metavar="NAME[-NOISE]",
        help="Corpora, alone for clean speech or with a noise, as in emodb-park.",
    )
    @click.option(
        "--noise",
        "noises",
        multiple=True,
        metavar="NAME",
        help="A noise for the corpora named alone; `clean` keeps clean speech.",
    )
    @click.option(
        "--snr",
        "snrs",
        type=SnrList(),
        multiple=True,
        metavar="DB",
        help="Levels of every noise, such as 0,-5; 0 unless given.",
    )
    @functools.wraps(command)
    def wrapped(*, snrs: tuple[tuple[float, ...], ...], **rest: Any) -> object:
        levels = [level for several in snrs for level in several]
        return command(snrs=levels or default, **rest)

    default = [0.0] if required else None
    return wrapped


epochs_option = click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="N",
    help="In place of the protocol's.",
)


def training_options(command: Command) -> Command:
    """Add what sets how and how often heads are trained, and on how much.

    But for ``--epochs``, which some commands take for heads alone.
    """

    @click.option("--protocol", metavar="NAME", help="In place of the corpus's own.")
    @click.option(
        "--seeds",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many: a cell for each of 0 to N-1; 1 unless given.",
    )
    @limit_option
    @functools.wraps(command)
    def wrapped(*, seeds: int | None, **rest: Any) -> object:
        return command(seeds=None if seeds is None else range(seeds), **rest)

    return wrapped


def grid_options(command: Command) -> Command:
    """Add the options that say which grid; the command gets ``asked``."""

    @click.option(
        "-u",
        "--upstream",
        "upstreams",
        multiple=True,
        metavar="NAME",
        help="Speech representations; + joins several under one head.",
    )
    @click.option(
        "-d",
        "--downstream",
        "downstreams",
        multiple=True,
        metavar="NAME",
        help="Heads, which fuse the layers and classify.",
    )
    @functools.partial(corpus_options, required=False)
    @click.option(
        "--grid",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A TOML file with blocks of these options, in place of -u and -d.",
    )
    @epochs_option
    @training_options
    @click.option(
        "--finetune",
        is_flag=False,
        flag_value="joint",
        metavar="[HEAD]",
        help="Tune the upstreams' weights, under each cell's own head or this one.",
    )
    @click.option(
        "--precision",
        type=click.Choice(["fp32", "bf16", "auto"]),
        help="Of training on frames and of tuning; auto is bf16 where the device has "
        "it. fp32 unless the protocol says otherwise.",
    )
    @functools.wraps(command)
    def wrapped(**rest: Any) -> object:
        return command(asked=_asked(rest), **rest)

    return wrapped


@dataclass(frozen=True, slots=True)
class GridRequest:
    """The grid that was asked for.

    Attributes:
        grid: A file of blocks; None where the options say it all.
        said: What was typed, by the names of `Request`; None where nothing was.
    """

    grid: Path | None
    said: Mapping[str, Any]

    def studies(self, plugins: Plugins, settings: Settings) -> list[Study]:
        """Look everything up that was asked for.

        Raises:
            NserbenchError: if anything is not there, or contradicts itself.
        """
        from nserbench.benchmark.study.grid_file import Overrides, read_grid, studies
        from nserbench.benchmark.study.study import Request, make_study

        typed = {key: value for key, value in self.said.items() if value}
        if self.grid is None:
            return [make_study(Request(**typed), plugins, settings)]
        overrides = Overrides(**typed)
        found = studies(read_grid(self.grid), overrides, plugins, settings)
        return [study for _, study in found]


OF_A_GRID = (
    "upstreams",
    "downstreams",
    "corpora",
    "noises",
    "snrs",
    "protocol",
    "epochs",
    "seeds",
    "limit",
    "finetune",
    "precision",
)
NEEDED = {
    "upstreams": "'-u' / '--upstream'",
    "downstreams": "'-d' / '--downstream'",
    "corpora": "'-c' / '--corpus'",
}
OF_A_FILE = {
    "upstreams": "--upstream",
    "downstreams": "--downstream",
    "noises": "--noise",
    "finetune": "--finetune",
}


def _asked(rest: dict[str, Any]) -> GridRequest:
    """Take what says which grid out of a command's options."""
    grid = rest.pop("grid")
    said = {name: rest.pop(name) for name in OF_A_GRID}
    said["precision"] = _precision(said["precision"], rest["device"])
    if grid is None:
        for name, option in NEEDED.items():
            if not said[name]:
                raise click.UsageError(f"Missing option {option}, or '--grid'.")
    else:
        for name, option in OF_A_FILE.items():
            if said[name]:
                raise click.UsageError(f"the file of --grid says {option} itself")
    return GridRequest(grid, said)


def _precision(wanted: str | None, device: str) -> str | None:
    if wanted != "auto":
        return wanted
    from nserbench.benchmark.results.environment import choose_device, choose_precision

    return choose_precision(wanted, choose_device(device))
