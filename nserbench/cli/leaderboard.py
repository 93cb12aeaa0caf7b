"""``nserbench leaderboard``: a table of all results."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import click

from nserbench.cli.common.click_groups import GroupWithArgument, HiddenArgument
from nserbench.cli.common.options import out_option
from nserbench.cli.common.overwrite import refuse_other_file
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import open_plugins, with_settings
from nserbench.cli.common.text import counted, wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from nserbench.leaderboard.analysis.robustness_measures import RobustnessTable
    from nserbench.leaderboard.reading.counts import Row
    from nserbench.leaderboard.render.layout import TableLayout
    from nserbench.leaderboard.tables.summary import SummaryTable
    from nserbench.settings import Settings

FORMS = ("table", "markdown", "csv", "json", "latex", "html")
SITE = Path("site")
M = TypeVar("M", "SummaryTable", "RobustnessTable")

_View: TypeAlias = "tuple[Callable[[Console], None], Mapping[str, Callable[[], str]]]"
"""Prints a table on a console; and returns it as text, by the name of the format."""


@click.group(
    "leaderboard",
    cls=GroupWithArgument,
    invoke_without_command=True,
    subcommand_metavar="[FOLDER]... | COMMAND ...",
)
@click.argument("folders", nargs=-1, type=UserPath(), cls=HiddenArgument)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="table",
    show_default=True,
    help="table, markdown, latex (needs booktabs and graphicx): in percent; "
    "csv, json: fractions of 1; html: a page.",
)
@out_option("PATH", "File to write; for html a folder, default: `site`.")
@click.option(
    "--metric",
    default="uar,f1",
    show_default=True,
    metavar="NAME[,NAME...]",
    help="Metrics: uar, f1 (macro), f1_weighted, accuracy.",
)
@click.option(
    "--against",
    metavar="ROW",
    help="Compare every row with this one, such as 'mel x mean'.",
)
@click.option(
    "--robustness",
    is_flag=True,
    help="Print robustness: area under the SNR curve, loss per dB, corruption error, "
    "worst class.",
)
@click.option(
    "--intervals",
    is_flag=True,
    help="With --format latex: write the interval of each number after it.",
)
@click.option(
    "--reference",
    metavar="NAME",
    help="Print published numbers next to ours: paper, emobox, superb, or your file.",
)
@with_settings
def leaderboard(
    settings: Settings,
    folders: tuple[Path, ...],
    form: str,
    out: Path | None,
    metric: str,
    against: str | None,
    robustness: bool,
    intervals: bool,
    reference: str | None,
) -> None:
    """Print a table of all results, by corpus and condition.

    A FOLDER holds results; default: `results`. Every number is computed from
    predictions: the mean of folds and seeds, with a 95 % interval from a bootstrap over
    speakers.
    The best number of a column is bold; = marks numbers that are not significantly
    worse.

    \b
    nserbench leaderboard --against "mel x mean"
    nserbench leaderboard --format html -o site
    nserbench leaderboard merge mine theirs -o both
    """
    from nserbench.leaderboard.tables.summary import read_metrics

    if robustness and reference:
        raise click.UsageError("use either --robustness or --reference, not both")
    if intervals and (form != "latex" or reference):
        raise click.UsageError(
            "--intervals is for --format latex, without --reference: the other formats "
            "always have intervals"
        )
    roots, metrics = folders or (settings.results,), read_metrics(metric)
    row = _row(against)
    if form == "html":
        if robustness or reference:
            raise click.UsageError(
                "--format html cannot be combined with --robustness or --reference"
            )
        _write_page(roots, out or SITE, metrics, row, settings)
    elif robustness:
        _show(_robustness(roots, metrics, row, intervals), form, out)
    elif reference:
        _show(_with_published(roots, metrics, reference), form, out)
    else:
        _show(_summary(roots, metrics, row, intervals), form, out)


@leaderboard.command("merge")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=UserPath(),
)
@out_option(
    "FOLDER",
    "Folder for the joined results; results already in it are joined as well.",
    required=True,
)
@click.option(
    "--separate",
    is_flag=True,
    help="Put results that are not comparable into separate folders apart-1, ...",
)
def merge(folders: tuple[Path, ...], out: Path, separate: bool) -> None:
    """Join the results of several labs if they are comparable.

    Metrics are computed again from the predictions. Results are comparable if audio,
    utterances, labels, texts, folds, noise, protocol, weights and code are the same. If
    not, nothing is written, and the differences are listed.
    """
    from nserbench.leaderboard.sharing.merge import merge as merge_folders

    report = merge_folders(folders, out, separate=separate)
    for line in report.recomputed:
        click.echo(f"computed again: {line}")
    for line in report.apart:
        click.echo(f"separated: {line}")
    for folder, number in report.written.items():
        click.echo(f"{counted(number, 'new result')} in {folder}")
    click.echo(f"to compare: `nserbench leaderboard {out}`")


def _row(text: str | None) -> Row | None:
    from nserbench.errors import BadSpec
    from nserbench.leaderboard.tables.summary import read_row

    try:
        return None if text is None else read_row(text)
    except BadSpec as error:
        raise click.UsageError(f"--against {error}") from error


def _show(view: _View, form: str, out: Path | None) -> None:
    from rich.console import Console

    print_on, forms = view
    if form != "table" and form not in forms:
        raise click.UsageError(
            f"this table has no format {form}: use {', '.join(['table', *forms])}"
        )
    if out is None and form == "table":
        print_on(Console())
    elif out is None:
        click.echo(forms[form](), nl=False)
    else:
        text = _as_text(print_on) if form == "table" else forms[form]()
        refuse_other_file(out, form, text.partition("\n")[0])
        out.write_text(text, encoding="utf-8")
        click.echo(f"written: {out}")


def _as_text(print_on: Callable[[Console], None]) -> str:
    """Return what is printed on a console that is no terminal."""
    from rich.console import Console

    stream = io.StringIO()
    print_on(Console(file=stream))
    return stream.getvalue()


def _write_page(
    roots: Sequence[Path],
    out: Path,
    metrics: tuple[str, ...],
    row: Row | None,
    settings: Settings,
) -> None:
    from nserbench.leaderboard.page.write import write_page

    plugins = open_plugins(settings)
    page = write_page(roots, out, metrics, reference=row, plugins=plugins)
    click.echo(f"written: {page}")


def _summary(
    roots: Sequence[Path], metrics: tuple[str, ...], row: Row | None, intervals: bool
) -> _View:
    from nserbench.leaderboard.render import csv_json, summary_sheet
    from nserbench.leaderboard.tables.summary import summary_table

    table = summary_table(roots, metrics, reference=row)
    layout = summary_sheet.summary_layout(table)
    return _layout_view(
        layout, csv_json.to_csv, csv_json.to_json, table, intervals=intervals
    )


def _robustness(
    roots: Sequence[Path], metrics: tuple[str, ...], row: Row | None, intervals: bool
) -> _View:
    from nserbench.leaderboard.render import robustness_sheet as forms
    from nserbench.leaderboard.tables.robustness import robustness_table

    table = robustness_table(roots, metrics, reference=row)
    layout = forms.robustness_layout(table)
    return _layout_view(
        layout, forms.robustness_csv, forms.robustness_json, table, intervals=intervals
    )


def _layout_view(
    layout: TableLayout,
    to_csv: Callable[[M], str],
    to_json: Callable[[M], str],
    of: M,
    *,
    intervals: bool,
) -> _View:
    from nserbench.leaderboard.render import text

    return partial(text.print_table, layout), {
        "markdown": partial(text.to_markdown, layout),
        "csv": partial(_with_warnings, to_csv, of),
        "json": partial(to_json, of),
        "latex": partial(text.to_latex, layout, intervals=intervals),
    }


def _with_warnings(to_csv: Callable[[M], str], of: M) -> str:
    """Return a table as CSV, which has no notes: say apart what it does not show."""
    for line in of.left_out:
        click.echo(wrapped(line), err=True)
    return to_csv(of)


def _with_published(
    roots: Sequence[Path], metrics: tuple[str, ...], name: str
) -> _View:
    from nserbench.leaderboard.published import render as forms
    from nserbench.leaderboard.published.comparison import compare_with_published
    from nserbench.leaderboard.published.data import read_published
    from nserbench.leaderboard.tables.summary import summary_table

    published = read_published(name)
    view = compare_with_published(summary_table(roots, metrics), published)
    return partial(forms.print_comparison, view), {
        "markdown": partial(forms.to_markdown, view),
        "csv": partial(forms.to_csv, view),
        "json": partial(forms.to_json, view),
    }
