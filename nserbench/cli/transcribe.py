"""``nserbench transcribe``: what recognisers understand in noise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.cli.common.options import (
    corpus_options,
    device_option,
    json_option,
    limit_option,
    store_option,
    words_option,
)
from nserbench.cli.common.session import Session, with_session

if TYPE_CHECKING:
    from rich.table import Table

    from nserbench.benchmark.extraction.transcripts import Transcripts
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.benchmark.study.cell import Condition
    from nserbench.benchmark.study.study import OpenedCorpus
    from nserbench.cards import ConfiguredCard
    from nserbench.upstreams.base import UpstreamCard


@click.command()
@click.option(
    "-u",
    "--upstream",
    "upstreams",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Upstreams that transcribe, such as whisper.",
)
@corpus_options
@words_option
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write the transcripts as well.",
)
@limit_option
@device_option
@store_option
@json_option
@with_session
def transcribe(
    session: Session,
    upstreams: tuple[str, ...],
    corpora: tuple[str, ...],
    noises: tuple[str, ...],
    snrs: list[float],
    against: Against,
    out: Path | None,
    limit: int | None,
    device: str,
    store_folder: Path | None,
    as_json: bool,
) -> None:
    """Write speech down, and tell the word error rate.

    Both sides go through Whisper's normaliser. In languages without spaces, such as
    Mandarin, characters are counted. Match error is errors divided by errors and hits,
    the mean of clips: it cannot pass 100. A transcript is hallucinated if it is longer
    than twice its reference, loops, or is empty where something was said.

    \b
    nserbench transcribe -u whisper -c iemocap-park --snr 10,0,-10
    """
    from nserbench.benchmark.extraction.transcripts import write_transcripts
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.benchmark.study.lookup import (
        conditions,
        read_corpora,
        read_transcribers,
    )
    from nserbench.benchmark.study.study import open_corpora
    from nserbench.cli.common.tables import print_tables

    settings = session.settings.using(store=store_folder)
    known = read_transcribers(upstreams, session.plugins)
    places = read_corpora(corpora, noises, session.plugins)
    asked = [
        (place.corpus.label, condition)
        for place in places
        for condition in conditions(place.noise, snrs)
    ]
    opened = open_corpora(places, limit, session.plugins, settings)
    found = _written(known, opened, asked, against, Store(settings.store), device)
    if out is not None:
        write_transcripts(out, found)
    if as_json:
        click.echo(json.dumps([_row(each) for each in found], indent=1))
    else:
        print_tables(_tables(found, against))


def _written(
    known: Sequence[ConfiguredCard[UpstreamCard]],
    corpora: dict[str, OpenedCorpus],
    asked: Sequence[tuple[str, Condition]],
    against: Against,
    store: Store,
    device: str,
) -> list[Transcripts]:
    """Let every upstream write down what was asked for, or read what it wrote."""
    from nserbench.benchmark.extraction.extract import ModelCache
    from nserbench.benchmark.extraction.transcripts import transcribe
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.cli.common.progress_bars import showing

    with showing() as progress:
        return [
            each
            for one in known
            for each in transcribe(
                one,
                corpora,
                asked,
                against,
                store,
                ModelCache(choose_device(device)),
                progress,
            )
        ]


def _row(found: Transcripts) -> dict[str, Any]:
    match = found.recognition
    return {
        "upstream": found.upstream,
        "corpus": found.corpus,
        "condition": str(found.condition),
        "utterances": len(found.clips),
        **(asdict(match) if match else {}),
    }


def _tables(
    found: Sequence[Transcripts], against: Against
) -> Iterator[tuple[str, Table]]:
    """Lay the rates out, a table for each upstream on each corpus."""
    from nserbench.cli.common.tables import table

    for (upstream, corpus), each in groupby(
        found, lambda one: (one.upstream, one.corpus)
    ):
        rows = list(each)
        known = [one.recognition for one in rows if one.recognition is not None]
        rate = known[0].measure if known else "WER"
        of_all, of_each = f"{rate} %", "mean of clips %"
        laid = table(
            "condition", "clips", of_all, of_each, "match error %", "hallucinated %"
        )
        for one in rows:
            match = one.recognition
            rates = (
                (match.rate, match.mean, match.match_error, match.hallucinations)
                if match
                else ()
            )
            shown = [f"{100 * value:.1f}" for value in rates]
            laid.add_row(str(one.condition), str(len(one.clips)), *shown)
        compared = "the texts" if against == "reference" else "clean speech"
        yield f"{upstream} on {corpus}, against {compared}", laid
