"""``nserbench mix``: noisy speech as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nserbench.cli.common.options import corpus_options, limit_option
from nserbench.cli.common.session import Session, with_session


@click.command()
@corpus_options
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Where to write; each corpus and condition gets a folder in it.",
)
@limit_option
@click.option(
    "--protocol",
    metavar="NAME",
    help="Whose noise to write, as in probe+noise_split=disjoint; the corpus's own "
    "protocol unless given.",
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
    """Write noisy speech as wav files, for other toolkits.

    A manifest names source, noise, offset, gain, measured SNR and sha256 of every
    file. An utterance gets the stretch of noise that `run` lays under it.

    \b
    nserbench mix -c demo-park --snr 0,-5 -o noisy
    """
    from nserbench.benchmark.extraction.export_audio import export
    from nserbench.benchmark.study.lookup import conditions, read_corpora
    from nserbench.benchmark.study.protocols import read_protocol
    from nserbench.benchmark.study.study import open_corpora
    from nserbench.cli.common.progress_bars import showing

    places = read_corpora(corpora, noises, session.plugins)
    protocols = {
        place.corpus.label: read_protocol(protocol, place.corpus.card.protocol)
        for place in places
    }
    opened = open_corpora(places, limit, session.plugins, session.settings)
    written = []
    with showing() as progress:
        for place in places:
            for condition in conditions(place.noise, snrs):
                folder = out / place.corpus.label.replace(":", "-") / str(condition)
                said = protocols[place.corpus.label]
                found = replace(opened[place.corpus.label], rule=said.rule)
                written.append(
                    export(found, condition, folder, said.mix_seed, progress)
                )
    for manifest in written:
        click.echo(manifest)
