"""``nserbench transcribe``: transcripts of noisy speech and their word error rate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nserbench.api.session import Session
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import (
    corpus_options,
    device_option,
    json_option,
    limit_option,
    names_option,
    out_option,
    store_option,
    wer_against_option,
)
from nserbench.cli.common.overwrite import refuse_other_file
from nserbench.cli.common.session import with_session
from nserbench.cli.common.tables import TextTable, print_tables

if TYPE_CHECKING:
    from nserbench.benchmark.extraction.transcripts import Transcripts
    from nserbench.benchmark.extraction.word_errors import Against
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.benchmark.study.cell import Condition
    from nserbench.benchmark.study.study import OpenedCorpus
    from nserbench.cards import ConfiguredCard
    from nserbench.upstreams.base import UpstreamCard


@click.command()
@names_option(
    *("-u", "--upstream", "upstreams"),
    required=True,
    shell_complete=names_of("upstreams"),
    help="Upstreams that transcribe, such as whisper.",
)
@corpus_options
@wer_against_option
@out_option("FILE.csv", "Also write the transcripts to this file.")
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
    """Transcribe speech and print the word error rate (WER).

    Transcript and reference are normalised as in Whisper. In languages without spaces,
    such as Mandarin, characters are counted (CER). The match error rate is errors /
    (errors + hits), averaged over clips. A transcript counts as hallucinated if it is
    over twice as long as its reference, loops, or is empty and the reference is not.

    \b
    nserbench transcribe -u whisper -c iemocap-park --snr 10,0,-10
    """
    from nserbench.benchmark.extraction.transcripts import COLUMNS, write_transcripts
    from nserbench.benchmark.store.feature_store import Store
    from nserbench.benchmark.study.name_lookup import (
        corpus_conditions,
        read_corpora,
        read_transcribers,
    )
    from nserbench.benchmark.study.study import open_corpora

    if out is not None:
        refuse_other_file(out, "csv", ",".join(COLUMNS))
    settings = session.settings.using(store=store_folder)
    transcribers = read_transcribers(upstreams, session.plugins)
    places = read_corpora(corpora, noises, session.plugins)
    wanted = [
        (corpus.label, condition)
        for corpus, condition in corpus_conditions(places, snrs)
    ]
    opened = open_corpora(places, limit, session.plugins, settings)
    store = Store(settings.store)
    transcripts = _transcribe(transcribers, opened, wanted, against, store, device)
    if out is not None:
        write_transcripts(out, transcripts)
    if as_json:
        click.echo(json.dumps([_row(item) for item in transcripts], indent=1))
    else:
        print_tables(_tables(transcripts, against))
    compared = {one.corpus for one in transcripts if one.recognition}
    for corpus in dict.fromkeys(one.corpus for one in transcripts):
        if corpus not in compared and against == "reference":
            click.echo(
                f"{corpus} has no texts to compare with, so there are no error rates; "
                "in noise, --wer-against clean compares with clean speech",
                err=True,
            )


def _transcribe(
    transcribers: Sequence[ConfiguredCard[UpstreamCard]],
    corpora: dict[str, OpenedCorpus],
    wanted: Sequence[tuple[str, Condition]],
    against: Against,
    store: Store,
    device: str,
) -> list[Transcripts]:
    """Return the transcripts of every upstream, from the store where it has them."""
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.extraction.extract import ModelCache
    from nserbench.benchmark.extraction.transcripts import transcribe
    from nserbench.benchmark.results.environment import choose_device

    with show_progress() as progress:
        return [
            item
            for transcriber in transcribers
            for item in transcribe(
                transcriber,
                corpora,
                wanted,
                against,
                store,
                ModelCache(choose_device(device)),
                progress,
            )
        ]


def _row(transcripts: Transcripts) -> dict[str, Any]:
    errors = transcripts.recognition
    return {
        "upstream": transcripts.upstream,
        "corpus": transcripts.corpus,
        "condition": str(transcripts.condition),
        "clips": len(transcripts.clips),
        **(asdict(errors) if errors else {}),
    }


def _tables(
    transcripts: Sequence[Transcripts], against: Against
) -> Iterator[TextTable]:
    """Yield a table of error rates for each upstream on each corpus."""
    reference = {
        "reference": "the corpus's texts",
        "clean": "transcripts of clean speech",
    }[against]
    for (upstream, corpus), group in groupby(
        transcripts, lambda item: (item.upstream, item.corpus)
    ):
        rows = list(group)
        measures = [row.recognition.measure for row in rows if row.recognition]
        rate = measures[0] if measures else "WER"
        headers = (
            "condition",
            "clips",
            f"{rate} %",
            f"mean {rate} of clips %",
            "match error rate %",
            "hallucinated %",
        )
        cells = [(str(row.condition), _compared(row), *_rates(row)) for row in rows]
        title = f"{upstream} on {corpus}, against {reference}"
        yield TextTable(title, headers, cells)


def _compared(transcripts: Transcripts) -> str:
    """Return of how many clips the rates are, such as ``17 of 18``."""
    clips, errors = len(transcripts.clips), transcripts.recognition
    if errors is None or errors.utterances == clips:
        return str(clips)
    return f"{errors.utterances} of {clips}"


def _rates(transcripts: Transcripts) -> list[str]:
    errors = transcripts.recognition
    if errors is None:
        return []
    rates = errors.rate, errors.mean, errors.match_error, errors.hallucinations
    return [f"{100 * rate:.1f}" for rate in rates]
