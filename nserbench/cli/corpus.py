"""``nserbench corpus``: statistics of a corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nserbench.api.session import Session
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import json_option
from nserbench.cli.common.path_type import UserPath
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables
from nserbench.cli.common.text import counted, duration

if TYPE_CHECKING:
    from nserbench.corpora.tools.corpus_statistics import CorpusStatistics

BAR = 40
"""Length of the longest bar in characters."""
MOST_SPEAKERS = 30
"""Largest number of speakers with a row each; `--json` has every speaker."""


@click.group()
def corpus() -> None:
    """Print statistics of a corpus."""


@corpus.command("stats")
@click.argument(
    "names",
    metavar="CORPUS...",
    nargs=-1,
    required=True,
    shell_complete=names_of("corpora"),
)
@click.option(
    "--figure",
    type=UserPath(),
    metavar="FILE.svg|pdf|png",
    help="Also draw the class counts of the corpora, as in Fig. 2 of the paper.",
)
@click.option(
    "--fast", is_flag=True, help="Read only the headers of audio files; no SNR."
)
@json_option
@with_session
def stats(
    session: Session,
    names: tuple[str, ...],
    figure: Path | None,
    fast: bool,
    as_json: bool,
) -> None:
    """Count classes per fold and speaker, measure durations, estimate the SNR.

    The SNR of the recordings is estimated by WADA-SNR (Kim and Stern, 2008). Use it to
    compare corpora, not single clips.

    \b
    nserbench corpus stats meld iemocap casia --fast --figure fig2.svg
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.study.name_lookup import corpus_alone, read_names
    from nserbench.benchmark.study.study import read_corpus
    from nserbench.corpora.tools.corpus_statistics import describe

    if figure is not None:
        from nserbench.leaderboard.plots.style import refuse_other_kinds

        refuse_other_kinds(figure)
    cards = read_names(names, partial(corpus_alone, plugins=session.plugins))
    corpora = {card.label: read_corpus(card, None, session.settings) for card in cards}
    with show_progress() as progress:
        statistics = [
            describe(name, corpus, progress, estimate_snr=not fast)
            for name, corpus in corpora.items()
        ]
    if figure is not None:
        from nserbench.leaderboard.plots.class_counts import draw_classes

        draw_classes({corpus.name: corpus.classes for corpus in statistics}, figure)
    if as_json:
        click.echo(json.dumps([asdict(corpus) for corpus in statistics], indent=1))
        return
    for index, corpus in enumerate(statistics):
        if index:
            click.echo()
        _print(corpus)


def _print(corpus: CorpusStatistics) -> None:
    edition = f", edition {corpus.edition}" if corpus.edition else ""
    utterances = counted(sum(corpus.classes.values()), "utterance")
    click.echo(
        f"{corpus.name}{edition}: {utterances}, {duration(corpus.seconds)}, "
        f"clips of {corpus.shortest:.3g} to {corpus.longest:.3g} s"
    )
    if corpus.snr is not None:
        low, median, high = corpus.snr
        click.echo(
            f"SNR (WADA): median {median:.1f} dB, quartiles {low:.1f} and {high:.1f} dB"
        )
    click.echo()
    print_tables(_tables(corpus))


def _tables(corpus: CorpusStatistics) -> Iterator[TextTable]:
    yield _counts("fold", corpus.folds, corpus.classes)
    if corpus.speakers.keys() != corpus.folds.keys():
        if len(corpus.speakers) <= MOST_SPEAKERS:
            yield _counts("speaker", corpus.speakers)
        else:
            yield _speakers(corpus.speakers)
    most = max(corpus.lengths.values())
    bars = (
        (name, str(count), "#" * round(BAR * count / most))
        for name, count in corpus.lengths.items()
    )
    yield TextTable("durations", ("duration", "utterances", ""), bars)


def _counts(
    header: str,
    rows: Mapping[str, Mapping[str, int]],
    total: Mapping[str, int] | None = None,
) -> TextTable:
    classes = list(next(iter(rows.values())))
    cells = [
        (name, *map(str, (*counts.values(), sum(counts.values()))))
        for name, counts in [*rows.items(), *([("all", total)] if total else [])]
    ]
    return TextTable(f"classes by {header}", (header, *classes, "all"), cells)


def _speakers(speakers: Mapping[str, Mapping[str, int]]) -> TextTable:
    sizes = sorted(sum(counts.values()) for counts in speakers.values())
    headers = ("speakers", "fewest utterances", "median", "most")
    numbers = len(sizes), sizes[0], sizes[len(sizes) // 2], sizes[-1]
    return TextTable("speakers", headers, [map(str, numbers)])
