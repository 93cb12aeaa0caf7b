"""``nserbench mix``: write noisy speech as audio files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nserbench.api.session import Session
from nserbench.cli.common.completion import names_of
from nserbench.cli.common.options import corpus_options, limit_option, out_option
from nserbench.cli.common.session import with_session


@click.command()
@corpus_options
@out_option(
    "FOLDER",
    "Folder for the files; each corpus and condition gets its own folder in it.",
    required=True,
)
@limit_option
@click.option(
    "--protocol",
    metavar="NAME",
    shell_complete=names_of("protocols"),
    help="Protocol whose noise to add, as in probe+noise_split=disjoint; default: the "
    "corpus's own.",
)
@with_session
def mix(
    session: Session,
    corpora: tuple[str, ...],
    noises: tuple[str, ...],
    snrs: list[float],
    out: Path,
    limit: int | None,
    protocol: str | None,
) -> None:
    """Write noisy speech as WAV files, for other toolkits.

    Each utterance gets the same segment of noise as in `nserbench run`. A manifest
    lists source, noise, offset, gain, measured SNR and SHA-256 of every file.

    \b
    nserbench mix -c demo-park --snr 0,-5 -o noisy
    """
    from nserbench.api.progress_bars import show_progress
    from nserbench.benchmark.extraction.export_audio import export
    from nserbench.benchmark.study.name_lookup import (
        corpus_conditions,
        read_corpora,
    )
    from nserbench.benchmark.study.protocol_names import read_protocol
    from nserbench.benchmark.study.study import open_corpora

    places = read_corpora(corpora, noises, session.plugins)
    protocols = {
        place.corpus.label: read_protocol(protocol, place.corpus.card.protocol)
        for place in places
    }
    opened = open_corpora(places, limit, session.plugins, session.settings)
    written = []
    with show_progress() as progress:
        for card, condition in corpus_conditions(places, snrs):
            label, rules = card.label, protocols[card.label]
            folder = out / label.replace(":", "-") / str(condition)
            corpus = replace(opened[label], rule=rules.rule)
            written.append(export(corpus, condition, folder, rules.mix_seed, progress))
    for manifest in written:
        click.echo(manifest)
