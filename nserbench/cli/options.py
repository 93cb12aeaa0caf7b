"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nserbench.benchmark.study import Request

Command = Callable[..., object]

LOUDEST = 100.0
"""dB either way, our bound: beyond it float32 holds speech and noise no longer both."""


class Decibels(click.ParamType[tuple[float, ...]]):
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
        if not all(abs(level) <= LOUDEST for level in levels):
            self.fail(
                f"{value!r} does not lie in -{LOUDEST:g} to {LOUDEST:g} dB", param, ctx
            )
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


def corpus_options(command: Command) -> Command:
    """Add ``--corpus``, ``--noise`` and ``--snr``."""

    @click.option(
        "-c",
        "--corpus",
        "corpora",
        multiple=True,
        required=True,
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
        type=Decibels(),
        multiple=True,
        metavar="DB",
        help="Levels of every noise, such as 0,-5; 0 unless given.",
    )
    @functools.wraps(command)
    def wrapped(*, snrs: tuple[tuple[float, ...], ...], **rest: Any) -> object:
        levels = [level for several in snrs for level in several]
        return command(snrs=levels or [0.0], **rest)

    return wrapped


def grid_options(command: Command) -> Command:
    """Add the options that say which grid; the command gets a ``request``."""

    @click.option(
        "-u",
        "--upstream",
        "upstreams",
        multiple=True,
        required=True,
        metavar="NAME",
        help="Speech representations.",
    )
    @click.option(
        "-d",
        "--downstream",
        "downstreams",
        multiple=True,
        required=True,
        metavar="NAME",
        help="Heads, which fuse the layers and classify.",
    )
    @corpus_options
    @click.option("--protocol", metavar="NAME", help="In place of the corpus's own.")
    @click.option(
        "--epochs",
        type=click.IntRange(min=1),
        metavar="N",
        help="In place of the protocol's.",
    )
    @click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        metavar="N",
        help="How many: a cell for each of 0 to N-1.",
    )
    @limit_option
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
        return command(request=_request(rest), **rest)

    return wrapped


def _precision(wanted: str | None, device: str) -> str | None:
    if wanted != "auto":
        return wanted
    from nserbench.benchmark.environment import choose_device, choose_precision

    return choose_precision(wanted, choose_device(device))


def _request(rest: dict[str, Any]) -> Request:
    from nserbench.benchmark.study import Request

    return Request(
        upstreams=rest.pop("upstreams"),
        downstreams=rest.pop("downstreams"),
        corpora=rest.pop("corpora"),
        noises=rest.pop("noises"),
        snrs=rest.pop("snrs"),
        protocol=rest.pop("protocol"),
        epochs=rest.pop("epochs"),
        limit=rest.pop("limit"),
        seeds=range(rest.pop("seeds")),
        finetune=rest.pop("finetune"),
        precision=_precision(rest.pop("precision"), rest["device"]),
    )
