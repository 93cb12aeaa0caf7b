"""``nserbench corpus``: what a corpus is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.cli.common.options import json_option
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.corpora.tools.corpus_statistics import CorpusStatistics

BAR = 40
"""Characters of the longest bar."""
MOST_SPEAKERS = 30
"""Of which a table is printed; `--json` has them all."""


@click.group()
def corpus() -> None:
    """Look at what a corpus is made of."""


@corpus.command("stats")
@click.argument("names", metavar="CORPUS...", nargs=-1, required=True)
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    metavar="FILE.svg|pdf|png",
    help="Draw the classes of all corpora named, as in Fig. 2 of the paper.",
)
@click.option("--fast", is_flag=True, help="Read headers only: no SNR.")
@json_option
@with_session
def stats(
    session: Session,
    names: tuple[str, ...],
    figure: Path | None,
    fast: bool,
    as_json: bool,
) -> None:
    """Count classes by fold and speaker, measure lengths, estimate the SNR.

    The SNR is that of the recordings themselves, by WADA (Kim and Stern, 2008): good
    for comparing corpora, not clips.

    \b
    nserbench corpus stats meld iemocap casia --fast --figure fig2.svg
    """
    from nserbench.benchmark.study.lookup import read_names
    from nserbench.benchmark.study.study import read_corpus
    from nserbench.cli.common.progress_bars import showing
    from nserbench.corpora.tools.corpus_statistics import describe

    if figure is not None:
        from nserbench.leaderboard.plots.class_counts import refuse_other_kinds

        refuse_other_kinds(figure)
    wanted = read_names(names, session.plugins.corpora.bind)
    read = {one.label: read_corpus(one, None, session.settings) for one in wanted}
    with showing() as progress:
        found = [
            describe(name, one, progress, estimate_snr=not fast)
            for name, one in read.items()
        ]
    if figure is not None:
        from nserbench.leaderboard.plots.class_counts import draw_classes

        draw_classes({one.name: one.classes for one in found}, figure)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for place, one in enumerate(found):
        if place:
            click.echo()
        _print(one)


def _print(found: CorpusStatistics) -> None:
    from nserbench.cli.common.tables import print_tables
    from nserbench.cli.common.text import counted

    edition = f", edition {found.edition}" if found.edition else ""
    click.echo(
        f"{found.name}{edition}: {counted(sum(found.classes.values()), 'utterance')}, "
        f"{found.seconds / 3600:.2f} h, from {found.shortest:.3g} to "
        f"{found.longest:.3g} s"
    )
    if found.snr is not None:
        low, median, high = found.snr
        click.echo(
            f"SNR by WADA: {median:.1f} dB in the median, {low:.1f} to {high:.1f} dB "
            "in the middle half"
        )
    click.echo()
    print_tables(_tables(found))


def _tables(found: CorpusStatistics) -> Iterator[tuple[str, Table]]:
    yield "classes by fold", _counts("fold", found.folds, found.classes)
    if found.speakers.keys() != found.folds.keys():
        if len(found.speakers) <= MOST_SPEAKERS:
            yield "classes by speaker", _counts("speaker", found.speakers)
        else:
            yield "speakers", _speakers(found.speakers)
    yield "lengths", _bars(found.lengths)


def _counts(
    what: str,
    rows: Mapping[str, Mapping[str, int]],
    total: Mapping[str, int] | None = None,
) -> Table:
    from rich.text import Text

    from nserbench.cli.common.tables import table

    classes = list(next(iter(rows.values())))
    laid = table(what, *classes, "all")
    named = [*rows.items(), *([("all", total)] if total is not None else [])]
    for name, counts in named:
        each = map(str, counts.values())
        laid.add_row(Text(name), *each, str(sum(counts.values())))
    return laid


def _speakers(speakers: Mapping[str, Mapping[str, int]]) -> Table:
    from nserbench.cli.common.tables import table

    sizes = sorted(sum(counts.values()) for counts in speakers.values())
    laid = table("speakers", "fewest utterances", "median", "most")
    median = sizes[len(sizes) // 2]
    laid.add_row(*map(str, (len(sizes), sizes[0], median, sizes[-1])))
    return laid


def _bars(counts: Mapping[str, int]) -> Table:
    from nserbench.cli.common.tables import table

    laid = table("length", "utterances", "")
    most = max(counts.values())
    for name, count in counts.items():
        laid.add_row(name, str(count), "#" * round(BAR * count / most))
    return laid
