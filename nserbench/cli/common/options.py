"""Options that several commands use."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from nserbench.api.running import resolve_precision
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.number_types import Count, Size, SnrList
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import Command
from nserbench.option_values import MOST_SEEDS
from nserbench.spec import split_names

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Plugins
    from nserbench.benchmark.study.study import Study
    from nserbench.settings import Settings

Option = Callable[[Command], Command]
"""A decorator that adds an option to a command."""
StudyMaker: TypeAlias = "Callable[[Plugins, Settings], list[Study]]"
"""Returns the studies of a grid, with all names looked up."""


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

limit_option = click.option(
    "--limit",
    type=Count(),
    metavar="N",
    help="Use at most N utterances per corpus, spread over folds, classes and "
    "speakers.",
)

store_option = click.option(
    "--store",
    "store_folder",
    type=UserPath(),
    metavar="FOLDER",
    help="Folder for features; default: ~/.cache/nserbench.",
)

store_limit_option = click.option(
    "--store-limit",
    type=Size(),
    metavar="SIZE",
    help="Most that the store may take on disk, such as 100GB: frames of finished "
    "cells are deleted when room is needed. Not with --on.",
)


def out_option(metavar: str, summary: str, **settings: Any) -> Option:
    """Return the option ``-o, --out``, which is where a command writes its output."""
    settings = {"type": UserPath(), **settings}
    return click.option("-o", "--out", metavar=metavar, help=summary, **settings)


def names_option(*flags: str, help: str, **settings: Any) -> Option:
    """Return an option that takes names with commas, and may be repeated."""
    names = {"metavar": "NAME", "multiple": True, "callback": _separate}
    settings = {**names, **settings}
    return click.option(*flags, help=help, **settings)


def _separate(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(name for text in texts for name in split_names(text))


results_option = out_option(
    "FOLDER",
    "Folder for results; default: `results`.",
    type=UserPath(file_okay=False),
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Device, such as cpu or cuda:0; auto uses a GPU if there is one.",
)


on_option = click.option(
    "--on",
    metavar="WORKERS",
    help="Compute in parallel: processes:N, dask://HOST:PORT or slurm.",
)

verify_option = click.option(
    "--verify",
    is_flag=True,
    help="Read all audio and checkpoints again, even if their files look unchanged.",
)

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the cells and stop."
)

wer_against_option = click.option(
    "--wer-against",
    "against",
    type=click.Choice(["reference", "clean"]),
    default="reference",
    show_default=True,
    help="Count word errors against the corpus's own texts (reference) or against the "
    "transcripts of clean speech (clean).",
)


def corpus_options(command: Command, required: bool = True) -> Command:
    """Add the options ``--corpus``, ``--noise`` and ``--snr``."""

    @names_option(
        *("-c", "--corpus", "corpora"),
        required=required,
        metavar="NAME[-NOISE[@DB]]",
        shell_complete=names_of("corpora"),
        help="Corpora: emodb is clean speech, emodb-park has the noise `park` added, "
        "emodb-park@5 has it at 5 dB, whatever --snr says.",
    )
    @names_option(
        *("--noise", "noises"),
        shell_complete=names_of("noises"),
        help="Noises for corpora named without one, such as clean,park or park@5; "
        "`clean` is clean speech.",
    )
    @click.option(
        "--snr",
        "snrs",
        type=SnrList(),
        multiple=True,
        metavar="DB",
        help="SNRs in dB for every noise named without one, such as 0,-5; default: 0.",
    )
    @functools.wraps(command)
    def wrapped(*, snrs: tuple[tuple[float, ...], ...], **rest: Any) -> object:
        values = [snr for snr_list in snrs for snr in snr_list]
        return command(snrs=values or default, **rest)

    default = [0.0] if required else None
    return wrapped


epochs_option = click.option(
    "--epochs",
    type=Count(),
    metavar="N",
    help="Number of epochs instead of the protocol's.",
)


def training_options(command: Command) -> Command:
    """Add the options ``--protocol``, ``--seeds`` and ``--limit``."""

    @click.option(
        "--protocol",
        metavar="NAME",
        shell_complete=names_of("protocols"),
        help="Protocol instead of the corpus's own.",
    )
    @click.option(
        "--seeds",
        type=Count(MOST_SEEDS),
        metavar="N",
        help="Number of seeds, one cell for each of 0 to N-1; default: 1.",
    )
    @limit_option
    @functools.wraps(command)
    def wrapped(*, seeds: int | None, **rest: Any) -> object:
        return command(seeds=None if seeds is None else range(seeds), **rest)

    return wrapped


def grid_options(command: Command) -> Command:
    """Add the options that define a grid, passed to the command as ``grid``."""

    @names_option(
        *("-u", "--upstream", "upstreams"),
        shell_complete=names_of("upstreams", ",+"),
        help="Upstreams (speech representations); A+B gives a head the layers of both.",
    )
    @names_option(
        *("-d", "--downstream", "downstreams"),
        shell_complete=names_of("downstreams"),
        help="Heads, which fuse the layers and classify.",
    )
    @functools.partial(corpus_options, required=False)
    @click.option(
        "--grid",
        type=UserPath(),
        metavar="FILE",
        help="TOML file with blocks of these options, instead of -u and -d.",
    )
    @epochs_option
    @training_options
    @click.option(
        "--finetune",
        is_flag=False,
        flag_value="joint",
        metavar="[HEAD]",
        help="Fine-tune the upstreams, with each cell's own head or with HEAD.",
    )
    @click.option(
        "--precision",
        type=click.Choice(["fp32", "bf16", "auto"]),
        help="Number format for fine-tuning and for heads on frames; auto is bf16 if "
        "the device supports it. Default: the protocol's, mostly fp32.",
    )
    @functools.wraps(command)
    def wrapped(**rest: Any) -> object:
        return command(grid=_grid(rest), **rest)

    return wrapped


def _grid(options: dict[str, Any]) -> StudyMaker:
    """Remove the options that define the grid, and return how its studies are made."""
    from nserbench.benchmark.study.grid_file import make_studies
    from nserbench.benchmark.study.request import SETTINGS, lacking, set_in_blocks

    file = options.pop("grid")
    values = {name: options.pop(name) for name in SETTINGS}
    if file is None:
        for name in lacking(values):
            flag = SETTINGS[name].metadata["flag"]
            raise click.UsageError(f"Missing option {flag}, or '--grid'.")
    else:
        for name in set_in_blocks(values):
            option = SETTINGS[name].metadata["only_in_blocks"]
            raise click.UsageError(
                f"{option} cannot be combined with --grid: set it in {file}"
            )
    values["precision"] = resolve_precision(values["precision"], options["device"])
    return functools.partial(make_studies, file, values)
